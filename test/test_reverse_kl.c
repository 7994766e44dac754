/* test_reverse_kl.c - trb_reverse_kl: every form on every support against the oracle, gradients against differences. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_loss.h"
#include "suites.h"
#include "common.h"

static const char *const form_names[] = {"full", "truncated", "renormalized", "tail bucket", "generalized"};

static float random_temperature(rng *g) {
  static const float choices[] = {0.0f, 0.0f, 0.5f, 1.3f, 4.0f};
  return rng_chance(g, 0.03) ? (rng_chance(g, 0.5) ? 1e-3f : 1e3f) : choices[rng_next(g) % 5];
}

/* Random ids with repetitions and -1, at least two different ones, of which students and teachers mask some. */
static void random_ids(rng *g, int64_t *ids, int64_t k, int64_t vocab) {
  for (int64_t i = 0; i < k; i++) ids[i] = rng_chance(g, 0.2) ? -1 : rng_between(g, 0, vocab - 1);
  int64_t at = rng_between(g, 0, k - 1);
  ids[at] = 0;
  ids[(at + rng_between(g, 1, k - 1)) % k] = vocab - 1;
}

enum { ROWS = 4, MOST_IDS = 40 };

/* One random call of a form. */
static void check_random(rng *g, int32_t form, int family, int64_t vocab, loss_worst *worst) {
  uint64_t seed = g->state;
  int64_t more = family == FAMILY_SIZES ? rng_between(g, 0, 40) - 20 : 0;
  models m = models_varied(g, ROWS, vocab, more);
  m.s.view.temperature = random_temperature(g);
  m.t.view.temperature = random_temperature(g);
  double weight[ROWS];
  for (int64_t r = 0; r < ROWS; r++) {
    models_fill_row(&m, r, g, family);
    weight[r] = random_weight(g);
  }
  int64_t ids[ROWS * MOST_IDS];
  trb_loss_options options = {sizeof options, form, TRB_SUPPORT_ALL, 0, NULL};
  if (form != TRB_FORM_FULL) options.support = (int32_t)rng_between(g, 0, 3);
  if (options.support != TRB_SUPPORT_ALL) options.k = rng_between(g, form == TRB_FORM_RENORMALIZED ? 2 : 1, MOST_IDS);
  if (options.support == TRB_SUPPORT_STUDENT_TOP_K && rng_chance(g, 0.1)) options.k = vocab + 5;
  if (options.support == TRB_SUPPORT_IDS) {
    if (options.k < 2) options.k = 2;
    for (int64_t r = 0; r < ROWS; r++) random_ids(g, ids + r * options.k, options.k, vocab);
    options.ids = ids;
  }
  loss_case c = {&m.s.view, &m.t.view, weight[0] < 1.0 ? weight : NULL, &options, NULL, (int32_t)rng_between(g, 0, 2),
                 NULL};
  char where[240];
  snprintf(where, sizeof where,
           "%s, support %d, k %d, %s seed %#llx vocab %d/%d dtypes %d %d grad %d temperatures %g %g", form_names[form],
           options.support, (int)options.k, family_name(family), (unsigned long long)seed, (int)m.s.view.vocab,
           (int)m.t.view.vocab, m.s.view.dtype, m.t.view.dtype, c.grad_dtype, (double)m.s.view.temperature,
           (double)m.t.view.temperature);
  c.where = where;
  loss_check(&c, worst);
  models_free(&m);
}

/* Loop test over the forms. */
START_TEST(test_against_oracle) {
  rng g = {0x2E7 + (uint64_t)_i};
  loss_worst worst = {0};
  for (int family = 0; family < FAMILIES; family++) {
    for (int64_t i = 0; i < scaled(60); i++) {
      int64_t vocab = family_vocab(&g, family);
      check_random(&g, _i, family, vocab < 2 && _i == TRB_FORM_RENORMALIZED ? 2 : vocab, &worst);
    }
  }
  for (int64_t i = 0; i < scaled(3); i++) check_random(&g, _i, FAMILY_CORRELATED, 32000, &worst);
  loss_report(form_names[_i], &worst);
}
END_TEST

