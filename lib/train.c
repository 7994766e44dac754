/* train.c - loss and gradient of a batch of rollouts, micro-batch by micro-batch. */
#include "train.h"

#include <math.h>
#include <string.h>

#include "loss.h"

/* Sequences without a token that counts are left out. */
static int64_t first_row(const void *of, const trbi_batch *batch, int64_t sequence) {
  const trbi_trainer *t = of;
  (void)batch;
  for (int64_t k = t->r->offset[sequence]; k < t->r->offset[sequence + 1]; k++)
    if (t->weight[k] != 0.0) return 0;
  return trbi_sampled(t->r, sequence);
}

static trb_status take_memory(trbi_trainer *t) {
  const trbi_allocator memory = trbi_allocator_of(t->ctx);
  const trbi_train_room room = trbi_measure_room(t);
  const int64_t tokens = t->r->shown.n_tokens, sequences = t->r->shown.n;
  const int64_t rows =
      trbi_limit_batch(t->r, &t->batch, t->options.batch_bytes, room.student + room.teacher + room.grad + room.target);
  const trbi_array arrays[] = {{&t->weight, tokens, sizeof *t->weight},
                               {&t->loss, tokens, sizeof *t->loss},
                               {&t->rows, tokens, sizeof *t->rows},
                               {&t->batch.queries, sequences, sizeof(trb_query)},
                               {&t->asked, sequences, sizeof(trb_query)},
                               {&t->terms, rows, sizeof *t->terms},
                               {&t->blend, rows, sizeof *t->blend},
                               {&t->before, rows, 2 * sizeof(float) * (size_t)t->r->ends.n},
                               {&t->logits_student, rows, (size_t)room.student},
                               {&t->logits_teacher, rows, (size_t)room.teacher},
                               {&t->grad, rows, (size_t)room.grad},
                               {&t->target, rows, (size_t)room.target}};
  t->block = trbi_take_arrays(t->ctx, &memory, arrays, sizeof arrays / sizeof arrays[0]);
  return t->block != NULL ? TRB_OK : TRB_ENOMEM;
}

static trb_status train_all(trbi_trainer *t) {
  trb_status status = TRB_OK;
  trbi_normalize_weights(t);
  for (int64_t k = 0; k < t->r->shown.n_tokens; k++) { /* of sequences that are left out */
    t->loss[k] = 0.0;
    t->rows[k] = trbi_no_loss_row(TRB_ROW_SKIPPED);
  }
  while (status == TRB_OK && trbi_next_batch(t->r, &t->batch, first_row, t, true)) {
    t->report.micro_batches++;
    status = trbi_train_batch(t);
    if (status == TRB_OK)
      status = trbi_tell(t->ctx, t->options.progress, t->options.progress_user, t->batch.end, t->r->shown.n);
  }
  return status == TRB_OK ? trbi_fail_bad_row(t->ctx, &t->bad) : status;
}

/* Sums become means over the tokens with a result; NaN if there are none. */
static void finish_report(trbi_trainer *t) {
  trb_train_report *report = &t->report;
  double *sums[] = {&report->entropy_student, &report->entropy_teacher, &report->mass_student, &report->mass_teacher,
                    &report->agreement};
  const double n = (double)(report->tokens - report->bad), routed = (double)report->routed;
  for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) *sums[i] /= n - routed;
  report->loss /= n;
  report->routed_loss /= routed;
  if (t->options.objective == TRB_OBJECTIVE_TOKEN) report->agreement = NAN;
}

/* Everything the caller wants to know. */
static void hand_out(trbi_trainer *t, double *loss, trb_loss_row *rows, trb_train_report *out) {
  const size_t n = (size_t)t->r->shown.n_tokens;
  finish_report(t);
  if (loss != NULL) memcpy(loss, t->loss, n * sizeof *loss);
  if (rows != NULL) memcpy(rows, t->rows, n * sizeof *rows);
  if (out != NULL) trbi_fill_record(out, &t->report, sizeof t->report);
}

static trb_status check_outputs(trbi_trainer *t, const trb_loss_row *rows, const trb_train_report *out) {
  if (rows != NULL && t->options.objective == TRB_OBJECTIVE_TOKEN)
    return trbi_fail(t->ctx, TRB_EINVAL, "rows: expected NULL for TRB_OBJECTIVE_TOKEN, got an array");
  if (out == NULL) return TRB_OK;
  return trbi_check_record(t->ctx, "out", out, TRBI_SIZE_TO(trb_train_report, routed_loss));
}

trb_status trb_train_step(trb_context *ctx, const trb_model *student, const trb_model *teacher,
                          const trb_rollouts *rollouts, const trb_train_options *options, double *loss,
                          trb_loss_row *rows, trb_train_report *out) {
  trbi_trainer t = {.ctx = ctx, .r = (const trbi_rollouts *)rollouts};
  if (rollouts == NULL) return trbi_fail(ctx, TRB_EINVAL, "rollouts: expected rollouts, got NULL");
  trb_status status = trbi_read_training(&t, student, teacher, options);
  if (status == TRB_OK) status = check_outputs(&t, rows, out);
  if (status == TRB_OK) status = take_memory(&t);
  if (status != TRB_OK) return status;
  status = train_all(&t);
  if (status == TRB_OK || status == TRB_EROWS) hand_out(&t, loss, rows, out);
  const trbi_allocator memory = trbi_allocator_of(ctx);
  memory.free(t.block, memory.user);
  return status;
}
