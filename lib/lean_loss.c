/* lean_loss.c - the full reverse KL and its gradient in two readings of a row. */
#include "dmath.h"
#include "loss.h"
#include "outline.h"

int32_t trbi_lean_loss_row(const trbi_loss_job *job, int64_t row, double weight, trb_loss_row *record, double *loss) {
  trbi_pair pair;
  trbi_summary summary;
  trbi_outline o;
  const int32_t bad = trbi_outline_row(&pair, job->kernels, job->student, job->teacher, row, false, &summary, &o);
  if (bad != 0) return bad;
  if (summary.student_only > 0.0) return TRB_ROW_INFINITE;
  const double scale = TRBI_LN2 * o.unit * weight / trbi_temperature(job->student);
  if (!(o.square < 200.0) || !(fabs(scale) > 1e-30 && fabs(scale) < 1e30)) return TRBI_NO_OUTLINE;
  trbi_describe_row(job, &pair, &summary, record);
  double sum = 0.0;
  for (int64_t i = 0; i < trbi_blocks(&pair); i++) {
    trbi_block block;
    float grad[TRBI_BLOCK];
    trbi_read_block(&pair, i, &block);
    sum += job->kernels->lean_loss(block.s, block.t, block.padded, &o.lean, (float)o.shift, (float)o.mean, (float)scale,
                                   o.masked, job->grad != NULL ? grad : NULL);
    if (job->grad != NULL)
      job->kernels->store(grad, trbi_element(job->grad, row, block.begin), job->grad->dtype, block.tokens);
  }
  if (job->grad != NULL && pair.vocab < job->grad->vocab) trbi_zero_row(job->grad, row, pair.vocab);
  record->mass_student = record->mass_teacher = 1.0;
  record->support = summary.tokens_student;
  *loss = o.unit * sum;
  return TRB_ROW_OK;
}
