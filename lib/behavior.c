/* behavior.c - the behaviors of a rollout, each as calls of the functions on logits. */
#include "behavior.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "pass.h"
#include "skd.h"

/* ---- Options ---- */

static trb_status unused(trb_context *ctx, const char *name, double value) {
  return trbi_fail(ctx, TRB_EINVAL, "options->%s: expected 0, since the behavior does not use it, got %g", name, value);
}

/* Numbers in their range, and 0 where nobody looks at them. */
static trb_status check_numbers(trb_context *ctx, const trb_rollout_options *o) {
  const bool tempered = o->behavior >= TRB_BEHAVIOR_STUDENT;
  if (o->behavior < TRB_BEHAVIOR_BUDGET || o->behavior > TRB_BEHAVIOR_SKD)
    return trbi_fail(ctx, TRB_EINVAL, "options->behavior: expected a TRB_BEHAVIOR_ number, got %" PRId32, o->behavior);
  if (o->behavior != TRB_BEHAVIOR_BUDGET && o->budget != 0.0) return unused(ctx, "budget", o->budget);
  if (o->behavior != TRB_BEHAVIOR_BETA && o->beta != 0.0) return unused(ctx, "beta", o->beta);
  if (!tempered && o->temperature != 0.0) return unused(ctx, "temperature", o->temperature);
  if (o->behavior != TRB_BEHAVIOR_SKD && o->top_k != 0) return unused(ctx, "top_k", (double)o->top_k);
  if (o->behavior != TRB_BEHAVIOR_BUDGET && o->solve != NULL)
    return trbi_fail(ctx, TRB_EINVAL, "options->solve: expected NULL, since the behavior has no budget, got options");
  if (tempered && o->block != 0) return unused(ctx, "block", (double)o->block);
  if (!(o->budget >= 0.0))
    return trbi_fail(ctx, TRB_EINVAL, "options->budget: expected a number >= 0, got %g", o->budget);
  if (!(o->beta >= 0.0 && o->beta <= 1.0))
    return trbi_fail(ctx, TRB_EINVAL, "options->beta: expected a number in [0, 1], got %g", o->beta);
  if (!(o->temperature >= 0.0 && o->temperature < INFINITY))
    return trbi_fail(ctx, TRB_EINVAL, "options->temperature: expected 0 or a positive number, got %g", o->temperature);
  if (o->behavior == TRB_BEHAVIOR_SKD && o->top_k < 1)
    return trbi_fail(ctx, TRB_EINVAL, "options->top_k: expected at least 1 for TRB_BEHAVIOR_SKD, got %" PRId64,
                     o->top_k);
  return TRB_OK;
}

/* Calls on no rows check the options of the solve and of the sampler before any model is asked. */
static trb_status check_inner(trb_context *ctx, const trbi_behavior *b) {
  const trb_logits none = {.vocab = 1, .stride = 1};
  const double no_budget = 0.0;
  trb_status status = trb_solve(ctx, &none, &none, &no_budget, 1, b->options.solve, NULL);
  if (status != TRB_OK) return trbi_fail_within(ctx, status, "options->solve");
  status = trb_sample(ctx, &none, NULL, NULL, b->options.sampler, NULL);
  if (status != TRB_OK) return trbi_fail_within(ctx, status, "options->sampler");
  if (b->sampler.index != NULL)
    return trbi_fail(ctx, TRB_EINVAL, "options->sampler->index: expected NULL, since positions are the rollout's");
  return TRB_OK;
}

trb_status trbi_read_behavior(trb_context *ctx, const trb_rollout_options *options, trbi_behavior *out) {
  const trb_rollout_options *o = &out->options;
  trb_status status = trbi_read_options(ctx, "options", options, &out->options, sizeof out->options,
                                        TRBI_SIZE_TO(trb_rollout_options, reserved));
  if (status == TRB_OK) status = check_numbers(ctx, o);
  if (status == TRB_OK)
    status = trbi_read_options(ctx, "options->sampler", o->sampler, &out->sampler, sizeof out->sampler,
                               TRBI_SIZE_TO(trb_sampler, purpose));
  if (status == TRB_OK) status = check_inner(ctx, out);
  out->sampler.size = sizeof out->sampler;
  const bool blends = o->budget > 0.0 || o->beta > 0.0 || o->behavior == TRB_BEHAVIOR_SKD;
  out->needs_teacher = blends || o->behavior == TRB_BEHAVIOR_TEACHER;
  out->needs_student = o->behavior != TRB_BEHAVIOR_TEACHER;
  return status;
}

