/* evaluate.h - how good a student is on its own rollouts. */
#ifndef DISTILL_EVALUATE_H
#define DISTILL_EVALUATE_H

#include "lm.h"
#include "report/metrics.h"
#include "texts.h"

/* The same prompts and random numbers for every student of a seed, so that differences are paired. */
typedef struct exam {
  const task *of;
  trb_context *ctx;
  lm *teacher;
  texts *texts; /* room for the prompts of the largest evaluation */
  uint64_t seed;
  int64_t response; /* most tokens of one */
} exam;

/* Fills in everything but the step. What is asked for only once is NaN else: greedy success at the last evaluation, the
 * teacher's own at the first. 0 with a text in `why` (capacity 256). */
int evaluate(const exam *e, lm *student, int64_t prompts, int first, int last, evaluation_line *out, char *why);

#endif
