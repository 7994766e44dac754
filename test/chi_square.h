/* chi_square.h - the test of counts against an exact distribution. */
#ifndef TEST_CHI_SQUARE_H
#define TEST_CHI_SQUARE_H

#include <stdint.h>

/* The probability that a chi-square variable of `freedom` degrees exceeds x. */
double chi_square_tail(double freedom, double x);

/* The probability of counts at least this far from n draws of `probability`. Neighbors are pooled until 5 are expected.
 * 0 if an impossible outcome was drawn; 1 if there is one pool only. */
double chi_square_p_value(const int64_t *counts, const long double *probability, int64_t outcomes, int64_t n);

#endif
