/* test_oracle.c - the oracle against itself: identities of the paper and central differences. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"
#include "suites.h"
#include "common.h"

enum { VOCAB = 17 };

static const int plain[] = {FAMILY_GAUSSIAN, FAMILY_SPIKY,      FAMILY_FLAT,     FAMILY_CORRELATED, FAMILY_DISAGREEING,
                            FAMILY_RAMP,     FAMILY_TWO_VALUED, FAMILY_DISTINCT, FAMILY_MASK_BOTH,  FAMILY_DEEP_TAIL};

/* Random rows of the families above, `bad` rows left out. */
static bool next_row(rng *g, int i, oracle *o) {
  models m = models_new(1, VOCAB, TRB_F32, i % 3 ? TRB_F32 : TRB_BF16, i % 2 ? 0.0f : 0.7f, i % 2 ? 1.3f : 0.0f);
  models_fill_row(&m, 0, g, plain[(size_t)i % (sizeof plain / sizeof plain[0])]);
  oracle_load(o, &m.s.view, &m.t.view, 0);
  models_free(&m);
  return !o->bad;
}

/* Conversions: every f16 and bf16 survives a round trip; ties go to even. */
START_TEST(test_conversions) {
  matrix half = matrix_new(1, 1, 0, TRB_F16, 0), brain = matrix_new(1, 1, 0, TRB_BF16, 0);
  for (uint32_t bits = 0; bits < 65536; bits++) {
    const matrix *both[2] = {&half, &brain};
    for (int i = 0; i < 2; i++) {
      uint16_t word = (uint16_t)bits;
      memcpy(both[i]->view.data, &word, sizeof word);
      double x = matrix_get(&both[i]->view, 0, 0);
      if (isnan(x)) continue;
      matrix_set(both[i], 0, 0, x);
      uint16_t back;
      memcpy(&back, both[i]->view.data, sizeof back);
      ck_assert_uint_eq(back, word);
    }
    uint32_t wide = bits << 16;
    float f;
    memcpy(&f, &wide, sizeof f);
    uint16_t word = (uint16_t)bits;
    memcpy(brain.view.data, &word, sizeof word);
    if (!isnan(f)) ck_assert(matrix_get(&brain.view, 0, 0) == (double)f);
  }
  static const double pairs[][2] = {{1.0 + 0x1p-11, 1.0}, {1.0 + 0x3p-11, 1.0 + 0x1p-9},
                                    {0x1p-25, 0.0},       {0x3p-25, 0x1p-23},
                                    {65519.0, 65504.0},   {-0.1, -0x1.998p-4}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    matrix_set(&half, 0, 0, pairs[i][0]);
    ck_assert(matrix_get(&half.view, 0, 0) == pairs[i][1]);
  }
  matrix single = matrix_new(1, 1, 0, TRB_F32, 0);
  rng g = {7};
  for (int i = 0; i < 100000; i++) {
    uint32_t word = (uint32_t)rng_next(&g);
    float f;
    memcpy(&f, &word, sizeof f);
    if (isnan(f)) continue;
    matrix_set(&single, 0, 0, (double)f);
    ck_assert(memcmp(single.view.data, &f, sizeof f) == 0 && matrix_get(&single.view, 0, 0) == (double)f);
  }
  matrix_free(&half);
  matrix_free(&brain);
  matrix_free(&single);
}
END_TEST

/* phi by its series and by its formula, and known values. */
START_TEST(test_phi) {
  assert_near((double)oracle_phi(0.0L), 0.0L, 0.0, "at 0");
  assert_near((double)oracle_phi(1.0L), 1.0L, 1e-18, "e - e + 1");
  for (long double u = 0.2L; u < 0.25L; u += 0.001L) {
    for (int sign = -1; sign <= 1; sign += 2) {
      long double x = expl(u * sign);
      assert_near((double)(oracle_phi(u * sign) / (x * u * sign - x + 1)), 1.0L, 1e-15, "u %Lg", u * sign);
    }
  }
  assert_near((double)(oracle_phi(1e-9L) / 0.5e-18L), 1.0L, 1e-8, "u^2/2");
}
END_TEST

/* KL(mu||p) = beta A' - A and KL(mu||q) = (beta-1) A' - A with A' by differences of A; both KLs at the ends. */
START_TEST(test_blend_identities) {
  oracle o = oracle_new(VOCAB);
  rng g = {1};
  int checked = 0;
  for (int i = 0; i < 400; i++) {
    if (!next_row(&g, i, &o)) continue;
    double beta = 0.05 + 0.9 * rng_uniform(&g), h = 0x1p-12;
    oracle_blend at = oracle_blend_at(&o, beta);
    if (isinf(at.shifted_norm) || i % 10 == 9) continue;
    /* A = log-normalizer of the blend of the two normalized models. */
    long double shift_p = o.lse_s, shift_q = o.lse_t;
    long double a[5];
    for (int k = 0; k < 5; k++) {
      double b = beta + h * (k - 2);
      a[k] = oracle_blend_at(&o, b).shifted_norm - (1 - (long double)b) * shift_p - (long double)b * shift_q;
    }
    long double slope = (a[0] - 8 * a[1] + 8 * a[3] - a[4]) / (12 * (long double)h);
    double tolerance = 1e-6 * (1 + (double)fabsl(slope));
    /* Beyond the common support the identity of paper section 2 holds as it stands: mu is 0 there. */
    assert_near((double)at.kl_student, (long double)beta * slope - a[2], tolerance, "row %d", i);
    assert_near((double)at.kl_teacher, ((long double)beta - 1) * slope - a[2], tolerance, "row %d", i);
    checked++;
  }
  ck_assert_int_gt(checked, 200);
  oracle_free(&o);
}
END_TEST