/* The gradient of a small vocabulary against differences of the long double loss itself. */
START_TEST(test_gradient_by_difference) {
  enum { VOCAB = 12 };
  rng g = {0x2F7 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(60); i++) {
    models m = models_new(1, VOCAB, TRB_F32, TRB_F32, i % 2 ? 0.7f : 0.0f, i % 3 ? 1.5f : 0.0f);
    models_fill_row(&m, 0, &g, FAMILY_GAUSSIAN);
    trb_loss_options options = {sizeof options, _i, _i == TRB_FORM_FULL ? 0 : (int32_t)(i % 3), 0, NULL};
    if (options.support) options.k = 2 + i % 5;
    matrix grad = matrix_new(1, VOCAB, 0, TRB_F32, 0.0f);
    ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &options, NULL, &grad.view, NULL), TRB_OK);
    oracle o = oracle_new(VOCAB);
    oracle_load(&o, &m.s.view, &m.t.view, 0);
    bool in[VOCAB];
    oracle_support(&o, options.support, options.k, NULL, in);
    long double mass = 0;
    for (int64_t j = 0; j < VOCAB; j++) mass += in[j] ? o.p[j] : 0;
    for (int64_t j = 0; j < VOCAB; j++) {
      long double slope = oracle_difference(&o, _i, 0, in, j);
      assert_near(matrix_get(&grad.view, 0, j), slope, 1e-4 * (double)(o.p[j] / mass / o.temperature) + 1e-9,
                  "%s token %d", form_names[_i], (int)j);
    }
    oracle_free(&o);
    matrix_free(&grad);
    models_free(&m);
  }
}
END_TEST

/* Every form depends on p alone, which a shift of all logits leaves as it is: each gradient sums to 0. */
START_TEST(test_gradient_sums_to_zero) {
  rng g = {0x307 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(100); i++) {
    int64_t vocab = rng_size(&g, 3, 5000);
    models m = models_random(&g, FAMILY_CORRELATED, 1, vocab, TRB_F32);
    trb_loss_options options = {sizeof options, _i, _i == TRB_FORM_FULL ? 0 : (int32_t)(i % 3), 0, NULL};
    if (options.support) options.k = rng_size(&g, 2, vocab);
    matrix grad = matrix_new(1, vocab, 0, TRB_F32, 0.0f);
    double loss;
    ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &options, &loss, &grad.view, NULL), TRB_OK);
    double sum = 0.0, size = 0.0;
    for (int64_t v = 0; v < vocab; v++) {
      sum += matrix_get(&grad.view, 0, v);
      size += fabs(matrix_get(&grad.view, 0, v));
    }
    assert_near(sum, 0.0L, 2e-6 * (1 + fabs(loss) + size), "%s vocab %d", form_names[_i], (int)vocab);
    matrix_free(&grad);
    models_free(&m);
  }
}
END_TEST

/* Divergences from 1e-12 to 1e-6 keep their relative accuracy where the header says so. The floor: a common error of
 * 3e-7 in both log-sum-exps is 4e-13 of divergence, 1e-6 of it where P differs from Q. */
START_TEST(test_tiny_divergences) {
  static const int32_t forms[] = {TRB_FORM_FULL, TRB_FORM_TAIL_BUCKET, TRB_FORM_GENERALIZED};
  rng g = {0x317 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(100); i++) {
    int64_t vocab = rng_size(&g, 2, 3000);
    models m = models_new(1, vocab, TRB_F32, TRB_F32, 0.0f, 0.0f);
    double noise = rng_scale(&g, 1e-6, 1e-3);
    for (int64_t v = 0; v < vocab; v++) {
      double x = rng_normal(&g); /* logits below 8: their last place is 5e-7 or less */
      matrix_set(&m.s, 0, v, x);
      matrix_set(&m.t, 0, v, x + noise * rng_normal(&g));
    }
    trb_loss_options options = {sizeof options, forms[_i], forms[_i] == TRB_FORM_FULL ? 0 : (int32_t)(i % 3), 0, NULL};
    if (options.support) options.k = rng_between(&g, 1, vocab);
    double loss;
    ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &options, &loss, NULL, NULL), TRB_OK);
    ck_assert_double_ge(loss, 0.0);
    loss_case c = {&m.s.view, &m.t.view, NULL, &options, NULL, TRB_F32, form_names[forms[_i]]};
    loss_check(&c, NULL);
    models_free(&m);
  }
}
END_TEST

