/* search.h - the search for beta: points, and the bracket that closes in on a budget. */
#ifndef TRBI_SEARCH_H
#define TRBI_SEARCH_H

#include "outline.h"
#include "sparse.h"

/* What a blend is at one beta. */
typedef struct trbi_point {
  double beta;
  double log2_z; /* A(beta) in bits: a center in nats would lose the last place of huge exponents */
  double center; /* log2_z = center + more, where a huge center may swallow the rest */
  double more;
  double kl_student; /* KL(mu||p) */
  double mean;       /* E_mu log(q/p) = A'(beta) */
  double variance;   /* Var_mu log(q/p) = A''(beta) */
  double third;      /* A'''(beta) */
  double reach;      /* sum w h^3 over KL(mu||p): how far away the tokens are that carry it */
} trbi_point;

/* What a point comes from: the row in double precision, the row by lean kernels, or the model of its outline, which
 * costs nothing. */
typedef enum trbi_source { TRBI_BY_ROW, TRBI_BY_LEAN, TRBI_BY_MODEL } trbi_source;

typedef struct trbi_search {
  const trbi_pair *pair;
  const trbi_outline *outline; /* NULL: there is only the row */
  const trbi_listed *list;     /* NULL: the teacher has a row, too; else there is nothing but this */
  trbi_source by;
  trbi_point last;     /* to extrapolate from */
  trbi_tail_tilt tail; /* of the last lean pass */
  int32_t passes;
} trbi_search;

/* A(beta) in bits, however far from any guess. */
double trbi_find_center(trbi_search *search, double beta);

/* Looks at a beta. */
trbi_point trbi_look(trbi_search *search, double beta);

/* The point at beta + step, by three derivatives of A. */
trbi_point trbi_shift(const trbi_point *at, double step);

/* The step from a point to a KL. False if the fourth derivative, which is not known, could change KL there by 2e-7 of
 * it. In units of the distance to the nearer end of [0, 1] all derivatives are about as large as KL, since there the
 * weight of a token with a large log-ratio falls off exponentially. */
bool trbi_step_to(const trbi_point *at, double target, double *step);

/* KL(mu||p) is inside the budget at `below`, outside at `above`. A point between `bottom` and `top` ends the search;
 * both lie a little under the budget, so that rounding cannot pass it. */
typedef struct trbi_bracket {
  trbi_point below, above;
  double bottom, target, top;
} trbi_bracket;

/* Both end with `below` between bottom and top, or when no double is left in the bracket. Newton begins with a guess.
 */
void trbi_bisect(trbi_search *search, trbi_bracket *b);
void trbi_newton(trbi_search *search, trbi_bracket *b, double guess);

/* Where logits are far apart KL grows so steeply that rounding, which moves it by a few units in the last place of
 * beta, could take it over the budget; or it jumps between neighboring doubles and none meets the target. A step back
 * makes sure. */
void trbi_settle(trbi_search *search, trbi_bracket *b);

#endif
