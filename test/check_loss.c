/* check_loss.c - losses, gradients and statistics against the oracle.
 *
 * Tolerances. An f32 exponential is good to 3e-7, and so is a sum of them; a probability, which is divided by such a
 * sum, to 6e-7; a log-ratio r to 6e-7 absolute, twice a log-sum-exp.
 *
 * Losses that are sums of non-negative terms p r - p + q: 2e-6 relative. A common error e of all r, that of the two
 * log-sum-exps, adds e (P - Q) + e^2/2, where P - Q on the whole vocabulary is 0: 4e-13. The tail bucket's last term is
 * about (sum of p - q)^2 / 2Q over the rest; its summands are good to 1e-6 each, which is 2e-6 of the rest's share of
 * the full KL (Cauchy-Schwarz). The truncated form is such a sum plus P - Q; the renormalized form is a mean of r over
 * S plus log(Q/P).
 *
 * Gradients: p times a bracket of r, L and constants, to the sum of both errors, and one rounding to the type. */
#include "check_loss.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void raise_to(double *most, double x) {
  if (x > *most) *most = x;
}

void loss_report(const char *what, const loss_worst *w) {
  if (!verbose()) return;
  printf("%-28s rows %d (good %d, infinite %d, empty %d) loss %.2g grad %.2g entropy %.2g mass %.2g\n", what,
         (int)w->rows, (int)w->good, (int)w->infinite, (int)w->empty, w->loss, w->grad, w->entropy, w->mass);
  fflush(stdout);
}

/* ---- Tolerances ---- */

static int32_t form_of(const loss_case *c) {
  return c->options ? c->options->form : TRB_FORM_FULL;
}

static long double full_kl(const oracle *o) {
  long double sum = 0;
  for (int64_t v = 0; v < o->n; v++) {
    if (!isinf(o->t[v])) sum += oracle_kl_term(oracle_log_p(o, v), oracle_log_q(o, v));
  }
  return sum;
}

static double loss_tolerance(const loss_case *c, const oracle *o, const oracle_loss *l, const bool *in) {
  double loss = (double)fabsl(l->loss), P = (double)l->mass_student, Q = (double)l->mass_teacher;
  double common = 6e-7 * fabs(P - Q) + 4e-13;
  double floor = 1e-33; /* tokens below the range of f32 may count as 0, whatever their r */
  if (c->divergence) return 2e-6 * loss + 4e-13;
  switch (form_of(c)) {
  case TRB_FORM_TRUNCATED:
    return 2e-6 * (double)oracle_loss_value(o, TRB_FORM_GENERALIZED, 0, in) + 1e-6 * (P + Q) + floor;
  case TRB_FORM_RENORMALIZED:
    return 2e-6 * (1 + loss);
  case TRB_FORM_TAIL_BUCKET:
    return 4e-6 * (double)full_kl(o) + 4e-13;
  default:
    return 2e-6 * loss + common;
  }
}

/* Of the gradient before the weight. Probabilities below the range of f32 may count as 0. */
static double gradient_tolerance(const loss_case *c, const oracle *o, const oracle_loss *l, const bool *in, int64_t j) {
  long double p = o->p[j], r = fabsl(oracle_log_p(o, j) - oracle_log_q(o, j));
  /* Forward: the change from p to q. JSD: |log(p/m)| <= -log(1-b) + |r|, as r. */
  if (c->divergence) return (double)((1e-6L * (p + o->q[j] + p * fminl(r, 50)) + 1e-37L) / o->temperature);
  int32_t form = form_of(c);
  long double bracket = 1 + fabsl(l->loss);
  if (in[j] && !isinf(r)) bracket += r;
  /* The exponents of long rows are single precision. */
  if (o->n > LONG_ROW) bracket *= 2 + fabsl(oracle_log_p(o, j)) / 8;
  if (form == TRB_FORM_RENORMALIZED) {
    bracket += fabsl(l->log_ratio);
    p = in[j] ? expl(oracle_log_p(o, j) - l->log_mass) : 0;
  }
  if (form == TRB_FORM_TAIL_BUCKET && !in[j]) bracket += fabsl(l->log_ratio_off);
  return (double)((2e-6L * p + 2e-38L) * bracket / o->temperature);
}

