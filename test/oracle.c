/* oracle.c - distributions and blends in long double. */
#include "oracle.h"

#include <math.h>
#include <stdlib.h>

#include "matrix.h"

static const long double MASKED = -(long double)INFINITY;

oracle oracle_new(int64_t capacity) {
  oracle o = {0};
  o.capacity = capacity;
  o.s = malloc((size_t)capacity * sizeof *o.s);
  o.t = malloc((size_t)capacity * sizeof *o.t);
  if (!o.s || !o.t) abort();
  return o;
}

void oracle_free(oracle *o) {
  free(o->s);
  free(o->t);
  o->s = o->t = NULL;
}

/* Shifts a row to maximum 0 and divides it by the temperature: the difference of two f32 of like magnitude is exact. */
static int32_t normalise(long double *x, int64_t n, long double temperature, long double *top, long double *lse) {
  long double largest = MASKED;
  for (int64_t v = 0; v < n; v++) {
    if (isnan(x[v]) || (isinf(x[v]) && x[v] > 0)) return TRB_ROW_NOT_A_NUMBER;
    if (x[v] > largest) largest = x[v];
  }
  if (isinf(largest)) return TRB_ROW_EMPTY;
  long double sum = 0;
  for (int64_t v = 0; v < n; v++) {
    x[v] = (x[v] - largest) / temperature;
    sum += expl(x[v]);
  }
  *top = largest / temperature;
  *lse = logl(sum);
  return 0;
}

static void normalise_both(oracle *o, long double temperature_s, long double temperature_t) {
  o->temperature = temperature_s;
  o->bad = normalise(o->s, o->n, temperature_s, &o->top_s, &o->lse_s);
  int32_t bad = o->has_teacher ? normalise(o->t, o->n, temperature_t, &o->top_t, &o->lse_t) : 0;
  if (bad == TRB_ROW_NOT_A_NUMBER || !o->bad) o->bad = bad; /* of two faults the invalid number */
}

static long double temperature_of(const trb_logits *view) {
  return view->temperature == 0.0f ? 1.0L : (long double)view->temperature;
}

void oracle_load(oracle *o, const trb_logits *student, const trb_logits *teacher, int64_t row) {
  o->has_teacher = teacher != NULL;
  o->n = teacher && teacher->vocab < student->vocab ? teacher->vocab : student->vocab;
  if (o->n > o->capacity) abort();
  for (int64_t v = 0; v < o->n; v++) {
    o->s[v] = matrix_get(student, row, v);
    if (teacher) o->t[v] = matrix_get(teacher, row, v);
  }
  normalise_both(o, temperature_of(student), teacher ? temperature_of(teacher) : 1.0L);
}

void oracle_set(oracle *o, const long double *s, const long double *t, int64_t n) {
  o->has_teacher = t != NULL;
  o->n = n;
  if (n > o->capacity) abort();
  for (int64_t v = 0; v < n; v++) {
    o->s[v] = s[v];
    if (t) o->t[v] = t[v];
  }
  normalise_both(o, 1.0L, 1.0L);
}

long double oracle_log_p(const oracle *o, int64_t v) { return o->s[v] - o->lse_s; }
long double oracle_log_q(const oracle *o, int64_t v) { return o->t[v] - o->lse_t; }

/* ---- Divergences of two log-probabilities ---- */

long double oracle_phi(long double u) {
  if (fabsl(u) > 0.25L) return expl(u) * (u - 1) + 1;
  long double sum = 0, factorial = 1; /* sum over k >= 2 of u^k (k-1)/k!, smallest terms first */
  for (int k = 2; k <= 18; k++) factorial *= k;
  for (int k = 18; k >= 2; k--) {
    sum = sum * u + (long double)(k - 1) / factorial;
    factorial /= k;
  }
  return sum * u * u;
}

long double oracle_kl_term(long double log_a, long double log_b) {
  if (isinf(log_b)) return isinf(log_a) ? 0 : (long double)INFINITY;
  if (isinf(log_a)) return expl(log_b);
  long double u = log_a - log_b;
  if (fabsl(u) <= 0.25L) return expl(log_b) * oracle_phi(u);
  return expl(log_a) * (u - 1) + expl(log_b); /* e^log_b may underflow where e^log_a does not */
}

/* ---- The blend ---- */

/* (1-beta) s + beta t. Where the two nearly cancel at a huge magnitude only the fused form is exact. */
static long double mix(double beta, long double s, long double t) {
  if (beta == 0.0) return s;
  if (isinf(s) || isinf(t)) return MASKED;
  if (beta == 1.0) return t;
  if (s > -1e4L && t > -1e4L) return s + (long double)beta * (t - s);
  return fmal((long double)beta, t - s, s);
}

static long double blended(const oracle *o, double beta, int64_t v) {
  return mix(beta, o->s[v], o->has_teacher ? o->t[v] : 0);
}

static long double shifted_norm(const oracle *o, double beta) {
  long double largest = MASKED, sum = 0;
  for (int64_t v = 0; v < o->n; v++) {
    long double x = blended(o, beta, v);
    if (x > largest) largest = x;
  }
  if (isinf(largest)) return MASKED;
  for (int64_t v = 0; v < o->n; v++) sum += expl(blended(o, beta, v) - largest);
  return largest + logl(sum);
}

long double oracle_log_mu(const oracle *o, double beta, const oracle_blend *blend, int64_t v) {
  return blended(o, beta, v) - blend->shifted_norm;
}

long double oracle_kl_student(const oracle *o, double beta) {
  long double norm = shifted_norm(o, beta), kl = 0;
  if (isinf(norm)) return (long double)INFINITY;
  for (int64_t v = 0; v < o->n; v++) kl += oracle_kl_term(blended(o, beta, v) - norm, oracle_log_p(o, v));
  return kl;
}

oracle_blend oracle_blend_at(const oracle *o, double beta) {
  oracle_blend b = {0};
  b.shifted_norm = shifted_norm(o, beta);
  b.lse_student = o->top_s + o->lse_s;
  b.log_norm = beta == 0.0 ? b.lse_student : fmal((long double)beta, o->top_t - o->top_s, o->top_s) + b.shifted_norm;
  b.lse_teacher = b.kl_teacher = b.reverse_kl = (long double)NAN;
  b.kl_student = oracle_kl_student(o, beta);
  if (!o->has_teacher) return b;
  b.lse_teacher = o->top_t + o->lse_t;
  b.kl_teacher = b.reverse_kl = 0;
  for (int64_t v = 0; v < o->n; v++) {
    long double log_q = oracle_log_q(o, v);
    b.kl_teacher += oracle_kl_term(oracle_log_mu(o, beta, &b, v), log_q);
    b.reverse_kl += oracle_kl_term(oracle_log_p(o, v), log_q);
  }
  return b;
}

long double oracle_support_cost(const oracle *o) {
  long double common = 0, lost = 0;
  for (int64_t v = 0; v < o->n; v++) {
    if (isinf(o->t[v])) {
      lost += expl(oracle_log_p(o, v));
    } else {
      common += expl(oracle_log_p(o, v));
    }
  }
  return lost < 0.5L ? -log1pl(-lost) : -logl(common);
}
