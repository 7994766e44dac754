/* test_train.c - trb_train_step against direct calls of the functions on logits, bit for bit, and through them against
 * the long double oracle. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_loss.h"
#include "suites.h"
#include "trainee.h"

enum { K = 4 };

/* ---- The report ---- */

typedef struct sums {
  int64_t good, bad, clipped;
  long double objective, size, loss, entropy_student, entropy_teacher, mass_student, mass_teacher, agreement;
} sums;

static void check_report(const step *x, const sums *s, int64_t tokens) {
  const trb_train_report *y = &x->report;
  ck_assert_uint_eq(y->size, sizeof *y);
  ck_assert_int_eq(y->tokens, tokens);
  ck_assert_int_eq(y->bad, s->bad);
  ck_assert_int_eq(y->clipped, s->clipped);
  ck_assert_int_eq(y->micro_batches, x->student.model.calls);
  ck_assert_int_eq(y->micro_batches, x->student.backwards);
  ck_assert_int_eq(y->teacher_rows, x->teacher.rows);
  const long double n = s->good > 0 ? (long double)s->good : (long double)NAN;
  assert_near(y->objective, s->objective, 1e-13L * s->size, "%s", x->where);
  const bool terms = x->options.objective == TRB_OBJECTIVE_TOKEN;
  const struct {
    double got;
    long double sum;
    bool known;
  } means[] = {{y->loss, s->loss, true},
               {y->entropy_student, s->entropy_student, !terms},
               {y->entropy_teacher, s->entropy_teacher, !terms},
               {y->mass_student, s->mass_student, !terms},
               {y->mass_teacher, s->mass_teacher, !terms},
               {y->agreement, s->agreement, !terms}};
  for (int i = 0; i < 6; i++) {
    const long double want = means[i].known ? means[i].sum / n : (long double)NAN;
    assert_near(means[i].got, want, isnan(want) ? 0 : 1e-13L * (1 + fabsl(want)), "%s: mean %d", x->where, i);
  }
}

/* ---- The functions on logits ---- */

/* Rows of sequences with a token that counts were handed back with these bits, the others never; sequences in a row are
 * one batch, since all fit. */
static void check_gradient(const step *x, const double *weight, const matrix *grad) {
  int64_t batches = 0;
  bool before = false;
  for (int64_t i = 0; i < x->r->n; i++) {
    bool counts = false;
    for (int64_t t = x->r->offset[i]; t < x->r->offset[i + 1]; t++) counts |= weight[t] != 0.0;
    for (int64_t t = x->r->offset[i]; t < x->r->offset[i + 1]; t++) {
      ck_assert_msg(trainee_handed(&x->student, t) == counts, "%s: token %d", x->where, (int)t);
      if (counts) assert_same_row(&x->student.grad.view, t, &grad->view, t, x->where);
    }
    batches += counts && !before;
    before = counts;
  }
  ck_assert_int_le(x->report.micro_batches, batches);
}

static sums call_loss(const step *x, const double *weight, const trb_logits *s, const trb_logits *t,
                      const matrix *grad) {
  const trb_train_options *o = &x->options;
  const size_t n = (size_t)x->r->n_tokens;
  double *loss = malloc((n + 1) * sizeof *loss);
  trb_loss_row *rows = malloc((n + 1) * sizeof *rows);
  if (!loss || !rows) abort();
  if (o->objective == TRB_OBJECTIVE_REVERSE_KL)
    trb_reverse_kl(NULL, s, t, weight, o->reverse_kl, loss, &grad->view, rows);
  else
    trb_divergence(NULL, s, t, weight, o->divergence, loss, &grad->view, rows);
  ck_assert_msg(memcmp(loss, x->loss, n * sizeof *loss) == 0, "%s: loss", x->where);
  ck_assert_msg(memcmp(rows, x->rows, n * sizeof *rows) == 0, "%s: rows", x->where);
  sums sum = {0};
  for (size_t k = 0; k < n; k++) {
    const trb_loss_row *row = &rows[k];
    sum.bad += row->status < 0;
    if (row->status != TRB_ROW_OK) continue;
    sum.good++;
    sum.objective += (long double)weight[k] * (long double)loss[k];
    sum.size += fabsl((long double)weight[k] * (long double)loss[k]);
    sum.loss += (long double)loss[k];
    sum.entropy_student += (long double)row->entropy_student;
    sum.entropy_teacher += (long double)row->entropy_teacher;
    sum.mass_student += (long double)row->mass_student;
    sum.mass_teacher += (long double)row->mass_teacher;
    sum.agreement += row->argmax_student == row->argmax_teacher;
  }
  const loss_case c = {s, t, weight, o->reverse_kl, o->divergence, o->grad_dtype, x->where};
  if (n > 0) loss_check(&c, NULL);
  free(loss);
  free(rows);
  return sum;
}

