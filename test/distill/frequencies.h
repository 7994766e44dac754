/* frequencies.h - what was drawn against its probabilities. Each check fails by chance with probability 1e-7. */
#ifndef TEST_DISTILL_FREQUENCIES_H
#define TEST_DISTILL_FREQUENCIES_H

#include <check.h>
#include <stdint.h>

/* For loops over draws: Check writes each of its own assertions down, also those that hold. */
#define must(condition)                                                                                                \
  do {                                                                                                                 \
    if (!(condition)) ck_abort_msg("not so: %s", #condition);                                                          \
  } while (0)

/* Pearson's chi-square: counts[i] of an outcome of which expected[i] >= 10 were to be expected, n outcomes, of which
 * one always happens. Draws that are independent but not alike deviate less than those that are alike, so they may fail
 * more rarely. */
void assert_counts(const char *what, const int64_t *counts, const double *expected, int64_t n);

/* The same where every outcome is equally likely. */
void assert_uniform(const char *what, const int64_t *counts, int64_t n);

/* `hits` of n draws that each hit with this probability, normal approximation. */
void assert_share(const char *what, int64_t hits, int64_t n, double probability);

#endif
