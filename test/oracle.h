/* oracle.h - what every result should be, in long double, straight from the formulas of arXiv 2605.31159 and of the
 * public header. Nothing here calls the library. Simple and slow: one exponential after another. */
#ifndef TEST_ORACLE_H
#define TEST_ORACLE_H

#include <stdbool.h>

#include "trb.h"

/* The library works rows of more tokens in single precision: terms carry up to 2e-6, that of the exponents included. */
enum { LONG_ROW = 4096 };

/* ---- Distributions (oracle.c) ---- */

/* One position of both models over the common vocabulary. */
typedef struct oracle {
  int64_t n; /* the common vocabulary; the student's own without a teacher */
  bool has_teacher;
  int32_t bad;              /* 0, TRB_ROW_EMPTY or TRB_ROW_NOT_A_NUMBER; the rest is unset unless 0 */
  long double temperature;  /* the student's */
  long double top_s, top_t; /* the largest logit over the temperature */
  long double *s, *t;       /* [n] logits over the temperature, less their largest; -INFINITY where masked */
  long double lse_s, lse_t; /* log-sum-exp of s and t */
  long double *p, *q;       /* [n] probabilities as loaded; q unset without a teacher */
  double *raw_s, *raw_t;    /* [n] logits as loaded, for ranking: no rounding makes a tie */
  int64_t capacity;
} oracle;

oracle oracle_new(int64_t capacity);
void oracle_free(oracle *o);

/* Reads a row. teacher may be NULL. */
void oracle_load(oracle *o, const trb_logits *student, const trb_logits *teacher, int64_t row);

/* Sets the logits over temperature directly; NULL t: no teacher. */
void oracle_set(oracle *o, const long double *s, const long double *t, int64_t n);

/* log p(v) and log q(v). */
long double oracle_log_p(const oracle *o, int64_t v);
long double oracle_log_q(const oracle *o, int64_t v);

/* x log x - x + 1 at x = e^u, without cancellation near u = 0. */
long double oracle_phi(long double u);

/* sum over the vocabulary of b (x log x - x + 1), x = a/b: KL(a||b), all terms >= 0. From log a and log b. */
long double oracle_kl_term(long double log_a, long double log_b);

/* The same where a and b are at hand. */
long double oracle_kl_term_of(long double log_a, long double a, long double log_b, long double b);

/* ---- The blend ---- */

typedef struct oracle_blend {
  long double log_norm, kl_student, kl_teacher, reverse_kl, lse_student, lse_teacher;
  long double shifted_norm; /* log-normalizer of the blend of o->s and o->t */
} oracle_blend;

/* Everything that trb_blend says at beta. Without a teacher beta must be 0. */
oracle_blend oracle_blend_at(const oracle *o, double beta);

/* log mu(v) with the blend of the same beta. */
long double oracle_log_mu(const oracle *o, double beta, const oracle_blend *blend, int64_t v);

/* KL(mu||p) alone. */
long double oracle_kl_student(const oracle *o, double beta);

/* -log P(common support): what any beta > 0 costs at least. */
long double oracle_support_cost(const oracle *o);

/* ---- Losses (oracle_loss.c) ---- */

typedef struct oracle_loss {
  int32_t status; /* TRB_ROW_OK, TRB_ROW_EMPTY or TRB_ROW_INFINITE */
  long double loss;
  long double mass_student, mass_teacher, entropy_student, entropy_teacher;
  long double log_mass, log_ratio, log_ratio_off; /* log P, log(Q/P) on S and off S */
  int64_t support, overlap, argmax_student, argmax_teacher;
} oracle_loss;

/* Marks the support of a row; `ids` has k entries. Returns the overlap, -1 unless it is a top-k. */
int64_t oracle_support(const oracle *o, int32_t support, int64_t k, const int64_t *ids, bool *in);

/* Marks the k largest of x, of equal ones the lower id, none that is masked. */
void oracle_top_k(const double *x, int64_t n, int64_t k, bool *in);

/* A form of the reverse KL on the support `in`, its gradient by the student's logits (the temperature included). */
oracle_loss oracle_reverse_kl(const oracle *o, int32_t form, const bool *in, long double *grad);

/* Forward KL, or JSD with weight b. */
oracle_loss oracle_divergence(const oracle *o, int32_t kind, long double b, long double *grad);

/* The loss alone, for differences. form >= 100 means divergence form-100. */
long double oracle_loss_value(const oracle *o, int32_t form, long double b, const bool *in);

/* d loss / d logit j of the student by central differences. Moves o->s and puts it back. */
long double oracle_difference(oracle *o, int32_t form, long double b, const bool *in, int64_t j);

enum { ORACLE_DIVERGENCE = 100 };

/* ---- Sampled-token terms (oracle_loss.c) ---- */

typedef struct oracle_term {
  int32_t status;
  int32_t clipped;
  long double value, coefficient, log_student, log_teacher, ratio;
} oracle_term;

/* log_behavior NULL: the student itself. */
oracle_term oracle_token_term(const oracle *o, int64_t token, const double *log_behavior,
                              const trb_term_options *options);

/* ---- Sampling (oracle_sample.c) ---- */

typedef struct oracle_filter {
  int64_t kept;
  long double log_mass; /* of the kept tokens under mu */
  long double margin;   /* how far the nearest decision was from turning out otherwise, relative */
} oracle_filter;

/* Marks what the filters of `sampler` (may be NULL) keep of the row of log-probabilities. */
oracle_filter oracle_keep(const long double *log_mu, int64_t n, const trb_sampler *sampler, bool *keep);

#endif
