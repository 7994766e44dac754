/* stats.h - what runs are summed up as. */
#ifndef DISTILL_STATS_H
#define DISTILL_STATS_H

#include "metrics.h"

/* A mean over n values with its 95 % interval mean +- half (Student's t with n - 1 degrees of freedom; GSL). half is
 * NaN for n < 2, mean for n == 0. */
typedef struct interval {
  double mean, half;
  int64_t n;
} interval;

interval stats_interval(const double *x, int64_t n);

/* Of one run whose evaluations are at ascending steps: */
double stats_final(const run *r); /* success at the last evaluation */
double stats_area(const run *r);  /* mean success over steps, by the trapezoid rule from first to last evaluation */
double stats_steps_to_half(const run *r); /* first step at which success reaches 0.5, linear between evaluations;
                                             INFINITY if it never does */

#endif
