/* oracle_behavior.c - behaviors of rollouts in long double. */
#include "oracle_behavior.h"

#include <math.h>
#include <stdlib.h>

static const long double MASKED = -(long double)INFINITY;

oracle_mu oracle_mu_new(int64_t capacity) {
  oracle_mu mu = {malloc((size_t)capacity * sizeof *mu.log_mu), 0, 0, 0};
  if (!mu.log_mu) abort();
  return mu;
}

void oracle_mu_free(oracle_mu *mu) {
  free(mu->log_mu);
}

/* ---- Blends ---- */

static bool supports_meet(const oracle *o) {
  for (int64_t v = 0; v < o->n; v++)
    if (!isinf(o->s[v]) && !isinf(o->t[v])) return true;
  return false;
}

void oracle_behavior_at(const oracle *o, double beta, oracle_mu *mu) {
  const oracle_blend blend = oracle_blend_at(o, beta);
  mu->beta = beta;
  for (int64_t v = 0; v < o->n; v++) mu->log_mu[v] = oracle_log_mu(o, beta, &blend, v);
}

/* The largest beta within the budget: KL(mu||p) grows with it. */
static double solve(const oracle *o, double budget, int32_t *status) {
  *status = TRB_ROW_STUDENT;
  if (budget == 0.0) return 0.0;
  *status = TRB_ROW_UNREACHABLE;
  if (!supports_meet(o) || oracle_support_cost(o) > (long double)budget) return 0.0;
  *status = TRB_ROW_TEACHER;
  if (oracle_kl_student(o, 1.0) <= (long double)budget) return 1.0;
  *status = TRB_ROW_BLENDED;
  double in = 0.0, out = 1.0;
  for (int i = 0; i < 60; i++) {
    const double middle = in + (out - in) / 2;
    *(oracle_kl_student(o, middle) <= (long double)budget ? &in : &out) = middle;
  }
  return in;
}

static void blend(const oracle *o, const trb_rollout_options *options, oracle_mu *mu) {
  double beta = options->beta;
  mu->status = TRB_ROW_GIVEN;
  if (options->behavior == TRB_BEHAVIOR_BUDGET) {
    beta = solve(o, options->budget, &mu->status);
  } else if (beta > 0.0 && !supports_meet(o)) {
    beta = 0.0;
    mu->status = TRB_ROW_UNREACHABLE;
  }
  oracle_behavior_at(o, beta, mu);
}

/* ---- One model, and both ---- */

/* log of x^(1/temperature), normalized; x are log-probabilities up to a constant, the largest 0. */
static void temper(const long double *x, int64_t n, double temperature, long double *out) {
  const long double power = temperature == 0.0 ? 1.0L : 1.0L / (long double)temperature;
  long double sum = 0;
  for (int64_t v = 0; v < n; v++) sum += expl(x[v] * power);
  for (int64_t v = 0; v < n; v++) out[v] = x[v] * power - logl(sum);
}

/* A student's token stands if the teacher has it among its best; else the teacher draws another. */
static void skd(const oracle *o, const trb_rollout_options *options, oracle_mu *mu) {
  bool *in = malloc((size_t)o->n * sizeof *in);
  if (!in) abort();
  oracle_top_k(o->raw_t, o->n, options->top_k, in);
  long double replaced = 0;
  for (int64_t v = 0; v < o->n; v++) replaced += in[v] ? 0 : o->p[v];
  temper(o->t, o->n, options->temperature, mu->log_mu);
  for (int64_t v = 0; v < o->n; v++) mu->log_mu[v] = logl((in[v] ? o->p[v] : 0) + replaced * expl(mu->log_mu[v]));
  mu->beta = (double)replaced;
  free(in);
}

void oracle_behavior(const oracle *o, const trb_rollout_options *options, oracle_mu *mu) {
  const bool teacher = options->behavior == TRB_BEHAVIOR_TEACHER;
  if (options->behavior <= TRB_BEHAVIOR_BETA) {
    blend(o, options, mu);
    return;
  }
  mu->status = TRB_ROW_GIVEN;
  mu->beta = teacher ? 1.0 : 0.0;
  if (options->behavior == TRB_BEHAVIOR_SKD)
    skd(o, options, mu);
  else
    temper(teacher && o->has_teacher ? o->t : o->s, o->n, options->temperature, mu->log_mu);
}

void oracle_behavior_filter(const oracle *o, const trb_sampler *sampler, oracle_mu *mu) {
  bool *keep = malloc((size_t)o->n * sizeof *keep);
  if (!keep) abort();
  mu->log_mass = oracle_keep(mu->log_mu, o->n, sampler, keep).log_mass;
  for (int64_t v = 0; v < o->n; v++) mu->log_mu[v] = keep[v] ? mu->log_mu[v] - mu->log_mass : MASKED;
  free(keep);
}

/* ---- Divergences and entropies ---- */

long double oracle_mu_kl_student(const oracle *o, const oracle_mu *mu) {
  long double kl = 0;
  for (int64_t v = 0; v < o->n; v++) kl += oracle_kl_term(mu->log_mu[v], oracle_log_p(o, v));
  return kl;
}

long double oracle_mu_kl_teacher(const oracle *o, const oracle_mu *mu) {
  long double kl = 0;
  for (int64_t v = 0; v < o->n; v++) kl += oracle_kl_term(mu->log_mu[v], oracle_log_q(o, v));
  return kl;
}

long double oracle_entropy_student(const oracle *o) {
  long double entropy = 0;
  for (int64_t v = 0; v < o->n; v++) entropy -= o->p[v] > 0 ? o->p[v] * oracle_log_p(o, v) : 0;
  return entropy;
}

long double oracle_entropy_teacher(const oracle *o) {
  long double entropy = 0;
  for (int64_t v = 0; v < o->n; v++) entropy -= o->q[v] > 0 ? o->q[v] * oracle_log_q(o, v) : 0;
  return entropy;
}
