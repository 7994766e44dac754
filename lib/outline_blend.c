/* outline_blend.c - blends of a row that has an outline: by its model, and by reading it in single precision. */
#include <math.h>

#include "dmath.h"
#include "outline.h"

/* The polynomial and its first two derivatives. */
static void evaluate(const trbi_outline *o, double beta, double *f) {
  f[0] = f[1] = f[2] = 0.0;
  for (int i = 7; i >= 0; i--) {
    const double x = i < 4 ? beta : beta - 1.0; /* from node i */
    f[2] = fma(f[2], x, 2.0 * f[1]);
    f[1] = fma(f[1], x, f[0]);
    f[0] = fma(f[0], x, o->model[i]);
  }
}

static trbi_tilt tilt_head(const trbi_pair *pair, const trbi_outline *o, double beta, double center) {
  const trbi_head *head = &o->head;
  return pair->kernels->tilt(head->s, head->t, trbi_padded(head->n), pair->scale_student, pair->scale_teacher, beta,
                             center);
}

/* With T = exp(f) the tail's blend mass, c the center in nats and h = beta log(q/p) - c, sums over the tail are
 * e^-c times: of w, T; of w h, T (beta f' - c); of w h^2, T (beta^2 (f'' + f'^2) - 2 beta c f' + c^2). */
trbi_tilt trbi_tilt_outline(const trbi_pair *pair, const trbi_outline *o, double beta, double center) {
  trbi_tilt sum = tilt_head(pair, o, beta, center);
  const double c = TRBI_LN2 * center;
  double f[3] = {-INFINITY, 0.0, 0.0};
  if (!o->no_model) evaluate(o, beta, f);
  const double mass = trbi_exp(f[0] - c), before = o->mass_both + o->mass_alone;
  sum.divergence += mass * (beta * f[1] - c - 1.0) + before;
  sum.change += mass - before;
  sum.square += mass * (beta * beta * (f[2] + f[1] * f[1]) - 2.0 * beta * c * f[1] + c * c);
  sum.ratio += mass * f[1] * TRBI_LOG2E;
  sum.cube = NAN;
  return sum;
}

double trbi_log2_mass_outline(const trbi_pair *pair, const trbi_outline *o, double beta) {
  const trbi_head *head = &o->head;
  trbi_log_sum sum = trbi_log_sum_zero();
  double top, mass, f[3];
  pair->kernels->blend_mass(head->s, head->t, trbi_padded(head->n), pair->scale_student, pair->scale_teacher, beta,
                            &top, &mass);
  trbi_log_sum_add(&sum, top, mass);
  if (!o->no_model) {
    evaluate(o, beta, f);
    trbi_log_sum_add(&sum, TRBI_LOG2E * f[0], 1.0);
  }
  return trbi_log_sum_value(&sum);
}

trbi_tilt trbi_tilt_lean(const trbi_pair *pair, const trbi_outline *o, double beta, double *center) {
  const float constant = (float)(*center - beta * o->shift);
  *center = (double)constant + beta * o->shift;
  trbi_tilt sum = {0};
  trbi_block block;
  int64_t next = 0;
  for (int64_t i = 0; i < trbi_blocks(pair); i++) {
    trbi_read_block(pair, i, &block);
    trbi_drop_head(o, &block, &next);
    const trbi_tilt part =
        pair->kernels->lean_tilt(block.s, block.t, block.padded, &o->lean, (float)beta, constant, o->masked);
    sum.divergence += part.divergence;
    sum.change += part.change;
    sum.square += part.square;
    sum.cube += part.cube;
    sum.ratio += part.ratio;
  }
  trbi_tilt all = tilt_head(pair, o, beta, *center);
  all.divergence += o->unit * sum.divergence + o->mass_alone;
  all.change += o->unit * sum.change - o->mass_alone;
  all.square += o->unit * sum.square;
  all.cube += o->unit * sum.cube;
  all.ratio += o->unit * sum.ratio + o->shift * (o->unit * sum.change + o->mass_both);
  return all;
}
