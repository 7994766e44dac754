/* test_terms.c - trb_token_terms: every estimator against the oracle, and the table of expected gradients by exact
 * enumeration.
 *
 * Tolerances: u is a difference of two log-probabilities, 6e-7 in all; rho = e^(log p - log behavior), 3e-7 relative.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"
#include "suites.h"
#include "common.h"

static const double NO = -(double)INFINITY;

enum { ROWS = 4, ESTIMATORS = 5 };

typedef struct term_case {
  const models *m;
  const int64_t *token;
  const double *log_behavior, *weight;
  const trb_term_options *options;
  int32_t grad_dtype;
  const char *where;
} term_case;

static void check_silent(const term_case *c, const trb_term *x, const matrix *grad, int64_t r, double value) {
  ck_assert_msg(distance((long double)value, x->value) == 0.0, "%s row %d: value %g", c->where, (int)r, x->value);
  for (int64_t v = 0; v < grad->view.vocab; v++) ck_assert(matrix_get(&grad->view, r, v) == 0.0);
}

static void check_gradient(const term_case *c, const oracle *o, const oracle_term *e, const matrix *grad, int64_t r,
                           double error_of_coefficient) {
  long double weight = c->weight ? (long double)c->weight[r] : 1;
  for (int64_t j = 0; j < grad->view.vocab; j++) {
    double got = matrix_get(&grad->view, r, j);
    if (j >= o->n || isinf(o->s[j])) {
      ck_assert_msg(got == 0.0, "%s row %d: masked token %d has gradient %g", c->where, (int)r, (int)j, got);
      continue;
    }
    long double shape = ((j == c->token[r]) - o->p[j]) / o->temperature;
    long double want = weight * e->coefficient * shape;
    /* A probability: 6e-7 from its exponential and its sum; below the range of f32 it may count as 0. */
    long double of_p = (1e-6L * o->p[j] + 2e-38L) / o->temperature;
    double tolerance =
        (double)(fabsl(weight * shape) * (long double)error_of_coefficient + fabsl(weight * e->coefficient) * of_p) +
        dtype_rounding(TRB_F32, (double)want) + 1.001 * dtype_rounding(grad->view.dtype, (double)want);
    if (fabsl(want) + (long double)tolerance > (grad->view.dtype == TRB_F16 ? 65000 : 3e38L))
      continue; /* may round to infinity */
    assert_near(got, want, tolerance, "%s row %d token %d of %d", c->where, (int)r, (int)j, (int)c->token[r]);
  }
}

/* Whether a clip decides by less than rounding. */
static bool close_call(const oracle_term *e, const trb_term_options *o) {
  long double u = fabsl(e->log_teacher - e->log_student);
  return (o->advantage_limit > 0.0 && fabsl(u - (long double)o->advantage_limit) < 1e-5L) ||
         (o->ratio_low > 0.0 && fabsl(e->ratio / (long double)o->ratio_low - 1) < 1e-5L) ||
         (o->ratio_high > 0.0 && fabsl(e->ratio / (long double)o->ratio_high - 1) < 1e-5L) ||
         (u < 1e-5L && (o->ratio_low > 0.0 || o->ratio_high > 0.0));
}

