/* test_train_ends.c - the gradient through merged end tokens: with respect to the logits as the student gave them, by
 * central differences of a merge and a loss that are written here. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "suites.h"
#include "trainee.h"

enum { REVERSE_KL, JSD, NLL, K2, LOSSES, MOST = 12 };

/* Pairs and vocabularies: alone, a chain of two and of three, two into one, one token in two pairs, there and back, and
 * ids that one of the models does not have. */
static const struct {
  const char *what;
  int64_t vocab_s, vocab_t, n, student[3], teacher[3];
} scenes[] = {
    {"one pair", 7, 7, 1, {1}, {4}},
    {"a chain", 7, 7, 2, {2, 3}, {1, 2}},
    {"a longer chain", 8, 8, 3, {2, 3, 0}, {1, 2, 3}},
    {"two into one", 8, 8, 2, {2, 2}, {5, 6}},
    {"one in two pairs", 8, 8, 2, {1, 2}, {5, 5}},
    {"there and back", 7, 7, 2, {1, 5}, {5, 1}},
    {"beyond the student's vocabulary", 7, 10, 2, {1, 0}, {9, 3}},
    {"beyond the teacher's vocabulary", 10, 7, 2, {1, 0}, {9, 3}},
};
enum { SCENES = sizeof scenes / sizeof scenes[0] };

/* ---- The reference ---- */

typedef struct position {
  long double z[MOST], q[MOST]; /* raw logits of both models */
  int64_t vocab_s, vocab_t, token;
  long double temperature_s, temperature_t;
  const trb_ends *ends;
  int loss;
} position;

/* Probabilities over the common vocabulary after the merge, as logarithms. */
static void merged(const long double *raw, int64_t vocab, int64_t common, long double temperature, const trb_ends *ends,
                   long double *log_p) {
  long double mass[MOST], sum = 0;
  for (int64_t v = 0; v < vocab; v++) mass[v] = expl(raw[v] / temperature);
  for (int64_t i = 0; i < ends->n; i++) {
    if (ends->student[i] >= vocab || ends->teacher[i] >= vocab) continue;
    mass[ends->student[i]] += mass[ends->teacher[i]];
    mass[ends->teacher[i]] = 0;
  }
  for (int64_t v = 0; v < common; v++) sum += mass[v];
  for (int64_t v = 0; v < common; v++) log_p[v] = logl(mass[v] / sum);
}

static long double loss_of(const position *x) {
  long double p[MOST], q[MOST], sum = 0;
  const int64_t n = x->vocab_s < x->vocab_t ? x->vocab_s : x->vocab_t;
  merged(x->z, x->vocab_s, n, x->temperature_s, x->ends, p);
  merged(x->q, x->vocab_t, n, x->temperature_t, x->ends, q);
  const long double u = q[x->token] - p[x->token];
  if (x->loss == NLL) return -p[x->token];
  if (x->loss == K2) return u * u / 2;
  for (int64_t v = 0; v < n; v++) {
    const long double m = logl((expl(p[v]) + expl(q[v])) / 2);
    if (x->loss == REVERSE_KL && !isinf(p[v])) sum += expl(p[v]) * (p[v] - q[v]);
    if (x->loss == JSD && !isinf(p[v])) sum += expl(p[v]) * (p[v] - m) / 2;
    if (x->loss == JSD && !isinf(q[v])) sum += expl(q[v]) * (q[v] - m) / 2;
  }
  return sum;
}

/* Five points: the error is of order h^4. */
static long double slope(position *x, int64_t j) {
  static const long double factors[5] = {1, -8, 0, 8, -1}, h = 1e-4L;
  const long double at = x->z[j];
  long double sum = 0;
  if (isinf(at)) return 0;
  for (int i = -2; i <= 2; i++) {
    if (i == 0) continue;
    x->z[j] = at + h * i;
    sum += factors[i + 2] * loss_of(x);
  }
  x->z[j] = at;
  return sum / (12 * h);
}

/* ---- Steps ---- */

