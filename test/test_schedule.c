/* Budgets over steps, against the formulas of the header in long double. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "suites.h"
#include "trb.h"

#define SENTINEL (-123.25)
static const long double PI = 3.14159265358979323846264338327950288L;

static trb_schedule decay(int32_t kind, double initial, int64_t steps) {
  return (trb_schedule){.size = sizeof(trb_schedule), .kind = kind, .initial = initial, .steps = steps};
}

static trb_schedule points(const int64_t *at, const double *budgets, int64_t n) {
  return (trb_schedule){
      .size = sizeof(trb_schedule), .kind = TRB_SCHEDULE_PIECEWISE, .at = at, .budgets = budgets, .points = n};
}

static double budget(const trb_schedule *schedule, int64_t k) {
  double out = SENTINEL;
  ck_assert_int_eq(trb_schedule_at(NULL, schedule, k, &out), TRB_OK);
  return out;
}

/* Within a few roundings of the exact value; the terms that it is a product or sum of are at most `scale`. */
static void check_near(double got, long double exact, double scale) {
  ck_assert_msg(fabsl(got - exact) <= 4e-16L * scale, "got %.17g, expected %.17Lg", got, exact);
}

/* ---- Values ---- */

START_TEST(linear_falls_to_zero) {
  static const int64_t lengths[] = {1, 2, 15, 25, 50, 1000, INT64_C(1) << 40};
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    int64_t steps = lengths[i];
    trb_schedule s = decay(TRB_SCHEDULE_LINEAR, 0.02, steps);
    ck_assert(budget(&s, 0) == 0.02);
    ck_assert(budget(&s, steps) == 0.0);
    ck_assert(budget(&s, steps + 1) == 0.0);
    ck_assert(budget(&s, INT64_MAX) == 0.0);
    for (int64_t j = 1; j < 20; j++) {
      int64_t k = (steps * j) / 20;
      check_near(budget(&s, k), 0.02L * (1 - (long double)k / (long double)steps), 0.02);
    }
  }
  trb_schedule longest = decay(TRB_SCHEDULE_LINEAR, 1.0, INT64_MAX);
  ck_assert(budget(&longest, INT64_MAX - 1) > 0.0);
  ck_assert(budget(&longest, INT64_MAX) == 0.0);
}
END_TEST

START_TEST(constant_ends_after_its_last_step) {
  trb_schedule s = decay(TRB_SCHEDULE_CONSTANT, 0.05, 3);
  for (int64_t k = 0; k <= 3; k++) ck_assert(budget(&s, k) == 0.05);
  ck_assert(budget(&s, 4) == 0.0);
  trb_schedule endless = decay(TRB_SCHEDULE_CONSTANT, 0.05, 0);
  ck_assert(budget(&endless, 0) == 0.05);
  ck_assert(budget(&endless, INT64_MAX) == 0.05);
}
END_TEST

START_TEST(cosine_falls_to_zero) {
  static const int64_t lengths[] = {1, 2, 3, 25, 50, 1001};
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    int64_t steps = lengths[i];
    trb_schedule s = decay(TRB_SCHEDULE_COSINE, 0.02, steps);
    ck_assert(budget(&s, 0) == 0.02);
    ck_assert(budget(&s, steps) == 0.0);
    ck_assert(budget(&s, steps + 1) == 0.0);
    for (int64_t k = 0; k < steps; k++) {
      ck_assert(budget(&s, k) > budget(&s, k + 1));
      check_near(budget(&s, k), 0.01L * (1 + cosl(PI * (long double)k / (long double)steps)), 0.02);
    }
  }
  trb_schedule longest = decay(TRB_SCHEDULE_COSINE, 1.0, INT64_MAX);
  ck_assert(budget(&longest, INT64_MAX - 1) >= 0.0);
  ck_assert(budget(&longest, INT64_MAX) == 0.0);
}
END_TEST