/* ---- One row ---- */

typedef struct outputs {
  const matrix *grad;
  const double *loss;
  const trb_loss_row *rows;
} outputs;

static void check_no_gradient(const loss_case *c, const outputs *x, int64_t r) {
  for (int64_t v = 0; v < x->grad->view.vocab; v++) {
    ck_assert_msg(matrix_get(&x->grad->view, r, v) == 0.0, "%s row %d: gradient of token %d is not 0", c->where, (int)r,
                  (int)v);
  }
}

/* What a row without result or of weight 0 says: nothing. */
static void check_silent(const loss_case *c, const outputs *x, int64_t r, int32_t status, double loss) {
  const trb_loss_row *row = &x->rows[r];
  ck_assert_msg(row->status == status, "%s row %d: status %d, expected %d", c->where, (int)r, row->status, status);
  ck_assert_msg(distance((long double)loss, x->loss[r]) == 0.0, "%s row %d: loss %g, status %d", c->where, (int)r,
                x->loss[r], status);
  ck_assert(isnan(row->entropy_student) && isnan(row->entropy_teacher));
  ck_assert(isnan(row->mass_student) && isnan(row->mass_teacher));
  ck_assert(row->support == 0 && row->overlap == -1 && row->argmax_student == -1 && row->argmax_teacher == -1);
  check_no_gradient(c, x, r);
}

static void check_statistics(const loss_case *c, const trb_loss_row *row, const oracle *o, const oracle_loss *l,
                             int64_t overlap, int64_t r, loss_worst *w) {
  ck_assert_msg(row->support == l->support && row->overlap == overlap,
                "%s row %d: support %d overlap %d, expected %d %d", c->where, (int)r, (int)row->support,
                (int)row->overlap, (int)l->support, (int)overlap);
  ck_assert_msg(row->argmax_student == l->argmax_student && row->argmax_teacher == l->argmax_teacher,
                "%s row %d: argmax %d %d, expected %d %d", c->where, (int)r, (int)row->argmax_student,
                (int)row->argmax_teacher, (int)l->argmax_student, (int)l->argmax_teacher);
  const double got[4] = {row->entropy_student, row->entropy_teacher, row->mass_student, row->mass_teacher};
  const long double want[4] = {l->entropy_student, l->entropy_teacher, l->mass_student, l->mass_teacher};
  static const char *const names[4] = {"entropy_student", "entropy_teacher", "mass_student", "mass_teacher"};
  for (int i = 0; i < 4; i++) {
    double tolerance = i < 2 ? (o->n > LONG_ROW ? 4e-6 : 1e-6) * (1 + (double)want[i]) : 1e-6 * (double)want[i] + 1e-35;
    double error = distance(want[i], got[i]);
    ck_assert_msg(error <= tolerance, "%s row %d: %s is %.17g, expected %.20Lg", c->where, (int)r, names[i], got[i],
                  want[i]);
    raise_to(i < 2 ? &w->entropy : &w->mass, error / tolerance);
  }
}

static void check_gradient(const loss_case *c, const outputs *x, const oracle *o, const oracle_loss *l, const bool *in,
                           const long double *grad, int64_t r, loss_worst *w) {
  long double weight = c->weight ? (long double)c->weight[r] : 1;
  const trb_logits *view = &x->grad->view;
  for (int64_t j = 0; j < view->vocab; j++) {
    double got = matrix_get(view, r, j);
    if (j >= o->n || isinf(o->s[j])) {
      ck_assert_msg(got == 0.0, "%s row %d: masked token %d has gradient %g", c->where, (int)r, (int)j, got);
      continue;
    }
    long double want = weight * grad[j];
    double tolerance = gradient_tolerance(c, o, l, in, j) * (double)fabsl(weight);
    if (fabsl(want) + (long double)tolerance > (view->dtype == TRB_F16 ? 65000 : 3e38L))
      continue; /* may round to infinity */
    double rounding = dtype_rounding(TRB_F32, (double)want) + 1.001 * dtype_rounding(view->dtype, (double)want);
    double error = distance(want, got);
    ck_assert_msg(error <= tolerance + rounding, "%s row %d: gradient of token %d is %.10g, expected %.15Lg +- %.3g",
                  c->where, (int)r, (int)j, got, want, tolerance + rounding);
    if (tolerance > 1e-30) raise_to(&w->grad, (error - rounding) / tolerance);
  }
}