/* p = q, exactly: all forms but the truncated one are 0 with gradient 0; the truncated form's gradient is not. */
START_TEST(test_equal_models) {
  rng g = {0x327};
  for (int64_t i = 0; i < 60; i++) {
    int64_t vocab = rng_size(&g, 4, 3000);
    models m = models_random(&g, FAMILY_GAUSSIAN, 1, vocab, (int32_t)(i % 3));
    trb_loss_options options = {sizeof options, _i, _i == TRB_FORM_FULL ? 0 : (int32_t)(i % 3), 0, NULL};
    if (options.support) options.k = 3;
    matrix grad = matrix_new(1, vocab, 0, TRB_F32, 0.0f);
    double loss;
    trb_loss_row row;
    ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.s.view, NULL, &options, &loss, &grad.view, &row), TRB_OK);
    double size = 0.0;
    for (int64_t v = 0; v < vocab; v++) size += fabs(matrix_get(&grad.view, 0, v));
    ck_assert_double_le(fabs(loss), 1e-15);
    double drain = _i == TRB_FORM_TRUNCATED ? 2 * row.mass_student * (1 - row.mass_student) : 0.0;
    assert_near(size, (long double)drain, _i == TRB_FORM_TRUNCATED ? 2e-6 : 1e-12, "vocab %d", (int)vocab);
    matrix_free(&grad);
    models_free(&m);
  }
}
END_TEST

/* generalized >= 0, tail bucket <= full, renormalized >= 0, and on the whole vocabulary all forms agree. */
START_TEST(test_order_of_forms) {
  rng g = {0x337};
  for (int64_t i = 0; i < scaled(300); i++) {
    models m = models_random(&g, FAMILY_CORRELATED, 1, rng_size(&g, 3, 400), TRB_F32);
    double loss[5], all[5];
    for (int32_t form = 0; form < 5; form++) {
      trb_loss_options options = {sizeof options, form, form ? TRB_SUPPORT_STUDENT_TOP_K : 0, form ? 3 : 0, NULL};
      trb_loss_options whole = {sizeof options, form, TRB_SUPPORT_ALL, 0, NULL};
      ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &options, &loss[form], NULL, NULL), TRB_OK);
      ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &whole, &all[form], NULL, NULL), TRB_OK);
      assert_near(all[form], (long double)all[0], 2e-6 * (1 + all[0]), "%s", form_names[form]);
    }
    ck_assert(loss[TRB_FORM_GENERALIZED] >= 0.0 && loss[TRB_FORM_RENORMALIZED] >= 0.0);
    ck_assert_msg(loss[TRB_FORM_TAIL_BUCKET] >= 0.0 &&
                      loss[TRB_FORM_TAIL_BUCKET] <= loss[TRB_FORM_FULL] * (1 + 6e-6) + 1e-12,
                  "tail bucket %.17g full %.17g", loss[TRB_FORM_TAIL_BUCKET], loss[TRB_FORM_FULL]);
    models_free(&m);
  }
}
END_TEST

Suite *reverse_kl_suite(void) {
  Suite *suite = suite_create("reverse_kl");
  suite_add_tcase(suite, reverse_kl_edges_case());
  TCase *tc = long_case("forms");
  tcase_add_loop_test(tc, test_against_oracle, 0, 5);
  tcase_add_loop_test(tc, test_gradient_by_difference, 0, 5);
  tcase_add_loop_test(tc, test_gradient_sums_to_zero, 0, 5);
  tcase_add_loop_test(tc, test_tiny_divergences, 0, 3);
  tcase_add_loop_test(tc, test_equal_models, 0, 5);
  tcase_add_test(tc, test_order_of_forms);
  suite_add_tcase(suite, tc);
  return suite;
}