START_TEST(piecewise_joins_its_points) {
  static const int64_t at[] = {10, 20, 50, 51};
  static const double budgets[] = {0.02, 0.05, 0.01, 0.0};
  trb_schedule s = points(at, budgets, 4);
  ck_assert(budget(&s, 0) == 0.02);
  ck_assert(budget(&s, 9) == 0.02);
  for (int i = 0; i < 4; i++) ck_assert(budget(&s, at[i]) == budgets[i]);
  for (int64_t k = 11; k < 20; k++) check_near(budget(&s, k), 0.02L + 0.03L * (long double)(k - 10) / 10, 0.05);
  for (int64_t k = 21; k < 50; k++) check_near(budget(&s, k), 0.05L - 0.04L * (long double)(k - 20) / 30, 0.05);
  ck_assert(budget(&s, 52) == 0.0);

  trb_schedule cut = points(at, budgets, 3);
  ck_assert(budget(&cut, 50) == 0.01);
  ck_assert(budget(&cut, 51) == 0.0);
  trb_schedule one = points(at, budgets, 1);
  ck_assert(budget(&one, 0) == 0.02);
  ck_assert(budget(&one, 10) == 0.02);
  ck_assert(budget(&one, 11) == 0.0);
}
END_TEST

START_TEST(piecewise_takes_extremes) {
  static const int64_t at[] = {0, INT64_MAX - 1, INT64_MAX};
  static const double budgets[] = {1.7e308, 1e-300, 1.7e308};
  trb_schedule s = points(at, budgets, 3);
  for (int i = 0; i < 3; i++) ck_assert(budget(&s, at[i]) == budgets[i]);
  check_near(budget(&s, INT64_MAX / 2) / 1.7e308, 0.5L, 1.0);
  for (int64_t back = 1; back < 4000; back++) ck_assert(budget(&s, INT64_MAX - 1 - back) >= 0.0);
}
END_TEST

START_TEST(zero_budgets_stay_zero) {
  for (int32_t kind = TRB_SCHEDULE_LINEAR; kind <= TRB_SCHEDULE_COSINE; kind++) {
    trb_schedule s = decay(kind, 0.0, 7);
    for (int64_t k = 0; k < 9; k++) ck_assert(budget(&s, k) == 0.0);
  }
}
END_TEST

/* ---- Contract ---- */

static trb_context *new_context(void) {
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(NULL, &ctx), TRB_OK);
  return ctx;
}

/* The schedule is refused with a text that begins with `text`, with and without a context, and out is not touched. */
static void check_refused(const trb_schedule *schedule, int64_t k, const char *text) {
  trb_context *ctx = new_context();
  double out = SENTINEL;
  ck_assert_int_eq(trb_schedule_at(ctx, schedule, k, &out), TRB_EINVAL);
  ck_assert_msg(strncmp(trb_context_error(ctx), text, strlen(text)) == 0, "\"%s\" does not begin with \"%s\"",
                trb_context_error(ctx), text);
  ck_assert_int_eq(trb_schedule_at(NULL, schedule, k, &out), TRB_EINVAL);
  ck_assert(out == SENTINEL);
  trb_context_free(ctx);
}

START_TEST(arguments_are_checked) {
  trb_schedule s = decay(TRB_SCHEDULE_LINEAR, 0.02, 10);
  check_refused(NULL, 0, "schedule: expected a schedule, got NULL");
  check_refused(&s, -1, "k: expected a step >= 0, got -1");
  check_refused(&s, INT64_MIN, "k:");
  ck_assert_int_eq(trb_schedule_at(NULL, &s, 0, NULL), TRB_EINVAL);
  s.kind = 4;
  check_refused(&s, 0, "schedule->kind: expected TRB_SCHEDULE_*, got 4");
  s.kind = -1;
  check_refused(&s, 0, "schedule->kind:");
  s.kind = TRB_SCHEDULE_LINEAR;
  s.reserved = 1;
  check_refused(&s, 0, "schedule->reserved: expected 0, got 1");
}
END_TEST

