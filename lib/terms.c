/* terms.c - terms of one sampled token, all with gradients coefficient * (1[j = y] - p_j): estimators of the reverse
 * KL, and the negative log-likelihood. */
#include <math.h>

#include "dmath.h"
#include "loss.h"
#include "outline.h"

typedef struct term_job {
  trbi_crew crew;
  const trb_logits *student, *teacher, *grad;
  const int64_t *token;
  const double *log_behavior, *weight;
  trb_term_options options;
  trb_term *out;
  trbi_tally tally;
} term_job;

/* ---- Estimators ---- */

/* -min(rho a, clip(rho) a), PPO's surrogate with the detached advantage a = u; clipped, it is constant. */
static void advantage(const trb_term_options *o, double u, trb_term *term) {
  double a = u, rho = term->ratio;
  if (o->advantage_limit > 0.0 && fabs(u) > o->advantage_limit) {
    a = u > 0.0 ? o->advantage_limit : -o->advantage_limit;
    term->clipped |= TRB_CLIPPED_ADVANTAGE;
  }
  if (o->ratio_low > 0.0) rho = fmax(rho, o->ratio_low);
  if (o->ratio_high > 0.0) rho = fmin(rho, o->ratio_high);
  if (rho * a < term->ratio * a) {
    term->clipped |= TRB_CLIPPED_RATIO;
    term->value = -rho * a;
    term->coefficient = 0.0;
  } else {
    term->value = term->coefficient = -term->ratio * a;
  }
}

static void estimate(const trb_term_options *o, trb_term *term) {
  const double u = term->log_teacher - term->log_student;
  switch (o->estimator) {
  case TRB_ESTIMATOR_K1:
    term->value = -u;
    term->coefficient = 1.0;
    break;
  case TRB_ESTIMATOR_K2:
    term->value = 0.5 * u * u;
    term->coefficient = -u;
    break;
  case TRB_ESTIMATOR_K3:
    term->value = trbi_expm1_excess(u);
    term->coefficient = fabs(u) > 0.25 ? 1.0 - trbi_exp(u) : -(term->value + u);
    break;
  case TRB_ESTIMATOR_NLL:
    term->value = -term->log_student;
    term->coefficient = -1.0;
    break;
  default:
    advantage(o, u, term);
  }
}

/* ---- One row ---- */

typedef struct gradient_task {
  const trb_logits *to;
  const trbi_pair *pair;
  double scale, own; /* what the token's own entry is */
  int64_t token;
} gradient_task;

/* scale * (1[j = y] - p_j). The token's own entry comes from double precision: 1 - p would cancel in floats. */
static void write_gradient_block(void *data, int64_t part, const trbi_block *block) {
  static const uint8_t nothing[TRBI_BLOCK] = {0};
  const gradient_task *task = data;
  const trbi_pair *pair = task->pair;
  float grad[TRBI_BLOCK];
  (void)part;
  pair->kernels->reverse_kl_gradient(block->s, block->t, nothing, block->padded, pair->scale_student,
                                     pair->scale_teacher, (trbi_gradient){0.0, 0.0, -1.0}, task->scale, grad);
  if (task->token >= block->begin && task->token < block->begin + block->tokens)
    grad[task->token - block->begin] = (float)task->own;
  pair->kernels->store(grad, trbi_element(task->to, pair->row, block->begin), task->to->dtype, block->tokens);
}

static void write_gradient(const trb_logits *to, const trbi_pair *pair, double scale, int64_t token, double log_p) {
  gradient_task task = {to, pair, scale, scale * (1.0 - trbi_exp(log_p)), token};
  trbi_each_block(pair, write_gradient_block, &task);
  if (pair->vocab < to->vocab) trbi_zero_row(to, pair->row, pair->vocab);
}

static int32_t term_row_of(const term_job *job, int64_t row, trbi_pair *pair, trb_term *term) {
  trbi_summary summary;
  const int64_t token = job->token[row];
  const bool lone = job->teacher == NULL;
  const int32_t bad =
      trbi_survey_row(pair, &job->crew, job->student, lone ? job->student : job->teacher, row, &summary);
  if (bad != 0) return bad;
  term->log_student = TRBI_LN2 * trbi_log2_probability(job->student, row, pair->scale_student, token);
  term->log_teacher = lone ? NAN : TRBI_LN2 * trbi_log2_probability(job->teacher, row, pair->scale_teacher, token);
  const bool compared = job->options.estimator != TRB_ESTIMATOR_NLL;
  if (term->log_student == -INFINITY || (compared && term->log_teacher == -INFINITY)) return TRB_ROW_INFINITE;
  term->ratio = job->log_behavior != NULL ? trbi_exp(term->log_student - job->log_behavior[row]) : 1.0;
  estimate(&job->options, term);
  return isfinite(term->value) && isfinite(term->coefficient) ? TRB_ROW_OK : TRB_ROW_INFINITE;
}

static void term_row(void *data, int64_t row) {
  term_job *job = data;
  const double weight = job->weight != NULL ? job->weight[row] : 1.0;
  trbi_pair pair;
  trb_term term = {.status = TRB_ROW_OK};
  const int32_t status = weight != 0.0 ? term_row_of(job, row, &pair, &term) : TRB_ROW_SKIPPED;
  if (status < 0) {
    term = (trb_term){NAN, NAN, NAN, NAN, NAN, 0, 0};
    trbi_tally_add(&job->tally, row, status);
  }
  term.status = status;
  if (job->grad != NULL) {
    const double scale = weight * term.coefficient / trbi_temperature(job->student);
    if (status == TRB_ROW_OK)
      write_gradient(job->grad, &pair, scale, job->token[row], term.log_student);
    else
      trbi_zero_row(job->grad, row, 0);
  }
  job->out[row] = term;
}