static const trb_divergence_options jsd = {sizeof jsd, 0.0, TRB_DIVERGENCE_JSD, 0};
static const trb_term_options nll = {sizeof nll, 0, 0, 0, TRB_ESTIMATOR_NLL, 0};
static const trb_term_options k2 = {sizeof k2, 0, 0, 0, TRB_ESTIMATOR_K2, 0};

static step step_through(rng *g, int scene, int loss, const trb_ends *ends, int32_t dtype) {
  const int64_t vocab_s = scenes[scene].vocab_s, vocab_t = scenes[scene].vocab_t;
  step x = {.student = trainee_new(rng_next(g), vocab_s, dtype), .teacher = scripted_new(rng_next(g), vocab_t, dtype)};
  x.student.model.temperature = 0.75f;
  x.teacher.temperature = 1.25f;
  x.student.model.spread = 2.0;
  x.r = trainee_texts(g, 3, 4, vocab_s < vocab_t ? vocab_s : vocab_t, false, ends);
  x.options = (trb_train_options){.size = sizeof x.options, .norm = TRB_NORM_NONE, .grad_dtype = dtype};
  if (loss == JSD) {
    x.options.objective = TRB_OBJECTIVE_DIVERGENCE;
    x.options.divergence = &jsd;
  }
  if (loss == NLL || loss == K2) {
    x.options.objective = TRB_OBJECTIVE_TOKEN;
    x.options.token = loss == NLL ? &nll : &k2;
  }
  snprintf(x.where, sizeof x.where, "%s, loss %d", scenes[scene].what, loss);
  return x;
}

static trb_ends ends_of(int scene) {
  return (trb_ends){scenes[scene].student, scenes[scene].teacher, scenes[scene].n};
}

static position read_position(const step *x, int64_t t, const trb_ends *ends, int loss, const matrix *z,
                              const matrix *q) {
  position at = {
      .vocab_s = z->view.vocab, .vocab_t = q->view.vocab, .token = x->r->token[t], .ends = ends, .loss = loss};
  at.temperature_s = (long double)z->view.temperature;
  at.temperature_t = (long double)q->view.temperature;
  for (int64_t v = 0; v < at.vocab_s; v++) at.z[v] = (long double)matrix_get(&z->view, t, v);
  for (int64_t v = 0; v < at.vocab_t; v++) at.q[v] = (long double)matrix_get(&q->view, t, v);
  return at;
}

/* Loop tests run over scenes and losses. Masked raw logits are among the rows: 0 exactly. Rows without a result, whose
 * gradient is 0 as well, are counted. */
START_TEST(test_central_differences) {
  const int scene = _i / LOSSES, loss = _i % LOSSES;
  const trb_ends ends = ends_of(scene);
  rng g = {0x3A1 + (uint64_t)_i};
  int64_t good = 0;
  for (int64_t i = 0; i < scaled(20); i++) {
    step x = step_through(&g, scene, loss, &ends, TRB_F32);
    if (i % 2) x.student.model.masked = 0.3;
    const trb_status status = step_take(&x);
    ck_assert_int_eq(status, x.report.bad > 0 ? TRB_EROWS : TRB_OK);
    matrix z = trainee_logits(&x.student.model, x.r, NULL), q = trainee_logits(&x.teacher, x.r, NULL);
    for (int64_t t = 0; t < x.r->n_tokens; t++) {
      position at = read_position(&x, t, &ends, loss, &z, &q);
      const long double value = loss_of(&at);
      if (isfinite(value)) assert_near(x.loss[t], value, 3e-6 * (1 + (double)value), "%s token %d", x.where, (int)t);
      good += isfinite(value);
      for (int64_t j = 0; j < at.vocab_s; j++) {
        const long double want = isfinite(value) ? slope(&at, j) : 0;
        const double got = matrix_get(&x.student.grad.view, t, j);
        assert_near(got, want, want == 0 && isinf(at.z[j]) ? 0 : 6e-6 * (1 + (double)fabsl(want)),
                    "%s, gradient of %d at token %d", x.where, (int)j, (int)t);
      }
    }
    matrix_free(&z);
    matrix_free(&q);
    step_free(&x);
  }
  ck_assert_int_gt(good, 0);
}
END_TEST

