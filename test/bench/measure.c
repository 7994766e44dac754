/* measure.c - times of the library's functions beside those of the floors.
 *
 * A ratio is the median over repeats of that of two sums of times, which one walk over the rows takes in turns, so that
 * both see the same machine. In one step of a walk each function works on another row, so far from those before that
 * none is in a cache. */
#include "measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "matrix.h"

const char *kernel_name(int kernel) {
  static const char *const names[] = {"solve", "sample", "loss", "forward", "jsd", "write", "verify", "lists"};
  return names[kernel];
}

/* ---- One time ---- */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *f32_row(const trb_logits *all, int64_t row) {
  return (float *)all->data + row * all->stride;
}

static double time_floor(const bench *b, const floors *with, int floor, int64_t row) {
  static volatile float sink;
  const float *s = f32_row(&b->rows.student[TRB_F32], row), *t = f32_row(&b->rows.teacher[TRB_F32], row);
  float *out = f32_row(&b->rows.out[TRB_F32], row);
  const double start = now();
  sink = floor == STREAM ? with->stream(s, t, b->rows.vocab)
         : floor == LSE  ? with->lse(s, t, b->rows.vocab)
                         : with->move(s, t, out, b->rows.vocab);
  (void)sink;
  return now() - start;
}

static trb_status call(bench *b, trb_context *ctx, int dtype, int kernel, int64_t first, int64_t n) {
  static const trb_divergence_options forward = {.size = sizeof forward, .kind = TRB_DIVERGENCE_FORWARD_KL};
  static const trb_divergence_options jsd = {.size = sizeof jsd, .kind = TRB_DIVERGENCE_JSD};
  const trb_logits s = matrix_rows(&b->rows.student[dtype], first, n);
  const trb_logits t = matrix_rows(&b->rows.teacher[dtype], first, n);
  const trb_logits out = matrix_rows(&b->rows.out[dtype], first, n);
  trb_blend *blend = b->blend[dtype] + first;
  double loss[BATCH];
  trb_draw draw[BATCH];
  int64_t each[BATCH + 1];
  trb_verdict verdict[BATCH];
  trb_sparse_blend listed[BATCH];
  for (int64_t r = 0; r <= n; r++) each[r] = first + r;
  const trb_texts proposals = {b->proposal, each, n};
  const trb_sparse lists = {.ids = b->ids + first * LISTED, .log_q = b->log_q + first * LISTED, .k = LISTED};
  switch (kernel) {
  case SOLVE:
    return trb_solve(ctx, &s, &t, &b->plan->budget, 1, NULL, blend);
  case SAMPLE:
    return trb_sample(ctx, &s, &t, blend, NULL, draw);
  case LOSS:
    return trb_reverse_kl(ctx, &s, &t, NULL, NULL, loss, &out, NULL);
  case FORWARD:
    return trb_divergence(ctx, &s, &t, NULL, &forward, loss, &out, NULL);
  case JSD:
    return trb_divergence(ctx, &s, &t, NULL, &jsd, loss, &out, NULL);
  case VERIFY:
    return trb_verify(ctx, &s, &t, &proposals, &b->plan->budget, 1, NULL, NULL, verdict);
  case LISTS:
    return trb_solve_sparse(ctx, &s, &lists, &b->plan->budget, 1, NULL, listed);
  default:
    return trb_write_blend(ctx, &s, &t, blend, &out);
  }
}

/* The reverse KL may be infinite. */
static double time_call(bench *b, trb_context *ctx, int dtype, int kernel, int64_t first, int64_t n) {
  const double start = now();
  const trb_status status = call(b, ctx, dtype, kernel, first, n);
  const double time = now() - start;
  if (status == TRB_OK || (status == TRB_EROWS && kernel == LOSS)) return time;
  fprintf(stderr, "bench: %s of %s rows: %s: %s\n", kernel_name(kernel), dtype_name(dtype), trb_strerror(status),
          trb_context_error(ctx));
  exit(EXIT_FAILURE);
}

/* ---- A walk ---- */

enum { ROW_BY_ONE, ROW_BY_MANY, BATCH_BY_ONE, BATCH_BY_MANY, PARTS };