/* ---- Arguments ---- */

static trb_status check_clips(trb_context *ctx, const trb_term_options *o, const double *log_behavior) {
  if (o->estimator < TRB_ESTIMATOR_ADVANTAGE || o->estimator > TRB_ESTIMATOR_NLL)
    return trbi_fail(ctx, TRB_EINVAL, "options->estimator: expected a TRB_ESTIMATOR_ number, got %" PRId32,
                     o->estimator);
  if (o->reserved != 0) return trbi_fail(ctx, TRB_EINVAL, "options->reserved: expected 0, got %" PRId32, o->reserved);
  if (!(o->ratio_low >= 0.0 && o->ratio_low <= 1.0))
    return trbi_fail(ctx, TRB_EINVAL, "options->ratio_low: expected 0 or a number in (0, 1], got %g", o->ratio_low);
  if (!(o->ratio_high == 0.0 || (o->ratio_high >= 1.0 && o->ratio_high < INFINITY)))
    return trbi_fail(ctx, TRB_EINVAL, "options->ratio_high: expected 0 or a number from 1 on, got %g", o->ratio_high);
  if (!(o->advantage_limit >= 0.0 && o->advantage_limit < INFINITY))
    return trbi_fail(ctx, TRB_EINVAL, "options->advantage_limit: expected 0 or a positive number, got %g",
                     o->advantage_limit);
  if (o->estimator == TRB_ESTIMATOR_ADVANTAGE) return TRB_OK;
  if (o->ratio_low != 0.0 || o->ratio_high != 0.0 || o->advantage_limit != 0.0)
    return trbi_fail(ctx, TRB_EINVAL, "options: expected clips of 0 but for TRB_ESTIMATOR_ADVANTAGE, got %g, %g and %g",
                     o->ratio_low, o->ratio_high, o->advantage_limit);
  if (log_behavior != NULL)
    return trbi_fail(ctx, TRB_EINVAL, "log_behavior: expected NULL but for TRB_ESTIMATOR_ADVANTAGE, got a list");
  return TRB_OK;
}

static trb_status check_tokens(trb_context *ctx, const term_job *job) {
  const trb_logits *s = job->student;
  const int64_t vocab = trbi_common_vocab(s, job->teacher != NULL ? job->teacher : s);
  if (s->rows > 0 && job->token == NULL) return trbi_fail(ctx, TRB_EINVAL, "token: expected one id per row, got NULL");
  if (s->rows > 0 && job->out == NULL) return trbi_fail(ctx, TRB_EINVAL, "out: expected room for the rows, got NULL");
  for (int64_t r = 0; r < s->rows; r++)
    if (job->token[r] < 0 || job->token[r] >= vocab)
      return trbi_fail(ctx, TRB_EINVAL, "token[%" PRId64 "]: expected 0 to %" PRId64 ", got %" PRId64, r, vocab - 1,
                       job->token[r]);
  for (int64_t r = 0; job->log_behavior != NULL && r < s->rows; r++)
    if (!(job->log_behavior[r] > -INFINITY && job->log_behavior[r] <= 1e-3))
      return trbi_fail(ctx, TRB_EINVAL, "log_behavior[%" PRId64 "]: expected a finite number up to 0, got %g", r,
                       job->log_behavior[r]);
  return trbi_check_weights(ctx, job->weight, s->rows);
}

static trb_status check_memory(trb_context *ctx, const term_job *job) {
  const int64_t rows = job->student->rows;
  if (job->grad != NULL) {
    const trb_status status =
        trbi_check_output(ctx, "grad", job->grad, job->student->vocab, job->student, job->teacher);
    if (status != TRB_OK) return status;
  }
  const trbi_span empty = {"grad", NULL, 0};
  const trbi_span inputs[] = {trbi_array_span("out", job->out, rows, sizeof *job->out),
                              job->grad != NULL ? trbi_view_span("grad", job->grad) : empty,
                              trbi_array_span("token", job->token, rows, sizeof *job->token),
                              trbi_array_span("log_behavior", job->log_behavior, rows, sizeof *job->log_behavior),
                              trbi_array_span("weight", job->weight, rows, sizeof *job->weight)};
  const trbi_span models[] = {inputs[0], trbi_view_span("student", job->student),
                              job->teacher != NULL ? trbi_view_span("teacher", job->teacher) : empty};
  const trb_status status = trbi_check_spans(ctx, inputs, 5, 2);
  return status != TRB_OK ? status : trbi_check_spans(ctx, models, 3, 1);
}

trb_status trb_token_terms(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const int64_t *token,
                           const double *log_behavior, const double *weight, const trb_term_options *options,
                           trb_term *out, const trb_logits *grad) {
  term_job job = {.student = student, .teacher = teacher, .grad = grad, .token = token, .log_behavior = log_behavior};
  job.weight = weight;
  job.out = out;
  trb_status status = trbi_read_options(ctx, "options", options, &job.options, sizeof job.options,
                                        TRBI_SIZE_TO(trb_term_options, reserved));
  if (status == TRB_OK) status = check_clips(ctx, &job.options, log_behavior);
  if (status == TRB_OK) status = trbi_check_models(ctx, student, teacher, job.options.estimator == TRB_ESTIMATOR_NLL);
  if (status == TRB_OK) status = check_tokens(ctx, &job);
  if (status == TRB_OK) status = check_memory(ctx, &job);
  if (status != TRB_OK) return status;
  job.crew = trbi_crew_of(ctx, student->rows, student->vocab);
  return trbi_tally_rows(ctx, &job.crew, student->rows, term_row, &job, &job.tally);
}