static int32_t check_row(const term_case *c, oracle *o, const trb_term *x, const matrix *grad, int64_t r) {
  if (c->weight && c->weight[r] == 0.0) {
    ck_assert_int_eq(x->status, TRB_ROW_SKIPPED);
    check_silent(c, x, grad, r, 0.0);
    return TRB_ROW_SKIPPED;
  }
  oracle_load(o, &c->m->s.view, &c->m->t.view, r);
  oracle_term e = {0};
  e.status = o->bad;
  const double *behavior = c->log_behavior ? &c->log_behavior[r] : NULL;
  if (!o->bad) e = oracle_token_term(o, c->token[r], behavior, c->options);
  long double deep = fabsl(e.log_student) + (isinf(e.log_teacher) ? 0 : fabsl(e.log_teacher)); /* NLL takes -inf */
  double du = 6e-7 + 1e-15 * (double)deep;
  if (e.status == TRB_ROW_OK && behavior && du > 1e-4) return x->status; /* log p is too coarse for any rho */
  if (fabsl(e.value) > 1e308L || fabsl(e.coefficient) > 1e308L) e.status = TRB_ROW_INFINITE; /* e^u of K3 */
  ck_assert_msg(x->status == e.status, "%s row %d: status %d, expected %d", c->where, (int)r, x->status, e.status);
  if (e.status < 0) {
    check_silent(c, x, grad, r, (double)NAN);
    return e.status;
  }
  if (c->options && close_call(&e, c->options)) return e.status;
  long double u = e.log_teacher - e.log_student;
  double rho = (double)e.ratio, size = (double)fabsl(u), grow = 1.0;
  int32_t estimator = c->options ? c->options->estimator : TRB_ESTIMATOR_ADVANTAGE;
  double d_value = du, d_coefficient = 0.0;
  if (estimator == TRB_ESTIMATOR_ADVANTAGE) d_value = d_coefficient = rho * (du * (1 + size));
  if (estimator == TRB_ESTIMATOR_K2) d_value = du * (size + du), d_coefficient = du;
  if (estimator == TRB_ESTIMATOR_K3) {
    grow = (double)expl(u);
    d_value = du * (double)fabsl(expm1l(u)) + du * du * grow;
    d_coefficient = du * grow;
  }
  if (c->options && c->options->ratio_high > 0.0) d_value += du * (1 + size) * c->options->ratio_high;
  if (c->options && c->options->ratio_low > 0.0) d_value += du * (1 + size);
  double slack = 1e-12;
  assert_near(x->value, e.value, d_value + slack * (1 + (double)fabsl(e.value)), "%s row %d", c->where, (int)r);
  assert_near(x->coefficient, e.coefficient, d_coefficient + slack * (double)fabsl(e.coefficient), "%s row %d",
              c->where, (int)r);
  assert_near(x->log_student, e.log_student, du, "%s row %d", c->where, (int)r);
  assert_near(x->log_teacher, e.log_teacher, du, "%s row %d", c->where, (int)r);
  assert_near(x->ratio, e.ratio, du * rho, "%s row %d", c->where, (int)r);
  ck_assert_msg(x->clipped == e.clipped, "%s row %d: clipped %d, expected %d", c->where, (int)r, x->clipped, e.clipped);
  check_gradient(c, o, &e, grad, r, d_coefficient);
  return e.status;
}

static void check_call(const term_case *c, int64_t *seen) {
  int64_t rows = c->m->s.view.rows;
  matrix grad = matrix_new(rows, c->m->s.view.vocab, c->m->s.view.vocab + 5, c->grad_dtype, 0.0f);
  trb_term *out = malloc((size_t)rows * sizeof *out);
  if (!out) abort();
  memset(out, 0x5A, (size_t)rows * sizeof *out);
  trb_status status = trb_token_terms(NULL, &c->m->s.view, &c->m->t.view, c->token, c->log_behavior, c->weight,
                                      c->options, out, &grad.view);
  oracle o = oracle_new(c->m->s.view.vocab);
  bool bad = false;
  for (int64_t r = 0; r < rows; r++) {
    int32_t row = check_row(c, &o, &out[r], &grad, r);
    bad |= row < 0;
    seen[row < 0]++;
  }
  ck_assert_int_eq(status, bad ? TRB_EROWS : TRB_OK);
  ck_assert(matrix_guarded(&grad) && matrix_gaps_intact(&grad));
  oracle_free(&o);
  matrix_free(&grad);
  free(out);
}

/* ---- Against the oracle ---- */

