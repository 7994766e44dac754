/* floors_right.c - the floors against plain loops, on rows of which every token counts. */
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

bool floors_right(const floors *f) {
  enum { N = 1024 };
  static _Alignas(64) float s[N], t[N], out[N];
  for (int i = 0; i < N; i++) {
    s[i] = 0.01f * (float)i;
    t[i] = -0.02f * (float)i;
  }
  s[1] = t[2] = -INFINITY;
  const double a = top_of(s, N), b = top_of(t, N);
  if (f->stream(s, t, N) != s[N - 1] + t[0] || f->stream(t, s, N) != s[N - 1] + t[0]) return false;
  if (!(fabs((double)f->lse(s, t, N) - (lse_of(s, N) + lse_of(t, N))) <= 1e-5)) return false;
  f->move(s, t, out, N);
  for (int i = 0; i < N; i++) {
    const double product = ((double)s[i] - a) * ((double)t[i] - b);
    if (isinf(product) ? !isinf(out[i]) : !(fabs((double)out[i] - product) <= 1e-5 * product)) return false;
  }
  return true;
}