/* A closed form: two tokens, p = (a, 1-a), q = (b, 1-b). */
START_TEST(test_blend_closed_form) {
  oracle o = oracle_new(2);
  long double a = 0.8L, b = 0.3L;
  long double s[2] = {logl(a) + 3, logl(1 - a) + 3}, t[2] = {logl(b) - 5, logl(1 - b) - 5};
  oracle_set(&o, s, t, 2);
  for (int i = 0; i <= 16; i++) {
    double beta = i / 16.0;
    long double x = powl(a, 1 - (long double)beta) * powl(b, (long double)beta);
    long double y = powl(1 - a, 1 - (long double)beta) * powl(1 - b, (long double)beta);
    long double m = x / (x + y);
    oracle_blend got = oracle_blend_at(&o, beta);
    assert_near((double)got.kl_student, m * logl(m / a) + (1 - m) * logl((1 - m) / (1 - a)), 1e-16, "beta %g", beta);
    assert_near((double)got.kl_teacher, m * logl(m / b) + (1 - m) * logl((1 - m) / (1 - b)), 1e-16, "beta %g", beta);
    assert_near((double)got.reverse_kl, a * logl(a / b) + (1 - a) * logl((1 - a) / (1 - b)), 1e-16, "beta %g", beta);
    assert_near((double)got.log_norm, logl(x + y) + 3 * (1 - (long double)beta) - 5 * (long double)beta, 1e-15,
                "beta %g", beta);
    assert_near((double)expl(oracle_log_mu(&o, beta, &got, 0)), m, 1e-16, "beta %g", beta);
  }
  assert_near((double)oracle_support_cost(&o), 0.0L, 0.0, "nothing masked");
  t[1] = -(long double)INFINITY;
  oracle_set(&o, s, t, 2);
  assert_near((double)oracle_support_cost(&o), -logl(a), 1e-16, "one masked");
  assert_near((double)oracle_kl_student(&o, 1e-9), -logl(a), 1e-16, "one masked");
  oracle_free(&o);
}
END_TEST

/* Every gradient against central differences of its loss, every form on supports of several sizes. */
START_TEST(test_gradients_by_difference) {
  oracle o = oracle_new(VOCAB);
  rng g = {2};
  long double grad[VOCAB];
  bool in[VOCAB];
  int checked = 0;
  for (int i = 0; i < 300; i++) {
    if (!next_row(&g, i, &o) || i % 10 == 9) continue;
    for (int32_t form = 0; form <= TRB_FORM_GENERALIZED + 2; form++) {
      int32_t support = form == TRB_FORM_FULL || form > TRB_FORM_GENERALIZED ? TRB_SUPPORT_ALL : i % 3;
      int32_t kind = form - TRB_FORM_GENERALIZED - 1;
      oracle_support(&o, support, 2 + i % 7, NULL, in);
      long double b = 0.1L + 0.2L * (i % 5);
      oracle_loss l = kind >= 0 ? oracle_divergence(&o, kind, b, grad) : oracle_reverse_kl(&o, form, in, grad);
      if (l.status != TRB_ROW_OK) continue;
      for (int64_t j = 0; j < o.n; j++) {
        long double slope = oracle_difference(&o, kind >= 0 ? ORACLE_DIVERGENCE + kind : form, b, in, j);
        assert_near((double)grad[j], slope, 1e-11 * (1 + (double)fabsl(l.loss)), "row %d form %d token %d", i, form,
                    (int)j);
        checked++;
      }
    }
  }
  ck_assert_int_gt(checked, 5000);
  oracle_free(&o);
}
END_TEST

/* The coefficient of every estimator is the slope of its value: d value / d logit(j) = coefficient (1[j=y] - p_j). The
 * advantage is detached, so there only rho moves. */
START_TEST(test_terms_by_difference) {
  oracle o = oracle_new(VOCAB);
  rng g = {3};
  for (int i = 0; i < 200; i++) {
    if (!next_row(&g, i, &o)) continue;
    int64_t y = rng_between(&g, 0, VOCAB - 1), j = rng_between(&g, 0, VOCAB - 1);
    for (int32_t estimator = TRB_ESTIMATOR_K1; estimator <= TRB_ESTIMATOR_K3; estimator++) {
      trb_term_options options = {0};
      options.estimator = estimator;
      oracle_term term = oracle_token_term(&o, y, NULL, &options);
      if (term.status != TRB_ROW_OK || fabsl(term.log_teacher - term.log_student) > 4) continue;
      long double s = o.s[j], lse = o.lse_s, p = expl(oracle_log_p(&o, j)), h = 1e-6L, value[2];
      for (int side = 0; side < 2; side++) {
        o.s[j] = s + (side ? h : -h);
        long double sum = 0;
        for (int64_t v = 0; v < o.n; v++) sum += expl(o.s[v]);
        o.lse_s = logl(sum);
        value[side] = oracle_token_term(&o, y, NULL, &options).value;
      }
      o.s[j] = s;
      o.lse_s = lse;
      long double slope = (value[1] - value[0]) / (2 * h);
      assert_near((double)(term.coefficient * ((j == y) - p)), slope, 1e-9 * (1 + (double)fabsl(slope)),
                  "row %d estimator %d", i, estimator);
    }
  }
  oracle_free(&o);
}
END_TEST

Suite *oracle_suite(void) {
  Suite *suite = suite_create("oracle");
  TCase *tc = long_case("oracle");
  tcase_add_test(tc, test_conversions);
  tcase_add_test(tc, test_phi);
  tcase_add_test(tc, test_blend_identities);
  tcase_add_test(tc, test_blend_closed_form);
  tcase_add_test(tc, test_gradients_by_difference);
  tcase_add_test(tc, test_terms_by_difference);
  suite_add_tcase(suite, tc);
  return suite;
}
