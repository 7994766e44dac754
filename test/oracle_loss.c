/* oracle_loss.c - losses, gradients and sampled-token terms in long double. */
#include <math.h>
#include <stdlib.h>

#include "oracle.h"

/* ---- Supports ---- */

void oracle_top_k(const double *x, int64_t n, int64_t k, bool *in) {
  trb_sampler top = {0};
  long double *wide = malloc((size_t)n * sizeof *wide);
  if (!wide) abort();
  for (int64_t v = 0; v < n; v++) wide[v] = (long double)x[v];
  top.top_k = k;
  (void)oracle_keep(wide, n, &top, in);
  free(wide);
}

int64_t oracle_support(const oracle *o, int32_t support, int64_t k, const int64_t *ids, bool *in) {
  if (support == TRB_SUPPORT_ALL || support == TRB_SUPPORT_IDS) {
    for (int64_t v = 0; v < o->n; v++) in[v] = support == TRB_SUPPORT_ALL;
    for (int64_t i = 0; ids && i < k; i++) {
      if (ids[i] >= 0) in[ids[i]] = true;
    }
    return -1;
  }
  bool *other = malloc((size_t)o->n * sizeof *other);
  if (!other) abort();
  bool student = support == TRB_SUPPORT_STUDENT_TOP_K;
  oracle_top_k(student ? o->raw_s : o->raw_t, o->n, k, in);
  oracle_top_k(student ? o->raw_t : o->raw_s, o->n, k, other);
  int64_t overlap = 0;
  for (int64_t v = 0; v < o->n; v++) overlap += in[v] && other[v];
  free(other);
  return overlap;
}

/* ---- Masses on and off the support, each summed by itself, as logarithms: they may be below any number ---- */

typedef struct masses {
  long double p_in, q_in, p_off, q_off; /* logarithms; -INFINITY where nothing is left */
} masses;

static long double log_mass(const long double *x, long double lse, int64_t n, const bool *in, bool inside) {
  long double top = -(long double)INFINITY, sum = 0;
  for (int64_t v = 0; v < n; v++) {
    if (in[v] == inside && x[v] > top) top = x[v];
  }
  if (isinf(top)) return top;
  for (int64_t v = 0; v < n; v++) {
    if (in[v] == inside) sum += expl(x[v] - top);
  }
  return top + logl(sum) - lse;
}

static masses sum_masses(const oracle *o, const bool *in) {
  return (masses){log_mass(o->s, o->lse_s, o->n, in, true), log_mass(o->t, o->lse_t, o->n, in, true),
                  log_mass(o->s, o->lse_s, o->n, in, false), log_mass(o->t, o->lse_t, o->n, in, false)};
}

/* log p - log q of a token that the student allows; +INFINITY where the teacher masks it. */
static long double ratio(const oracle *o, int64_t v) {
  return oracle_log_p(o, v) - oracle_log_q(o, v);
}

static long double p_of(const oracle *o, int64_t v) {
  return expl(oracle_log_p(o, v));
}

/* p r, 0 where the student masks. */
static long double p_ratio(const oracle *o, int64_t v) {
  return isinf(o->s[v]) ? 0 : p_of(o, v) * ratio(o, v);
}

/* ---- Loss values ---- */

static long double jsd_value(const oracle *o, long double b) {
  long double sum = 0;
  for (int64_t v = 0; v < o->n; v++) {
    long double lp = oracle_log_p(o, v), lq = oracle_log_q(o, v);
    if (isinf(lp) && isinf(lq)) continue;
    long double lm;
    if (isinf(lp) || isinf(lq)) {
      lm = isinf(lp) ? lq + logl(b) : lp + log1pl(-b);
    } else {
      lm = lp + log1pl(b * expm1l(lq - lp)); /* log((1-b) p + b q) */
      if (lq > lp) lm = lq + log1pl((1 - b) * expm1l(lp - lq));
    }
    sum += b * oracle_kl_term(lq, lm) + (1 - b) * oracle_kl_term(lp, lm);
  }
  return sum;
}

static long double support_value(const oracle *o, int32_t form, const bool *in) {
  masses m = sum_masses(o, in);
  long double sum = 0;
  for (int64_t v = 0; v < o->n; v++) {
    if (!in[v]) continue;
    long double lp = oracle_log_p(o, v), lq = oracle_log_q(o, v);
    switch (form) {
    case TRB_FORM_TRUNCATED:
      sum += p_ratio(o, v);
      break;
    case TRB_FORM_RENORMALIZED:
      sum += oracle_kl_term(lp - m.p_in, lq - m.q_in);
      break;
    default:
      sum += oracle_kl_term(lp, lq);
      break; /* p r - p + q */
    }
  }
  if (form == TRB_FORM_TAIL_BUCKET) sum += oracle_kl_term(m.p_off, m.q_off);
  return sum;
}

