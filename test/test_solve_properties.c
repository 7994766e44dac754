/* test_solve_properties.c - what must hold between the results of several solves: monotony, identities, invariance. */
#include <math.h>
#include <string.h>

#include "check_solve.h"
#include "suites.h"
#include "common.h"

static const int families[] = {FAMILY_GAUSSIAN,     FAMILY_SPIKY,  FAMILY_CORRELATED,   FAMILY_DISAGREEING,
                               FAMILY_MASK_TEACHER, FAMILY_PEAKED, FAMILY_MASK_STUDENT, FAMILY_DEEP_TAIL};
enum { N_FAMILIES = sizeof families / sizeof families[0] };

/* beta grows with the budget and KL(mu||q) falls; equal up to the tolerance of either solve. */
START_TEST(test_monotone_in_budget) {
  rng g = {21 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(60); i++) {
    models m = models_random(&g, families[_i], 1, rng_size(&g, 2, 300), TRB_F32);
    trb_blend last = {0}, b;
    last.kl_teacher = (double)INFINITY;
    for (double budget = 1e-6; budget < 12.0; budget *= 1.5) {
      ck_assert_int_eq(trb_solve(NULL, &m.s.view, &m.t.view, &budget, 1, NULL, &b), TRB_OK);
      ck_assert_msg(b.beta >= last.beta && b.kl_student >= last.kl_student * (1 - 1e-6),
                    "%s budget %g: beta %.17g, was %.17g", family_name(families[_i]), budget, b.beta, last.beta);
      ck_assert_double_le(b.kl_teacher, last.kl_teacher + 2e-6 * (1 + b.kl_teacher));
      last = b;
    }
    models_free(&m);
  }
}
END_TEST

/* With A = log_norm - (1-beta) lse_student - beta lse_teacher (paper, section 2):
 * (1-beta) KL(mu||p) + beta KL(mu||q) = -A, and KL(mu||q) <= KL(p||q) whatever the budget. */
START_TEST(test_identities) {
  rng g = {31 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(400); i++) {
    models m = models_random(&g, families[_i], 1, rng_size(&g, 2, 300), (int32_t)(i % 3));
    double budget = rng_scale(&g, 1e-6, 10.0);
    trb_blend b;
    ck_assert_int_eq(trb_solve(NULL, &m.s.view, &m.t.view, &budget, 1, NULL, &b), TRB_OK);
    if (b.status != TRB_ROW_UNREACHABLE) {
      double a = b.log_norm - (1 - b.beta) * b.lse_student - b.beta * b.lse_teacher;
      double mean = (1 - b.beta) * b.kl_student + b.beta * b.kl_teacher;
      assert_near(mean, (long double)-a, 2e-6 * (1 + fabs(a)), "%s beta %g", family_name(families[_i]), b.beta);
    }
    ck_assert(b.kl_teacher <= b.reverse_kl * (1 + 1e-6) + 1e-6);
    models_free(&m);
  }
}
END_TEST

/* Rows of multiples of 1/64, so that shifts by integers are exact. */
static models coarse(rng *g, int family, int64_t vocab) {
  models m = models_random(g, family, 1, vocab, TRB_F32);
  for (int64_t v = 0; v < vocab; v++) {
    matrix_set(&m.s, 0, v, floor(64.0 * matrix_get(&m.s.view, 0, v)) / 64.0);
    matrix_set(&m.t, 0, v, floor(64.0 * matrix_get(&m.t.view, 0, v)) / 64.0);
  }
  return m;
}

static void assert_same_blend(const trb_blend *a, const trb_blend *b, double budget, const char *what) {
  ck_assert_int_eq(a->status, b->status);
  /* Each ends within 2e-5 below the budget; the KLs of equal betas differ by rounding. */
  assert_near(a->kl_student, (long double)b->kl_student, 1e-4 * budget, "%s", what);
  assert_near(a->reverse_kl, (long double)b->reverse_kl, 2e-6 * (1 + b->reverse_kl), "%s", what);
  assert_near(a->beta, (long double)b->beta, 2e-4 * b->beta, "%s", what);
  assert_near(a->kl_teacher, (long double)b->kl_teacher, 2e-4 * (1 + b->kl_teacher), "%s", what);
}

START_TEST(test_shift_invariance) {
  rng g = {41 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(100); i++) {
    int64_t vocab = rng_size(&g, 2, 300);
    models m = coarse(&g, families[_i], vocab);
    double budget = rng_scale(&g, 1e-6, 10.0);
    trb_blend a, b;
    trb_solve(NULL, &m.s.view, &m.t.view, &budget, 1, NULL, &a);
    for (int64_t v = 0; v < vocab; v++) {
      matrix_set(&m.s, 0, v, matrix_get(&m.s.view, 0, v) + 77.0);
      matrix_set(&m.t, 0, v, matrix_get(&m.t.view, 0, v) - 1000.0);
    }
    trb_solve(NULL, &m.s.view, &m.t.view, &budget, 1, NULL, &b);
    assert_same_blend(&a, &b, budget, family_name(families[_i]));
    assert_near(b.lse_student, (long double)a.lse_student + 77, 1e-6, "shifted");
    assert_near(b.lse_teacher, (long double)a.lse_teacher - 1000, 1e-6, "shifted");
    models_free(&m);
  }
}
END_TEST

