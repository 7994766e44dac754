/* sample.c - one token per row from the behavior. */
#include <math.h>

#include "blend.h"
#include "draw.h"
#include "tally.h"

typedef struct sample_job {
  trbi_crew crew;
  const trb_logits *student, *teacher;
  const trb_blend *blend;
  trb_sampler sampler;
  trb_draw *out;
  trbi_tally tally;
} sample_job;

static void sample_row(void *data, int64_t row) {
  sample_job *job = data;
  trb_draw draw = {.status = TRB_ROW_OK};
  const int32_t status =
      trbi_draw_row(&job->crew, job->student, job->teacher, &job->blend[row], &job->sampler, row, &draw);
  if (status < 0) {
    draw = trbi_no_draw(status);
    trbi_tally_add(&job->tally, row, status);
  }
  job->out[row] = draw;
}

trb_status trb_sample(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const trb_blend *blend,
                      const trb_sampler *sampler, trb_draw *out) {
  sample_job job = {.student = student, .teacher = teacher, .blend = blend, .out = out};
  trb_status status = trbi_check_blends(ctx, student, teacher, blend);
  for (int64_t r = 0; status == TRB_OK && r < student->rows; r++) status = trbi_check_masses(ctx, &blend[r], r);
  if (status == TRB_OK) status = trbi_read_sampler(ctx, "sampler", sampler, student->rows, &job.sampler);
  if (status != TRB_OK) return status;
  const int64_t rows = student->rows;
  if (out == NULL && rows > 0) return trbi_fail(ctx, TRB_EINVAL, "out: expected room for the rows, got NULL");
  const trbi_span spans[] = {trbi_array_span("out", out, rows, sizeof *out),
                             trbi_view_span("student", student),
                             trbi_view_span("teacher", teacher != NULL ? teacher : student),
                             trbi_array_span("blend", blend, rows, sizeof *blend),
                             trbi_array_span("sampler->stream", job.sampler.stream, rows, sizeof(uint64_t)),
                             trbi_array_span("sampler->index", job.sampler.index, rows, sizeof(int64_t))};
  status = trbi_check_spans(ctx, spans, 6, 1);
  if (status != TRB_OK) return status;
  job.crew = trbi_crew_of(ctx, rows, 0); /* a draw reads little of a row */
  return trbi_tally_rows(ctx, &job.crew, rows, sample_row, &job, &job.tally);
}
