/* rollout.c - the loop in which models write. */
#include <inttypes.h>
#include <string.h>

#include "ends.h"
#include "kept.h"
#include "writer.h"

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* ---- Arguments ---- */

static trb_status check_limits(trb_context *ctx, const trb_rollout_options *o) {
  const struct {
    const char *name;
    int64_t value;
  } counts[] = {{"n_stop", o->n_stop},   {"max_tokens", o->max_tokens}, {"max_length", o->max_length},
                {"repeats", o->repeats}, {"batch", o->batch},           {"keep_bytes", o->keep_bytes},
                {"block", o->block}};
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
    if (counts[i].value < 0)
      return trbi_fail(ctx, TRB_EINVAL, "options->%s: expected at least 0, got %" PRId64, counts[i].name,
                       counts[i].value);
  if (o->max_tokens == 0 && o->max_length == 0)
    return trbi_fail(ctx, TRB_EINVAL, "options->max_tokens: expected at least 1 without a max_length, got 0");
  if (o->reserved != 0) return trbi_fail(ctx, TRB_EINVAL, "options->reserved: expected 0, got %" PRId32, o->reserved);
  return TRB_OK;
}

/* The vocabulary of what is sampled. */
static int64_t common_vocab(const trbi_writer *w) {
  if (w->student.forward == NULL) return w->teacher.vocab;
  return w->teacher.forward == NULL ? w->student.vocab : least(w->student.vocab, w->teacher.vocab);
}

static trb_status check_prompts(const trbi_writer *w, int64_t common) {
  const trb_texts *p = w->prompts;
  trb_status status = trbi_check_texts(w->ctx, "prompts", p, 1);
  if (status != TRB_OK || p->n == 0) return status;
  return trbi_check_ids(w->ctx, "prompts->tokens", p->tokens + p->offset[0], p->offset[p->n] - p->offset[0], common);
}

static trb_status check_stops(const trbi_writer *w, int64_t common) {
  const trb_rollout_options *o = &w->behavior.options;
  if (o->n_stop > 0 && o->stop == NULL)
    return trbi_fail(w->ctx, TRB_EINVAL, "options->stop: expected %" PRId64 " ids, got NULL", o->n_stop);
  const trb_status status = trbi_check_ids(w->ctx, "options->stop", o->stop, o->n_stop, common);
  if (status != TRB_OK) return status;
  return trbi_check_ends(w->ctx, "options->ends", o->ends, common, trbi_larger_vocab(&w->student, &w->teacher));
}

static trb_status read_models(trbi_writer *w, const trb_model *student, const trb_model *teacher) {
  trb_status status = trbi_read_model(w->ctx, "student", student, !w->behavior.needs_student, &w->student);
  if (status != TRB_OK) return status;
  return trbi_read_model(w->ctx, "teacher", teacher, !w->behavior.needs_teacher, &w->teacher);
}

/* ---- Before the first step ---- */

/* Prompts and limits of all sequences; the arrays are there. */
static trb_status measure_sequences(trbi_writer *w) {
  const trb_rollout_options *o = &w->behavior.options;
  for (int64_t i = 0; i < w->n; i++) {
    const int64_t prompt = i / w->repeats;
    w->prompt[i] = w->prompts->offset[prompt + 1] - w->prompts->offset[prompt];
    w->room[i] = least(o->max_tokens > 0 ? o->max_tokens : INT64_MAX,
                       o->max_length > 0 ? o->max_length - w->prompt[i] : INT64_MAX);
    if (w->room[i] < 1)
      return trbi_fail(w->ctx, TRB_EINVAL,
                       "options->max_length: expected more than the %" PRId64 " tokens of prompt %" PRId64
                       ", got %" PRId64,
                       w->prompt[i], prompt, o->max_length);
    w->sampled[i] = 0;
  }
  return TRB_OK;
}

static trb_status take_sequences(trbi_writer *w) {
  const trbi_allocator memory = trbi_allocator_of(w->ctx);
  const trbi_array arrays[] = {{&w->prompt, w->n, sizeof(int64_t)},
                               {&w->room, w->n, sizeof(int64_t)},
                               {&w->sampled, w->n, sizeof(int64_t)},
                               {&w->active, w->batch, sizeof(int64_t)},
                               {&w->queries, w->batch, sizeof(trb_query)}};
  w->sequences = trbi_take_arrays(w->ctx, &memory, arrays, sizeof arrays / sizeof arrays[0]);
  return w->sequences != NULL ? TRB_OK : TRB_ENOMEM;
}

/* Room for the rows of a step. No block is longer than the longest response. */
static trb_status take_rows(trbi_writer *w, int64_t common) {
  const trbi_allocator memory = trbi_allocator_of(w->ctx);
  const trbi_behavior *b = &w->behavior;
  int64_t longest = 0, rows = w->batch;
  for (int64_t i = 0; i < w->n; i++) longest = w->room[i] > longest ? w->room[i] : longest;
  w->length = b->needs_teacher ? least(b->options.block, longest) : 0;
  if (w->length > 0 && __builtin_mul_overflow(w->batch, w->length, &rows)) rows = INT64_MAX;
  const trbi_array arrays[] = {{&w->logits_student, b->needs_student ? rows : 0, (size_t)trbi_row_bytes(&w->student)},
                               {&w->logits_teacher, b->needs_teacher ? rows : 0, (size_t)trbi_row_bytes(&w->teacher)}};
  w->logits = trbi_take_arrays(w->ctx, &memory, arrays, sizeof arrays / sizeof arrays[0]);
  if (w->logits == NULL) return TRB_ENOMEM;
  return w->length > 0 ? trbi_proposals_new(w, rows) : trbi_step_new(w->ctx, b, w->batch, common, &w->step);
}

