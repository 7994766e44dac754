/* skd.c - speculative knowledge distillation (arXiv 2410.11325): the student's token, unless it is outside the
 * teacher's top-k; then the teacher's. The mixture is made explicit, so that its log-probabilities and divergences are
 * exact. */
#include "dmath.h"
#include "fmath.h"
#include "outline.h"
#include "skd.h"
#include "support.h"

#include <math.h>

typedef struct skd_job {
  trbi_crew crew;
  const trb_logits *student, *teacher, *hot, *mixture;
  int64_t top_k;
  double *replaced;
} skd_job;

/* 1 - p(K) as the sum off K, which keeps its digits where K holds nearly everything. */
static double mass_outside(const trbi_pair *pair, const trbi_support *top) {
  const trbi_scale all = pair->scale_student, out = trbi_scale_within(pair, top, false, false);
  return out.max > -INFINITY ? trbi_exp(TRBI_LN2 * fma(out.k, out.max - all.max, out.norm - all.norm)) : 0.0;
}

/* log2 probabilities of a block of one model. */
static void read_log2(const trbi_kernels *kernels, const float *x, int64_t padded, trbi_scale scale, float *out) {
  kernels->blend(x, x, padded, scale, scale, 0.0, 0.0, out);
}

static int32_t mix_row(const skd_job *job, int64_t row, double *replaced) {
  trbi_pair pair, hot;
  trbi_summary summary;
  int32_t bad = trbi_survey_row(&pair, &job->crew, job->student, job->teacher, row, &summary);
  if (bad == 0) bad = trbi_survey_row(&hot, &job->crew, job->hot, job->hot, row, &summary);
  if (bad != 0) return bad;
  const trbi_support top = {.kind = TRB_SUPPORT_TEACHER_TOP_K, .cut = trbi_top_k(&pair, job->teacher, job->top_k)};
  *replaced = mass_outside(&pair, &top);
  for (int64_t i = 0; i < trbi_blocks(&pair); i++) {
    trbi_block block;
    uint8_t in[TRBI_BLOCK];
    float p[TRBI_BLOCK], q[TRBI_BLOCK];
    trbi_read_block(&pair, i, &block);
    trbi_support_block(&top, &block, in);
    read_log2(job->crew.kernels, block.s, block.padded, pair.scale_student, p);
    read_log2(job->crew.kernels, block.t, block.padded, hot.scale_student, q);
    for (int64_t v = 0; v < block.tokens; v++) {
      const double kept = in[v] ? (double)trbi_exp2((double)p[v]) : 0.0;
      p[v] = (float)trbi_log(kept + *replaced * (double)trbi_exp2((double)q[v]));
    }
    job->crew.kernels->store(p, trbi_element(job->mixture, row, block.begin), TRB_F32, block.tokens);
  }
  return 0;
}

static void skd_row(void *data, int64_t row) {
  const skd_job *job = data;
  job->replaced[row] = NAN;
  if (mix_row(job, row, &job->replaced[row]) == 0) return;
  for (int64_t v = 0; v < job->mixture->vocab; v++) trbi_store(job->mixture, row, v, NAN);
}

trb_status trbi_skd_rows(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const trb_logits *hot,
                         int64_t top_k, const trb_logits *mixture, double *replaced) {
  skd_job job = {trbi_crew_of(ctx, student->rows, student->vocab), student, teacher, hot, mixture, top_k, replaced};
  return trbi_crew_rows(ctx, &job.crew, student->rows, skd_row, &job);
}
