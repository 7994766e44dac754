/* test_divergence.c - trb_divergence: forward KL and JSD against the oracle. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_loss.h"
#include "suites.h"
#include "common.h"

static const double NO = -(double)INFINITY;

enum { ROWS = 4 };

static void check_random(rng *g, int32_t kind, int family, int64_t vocab, loss_worst *worst) {
  static const float temperatures[] = {0.0f, 0.5f, 1.3f, 0.0f, 1e3f, 1e-3f};
  uint64_t seed = g->state;
  int64_t more = family == FAMILY_SIZES ? rng_between(g, 0, 40) - 20 : 0;
  models m = models_varied(g, ROWS, vocab, more);
  m.s.view.temperature = temperatures[rng_next(g) % 6];
  m.t.view.temperature = temperatures[rng_next(g) % 6];
  double weight[ROWS];
  for (int64_t r = 0; r < ROWS; r++) {
    models_fill_row(&m, r, g, family);
    weight[r] = random_weight(g);
  }
  static const double mixtures[] = {0.0, 0.5, 0.1, 0.9, 1e-6, 1 - 1e-6};
  trb_divergence_options options = {sizeof options, 0.0, kind, 0};
  if (kind == TRB_DIVERGENCE_JSD) options.b = mixtures[rng_next(g) % 6];
  char where[240];
  snprintf(where, sizeof where, "kind %d b %g %s seed %#llx vocab %d/%d dtypes %d %d temperatures %g %g", kind,
           options.b, family_name(family), (unsigned long long)seed, (int)m.s.view.vocab, (int)m.t.view.vocab,
           m.s.view.dtype, m.t.view.dtype, (double)m.s.view.temperature, (double)m.t.view.temperature);
  loss_case c = {&m.s.view, &m.t.view, weight[0] < 1.0 ? weight : NULL, NULL, &options, (int32_t)rng_between(g, 0, 2),
                 where};
  loss_check(&c, worst);
  models_free(&m);
}

/* Loop tests run over the two kinds. */
START_TEST(test_against_oracle) {
  rng g = {0xD1 + (uint64_t)_i};
  loss_worst worst = {0};
  for (int family = 0; family < FAMILIES; family++) {
    for (int64_t i = 0; i < scaled(80); i++) check_random(&g, _i, family, family_vocab(&g, family), &worst);
  }
  for (int64_t i = 0; i < scaled(3); i++) check_random(&g, _i, FAMILY_CORRELATED, 32000, &worst);
  loss_report(_i ? "JSD" : "forward KL", &worst);
}
END_TEST

START_TEST(test_gradient_by_difference) {
  enum { VOCAB = 12 };
  static const double mixtures[] = {0.5, 0.1, 0.95};
  rng g = {0xD2 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(60); i++) {
    models m = models_new(1, VOCAB, TRB_F32, TRB_F32, i % 2 ? 0.7f : 0.0f, i % 3 ? 1.5f : 0.0f);
    models_fill_row(&m, 0, &g, FAMILY_GAUSSIAN);
    trb_divergence_options options = {sizeof options, _i ? mixtures[i % 3] : 0.0, _i, 0};
    matrix grad = matrix_new(1, VOCAB, 0, TRB_F32, 0.0f);
    ck_assert_int_eq(trb_divergence(NULL, &m.s.view, &m.t.view, NULL, &options, NULL, &grad.view, NULL), TRB_OK);
    oracle o = oracle_new(VOCAB);
    oracle_load(&o, &m.s.view, &m.t.view, 0);
    for (int64_t j = 0; j < VOCAB; j++) {
      long double slope = oracle_difference(&o, ORACLE_DIVERGENCE + _i, (long double)options.b, NULL, j);
      assert_near(matrix_get(&grad.view, 0, j), slope, 1e-5 * (double)((o.p[j] + o.q[j]) / o.temperature) + 1e-9,
                  "kind %d token %d", _i, (int)j);
    }
    oracle_free(&o);
    matrix_free(&grad);
    models_free(&m);
  }
}
END_TEST