/* In every element type, in the student's own place or beside it: what the loss gives for the merged token is shared in
 * the proportion of the two probabilities, and no other entry is touched. */
START_TEST(test_shares) {
  const trb_ends ends = ends_of(0);
  const int64_t to = ends.student[0], from = ends.teacher[0];
  rng g = {0x3C1 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(20); i++) {
    step x = step_through(&g, 0, REVERSE_KL, &ends, _i % 3);
    x.options.grad_dtype = _i / 3;
    ck_assert_int_eq(step_take(&x), TRB_OK);
    matrix raw = trainee_logits(&x.student.model, x.r, NULL), s = trainee_logits(&x.student.model, x.r, &ends);
    matrix t = trainee_logits(&x.teacher, x.r, &ends);
    matrix whole = matrix_new(x.r->n_tokens, s.view.vocab, 0, x.options.grad_dtype, 0.0f);
    ck_assert_int_eq(trb_reverse_kl(NULL, &s.view, &t.view, NULL, NULL, NULL, &whole.view, NULL), TRB_OK);
    for (int64_t k = 0; k < x.r->n_tokens; k++)
      for (int64_t v = 0; v < s.view.vocab; v++) {
        const double sum = matrix_get(&whole.view, k, to), got = matrix_get(&x.student.grad.view, k, v);
        const long double gap = (long double)matrix_get(&raw.view, k, from) - (long double)matrix_get(&raw.view, k, to);
        const long double share = 1 / (1 + expl(gap / 0.75L));
        const long double want = (long double)sum * (v == to ? share : 1 - share);
        if (v != to && v != from) ck_assert(got == matrix_get(&whole.view, k, v));
        if (v == to || v == from)
          assert_near(got, want, 1.1 * dtype_rounding(x.options.grad_dtype, (double)want) + 1e-7 * fabs(sum),
                      "token %d of row %d", (int)v, (int)k);
      }
    matrix_free(&raw);
    matrix_free(&s);
    matrix_free(&t);
    matrix_free(&whole);
    step_free(&x);
  }
}
END_TEST

/* Rows without a result keep gradient 0 exactly, whatever their end tokens hold; the others are not harmed. */
START_TEST(test_bad_rows) {
  const trb_ends ends = ends_of(1);
  rng g = {0x3D1}, again = g;
  step good = step_through(&again, 1, REVERSE_KL, &ends, TRB_F32), x = step_through(&g, 1, REVERSE_KL, &ends, TRB_F32);
  int64_t sequence = 0;
  while (x.r->offset[sequence + 1] - x.r->offset[sequence] < 2) sequence++;
  const int64_t prompt =
      x.r->text_offset[sequence + 1] - x.r->text_offset[sequence] - (x.r->offset[sequence + 1] - x.r->offset[sequence]);
  const scripted_fault fault = {sequence, prompt + 1, SCRIPTED_NAN + _i};
  x.student.model.faults = &fault;
  x.student.model.n_faults = 1;
  ck_assert_int_eq(step_take(&good), TRB_OK);
  ck_assert_int_eq(step_take(&x), TRB_EROWS);
  for (int64_t t = 0; t < x.r->n_tokens; t++) {
    if (t != x.r->offset[sequence] + 1) {
      assert_same_row(&x.student.grad.view, t, &good.student.grad.view, t, "good row");
      continue;
    }
    for (int64_t v = 0; v < x.student.model.vocab; v++) ck_assert(matrix_get(&x.student.grad.view, t, v) == 0.0);
  }
  step_free(&x);
  step_free(&good);
}
END_TEST

TCase *train_ends_case(void) {
  TCase *tc = long_case("ends");
  tcase_add_loop_test(tc, test_central_differences, 0, SCENES * LOSSES);
  tcase_add_loop_test(tc, test_shares, 0, 9);
  tcase_add_loop_test(tc, test_bad_rows, 0, 5);
  return tc;
}
