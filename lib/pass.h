/* pass.h - passes over a row: blocks in ascending order, their partial results combined in double precision. */
#ifndef TRBI_PASS_H
#define TRBI_PASS_H

#include "core.h"
#include "rows.h"

/* The largest logit of a row and the first block that holds it. */
typedef struct trbi_top {
  double max;
  int64_t block;
} trbi_top;

/* Rows of both models at one position, and what the survey learned of them. Without a teacher the student stands for
 * both, so that the same code serves. */
typedef struct trbi_pair {
  const trbi_kernels *kernels;
  trb_context *parts; /* whose threads work on parts of the row; NULL: this thread does */
  const trb_logits *student, *teacher;
  int64_t row, vocab;
  trbi_scale scale_student, scale_teacher;
  double lse_student, lse_teacher; /* natural log-sum-exp of logits over temperature, after the survey */
  trbi_top top_student, top_teacher;
} trbi_pair;

/* A block of both rows as floats, padded with -inf to a multiple of TRBI_LANES. */
typedef struct trbi_block {
  int64_t begin, tokens; /* before padding */
  int64_t padded;
  const float *s, *t;
  float room[2][TRBI_BLOCK];
} trbi_block;

/* A range of blocks, of all or of one part. */
typedef struct trbi_range {
  int64_t begin, end;
} trbi_range;

int64_t trbi_blocks(const trbi_pair *pair);

/* A row has up to TRBI_PARTS parts of equally many blocks, of which the last may have fewer. What is summed over a row
 * is summed over each part first, so that parts may be worked by different threads. */
enum { TRBI_PARTS = 32 };

int64_t trbi_parts(const trbi_pair *pair);
trbi_range trbi_part(const trbi_pair *pair, int64_t part);

/* Runs fn(task, part) for every part. */
void trbi_each_part(const trbi_pair *pair, trb_task_fn fn, void *task);

/* Runs fn(task, part, block) for every block, those of a part one after another. */
typedef void (*trbi_block_fn)(void *task, int64_t part, const trbi_block *block);
void trbi_each_block(const trbi_pair *pair, trbi_block_fn fn, void *task);

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
void trbi_name_row(trbi_pair *pair, const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                   int64_t row);

/* The pair as the behavior at a beta sees it: at 0 mu is p, also where the teacher masks, and the student stands for
 * both models. */
static inline trbi_pair trbi_pair_at(const trbi_pair *pair, double beta) {
  trbi_pair mu = *pair;
  if (beta > 0.0) return mu;
  mu.teacher = mu.student;
  mu.scale_teacher = mu.scale_student;
  mu.top_teacher = mu.top_student;
  return mu;
}

/* Norms and summary from sums over the row. */
void trbi_summarize(trbi_pair *pair, const trbi_survey *sum, trbi_summary *out);

/* A peak of one block, added to what is known of the blocks before. */
void trbi_watch(trbi_top *top, const trbi_peak *peak, int64_t block);

/* Reads a named row, or a range of its blocks, for the largest logits: the scales are relative to these, norm 0.
 * Returns 0, or TRB_ROW_EMPTY or TRB_ROW_NOT_A_NUMBER. */
int32_t trbi_find_tops(trbi_pair *pair);
int32_t trbi_find_tops_of(trbi_pair *pair, trbi_range blocks);

/* Names the row and reads it so. */
int32_t trbi_open_row(trbi_pair *pair, const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                      int64_t row);

/* The same, and once more for the norms and the summary, with exponents in double precision. */
int32_t trbi_survey_row_exactly(trbi_pair *pair, const trbi_crew *crew, const trb_logits *student,
                                const trb_logits *teacher, int64_t row, trbi_summary *summary);

/* A sum of mass * 2^top of any magnitudes. */
typedef struct trbi_log_sum {
  double top, mass;
} trbi_log_sum;

trbi_log_sum trbi_log_sum_zero(void);
void trbi_log_sum_add(trbi_log_sum *sum, double top, double mass); /* adds nothing if top is -INFINITY */
double trbi_log_sum_value(const trbi_log_sum *sum);                /* its log2 */

/* sum p^(1-beta) q^beta over the common support of each part, p and q as the scales have them; and log2 of all parts,
 * -INFINITY if the support is empty. */
void trbi_blend_masses(const trbi_pair *pair, double beta, trbi_log_sum *parts);
double trbi_log2_blend_mass(const trbi_pair *pair, double beta);

/* The first token with the largest logit of the row. */
int64_t trbi_argmax_student(const trbi_pair *pair);
int64_t trbi_argmax_teacher(const trbi_pair *pair);

/* trbi_tilt of the row. */
trbi_tilt trbi_tilt_row(const trbi_pair *pair, double beta, double center);

/* log2 probability of one token as a scale has it; -INFINITY where masked. */
double trbi_log2_probability(const trb_logits *view, int64_t row, trbi_scale scale, int64_t token);

#endif