long double oracle_loss_value(const oracle *o, int32_t form, long double b, const bool *in) {
  if (form < ORACLE_DIVERGENCE) return support_value(o, form, in);
  if (form - ORACLE_DIVERGENCE == TRB_DIVERGENCE_JSD) return jsd_value(o, b);
  long double sum = 0;
  for (int64_t v = 0; v < o->n; v++) sum += oracle_kl_term(oracle_log_q(o, v), oracle_log_p(o, v));
  return sum;
}

static long double lse_of(const long double *x, int64_t n) {
  long double sum = 0;
  for (int64_t v = 0; v < n; v++) sum += expl(x[v]);
  return logl(sum);
}

long double oracle_difference(oracle *o, int32_t form, long double b, const bool *in, int64_t j) {
  if (isinf(o->s[j])) return 0;
  const long double h = 1e-4L, s = o->s[j], lse = o->lse_s;
  long double slope = 0;
  for (int i = -2; i <= 2; i++) { /* five points: the error is of order h^4 */
    static const long double weights[5] = {1, -8, 0, 8, -1};
    if (i == 0) continue;
    o->s[j] = s + h * i;
    o->lse_s = lse_of(o->s, o->n);
    slope += weights[i + 2] * oracle_loss_value(o, form, b, in);
  }
  o->s[j] = s;
  o->lse_s = lse;
  return slope / (12 * h) / o->temperature;
}

/* ---- Gradients ---- */

static long double support_gradient(const oracle *o, int32_t form, bool in, const masses *m, long double loss,
                                    long double p_r, int64_t j) {
  long double p = p_of(o, j);
  switch (form) {
  case TRB_FORM_FULL:
    return p * (ratio(o, j) - loss);
  case TRB_FORM_TRUNCATED:
    return p * ((in ? ratio(o, j) + 1 : 0) - loss - expl(m->p_in));
  case TRB_FORM_RENORMALIZED:
    return in ? expl(oracle_log_p(o, j) - m->p_in) * (ratio(o, j) + m->q_in - m->p_in - loss) : 0;
  case TRB_FORM_TAIL_BUCKET:
    return p * ((in ? ratio(o, j) : m->p_off - m->q_off) - loss);
  default:
    return p * ((in ? ratio(o, j) : 0) - p_r);
  }
}

static void note_statistics(const oracle *o, oracle_loss *l) {
  l->argmax_student = l->argmax_teacher = 0;
  for (int64_t v = 0; v < o->n; v++) {
    if (o->raw_s[v] > o->raw_s[l->argmax_student]) l->argmax_student = v;
    if (o->raw_t[v] > o->raw_t[l->argmax_teacher]) l->argmax_teacher = v;
    if (!isinf(o->s[v])) l->entropy_student -= p_of(o, v) * oracle_log_p(o, v);
    if (!isinf(o->t[v])) l->entropy_teacher -= expl(oracle_log_q(o, v)) * oracle_log_q(o, v);
  }
}

oracle_loss oracle_reverse_kl(const oracle *o, int32_t form, const bool *in, long double *grad) {
  oracle_loss l = {0};
  masses m = sum_masses(o, in);
  note_statistics(o, &l);
  l.mass_student = expl(m.p_in);
  l.mass_teacher = expl(m.q_in);
  l.log_ratio = m.q_in - m.p_in;
  l.log_ratio_off = m.q_off - m.p_off;
  l.log_mass = m.p_in;
  l.overlap = -1;
  l.status = TRB_ROW_OK;
  bool infinite = form == TRB_FORM_TAIL_BUCKET && !isinf(m.p_off) && isinf(m.q_off);
  long double p_r = 0;
  for (int64_t v = 0; v < o->n; v++) {
    if (!in[v] || isinf(o->s[v])) continue;
    l.support++;
    if (isinf(o->t[v])) infinite = true;
    p_r += p_ratio(o, v);
  }
  if (infinite) l.status = TRB_ROW_INFINITE;
  if (l.support == 0) l.status = TRB_ROW_EMPTY;
  l.loss = l.status == TRB_ROW_OK ? support_value(o, form, in) : (long double)(infinite ? INFINITY : NAN);
  for (int64_t j = 0; j < o->n; j++) {
    grad[j] = l.status == TRB_ROW_OK && !isinf(o->s[j])
                  ? support_gradient(o, form, in[j], &m, l.loss, p_r, j) / o->temperature
                  : 0;
  }
  return l;
}

