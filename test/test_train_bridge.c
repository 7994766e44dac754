/* test_train_bridge.c - the bridge of a training step (Veto): the target is the blend of student and teacher at a
 * weight w, held constant.
 *
 * With m = p^(1-w) q^w / Z the full reverse KL becomes KL(p||m) = w KL(p||q) + log Z. Held constant, m gives the
 * gradient p_j (log(p_j/m_j) - KL(p||m)), and since log(p/m) = w log(p/q) + log Z, that is w times the plain gradient.
 *
 * Tolerances: the library writes log m in floats, 2^-24 of up to about 32, beside the errors of check_loss.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "suites.h"
#include "trainee.h"

enum { VOCAB = 9, KINDS = 4 }; /* full reverse KL, forward KL, JSD, tail bucket of the student's top-k */

static const double weights[] = {1e-3, 0.1, 0.5, 0.9, 0.999};
static const trb_loss_options bucket = {sizeof bucket, TRB_FORM_TAIL_BUCKET, TRB_SUPPORT_STUDENT_TOP_K, 3, NULL};
static const trb_divergence_options forward = {sizeof forward, 0.0, TRB_DIVERGENCE_FORWARD_KL, 0};
static const trb_divergence_options jsd = {sizeof jsd, 0.3, TRB_DIVERGENCE_JSD, 0};

static step bridged_step(rng *g, int kind, double w) {
  const int64_t more = rng_between(g, -1, 1);
  step x = {.student = trainee_new(rng_next(g), VOCAB + (more > 0), (int32_t)rng_between(g, 0, 2)),
            .teacher = scripted_new(rng_next(g), VOCAB + (more < 0), (int32_t)rng_between(g, 0, 2))};
  x.student.model.spread = x.teacher.spread = 2.0;
  x.student.model.temperature = rng_chance(g, 0.5) ? 0.8f : 0.0f;
  x.teacher.temperature = rng_chance(g, 0.5) ? 1.3f : 0.0f;
  x.r = trainee_texts(g, 3, 4, VOCAB, false, NULL);
  x.options = (trb_train_options){.size = sizeof x.options, .bridge = w, .norm = TRB_NORM_NONE};
  if (kind == 3) x.options.reverse_kl = &bucket;
  if (kind == 1 || kind == 2) {
    x.options.objective = TRB_OBJECTIVE_DIVERGENCE;
    x.options.divergence = kind == 1 ? &forward : &jsd;
  }
  snprintf(x.where, sizeof x.where, "kind %d w %g dtypes %d %d", kind, w, x.student.model.dtype, x.teacher.dtype);
  return x;
}

/* The student against the blend. False where the supports do not meet: then there is none. */
static bool set_target(oracle *to, const oracle *o, double w) {
  long double log_mu[VOCAB + 1];
  const oracle_blend blend = oracle_blend_at(o, w);
  if (isinf(blend.shifted_norm)) return false;
  for (int64_t v = 0; v < o->n; v++) log_mu[v] = oracle_log_mu(o, w, &blend, v);
  oracle_set(to, o->s, log_mu, o->n);
  to->temperature = o->temperature;
  return true;
}

static oracle_loss want(const oracle *o, int kind, long double *grad) {
  bool in[VOCAB + 1];
  oracle_support(o, kind == 3 ? bucket.support : TRB_SUPPORT_ALL, kind == 3 ? bucket.k : 0, NULL, in);
  if (kind == 1 || kind == 2) return oracle_divergence(o, kind - 1, 0.3L, grad);
  return oracle_reverse_kl(o, kind == 3 ? TRB_FORM_TAIL_BUCKET : TRB_FORM_FULL, in, grad);
}

