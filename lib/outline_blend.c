/* outline_blend.c - blends of a row that has an outline: by its model, and by reading it in single precision. */
#include <math.h>

#include "dmath.h"
#include "fmath.h"
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
  double f[3];
  evaluate(o, beta, f);
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
  evaluate(o, beta, f);
  trbi_log_sum_add(&sum, TRBI_LOG2E * f[0], 1.0);
  return trbi_log_sum_value(&sum);
}

typedef struct tilt_task {
  const trbi_pair *pair;
  const trbi_outline *outline;
  float slope, center; /* h = slope d - center */
  trbi_lean_tilt *sums;
} tilt_task;

/* No |h| of the part is above 1: the kernel, which rounds as this does, will not meet one. */
static bool is_calm(const trbi_outline_part *part, float slope, float center) {
  return fmaf(slope, part->least, -center) >= -1.0f && fmaf(slope, part->most, -center) <= 1.0f;
}

static void tilt_part(void *data, int64_t index) {
  const tilt_task *task = data;
  const trbi_outline *o = task->outline;
  const trbi_range blocks = trbi_part(task->pair, index);
  const bool calm = is_calm(&o->part[index], task->slope, task->center);
  int64_t next = o->part[index].head_begin;
  trbi_lean_tilt sum = {0};
  for (int64_t i = blocks.begin; i < blocks.end; i++) {
    trbi_block block;
    trbi_read_tail(task->pair, o, index, i, &next, &block);
    const trbi_lean_tilt one =
        task->pair->kernels->lean_tilt(block.s, block.t, block.padded, &o->lean, task->slope, task->center, calm);
    sum.divergence += one.divergence;
    sum.change += one.change;
    sum.mass += one.mass;
    sum.square += one.square;
    sum.cube += one.cube;
  }
  task->sums[index] = sum;
}

/* h = ln 2 (beta k d - c) in the tail, k of the teacher, and log2(q/p) = k d + shift, so the center is c + beta shift.
 * sum w h = divergence + change, which gives sum w k d. */
trbi_tilt trbi_tilt_lean(const trbi_pair *pair, const trbi_outline *o, double *beta, double *center,
                         trbi_tail_tilt *tail) {
  const double unit_of_h = TRBI_LN2 * pair->scale_teacher.k;
  tilt_task task = {pair, o, (float)(*beta * unit_of_h), (float)(TRBI_LN2 * (*center - *beta * o->shift)), tail->part};
  const double constant = TRBI_LOG2E * (double)task.center;
  *beta = (double)task.slope / unit_of_h;
  *center = constant + *beta * o->shift;
  tail->beta = *beta;
  tail->center = *center;
  trbi_each_part(pair, tilt_part, &task);
  trbi_lean_tilt sum = {0};
  for (int64_t i = 0; i < trbi_parts(pair); i++) {
    sum.divergence += tail->part[i].divergence;
    sum.change += tail->part[i].change;
    sum.square += tail->part[i].square;
    sum.cube += tail->part[i].cube;
  }
  const double wh = o->unit * (sum.divergence + sum.change), w = o->unit * sum.change + o->mass_both;
  trbi_tilt all = tilt_head(pair, o, *beta, *center);
  all.divergence += o->unit * sum.divergence + o->mass_alone;
  all.change += o->unit * sum.change - o->mass_alone;
  all.square += o->unit * sum.square;
  all.cube += o->unit * sum.cube;
  all.ratio += (TRBI_LOG2E * wh + constant * w) / *beta + o->shift * w;
  return all;
}

/* ---- Masses by part ---- */

/* What the head adds: log2 w = (1-beta) log2 p + beta log2 q - norm. */
static void add_head(const trbi_pair *pair, const trbi_outline *o, double beta, double norm, double *mass) {
  const trbi_head *head = &o->head;
  float y[TRBI_HEAD];
  pair->kernels->blend(head->s, head->t, trbi_padded(head->n), pair->scale_student, pair->scale_teacher, beta, norm, y);
  for (int64_t i = 0; i < trbi_parts(pair); i++)
    for (int64_t j = o->part[i].head_begin; j < o->part[i].head_end; j++) mass[i] += (double)trbi_exp2((double)y[j]);
}

/* With e = step / beta the weight changes by e^(e h), but for a constant that goes into the head's norm. */
void trbi_masses_near(const trbi_pair *pair, const trbi_outline *o, const trbi_tail_tilt *tail, double beta,
                      double *mass) {
  const double e = (beta - tail->beta) / tail->beta;
  for (int64_t i = 0; i < trbi_parts(pair); i++) {
    const trbi_lean_tilt *w = &tail->part[i];
    mass[i] = w->mass + e * (w->divergence + w->change + e * (w->square / 2.0 + e * w->cube / 6.0));
  }
  add_head(pair, o, beta, (1.0 + e) * tail->center - pair->scale_student.norm, mass);
}

void trbi_masses_student(const trbi_pair *pair, const trbi_outline *o, double *mass) {
  for (int64_t i = 0; i < trbi_parts(pair); i++) mass[i] = o->part[i].both + o->part[i].alone;
  add_head(pair, o, 0.0, -pair->scale_student.norm, mass);
}

/* ---- Excess by part ---- */

typedef struct excess_task {
  const trbi_pair *pair;
  const trbi_outline *outline;
  float slope, center; /* h = slope d - center */
  trbi_lean_excess part[TRBI_PARTS];
} excess_task;

static void excess_part(void *data, int64_t index) {
  excess_task *task = data;
  const trbi_outline *o = task->outline;
  const trbi_range blocks = trbi_part(task->pair, index);
  const bool calm = is_calm(&o->part[index], task->slope, task->center);
  int64_t next = o->part[index].head_begin;
  for (int64_t i = blocks.begin; i < blocks.end; i++) {
    trbi_block block;
    trbi_read_tail(task->pair, o, index, i, &next, &block);
    const trbi_lean_excess one =
        task->pair->kernels->lean_excess(block.s, block.t, block.padded, &o->lean, task->slope, task->center, calm);
    task->part[index].excess += one.excess;
    task->part[index].mass += one.mass;
  }
}

/* The center of lean kernels is a float: what it is off by changes w by as much, relative. */
void trbi_excess_near(const trbi_pair *pair, const trbi_outline *o, double beta, double log2_z, double *excess) {
  const trbi_head *head = &o->head;
  const double center = TRBI_LN2 * (log2_z - beta * o->shift);
  excess_task task = {.pair = pair, .outline = o, .center = (float)center};
  float more[TRBI_HEAD];
  task.slope = (float)(beta * TRBI_LN2 * pair->scale_teacher.k);
  trbi_each_part(pair, excess_part, &task);
  pair->kernels->excess(head->s, head->t, trbi_padded(head->n), pair->scale_student, pair->scale_teacher, beta, log2_z,
                        0.0, more);
  for (int64_t i = 0; i < trbi_parts(pair); i++) {
    const trbi_lean_excess *x = &task.part[i];
    excess[i] = o->unit * (x->excess + ((double)task.center - center) * x->mass);
    excess[i] = excess[i] > 0.0 ? excess[i] : 0.0;
    for (int64_t j = o->part[i].head_begin; j < o->part[i].head_end; j++) excess[i] += (double)more[j];
  }
}