static void check_random(rng *g, int32_t estimator, int family, int64_t vocab, int64_t *seen) {
  static const float temperatures[] = {0.0f, 0.5f, 1.3f, 0.0f};
  uint64_t seed = g->state;
  int64_t more = family == FAMILY_SIZES ? rng_between(g, 0, 40) - 20 : 0;
  models m = models_varied(g, ROWS, vocab, more);
  m.s.view.temperature = temperatures[rng_next(g) % 4];
  m.t.view.temperature = temperatures[rng_next(g) % 4];
  double weight[ROWS], behavior[ROWS];
  int64_t token[ROWS];
  oracle o = oracle_new(m.s.view.vocab);
  for (int64_t r = 0; r < ROWS; r++) {
    models_fill_row(&m, r, g, family);
    oracle_load(&o, &m.s.view, &m.t.view, r);
    weight[r] = random_weight(g);
    token[r] = rng_between(g, 0, vocab - 1);
    /* Mostly tokens of some probability: draws hardly ever meet others. */
    for (int i = 0; i < 20 && !o.bad && o.p[token[r]] < 1e-3L; i++) token[r] = rng_between(g, 0, vocab - 1);
    double own = o.bad || isinf(o.s[token[r]]) ? -1.0 : (double)oracle_log_p(&o, token[r]);
    behavior[r] = fmin(5e-4, own + 0.5 * rng_normal(g));
  }
  trb_term_options options = {sizeof options, 0, 0, 0, estimator, 0};
  if (estimator == TRB_ESTIMATOR_ADVANTAGE) {
    if (rng_chance(g, 0.5)) options.ratio_low = 0.5 + 0.5 * rng_uniform(g);
    if (rng_chance(g, 0.5)) options.ratio_high = 1.0 + rng_uniform(g);
    if (rng_chance(g, 0.5)) options.advantage_limit = rng_scale(g, 0.1, 5.0);
  }
  char where[240];
  snprintf(where, sizeof where, "estimator %d clips %g %g %g %s seed %#llx vocab %d/%d dtypes %d %d", estimator,
           options.ratio_low, options.ratio_high, options.advantage_limit, family_name(family),
           (unsigned long long)seed, (int)m.s.view.vocab, (int)m.t.view.vocab, m.s.view.dtype, m.t.view.dtype);
  bool given = estimator == TRB_ESTIMATOR_ADVANTAGE && rng_chance(g, 0.7);
  term_case c = {
      &m,   token, given ? behavior : NULL, weight[0] < 1.0 ? weight : NULL, &options, (int32_t)rng_between(g, 0, 2),
      where};
  check_call(&c, seen);
  oracle_free(&o);
  models_free(&m);
}

/* Loop tests run over the estimators. */
START_TEST(test_against_oracle) {
  rng g = {0x7E + (uint64_t)_i};
  int64_t seen[2] = {0};
  for (int family = 0; family < FAMILIES; family++) {
    for (int64_t i = 0; i < scaled(60); i++) check_random(&g, _i, family, family_vocab(&g, family), seen);
  }
  ck_assert(seen[0] > seen[1] && (seen[1] > 0 || scaled(100) < 100));
}
END_TEST

/* ---- The table of expected gradients ---- */

/* sum_y p(y) grad_y for every token y, by enumeration. */
static void enumerate(const models *m, int32_t estimator, int64_t vocab, double *mean) {
  oracle o = oracle_new(vocab);
  oracle_load(&o, &m->s.view, &m->t.view, 0);
  matrix grad = matrix_new(1, vocab, 0, TRB_F32, 0.0f);
  trb_term_options options = {sizeof options, 0, 0, 0, estimator, 0};
  for (int64_t j = 0; j < vocab; j++) mean[j] = 0.0;
  for (int64_t y = 0; y < vocab; y++) {
    trb_term out;
    ck_assert_int_eq(trb_token_terms(NULL, &m->s.view, &m->t.view, &y, NULL, NULL, &options, &out, &grad.view), TRB_OK);
    for (int64_t j = 0; j < vocab; j++) mean[j] += (double)o.p[y] * matrix_get(&grad.view, 0, j);
  }
  matrix_free(&grad);
  oracle_free(&o);
}

