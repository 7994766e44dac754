/* Adam with decoupled weight decay against its formulas in long double, and the learning rates. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decoder/adamw.h"
#include "random.h"
#include "suites.h"

enum { N = 67, STEPS = 60 };

/* What arXiv 1711.05101 (algorithm 2) and arXiv 1412.6980 say, with the rate as the schedule multiplier. */
typedef struct exact {
  long double weights[N], first[N], second[N];
} exact;

static long double exact_step(exact *e, const adamw *a, const float *grad, double rate, double clip, int t) {
  long double squares = 0.0L;
  for (int i = 0; i < N; i++) squares += (long double)grad[i] * grad[i];
  const long double length = sqrtl(squares), shorten = clip > 0.0 && length > clip ? clip / length : 1.0L;
  for (int i = 0; i < N; i++) {
    const long double g = shorten * grad[i];
    e->first[i] = a->beta1 * e->first[i] + (1.0L - a->beta1) * g;
    e->second[i] = a->beta2 * e->second[i] + (1.0L - a->beta2) * g * g;
    const long double mean = e->first[i] / (1.0L - powl(a->beta1, t));
    const long double square = e->second[i] / (1.0L - powl(a->beta2, t));
    e->weights[i] -= rate * (mean / (sqrtl(square) + a->epsilon) + a->decay * e->weights[i]);
  }
  return length;
}

static void check_close(const float *got, const long double *expected, long double bound) {
  for (int i = 0; i < N; i++)
    ck_assert_msg(fabsl(got[i] - expected[i]) <= bound * (1.0L + fabsl(expected[i])), "%d: got %g, expected %Lg", i,
                  (double)got[i], expected[i]);
}

/* Gradients of very different sizes, so that epsilon matters for some weights and clipping in some steps. */
static void make_gradient(random_stream *r, int step, float *grad) {
  for (int i = 0; i < N; i++) grad[i] = (float)(random_normal(r) * pow(10.0, step % 3 - 2 - i % 9));
}

static void compare(double beta1, double beta2, double decay, double clip) {
  adamw *a = adamw_new(N, beta1, beta2, decay);
  ck_assert_ptr_nonnull(a);
  ck_assert(a->epsilon == 1e-8 && a->n == N && a->steps == 0);
  random_stream r = {41, 0, 0};
  float weights[N], grad[N];
  exact e;
  memset(&e, 0, sizeof e);
  for (int i = 0; i < N; i++) {
    weights[i] = (float)random_normal(&r);
    e.weights[i] = weights[i];
  }
  for (int t = 1; t <= STEPS; t++) {
    make_gradient(&r, t, grad);
    const double rate = 1e-3 * t, length = adamw_step(a, weights, grad, rate, clip);
    const long double expected = exact_step(&e, a, grad, rate, clip, t);
    ck_assert_msg(fabsl(length - expected) <= 1e-14L * expected, "got %.17g, expected %.17Lg", length, expected);
    ck_assert_int_eq(a->steps, t);
    check_close(a->first, e.first, 1e-6L);
    check_close(a->second, e.second, 1e-6L);
    check_close(weights, e.weights, 1e-5L);
  }
  adamw_free(a);
}

START_TEST(steps_are_those_of_the_formulas) {
  compare(0.9, 0.98, 0.0, 0.0);
  compare(0.9, 0.999, 0.1, 0.0);
  compare(0.9, 0.98, 0.01, 1.0);
  compare(0.0, 0.0, 0.0, 1e-3);
}
END_TEST

/* The first step of Adam goes `rate` against the sign, however long the gradient: a clip must not change that. */
START_TEST(first_step_is_the_rate) {
  static const double clips[] = {0.0, 1.0, 1e-2};
  for (int c = 0; c < 3; c++) {
    adamw *a = adamw_new(2, 0.9, 0.98, 0.0);
    ck_assert_ptr_nonnull(a);
    float weights[] = {1.0f, 1.0f};
    const float grad[] = {3.0f, -4.0f};
    ck_assert_double_eq(adamw_step(a, weights, grad, 0.125, clips[c]), 5.0);
    ck_assert_double_le(fabs(weights[0] - 0.875), 1e-6);
    ck_assert_double_le(fabs(weights[1] - 1.125), 1e-6);
    adamw_free(a);
  }
}
END_TEST