/* A token's row of the step against the oracle whose teacher is the blend. */
static void check_token(const step *x, const oracle *blended, const oracle_loss *e, const long double *grad,
                        int64_t t) {
  ck_assert_int_eq(x->rows[t].status, e->status);
  const double size = 1 + (double)e->loss;
  if (e->status == TRB_ROW_OK) {
    assert_near(x->loss[t], e->loss, 4e-6 * size, "%s token %d", x->where, (int)t);
    assert_near(x->rows[t].entropy_teacher, e->entropy_teacher, 1e-5, "%s token %d", x->where, (int)t);
  }
  for (int64_t v = 0; v < x->student.model.vocab; v++) {
    const double got = matrix_get(&x->student.grad.view, t, v);
    if (v >= blended->n || e->status != TRB_ROW_OK || isinf(blended->s[v])) {
      ck_assert_msg(got == 0.0, "%s token %d: gradient of %d is %g", x->where, (int)t, (int)v, got);
      continue;
    }
    const double ratio = isinf(blended->t[v]) ? 0.0 : (double)fabsl(blended->s[v] - blended->t[v]);
    const double tolerance = 5e-6 * (double)(blended->p[v] + blended->q[v]) * (size + ratio);
    assert_near(got, grad[v], tolerance / (double)blended->temperature + 1e-7, "%s token %d of %d", x->where, (int)v,
                (int)t);
  }
}

/* Masks of both models are among the rows. */
START_TEST(test_against_oracle) {
  rng g = {0x361 + (uint64_t)_i};
  int64_t seen[2] = {0, 0};
  for (int64_t i = 0; i < scaled(60); i++) {
    const double w = weights[i % 5];
    step x = bridged_step(&g, _i, w);
    if (i % 3 == 1) x.student.model.masked = 0.3;
    if (i % 4 == 1) x.teacher.masked = 0.1;
    const trb_status status = step_take(&x);
    matrix s = trainee_logits(&x.student.model, x.r, NULL), q = trainee_logits(&x.teacher, x.r, NULL);
    oracle o = oracle_new(VOCAB + 1), blended = oracle_new(VOCAB + 1);
    for (int64_t t = 0; t < x.r->n_tokens; t++) {
      long double grad[VOCAB + 1];
      oracle_load(&o, &s.view, &q.view, t);
      if (!set_target(&blended, &o, w)) continue;
      const oracle_loss e = want(&blended, _i, grad);
      check_token(&x, &blended, &e, grad, t);
      seen[e.status < 0]++;
    }
    ck_assert(status == TRB_OK || (status == TRB_EROWS && x.report.bad > 0));
    oracle_free(&o);
    oracle_free(&blended);
    matrix_free(&s);
    matrix_free(&q);
    step_free(&x);
  }
  ck_assert(seen[0] > seen[1]);
}
END_TEST

/* Of the full reverse KL: the loss is w KL(p||q) + log Z, the gradient w times the plain one. */
START_TEST(test_gradient_is_scaled) {
  rng g = {0x371};
  for (int64_t i = 0; i < scaled(60); i++) {
    const double w = weights[i % 5];
    step x = bridged_step(&g, 0, w);
    ck_assert_int_eq(step_take(&x), TRB_OK);
    matrix s = trainee_logits(&x.student.model, x.r, NULL), q = trainee_logits(&x.teacher, x.r, NULL);
    oracle o = oracle_new(VOCAB + 1);
    for (int64_t t = 0; t < x.r->n_tokens; t++) {
      bool all[VOCAB + 1];
      long double grad[VOCAB + 1], z = 0;
      oracle_load(&o, &s.view, &q.view, t);
      oracle_support(&o, TRB_SUPPORT_ALL, 0, NULL, all);
      const long double kl = oracle_reverse_kl(&o, TRB_FORM_FULL, all, grad).loss, weight = (long double)w;
      for (int64_t v = 0; v < o.n; v++) z += expl((1 - weight) * oracle_log_p(&o, v) + weight * oracle_log_q(&o, v));
      assert_near(x.loss[t], weight * kl + logl(z), 4e-6 * (1 + (double)kl), "%s token %d", x.where, (int)t);
      for (int64_t v = 0; v < o.n; v++)
        assert_near(matrix_get(&x.student.grad.view, t, v), weight * grad[v], 1e-5 * (1 + (double)kl), "%s token %d",
                    x.where, (int)t);
    }
    oracle_free(&o);
    matrix_free(&s);
    matrix_free(&q);
    step_free(&x);
  }
}
END_TEST

