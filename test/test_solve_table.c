/* test_solve_table.c - the edge cases of trb_solve, one test for each: budgets at the ends, masks on either side, rows
 * without a result, extreme numbers, vocabularies of different size. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "check_solve.h"
#include "suites.h"
#include "common.h"

static const double NO = -(double)INFINITY;

/* A pair of single rows. */
static models pair_of(const double *s, const double *t, int64_t n, int32_t dtype) {
  models m = models_new(1, n, dtype, dtype, 0.0f, 0.0f);
  matrix_set_row(&m.s, 0, s);
  matrix_set_row(&m.t, 0, t);
  return m;
}

/* Solves one row by both methods, checks both against the contract and returns the default's record. */
static trb_blend solve_checked(const trb_logits *s, const trb_logits *t, double budget) {
  trb_blend out[2];
  oracle o = oracle_new(s->vocab);
  oracle_load(&o, s, t, 0);
  for (int32_t method = 1; method >= 0; method--) {
    trb_solve_options options = {sizeof options, 0.0, method, 0};
    memset(&out[method], 0x5A, sizeof out[method]);
    ck_assert_int_eq(trb_solve(NULL, s, t, &budget, 1, &options, &out[method]), o.bad ? TRB_EROWS : TRB_OK);
    solve_check(&(solve_problem){&o, budget, 0.0, describe("method %d dtype %d", method, s->dtype)}, &out[method],
                NULL);
  }
  ck_assert_int_eq(out[0].status, out[1].status);
  oracle_free(&o);
  return out[0];
}

static trb_blend solve_pair(const double *s, const double *t, int64_t n, int32_t dtype, double budget) {
  models m = pair_of(s, t, n, dtype);
  trb_blend b = solve_checked(&m.s.view, &m.t.view, budget);
  models_free(&m);
  return b;
}

static const double first[5] = {1.0, -2.0, 0.5, 3.0, 0.0};
static const double second[5] = {-1.0, 2.0, 0.25, -3.0, 1.0};

/* Loop tests run over the three element types. */
START_TEST(test_zero_budget_is_student) {
  trb_blend b = solve_pair(first, second, 5, _i, 0.0);
  ck_assert_int_eq(b.status, TRB_ROW_STUDENT);
  ck_assert(b.beta == 0.0 && isinf(b.multiplier) && b.kl_student == 0.0 && b.kl_teacher == b.reverse_kl);
  ck_assert(b.log_norm == b.lse_student);
}
END_TEST

START_TEST(test_zero_budget_needs_no_teacher) {
  models m = pair_of(first, second, 5, _i);
  trb_blend b = solve_checked(&m.s.view, NULL, 0.0);
  ck_assert_int_eq(b.status, TRB_ROW_STUDENT);
  ck_assert(isnan(b.kl_teacher) && isnan(b.reverse_kl) && isnan(b.lse_teacher));
  models_free(&m);
}
END_TEST

/* Budget 0 decides before the supports, before p = q. */
START_TEST(test_zero_budget_decides_first) {
  const double only_a[2] = {0.0, NO}, only_b[2] = {NO, 0.0};
  ck_assert_int_eq(solve_pair(only_a, only_b, 2, _i, 0.0).status, TRB_ROW_STUDENT);
  ck_assert_int_eq(solve_pair(first, first, 5, _i, 0.0).status, TRB_ROW_STUDENT);
}
END_TEST

START_TEST(test_teacher_inside_budget) {
  models m = pair_of(first, second, 5, _i);
  oracle o = oracle_new(5);
  oracle_load(&o, &m.s.view, &m.t.view, 0);
  double kl = (double)oracle_kl_student(&o, 1.0);
  trb_blend b = solve_checked(&m.s.view, &m.t.view, kl * 1.001);
  ck_assert_int_eq(b.status, TRB_ROW_TEACHER);
  ck_assert(b.beta == 1.0 && b.multiplier == 0.0 && b.kl_teacher <= 1e-6);
  assert_near(b.log_norm, oracle_blend_at(&o, 1.0).lse_teacher, 6e-7, "q itself");
  b = solve_checked(&m.s.view, &m.t.view, kl * 0.999);
  ck_assert_int_eq(b.status, TRB_ROW_BLENDED);
  ck_assert(b.beta < 1.0);
  oracle_free(&o);
  models_free(&m);
}
END_TEST

