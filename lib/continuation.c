/* continuation.c - what a prefix is worth: two batches, cut, continued in the same way and judged (arXiv 2605.31159).
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ends.h"
#include "model.h"
#include "rollouts.h"

typedef struct comparison {
  trb_context *ctx;
  const trb_model *student, *teacher;
  int64_t n, cut;
  trb_rollout_options options; /* of the continuation, with the sampler below */
  trb_sampler sampler;
  const uint64_t *given_stream;
  trb_judge_fn judge;
  void *judge_user;

  void *block;
  int64_t *tokens, *offset; /* the prefixes that are continued, those of a first */
  int64_t *origin;          /* [2 n] sequences of the batches that they were cut from */
  uint64_t *stream;         /* [2 n] */
  double *reward_a, *reward_b;
} comparison;

/* ---- Cutting ---- */

static int64_t sampled(const trb_rollouts *r, int64_t i) {
  return r->offset[i + 1] - r->offset[i];
}

static int64_t text_length(const trb_rollouts *r, int64_t i) {
  return r->text_offset[i + 1] - r->text_offset[i];
}

/* Whether the response is over at the cut. */
static bool has_ended(const comparison *c, const trb_rollouts *r, int64_t i) {
  if (sampled(r, i) != c->cut || c->cut == 0) return sampled(r, i) < c->cut;
  const int64_t last = r->token[r->offset[i + 1] - 1];
  bool stops = r->stop[i] == TRB_STOP_TOKEN;
  for (int64_t k = 0; k < c->options.n_stop; k++) stops |= c->options.stop[k] == last;
  for (int64_t k = 0; c->options.ends != NULL && k < c->options.ends->n; k++)
    stops |= c->options.ends->student[k] == last;
  return stops;
}

/* Collects the prefixes of a batch that go on, behind the `before` that are there; returns how many then are. */
static int64_t cut_prefixes(comparison *c, const trb_rollouts *r, int64_t before) {
  int64_t n = before;
  for (int64_t i = 0; i < r->n; i++) {
    if (has_ended(c, r, i)) continue;
    const int64_t length = text_length(r, i) - sampled(r, i) + c->cut;
    memcpy(c->tokens + c->offset[n], r->text + r->text_offset[i], (size_t)length * sizeof *c->tokens);
    c->stream[n] = c->given_stream != NULL ? c->given_stream[i] : (uint64_t)i;
    c->origin[n] = i;
    c->offset[n + 1] = c->offset[n] + length;
    n++;
  }
  return n;
}

/* ---- Judging ---- */

static trb_status judge(const comparison *c, const char *batch, const int64_t *text, int64_t length, int64_t prompt,
                        int64_t sequence, double *reward) {
  *reward = NAN;
  const int32_t returned = c->judge(text, length, prompt, sequence, reward, c->judge_user);
  if (returned != TRB_CONTINUE)
    return trbi_fail(c->ctx, TRB_ECALLBACK,
                     "judge: expected TRB_CONTINUE, got %" PRId32 " for sequence %" PRId64 " of %s", returned, sequence,
                     batch);
  if (!isfinite(*reward))
    return trbi_fail(c->ctx, TRB_ECALLBACK, "judge: expected a finite reward, got %g for sequence %" PRId64 " of %s",
                     *reward, sequence, batch);
  return TRB_OK;
}

/* Judges every sequence of a batch in order; those that were continued, [first, end) of the continuations, as they are
 * now. */
static trb_status judge_batch(const comparison *c, const char *batch, const trb_rollouts *r,
                              const trb_rollouts *continued, int64_t first, int64_t end, double *reward) {
  trb_status status = TRB_OK;
  int64_t k = first;
  for (int64_t i = 0; i < r->n && status == TRB_OK; i++) {
    const int64_t prompt = text_length(r, i) - sampled(r, i);
    const bool goes_on = k < end && c->origin[k] == i;
    const trb_rollouts *of = goes_on ? continued : r;
    const int64_t at = goes_on ? k++ : i;
    status = judge(c, batch, of->text + of->text_offset[at], text_length(of, at), prompt, i, &reward[i]);
  }
  return status;
}

/* ---- The call ---- */

