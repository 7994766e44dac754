/* common.c - helpers of the suites. */
#include "common.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int64_t scaled(int64_t n) {
  const char *text = getenv("TRB_TEST_SCALE");
  double scale = text ? strtod(text, NULL) : 1.0;
  int64_t rows = (int64_t)((double)n * scale);
  return rows < 1 ? 1 : rows;
}

int64_t long_row(int64_t vocab) {
  int64_t most = scaled(40 * vocab);
  return most < vocab ? most : vocab;
}

int verbose(void) {
  return getenv("TRB_TEST_VERBOSE") != NULL;
}

TCase *long_case(const char *name) {
  TCase *tc = tcase_create(name);
  tcase_set_timeout(tc, 600);
  return tc;
}

/* ---- Contexts ---- */

trb_context *context_with(int64_t threads, int32_t isa) {
  trb_context_options o = {0};
  o.size = sizeof o;
  o.threads = threads;
  o.isa = isa;
  trb_context *ctx = NULL;
  return trb_context_new(&o, &ctx) == TRB_OK ? ctx : NULL;
}

typedef struct errand {
  trb_task_fn fn;
  void *task;
  int64_t index;
} errand;

static void *run_errand(void *p) {
  errand *e = p;
  e->fn(e->task, e->index);
  return NULL;
}

/* Every second piece on a thread of its own, the others here, last piece first. */
static void on_new_threads(int64_t n, trb_task_fn fn, void *task, void *user) {
  (void)user;
  for (int64_t i = n - 1; i >= 0; i -= 2) {
    errand e = {fn, task, i};
    pthread_t thread;
    int started = pthread_create(&thread, NULL, run_errand, &e) == 0;
    if (i > 0) fn(task, i - 1);
    if (started) {
      pthread_join(thread, NULL);
    } else {
      fn(task, i);
    }
  }
}

trb_context *context_on_caller_threads(int64_t threads) {
  trb_context_options o = {0};
  o.size = sizeof o;
  o.threads = threads;
  o.parallel_for = on_new_threads;
  trb_context *ctx = NULL;
  return trb_context_new(&o, &ctx) == TRB_OK ? ctx : NULL;
}

/* ---- Models ---- */

models models_new(int64_t rows, int64_t vocab, int32_t dtype_s, int32_t dtype_t, float temperature_s,
                  float temperature_t) {
  return (models){matrix_new(rows, vocab, 0, dtype_s, temperature_s),
                  matrix_new(rows, vocab, 0, dtype_t, temperature_t)};
}

void models_fill_row(const models *m, int64_t r, rng *g, int family) {
  double *s = malloc((size_t)m->s.view.vocab * sizeof *s);
  double *t = malloc((size_t)m->t.view.vocab * sizeof *t);
  if (!s || !t) abort();
  family_fill(g, family, s, m->s.view.vocab, t, m->t.view.vocab);
  matrix_set_row(&m->s, r, s);
  matrix_set_row(&m->t, r, t);
  free(s);
  free(t);
}

models models_random(rng *g, int family, int64_t rows, int64_t vocab, int32_t dtype) {
  models m = models_new(rows, vocab, dtype, dtype, 0.0f, 0.0f);
  for (int64_t r = 0; r < rows; r++) models_fill_row(&m, r, g, family);
  return m;
}

void models_free(models *m) {
  matrix_free(&m->s);
  matrix_free(&m->t);
}

models models_varied(rng *g, int64_t rows, int64_t vocab, int64_t more) {
  int32_t dtype_s = (int32_t)rng_between(g, 0, 2), dtype_t = (int32_t)rng_between(g, 0, 2);
  return (models){matrix_new(rows, vocab + (more > 0 ? more : 0), 0, dtype_s, 0.0f),
                  matrix_new(rows, vocab - (more < 0 ? more : 0), 0, dtype_t, 0.0f)};
}

double random_weight(rng *g) {
  double size = rng_scale(g, 1e-3, 10.0), sign = rng_uniform(g) - 0.3;
  return rng_chance(g, 0.1) ? 0.0 : size * sign;
}

/* ---- Numbers ---- */

double distance(long double a, double b) {
  if (isnan(a) || isnan(b)) return isnan(a) && isnan(b) ? 0.0 : (double)INFINITY;
  if (isinf(a) || isinf(b)) return (double)a == b ? 0.0 : (double)INFINITY;
  return (double)fabsl(a - (long double)b);
}

const char *describe(const char *format, ...) {
  static char text[400];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}