START_TEST(test_token_permutation) {
  rng g = {51 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(100); i++) {
    int64_t vocab = i % 10 ? rng_size(&g, 2, 300) : rng_between(&g, 1000, 3000);
    models m = models_random(&g, families[_i], 1, vocab, TRB_F32), n = {matrix_copy(&m.s), matrix_copy(&m.t)};
    for (int64_t v = vocab - 1; v > 0; v--) {
      int64_t w = rng_between(&g, 0, v);
      const matrix *both[2] = {&n.s, &n.t};
      for (int k = 0; k < 2; k++) {
        double x = matrix_get(&both[k]->view, 0, v);
        matrix_set(both[k], 0, v, matrix_get(&both[k]->view, 0, w));
        matrix_set(both[k], 0, w, x);
      }
    }
    double budget = rng_scale(&g, 1e-6, 10.0);
    trb_blend a, b;
    trb_solve(NULL, &m.s.view, &m.t.view, &budget, 1, NULL, &a);
    trb_solve(NULL, &n.s.view, &n.t.view, &budget, 1, NULL, &b);
    assert_same_blend(&a, &b, budget, family_name(families[_i]));
    models_free(&m);
    models_free(&n);
  }
}
END_TEST

/* A smaller or larger tolerance than the default, by both methods. */
START_TEST(test_tolerance) {
  static const double tolerances[] = {1e-5, 1e-4, 1e-2, 0.5};
  rng g = {61 + (uint64_t)_i};
  int early = 0;
  for (int64_t i = 0; i < scaled(100); i++) {
    models m = models_random(&g, families[_i], 1, rng_size(&g, 2, 300), TRB_F32);
    double budget = rng_scale(&g, 1e-6, 10.0);
    oracle o = oracle_new(m.s.view.vocab);
    oracle_load(&o, &m.s.view, &m.t.view, 0);
    for (int k = 0; k < 8; k++) {
      trb_solve_options options = {sizeof options, tolerances[k / 2], k % 2, 0};
      trb_blend b;
      ck_assert_int_eq(trb_solve(NULL, &m.s.view, &m.t.view, &budget, 1, &options, &b), TRB_OK);
      solve_check(&(solve_problem){&o, budget, options.tolerance, "tolerance"}, &b, NULL);
      early += options.tolerance == 0.5 && b.status == TRB_ROW_BLENDED && b.kl_student < 0.999 * budget;
    }
    oracle_free(&o);
    models_free(&m);
  }
  if (scaled(100) >= 10) ck_assert_int_gt(early, 0); /* the field is read at all; a few rows may all be the teacher's */
}
END_TEST

/* Options of all zeros, of NULL, and of a later version of the struct whose new fields are zero. */
START_TEST(test_option_structs) {
  rng g = {71};
  models m = models_random(&g, FAMILY_CORRELATED, 3, 100, TRB_F32);
  double budget = 0.01;
  struct {
    trb_solve_options known;
    char more[40];
  } later = {{sizeof later, 0.0, 0, 0}, {0}};
  trb_solve_options zero = {sizeof zero, 0.0, 0, 0};
  trb_blend a[3], b[3];
  ck_assert_int_eq(trb_solve(NULL, &m.s.view, &m.t.view, &budget, 1, NULL, a), TRB_OK);
  ck_assert_int_eq(trb_solve(NULL, &m.s.view, &m.t.view, &budget, 1, &zero, b), TRB_OK);
  ck_assert_mem_eq(a, b, sizeof a);
  ck_assert_int_eq(trb_solve(NULL, &m.s.view, &m.t.view, &budget, 1, &later.known, b), TRB_OK);
  ck_assert_mem_eq(a, b, sizeof a);
  models_free(&m);
}
END_TEST

TCase *solve_properties_case(void) {
  TCase *tc = long_case("properties");
  tcase_add_loop_test(tc, test_monotone_in_budget, 0, N_FAMILIES);
  tcase_add_loop_test(tc, test_identities, 0, N_FAMILIES);
  tcase_add_loop_test(tc, test_shift_invariance, 0, N_FAMILIES);
  tcase_add_loop_test(tc, test_token_permutation, 0, N_FAMILIES);
  tcase_add_loop_test(tc, test_tolerance, 0, N_FAMILIES);
  tcase_add_test(tc, test_option_structs);
  return tc;
}
