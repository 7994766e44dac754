/* test_nll.c - the negative log-likelihood among the terms: what it needs of a teacher, which is nothing. */
#include <math.h>
#include <string.h>

#include "common.h"
#include "oracle.h"
#include "suites.h"

enum { VOCAB = 15, ROWS = 4 };

static const double NO = -(double)INFINITY;
static const trb_term_options nll = {sizeof nll, 0, 0, 0, TRB_ESTIMATOR_NLL, 0};

/* The term of one row without a teacher, and its gradient, straight from the formulas. */
static void check_alone(const oracle *o, int64_t token, double weight, const trb_term *x, const trb_logits *grad,
                        int64_t r) {
  const int32_t status = o->bad ? o->bad : isinf(o->s[token]) ? TRB_ROW_INFINITE : TRB_ROW_OK;
  ck_assert_int_eq(x->status, status);
  ck_assert(isnan(x->log_teacher));
  if (status == TRB_ROW_OK) {
    const long double log_p = oracle_log_p(o, token);
    const double tolerance = 6e-7 + 1e-15 * (double)fabsl(log_p);
    assert_near(x->value, -log_p, tolerance, "value");
    assert_near(x->log_student, log_p, tolerance, "log p");
    ck_assert(x->coefficient == -1.0 && x->ratio == 1.0 && x->clipped == 0);
  } else {
    ck_assert(isnan(x->value) && isnan(x->coefficient));
  }
  for (int64_t j = 0; j < grad->vocab; j++) {
    const double got = matrix_get(grad, r, j);
    if (status != TRB_ROW_OK || isinf(o->s[j])) {
      ck_assert_msg(got == 0.0, "row %d: token %d has gradient %g", (int)r, (int)j, got);
      continue;
    }
    const long double want = (long double)weight * (o->p[j] - (j == token)) / o->temperature;
    const double tolerance = 2e-6 * fabs(weight) / (double)o->temperature + dtype_rounding(grad->dtype, (double)want);
    assert_near(got, want, tolerance, "row %d token %d", (int)r, (int)j);
  }
}

/* Loop tests run over the families of rows. */
START_TEST(test_without_a_teacher) {
  rng g = {0x211 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(10); i++) {
    const int64_t vocab = family_vocab(&g, _i);
    models m = models_varied(&g, ROWS, vocab, 0);
    m.s.view.temperature = i % 2 ? 0.7f : 0.0f;
    matrix grad = matrix_new(ROWS, vocab, vocab + 3, (int32_t)rng_between(&g, 0, 2), 0.0f);
    oracle o = oracle_new(vocab);
    int64_t token[ROWS];
    double weight[ROWS];
    trb_term x[ROWS];
    for (int64_t r = 0; r < ROWS; r++) {
      models_fill_row(&m, r, &g, _i);
      token[r] = rng_between(&g, 0, vocab - 1);
      weight[r] = 0.5 - rng_uniform(&g);
    }
    if (i % 5 == 4) matrix_set(&m.s, 1, vocab / 2, (double)NAN);
    const trb_status status = trb_token_terms(NULL, &m.s.view, NULL, token, NULL, weight, &nll, x, &grad.view);
    bool bad = false;
    for (int64_t r = 0; r < ROWS; r++) {
      oracle_load(&o, &m.s.view, NULL, r);
      check_alone(&o, token[r], weight[r], &x[r], &grad.view, r);
      bad |= x[r].status < 0;
    }
    ck_assert_int_eq(status, bad ? TRB_EROWS : TRB_OK);
    ck_assert(matrix_guarded(&grad) && matrix_gaps_intact(&grad));
    oracle_free(&o);
    matrix_free(&grad);
    models_free(&m);
  }
}
END_TEST

/* A teacher adds log_teacher and bounds the vocabulary; nothing else changes, not by a bit. */
START_TEST(test_a_teacher_changes_nothing) {
  rng g = {0x212};
  for (int64_t i = 0; i < scaled(60); i++) {
    const int64_t vocab = rng_size(&g, 2, 2000), more = rng_between(&g, 0, 5);
    models m = models_varied(&g, ROWS, vocab, more);
    trb_logits cut = m.s.view;
    cut.vocab = vocab;
    matrix with = matrix_new(ROWS, vocab + more, 0, TRB_F32, 0.0f), alone = matrix_copy(&with);
    matrix_fill(&alone, 0.0);
    int64_t token[ROWS];
    trb_term x[ROWS], y[ROWS];
    for (int64_t r = 0; r < ROWS; r++) {
      models_fill_row(&m, r, &g, FAMILY_CORRELATED);
      token[r] = rng_between(&g, 0, vocab - 1);
    }
    ck_assert_int_eq(trb_token_terms(NULL, &m.s.view, &m.t.view, token, NULL, NULL, &nll, x, &with.view), TRB_OK);
    ck_assert_int_eq(trb_token_terms(NULL, &cut, NULL, token, NULL, NULL, &nll, y, &alone.view), TRB_OK);
    ck_assert_mem_eq(with.block, alone.block, with.bytes);
    for (int64_t r = 0; r < ROWS; r++) {
      ck_assert(isfinite(x[r].log_teacher) && isnan(y[r].log_teacher));
      y[r].log_teacher = x[r].log_teacher;
    }
    ck_assert_mem_eq(x, y, sizeof x);
    trb_logits own = cut; /* the gradient in the student's own place */
    ck_assert_int_eq(trb_token_terms(NULL, &cut, NULL, token, NULL, NULL, &nll, y, &own), TRB_OK);
    for (int64_t r = 0; r < ROWS; r++)
      for (int64_t v = 0; v < vocab; v++)
        assert_near(matrix_get(&own, r, v), matrix_get(&with.view, r, v),
                    dtype_rounding(own.dtype, matrix_get(&with.view, r, v)), "in place");
    matrix_free(&with);
    matrix_free(&alone);
    models_free(&m);
  }
}
END_TEST

