/* chi_square.c - Pearson's test with the regularized incomplete gamma function. */
#include "chi_square.h"

#include <math.h>

/* Q(a, x): a series below a + 1, Lentz's continued fraction above. */
static double gamma_tail(double a, double x) {
  if (x <= 0.0) return 1.0;
  double front = exp(a * log(x) - x - lgamma(a));
  if (x < a + 1.0) {
    double term = 1.0 / a, sum = term;
    for (int i = 1; i < 100000 && term > 1e-17 * sum; i++) sum += term *= x / (a + i);
    return 1.0 - front * sum;
  }
  double b = x + 1.0 - a, c = 1e300, d = 1.0 / b, h = d;
  for (int i = 1; i < 100000; i++) {
    double k = -i * (i - a);
    b += 2.0;
    d = 1.0 / (k * d + b);
    c = b + k / c;
    h *= c * d;
    if (fabs(c * d - 1.0) < 1e-15) break;
  }
  return front * h;
}

double chi_square_tail(double freedom, double x) {
  return gamma_tail(freedom / 2.0, x / 2.0);
}

double chi_square_p_value(const int64_t *counts, const long double *probability, int64_t outcomes, int64_t n) {
  double statistic = 0.0, expected = 0.0, seen = 0.0;
  int64_t pools = 0;
  for (int64_t v = 0; v < outcomes; v++) {
    if (probability[v] <= 0 && counts[v] > 0) return 0.0;
    expected += (double)(probability[v] * (long double)n);
    seen += (double)counts[v];
    if (expected < 5.0) continue;
    statistic += (seen - expected) * (seen - expected) / expected;
    pools++;
    expected = seen = 0.0;
  }
  if (expected > 0.0) { /* what is left over: a pool of its own, however small; at least 1 to keep the statistic sane */
    double scale = expected < 1.0 ? 1.0 : expected;
    statistic += (seen - expected) * (seen - expected) / scale;
    pools++;
  }
  return pools < 2 ? 1.0 : chi_square_tail((double)(pools - 1), statistic);
}
