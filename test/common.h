/* common.h - what several suites need: scaled row counts, contexts of every kind, pairs of random matrices. */
#ifndef TEST_COMMON_H
#define TEST_COMMON_H

#include <check.h>

#include "families.h"
#include "matrix.h"
#include "trb.h"

/* n times TRB_TEST_SCALE (default 1), at least 1. */
int64_t scaled(int64_t n);

/* A vocabulary that is cut to 40 % under valgrind, where TRB_TEST_SCALE is 0.01. */
int64_t long_row(int64_t vocab);

/* Whether TRB_TEST_VERBOSE is set. */
int verbose(void);

/* A test case without Check's default time limit, which is made for small tests. */
TCase *long_case(const char *name);

/* A context, or NULL where the instruction set is not available. */
trb_context *context_with(int64_t threads, int32_t isa);

/* A context that runs on threads that this call makes for each job, in descending order of index. */
trb_context *context_on_caller_threads(int64_t threads);

/* A student and a teacher of the same shape. */
typedef struct models {
  matrix s, t;
} models;

models models_new(int64_t rows, int64_t vocab, int32_t dtype_s, int32_t dtype_t, float temperature_s,
                  float temperature_t);

/* The same, filled with rows of a family. */
models models_random(rng *g, int family, int64_t rows, int64_t vocab, int32_t dtype);

/* Fills row r of both from a family. */
void models_fill_row(const models *m, int64_t r, rng *g, int family);
void models_free(models *m);

/* Element types drawn at random; `more` extra tokens for the student, -more for the teacher if negative. */
models models_varied(rng *g, int64_t rows, int64_t vocab, int64_t more);

/* A weight of either sign, sometimes 0. */
double random_weight(rng *g);

/* |a - b|, 0 where both are the same infinity or both NaN. */
double distance(long double a, double b);

/* Asserts |want - got| <= tolerance, with all numbers in the message. */
#define assert_near(got, want, tolerance, ...)                                                                         \
  do {                                                                                                                 \
    double near_got = (double)(got);                                                                                   \
    long double near_want = (long double)(want);                                                                       \
    double near_tolerance = (double)(tolerance);                                                                       \
    if (!(distance(near_want, near_got) <= near_tolerance)) {                                                          \
      ck_abort_msg("%s is %.17g, expected %.20Lg +- %.3g: %s", #got, near_got, near_want, near_tolerance,              \
                   describe(__VA_ARGS__));                                                                             \
    }                                                                                                                  \
  } while (0)

/* printf into a static buffer. */
const char *describe(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