START_TEST(test_expected_gradient) {
  enum { VOCAB = 15 };
  rng g = {0x7F};
  for (int64_t i = 0; i < scaled(50); i++) {
    models m = models_new(1, VOCAB, TRB_F32, TRB_F32, i % 2 ? 0.0f : 0.8f, 0.0f);
    models_fill_row(&m, 0, &g, FAMILY_CORRELATED);
    double mean[VOCAB];
    enumerate(&m, _i, VOCAB, mean);
    oracle o = oracle_new(VOCAB);
    oracle_load(&o, &m.s.view, &m.t.view, 0);
    bool all[VOCAB];
    long double reverse[VOCAB], forward[VOCAB];
    oracle_support(&o, TRB_SUPPORT_ALL, 0, NULL, all);
    oracle_reverse_kl(&o, TRB_FORM_FULL, all, reverse);
    oracle_divergence(&o, TRB_DIVERGENCE_FORWARD_KL, 0, forward);
    for (int64_t j = 0; j < VOCAB; j++) {
      bool nothing = _i == TRB_ESTIMATOR_K1 || _i == TRB_ESTIMATOR_NLL;
      long double want = nothing ? 0 : _i == TRB_ESTIMATOR_K3 ? forward[j] : reverse[j];
      assert_near(mean[j], want, 3e-5, "estimator %d token %d", _i, (int)j);
    }
    oracle_free(&o);
    models_free(&m);
  }
}
END_TEST

/* Drawn from a behavior instead: weights p/mu, or log_behavior for the advantage, give the same expectation. */
START_TEST(test_importance_weights) {
  enum { VOCAB = 15 };
  rng g = {0x80};
  for (int64_t i = 0; i < scaled(30); i++) {
    models m = models_random(&g, FAMILY_CORRELATED, 1, VOCAB, TRB_F32);
    double mean[VOCAB], other[VOCAB] = {0};
    enumerate(&m, _i, VOCAB, mean);
    oracle o = oracle_new(VOCAB);
    oracle_load(&o, &m.s.view, &m.t.view, 0);
    oracle_blend exact = oracle_blend_at(&o, 0.5);
    matrix grad = matrix_new(1, VOCAB, 0, TRB_F32, 0.0f);
    for (int by_weight = 0; by_weight < (_i ? 1 : 2); by_weight++) {
      memset(other, 0, sizeof other);
      for (int64_t y = 0; y < VOCAB; y++) {
        double log_mu = (double)oracle_log_mu(&o, 0.5, &exact, y), weight = exp((double)oracle_log_p(&o, y) - log_mu);
        trb_term_options options = {sizeof options, 0, 0, 0, _i, 0};
        trb_term out;
        bool use_weight = _i || by_weight;
        ck_assert_int_eq(trb_token_terms(NULL, &m.s.view, &m.t.view, &y, use_weight ? NULL : &log_mu,
                                         use_weight ? &weight : NULL, &options, &out, &grad.view),
                         TRB_OK);
        for (int64_t j = 0; j < VOCAB; j++) other[j] += exp(log_mu) * matrix_get(&grad.view, 0, j);
      }
      for (int64_t j = 0; j < VOCAB; j++) assert_near(other[j], (long double)mean[j], 3e-5, "token %d", (int)j);
    }
    matrix_free(&grad);
    oracle_free(&o);
    models_free(&m);
  }
}
END_TEST

/* ---- Clips ---- */