/* Sums of times; 0 where nothing was timed. */
typedef struct walk {
  double floor[FLOORS], call[PARTS][DTYPES][KERNELS];
} walk;

static bool wanted(const plan *p, int part, int dtype, int kernel) {
  if (!p->dtype[dtype] || !p->kernel[kernel]) return false;
  return part == ROW_BY_ONE || (p->threads > 1 && (dtype == TRB_F32 || p->halves_by_threads));
}

static int steps_of(const plan *p) {
  int n = FLOORS;
  for (int part = 0; part < 2; part++)
    for (int d = 0; d < DTYPES; d++)
      for (int k = 0; k < KERNELS; k++) n += wanted(p, part, d, k) && k != SAMPLE;
  return n;
}

static void walk_rows(bench *b, walk *w) {
  const int64_t n = b->rows.n, apart = n / steps_of(b->plan) > 1 ? n / steps_of(b->plan) : 1;
  for (int64_t row = 0; row < n; row++) {
    int64_t at = row;
    for (int f = 0; f < FLOORS; f++, at += apart) w->floor[f] += time_floor(b, &b->floor, f, at % n);
    for (int part = 0; part < 2; part++) {
      trb_context *ctx = part == ROW_BY_ONE ? b->one : b->many;
      for (int d = 0; d < DTYPES; d++) {
        for (int k = 0; k < KERNELS; k++) {
          if (!wanted(b->plan, part, d, k)) continue;
          if (k == SAMPLE) at -= apart; /* the row that was just solved */
          w->call[part][d][k] += time_call(b, ctx, d, k, at % n, 1);
          at += apart;
        }
      }
    }
  }
}

/* One call after the other, each on the next rows. */
static void walk_batches(bench *b, walk *w) {
  int64_t first = 0;
  for (int d = 0; d < DTYPES; d++) {
    for (int k = 0; k < KERNELS; k++) {
      for (int part = BATCH_BY_ONE; part <= BATCH_BY_MANY; part++) {
        if (!wanted(b->plan, part, d, k)) continue;
        w->call[part][d][k] = time_call(b, part == BATCH_BY_ONE ? b->one : b->many, d, k, first, BATCH);
        first = (first + BATCH) % b->rows.n;
      }
    }
  }
}

/* ---- Medians ---- */

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *x, int n) {
  qsort(x, (size_t)n, sizeof *x, by_value);
  return x[n / 2];
}

/* Of x over y, both members of the first of n walks; y NULL: of x. NaN where one was not timed. */
static double median_of(int n, const double *x, const double *y) {
  enum { NEXT = sizeof(walk) / sizeof(double) };
  double values[MAX_REPEATS];
  if (!(*x > 0.0) || (y && !(*y > 0.0))) return (double)NAN;
  for (int i = 0; i < n; i++) values[i] = x[i * NEXT] / (y ? y[i * NEXT] : 1.0);
  return median(values, n);
}

static figures medians(const bench *b, const walk *w) {
  const int n = b->plan->repeats;
  const double row_us = 1e6 / (double)b->rows.n;
  figures f;
  for (int i = 0; i < FLOORS; i++) f.floor_us[i] = row_us * median_of(n, &w->floor[i], NULL);
  for (int d = 0; d < DTYPES; d++) {
    double passes = 0.0;
    for (int64_t r = 0; r < b->rows.n && b->blend[d]; r++) passes += b->blend[d][r].passes;
    f.readings[d] = b->blend[d] ? passes / (double)b->rows.n : (double)NAN;
    for (int k = 0; k < KERNELS; k++) {
      const double *row = &w->call[ROW_BY_ONE][d][k];
      const double *base = k == SOLVE || k == VERIFY || k == LISTS ? &w->floor[LSE]
                           : k == SAMPLE                           ? &w->call[ROW_BY_ONE][d][SOLVE]
                                                                   : &w->floor[MOVE];
      f.us[d][k] = row_us * median_of(n, row, NULL);
      f.ratio[OVER_FLOOR][d][k] = median_of(n, row, base) + (k == SAMPLE);
      f.ratio[OVER_F32][d][k] = median_of(n, row, &w->call[ROW_BY_ONE][TRB_F32][k]);
      f.ratio[ONE_BY_MANY_ROW][d][k] = median_of(n, row, &w->call[ROW_BY_MANY][d][k]);
      f.ratio[ONE_BY_MANY_BATCH][d][k] = median_of(n, &w->call[BATCH_BY_ONE][d][k], &w->call[BATCH_BY_MANY][d][k]);
    }
  }
  return f;
}

