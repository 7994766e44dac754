/* Intervals against tables of Student's t, and curves against their integrals. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "report/stats.h"
#include "suites.h"

static void check_near(double got, long double exact, double tolerance) {
  ck_assert_msg(fabsl(got - exact) <= (long double)tolerance, "got %.17g, expected %.17Lg", got, exact);
}

/* ---- Intervals ---- */

/* t_{0.975} by degrees of freedom, as tables print it. */
START_TEST(half_widths_follow_tables) {
  static const struct {
    int64_t n;
    double t;
  } table[] = {{2, 12.706205}, {3, 4.302653},  {4, 3.182446},  {5, 2.776445},   {6, 2.570582},
               {8, 2.364624},  {11, 2.228139}, {31, 2.042272}, {121, 1.979930}, {1001, 1.962339}};
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    const int64_t n = table[i].n;
    double x[1001];
    /* 1, 2, ..., n: mean (n + 1)/2, variance n (n + 1)/12 */
    for (int64_t k = 0; k < n; k++) x[k] = (double)(k + 1);
    const interval got = stats_interval(x, n);
    const long double deviation = sqrtl((long double)(n * (n + 1)) / 12.0L);
    ck_assert_int_eq(got.n, n);
    check_near(got.mean, 0.5L * (long double)(n + 1), 1e-12 * (double)n);
    check_near(got.half / (double)(deviation / sqrtl((long double)n)), table[i].t, 6e-7);
  }
}
END_TEST

/* A large mean does not swallow the spread: -1, 0, 1 have the standard deviation 1. */
START_TEST(offsets_do_not_matter) {
  const double offsets[] = {0.0, 1e6, -1e9};
  for (int i = 0; i < 3; i++) {
    const double x[] = {offsets[i] - 1.0, offsets[i], offsets[i] + 1.0};
    const interval got = stats_interval(x, 3);
    check_near(got.mean, offsets[i], 0.0);
    check_near(got.half, 4.302653L / sqrtl(3.0L), 1e-6);
  }
}
END_TEST

START_TEST(few_values_have_no_interval) {
  const double x[] = {0.25};
  const interval none = stats_interval(x, 0), one = stats_interval(x, 1);
  ck_assert(none.n == 0 && isnan(none.mean) && isnan(none.half));
  ck_assert(one.n == 1 && one.mean == 0.25 && isnan(one.half));
}
END_TEST

START_TEST(equal_values_have_width_zero) {
  const double x[] = {0.1, 0.1, 0.1, 0.1};
  const interval got = stats_interval(x, 4);
  check_near(got.mean, 0.1L, 1e-16);
  check_near(got.half, 0.0L, 1e-16);
}
END_TEST

/* ---- Curves ---- */

/* A run of these evaluations, on memory of the caller's. */
static run curve(evaluation_line *room, const int64_t *steps, const double *success, int64_t n) {
  for (int64_t i = 0; i < n; i++) room[i] = (evaluation_line){.step = steps[i], .success = success[i]};
  return (run){.evaluations = room, .n_evaluations = n};
}

START_TEST(areas_are_integrals) {
  static const int64_t steps[] = {10, 20, 50, 60};
  static const double success[] = {0.0, 1.0, 0.5, 0.1};
  evaluation_line room[4];
  const run r = curve(room, steps, success, 4);
  check_near(stats_area(&r), (0.5L * 10.0L + 0.75L * 30.0L + 0.3L * 10.0L) / 50.0L, 1e-16);
  ck_assert(stats_final(&r) == 0.1);
}
END_TEST

START_TEST(single_evaluations_are_their_own_area) {
  static const int64_t steps[] = {7};
  static const double success[] = {0.375};
  evaluation_line room[1];
  run r = curve(room, steps, success, 1);
  ck_assert(stats_area(&r) == 0.375);
  ck_assert(stats_final(&r) == 0.375);
  r.n_evaluations = 0;
  ck_assert(isnan(stats_area(&r)));
  ck_assert(isnan(stats_final(&r)));
  ck_assert(isnan(stats_steps_to_half(&r)));
}
END_TEST

START_TEST(half_is_reached_where_the_line_crosses) {
  static const int64_t steps[] = {0, 10, 30, 40};
  static const struct {
    double success[4], reached;
  } cases[] = {{{0.0, 0.2, 0.8, 0.9}, 20.0},        {{0.0, 0.25, 0.75, 0.1}, 20.0}, {{0.0, 0.5, 0.2, 0.9}, 10.0},
               {{0.5, 0.1, 0.1, 0.1}, 0.0},         {{0.9, 0.1, 0.1, 0.1}, 0.0},    {{0.0, 0.1, 0.2, 0.5}, 40.0},
               {{0.0, 0.1, 0.2, 0.4999}, INFINITY}, {{0.0, 0.1, NAN, 0.9}, NAN},    {{NAN, NAN, NAN, NAN}, NAN},
               {{0.0, 0.8, 0.1, 0.9}, 6.25}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    evaluation_line room[4];
    const run r = curve(room, steps, cases[i].success, 4);
    const double got = stats_steps_to_half(&r), want = cases[i].reached;
    if (isfinite(want)) {
      check_near(got, want, 1e-13);
    } else {
      ck_assert(isnan(want) ? isnan(got) : got == want);
    }
  }
}
END_TEST

Suite *stats_suite(void) {
  Suite *suite = suite_create("stats");
  TCase *intervals = tcase_create("intervals");
  tcase_add_test(intervals, half_widths_follow_tables);
  tcase_add_test(intervals, offsets_do_not_matter);
  tcase_add_test(intervals, few_values_have_no_interval);
  tcase_add_test(intervals, equal_values_have_width_zero);
  suite_add_tcase(suite, intervals);
  TCase *curves = tcase_create("curves");
  tcase_add_test(curves, areas_are_integrals);
  tcase_add_test(curves, single_evaluations_are_their_own_area);
  tcase_add_test(curves, half_is_reached_where_the_line_crosses);
  suite_add_tcase(suite, curves);
  return suite;
}