/* The term of a good row in long double: test_terms.c checks trb_token_terms itself at length. */
static void check_term(const step *x, double weight, const trb_logits *s, const trb_logits *t, int64_t k,
                       const matrix *grad) {
  oracle o = oracle_new(s->vocab);
  oracle_load(&o, s, t, k);
  const trb_term_options *options = x->options.token;
  const bool ratio = options->estimator == TRB_ESTIMATOR_ADVANTAGE && !isnan(x->r->log_sampled[k]);
  const oracle_term e = oracle_token_term(&o, x->r->token[k], ratio ? &x->r->log_sampled[k] : NULL, options);
  const long double u = options->estimator == TRB_ESTIMATOR_NLL ? 0 : fabsl(e.log_teacher - e.log_student);
  const long double size = 1 + fabsl(e.value) + fabsl(e.coefficient) + e.ratio * (1 + u);
  assert_near(x->loss[k], e.value, 1e-6L * size, "%s token %d", x->where, (int)k);
  for (int64_t j = 0; j < o.n; j++) {
    if (isinf(o.s[j])) continue;
    const long double scale = (long double)weight / o.temperature;
    const long double want = scale * e.coefficient * ((j == x->r->token[k]) - o.p[j]);
    const double rounding =
        dtype_rounding(TRB_F32, (double)want) + 1.001 * dtype_rounding(x->options.grad_dtype, (double)want);
    assert_near(matrix_get(&grad->view, k, j), want, (double)(2e-6L * size * fabsl(scale)) + rounding, "%s token %d",
                x->where, (int)k);
  }
  oracle_free(&o);
}

static sums call_terms(const step *x, const double *weight, const trb_logits *s, const trb_logits *t,
                       const matrix *grad) {
  const size_t n = (size_t)x->r->n_tokens;
  const trb_term_options *options = x->options.token;
  const bool known = n > 0 && !isnan(x->r->log_sampled[0]);
  const bool ratio = (!options || options->estimator == TRB_ESTIMATOR_ADVANTAGE) && known;
  trb_term *terms = malloc((n + 1) * sizeof *terms);
  if (!terms) abort();
  trb_token_terms(NULL, s, x->alone ? NULL : t, x->r->token, ratio ? x->r->log_sampled : NULL, weight, options, terms,
                  &grad->view);
  sums sum = {0};
  for (size_t k = 0; k < n; k++) {
    ck_assert_msg(memcmp(&terms[k].value, &x->loss[k], sizeof(double)) == 0, "%s: loss %d", x->where, (int)k);
    sum.bad += terms[k].status < 0;
    sum.clipped += terms[k].clipped != 0;
    if (terms[k].status != TRB_ROW_OK) continue;
    sum.good++;
    sum.objective += (long double)weight[k] * (long double)terms[k].value;
    sum.size += fabsl((long double)weight[k] * (long double)terms[k].value);
    sum.loss += (long double)terms[k].value;
    if (options && terms[k].clipped == 0) check_term(x, weight[k], s, x->alone ? NULL : t, (int64_t)k, grad);
  }
  free(terms);
  return sum;
}

/* The step did what the function on logits does with the same rows and the normalized weights. */
static void check_step(step *x) {
  const trb_status status = step_take(x);
  matrix s = trainee_logits(&x->student.model, x->r, NULL), t = trainee_logits(&x->teacher, x->r, NULL);
  matrix grad = matrix_new(x->r->n_tokens, s.view.vocab, 0, x->options.grad_dtype, 0.0f);
  double *weight = malloc((size_t)(x->r->n_tokens + 1) * sizeof *weight);
  if (!weight) abort();
  const int64_t tokens = trainee_weights(x->r, &x->options, weight);
  const bool terms = x->options.objective == TRB_OBJECTIVE_TOKEN;
  const sums sum =
      terms ? call_terms(x, weight, &s.view, &t.view, &grad) : call_loss(x, weight, &s.view, &t.view, &grad);
  ck_assert_msg(status == (sum.bad > 0 ? TRB_EROWS : TRB_OK), "%s: status %d", x->where, status);
  check_gradient(x, weight, &grad);
  check_report(x, &sum, tokens);
  free(weight);
  matrix_free(&s);
  matrix_free(&t);
  matrix_free(&grad);
}

/* ---- Random calls ---- */