/* Two tokens with log p(0) = log p(1) = -log 2, u = +-1; the eight sides of the two clips of rho, and of the limit. */
START_TEST(test_clips) {
  const double s[2] = {0.0, 0.0}, t[2] = {2.0, 0.0};
  models m = models_new(1, 2, TRB_F32, TRB_F32, 0.0f, 0.0f);
  matrix_set_row(&m.s, 0, s);
  matrix_set_row(&m.t, 0, t);
  long double q0 = expl(2) / (expl(2) + 1), u[2] = {logl(2 * q0), logl(2 * (1 - q0))};
  for (int64_t y = 0; y < 2; y++) {
    for (int side = 0; side < 3; side++) { /* rho below, inside, above [0.8, 1.2] */
      double rho = side == 0 ? 0.5 : side == 1 ? 1.0 : 2.0, behavior = -(double)logl(2) - log(rho);
      trb_term_options o = {sizeof o, 0.8, 1.2, 0, TRB_ESTIMATOR_ADVANTAGE, 0};
      trb_term x;
      if (behavior > 1e-3) continue;
      ck_assert_int_eq(trb_token_terms(NULL, &m.s.view, &m.t.view, &y, &behavior, NULL, &o, &x, NULL), TRB_OK);
      /* min(rho a, clip(rho) a): a > 0 is held from above only, a < 0 from below only. */
      bool clipped = y == 0 ? side == 2 : side == 0;
      double used = !clipped ? rho : y == 0 ? 1.2 : 0.8;
      ck_assert_int_eq(x.clipped, clipped ? TRB_CLIPPED_RATIO : 0);
      assert_near(x.value, -(long double)used * u[y], 1e-5, "token %d side %d", (int)y, side);
      assert_near(x.coefficient, clipped ? 0.0L : -(long double)rho * u[y], 1e-5, "token %d side %d", (int)y, side);
      assert_near(x.ratio, (long double)rho, 1e-5, "before clipping");
    }
    trb_term_options o = {sizeof o, 0, 0, 0.1, TRB_ESTIMATOR_ADVANTAGE, 0};
    trb_term x;
    ck_assert_int_eq(trb_token_terms(NULL, &m.s.view, &m.t.view, &y, NULL, NULL, &o, &x, NULL), TRB_OK);
    ck_assert_int_eq(x.clipped, TRB_CLIPPED_ADVANTAGE);
    assert_near(x.coefficient, y == 0 ? -0.1L : 0.1L, 1e-9, "limit");
    ck_assert(x.ratio == 1.0);
  }
  models_free(&m);
}
END_TEST

/* ---- Edges ---- */

/* -inf, NaN and +inf at the token and beside it. */
START_TEST(test_special_values) {
  const double special[3] = {NO, (double)NAN, (double)INFINITY};
  const double first[5] = {1.0, -2.0, 0.5, 3.0, 0.0}, second[5] = {-1.0, 2.0, 0.25, -3.0, 1.0};
  int64_t seen[2] = {0};
  for (int what = 0; what < 3; what++) {
    for (int64_t v = 0; v < 5; v++) {
      for (int who = 1; who <= 3; who++) {
        for (int64_t y = 0; y < 5; y++) {
          models m = models_new(1, 5, _i % 3, _i % 3, 0.0f, 0.0f);
          matrix_set_row(&m.s, 0, first);
          matrix_set_row(&m.t, 0, second);
          if (who & 1) matrix_set(&m.s, 0, v, special[what]);
          if (who & 2) matrix_set(&m.t, 0, v, special[what]);
          trb_term_options options = {sizeof options, 0, 0, 0, _i, 0};
          term_case c = {&m, &y, NULL, NULL, &options, TRB_F32, "special"};
          check_call(&c, seen);
          models_free(&m);
        }
      }
    }
  }
  ck_assert(seen[0] > 0 && seen[1] > 0);
}
END_TEST