START_TEST(decays_are_checked) {
  static const double bad[] = {-1e-300, -INFINITY, INFINITY, NAN};
  static const int64_t at = 0;
  static const double value = 0.0;
  for (int32_t kind = TRB_SCHEDULE_LINEAR; kind <= TRB_SCHEDULE_COSINE; kind++) {
    trb_schedule s = decay(kind, 0.02, 10);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
      s.initial = bad[i];
      check_refused(&s, 0, "schedule->initial: expected a finite number >= 0, got");
    }
    s = decay(kind, 0.02, kind == TRB_SCHEDULE_CONSTANT ? -1 : 0);
    check_refused(&s, 0, "schedule->steps: expected at least");
    s = decay(kind, 0.02, INT64_MIN);
    check_refused(&s, 0, "schedule->steps: expected at least");
    s = decay(kind, 0.02, 10);
    s.at = &at;
    check_refused(&s, 0, "schedule->at: expected none");
    s = decay(kind, 0.02, 10);
    s.budgets = &value;
    check_refused(&s, 0, "schedule->budgets: expected none");
    s = decay(kind, 0.02, 10);
    s.points = 1;
    check_refused(&s, 0, "schedule->points: expected none");
  }
}
END_TEST

START_TEST(points_are_checked) {
  int64_t at[] = {0, 5, 9};
  double budgets[] = {0.02, 0.01, 0.0};
  trb_schedule s = points(at, budgets, 3);
  s.initial = 0.02;
  check_refused(&s, 0, "schedule->initial: expected 0 with points");
  s.initial = NAN;
  check_refused(&s, 0, "schedule->initial: expected 0 with points");
  s = points(at, budgets, 3);
  s.steps = 9;
  check_refused(&s, 0, "schedule->steps: expected 0 with points, got 9");
  s = points(at, budgets, 0);
  check_refused(&s, 0, "schedule->points: expected at least 1, got 0");
  s = points(NULL, budgets, 3);
  check_refused(&s, 0, "schedule->at: expected 3 points, got NULL");
  s = points(at, NULL, 3);
  check_refused(&s, 0, "schedule->budgets: expected 3 points, got NULL");

  s = points(at, budgets, 3);
  at[0] = -1;
  check_refused(&s, 0, "schedule->at[0]: expected a step of at least 0, got -1");
  at[0] = 5;
  check_refused(&s, 0, "schedule->at[1]: expected a step after 5, got 5");
  at[0] = 6;
  check_refused(&s, 0, "schedule->at[1]: expected a step after 6, got 5");
  at[0] = 0;
  static const double bad[] = {-1e-300, -INFINITY, INFINITY, NAN};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    budgets[2] = bad[i];
    check_refused(&s, 0, "schedule->budgets[2]: expected a finite number >= 0, got"); /* though step 0 needs it not */
  }
}
END_TEST

START_TEST(structs_of_other_ages_are_read) {
  struct {
    trb_schedule known;
    unsigned char later[24];
  } s = {.known = decay(TRB_SCHEDULE_LINEAR, 0.02, 10)};
  s.known.size = sizeof s;
  ck_assert(budget(&s.known, 0) == 0.02);
  s.later[23] = 1;
  check_refused(&s.known, 0, "schedule: expected 0 beyond the");
  s.later[23] = 0;
  s.known.size = sizeof(trb_schedule) - 1;
  check_refused(&s.known, 0, "schedule->size:");
  s.known.size = 0;
  check_refused(&s.known, 0, "schedule->size:");
}
END_TEST

Suite *schedule_suite(void) {
  Suite *suite = suite_create("schedule");
  TCase *values = tcase_create("values");
  tcase_add_test(values, linear_falls_to_zero);
  tcase_add_test(values, constant_ends_after_its_last_step);
  tcase_add_test(values, cosine_falls_to_zero);
  tcase_add_test(values, piecewise_joins_its_points);
  tcase_add_test(values, piecewise_takes_extremes);
  tcase_add_test(values, zero_budgets_stay_zero);
  suite_add_tcase(suite, values);
  TCase *contract = tcase_create("contract");
  tcase_add_test(contract, arguments_are_checked);
  tcase_add_test(contract, decays_are_checked);
  tcase_add_test(contract, points_are_checked);
  tcase_add_test(contract, structs_of_other_ages_are_read);
  suite_add_tcase(suite, contract);
  return suite;
}