START_TEST(test_infinite_budget_is_teacher) {
  ck_assert_int_eq(solve_pair(first, second, 5, _i, (double)INFINITY).status, TRB_ROW_TEACHER);
  ck_assert_int_eq(solve_pair(first, second, 5, _i, DBL_MAX).status, TRB_ROW_TEACHER);
}
END_TEST

/* q renormalized on the student's support decides, not q. */
START_TEST(test_student_masks) {
  const double s[4] = {1.0, NO, 0.0, 2.0}, t[4] = {0.5, 30.0, 1.0, 0.0};
  trb_blend b = solve_pair(s, t, 4, _i, 5.0);
  ck_assert_int_eq(b.status, TRB_ROW_TEACHER);
  ck_assert_double_gt(b.kl_teacher, 25.0); /* -log Q(common support) */
  b = solve_pair(s, t, 4, _i, 0.1);
  ck_assert_int_eq(b.status, TRB_ROW_BLENDED);
}
END_TEST

START_TEST(test_teacher_masks) {
  const double s[4] = {1.0, 0.0, 0.0, 2.0}, t[4] = {0.5, NO, 1.0, 0.0};
  models m = pair_of(s, t, 4, _i);
  oracle o = oracle_new(4);
  oracle_load(&o, &m.s.view, &m.t.view, 0);
  double cost = (double)oracle_support_cost(&o);
  trb_blend b = solve_checked(&m.s.view, &m.t.view, cost * 0.999);
  ck_assert_int_eq(b.status, TRB_ROW_UNREACHABLE);
  ck_assert(b.beta == 0.0 && isinf(b.kl_teacher) && isinf(b.reverse_kl) && b.kl_student == 0.0);
  b = solve_checked(&m.s.view, &m.t.view, cost * 1.001);
  ck_assert_int_eq(b.status, TRB_ROW_BLENDED);
  ck_assert(b.beta > 0.0 && isfinite(b.kl_teacher) && isinf(b.reverse_kl));
  oracle_free(&o);
  models_free(&m);
}
END_TEST

START_TEST(test_disjoint_supports) {
  static const double budgets[] = {1e-6, 1.0, 10.0, 1e300, (double)INFINITY};
  const double s[4] = {1.0, NO, 0.0, NO}, t[4] = {NO, 3.0, NO, 0.0};
  for (int i = 0; i < 5; i++) {
    trb_blend b = solve_pair(s, t, 4, _i, budgets[i]);
    ck_assert_int_eq(b.status, TRB_ROW_UNREACHABLE);
    ck_assert(b.beta == 0.0 && b.kl_student == 0.0 && isinf(b.kl_teacher) && isinf(b.reverse_kl));
  }
}
END_TEST

/* p = q, also where one is shifted by a constant that no rounding touches, and at a budget below any rounding. */
START_TEST(test_equal_models) {
  static const double budgets[] = {1e-300, 1e-12, 1e-6, 1.0, (double)INFINITY};
  double shifted[5];
  for (int v = 0; v < 5; v++) shifted[v] = first[v] + 4.0;
  for (int i = 0; i < 5; i++) {
    trb_blend b = solve_pair(first, first, 5, _i, budgets[i]);
    ck_assert(b.status == TRB_ROW_TEACHER && b.beta == 1.0 && b.kl_student == 0.0 && b.kl_teacher == 0.0);
    ck_assert(b.reverse_kl == 0.0);
    if (budgets[i] < 1e-6) continue;
    b = solve_pair(first, shifted, 5, _i, budgets[i]);
    ck_assert(b.status == TRB_ROW_TEACHER && b.beta == 1.0 && b.kl_student <= 1e-12 && b.kl_teacher <= 1e-12);
  }
}
END_TEST

