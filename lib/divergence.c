/* divergence.c - forward KL and Jensen-Shannon divergence over the full vocabulary. */
#include <math.h>

#include "loss.h"

/* KL(q||p), or KL(p||m) and KL(q||m). */
typedef struct sum_task {
  const trbi_pair *pair;
  double b;
  double of_student[TRBI_PARTS], of_teacher[TRBI_PARTS];
} sum_task;

static void forward_block(void *data, int64_t part, const trbi_block *block) {
  sum_task *task = data;
  const trbi_pair *pair = task->pair;
  task->of_teacher[part] +=
      pair->kernels->forward_kl(block->s, block->t, block->padded, pair->scale_student, pair->scale_teacher);
}

static int32_t measure_forward(const trbi_loss_state *state, double *loss) {
  sum_task task = {.pair = &state->pair};
  if (state->summary.teacher_only > 0.0) return TRB_ROW_INFINITE;
  trbi_each_block(task.pair, forward_block, &task);
  for (int64_t i = 0; i < trbi_parts(task.pair); i++) *loss += task.of_teacher[i];
  return TRB_ROW_OK;
}

static void forward_gradient(const trbi_loss_job *job, const trbi_loss_state *state, const trbi_block *block,
                             double scale, float *grad) {
  job->crew.kernels->forward_kl_gradient(block->s, block->t, block->padded, state->pair.scale_student,
                                         state->pair.scale_teacher, scale, grad);
}

static void jsd_block(void *data, int64_t part, const trbi_block *block) {
  sum_task *task = data;
  const trbi_pair *pair = task->pair;
  double of_p, of_q;
  pair->kernels->jsd(block->s, block->t, block->padded, pair->scale_student, pair->scale_teacher, task->b, &of_p,
                     &of_q);
  task->of_student[part] += of_p;
  task->of_teacher[part] += of_q;
}

static int32_t measure_jsd(trbi_loss_state *state, double b, double *loss) {
  sum_task task = {.pair = &state->pair, .b = b};
  double kl_student = 0.0, kl_teacher = 0.0;
  trbi_each_block(task.pair, jsd_block, &task);
  for (int64_t i = 0; i < trbi_parts(task.pair); i++) {
    kl_student += task.of_student[i];
    kl_teacher += task.of_teacher[i];
  }
  state->kl_student = kl_student;
  *loss = b * kl_teacher + (1.0 - b) * kl_student;
  return TRB_ROW_OK;
}

static void jsd_gradient(const trbi_loss_job *job, const trbi_loss_state *state, const trbi_block *block, double scale,
                         float *grad) {
  const trb_divergence_options *o = job->options;
  job->crew.kernels->jsd_gradient(block->s, block->t, block->padded, state->pair.scale_student,
                                  state->pair.scale_teacher, o->b, state->kl_student, scale * (1.0 - o->b), grad);
}

/* The support is the vocabulary: its masses are 1, its size what the student allows. */
static int32_t measure(const trbi_loss_job *job, trbi_loss_state *state, trb_loss_row *row, double *loss) {
  const trb_divergence_options *o = job->options;
  row->mass_student = row->mass_teacher = 1.0;
  row->support = state->summary.tokens_student;
  return o->kind == TRB_DIVERGENCE_JSD ? measure_jsd(state, o->b, loss) : measure_forward(state, loss);
}

trb_status trb_divergence(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const double *weight,
                          const trb_divergence_options *options, double *loss, const trb_logits *grad,
                          trb_loss_row *rows) {
  trb_divergence_options known;
  trb_status status =
      trbi_read_options(ctx, "options", options, &known, sizeof known, TRBI_SIZE_TO(trb_divergence_options, reserved));
  if (status != TRB_OK) return status;
  const bool is_jsd = known.kind == TRB_DIVERGENCE_JSD;
  if (!is_jsd && known.kind != TRB_DIVERGENCE_FORWARD_KL)
    return trbi_fail(ctx, TRB_EINVAL, "options->kind: expected a TRB_DIVERGENCE_ number, got %" PRId32, known.kind);
  if (is_jsd && known.b == 0.0) known.b = 0.5;
  if (is_jsd ? !(known.b > 0.0 && known.b < 1.0) : known.b != 0.0)
    return trbi_fail(ctx, TRB_EINVAL, "options->b: expected %s, got %g",
                     is_jsd ? "a number in (0, 1), or 0 for 0.5" : "0 for the forward KL", known.b);
  if (known.reserved != 0)
    return trbi_fail(ctx, TRB_EINVAL, "options->reserved: expected 0, got %" PRId32, known.reserved);
  trbi_loss_job job = {.student = student, .teacher = teacher, .grad = grad, .weight = weight, .loss = loss};
  job.rows = rows;
  job.options = &known;
  job.measure = measure;
  job.gradient = is_jsd ? jsd_gradient : forward_gradient;
  return trbi_run_loss(ctx, &job, NULL, 0);
}
