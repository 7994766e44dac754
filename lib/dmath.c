/* dmath.c - exp, log, log1p and cos with the same bits on every machine. */
#include "dmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 in two parts: n * LN2_HIGH is exact for the n that occur. */
#define LN2_HIGH 0x1.62e42fee00000p-1
#define LN2_LOW  0x1.a39ef35793c76p-33

/* x * 2^n without a library call; two steps, because 2^n alone may leave the range. */
static double scale(double x, int n) {
  const int half = n / 2;
  const uint64_t a = (uint64_t)(1023 + half) << 52;
  const uint64_t b = (uint64_t)(1023 + n - half) << 52;
  double fa, fb;
  memcpy(&fa, &a, sizeof fa);
  memcpy(&fb, &b, sizeof fb);
  return x * fa * fb;
}

/* e^x = 2^n e^r, |r| <= ln(2)/2; Taylor to r^13, whose next term is below 2^-57. */
double trbi_exp(double x) {
  if (x != x) return x;
  if (x > 709.79) return INFINITY;
  if (x < -745.2) return 0.0;
  const double n = (x * TRBI_LOG2E + 0x1.8p52) - 0x1.8p52;
  const double high = fma(-n, LN2_HIGH, x);
  const double r = fma(-n, LN2_LOW, high);
  double q = 1.0 / 6227020800.0;
  q = fma(q, r, 1.0 / 479001600.0);
  q = fma(q, r, 1.0 / 39916800.0);
  q = fma(q, r, 1.0 / 3628800.0);
  q = fma(q, r, 1.0 / 362880.0);
  q = fma(q, r, 1.0 / 40320.0);
  q = fma(q, r, 1.0 / 5040.0);
  q = fma(q, r, 1.0 / 720.0);
  q = fma(q, r, 1.0 / 120.0);
  q = fma(q, r, 1.0 / 24.0);
  q = fma(q, r, 1.0 / 6.0);
  q = fma(q, r, 0.5);
  return scale(1.0 + fma(q, r * r, r), (int)n);
}

/* log x = n ln 2 + log m, m in [sqrt(1/2), sqrt(2)); log m = 2 artanh(s), s = (m - 1)/(m + 1), to s^23. With f = m - 1,
 * 2s = f - s f, so the large part f is added exactly and only the correction is rounded. */
double trbi_log(double x) {
  if (!(x > 0.0)) return x == 0.0 ? -INFINITY : NAN;
  if (x == INFINITY) return x;
  int n;
  double m = frexp(x, &n);
  if (m < 0x1.6a09e667f3bcdp-1) {
    m *= 2.0;
    n -= 1;
  }
  const double f = m - 1.0;
  const double s = f / (m + 1.0);
  const double z = s * s;
  double q = 2.0 / 23;
  for (int k = 21; k >= 3; k -= 2) q = fma(q, z, 2.0 / k);
  const double tail = fma(s, q * z, -s * f); /* log m = f + tail */
  return fma(n, LN2_HIGH, f + fma(n, LN2_LOW, tail));
}

/* Kahan's correction: the rounding error of u = 1 + x cancels in the quotient. */
double trbi_log1p(double x) {
  const double u = 1.0 + x;
  if (u == 1.0) return x;
  if (!(u > 0.0) || u == INFINITY) return trbi_log(u);
  return trbi_log(u) * (x / (u - 1.0));
}

/* For small g its series, sum (-g)^k / (k (k - 1)) from k = 2. */
double trbi_kl_excess(double g) {
  if (g <= -1.0) return 1.0;
  if (fabs(g) > 0.01) return (1.0 + g) * trbi_log1p(g) - g;
  double q = 0.0;
  for (int k = 9; k >= 2; k--) q = fma(q, -g, 1.0 / (k * (k - 1)));
  return q * g * g;
}

/* For small u its Taylor series, sum u^k / k! from k = 2 to 12. */
double trbi_expm1_excess(double u) {
  if (fabs(u) > 0.25) return trbi_exp(u) - 1.0 - u;
  double q = 1.0;
  for (int k = 12; k >= 3; k--) q = fma(u / k, q, 1.0);
  return 0.5 * u * u * q;
}

/* cos y and (sin y)/y as Taylor series in z = y^2 <= (pi/4)^2, innermost term first. */
static double cosine(double z) {
  double q = 1.0;
  for (int k = 20; k >= 2; k -= 2) q = fma(-z / (k * (k - 1)), q, 1.0);
  return q;
}

static double sine_over(double z) {
  double q = 1.0;
  for (int k = 21; k >= 3; k -= 2) q = fma(-z / (k * (k - 1)), q, 1.0);
  return q;
}

double trbi_cospi_half(double x) {
  const double half_pi = 0x1.921fb54442d18p+0;
  if (x <= 0.5) {
    const double y = half_pi * x;
    return cosine(y * y);
  }
  const double y = half_pi * (1.0 - x);
  return y * sine_over(y * y);
}