/* -inf, NaN and +inf at every position of either model and of both. */
START_TEST(test_special_values_at_every_position) {
  const double special[3] = {NO, (double)NAN, (double)INFINITY};
  for (int64_t n = 1; n <= 5; n++) {
    for (int what = 0; what < 3; what++) {
      for (int64_t v = 0; v < n; v++) {
        for (int who = 1; who <= 3; who++) {
          double s[5], t[5];
          memcpy(s, first, sizeof s);
          memcpy(t, second, sizeof t);
          if (who & 1) s[v] = special[what];
          if (who & 2) t[v] = special[what];
          trb_blend b = solve_pair(s, t, n, _i, 0.3);
          int32_t expected = what > 0 ? TRB_ROW_NOT_A_NUMBER : n == 1 ? TRB_ROW_EMPTY : b.status;
          ck_assert_int_eq(b.status, expected);
          if (what == 0 && n > 1) ck_assert_int_ge(b.status, 0);
          solve_pair(s, t, n, _i, 0.0);
        }
      }
    }
  }
}
END_TEST

START_TEST(test_all_masked) {
  const double none[3] = {NO, NO, NO};
  for (int who = 1; who <= 3; who++) {
    trb_blend b = solve_pair(who & 1 ? none : first, who & 2 ? none : second, 3, _i, 1.0);
    ck_assert_int_eq(b.status, TRB_ROW_EMPTY);
    ck_assert(isnan(b.beta) && isnan(b.kl_student) && isnan(b.lse_student));
  }
}
END_TEST

/* Bad rows among good ones: TRB_EROWS, the good ones as if alone, the counts in the error text. */
START_TEST(test_bad_rows_leave_the_others) {
  models m = models_new(4, 5, _i, _i, 0.0f, 0.0f);
  for (int64_t r = 0; r < 4; r++) {
    matrix_set_row(&m.s, r, first);
    matrix_set_row(&m.t, r, second);
  }
  matrix_set(&m.s, 1, 4, (double)NAN);
  for (int64_t v = 0; v < 5; v++) matrix_set(&m.t, 2, v, NO);
  double budget = 0.05;
  trb_blend out[4], alone;
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  ck_assert_int_eq(trb_solve(ctx, &m.s.view, &m.t.view, &budget, 1, NULL, out), TRB_EROWS);
  ck_assert_str_ne(trb_context_error(ctx), "");
  ck_assert_int_eq(out[1].status, TRB_ROW_NOT_A_NUMBER);
  ck_assert_int_eq(out[2].status, TRB_ROW_EMPTY);
  trb_logits s = matrix_rows(&m.s.view, 3, 1), t = matrix_rows(&m.t.view, 3, 1);
  ck_assert_int_eq(trb_solve(ctx, &s, &t, &budget, 1, NULL, &alone), TRB_OK);
  ck_assert_mem_eq(&out[0], &alone, sizeof alone);
  ck_assert_mem_eq(&out[3], &alone, sizeof alone);
  trb_context_free(ctx);
  models_free(&m);
}
END_TEST

START_TEST(test_one_token) {
  const double a[1] = {3.0}, b[1] = {-700.0};
  ck_assert_int_eq(solve_pair(a, b, 1, _i, 1e-6).status, TRB_ROW_TEACHER);
  ck_assert_int_eq(solve_pair(b, a, 1, _i, (double)INFINITY).status, TRB_ROW_TEACHER);
  ck_assert_int_eq(solve_pair(b, a, 1, _i, 0.0).status, TRB_ROW_STUDENT);
}
END_TEST

/* The largest and smallest finite numbers of the type, temperatures at both ends. */
START_TEST(test_extreme_magnitudes) {
  static const float temperatures[] = {0.0f, 1e-3f, 1e3f, FLT_MIN, FLT_MAX};
  static const double sizes[] = {1e30, 1e300, 60000.0, 1e-40, 5e-324, 100.0};
  static const double budgets[] = {1e-6, 0.02, 10.0};
  for (int i = 0; i < 6; i++) {
    for (int k = 0; k < 5 * 3; k++) {
      double x = sizes[i];
      const double s[4] = {x, -x, 0.0, 0.5 * x}, t[4] = {-x, x, 0.25 * x, 0.0};
      models m = pair_of(s, t, 4, _i);
      m.s.view.temperature = m.t.view.temperature = temperatures[k / 3];
      solve_checked(&m.s.view, &m.t.view, budgets[k % 3]);
      models_free(&m);
    }
  }
}
END_TEST

