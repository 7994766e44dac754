/* floors_right.c - the floors against plain loops. */
#include <math.h>

#include "floors.h"

static double top_of(const float *x, int64_t n) {
  double top = -(double)INFINITY;
  for (int64_t i = 0; i < n; i++) top = fmax(top, (double)x[i]);
  return top;
}

static double lse_of(const float *x, int64_t n) {
  const double top = top_of(x, n);
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += exp((double)x[i] - top);
  return top + log(sum);
}

bool floors_right(const floors *f, const float *s, const float *t, float *out, int64_t n) {
  const double a = top_of(s, n), b = top_of(t, n);
  if (!(fabs((double)f->stream(s, t, n) - (a + b)) <= 1e-6 * (fabs(a) + fabs(b)))) return false;
  if (!(fabs((double)f->lse(s, t, n) - (lse_of(s, n) + lse_of(t, n))) <= 1e-4)) return false;
  f->move(s, t, out, n);
  for (int64_t i = 0; i < n; i++) {
    const double product = ((double)s[i] - a) * ((double)t[i] - b);
    if (!isinf(product) && !(fabs((double)out[i] - product) <= 1e-5 * product)) return false;
  }
  return true;
}
