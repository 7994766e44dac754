/* oracle_behavior.h - what each behavior of a rollout samples from, in long double, straight from the public header.
 * Nothing here calls the library. */
#ifndef TEST_ORACLE_BEHAVIOR_H
#define TEST_ORACLE_BEHAVIOR_H

#include "oracle.h"

/* The behavior at one position. */
typedef struct oracle_mu {
  long double *log_mu;  /* [n] */
  int32_t status;       /* as trb_rollouts.status */
  double beta;          /* of the blend, for SKD 1 - p(K), for a model alone 0 or 1 */
  long double log_mass; /* of what the filters keep */
} oracle_mu;

oracle_mu oracle_mu_new(int64_t capacity);
void oracle_mu_free(oracle_mu *mu);

/* What the options say to sample from, without their filters. `o` has both models, or the only one that there is as its
 * student. The budget is solved by halving the doubles in [0, 1]. */
void oracle_behavior(const oracle *o, const trb_rollout_options *options, oracle_mu *mu);

/* The same for a blend whose beta is known: BUDGET and BETA only. */
void oracle_behavior_at(const oracle *o, double beta, oracle_mu *mu);

/* The sampler's filters: log_mu becomes what is really sampled from, log_mass what they kept. */
void oracle_behavior_filter(const oracle *o, const trb_sampler *sampler, oracle_mu *mu);

/* KL(mu||p) and KL(mu||q). */
long double oracle_mu_kl_student(const oracle *o, const oracle_mu *mu);
long double oracle_mu_kl_teacher(const oracle *o, const oracle_mu *mu);

/* The entropies of p and q. */
long double oracle_entropy_student(const oracle *o);
long double oracle_entropy_teacher(const oracle *o);

#endif
