/* sparse_blend.c - trb_solve and trb_sample where the teacher is known by lists. */
#include <math.h>

#include "blend.h"
#include "dmath.h"
#include "draw.h"
#include "solve.h"
#include "tally.h"

static trb_status check_rows(trb_context *ctx, const trb_logits *student, const trb_sparse *teacher) {
  const trb_status status = trbi_check_view(ctx, "student", student);
  return status == TRB_OK ? trbi_check_sparse(ctx, teacher, student->rows, student->vocab) : status;
}

/* ---- The solve ---- */

typedef struct solve_job {
  trbi_solver solver;
  const trb_sparse *teacher;
  trb_sparse_blend *out;
  trbi_tally tally;
} solve_job;

static void solve_row(void *data, int64_t row) {
  solve_job *job = data;
  trbi_listed list;
  trb_sparse_blend out = {.log_rest_student = NAN, .log_rest_teacher = NAN, .max_student = NAN, .log2_norm = NAN};
  const int32_t bad = trbi_solve_listed(&job->solver, job->teacher, row, &out.blend, &list, &out.log2_z);
  if (bad == 0) {
    out.log_rest_student = TRBI_LN2 * list.rest_student;
    out.log_rest_teacher = TRBI_LN2 * list.rest_teacher;
    out.max_student = list.scale.max;
    out.log2_norm = list.scale.norm;
    out.log2_excess = list.excess;
  } else {
    out.log2_excess = out.log2_z = NAN;
    trbi_tally_add(&job->tally, row, bad);
  }
  job->out[row] = out;
}

trb_status trb_solve_sparse(trb_context *ctx, const trb_logits *student, const trb_sparse *teacher,
                            const double *budget, int64_t n_budget, const trb_solve_options *options,
                            trb_sparse_blend *out) {
  solve_job job = {.teacher = teacher, .out = out};
  trb_status status = trbi_read_solver(ctx, student, student, "budget", budget, n_budget, false, options, &job.solver);
  if (status == TRB_OK) status = check_rows(ctx, student, teacher);
  if (status != TRB_OK) return status;
  const int64_t rows = student->rows;
  if (out == NULL && rows > 0) return trbi_fail(ctx, TRB_EINVAL, "out: expected room for the rows, got NULL");
  trbi_span spans[3 + TRBI_SPARSE_SPANS] = {trbi_array_span("out", out, rows, sizeof *out),
                                            trbi_array_span("budget", budget, n_budget, sizeof *budget),
                                            trbi_view_span("student", student)};
  trbi_name_sparse(rows, teacher, spans + 3);
  status = trbi_check_spans(ctx, spans, 3 + TRBI_SPARSE_SPANS, 1);
  if (status != TRB_OK) return status;
  job.solver.exact = true;
  return trbi_tally_rows(ctx, &job.solver.crew, rows, solve_row, &job, &job.tally);
}

/* ---- The draw ---- */

typedef struct sample_job {
  trbi_crew crew;
  const trb_logits *student;
  const trb_sparse *teacher;
  const trb_sparse_blend *blend;
  trb_sampler sampler;
  trb_draw *out;
  trbi_tally tally;
} sample_job;

static void sample_row(void *data, int64_t row) {
  sample_job *job = data;
  trb_draw draw = {.status = TRB_ROW_OK};
  const int32_t status =
      trbi_draw_listed(&job->crew, job->student, job->teacher, &job->blend[row], &job->sampler, row, &draw);
  if (status < 0) {
    draw = trbi_no_draw(status);
    trbi_tally_add(&job->tally, row, status);
  }
  job->out[row] = draw;
}

static trb_status check_blends(trb_context *ctx, const trb_sparse_blend *blend, int64_t rows) {
  trb_status status = TRB_OK;
  if (blend == NULL && rows > 0) return trbi_fail(ctx, TRB_EINVAL, "blend: expected one per row, got NULL");
  for (int64_t r = 0; r < rows && status == TRB_OK; r++) {
    const trb_blend *one = &blend[r].blend;
    if (one->status >= 0 && (one->beta < 0.0 || one->beta > 1.0))
      return trbi_fail(ctx, TRB_EINVAL, "blend[%" PRId64 "].blend.beta: expected a number in [0, 1], got %g", r,
                       one->beta);
    status = trbi_check_masses(ctx, one, r);
  }
  return status;
}

trb_status trb_sample_sparse(trb_context *ctx, const trb_logits *student, const trb_sparse *teacher,
                             const trb_sparse_blend *blend, const trb_sampler *sampler, trb_draw *out) {
  sample_job job = {.student = student, .teacher = teacher, .blend = blend, .out = out};
  trb_status status = check_rows(ctx, student, teacher);
  if (status == TRB_OK) status = check_blends(ctx, blend, student->rows);
  if (status == TRB_OK) status = trbi_read_sampler(ctx, "sampler", sampler, student->rows, &job.sampler);
  if (status != TRB_OK) return status;
  const int64_t rows = student->rows;
  if (out == NULL && rows > 0) return trbi_fail(ctx, TRB_EINVAL, "out: expected room for the rows, got NULL");
  trbi_span spans[5 + TRBI_SPARSE_SPANS] = {
      trbi_array_span("out", out, rows, sizeof *out), trbi_view_span("student", student),
      trbi_array_span("blend", blend, rows, sizeof *blend),
      trbi_array_span("sampler->stream", job.sampler.stream, rows, sizeof(uint64_t)),
      trbi_array_span("sampler->index", job.sampler.index, rows, sizeof(int64_t))};
  trbi_name_sparse(rows, teacher, spans + 5);
  status = trbi_check_spans(ctx, spans, 5 + TRBI_SPARSE_SPANS, 1);
  if (status != TRB_OK) return status;
  job.crew = trbi_crew_of(ctx, rows, 0);
  return trbi_tally_rows(ctx, &job.crew, rows, sample_row, &job, &job.tally);
}