static step random_step(rng *g, bool known) {
  static const float temperatures[] = {0.0f, 0.7f, 1.6f};
  const uint64_t seed = g->state;
  const int64_t vocab = rng_size(g, K, 60), more = rng_between(g, -3, 3);
  step x = {.student = trainee_new(rng_next(g), vocab + (more > 0 ? more : 0), (int32_t)rng_between(g, 0, 2)),
            .teacher = scripted_new(rng_next(g), vocab - (more < 0 ? more : 0), (int32_t)rng_between(g, 0, 2))};
  x.student.model.temperature = temperatures[rng_next(g) % 3];
  x.teacher.temperature = temperatures[rng_next(g) % 3];
  x.student.model.spread = rng_scale(g, 0.3, 4.0);
  x.teacher.spread = rng_scale(g, 0.3, 4.0);
  if (rng_chance(g, 0.3)) x.student.model.masked = 0.3;
  if (rng_chance(g, 0.3)) x.teacher.masked = 0.05;
  x.r = trainee_texts(g, rng_between(g, 1, 5), 6, vocab, known, NULL);
  x.options.size = sizeof x.options;
  x.options.grad_dtype = (int32_t)rng_between(g, 0, 2);
  x.options.norm = (int32_t)rng_between(g, 0, 2);
  x.options.scale = rng_chance(g, 0.5) ? 0.0 : rng_normal(g);
  snprintf(x.where, sizeof x.where, "seed %#llx vocab %d/%d dtypes %d %d %d norm %d scale %g", (unsigned long long)seed,
           (int)x.student.model.vocab, (int)x.teacher.vocab, x.student.model.dtype, x.teacher.dtype,
           x.options.grad_dtype, x.options.norm, x.options.scale);
  return x;
}

/* Weights of both signs, some 0, or none given. */
static double *random_weights(rng *g, step *x) {
  double *weight = malloc((size_t)(x->r->n_tokens + 1) * sizeof *weight);
  if (!weight) abort();
  const double skip = rng_chance(g, 0.3) ? 0.6 : 0.0;
  for (int64_t t = 0; t < x->r->n_tokens; t++) weight[t] = rng_chance(g, skip) ? 0.0 : random_weight(g);
  if (rng_chance(g, 0.7)) x->options.weight = weight;
  return weight;
}

/* Loop tests run over the forms: the full one, then four forms on three kinds of top-k or lists. */
START_TEST(test_reverse_kl) {
  rng g = {0x301 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(25); i++) {
    step x = random_step(&g, false);
    double *weight = random_weights(&g, &x);
    const int64_t common = x.teacher.vocab < x.student.model.vocab ? x.teacher.vocab : x.student.model.vocab;
    int64_t *ids = malloc((size_t)(x.r->n_tokens * K + 1) * sizeof *ids);
    if (!ids) abort();
    for (int64_t k = 0; k < x.r->n_tokens * K; k++) {
      ids[k] = k % K == 3 ? -1 : (rng_between(&g, 0, common - 1) + k % K) % common;
      if (k % K == 1) ids[k] = (ids[k - 1] + 1) % common; /* two different ones */
    }
    trb_loss_options o = {sizeof o, _i ? (_i - 1) / 3 + 1 : 0, _i ? (_i - 1) % 3 + 1 : 0, _i ? K : 0, NULL};
    if (o.support == TRB_SUPPORT_IDS) o.ids = ids;
    if (_i > 0 || i % 2) x.options.reverse_kl = &o;
    check_step(&x);
    free(ids);
    free(weight);
    step_free(&x);
  }
}
END_TEST

START_TEST(test_divergence) {
  rng g = {0x302 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(40); i++) {
    step x = random_step(&g, false);
    double *weight = random_weights(&g, &x);
    const trb_divergence_options o = {sizeof o, _i && i % 2 ? 0.2 : 0.0, _i, 0};
    x.options.objective = TRB_OBJECTIVE_DIVERGENCE;
    x.options.divergence = &o;
    check_step(&x);
    free(weight);
    step_free(&x);
  }
}
END_TEST

/* Estimators with and without clips; log_sampled, where known, is the advantage's alone. A bridge of 1 is none. */
START_TEST(test_terms) {
  rng g = {0x303 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(40); i++) {
    step x = random_step(&g, i % 3 != 0);
    double *weight = random_weights(&g, &x);
    trb_term_options o = {sizeof o, 0, 0, 0, _i, 0};
    if (_i == TRB_ESTIMATOR_ADVANTAGE && i % 2) o.ratio_low = 0.8, o.ratio_high = 1.2, o.advantage_limit = 2.0;
    x.alone = _i == TRB_ESTIMATOR_NLL && x.student.model.vocab <= x.teacher.vocab;
    x.options.objective = TRB_OBJECTIVE_TOKEN;
    x.options.bridge = (double)(i % 2);
    if (_i != TRB_ESTIMATOR_ADVANTAGE || i % 4 != 0) x.options.token = &o;
    check_step(&x);
    free(weight);
    step_free(&x);
  }
}
END_TEST

Suite *train_suite(void) {
  Suite *suite = suite_create("train");
  TCase *tc = long_case("calls");
  tcase_add_loop_test(tc, test_reverse_kl, 0, 13);
  tcase_add_loop_test(tc, test_divergence, 0, 2);
  tcase_add_loop_test(tc, test_terms, 0, 5);
  suite_add_tcase(suite, tc);
  suite_add_tcase(suite, train_batches_case());
  suite_add_tcase(suite, train_bridge_case());
  suite_add_tcase(suite, train_ends_case());
  suite_add_tcase(suite, train_failures_case());
  suite_add_tcase(suite, train_einval_case());
  suite_add_tcase(suite, train_descent_case());
  suite_add_tcase(suite, train_routed_case());
  return suite;
}