/* Far apart: u of +-5000 and 1e30. Only e^u of K3 can be beyond any number, which is named; nothing is NaN. */
START_TEST(test_far_apart) {
  static const double gaps[] = {100.0, 5000.0, 1e30};
  for (int i = 0; i < 3; i++) {
    for (int64_t y = 0; y < 3; y++) {
      const double s[3] = {0.0, -gaps[i], 0.5}, t[3] = {0.0, 0.5, -gaps[i]};
      models m = models_new(1, 3, TRB_F32, TRB_F32, 0.0f, 0.0f);
      matrix_set_row(&m.s, 0, s);
      matrix_set_row(&m.t, 0, t);
      matrix grad = matrix_new(1, 3, 0, TRB_F32, 0.0f);
      trb_term_options options = {sizeof options, 0, 0, 0, _i, 0};
      trb_term x;
      trb_status status = trb_token_terms(NULL, &m.s.view, &m.t.view, &y, NULL, NULL, &options, &x, &grad.view);
      bool overflow = _i == TRB_ESTIMATOR_K3 && i > 0 && y == 1;
      ck_assert_int_eq(x.status, overflow ? TRB_ROW_INFINITE : TRB_ROW_OK);
      ck_assert_int_eq(status, overflow ? TRB_EROWS : TRB_OK);
      ck_assert_msg(overflow || (!isnan(x.value) && !isnan(x.coefficient)), "gap %g token %d: value %g coefficient %g",
                    gaps[i], (int)y, x.value, x.coefficient);
      for (int64_t v = 0; v < 3; v++) ck_assert(!isnan(matrix_get(&grad.view, 0, v)));
      matrix_free(&grad);
      models_free(&m);
    }
  }
}
END_TEST

START_TEST(test_weights_and_buffers) {
  rng g = {0x81 + (uint64_t)_i};
  for (int i = 0; i < 12; i++) {
    int64_t vocab = i % 2 ? 40 : 2500;
    models m = models_random(&g, FAMILY_GAUSSIAN, 3, vocab, i % 3);
    for (int64_t v = 0; v < vocab; v++) matrix_set(&m.t, 1, v, (double)NAN);
    double weight[3] = {1.5, 0.0, -2.0};
    int64_t token[3] = {0, 1, vocab - 1}, seen[2] = {0};
    trb_term_options options = {sizeof options, 0, 0, 0, _i, 0};
    term_case c = {&m, token, NULL, weight, &options, i % 3, "weights"};
    check_call(&c, seen);
    matrix out = matrix_new(3, vocab, 0, i % 3, 0.0f);
    trb_term x[3], y[3];
    ck_assert_int_eq(trb_token_terms(NULL, &m.s.view, &m.t.view, token, NULL, weight, &options, x, &out.view), TRB_OK);
    ck_assert_int_eq(trb_token_terms(NULL, &m.s.view, &m.t.view, token, NULL, weight, &options, y, NULL), TRB_OK);
    ck_assert_mem_eq(x, y, sizeof x);
    for (int who = 0; who < 2; who++) {
      models n = {matrix_copy(&m.s), matrix_copy(&m.t)};
      matrix *own = who ? &n.t : &n.s;
      ck_assert_int_eq(trb_token_terms(NULL, &n.s.view, &n.t.view, token, NULL, weight, &options, y, &own->view),
                       TRB_OK);
      ck_assert_mem_eq(own->block, out.block, out.bytes);
      ck_assert_mem_eq(x, y, sizeof x);
      models_free(&n);
    }
    matrix_free(&out);
    models_free(&m);
  }
  trb_logits none = {NULL, 0, 5, 5, TRB_F32, 0.0f};
  ck_assert_int_eq(trb_token_terms(NULL, &none, &none, NULL, NULL, NULL, NULL, NULL, NULL), TRB_OK);
}
END_TEST

Suite *terms_suite(void) {
  Suite *suite = suite_create("terms");
  TCase *tc = long_case("terms");
  tcase_add_loop_test(tc, test_against_oracle, 0, ESTIMATORS);
  tcase_add_loop_test(tc, test_expected_gradient, 0, ESTIMATORS);
  tcase_add_loop_test(tc, test_importance_weights, 0, ESTIMATORS);
  tcase_add_test(tc, test_clips);
  tcase_add_loop_test(tc, test_special_values, 0, ESTIMATORS);
  tcase_add_loop_test(tc, test_far_apart, 0, ESTIMATORS);
  tcase_add_loop_test(tc, test_weights_and_buffers, 0, ESTIMATORS);
  suite_add_tcase(suite, tc);
  suite_add_tcase(suite, nll_case());
  suite_add_tcase(suite, stores_case());
  return suite;
}
