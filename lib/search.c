/* search.c - points of the search and how it closes in.
 *
 * A point is one pass over the vocabulary that sums f = w h - w + p for w = p e^h, h = beta log(q/p) - c. With
 * G = sum w - p, which says how far c is from A(beta) = log Z:
 *
 *     KL(mu||p) = (sum f - psi(G)) / (1 + G),    psi(G) = (1 + G) log(1 + G) - G
 *
 * exactly, for any c. No f is negative, so small divergences keep their relative accuracy; docs/numerics.md has the
 * error bound. c is extrapolated from the point before; where it is off by so much that psi cancels f, the pass is
 * repeated. */
#include "search.h"

#include <math.h>
#include <string.h>

#include "dmath.h"

/* ---- One point ---- */

/* True if the center was near enough: psi takes less than half of the sum. */
static bool usable(const trbi_tilt *sum) {
  return fabs(sum->change) < 0.5 && trbi_kl_excess(sum->change) <= 0.5 * sum->divergence;
}

/* Lean kernels choose beta and center nearby. */
static trbi_tilt pass(trbi_search *search, double *beta, double *center) {
  if (search->list != NULL) return trbi_tilt_listed(search->list, *beta, *center);
  if (search->by == TRBI_BY_MODEL) return trbi_tilt_outline(search->pair, search->outline, *beta, *center);
  search->passes++;
  if (search->by == TRBI_BY_LEAN) return trbi_tilt_lean(search->pair, search->outline, beta, center, &search->tail);
  return trbi_tilt_row(search->pair, *beta, *center);
}

double trbi_find_center(trbi_search *search, double beta) {
  if (search->list != NULL) return trbi_log2_mass_listed(search->list, beta);
  if (search->by == TRBI_BY_MODEL) return trbi_log2_mass_outline(search->pair, search->outline, beta);
  search->passes++;
  return trbi_log2_blend_mass(search->pair, beta);
}

static trbi_point make_point(double beta, double center, const trbi_tilt *sum, double old_variance) {
  const double z = 1.0 + sum->change;
  const double mean_h = (sum->divergence + sum->change) / z, square_h = sum->square / z;
  const double spread = fmax(0.0, square_h - mean_h * mean_h); /* Var_mu h = beta^2 A'' */
  const double more = TRBI_LOG2E * trbi_log1p(sum->change);
  const double skew = sum->cube / z - 3.0 * mean_h * square_h + 2.0 * mean_h * mean_h * mean_h;
  return (trbi_point){.beta = beta,
                      .log2_z = center + more,
                      .center = center,
                      .more = more,
                      .kl_student = fmax(0.0, (sum->divergence - trbi_kl_excess(sum->change)) / z),
                      .mean = TRBI_LN2 * sum->ratio / z,
                      .variance = beta > 1e-100 ? spread / (beta * beta) : old_variance,
                      .third = beta > 1e-100 ? skew / (beta * beta * beta) : 0.0,
                      .reach = sum->cube / sum->divergence};
}

trbi_point trbi_look(trbi_search *search, double beta) {
  const trbi_point *from = &search->last;
  const double step = beta - from->beta;
  double at = beta, center = from->log2_z + TRBI_LOG2E * step * (from->mean + 0.5 * step * from->variance);
  trbi_tilt sum = pass(search, &at, &center);
  for (int again = 0; again < 3 && !usable(&sum); again++) {
    const bool near = fabs(sum.change) < 0.5;
    center = near ? center + TRBI_LOG2E * trbi_log1p(sum.change) : trbi_find_center(search, beta);
    at = beta;
    sum = pass(search, &at, &center);
  }
  search->last = make_point(at, center, &sum, from->variance);
  if (at != beta) search->last = trbi_shift(&search->last, beta - at);
  return search->last;
}

/* ---- Steps ---- */

trbi_point trbi_shift(const trbi_point *at, double x) {
  trbi_point to = *at;
  to.beta += x;
  to.more += TRBI_LOG2E * x * (at->mean + x * (at->variance / 2.0 + x * at->third / 6.0));
  to.log2_z = to.center + to.more;
  to.mean += x * (at->variance + x * at->third / 2.0);
  to.variance += x * at->third;
  to.kl_student +=
      x * (at->beta * at->variance + x * ((at->variance + at->beta * at->third) / 2.0 + x * at->third / 3.0));
  return to;
}

/* A Newton step on log KL against log beta, whose slope is 2 at small beta and changes slowly. */
static double newton_step(const trbi_point *at, double target) {
  const double slope = at->beta * at->beta * at->variance / at->kl_student;
  return at->beta * trbi_exp(trbi_log(target / at->kl_student) / slope);
}

bool trbi_step_to(const trbi_point *at, double target, double *step) {
  double x = newton_step(at, target) - at->beta;
  for (int i = 0; i < 4; i++) {
    const trbi_point to = trbi_shift(at, x);
    x -= (to.kl_student - target) / (to.beta * to.variance);
  }
  *step = x;
  const double unit = fmin(at->beta, 1.0 - at->beta), part = fabs(x) / unit, skew = unit * at->third / at->variance;
  return part * part * part * (1.0 + skew * skew) < 6e-8;
}

/* ---- The bracket ---- */

/* Narrows the bracket by one point. True if that was good enough. */
static bool narrow(trbi_bracket *b, const trbi_point *at) {
  if (at->kl_student <= b->top)
    b->below = *at;
  else
    b->above = *at;
  return at->kl_student <= b->top && at->kl_student >= b->bottom;
}

static uint64_t order_of(double beta) {
  uint64_t bits;
  memcpy(&bits, &beta, sizeof bits);
  return bits;
}

static double in_order(uint64_t bits) {
  double beta;
  memcpy(&beta, &bits, sizeof beta);
  return beta;
}

/* The double halfway between two in [0, 1] in the order of doubles: 62 halvings tell any two apart, however small. */
static double middle(const trbi_bracket *b) {
  const uint64_t low = order_of(b->below.beta), high = order_of(b->above.beta);
  return in_order(low + (high - low) / 2);
}

void trbi_bisect(trbi_search *search, trbi_bracket *b) {
  for (double beta = middle(b); beta > b->below.beta; beta = middle(b)) {
    const trbi_point at = trbi_look(search, beta);
    if (narrow(b, &at)) return;
  }
}

/* A step that leaves the bracket, or follows one that did not halve the error, is replaced by the middle; so there are
 * at most twice as many points as halvings. */
void trbi_newton(trbi_search *search, trbi_bracket *b, double guess) {
  double beta = guess, error = INFINITY;
  for (;;) {
    if (!(beta > b->below.beta && beta < b->above.beta)) beta = middle(b);
    if (!(beta > b->below.beta)) return;
    const trbi_point at = trbi_look(search, beta);
    if (narrow(b, &at)) return;
    const double before = error;
    error = fabs(trbi_log(at.kl_student / b->target));
    beta = error <= 0.5 * before ? newton_step(&at, b->target) : middle(b);
    if (!(error <= 0.5 * before)) error = INFINITY;
  }
}

void trbi_settle(trbi_search *search, trbi_bracket *b) {
  const trbi_point *at = &b->below;
  const uint64_t order = order_of(at->beta);
  const bool steep = at->beta * at->beta * at->variance > 1e7 * at->kl_student; /* d log KL / d log beta */
  if ((at->kl_student >= b->bottom && !steep) || order <= 16) return;
  const trbi_point back = trbi_look(search, in_order(order - 16));
  if (back.kl_student <= b->top) b->below = back; /* not so only where KL is nothing but rounding, below 1e-30 */
}
