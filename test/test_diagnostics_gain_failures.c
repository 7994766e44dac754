/* test_diagnostics_gain_failures.c - continuation gain that goes wrong: arguments, callbacks that stop, rewards that
 * are none, bad rows, no memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "counting.h"
#include "stage.h"
#include "suites.h"

enum { CUT = 2, POISON = 0x5A };

/* A judge that stops, says something else, or says nothing, at one call. */
typedef struct court {
  int64_t calls, stop_at;
  int64_t lengths[64]; /* of what was judged */
  int32_t value;
  double reward;
  bool silent;
} court;

static int32_t judge(const int64_t *tokens, int64_t length, int64_t prompt, int64_t sequence, double *out, void *user) {
  court *c = user;
  const bool now = c->calls++ == c->stop_at;
  ck_assert(prompt >= 1 && prompt <= length && sequence >= 0);
  if (c->calls <= 64) c->lengths[c->calls - 1] = length;
  if (now && c->silent) return TRB_CONTINUE;
  *out = now ? c->reward : (double)tokens[length - 1];
  return now ? c->value : TRB_CONTINUE;
}

/* Everything that a call is given. */
typedef struct trial {
  stage s;
  trb_context *ctx;
  trb_rollouts *r;
  trb_rollout_options options;
  trb_sampler sampler;
  trb_ends ends;
  court court;
  trb_gain gain;

  const trb_rollouts *a, *b;
  int64_t cut;
  const trb_rollout_options *given;
  trb_judge_fn judge;
  trb_gain *out;
  bool no_models;
} trial;

static void trial_make(trial *x, trb_context *ctx) {
  memset(x, 0, sizeof *x);
  stage_make(&x->s, KIND_BUDGET, 9, 0x591);
  x->r = stage_run(&x->s, NULL, TRB_OK);
  x->s.student.starts_over = x->s.teacher.starts_over = true;
  x->ctx = ctx;
  x->options = kind_options(KIND_BETA);
  x->options.stop = x->s.stop;
  x->options.n_stop = 1;
  x->options.max_length = 12;
  x->sampler = x->s.sampler;
  x->options.sampler = &x->sampler;
  x->court.stop_at = -1;
  x->a = x->b = x->r;
  x->cut = CUT;
  x->given = &x->options;
  x->judge = judge;
  x->out = &x->gain;
}

static void trial_free(trial *x) {
  trb_rollouts_free(x->r);
  stage_free(&x->s);
}

static trb_status run(trial *x) {
  const trb_model student = scripted_model(&x->s.student), teacher = scripted_model(&x->s.teacher);
  const size_t size = x->gain.size;
  memset(&x->gain, POISON, sizeof x->gain);
  x->gain.size = size != 0 ? size : sizeof x->gain;
  x->court.calls = 0;
  return trb_continuation_gain(x->ctx, x->no_models ? NULL : &student, x->no_models ? NULL : &teacher, x->a, x->b,
                               x->cut, x->given, x->judge, &x->court, x->out);
}

static bool untouched(const trial *x) {
  const unsigned char *c = (const unsigned char *)&x->gain;
  for (size_t i = sizeof x->gain.size; i < sizeof x->gain; i++)
    if (c[i] != POISON) return false;
  return true;
}

/* ---- Arguments ---- */

typedef void (*spoil_fn)(trial *x);

#define SPOIL(name, change)                                                                                            \
  static void name(trial *x) {                                                                                         \
    change;                                                                                                            \
  }
SPOIL(a_null, x->a = NULL)
SPOIL(b_null, x->b = NULL)
SPOIL(cut_negative, x->cut = -1)
SPOIL(options_null, x->given = NULL)
SPOIL(judge_null, x->judge = NULL)
SPOIL(out_null, x->out = NULL)
SPOIL(out_size, x->gain.size = sizeof x->gain - 1)
SPOIL(models_null, x->no_models = true)
SPOIL(options_size, x->options.size = 8)
SPOIL(repeats, x->options.repeats = 2)
SPOIL(no_limit, x->options.max_length = 0)
SPOIL(short_limit, x->options.max_length = 3)
SPOIL(behavior, x->options.behavior = 5)
SPOIL(beta, x->options.beta = 1.5)
SPOIL(stop_null, x->options.stop = NULL)
SPOIL(stop_negative, x->options.n_stop = -1)
SPOIL(stop_far, x->s.stop[0] = 9)
SPOIL(ends_student_null, x->ends.n = 1; x->ends.teacher = x->s.stop; x->options.ends = &x->ends)
SPOIL(ends_teacher_null, x->ends.n = 1; x->ends.student = x->s.stop; x->options.ends = &x->ends)
SPOIL(ends_same, x->ends.n = 1; x->ends.student = x->ends.teacher = x->s.stop; x->options.ends = &x->ends)
SPOIL(sampler_size, x->sampler.size = 8)
SPOIL(sampler_index, x->sampler.index = x->s.tokens)
SPOIL(sampler_top_p, x->sampler.top_p = 2.0)