/* The object with its prompts. */
static trb_status make_rollouts(trbi_writer *w, int64_t common) {
  const trb_rollout_options *o = &w->behavior.options;
  trb_status status = trbi_rollouts_make(w->ctx, w->n, w->prompt, w->room, o->ends, TRB_STOP_NONE, &w->r);
  if (status != TRB_OK) return status;
  w->r->vocab = common;
  if (o->behavior == TRB_BEHAVIOR_BUDGET) w->r->shown.budget = o->budget;
  for (int64_t i = 0; i < w->n; i++) {
    const int64_t *prompt = w->prompts->tokens + w->prompts->offset[i / w->repeats];
    memcpy(w->r->text + w->r->text_offset[i], prompt, (size_t)w->prompt[i] * sizeof *prompt);
    if (w->behavior.sampler.stream != NULL) w->r->stream[i] = w->behavior.sampler.stream[i];
  }
  if (!w->behavior.needs_teacher) return TRB_OK;
  return trbi_keep(w->ctx, w->r, &w->teacher, o->keep_bytes, w->r->offset[w->n]);
}

/* ---- The loop ---- */

/* Lets waiting sequences in and goes on by a step. */
static trb_status advance(trbi_writer *w) {
  while (w->n_active < w->batch && w->waiting < w->n) w->active[w->n_active++] = w->waiting++;
  const trb_status status = w->length > 0 ? trbi_advance_by_block(w) : trbi_advance_by_token(w);
  if (status != TRB_OK) return status;
  const trb_rollout_options *o = &w->behavior.options;
  return trbi_tell(w->ctx, o->progress, o->progress_user, w->waiting - w->n_active, w->n);
}

/* ---- The call ---- */

/* Reads and checks everything, and takes all memory. */
static trb_status start(trbi_writer *w, const trb_model *student, const trb_model *teacher,
                        const trb_rollout_options *options) {
  if (options == NULL) return trbi_fail(w->ctx, TRB_EINVAL, "options: expected a limit on tokens, got NULL");
  trb_status status = trbi_read_behavior(w->ctx, options, &w->behavior);
  if (status == TRB_OK) status = check_limits(w->ctx, &w->behavior.options);
  if (status == TRB_OK) status = read_models(w, student, teacher);
  if (status != TRB_OK) return status;
  const int64_t common = common_vocab(w);
  status = check_prompts(w, common);
  if (status == TRB_OK) status = check_stops(w, common);
  if (status != TRB_OK) return status;
  const trb_rollout_options *o = &w->behavior.options;
  w->repeats = o->repeats > 0 ? o->repeats : 1;
  if (__builtin_mul_overflow(w->prompts->n, w->repeats, &w->n))
    return trbi_fail(w->ctx, TRB_EINVAL, "options->repeats: expected sequences that can be counted, got %" PRId64,
                     w->repeats);
  w->batch = o->batch > 0 ? least(o->batch, w->n) : w->n;
  status = take_sequences(w);
  if (status == TRB_OK) status = measure_sequences(w);
  if (status == TRB_OK) status = take_rows(w, common);
  return status == TRB_OK ? make_rollouts(w, common) : status;
}

/* Names the first sequence that ended at a row without a distribution, if one did. */
static trb_status check_ended(const trbi_writer *w) {
  trbi_bad_row bad = {.model = NULL};
  for (int64_t i = w->n - 1; i >= 0; i--) {
    const int32_t stop = w->r->stop[i];
    if (stop == TRB_STOP_STUDENT || stop == TRB_STOP_TEACHER)
      bad = (trbi_bad_row){stop == TRB_STOP_STUDENT ? "student" : "teacher", i, trbi_written(w, i), w->r->row[i]};
  }
  return trbi_fail_bad_row(w->ctx, &bad);
}

static trb_status write_all(trbi_writer *w) {
  trb_status status = TRB_OK;
  while (status == TRB_OK && (w->n_active > 0 || w->waiting < w->n)) status = advance(w);
  trbi_rollouts_close(w->r, w->sampled);
  return status == TRB_OK ? check_ended(w) : status;
}

trb_status trb_rollout(trb_context *ctx, const trb_model *student, const trb_model *teacher, const trb_texts *prompts,
                       const trb_rollout_options *options, trb_rollouts **out) {
  const trbi_allocator memory = trbi_allocator_of(ctx);
  trbi_writer w = {.ctx = ctx, .prompts = prompts};
  if (out == NULL) return trbi_fail(ctx, TRB_EINVAL, "out: expected a pointer, got NULL");
  *out = NULL;
  trb_status status = start(&w, student, teacher, options);
  if (status == TRB_OK) status = write_all(&w);
  void *const taken[] = {w.sequences, w.logits, w.step.block, w.blocks.memory};
  for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
    if (taken[i] != NULL) memory.free(taken[i], memory.user);
  if (status == TRB_OK || status == TRB_EROWS || status == TRB_ECALLBACK)
    *out = &w.r->shown;
  else if (w.r != NULL)
    trb_rollouts_free(&w.r->shown);
  return status;
}