trb_status trbi_step_new(trb_context *ctx, const trbi_behavior *behavior, int64_t rows, int64_t vocab, trbi_step *out) {
  const trbi_allocator memory = trbi_allocator_of(ctx);
  const trbi_array arrays[] = {
      {&out->stream, rows, sizeof *out->stream},
      {&out->index, rows, sizeof *out->index},
      {&out->token, rows, sizeof *out->token},
      {&out->blend, rows, sizeof *out->blend},
      {&out->plain, rows, sizeof *out->plain},
      {&out->draw, rows, sizeof *out->draw},
      {&out->entropy_student, rows, sizeof(double)},
      {&out->entropy_teacher, rows, sizeof(double)},
      {&out->replaced, rows, sizeof(double)},
      {&out->loss, rows, sizeof(double)},
      {&out->mixture, behavior->options.behavior == TRB_BEHAVIOR_SKD ? rows : 0, (size_t)vocab * sizeof(float)}};
  out->block = trbi_take_arrays(ctx, &memory, arrays, sizeof arrays / sizeof arrays[0]);
  return out->block != NULL ? TRB_OK : TRB_ENOMEM;
}

/* ---- One step ---- */

/* Bad rows are named in the result. */
static trb_status but_rows(trb_status status) {
  return status == TRB_EROWS ? TRB_OK : status;
}

/* The token and the numbers that every behavior has. */
static void start_token(const trbi_step *step, int64_t r, bool has_student, bool has_teacher) {
  trbi_token *t = &step->token[r];
  const trb_draw *draw = &step->draw[r];
  for (int c = 0; c < TRBI_COLUMNS; c++) t->number[c] = NAN;
  t->verdict = TRB_VERDICT_DRAWN;
  t->argmax_teacher = -1;
  t->id = draw->token;
  t->status = draw->status < 0 ? draw->status : TRB_ROW_GIVEN;
  t->number[TRBI_LOG_SAMPLED] = draw->log_sampled;
  t->number[TRBI_LOG_BEHAVIOR] = draw->log_behavior;
  if (has_student) t->number[TRBI_ENTROPY_STUDENT] = step->entropy_student[r];
  if (has_teacher) t->number[TRBI_ENTROPY_TEACHER] = step->entropy_teacher[r];
}

/* The blend within a budget, or at a weight. */
static trb_status sample_blend(trb_context *ctx, const trbi_behavior *b, const trb_logits *student,
                               const trb_logits *teacher, trbi_step *step) {
  const trb_rollout_options *o = &b->options;
  trb_status status = o->behavior == TRB_BEHAVIOR_BUDGET
                          ? trb_solve(ctx, student, teacher, &o->budget, 1, o->solve, step->blend)
                          : trb_blend_at(ctx, student, teacher, &o->beta, 1, step->blend);
  if (but_rows(status) == TRB_OK) status = trb_sample(ctx, student, teacher, step->blend, &b->sampler, step->draw);
  if (but_rows(status) != TRB_OK) return status;
  for (int64_t r = 0; r < student->rows; r++) {
    const trb_blend *blend = &step->blend[r];
    const trb_draw *draw = &step->draw[r];
    trbi_token *t = &step->token[r];
    start_token(step, r, true, true);
    if (draw->status >= 0) t->status = blend->status;
    t->number[TRBI_LOG_STUDENT] = draw->log_student;
    t->number[TRBI_LOG_TEACHER] = draw->log_teacher;
    t->number[TRBI_BETA] = blend->beta;
    t->number[TRBI_KL_STUDENT] = blend->kl_student;
    t->number[TRBI_KL_TEACHER] = blend->kl_teacher;
    t->number[TRBI_REVERSE_KL] = blend->reverse_kl;
  }
  return TRB_OK;
}

/* The same logits at another temperature: mu is then the blend at weight 1 of a distribution with its own power. The
 * least and the largest normal float stand for what is beyond. */
static trb_logits tempered(const trb_logits *view, double temperature) {
  trb_logits hot = *view;
  if (temperature != 0.0 && temperature != 1.0)
    hot.temperature = (float)fmin(fmax(trbi_temperature(view) * temperature, FLT_MIN), FLT_MAX);
  return hot;
}

/* One model alone. */
static trb_status sample_alone(trb_context *ctx, const trbi_behavior *b, const trb_logits *student,
                               const trb_logits *teacher, trbi_step *step) {
  const trb_logits *own = student != NULL ? student : teacher, hot = tempered(own, b->options.temperature);
  const bool same = hot.temperature == own->temperature;
  const trb_logits *other = same ? NULL : &hot;
  const double beta = same ? 0.0 : 1.0;
  trb_status status = trb_blend_at(ctx, own, other, &beta, 1, step->blend);
  if (but_rows(status) == TRB_OK) status = trb_sample(ctx, own, other, step->blend, &b->sampler, step->draw);
  if (but_rows(status) != TRB_OK) return status;
  for (int64_t r = 0; r < own->rows; r++) {
    trbi_token *t = &step->token[r];
    start_token(step, r, student != NULL, teacher != NULL);
    if (step->draw[r].status >= 0 && b->options.behavior == TRB_BEHAVIOR_BUDGET) t->status = TRB_ROW_STUDENT;
    t->number[student != NULL ? TRBI_LOG_STUDENT : TRBI_LOG_TEACHER] = step->draw[r].log_student;
    t->number[student != NULL ? TRBI_KL_STUDENT : TRBI_KL_TEACHER] = step->blend[r].kl_student;
    t->number[TRBI_BETA] = student != NULL ? 0.0 : 1.0;
  }
  return TRB_OK;
}