START_TEST(test_arguments) {
  static const struct {
    spoil_fn spoil;
    const char *name;
  } list[] = {{a_null, "a:"},
              {b_null, "b:"},
              {cut_negative, "cut:"},
              {options_null, "options:"},
              {judge_null, "judge:"},
              {out_null, "out:"},
              {out_size, "out->size:"},
              {models_null, "student:"},
              {options_size, "options->size:"},
              {repeats, "options->repeats:"},
              {no_limit, "options->max_tokens:"},
              {short_limit, "options->max_length:"},
              {behavior, "options->behavior:"},
              {beta, "options->beta:"},
              {stop_null, "options->stop:"},
              {stop_negative, "options->n_stop:"},
              {stop_far, "options->stop["},
              {ends_student_null, "options->ends->student:"},
              {ends_teacher_null, "options->ends->teacher:"},
              {ends_same, "options->ends->teacher["},
              {sampler_size, "options->sampler->size:"},
              {sampler_index, "options->sampler->index:"},
              {sampler_top_p, "options->sampler: sampler->top_p:"}};
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
    for (int with_context = 0; with_context < 2; with_context++) {
      trb_context *ctx = with_context ? context_with(1, TRB_ISA_AUTO) : NULL;
      trial x;
      trial_make(&x, ctx);
      list[i].spoil(&x);
      const trb_status status = run(&x);
      ck_assert_msg(status == TRB_EINVAL, "%s status %d", list[i].name, status);
      ck_assert(untouched(&x) && x.court.calls == 0 && x.s.student.calls == 0 && x.s.teacher.calls == 0);
      ck_assert_msg(!ctx || strstr(trb_context_error(ctx), list[i].name), "\"%s\" does not name %s",
                    trb_context_error(ctx), list[i].name);
      trial_free(&x);
      trb_context_free(ctx);
    }
}
END_TEST

/* As many sequences each; tokens that the models do not have. */
START_TEST(test_batches) {
  static const int64_t tokens[] = {1, 9, 2}, offset[] = {0, 3}, prompt[] = {1};
  const trb_texts texts = {tokens, offset, 1};
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  trial x;
  trial_make(&x, ctx);
  trb_rollouts *one;
  ck_assert_int_eq(trb_rollouts_new(NULL, &texts, prompt, NULL, NULL, &one), TRB_OK);
  x.b = one;
  ck_assert_int_eq(run(&x), TRB_EINVAL);
  ck_assert_ptr_eq(strstr(trb_context_error(ctx), "b->n:"), trb_context_error(ctx));
  x.a = one;
  x.cut = 1;
  ck_assert_int_eq(run(&x), TRB_EINVAL);
  ck_assert_ptr_nonnull(strstr(trb_context_error(ctx), "prompts->tokens[1]:"));
  ck_assert(untouched(&x) && x.s.student.calls == 0);
  trb_rollouts_free(one);
  trial_free(&x);
  trb_context_free(ctx);
}
END_TEST

/* Larger structs: unknown bytes of the options must be 0, those of the result become 0. */
START_TEST(test_later_structs) {
  trial x;
  trial_make(&x, NULL);
  struct {
    trb_rollout_options known;
    char more[8];
  } options = {.known = x.options};
  struct {
    trb_gain known;
    unsigned char more[8];
  } gain;
  memset(&gain, POISON, sizeof gain);
  options.known.size = sizeof options;
  gain.known.size = sizeof gain;
  x.given = &options.known;
  ck_assert_int_eq(run(&x), TRB_OK);
  const trb_gain plain = x.gain;
  x.out = &gain.known;
  ck_assert_int_eq(run(&x), TRB_OK);
  for (int i = 0; i < 8; i++) ck_assert_uint_eq(gain.more[i], 0);
  gain.known.size = plain.size;
  ck_assert_mem_eq(&gain.known, &plain, sizeof plain);
  options.more[7] = 1;
  ck_assert_int_eq(run(&x), TRB_EINVAL);
  trial_free(&x);
}
END_TEST

/* ---- Callbacks ---- */

/* The judge stops at every call, or gives a reward that is none, or none. */
START_TEST(test_judge_stops) {
  static const double rewards[] = {0.0, NAN, INFINITY, -INFINITY, 0.0};
  counter count;
  const trb_context_options o = counted(&count, 1);
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&o, &ctx), TRB_OK);
  const int64_t live = count.live;
  trial x;
  trial_make(&x, ctx);
  for (int64_t at = 0; at < 2 * x.r->n; at++) {
    x.court = (court){.stop_at = at,
                      .value = _i == 0 ? (int32_t)(at % 3) * 2 - 2 : TRB_CONTINUE,
                      .reward = rewards[_i],
                      .silent = _i == 4};
    ck_assert_int_eq(run(&x), TRB_ECALLBACK);
    ck_assert_int_eq(x.court.calls, at + 1);
    ck_assert(untouched(&x) && count.live == live);
    ck_assert_ptr_eq(strstr(trb_context_error(ctx), "judge:"), trb_context_error(ctx));
    ck_assert_ptr_nonnull(
        strstr(trb_context_error(ctx), describe("sequence %d of %s", (int)(at % x.r->n), at < x.r->n ? "a" : "b")));
  }
  x.court.stop_at = -1;
  ck_assert_int_eq(run(&x), TRB_OK);
  trial_free(&x);
  trb_context_free(ctx);
}
END_TEST