static trb_status read_comparison(comparison *c, const trb_rollouts *a, const trb_rollouts *b,
                                  const trb_rollout_options *options, const trb_gain *out) {
  if (a == NULL || b == NULL)
    return trbi_fail(c->ctx, TRB_EINVAL, "%s: expected rollouts, got NULL", a == NULL ? "a" : "b");
  if (a->n != b->n)
    return trbi_fail(c->ctx, TRB_EINVAL, "b->n: expected that of a, %" PRId64 ", got %" PRId64, a->n, b->n);
  if (c->cut < 0) return trbi_fail(c->ctx, TRB_EINVAL, "cut: expected at least 0, got %" PRId64, c->cut);
  if (c->judge == NULL) return trbi_fail(c->ctx, TRB_EINVAL, "judge: expected a function, got NULL");
  if (options == NULL) return trbi_fail(c->ctx, TRB_EINVAL, "options: expected a limit on tokens, got NULL");
  trb_status status = trbi_check_record(c->ctx, "out", out, TRBI_SIZE_TO(trb_gain, standard_error));
  if (status == TRB_OK)
    status = trbi_read_options(c->ctx, "options", options, &c->options, sizeof c->options,
                               TRBI_SIZE_TO(trb_rollout_options, reserved));
  if (status == TRB_OK)
    status = trbi_read_options(c->ctx, "options->sampler", c->options.sampler, &c->sampler, sizeof c->sampler,
                               TRBI_SIZE_TO(trb_sampler, purpose));
  if (status == TRB_OK && c->options.repeats != 0)
    return trbi_fail(c->ctx, TRB_EINVAL, "options->repeats: expected 0, got %" PRId64, c->options.repeats);
  if (status == TRB_OK && c->options.n_stop > 0 && c->options.stop == NULL) /* the cuts are made by these two */
    return trbi_fail(c->ctx, TRB_EINVAL, "options->stop: expected %" PRId64 " ids, got NULL", c->options.n_stop);
  return status == TRB_OK ? trbi_check_ends(c->ctx, "options->ends", c->options.ends, INT64_MAX, INT64_MAX) : status;
}

static trb_status take_memory(comparison *c, const trb_rollouts *a, const trb_rollouts *b) {
  const trbi_allocator memory = trbi_allocator_of(c->ctx);
  const trbi_array arrays[] = {{&c->tokens, a->text_offset[a->n] + b->text_offset[b->n], sizeof *c->tokens},
                               {&c->offset, 2 * c->n + 1, sizeof *c->offset},
                               {&c->origin, 2 * c->n, sizeof *c->origin},
                               {&c->stream, 2 * c->n, sizeof *c->stream},
                               {&c->reward_a, c->n, sizeof(double)},
                               {&c->reward_b, c->n, sizeof(double)}};
  c->block = trbi_take_arrays(c->ctx, &memory, arrays, sizeof arrays / sizeof arrays[0]);
  return c->block != NULL ? TRB_OK : TRB_ENOMEM;
}

static double mean(const double *x, int64_t n) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += x[i];
  return sum / (double)n;
}

static void compare(const comparison *c, trb_gain *gain) {
  double square = 0.0;
  gain->pairs = c->n;
  gain->reward_a = mean(c->reward_a, c->n);
  gain->reward_b = mean(c->reward_b, c->n);
  gain->gain = gain->reward_a - gain->reward_b;
  for (int64_t i = 0; i < c->n; i++) {
    const double off = c->reward_a[i] - c->reward_b[i] - gain->gain;
    square += off * off;
  }
  gain->standard_error = c->n > 1 ? sqrt(square / ((double)c->n * (double)(c->n - 1))) : NAN;
}

/* Continues the prefixes of both batches as one, and judges. */
static trb_status run(comparison *c, const trb_rollouts *a, const trb_rollouts *b, trb_gain *gain) {
  trb_rollouts *more = NULL;
  c->offset[0] = 0;
  const int64_t of_a = cut_prefixes(c, a, 0), n = cut_prefixes(c, b, of_a);
  const trb_texts prefixes = {c->tokens, c->offset, n};
  gain->continued_a = of_a;
  gain->continued_b = n - of_a;
  const trb_status rows = trb_rollout(c->ctx, c->student, c->teacher, &prefixes, &c->options, &more);
  trb_status status = rows == TRB_EROWS ? TRB_OK : rows;
  if (rows != TRB_OK) trbi_fail_within(c->ctx, rows, "continuing");
  if (status == TRB_OK) status = judge_batch(c, "a", a, more, 0, of_a, c->reward_a);
  if (status == TRB_OK) status = judge_batch(c, "b", b, more, of_a, n, c->reward_b);
  trb_rollouts_free(more);
  if (status != TRB_OK) return status;
  compare(c, gain);
  return rows;
}

trb_status trb_continuation_gain(trb_context *ctx, const trb_model *student, const trb_model *teacher,
                                 const trb_rollouts *a, const trb_rollouts *b, int64_t cut,
                                 const trb_rollout_options *options, trb_judge_fn judge_fn, void *judge_user,
                                 trb_gain *out) {
  comparison c = {.ctx = ctx, .student = student, .teacher = teacher, .cut = cut, .judge = judge_fn};
  c.judge_user = judge_user;
  trb_gain gain = {.size = 0};
  trb_status status = read_comparison(&c, a, b, options, out);
  if (status != TRB_OK) return status;
  c.n = a->n;
  status = take_memory(&c, a, b);
  if (status != TRB_OK) return status;
  c.given_stream = c.sampler.stream;
  c.sampler.size = sizeof c.sampler;
  c.sampler.stream = c.stream;
  c.options.size = sizeof c.options;
  c.options.sampler = &c.sampler;
  status = run(&c, a, b, &gain);
  if (status == TRB_OK || status == TRB_EROWS) trbi_fill_record(out, &gain, sizeof gain);
  const trbi_allocator memory = trbi_allocator_of(ctx);
  memory.free(c.block, memory.user);
  return status;
}
