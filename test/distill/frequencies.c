/* frequencies.c - tests of counts with GSL's distributions. */
#include "frequencies.h"

#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_cdf.h>

static const double CHANCE = 1e-7;

void assert_counts(const char *what, const int64_t *counts, const double *expected, int64_t n) {
  double statistic = 0.0;
  for (int64_t i = 0; i < n; i++) {
    ck_assert_msg(expected[i] >= 10.0, "%s: outcome %" PRId64 " is expected %g times only", what, i, expected[i]);
    const double deviation = (double)counts[i] - expected[i];
    statistic += deviation * deviation / expected[i];
  }
  const double tail = gsl_cdf_chisq_Q(statistic, (double)(n - 1));
  ck_assert_msg(tail > CHANCE, "%s: chi-square %g of %" PRId64 " outcomes, tail %g", what, statistic, n, tail);
}

void assert_uniform(const char *what, const int64_t *counts, int64_t n) {
  int64_t draws = 0;
  for (int64_t i = 0; i < n; i++) draws += counts[i];
  double *expected = malloc((size_t)n * sizeof *expected);
  ck_assert_ptr_nonnull(expected);
  for (int64_t i = 0; i < n; i++) expected[i] = (double)draws / (double)n;
  assert_counts(what, counts, expected, n);
  free(expected);
}

void assert_share(const char *what, int64_t hits, int64_t n, double probability) {
  const double draws = (double)n, spread = sqrt(draws * probability * (1.0 - probability));
  const double deviation = fabs((double)hits - draws * probability) / spread;
  ck_assert_msg(2.0 * gsl_cdf_ugaussian_Q(deviation) > CHANCE, "%s: %" PRId64 " of %" PRId64 ", expected %g", what,
                hits, n, draws * probability);
}