/* ---- The whole ---- */

/* With the prefetch or without: the faster one of each floor. */
static void choose_floors(bench *b) {
  enum { TRIES = 256 };
  const floors *kinds = floors_available();
  for (int f = 0; f < FLOORS; f++) {
    double time[2][TRIES];
    for (int i = 0; i < TRIES; i++)
      for (int kind = 0; kind < 2; kind++)
        time[kind][i] = time_floor(b, &kinds[kind], f, (i + kind * b->rows.n / 2) % b->rows.n);
    b->ahead[f] = median(time[1], TRIES) < median(time[0], TRIES);
  }
  b->floor.stream = kinds[b->ahead[STREAM]].stream;
  b->floor.lse = kinds[b->ahead[LSE]].lse;
  b->floor.move = kinds[b->ahead[MOVE]].move;
}

bool bench_new(bench *b, const plan *p, int64_t vocab) {
  const trb_context_options many = {.size = sizeof many, .threads = p->threads};
  *b = (bench){.plan = p};
  if (!rows_new(&b->rows, vocab, p->dtype)) return false;
  for (int d = 0; d < DTYPES; d++) {
    if (!p->dtype[d]) continue;
    b->blend[d] = calloc((size_t)b->rows.n, sizeof *b->blend[d]);
    if (!b->blend[d]) return false;
  }
  const size_t n = (size_t)b->rows.n;
  b->proposal = calloc(n, sizeof *b->proposal);
  b->ids = calloc(n * LISTED, sizeof *b->ids);
  b->log_q = calloc(n * LISTED, sizeof *b->log_q);
  if (!b->proposal || !b->ids || !b->log_q) return false;
  for (size_t i = 0; i < n * LISTED; i++) {
    b->ids[i] = (int64_t)(i * 7919 % (size_t)vocab);
    b->log_q[i] = -2.0f - 0.25f * (float)(i % LISTED);
  }
  return trb_context_new(NULL, &b->one) == TRB_OK && trb_context_new(&many, &b->many) == TRB_OK;
}

void bench_free(bench *b) {
  for (int d = 0; d < DTYPES; d++) free(b->blend[d]);
  free(b->proposal);
  free(b->ids);
  free(b->log_q);
  trb_context_free(b->one);
  trb_context_free(b->many);
  rows_free(&b->rows);
}

/* Proposals for trb_verify: draws of the student. */
static void propose(bench *b) {
  const double zero = 0.0;
  trb_blend blend[BATCH];
  trb_draw draw[BATCH];
  for (int64_t first = 0; first < b->rows.n; first += BATCH) {
    const trb_logits s = matrix_rows(&b->rows.student[TRB_F32], first, BATCH);
    trb_blend_at(b->many, &s, NULL, &zero, 1, blend);
    trb_sample(b->many, &s, NULL, blend, NULL, draw);
    for (int64_t r = 0; r < BATCH; r++) b->proposal[first + r] = draw[r].token;
  }
}

figures bench_measure(bench *b, int family) {
  static walk walks[MAX_REPEATS];
  if (!rows_draw(&b->rows, family)) exit(EXIT_FAILURE);
  for (int d = 0; d < DTYPES; d++)
    for (int64_t first = 0; first < b->rows.n && b->plan->dtype[d]; first += BATCH)
      call(b, b->many, d, SOLVE, first, BATCH);
  propose(b);
  choose_floors(b);
  if (!floors_right(&b->floor)) {
    fprintf(stderr, "bench: a floor computes something else than it should\n");
    exit(EXIT_FAILURE);
  }
  for (int repeat = -1; repeat < b->plan->repeats; repeat++) { /* the first one warms up */
    walk *w = &walks[repeat < 0 ? 0 : repeat];
    *w = (walk){0};
    walk_rows(b, w);
    walk_batches(b, w);
  }
  return medians(b, walks);
}
