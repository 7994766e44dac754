/* pass.h - passes over a row: blocks in ascending order, their partial results combined in double precision. */
#ifndef TRBI_PASS_H
#define TRBI_PASS_H

#include "core.h"
#include "rows.h"

/* Rows of both models at one position, and what the survey learned of them. Without a teacher the student stands for
 * both, so that the same code serves. */
typedef struct trbi_pair {
  const trbi_kernels *kernels;
  const trb_logits *student, *teacher;
  int64_t row, vocab;
  trbi_scale scale_student, scale_teacher;
  double lse_student, lse_teacher;              /* natural log-sum-exp of logits over temperature, after the survey */
  int64_t top_block_student, top_block_teacher; /* the first block that holds the largest logit */
} trbi_pair;

/* A block of both rows as floats, padded with -inf to a multiple of TRBI_LANES. */
typedef struct trbi_block {
  int64_t begin, tokens; /* before padding */
  int64_t padded;
  const float *s, *t;
  float room[2][TRBI_BLOCK];
} trbi_block;

int64_t trbi_blocks(const trbi_pair *pair);

/* So many tokens and their padding. */
static inline int64_t trbi_padded(int64_t tokens) {
  return (tokens + TRBI_LANES - 1) / TRBI_LANES * TRBI_LANES;
}

void trbi_read_block(const trbi_pair *pair, int64_t number, trbi_block *block);

/* One row of one model alone, likewise. */
const float *trbi_read_row(const trbi_kernels *kernels, const trb_logits *view, int64_t row, int64_t begin,
                           int64_t tokens, float *room);

/* What a whole row adds up to, natural logarithms. */
typedef struct trbi_summary {
  double entropy_student, entropy_teacher;
  double reverse_kl;                 /* INFINITY where the teacher masks what the student allows */
  double forward_kl;                 /* KL of q, renormalized on the common support, from p; for a start only */
  double gap, variance;              /* mean and variance of log(q/p) under p on the common support */
  double student_only, teacher_only; /* tokens that the other model masks */
  int64_t tokens_student;            /* tokens that the student allows */
  double alone;                      /* mass of p off it */
  double both_teacher;               /* mass of q on the common support */
} trbi_summary;

/* Names the row without reading it. */
void trbi_name_row(trbi_pair *pair, const trbi_kernels *kernels, const trb_logits *student, const trb_logits *teacher,
                   int64_t row);

/* Norms and summary from sums over the row. */
void trbi_summarize(trbi_pair *pair, const trbi_survey *sum, trbi_summary *out);

/* Names the row and reads it once for its largest logits: the scales are relative to these, norm 0. Returns 0, or
 * TRB_ROW_EMPTY or TRB_ROW_NOT_A_NUMBER. */
int32_t trbi_open_row(trbi_pair *pair, const trbi_kernels *kernels, const trb_logits *student,
                      const trb_logits *teacher, int64_t row);

/* The same, and once more for the norms and the summary, with exponents in double precision. */
int32_t trbi_survey_row_exactly(trbi_pair *pair, const trbi_kernels *kernels, const trb_logits *student,
                                const trb_logits *teacher, int64_t row, trbi_summary *summary);

/* A sum of mass * 2^top of any magnitudes. */
typedef struct trbi_log_sum {
  double top, mass;
} trbi_log_sum;

trbi_log_sum trbi_log_sum_zero(void);
void trbi_log_sum_add(trbi_log_sum *sum, double top, double mass); /* adds nothing if top is -INFINITY */
double trbi_log_sum_value(const trbi_log_sum *sum);                /* its log2 */

/* log2 of sum p^(1-beta) q^beta over the common support, -INFINITY if that is empty. p and q as the scales have them.
 */
double trbi_log2_blend_mass(const trbi_pair *pair, double beta);

/* The first token with the largest logit of the row. */
int64_t trbi_argmax_student(const trbi_pair *pair);
int64_t trbi_argmax_teacher(const trbi_pair *pair);

/* trbi_tilt of the row. */
trbi_tilt trbi_tilt_row(const trbi_pair *pair, double beta, double center);

/* log2 probability of one token as a scale has it; -INFINITY where masked. */
double trbi_log2_probability(const trb_logits *view, int64_t row, trbi_scale scale, int64_t token);

#endif