static void check_row(const loss_case *c, const outputs *x, oracle *o, int64_t r, loss_worst *w) {
  w->rows++;
  if (c->weight && c->weight[r] == 0.0) {
    check_silent(c, x, r, TRB_ROW_SKIPPED, 0.0);
    return;
  }
  oracle_load(o, c->student, c->teacher, r);
  if (o->bad) {
    check_silent(c, x, r, o->bad, (double)NAN);
    return;
  }
  bool *in = malloc((size_t)o->n * sizeof *in);
  long double *grad = malloc((size_t)o->n * sizeof *grad);
  if (!in || !grad) abort();
  const trb_loss_options all = {sizeof all, TRB_FORM_FULL, TRB_SUPPORT_ALL, 0, NULL};
  const trb_loss_options *s = c->options ? c->options : &all;
  int64_t overlap = oracle_support(o, s->support, s->k, s->ids ? s->ids + r * s->k : NULL, in);
  long double b = c->divergence && c->divergence->b > 0.0 ? (long double)c->divergence->b : 0.5L;
  oracle_loss l =
      c->divergence ? oracle_divergence(o, c->divergence->kind, b, grad) : oracle_reverse_kl(o, s->form, in, grad);
  w->infinite += l.status == TRB_ROW_INFINITE;
  w->empty += l.status == TRB_ROW_EMPTY;
  if (l.status != TRB_ROW_OK) {
    check_silent(c, x, r, l.status, l.status == TRB_ROW_INFINITE ? (double)INFINITY : (double)NAN);
  } else {
    w->good++;
    ck_assert_msg(x->rows[r].status == TRB_ROW_OK, "%s row %d: status %d", c->where, (int)r, x->rows[r].status);
    double tolerance = loss_tolerance(c, o, &l, in), error = distance(l.loss, x->loss[r]);
    ck_assert_msg(error <= tolerance, "%s row %d: loss %.17g, expected %.20Lg +- %.3g", c->where, (int)r, x->loss[r],
                  l.loss, tolerance);
    raise_to(&w->loss, error / tolerance);
    check_statistics(c, &x->rows[r], o, &l, overlap, r, w);
    check_gradient(c, x, o, &l, in, grad, r, w);
  }
  free(in);
  free(grad);
}

void loss_check(const loss_case *c, loss_worst *worst) {
  loss_worst none = {0}, *w = worst ? worst : &none;
  int64_t rows = c->student->rows;
  matrix grad = matrix_new(rows, c->student->vocab, c->student->vocab + 3, c->grad_dtype, 0.0f);
  double *loss = malloc((size_t)rows * sizeof *loss);
  trb_loss_row *out = malloc((size_t)rows * sizeof *out);
  if (!loss || !out) abort();
  trb_status status =
      c->divergence ? trb_divergence(NULL, c->student, c->teacher, c->weight, c->divergence, loss, &grad.view, out)
                    : trb_reverse_kl(NULL, c->student, c->teacher, c->weight, c->options, loss, &grad.view, out);
  ck_assert_msg(status == TRB_OK || status == TRB_EROWS, "%s: status %d", c->where, status);
  oracle o = oracle_new(c->student->vocab);
  outputs x = {&grad, loss, out};
  bool bad = false;
  for (int64_t r = 0; r < rows; r++) {
    check_row(c, &x, &o, r, w);
    bad |= out[r].status < 0;
  }
  ck_assert_msg(status == (bad ? TRB_EROWS : TRB_OK), "%s: status %d", c->where, status);
  ck_assert(matrix_guarded(&grad) && matrix_gaps_intact(&grad));
  oracle_free(&o);
  matrix_free(&grad);
  free(loss);
  free(out);
}