static int32_t interrupt(int64_t done, int64_t total, void *user) {
  int64_t *left = user;
  ck_assert_int_le(done, total);
  return (*left)-- == 0 ? 0 : TRB_CONTINUE;
}

/* A model or progress stops at every call; nobody is judged, and afterwards all is as ever. */
START_TEST(test_models_stop) {
  static const char *const names[] = {"student->forward", "teacher->forward", "progress"};
  counter count;
  const trb_context_options o = counted(&count, 1);
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&o, &ctx), TRB_OK);
  const int64_t live = count.live;
  trial x;
  trial_make(&x, ctx);
  int64_t left = -1;
  x.options.progress = interrupt;
  x.options.progress_user = &left;
  ck_assert_int_eq(run(&x), TRB_OK);
  const int64_t calls = x.s.student.calls;
  const trb_gain whole = x.gain;
  ck_assert_int_ge(calls, 6);
  for (int64_t at = 0; at < calls; at++) {
    x.s.student.stop_at = _i == 0 ? at : -1;
    x.s.teacher.stop_at = _i == 1 ? at : -1;
    left = _i == 2 ? at : -1;
    ck_assert_int_eq(run(&x), TRB_ECALLBACK);
    ck_assert(untouched(&x) && count.live == live);
    ck_assert_ptr_nonnull(strstr(trb_context_error(ctx), names[_i]));
    ck_assert_int_eq(x.court.calls, 0);
    x.s.student.stop_at = x.s.teacher.stop_at = left = -1;
    ck_assert_int_eq(run(&x), TRB_OK);
    ck_assert_mem_eq(&x.gain, &whole, sizeof whole);
  }
  trial_free(&x);
  trb_context_free(ctx);
}
END_TEST

/* A continuation that ends at a bad row is judged as far as it came. */
START_TEST(test_bad_rows) {
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  trial x;
  trial_make(&x, ctx);
  int64_t first = 0;
  while (sampled_of(x.r, first) <= CUT) first++;
  const int64_t position = length_of(x.r, first) - sampled_of(x.r, first) + CUT;
  const scripted_fault fault = {0, position, SCRIPTED_NAN}; /* numbered anew: the first that goes on is 0 */
  (_i ? &x.s.teacher : &x.s.student)->faults = &fault;
  (_i ? &x.s.teacher : &x.s.student)->n_faults = 1;
  ck_assert_int_eq(run(&x), TRB_EROWS);
  ck_assert_int_eq(x.gain.pairs, x.r->n);
  ck_assert_int_eq(x.court.calls, 2 * x.r->n);
  ck_assert(isfinite(x.gain.reward_a));
  ck_assert_int_eq(x.court.lengths[first], position); /* in a; b is not touched */
  ck_assert_int_gt(x.court.lengths[x.r->n + first], position);
  for (int64_t i = 0; i < x.r->n; i++)
    if (i != first) ck_assert_int_eq(x.court.lengths[i], x.court.lengths[x.r->n + i]);
  const char *text = trb_context_error(ctx);
  ck_assert_msg(strstr(text, _i ? "teacher" : "student") && strstr(text, "sequence 0") &&
                    strstr(text, describe("position %d", (int)position)),
                "%s", text);
  trial_free(&x);
  trb_context_free(ctx);
}
END_TEST

/* ---- Memory ---- */

START_TEST(test_allocations_fail) {
  counter count;
  const trb_context_options o = counted(&count, 1);
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&o, &ctx), TRB_OK);
  const int64_t live = count.live;
  trial x;
  trial_make(&x, ctx);
  int64_t failures = 0;
  for (;; failures++) {
    count.fail_at = count.calls + failures;
    const trb_status status = run(&x);
    ck_assert_int_eq(count.live, live);
    if (status == TRB_OK) break;
    ck_assert_int_eq(status, TRB_ENOMEM);
    ck_assert(untouched(&x));
    ck_assert_ptr_nonnull(strstr(trb_context_error(ctx), "alloc"));
  }
  ck_assert_int_ge(failures, 3);
  trial_free(&x);
  trb_context_free(ctx);
}
END_TEST

TCase *gain_failures_case(void) {
  TCase *tc = long_case("gain failures");
  tcase_add_test(tc, test_arguments);
  tcase_add_test(tc, test_batches);
  tcase_add_test(tc, test_later_structs);
  tcase_add_loop_test(tc, test_judge_stops, 0, 5);
  tcase_add_loop_test(tc, test_models_stop, 0, 3);
  tcase_add_loop_test(tc, test_bad_rows, 0, 2);
  tcase_add_test(tc, test_allocations_fail);
  return tc;
}
