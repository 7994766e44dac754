/* stats.c - means with their intervals, and what one learning curve comes to. */
#include "stats.h"

#include <math.h>

#include <gsl/gsl_cdf.h>

interval stats_interval(const double *x, int64_t n) {
  interval out = {NAN, NAN, n};
  if (n < 1) return out;
  double sum = 0.0, squares = 0.0;
  for (int64_t i = 0; i < n; i++) sum += x[i];
  out.mean = sum / (double)n;
  if (n < 2) return out;
  for (int64_t i = 0; i < n; i++) squares += (x[i] - out.mean) * (x[i] - out.mean);
  const double freedom = (double)(n - 1);
  out.half = gsl_cdf_tdist_Pinv(0.975, freedom) * sqrt(squares / freedom / (double)n);
  return out;
}

double stats_final(const run *r) {
  return r->n_evaluations > 0 ? r->evaluations[r->n_evaluations - 1].success : NAN;
}

double stats_area(const run *r) {
  if (r->n_evaluations < 2) return stats_final(r);
  const evaluation_line *first = r->evaluations, *last = first + (r->n_evaluations - 1);
  double area = 0.0;
  for (const evaluation_line *e = first; e < last; e++) {
    area += 0.5 * (e[0].success + e[1].success) * (double)(e[1].step - e[0].step);
  }
  return area / (double)(last->step - first->step);
}

double stats_steps_to_half(const run *r) {
  if (r->n_evaluations < 1) return NAN;
  for (int64_t i = 0; i < r->n_evaluations; i++) {
    const evaluation_line *e = &r->evaluations[i];
    if (isnan(e->success)) return NAN;
    if (e->success < 0.5) continue;
    if (i == 0) return (double)e->step;
    const double share = (0.5 - e[-1].success) / (e->success - e[-1].success);
    return (double)e[-1].step + share * (double)(e->step - e[-1].step);
  }
  return INFINITY;
}