START_TEST(clip_shortens_only_what_is_longer) {
  float grad[] = {3.0f, -4.0f};
  static const struct {
    double clip, first;
  } cases[] = {{0.0, 3.0}, {4.0, 2.4}, {5.0, 3.0}, {6.0, 3.0}, {1e30, 3.0}, {-1.0, 3.0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    adamw *a = adamw_new(2, 0.0, 0.5, 0.0);
    ck_assert_ptr_nonnull(a);
    float weights[] = {0.0f, 0.0f};
    adamw_step(a, weights, grad, 0.1, cases[i].clip);
    ck_assert_double_le(fabs(a->first[0] - cases[i].first), 1e-6);
    adamw_free(a);
  }
}
END_TEST

START_TEST(decay_needs_no_gradient) {
  adamw *a = adamw_new(2, 0.9, 0.98, 0.25);
  ck_assert_ptr_nonnull(a);
  float weights[] = {8.0f, -2.0f};
  const float grad[] = {0.0f, 0.0f};
  ck_assert(adamw_step(a, weights, grad, 0.5, 1.0) == 0.0);
  ck_assert(weights[0] == 7.0f && weights[1] == -1.75f);
  adamw_free(a);
}
END_TEST

START_TEST(gradients_that_are_not_finite_change_nothing) {
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  adamw *a = adamw_new(2, 0.9, 0.98, 0.1);
  ck_assert_ptr_nonnull(a);
  float weights[] = {8.0f, -2.0f};
  for (int i = 0; i < 3; i++) {
    const float grad[] = {1.0f, bad[i]};
    ck_assert(!isfinite(adamw_step(a, weights, grad, 0.5, 1.0)));
  }
  ck_assert(weights[0] == 8.0f && weights[1] == -2.0f && a->steps == 0);
  for (int i = 0; i < 2; i++) ck_assert(a->first[i] == 0.0f && a->second[i] == 0.0f);
  const float huge[] = {3e38f, 3e38f}; /* its length is beyond float, but not beyond double */
  ck_assert(isfinite(adamw_step(a, weights, huge, 0.5, 1.0)));
  ck_assert(isfinite(weights[0]) && a->steps == 1);
  adamw_free(a);
  adamw_free(NULL);
}
END_TEST

/* ---- Learning rates ---- */

START_TEST(rates_warm_up_and_fall_as_a_cosine) {
  const double pi = acos(-1.0);
  for (int64_t k = 0; k <= 50; k++)
    ck_assert_double_le(fabs(rate_cosine(3e-3, 0.05, 50, 700, k) - 3e-3 * (double)k / 50.0), 1e-18);
  for (int64_t k = 50; k <= 700; k++) {
    const double expected = 3e-3 * (0.05 + 0.95 * 0.5 * (1.0 + cos(pi * (double)(k - 50) / 650.0)));
    ck_assert_double_le(fabs(rate_cosine(3e-3, 0.05, 50, 700, k) - expected), 1e-17);
  }
  ck_assert(rate_cosine(3e-3, 0.05, 50, 700, 50) == 3e-3);
  ck_assert(rate_cosine(3e-3, 0.05, 50, 700, 700) == 3e-3 * 0.05);
  ck_assert(rate_cosine(3e-3, 0.05, 50, 700, INT64_MAX) == 3e-3 * 0.05);
}
END_TEST

START_TEST(rates_without_one_of_their_parts) {
  ck_assert(rate_cosine(2.0, 0.0, 0, 10, 0) == 2.0);
  ck_assert(rate_cosine(2.0, 0.0, 0, 10, 10) == 0.0);
  ck_assert_double_le(fabs(rate_cosine(2.0, 0.0, 0, 10, 5) - 1.0), 1e-15);
  for (int64_t k = 0; k < 12; k++) ck_assert_double_le(fabs(rate_cosine(2.0, 1.0, 0, 10, k) - 2.0), 1e-15);
  ck_assert(rate_cosine(2.0, 0.5, 10, 10, 5) == 1.0); /* warmup to the last step */
  ck_assert(rate_cosine(2.0, 0.5, 10, 10, 10) == 1.0);
  ck_assert(rate_cosine(2.0, 0.5, 0, 0, 0) == 1.0);
}
END_TEST

Suite *adamw_suite(void) {
  Suite *suite = suite_create("adamw");
  TCase *steps = tcase_create("steps");
  tcase_add_test(steps, steps_are_those_of_the_formulas);
  tcase_add_test(steps, first_step_is_the_rate);
  tcase_add_test(steps, clip_shortens_only_what_is_longer);
  tcase_add_test(steps, decay_needs_no_gradient);
  tcase_add_test(steps, gradients_that_are_not_finite_change_nothing);
  suite_add_tcase(suite, steps);
  TCase *rates = tcase_create("rates");
  tcase_add_test(rates, rates_warm_up_and_fall_as_a_cosine);
  tcase_add_test(rates, rates_without_one_of_their_parts);
  suite_add_tcase(suite, rates);
  return suite;
}