/* What the teacher masks does not matter, be it the token itself; what the student masks does. */
START_TEST(test_masks) {
  const double s[3] = {1.0, NO, 0.5}, t[3] = {NO, 0.0, NO};
  models m = models_new(1, 3, TRB_F32, TRB_F32, 0.0f, 0.0f);
  matrix_set_row(&m.s, 0, s);
  matrix_set_row(&m.t, 0, t);
  const long double norm = logl(expl(1.0L) + expl(0.5L));
  for (int64_t y = 0; y < 3; y++) {
    trb_term x;
    const trb_status status = trb_token_terms(NULL, &m.s.view, &m.t.view, &y, NULL, NULL, &nll, &x, NULL);
    ck_assert_int_eq(status, y == 1 ? TRB_EROWS : TRB_OK);
    ck_assert_int_eq(x.status, y == 1 ? TRB_ROW_INFINITE : TRB_ROW_OK);
    if (y == 1) continue;
    assert_near(x.value, norm - (long double)s[y], 6e-7, "token %d", (int)y);
    ck_assert(x.log_teacher == NO);
  }
  models_free(&m);
}
END_TEST

/* Of tokens drawn from the teacher the expected gradient is the forward KL's, by enumeration. */
START_TEST(test_expected_gradient_under_the_teacher) {
  rng g = {0x213};
  for (int64_t i = 0; i < scaled(20); i++) {
    models m = models_new(1, VOCAB, TRB_F32, TRB_F32, 0.8f, 0.0f);
    models_fill_row(&m, 0, &g, FAMILY_GAUSSIAN);
    matrix grad = matrix_new(1, VOCAB, 0, TRB_F32, 0.0f);
    oracle o = oracle_new(VOCAB);
    oracle_load(&o, &m.s.view, &m.t.view, 0);
    long double forward[VOCAB], mean[VOCAB] = {0};
    oracle_divergence(&o, TRB_DIVERGENCE_FORWARD_KL, 0, forward);
    for (int64_t y = 0; y < VOCAB; y++) {
      trb_term x;
      ck_assert_int_eq(trb_token_terms(NULL, &m.s.view, NULL, &y, NULL, NULL, &nll, &x, &grad.view), TRB_OK);
      for (int64_t j = 0; j < VOCAB; j++) mean[j] += o.q[y] * (long double)matrix_get(&grad.view, 0, j);
    }
    for (int64_t j = 0; j < VOCAB; j++) assert_near(mean[j], forward[j], 3e-6, "token %d", (int)j);
    oracle_free(&o);
    matrix_free(&grad);
    models_free(&m);
  }
}
END_TEST

/* Only this estimator does without a teacher, and then the student's vocabulary bounds the tokens. */
START_TEST(test_errors) {
  rng g = {0x214};
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  models m = models_random(&g, FAMILY_GAUSSIAN, 1, VOCAB, TRB_F32);
  trb_term x, before;
  memset(&before, 0x5A, sizeof before);
  x = before;
  int64_t token = VOCAB;
  ck_assert_int_eq(trb_token_terms(ctx, &m.s.view, NULL, &token, NULL, NULL, &nll, &x, NULL), TRB_EINVAL);
  ck_assert_ptr_nonnull(strstr(trb_context_error(ctx), "token[0]"));
  token = 0;
  for (int32_t e = TRB_ESTIMATOR_ADVANTAGE; e < TRB_ESTIMATOR_NLL; e++) {
    const trb_term_options other = {sizeof other, 0, 0, 0, e, 0};
    ck_assert_int_eq(trb_token_terms(ctx, &m.s.view, NULL, &token, NULL, NULL, &other, &x, NULL), TRB_EINVAL);
    ck_assert_ptr_nonnull(strstr(trb_context_error(ctx), "teacher"));
  }
  ck_assert_mem_eq(&x, &before, sizeof x);
  models_free(&m);
  trb_context_free(ctx);
}
END_TEST

TCase *nll_case(void) {
  TCase *tc = long_case("nll");
  tcase_add_loop_test(tc, test_without_a_teacher, 0, FAMILIES);
  tcase_add_test(tc, test_a_teacher_changes_nothing);
  tcase_add_test(tc, test_masks);
  tcase_add_test(tc, test_expected_gradient_under_the_teacher);
  tcase_add_test(tc, test_errors);
  return tc;
}