/* A masked token and one at -1e30 are different things. */
START_TEST(test_nearly_masked_is_reachable) {
  const double t[3] = {0.0, -6e4, 1.0}, s[3] = {0.0, 0.0, 0.0};
  ck_assert_int_eq(solve_pair(s, t, 3, _i, 0.1).status, TRB_ROW_BLENDED);
  const double far[3] = {0.0, -1e30, 1.0};
  ck_assert_int_eq(solve_pair(s, far, 3, TRB_F32, 0.1).status, TRB_ROW_BLENDED);
}
END_TEST

/* Tokens beyond the smaller vocabulary hold NaN: they are never read. */
START_TEST(test_vocabularies_of_different_size) {
  for (int larger = 0; larger < 2; larger++) {
    for (int64_t n = 1; n <= 40; n++) {
      models m = {matrix_new(1, n + (larger ? 0 : 33), 0, _i, 0.0f), matrix_new(1, n + (larger ? 33 : 0), 0, _i, 1.3f)};
      rng g = {(uint64_t)n};
      models_fill_row(&m, 0, &g, FAMILY_CORRELATED);
      trb_blend b = solve_checked(&m.s.view, &m.t.view, 0.02);
      ck_assert_int_ge(b.status, 0);
      models_free(&m);
    }
  }
}
END_TEST

START_TEST(test_no_rows) {
  trb_logits none = {NULL, 0, 5, 5, _i, 0.0f};
  double budget = 0.1;
  ck_assert_int_eq(trb_solve(NULL, &none, &none, &budget, 1, NULL, NULL), TRB_OK);
  ck_assert_int_eq(trb_solve(NULL, &none, &none, NULL, 0, NULL, NULL), TRB_OK);
}
END_TEST

/* One budget for all rows is the same as a list of equal ones. */
START_TEST(test_shared_budget) {
  rng g = {11};
  models m = models_random(&g, FAMILY_CORRELATED, 6, 50, _i);
  double shared = 0.01, each[6] = {0.01, 0.01, 0.01, 0.01, 0.01, 0.01};
  trb_blend a[6], b[6];
  ck_assert_int_eq(trb_solve(NULL, &m.s.view, &m.t.view, &shared, 1, NULL, a), TRB_OK);
  ck_assert_int_eq(trb_solve(NULL, &m.s.view, &m.t.view, each, 6, NULL, b), TRB_OK);
  ck_assert_mem_eq(a, b, sizeof a);
  models_free(&m);
}
END_TEST

TCase *solve_table_case(void) {
  TCase *tc = long_case("table");
  tcase_add_loop_test(tc, test_zero_budget_is_student, 0, 3);
  tcase_add_loop_test(tc, test_zero_budget_needs_no_teacher, 0, 3);
  tcase_add_loop_test(tc, test_zero_budget_decides_first, 0, 3);
  tcase_add_loop_test(tc, test_teacher_inside_budget, 0, 3);
  tcase_add_loop_test(tc, test_infinite_budget_is_teacher, 0, 3);
  tcase_add_loop_test(tc, test_student_masks, 0, 3);
  tcase_add_loop_test(tc, test_teacher_masks, 0, 3);
  tcase_add_loop_test(tc, test_disjoint_supports, 0, 3);
  tcase_add_loop_test(tc, test_equal_models, 0, 3);
  tcase_add_loop_test(tc, test_special_values_at_every_position, 0, 3);
  tcase_add_loop_test(tc, test_all_masked, 0, 3);
  tcase_add_loop_test(tc, test_bad_rows_leave_the_others, 0, 3);
  tcase_add_loop_test(tc, test_one_token, 0, 3);
  tcase_add_loop_test(tc, test_extreme_magnitudes, 0, 3);
  tcase_add_loop_test(tc, test_nearly_masked_is_reachable, 0, 3);
  tcase_add_loop_test(tc, test_vocabularies_of_different_size, 0, 3);
  tcase_add_loop_test(tc, test_no_rows, 0, 3);
  tcase_add_loop_test(tc, test_shared_budget, 0, 3);
  return tc;
}