/* A weight of 1 is none; and the plain loss is what a weight close to 1 tends to. */
START_TEST(test_weight_one) {
  rng g = {0x381 + (uint64_t)_i}, again = g, third = g;
  step x = bridged_step(&g, _i, 0.0), y = bridged_step(&again, _i, 1.0), z = bridged_step(&third, _i, 1.0 - 1e-9);
  ck_assert_int_eq(step_take(&x), TRB_OK);
  ck_assert_int_eq(step_take(&y), TRB_OK);
  ck_assert_int_eq(step_take(&z), TRB_OK);
  step_same(&x, &y, true, "a weight of 1");
  for (int64_t t = 0; t < x.r->n_tokens; t++) assert_near(z.loss[t], x.loss[t], 5e-6 * (1 + x.loss[t]), "near 1");
  step_free(&x);
  step_free(&y);
  step_free(&z);
}
END_TEST

/* ---- Supports that do not meet ---- */

/* One model allows the even tokens, the other the odd ones. */
static int32_t half(const trb_query *queries, int64_t n, const trb_logits *out, void *user) {
  const matrix m = {.view = *out};
  const int64_t *odd = user;
  (void)queries;
  (void)n;
  for (int64_t r = 0; r < out->rows; r++)
    for (int64_t v = 0; v < out->vocab; v++) matrix_set(&m, r, v, v % 2 == *odd ? 0.25 * (double)v : -(double)INFINITY);
  return TRB_CONTINUE;
}

static int32_t nothing_but_zeros(const trb_query *queries, int64_t n, const trb_logits *grad, void *user) {
  (void)queries;
  (void)n;
  (void)user;
  for (int64_t r = 0; r < grad->rows; r++)
    for (int64_t v = 0; v < grad->vocab; v++) ck_assert(fabs(matrix_get(grad, r, v)) < 1e-7);
  return TRB_CONTINUE;
}

/* There is no blend then: the KLs are infinite, as without a bridge, and JSD is what it is of disjoint models,
 * -b log b - (1-b) log(1-b), with gradient 0. */
START_TEST(test_disjoint_supports) {
  static const int64_t even = 0, odd = 1;
  trb_model student = {.size = sizeof student, .vocab = VOCAB, .forward = half, .backward = nothing_but_zeros};
  trb_model teacher = {.size = sizeof teacher, .vocab = VOCAB, .forward = half, .dtype = _i % 3};
  student.user = (void *)&even;
  teacher.user = (void *)&odd;
  rng g = {0x391};
  step x = bridged_step(&g, _i, 0.5);
  double loss[64];
  trb_loss_row rows[64];
  ck_assert(x.r->n_tokens > 0 && x.r->n_tokens <= 64);
  const trb_status status = trb_train_step(NULL, &student, &teacher, x.r, &x.options, loss, rows, NULL);
  ck_assert_int_eq(status, _i == 2 ? TRB_OK : TRB_EROWS);
  for (int64_t t = 0; t < x.r->n_tokens; t++) {
    ck_assert_int_eq(rows[t].status, _i == 2 ? TRB_ROW_OK : TRB_ROW_INFINITE);
    if (_i == 2) assert_near(loss[t], -0.3L * logl(0.3L) - 0.7L * logl(0.7L), 1e-6, "token %d", (int)t);
    if (_i != 2) ck_assert(loss[t] == (double)INFINITY);
  }
  step_free(&x);
}
END_TEST

TCase *train_bridge_case(void) {
  TCase *tc = long_case("bridge");
  tcase_add_loop_test(tc, test_against_oracle, 0, KINDS);
  tcase_add_test(tc, test_gradient_is_scaled);
  tcase_add_loop_test(tc, test_weight_one, 0, KINDS);
  tcase_add_loop_test(tc, test_disjoint_supports, 0, KINDS);
  return tc;
}
