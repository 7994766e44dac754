/* rollout.c - the loop in which models write: one token for every unfinished sequence in each step. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "behavior.h"
#include "ends.h"
#include "kept.h"
#include "model.h"

typedef struct writer {
  trb_context *ctx;
  trbi_behavior behavior;
  trb_model student, teacher;
  const trb_texts *prompts;
  int64_t n, repeats, batch, max_room; /* sequences; see the options; the longest response */
  trbi_rollouts *r;
  trbi_step step;

  void *block;
  int64_t *prompt, *room, *sampled; /* [n] tokens of the prompt, most and present tokens of the response */
  int64_t *active;                  /* [batch] unfinished sequences, ascending */
  trb_query *queries;               /* [batch] */
  unsigned char *logits_student, *logits_teacher;
  int64_t n_active, waiting; /* the first sequence that has not begun */
} writer;

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* ---- Arguments ---- */

static trb_status check_limits(trb_context *ctx, const trb_rollout_options *o) {
  const struct {
    const char *name;
    int64_t value;
  } counts[] = {{"n_stop", o->n_stop},   {"max_tokens", o->max_tokens}, {"max_length", o->max_length},
                {"repeats", o->repeats}, {"batch", o->batch},           {"keep_bytes", o->keep_bytes}};
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
static int64_t common_vocab(const writer *w) {
  if (w->student.forward == NULL) return w->teacher.vocab;
  return w->teacher.forward == NULL ? w->student.vocab : least(w->student.vocab, w->teacher.vocab);
}

static trb_status check_prompts(const writer *w, int64_t common) {
  const trb_texts *p = w->prompts;
  trb_status status = trbi_check_texts(w->ctx, "prompts", p, 1);
  if (status != TRB_OK || p->n == 0) return status;
  return trbi_check_ids(w->ctx, "prompts->tokens", p->tokens + p->offset[0], p->offset[p->n] - p->offset[0], common);
}

static trb_status check_stops(const writer *w, int64_t common) {
  const trb_rollout_options *o = &w->behavior.options;
  if (o->n_stop > 0 && o->stop == NULL)
    return trbi_fail(w->ctx, TRB_EINVAL, "options->stop: expected %" PRId64 " ids, got NULL", o->n_stop);
  const trb_status status = trbi_check_ids(w->ctx, "options->stop", o->stop, o->n_stop, common);
  if (status != TRB_OK) return status;
  return trbi_check_ends(w->ctx, "options->ends", o->ends, common, trbi_larger_vocab(&w->student, &w->teacher));
}

static trb_status read_models(writer *w, const trb_model *student, const trb_model *teacher) {
  trb_status status = trbi_read_model(w->ctx, "student", student, !w->behavior.needs_student, &w->student);
  if (status != TRB_OK) return status;
  return trbi_read_model(w->ctx, "teacher", teacher, !w->behavior.needs_teacher, &w->teacher);
}

/* ---- Before the first step ---- */

/* Prompts and limits of all sequences; the arrays are there. */
static trb_status measure_sequences(writer *w) {
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

static trb_status take_memory(writer *w) {
  const trbi_allocator memory = trbi_allocator_of(w->ctx);
  const trbi_behavior *b = &w->behavior;
  const trbi_array arrays[] = {
      {&w->prompt, w->n, sizeof(int64_t)},
      {&w->room, w->n, sizeof(int64_t)},
      {&w->sampled, w->n, sizeof(int64_t)},
      {&w->active, w->batch, sizeof(int64_t)},
      {&w->queries, w->batch, sizeof(trb_query)},
      {&w->logits_student, b->needs_student ? w->batch : 0, (size_t)trbi_row_bytes(&w->student)},
      {&w->logits_teacher, b->needs_teacher ? w->batch : 0, (size_t)trbi_row_bytes(&w->teacher)}};
  w->block = trbi_take_arrays(w->ctx, &memory, arrays, sizeof arrays / sizeof arrays[0]);
  return w->block != NULL ? TRB_OK : TRB_ENOMEM;
}

/* The object with its prompts. */
static trb_status make_rollouts(writer *w, int64_t common) {
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

/* ---- One step ---- */

static int64_t length_of(const writer *w, int64_t sequence) {
  return w->prompt[sequence] + w->sampled[sequence];
}

/* Lets waiting sequences in and asks about all active ones. */
static void prepare(writer *w) {
  while (w->n_active < w->batch && w->waiting < w->n) w->active[w->n_active++] = w->waiting++;
  for (int64_t i = 0; i < w->n_active; i++) {
    const int64_t sequence = w->active[i], length = length_of(w, sequence);
    w->queries[i] = (trb_query){.tokens = w->r->text + w->r->text_offset[sequence],
                                .sequence = sequence,
                                .length = length,
                                .known = w->sampled[sequence] > 0 ? length - 1 : 0,
                                .rows = 1};
    w->step.stream[i] = w->r->stream[sequence];
    w->step.index[i] = length;
  }
}

/* One model's rows, ends merged. */
static trb_status ask(writer *w, const char *name, const trb_model *model, void *data, int64_t *calls,
                      trb_logits *rows) {
  *rows = trbi_answer_view(model, data, w->n_active);
  ++*calls;
  const trb_status status = trbi_ask(w->ctx, name, model, w->queries, w->n_active, rows);
  return status == TRB_OK ? trbi_merge_ends(w->ctx, &w->r->ends, rows, NULL) : status;
}

static bool ends_sequence(const writer *w, int64_t id) {
  const trb_rollout_options *o = &w->behavior.options;
  for (int64_t i = 0; i < o->n_stop; i++)
    if (o->stop[i] == id) return true;
  for (int64_t i = 0; i < w->r->ends.n; i++)
    if (w->r->ends.student[i] == id) return true;
  return false;
}

/* Appends the token of row i to its sequence; returns why the sequence ends with it, or TRB_STOP_NONE. */
static int32_t append(writer *w, int64_t i) {
  const int64_t sequence = w->active[i];
  const trbi_token *token = &w->step.token[i];
  if (token->status < 0) {
    w->r->row[sequence] = token->status;
    return w->behavior.needs_student && isnan(w->step.entropy_student[i]) ? TRB_STOP_STUDENT : TRB_STOP_TEACHER;
  }
  w->r->text[w->r->text_offset[sequence] + length_of(w, sequence)] = token->id;
  trbi_rollouts_put(w->r, w->r->offset[sequence] + w->sampled[sequence], token);
  w->sampled[sequence]++;
  if (ends_sequence(w, token->id)) return TRB_STOP_TOKEN;
  return w->sampled[sequence] == w->room[sequence] ? TRB_STOP_LENGTH : TRB_STOP_NONE;
}

/* Appends all tokens, keeps the teacher's rows, and lets finished sequences out. */
static void take_tokens(writer *w, const trb_logits *teacher) {
  int64_t stay = 0;
  for (int64_t i = 0; i < w->n_active; i++) {
    const int64_t sequence = w->active[i], number = w->r->offset[sequence] + w->sampled[sequence];
    const int32_t stop = append(w, i);
    if (teacher != NULL && w->step.token[i].status >= 0) trbi_keep_row(w->r, number, teacher, i);
    w->r->stop[sequence] = stop;
    if (stop == TRB_STOP_NONE) w->active[stay++] = sequence;
  }
  w->n_active = stay;
}

static trb_status advance(writer *w) {
  trb_logits rows_student, rows_teacher, student, teacher;
  const trbi_behavior *b = &w->behavior;
  trb_status status = TRB_OK;
  prepare(w);
  if (b->needs_student)
    status = ask(w, "student", &w->student, w->logits_student, &w->r->shown.student_calls, &rows_student);
  if (status == TRB_OK && b->needs_teacher)
    status = ask(w, "teacher", &w->teacher, w->logits_teacher, &w->r->shown.teacher_calls, &rows_teacher);
  if (status != TRB_OK) return status;
  if (b->needs_student) student = trbi_common_view(rows_student, w->r->vocab);
  if (b->needs_teacher) teacher = trbi_common_view(rows_teacher, w->r->vocab);
  status =
      trbi_sample_step(w->ctx, b, b->needs_student ? &student : NULL, b->needs_teacher ? &teacher : NULL, &w->step);
  if (status != TRB_OK) return status;
  take_tokens(w, b->needs_teacher ? &rows_teacher : NULL);
  return trbi_tell(w->ctx, b->options.progress, b->options.progress_user, w->waiting - w->n_active, w->n);
}

/* ---- The call ---- */

/* Reads and checks everything, and takes all memory. */
static trb_status start(writer *w, const trb_model *student, const trb_model *teacher,
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
  status = take_memory(w);
  if (status == TRB_OK) status = measure_sequences(w);
  if (status == TRB_OK) status = trbi_step_new(w->ctx, &w->behavior, w->batch, common, &w->step);
  return status == TRB_OK ? make_rollouts(w, common) : status;
}

/* Names the first sequence that ended at a row without a distribution, if one did. */
static trb_status check_ended(const writer *w) {
  trbi_bad_row bad = {.model = NULL};
  for (int64_t i = w->n - 1; i >= 0; i--) {
    const int32_t stop = w->r->stop[i];
    if (stop == TRB_STOP_STUDENT || stop == TRB_STOP_TEACHER)
      bad = (trbi_bad_row){stop == TRB_STOP_STUDENT ? "student" : "teacher", i, length_of(w, i), w->r->row[i]};
  }
  return trbi_fail_bad_row(w->ctx, &bad);
}

static trb_status write_all(writer *w) {
  trb_status status = TRB_OK;
  while (status == TRB_OK && (w->n_active > 0 || w->waiting < w->n)) status = advance(w);
  trbi_rollouts_close(w->r, w->sampled);
  return status == TRB_OK ? check_ended(w) : status;
}

trb_status trb_rollout(trb_context *ctx, const trb_model *student, const trb_model *teacher, const trb_texts *prompts,
                       const trb_rollout_options *options, trb_rollouts **out) {
  const trbi_allocator memory = trbi_allocator_of(ctx);
  writer w = {.ctx = ctx, .prompts = prompts};
  if (out == NULL) return trbi_fail(ctx, TRB_EINVAL, "out: expected a pointer, got NULL");
  *out = NULL;
  trb_status status = start(&w, student, teacher, options);
  if (status == TRB_OK) status = write_all(&w);
  if (w.step.block != NULL) memory.free(w.step.block, memory.user);
  if (w.block != NULL) memory.free(w.block, memory.user);
  if (status == TRB_OK || status == TRB_EROWS || status == TRB_ECALLBACK)
    *out = &w.r->shown;
  else if (w.r != NULL)
    trb_rollouts_free(&w.r->shown);
  return status;
}
