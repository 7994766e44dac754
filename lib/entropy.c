/* entropy.c - the entropy of one model's rows. */
#include <math.h>

#include "outline.h"
#include "tally.h"

typedef struct entropy_job {
  trbi_crew crew;
  const trb_logits *logits;
  double *out;
  trbi_tally tally;
} entropy_job;

static void entropy_row(void *data, int64_t row) {
  entropy_job *job = data;
  trbi_pair pair;
  trbi_summary summary;
  const int32_t bad = trbi_survey_row(&pair, &job->crew, job->logits, job->logits, row, &summary);
  job->out[row] = bad == 0 ? summary.entropy_student : NAN;
  if (bad != 0) trbi_tally_add(&job->tally, row, bad);
}

trb_status trb_entropy(trb_context *ctx, const trb_logits *logits, double *out) {
  const trb_status status = trbi_check_view(ctx, "logits", logits);
  if (status != TRB_OK) return status;
  if (out == NULL && logits->rows > 0) return trbi_fail(ctx, TRB_EINVAL, "out: expected room for the rows, got NULL");
  const trbi_span spans[] = {trbi_array_span("out", out, logits->rows, sizeof *out), trbi_view_span("logits", logits)};
  const trb_status apart = trbi_check_spans(ctx, spans, 2, 1);
  if (apart != TRB_OK) return apart;
  entropy_job job = {trbi_crew_of(ctx, logits->rows, logits->vocab), logits, out, {0}};
  return trbi_tally_rows(ctx, &job.crew, logits->rows, entropy_row, &job, &job.tally);
}
