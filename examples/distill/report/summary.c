/* summary.c - what one run comes to, and what the runs of a method do together. */
#include "collection.h"

#include <math.h>
#include <stdlib.h>

/* ---- One run ---- */

static double update_value(const step_line *s, int which) {
  const double values[] = {s->log_teacher, s->kl_student, s->beta};
  return values[which];
}

static double evaluation_value(const evaluation_line *e, int which) {
  const double values[] = {e->success, e->reverse_kl, e->log_teacher, e->bits_per_byte, e->length};
  return values[which];
}

static void add_known(double x, double *sum, int64_t *n) {
  if (isnan(x)) return;
  *sum += x;
  ++*n;
}

/* Means over the first updates, of those that know the value. */
static void summarize_early(const run *r, double *value) {
  double sum[4] = {0};
  int64_t n[4] = {0};
  for (int64_t i = 0; i < r->n_steps && r->steps[i].step <= EARLY_STEPS; i++) {
    const step_line *s = &r->steps[i];
    add_known(s->log_teacher, &sum[0], &n[0]);
    add_known(s->kl_student, &sum[1], &n[1]);
    add_known(s->beta, &sum[2], &n[2]);
    add_known(s->saturated, &sum[3], &n[3]);
  }
  for (int i = 0; i < 4; i++) value[i] = n[i] > 0 ? sum[i] / (double)n[i] : NAN;
}

void summarize_run(record *r) {
  for (int i = 0; i < MEASURES; i++) r->value[i] = NAN;
  r->value[MEASURE_FINAL] = stats_final(r->run);
  r->value[MEASURE_AREA] = stats_area(r->run);
  r->value[MEASURE_STEPS_TO_HALF] = stats_steps_to_half(r->run);
  if (r->run->n_evaluations > 0) {
    r->value[MEASURE_BASE] = r->run->evaluations[0].success;
    r->value[MEASURE_TEACHER] = r->run->evaluations[0].teacher_success;
    const evaluation_line *last = &r->run->evaluations[r->run->n_evaluations - 1];
    r->value[MEASURE_GREEDY] = last->greedy;
    r->value[MEASURE_REVERSE_KL] = last->reverse_kl;
    r->value[MEASURE_LOG_TEACHER] = last->log_teacher;
    r->value[MEASURE_BITS_PER_BYTE] = last->bits_per_byte;
  }
  summarize_early(r->run, &r->value[MEASURE_EARLY_LOG_TEACHER]);
}

/* ---- Curves ---- */

static int64_t lines_of(const run *r, int updates) {
  return updates ? r->n_steps : r->n_evaluations;
}

static int64_t step_of(const run *r, int updates, int64_t i) {
  return updates ? r->steps[i].step : r->evaluations[i].step;
}

static double value_of(const run *r, int updates, int64_t i, int which) {
  return updates ? update_value(&r->steps[i], which) : evaluation_value(&r->evaluations[i], which);
}

/* The least step that a cursor stands at, or -1 if all are through. */
static int64_t next_step(const method_runs *m, int updates, const int64_t *cursors) {
  int64_t least = -1;
  for (int64_t k = 0; k < m->n; k++) {
    const run *r = m->records[k].run;
    if (cursors[k] == lines_of(r, updates)) continue;
    const int64_t step = step_of(r, updates, cursors[k]);
    if (least < 0 || step < least) least = step;
  }
  return least;
}

/* Means at one step; the cursors that stand there move on. */
static point point_at(const method_runs *m, int updates, int64_t step, double *room, int64_t *cursors) {
  point out = {.step = step};
  for (int which = 0; which < (updates ? UPDATE_VALUES : EVALUATION_VALUES); which++) {
    int64_t n = 0;
    for (int64_t k = 0; k < m->n; k++) {
      const run *r = m->records[k].run;
      if (cursors[k] == lines_of(r, updates) || step_of(r, updates, cursors[k]) != step) continue;
      const double value = value_of(r, updates, cursors[k], which);
      if (!isnan(value)) room[n++] = value;
    }
    out.value[which] = stats_interval(room, n);
  }
  for (int64_t k = 0; k < m->n; k++) {
    const run *r = m->records[k].run;
    if (cursors[k] < lines_of(r, updates) && step_of(r, updates, cursors[k]) == step) cursors[k]++;
  }
  return out;
}

/* Steps are those of any run. */
static int make_curve(const method_runs *m, int updates, double *room, int64_t *cursors, curve *out) {
  int64_t most = 0;
  for (int64_t k = 0; k < m->n; k++) {
    cursors[k] = 0;
    most += lines_of(m->records[k].run, updates);
  }
  *out = (curve){calloc((size_t)most + 1, sizeof(point)), 0};
  if (!out->points) return 0;
  for (int64_t step; (step = next_step(m, updates, cursors)) >= 0;) {
    out->points[out->n++] = point_at(m, updates, step, room, cursors);
  }
  return 1;
}

/* ---- A method ---- */

static interval mean_of(const method_runs *m, int measure, double *room) {
  int64_t n = 0;
  for (int64_t k = 0; k < m->n; k++) {
    const double value = m->records[k].value[measure];
    if (!isnan(value)) room[n++] = value;
  }
  return stats_interval(room, n);
}

/* Both lists of runs ascend by seed. */
static interval gain_of(const method_runs *m, int measure, double *room) {
  int64_t n = 0, b = 0;
  for (int64_t k = 0; m->base && k < m->n; k++) {
    const int64_t seed = m->records[k].run->head.seed;
    while (b < m->base->n && m->base->records[b].run->head.seed < seed) b++;
    if (b == m->base->n || m->base->records[b].run->head.seed != seed) continue;
    const double gain = m->records[k].value[measure] - m->base->records[b].value[measure];
    if (!isnan(gain)) room[n++] = gain;
  }
  return stats_interval(room, n);
}

static int compare_numbers(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void summarize_steps_to_half(method_runs *m, double *room) {
  int64_t n = 0;
  m->reached = 0;
  for (int64_t k = 0; k < m->n; k++) {
    const double steps = m->records[k].value[MEASURE_STEPS_TO_HALF];
    if (!isnan(steps)) room[n++] = steps;
    if (isfinite(steps)) m->reached++;
  }
  qsort(room, (size_t)n, sizeof *room, compare_numbers);
  m->steps_to_half = n > 0 ? 0.5 * (room[(n - 1) / 2] + room[n / 2]) : NAN;
}

int summarize_method(method_runs *m, double *room, int64_t *cursors) {
  for (int i = 0; i < MEASURES; i++) {
    m->mean[i] = mean_of(m, i, room);
    m->gain[i] = gain_of(m, i, room);
  }
  summarize_steps_to_half(m, room);
  return make_curve(m, 0, room, cursors, &m->evaluations) && make_curve(m, 1, room, cursors, &m->updates);
}