START_TEST(test_gradient_sums_to_zero) {
  rng g = {0xD3 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(100); i++) {
    int64_t vocab = rng_size(&g, 2, 5000);
    models m = models_random(&g, FAMILY_CORRELATED, 1, vocab, TRB_F32);
    trb_divergence_options options = {sizeof options, 0.0, _i, 0};
    matrix grad = matrix_new(1, vocab, 0, TRB_F32, 0.0f);
    ck_assert_int_eq(trb_divergence(NULL, &m.s.view, &m.t.view, NULL, &options, NULL, &grad.view, NULL), TRB_OK);
    double sum = 0.0;
    for (int64_t v = 0; v < vocab; v++) sum += matrix_get(&grad.view, 0, v);
    assert_near(sum, 0.0L, 2e-6, "vocab %d", (int)vocab);
    matrix_free(&grad);
    models_free(&m);
  }
}
END_TEST

static trb_status divergence_of(const double *s, const double *t, int64_t n, const trb_divergence_options *o,
                                double *loss, trb_loss_row *row) {
  models m = models_new(1, n, TRB_F32, TRB_F32, 0.0f, 0.0f);
  matrix_set_row(&m.s, 0, s);
  matrix_set_row(&m.t, 0, t);
  trb_status status = trb_divergence(NULL, &m.s.view, &m.t.view, NULL, o, loss, NULL, row);
  models_free(&m);
  return status;
}

/* JSD: symmetric at b = 1/2, at most log 2, exactly that on disjoint supports; near b KL(q||p) for small b. */
START_TEST(test_jsd_properties) {
  const double a[4] = {1.0, NO, 0.0, NO}, b[4] = {NO, 3.0, NO, 0.0};
  trb_divergence_options jsd = {sizeof jsd, 0.0, TRB_DIVERGENCE_JSD, 0};
  double loss, mirrored, forward;
  trb_loss_row row;
  ck_assert_int_eq(divergence_of(a, b, 4, &jsd, &loss, &row), TRB_OK);
  assert_near(loss, logl(2), 1e-6, "disjoint");
  jsd.b = 0.25;
  ck_assert_int_eq(divergence_of(a, b, 4, &jsd, &loss, &row), TRB_OK);
  assert_near(loss, -0.25L * logl(0.25L) - 0.75L * logl(0.75L), 1e-6, "disjoint");
  rng g = {0xD4};
  for (int i = 0; i < 100; i++) {
    double s[50], t[50];
    for (int v = 0; v < 50; v++) {
      s[v] = 2.0 * rng_normal(&g);
      t[v] = s[v] + rng_normal(&g);
    }
    jsd.b = 0.0;
    ck_assert_int_eq(divergence_of(s, t, 50, &jsd, &loss, NULL), TRB_OK);
    ck_assert_int_eq(divergence_of(t, s, 50, &jsd, &mirrored, NULL), TRB_OK);
    ck_assert(loss >= 0.0 && loss <= 0.693148);
    assert_near(loss, (long double)mirrored, 2e-6 * loss, "symmetric");
    ck_assert_int_eq(divergence_of(s, t, 50, NULL, &forward, NULL), TRB_OK);
    jsd.b = 1e-5;
    ck_assert_int_eq(divergence_of(s, t, 50, &jsd, &loss, NULL), TRB_OK);
    assert_near(loss / jsd.b, (long double)forward, 0.01 * forward, "small b");
  }
}
END_TEST

/* -inf, NaN and +inf at every position: forward KL is infinite where the student masks, JSD never is. */
START_TEST(test_special_values_at_every_position) {
  const double special[3] = {NO, (double)NAN, (double)INFINITY};
  const double first[5] = {1.0, -2.0, 0.5, 3.0, 0.0}, second[5] = {-1.0, 2.0, 0.25, -3.0, 1.0};
  for (int64_t n = 1; n <= 5; n++) {
    for (int64_t v = 0; v < n * n; v++) {
      for (int how = 0; how < 3 * 4; how++) {
        double s[5], t[5];
        memcpy(s, first, sizeof s);
        memcpy(t, second, sizeof t);
        *(how & 1 ? &s[v / n] : &t[v / n]) = special[how / 4];
        *(how & 2 ? &s[v % n] : &t[v % n]) = special[how / 4];
        models m = models_new(1, n, _i, _i, 0.0f, 0.0f);
        matrix_set_row(&m.s, 0, s);
        matrix_set_row(&m.t, 0, t);
        char where[80];
        snprintf(where, sizeof where, "%g at %d and %d of %d, how %d", special[how / 4], (int)(v / n), (int)(v % n),
                 (int)n, how);
        for (int32_t kind = 0; kind < 2; kind++) {
          trb_divergence_options options = {sizeof options, 0.0, kind, 0};
          loss_case c = {&m.s.view, &m.t.view, NULL, NULL, &options, TRB_F32, where};
          loss_check(&c, NULL);
        }
        models_free(&m);
      }
    }
  }
}
END_TEST

