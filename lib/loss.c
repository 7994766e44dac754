/* loss.c - the loop over rows of every loss. */
#include "loss.h"

#include <math.h>
#include <string.h>

#include "outline.h"

trb_status trbi_check_weights(trb_context *ctx, const double *weight, int64_t rows) {
  for (int64_t r = 0; weight != NULL && r < rows; r++)
    if (!isfinite(weight[r]))
      return trbi_fail(ctx, TRB_EINVAL, "weight[%" PRId64 "]: expected a finite number, got %g", r, weight[r]);
  return TRB_OK;
}

/* Zero has the same bits in every dtype. */
void trbi_zero_row(const trb_logits *grad, int64_t row, int64_t from) {
  if (grad == NULL) return;
  memset(trbi_element(grad, row, from), 0, (size_t)((grad->vocab - from) * trbi_element_bytes(grad->dtype)));
}

void trbi_describe_row(const trbi_loss_job *job, const trbi_pair *pair, const trbi_summary *summary,
                       trb_loss_row *record) {
  record->entropy_student = summary->entropy_student;
  record->entropy_teacher = summary->entropy_teacher;
  if (job->rows == NULL) return; /* the other two look through a block each */
  record->argmax_student = trbi_argmax_student(pair);
  record->argmax_teacher = trbi_argmax_teacher(pair);
}

typedef struct gradient_task {
  const trbi_loss_job *job;
  const trbi_loss_state *state;
  double scale;
} gradient_task;

static void write_gradient_block(void *data, int64_t part, const trbi_block *block) {
  const gradient_task *task = data;
  const trb_logits *to = task->job->grad;
  float grad[TRBI_BLOCK];
  (void)part;
  task->job->gradient(task->job, task->state, block, task->scale, grad);
  task->job->crew.kernels->store(grad, trbi_element(to, task->state->pair.row, block->begin), to->dtype, block->tokens);
}

static void write_gradient(const trbi_loss_job *job, const trbi_loss_state *state, double weight) {
  const trbi_pair *pair = &state->pair;
  gradient_task task = {job, state, weight / trbi_temperature(job->student)};
  trbi_each_block(pair, write_gradient_block, &task);
  if (pair->vocab < job->grad->vocab) trbi_zero_row(job->grad, pair->row, pair->vocab);
}

static int32_t survey_row(const trbi_loss_job *job, int64_t row, trbi_loss_state *state, trb_loss_row *record) {
  if (job->survey != NULL) return job->survey(job, row, state, record);
  const int32_t bad = trbi_survey_row(&state->pair, &job->crew, job->student, job->teacher, row, &state->summary);
  if (bad == 0) trbi_describe_row(job, &state->pair, &state->summary, record);
  return bad;
}

/* Surveys and measures; the record of a good row. */
static int32_t measure_row(const trbi_loss_job *job, int64_t row, trbi_loss_state *state, trb_loss_row *record,
                           double *loss) {
  const int32_t bad = survey_row(job, row, state, record);
  return bad == 0 ? job->measure(job, state, record, loss) : bad;
}

static void loss_row(void *data, int64_t row) {
  trbi_loss_job *job = data;
  const double weight = job->weight != NULL ? job->weight[row] : 1.0;
  trbi_loss_state state = {.kl_student = 0.0};
  trb_loss_row record = {.overlap = -1};
  double loss = 0.0;
  int32_t status = weight == 0.0 ? TRB_ROW_SKIPPED : TRBI_NO_OUTLINE;
  if (job->lean != NULL && weight != 0.0) status = job->lean(job, row, weight, &record, &loss);
  const bool written = status == TRB_ROW_OK;
  if (status == TRBI_NO_OUTLINE) status = measure_row(job, row, &state, &record, &loss);
  if (status != TRB_ROW_OK) record = trbi_no_loss_row(status);
  record.status = status;
  if (status < 0) {
    loss = status == TRB_ROW_INFINITE ? INFINITY : NAN;
    trbi_tally_add(&job->tally, row, status);
  }
  if (job->grad != NULL && !written) {
    if (status == TRB_ROW_OK)
      write_gradient(job, &state, weight);
    else
      trbi_zero_row(job->grad, row, 0);
  }
  if (job->loss != NULL) job->loss[row] = loss;
  if (job->rows != NULL) job->rows[row] = record;
}

static trb_status check_loss(trb_context *ctx, const trbi_loss_job *job, const trbi_span *lists, int n_lists) {
  trb_status status = trbi_check_models(ctx, job->student, job->teacher, false);
  if (status == TRB_OK) status = trbi_check_weights(ctx, job->weight, job->student->rows);
  if (status != TRB_OK) return status;
  const int64_t rows = job->student->rows;
  if (job->loss == NULL && job->grad == NULL && job->rows == NULL)
    return trbi_fail(ctx, TRB_EINVAL, "loss, grad, rows: expected at least one output, got NULL for all");
  enum { WRITTEN = 3, OWN = 4, MODELS = 2 };
  trbi_span spans[OWN + TRBI_LOSS_LISTS + MODELS] = {
      trbi_array_span("loss", job->loss, rows, sizeof *job->loss),
      trbi_array_span("rows", job->rows, rows, sizeof *job->rows),
      trbi_array_span("grad", NULL, 0, 0),
      trbi_array_span("weight", job->weight, rows, sizeof *job->weight),
  };
  for (int i = 0; i < n_lists; i++) spans[OWN + i] = lists[i];
  spans[OWN + n_lists] = trbi_view_span("student", job->student);
  spans[OWN + n_lists + 1] = trbi_view_span("teacher", job->teacher);
  if (job->grad != NULL) {
    status = trbi_check_output(ctx, "grad", job->grad, job->student->vocab, job->student, job->teacher);
    if (status != TRB_OK) return status;
    spans[2] = trbi_view_span("grad", job->grad);
  }
  status = trbi_check_spans(ctx, spans, OWN + n_lists, WRITTEN); /* without the models: grad may be one of them */
  if (status != TRB_OK) return status;
  spans[2].bytes = 0;
  return trbi_check_spans(ctx, spans, OWN + n_lists + MODELS, WRITTEN);
}

trb_status trbi_run_loss(trb_context *ctx, trbi_loss_job *job, const trbi_span *lists, int n_lists) {
  const trb_status status = check_loss(ctx, job, lists, n_lists);
  if (status != TRB_OK) return status;
  job->crew = trbi_crew_of(ctx, job->student->rows, trbi_common_vocab(job->student, job->teacher));
  return trbi_tally_rows(ctx, &job->crew, job->student->rows, loss_row, job, &job->tally);
}