/* log(p/m), m = b q + (1-b) p. */
static long double log_p_over_m(const oracle *o, long double b, int64_t v) {
  long double d = oracle_log_q(o, v) - oracle_log_p(o, v);
  if (d > 1) return -(d + log1pl((1 - b) * expm1l(-d)));
  return -log1pl(b * expm1l(d));
}

oracle_loss oracle_divergence(const oracle *o, int32_t kind, long double b, long double *grad) {
  oracle_loss l = {0};
  note_statistics(o, &l);
  l.overlap = -1;
  l.mass_student = l.mass_teacher = 1;
  l.status = TRB_ROW_OK;
  long double p_m = 0; /* KL(p||m) */
  for (int64_t v = 0; v < o->n; v++) {
    if (isinf(o->s[v])) {
      if (!isinf(o->t[v]) && kind == TRB_DIVERGENCE_FORWARD_KL) l.status = TRB_ROW_INFINITE;
      continue;
    }
    l.support++;
    p_m += p_of(o, v) * log_p_over_m(o, b, v);
  }
  l.loss = l.status == TRB_ROW_OK ? oracle_loss_value(o, ORACLE_DIVERGENCE + kind, b, NULL) : (long double)INFINITY;
  for (int64_t j = 0; j < o->n; j++) {
    long double p = p_of(o, j), q = expl(oracle_log_q(o, j));
    grad[j] = 0;
    if (l.status != TRB_ROW_OK || isinf(o->s[j])) continue;
    long double g = kind == TRB_DIVERGENCE_JSD ? (1 - b) * p * (log_p_over_m(o, b, j) - p_m) : p - q;
    grad[j] = g / o->temperature;
  }
  return l;
}

/* ---- Sampled-token terms ---- */

static long double clamp(long double x, long double lo, long double hi) {
  return x < lo ? lo : x > hi ? hi : x;
}

static void advantage(oracle_term *term, long double u, const trb_term_options *o) {
  long double a = u, clipped = term->ratio;
  if (o->advantage_limit > 0.0) {
    a = clamp(u, -(long double)o->advantage_limit, (long double)o->advantage_limit);
    if (a != u) term->clipped |= TRB_CLIPPED_ADVANTAGE;
  }
  if (o->ratio_low > 0.0 && clipped < (long double)o->ratio_low) clipped = (long double)o->ratio_low;
  if (o->ratio_high > 0.0 && clipped > (long double)o->ratio_high) clipped = (long double)o->ratio_high;
  term->value = -term->ratio * a;
  term->coefficient = -term->ratio * a;
  if (clipped * a < term->ratio * a) {
    term->value = -clipped * a;
    term->coefficient = 0;
    term->clipped |= TRB_CLIPPED_RATIO;
  }
}

oracle_term oracle_token_term(const oracle *o, int64_t token, const double *log_behavior,
                              const trb_term_options *options) {
  oracle_term term = {0};
  int32_t estimator = options ? options->estimator : TRB_ESTIMATOR_ADVANTAGE;
  term.status = TRB_ROW_OK;
  term.log_student = oracle_log_p(o, token);
  term.log_teacher = o->has_teacher ? oracle_log_q(o, token) : (long double)NAN;
  if (isinf(term.log_student) || (isinf(term.log_teacher) && estimator != TRB_ESTIMATOR_NLL)) {
    term.status = TRB_ROW_INFINITE;
    return term;
  }
  long double u = term.log_teacher - term.log_student;
  term.ratio = log_behavior ? expl(term.log_student - (long double)*log_behavior) : 1;
  switch (estimator) {
  case TRB_ESTIMATOR_K1:
    term.value = -u;
    term.coefficient = 1;
    break;
  case TRB_ESTIMATOR_K2:
    term.value = u * u / 2;
    term.coefficient = -u;
    break;
  case TRB_ESTIMATOR_K3:
    term.value = expm1l(u) - u;
    term.coefficient = -expm1l(u);
    break;
  case TRB_ESTIMATOR_NLL:
    term.value = -term.log_student;
    term.coefficient = -1;
    break;
  default: {
    trb_term_options none = {0};
    advantage(&term, u, options ? options : &none);
  }
  }
  return term;
}