/* KL(mu||p) or KL(mu||q) of explicit rows of mu. */
static trb_status mixture_kl(trb_context *ctx, const trb_logits *mixture, const trb_logits *model, trbi_column column,
                             trbi_step *step) {
  const trb_status status = trb_reverse_kl(ctx, mixture, model, NULL, NULL, step->loss, NULL, NULL);
  if (but_rows(status) != TRB_OK) return status;
  for (int64_t r = 0; r < mixture->rows; r++) step->token[r].number[column] = step->loss[r];
  return TRB_OK;
}

static double log_probability(const trb_logits *view, int64_t row, int64_t token, double lse) {
  return token < 0 ? NAN : (double)trbi_load(view, row, token) / trbi_temperature(view) - lse;
}

static trb_status sample_skd(trb_context *ctx, const trbi_behavior *b, const trb_logits *student,
                             const trb_logits *teacher, trbi_step *step) {
  const trb_logits hot = tempered(teacher, b->options.temperature);
  const trb_logits mixture = {step->mixture, student->rows, student->vocab, student->vocab, TRB_F32, 0.0f};
  const double zero = 0.0;
  trb_status status = trbi_skd_rows(ctx, student, teacher, &hot, b->options.top_k, &mixture, step->replaced);
  if (status == TRB_OK) status = trb_blend_at(ctx, student, teacher, &zero, 1, step->plain);
  if (but_rows(status) == TRB_OK) status = trb_blend_at(ctx, &mixture, NULL, &zero, 1, step->blend);
  if (but_rows(status) == TRB_OK) status = trb_sample(ctx, &mixture, NULL, step->blend, &b->sampler, step->draw);
  if (but_rows(status) != TRB_OK) return status;
  for (int64_t r = 0; r < student->rows; r++) {
    trbi_token *t = &step->token[r];
    const trb_blend *plain = &step->plain[r];
    start_token(step, r, true, true);
    t->number[TRBI_LOG_STUDENT] = log_probability(student, r, t->id, plain->lse_student);
    t->number[TRBI_LOG_TEACHER] = log_probability(teacher, r, t->id, plain->lse_teacher);
    t->number[TRBI_BETA] = step->replaced[r];
    t->number[TRBI_REVERSE_KL] = plain->reverse_kl;
  }
  status = mixture_kl(ctx, &mixture, student, TRBI_KL_STUDENT, step);
  return status == TRB_OK ? mixture_kl(ctx, &mixture, teacher, TRBI_KL_TEACHER, step) : status;
}

int32_t trbi_fault_of(trb_context *ctx, const trb_logits *model, int64_t row) {
  const trbi_crew alone = {trbi_kernels_of(ctx), NULL, NULL};
  trbi_pair pair;
  return trbi_open_row(&pair, &alone, model, model, row);
}

/* Says what is wrong with the model that left a row without a token, the student if it is both. */
static void name_faults(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, trbi_step *step) {
  const int64_t rows = student != NULL ? student->rows : teacher->rows;
  for (int64_t r = 0; r < rows; r++) {
    if (step->token[r].id >= 0) continue;
    const trb_logits *model = student != NULL && isnan(step->entropy_student[r]) ? student : teacher;
    const int32_t fault = trbi_fault_of(ctx, model, r);
    if (fault < 0) step->token[r].status = fault;
  }
}

static trb_status sample(trb_context *ctx, const trbi_behavior *behavior, const trb_logits *student,
                         const trb_logits *teacher, trbi_step *step) {
  trbi_behavior b = *behavior;
  b.sampler.stream = step->stream;
  b.sampler.index = step->index;
  trb_status status = TRB_OK;
  if (student != NULL) status = but_rows(trb_entropy(ctx, student, step->entropy_student));
  if (status == TRB_OK && teacher != NULL) status = but_rows(trb_entropy(ctx, teacher, step->entropy_teacher));
  if (status != TRB_OK) return status;
  if (student == NULL || teacher == NULL)
    status = sample_alone(ctx, &b, student, teacher, step);
  else if (b.options.behavior == TRB_BEHAVIOR_SKD)
    status = sample_skd(ctx, &b, student, teacher, step);
  else
    status = sample_blend(ctx, &b, student, teacher, step);
  if (status == TRB_OK) name_faults(ctx, student, teacher, step);
  return status;
}

/* Rows without a result are part of a step that is well: what was said of them is taken back. */
trb_status trbi_sample_step(trb_context *ctx, const trbi_behavior *behavior, const trb_logits *student,
                            const trb_logits *teacher, trbi_step *step) {
  const trbi_text text = trbi_save_text(ctx);
  const trb_status status = sample(ctx, behavior, student, teacher, step);
  if (status == TRB_OK) trbi_restore_text(ctx, &text);
  return status;
}