/* Small divergences keep their relative accuracy; equal models give 0 and no gradient. */
START_TEST(test_tiny_and_equal) {
  rng g = {0xD5 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(100); i++) {
    int64_t vocab = rng_size(&g, 2, 3000);
    models m = models_new(1, vocab, TRB_F32, TRB_F32, 0.0f, 0.0f);
    double noise = i % 4 ? rng_scale(&g, 1e-6, 1e-3) : 0.0;
    for (int64_t v = 0; v < vocab; v++) {
      double x = rng_normal(&g);
      matrix_set(&m.s, 0, v, x);
      matrix_set(&m.t, 0, v, x + noise * rng_normal(&g));
    }
    trb_divergence_options options = {sizeof options, 0.0, _i, 0};
    loss_case c = {&m.s.view, &m.t.view, NULL, NULL, &options, TRB_F32, "tiny"};
    loss_check(&c, NULL);
    double loss;
    ck_assert_int_eq(trb_divergence(NULL, &m.s.view, &m.t.view, NULL, &options, &loss, NULL, NULL), TRB_OK);
    ck_assert(loss >= 0.0 && (noise > 0.0 || loss <= 1e-15));
    models_free(&m);
  }
}
END_TEST

START_TEST(test_weights_and_buffers) {
  rng g = {0xD6};
  for (int i = 0; i < 12; i++) {
    int64_t vocab = i % 2 ? 40 : 2500;
    models m = models_random(&g, FAMILY_GAUSSIAN, 3, vocab, i % 3);
    double weight[3] = {1.5, 0.0, -2.0}, loss[3], own_loss[3];
    for (int64_t v = 0; v < vocab; v++) matrix_set(&m.s, 1, v, (double)NAN);
    trb_divergence_options options = {sizeof options, 0.0, _i, 0};
    loss_case c = {&m.s.view, &m.t.view, weight, NULL, &options, i % 3, "weights"};
    loss_check(&c, NULL);
    matrix out = matrix_new(3, vocab, 0, i % 3, 0.0f);
    ck_assert_int_eq(trb_divergence(NULL, &m.s.view, &m.t.view, weight, &options, loss, &out.view, NULL), TRB_OK);
    for (int who = 0; who < 2; who++) {
      models n = {matrix_copy(&m.s), matrix_copy(&m.t)};
      matrix *own = who ? &n.t : &n.s;
      ck_assert_int_eq(trb_divergence(NULL, &n.s.view, &n.t.view, weight, &options, own_loss, &own->view, NULL),
                       TRB_OK);
      ck_assert_mem_eq(own->block, out.block, out.bytes);
      ck_assert_mem_eq(loss, own_loss, sizeof loss);
      models_free(&n);
    }
    matrix_free(&out);
    models_free(&m);
  }
  trb_logits none = {NULL, 0, 5, 5, TRB_F32, 0.0f};
  double loss;
  ck_assert_int_eq(trb_divergence(NULL, &none, &none, NULL, NULL, &loss, NULL, NULL), TRB_OK);
}
END_TEST

Suite *divergence_suite(void) {
  Suite *suite = suite_create("divergence");
  TCase *tc = long_case("divergence");
  tcase_add_loop_test(tc, test_against_oracle, 0, 2);
  tcase_add_loop_test(tc, test_gradient_by_difference, 0, 2);
  tcase_add_loop_test(tc, test_gradient_sums_to_zero, 0, 2);
  tcase_add_test(tc, test_jsd_properties);
  tcase_add_loop_test(tc, test_special_values_at_every_position, 0, 3);
  tcase_add_loop_test(tc, test_tiny_and_equal, 0, 2);
  tcase_add_loop_test(tc, test_weights_and_buffers, 0, 2);
  suite_add_tcase(suite, tc);
  return suite;
}
