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
  o.p = malloc((size_t)capacity * sizeof *o.p);
  o.q = malloc((size_t)capacity * sizeof *o.q);
  o.raw_s = malloc((size_t)capacity * sizeof *o.raw_s);
  o.raw_t = malloc((size_t)capacity * sizeof *o.raw_t);
  if (!o.s || !o.t || !o.p || !o.q || !o.raw_s || !o.raw_t) abort();
  return o;
}

void oracle_free(oracle *o) {
  free(o->s);
  free(o->t);
  free(o->p);
  free(o->q);
  free(o->raw_s);
  free(o->raw_t);
  *o = (oracle){0};
}

/* Shifts a row to maximum 0 and divides it by the temperature: the difference of two f32 of like magnitude is exact. */
static int32_t normalize(long double *x, long double *p, int64_t n, long double temperature, long double *top,
                         long double *lse) {
  long double largest = MASKED;
  for (int64_t v = 0; v < n; v++) {
    if (isnan(x[v]) || (isinf(x[v]) && x[v] > 0)) return TRB_ROW_NOT_A_NUMBER;
    if (x[v] > largest) largest = x[v];
  }
  if (isinf(largest)) return TRB_ROW_EMPTY;
  long double sum = 0;
  for (int64_t v = 0; v < n; v++) {
    x[v] = (x[v] - largest) / temperature;
    sum += p[v] = expl(x[v]);
  }
  for (int64_t v = 0; v < n; v++) p[v] /= sum;
  *top = largest / temperature;
  *lse = logl(sum);
  return 0;
}

static void normalize_both(oracle *o, long double temperature_s, long double temperature_t) {
  o->temperature = temperature_s;
  o->bad = normalize(o->s, o->p, o->n, temperature_s, &o->top_s, &o->lse_s);
  int32_t bad = o->has_teacher ? normalize(o->t, o->q, o->n, temperature_t, &o->top_t, &o->lse_t) : 0;
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
    o->s[v] = o->raw_s[v] = matrix_get(student, row, v);
    if (teacher) o->t[v] = o->raw_t[v] = matrix_get(teacher, row, v);
  }
  normalize_both(o, temperature_of(student), teacher ? temperature_of(teacher) : 1.0L);
}

void oracle_set(oracle *o, const long double *s, const long double *t, int64_t n) {
  o->has_teacher = t != NULL;
  o->n = n;
  if (n > o->capacity) abort();
  for (int64_t v = 0; v < n; v++) {
    o->s[v] = s[v];
    o->raw_s[v] = (double)s[v];
    if (!t) continue;
    o->t[v] = t[v];
    o->raw_t[v] = (double)t[v];
  }
  normalize_both(o, 1.0L, 1.0L);
}

long double oracle_log_p(const oracle *o, int64_t v) {
  return o->s[v] - o->lse_s;
}
long double oracle_log_q(const oracle *o, int64_t v) {
  return o->t[v] - o->lse_t;
}

/* ---- Divergences of two log-probabilities ---- */

static const long double coefficients[16] = {1 / 2.0L,
                                             1 / 3.0L,
                                             1 / 8.0L,
                                             1 / 30.0L,
                                             1 / 144.0L,
                                             1 / 840.0L,
                                             1 / 5760.0L,
                                             1 / 45360.0L,
                                             1 / 403200.0L,
                                             1 / 3991680.0L,
                                             1 / 43545600.0L,
                                             1 / 518918400.0L,
                                             1 / 6706022400.0L,
                                             1 / 93405312000.0L,
                                             1 / 1394852659200.0L,
                                             1 / 22230464256000.0L};

long double oracle_phi(long double u) {
  if (fabsl(u) > 0.25L) return expl(u) * (u - 1) + 1;
  long double sum = 0; /* of u^k (k-1)/k! = u^k / (k (k-2)!) over k >= 2, smallest terms first */
  for (int k = 17; k >= 2; k--) sum = sum * u + coefficients[k - 2];
  return sum * u * u;
}

long double oracle_kl_term_of(long double log_a, long double a, long double log_b, long double b) {
  if (isinf(log_b)) return isinf(log_a) ? 0 : (long double)INFINITY;
  if (isinf(log_a)) return b;
  long double u = log_a - log_b;
  return fabsl(u) <= 0.25L ? b * oracle_phi(u) : a * (u - 1) + b; /* b may underflow where a does not */
}

long double oracle_kl_term(long double log_a, long double log_b) {
  return oracle_kl_term_of(log_a, expl(log_a), log_b, expl(log_b));
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
  for (int64_t v = 0; v < o->n; v++) {
    long double log_mu = blended(o, beta, v) - norm;
    kl += oracle_kl_term_of(log_mu, expl(log_mu), oracle_log_p(o, v), o->p[v]);
  }
  return kl;
}

oracle_blend oracle_blend_at(const oracle *o, double beta) {
  oracle_blend b = {0};
  b.shifted_norm = shifted_norm(o, beta);
  b.lse_student = o->top_s + o->lse_s;
  b.log_norm = beta == 0.0 ? b.lse_student : fmal((long double)beta, o->top_t - o->top_s, o->top_s) + b.shifted_norm;
  b.lse_teacher = o->has_teacher ? o->top_t + o->lse_t : (long double)NAN;
  b.kl_teacher = b.reverse_kl = o->has_teacher ? 0 : (long double)NAN;
  for (int64_t v = 0; v < o->n; v++) {
    long double log_p = oracle_log_p(o, v), log_mu = oracle_log_mu(o, beta, &b, v), mu = expl(log_mu);
    b.kl_student += oracle_kl_term_of(log_mu, mu, log_p, o->p[v]);
    if (!o->has_teacher) continue;
    long double log_q = oracle_log_q(o, v);
    b.kl_teacher += oracle_kl_term_of(log_mu, mu, log_q, o->q[v]);
    b.reverse_kl += oracle_kl_term_of(log_p, o->p[v], log_q, o->q[v]);
  }
  return b;
}

long double oracle_support_cost(const oracle *o) {
  long double common = 0, lost = 0;
  for (int64_t v = 0; v < o->n; v++) *(isinf(o->t[v]) ? &lost : &common) += o->p[v];
  return lost < 0.5L ? -log1pl(-lost) : -logl(common);
}
