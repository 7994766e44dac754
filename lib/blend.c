/* blend.c - what the functions that read blends share, and the log-probabilities of the behavior. */
#include "blend.h"

#include <math.h>
#include <string.h>

#include "dmath.h"
#include "tally.h"

trb_status trbi_check_blends(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                             const trb_blend *blend) {
  trb_status status = trbi_check_models(ctx, student, teacher, true);
  if (status != TRB_OK) return status;
  if (blend == NULL && student->rows > 0) return trbi_fail(ctx, TRB_EINVAL, "blend: expected one per row, got NULL");
  for (int64_t r = 0; r < student->rows; r++) {
    const double beta = blend[r].beta;
    if (blend[r].status < 0 || beta != beta) continue; /* named row by row */
    if (!(beta >= 0.0 && beta <= 1.0))
      return trbi_fail(ctx, TRB_EINVAL, "blend[%" PRId64 "].beta: expected a number in [0, 1], got %g", r, beta);
    if (teacher == NULL && beta > 0.0)
      return trbi_fail(ctx, TRB_EINVAL, "teacher: expected logits, since blend[%" PRId64 "].beta is %g, got NULL", r,
                       beta);
  }
  return TRB_OK;
}

trb_status trbi_check_masses(trb_context *ctx, const trb_blend *blend, int64_t row) {
  double all = 0.0;
  bool good = true;
  if (blend->status < 0 || blend->beta != blend->beta) return TRB_OK; /* named row by row */
  for (int i = 0; i < TRBI_PARTS; i++) {
    all += (double)blend->mass[i];
    good &= blend->mass[i] >= 0.0f;
  }
  if (good && fabs(all - 1.0) < 1e-3) return TRB_OK;
  return trbi_fail(ctx, TRB_EINVAL,
                   "blend[%" PRId64 "].mass: expected what trb_solve gave, which adds up to 1, got a sum of %g", row,
                   all);
}

int32_t trbi_name_blend(trbi_pair *pair, const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                        const trb_blend *blend, int64_t row) {
  if (blend->status < 0) return blend->status;
  if (blend->beta != blend->beta) return TRB_ROW_NOT_A_NUMBER;
  trbi_pair both;
  trbi_name_row(&both, crew, student, teacher != NULL ? teacher : student, row);
  *pair = trbi_pair_at(&both, blend->beta);
  return 0;
}

typedef struct write_job {
  trbi_crew crew;
  const trb_logits *student, *teacher, *out;
  const trb_blend *blend;
  trbi_tally tally;
} write_job;

typedef struct write_task {
  const trbi_pair *pair;
  double beta, log2_norm;
  const trb_logits *out;
} write_task;

/* log2 mu to natural logarithms. */
static void write_blend_block(void *data, int64_t part, const trbi_block *block) {
  const write_task *task = data;
  const trbi_pair *pair = task->pair;
  float y[TRBI_BLOCK];
  (void)part;
  pair->kernels->blend(block->s, block->t, block->padded, pair->scale_student, pair->scale_teacher, task->beta,
                       task->log2_norm, y);
  for (int64_t i = 0; i < block->tokens; i++) y[i] = (float)(TRBI_LN2 * (double)y[i]);
  pair->kernels->store(y, trbi_element(task->out, pair->row, block->begin), task->out->dtype, block->tokens);
}

static void write_blend_row(void *data, int64_t row) {
  write_job *job = data;
  const trb_blend *blend = &job->blend[row];
  trbi_pair pair;
  int32_t bad = trbi_name_blend(&pair, &job->crew, job->student, job->teacher, blend, row);
  if (bad == 0) bad = trbi_find_tops(&pair);
  const double log2_norm = bad == 0 ? trbi_log2_blend_mass(&pair, blend->beta) : 0.0;
  if (bad == 0 && !(log2_norm > -INFINITY)) bad = TRB_ROW_EMPTY;
  if (bad != 0) {
    trbi_tally_add(&job->tally, row, bad);
    return;
  }
  write_task task = {&pair, blend->beta, log2_norm, job->out};
  trbi_each_block(&pair, write_blend_block, &task);
  for (int64_t v = pair.vocab; v < job->out->vocab; v++) trbi_store(job->out, row, v, -INFINITY);
}

trb_status trb_write_blend(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                           const trb_blend *blend, const trb_logits *out) {
  trb_status status = trbi_check_blends(ctx, student, teacher, blend);
  if (status != TRB_OK) return status;
  const int64_t common = trbi_common_vocab(student, teacher != NULL ? teacher : student);
  status = trbi_check_output(ctx, "out", out, common, student, teacher);
  if (status != TRB_OK) return status;
  const trbi_span spans[] = {trbi_view_span("out", out), trbi_array_span("blend", blend, student->rows, sizeof *blend)};
  status = trbi_check_spans(ctx, spans, 2, 1);
  if (status != TRB_OK) return status;
  write_job job = {trbi_crew_of(ctx, student->rows, common), student, teacher, out, blend, {0}};
  return trbi_tally_rows(ctx, &job.crew, student->rows, write_blend_row, &job, &job.tally);
}
