/* test_solve.c - the accuracy contract of trb_solve over random rows of every family. */
#include <math.h>
#include <stdio.h>

#include "check_solve.h"
#include "suites.h"
#include "common.h"

enum { BATCH = 8 };

static double random_budget(rng *g) {
  static const double corners[] = {1e-6, 10.0, 0.02, 0.0, (double)INFINITY, 1e-3, 1.0};
  if (rng_chance(g, 0.1)) return corners[rng_next(g) % (sizeof corners / sizeof corners[0])];
  return rng_scale(g, 1e-6, 10.0);
}

static float random_temperature(rng *g) {
  static const float common[] = {0.0f, 0.5f, 1.3f};
  if (rng_chance(g, 0.02)) return 1e-3f;
  if (rng_chance(g, 0.02)) return 1e3f;
  return common[rng_next(g) % 3];
}

static void check_batch(rng *g, int family, int64_t vocab, int32_t method, solve_worst *w) {
  uint64_t seed = g->state;
  int64_t rows = vocab > 10000 ? 1 : BATCH;
  int64_t more = family == FAMILY_SIZES ? rng_between(g, 0, 70) - 35 : 0;
  models m = models_varied(g, rows, vocab, more);
  m.s.view.temperature = random_temperature(g);
  m.t.view.temperature = random_temperature(g);
  if (rng_chance(g, 0.7)) m.t.view.temperature = m.s.view.temperature;
  double budget[BATCH];
  trb_blend out[BATCH];
  for (int64_t r = 0; r < rows; r++) {
    models_fill_row(&m, r, g, family);
    budget[r] = random_budget(g);
  }
  trb_solve_options options = {sizeof options, 0.0, method, 0};
  trb_status status = trb_solve(NULL, &m.s.view, &m.t.view, budget, rows, &options, out);
  oracle o = oracle_new(vocab);
  int64_t bad = 0;
  for (int64_t r = 0; r < rows; r++) {
    oracle_load(&o, &m.s.view, &m.t.view, r);
    bad += o.bad != 0;
    char where[200];
    snprintf(where, sizeof where, "%s seed %#llx row %d vocab %d/%d dtypes %d %d temperatures %g %g method %d",
             family_name(family), (unsigned long long)seed, (int)r, (int)m.s.view.vocab, (int)m.t.view.vocab,
             m.s.view.dtype, m.t.view.dtype, (double)m.s.view.temperature, (double)m.t.view.temperature, method);
    solve_check(&(solve_problem){&o, budget[r], 0.0, where}, &out[r], w);
  }
  ck_assert_int_eq(status, bad ? TRB_EROWS : TRB_OK);
  oracle_free(&o);
  models_free(&m);
}

/* Loop test: one family each; 19 families of 6,000 rows, of which a tenth again by bisection. */
START_TEST(test_accuracy) {
  int family = _i;
  rng g = {0xACC0 + (uint64_t)family};
  solve_worst newton = {0}, bisection = {0};
  newton.over = bisection.over = -1.0;
  int64_t batches = scaled(6000) / BATCH + 1;
  for (int64_t i = 0; i < batches; i++) {
    int64_t vocab = family_vocab(&g, family);
    check_batch(&g, family, vocab, TRB_METHOD_NEWTON, &newton);
    if (i % 10 == 0) check_batch(&g, family, vocab, TRB_METHOD_BISECTION, &bisection);
  }
  solve_report(family_name(family), &newton);
  solve_report("  bisection", &bisection);
  /* About four to eleven passes by Newton's method and 20 to 30 by bisection: a bad first guess or step shows here. */
  if (family != FAMILY_HUGE && newton.rows > 1000) ck_assert_double_le(newton.passes / (double)newton.rows, 16.0);
}
END_TEST

/* Rows just long enough for an outline, so that many can be tried: lean kernels and the model of the tail. */
START_TEST(test_long_rows) {
  rng g = {0x10E6 + (uint64_t)_i};
  solve_worst newton = {0};
  newton.over = -1.0;
  const int64_t batches = scaled(300) / BATCH + 1;
  for (int64_t i = 0; i < batches; i++) check_batch(&g, _i, rng_between(&g, 4097, 9000), TRB_METHOD_NEWTON, &newton);
  solve_report(family_name(_i), &newton);
}
END_TEST

/* Vocabularies of real models. */
START_TEST(test_large_vocabularies) {
  rng g = {0x1A36E + (uint64_t)_i};
  solve_worst newton = {0}, bisection = {0};
  newton.over = bisection.over = -1.0;
  int64_t rows = scaled(6);
  for (int64_t i = 0; i < rows; i++) check_batch(&g, _i, 32000, TRB_METHOD_NEWTON, &newton);
  check_batch(&g, _i, 151936, TRB_METHOD_NEWTON, &newton);
  check_batch(&g, _i, 32000, TRB_METHOD_BISECTION, &bisection);
  solve_report(family_name(_i), &newton);
}
END_TEST

Suite *solve_suite(void) {
  Suite *suite = suite_create("solve");
  suite_add_tcase(suite, solve_table_case());
  suite_add_tcase(suite, solve_properties_case());
  TCase *tc = long_case("accuracy");
  tcase_add_loop_test(tc, test_accuracy, 0, FAMILIES);
  tcase_add_loop_test(tc, test_long_rows, 0, FAMILIES);
  tcase_add_loop_test(tc, test_large_vocabularies, 0, FAMILIES);
  suite_add_tcase(suite, tc);
  return suite;
}
