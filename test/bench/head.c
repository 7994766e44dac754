/* head.c - trb_head_reverse_kl with all gradients against four bare products of the same sizes: the logits of both
 * models, the gradient of the hidden states and that of the weights, all rows at once. */
#include "head.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "measure.h"

enum { N = 1024, WIDTH = 1024, LIMITS = 3 };

static const int64_t limits[LIMITS] = {INT64_C(64) << 20, INT64_C(256) << 20, INT64_C(1024) << 20};

typedef struct scene {
  int64_t vocab;
  float *hidden[2], *weight[2], *grad_hidden, *grad_weight, *logits[2];
} scene;

/* What a context takes, and the most of it. */
typedef struct purse {
  int64_t taken, most;
} purse;

static void *take(size_t bytes, void *user) {
  purse *p = user;
  int64_t *memory = malloc(bytes + 64);
  if (!memory) return NULL;
  memory[0] = (int64_t)bytes;
  p->taken += (int64_t)bytes;
  if (p->taken > p->most) p->most = p->taken;
  return memory + 8;
}

static void give(void *memory, void *user) {
  purse *p = user;
  int64_t *start = (int64_t *)memory - 8;
  p->taken -= start[0];
  free(start);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Uniform numbers of some size; a linear congruence is random enough for a product. */
static float *fill(int64_t n, float size) {
  float *x = malloc((size_t)n * sizeof *x);
  uint32_t state = 12345;
  for (int64_t i = 0; x && i < n; i++) {
    state = state * 1664525u + 1013904223u;
    x[i] = size * ((float)(state >> 8) * 0x1p-23f - 1.0f);
  }
  return x;
}

static double bare(const scene *x) {
  const int v = (int)x->vocab;
  const double start = now();
  for (int m = 0; m < 2; m++)
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, N, v, WIDTH, 1.0f, x->hidden[m], WIDTH, x->weight[m], WIDTH,
                0.0f, x->logits[m], v);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, WIDTH, v, 1.0f, x->logits[1], v, x->weight[0], WIDTH, 0.0f,
              x->grad_hidden, WIDTH);
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, v, WIDTH, N, 1.0f, x->logits[1], v, x->hidden[0], WIDTH, 1.0f,
              x->grad_weight, WIDTH);
  return now() - start;
}

static double fused(const scene *x, trb_context *ctx, int64_t limit) {
  trb_head head[2];
  static double loss[N];
  for (int m = 0; m < 2; m++)
    head[m] = (trb_head){.size = sizeof head[m],
                         .hidden = x->hidden[m],
                         .hidden_stride = WIDTH,
                         .weight = x->weight[m],
                         .weight_stride = WIDTH,
                         .vocab = x->vocab,
                         .width = WIDTH};
  const trb_head_options how = {sizeof how, (trb_sgemm_fn)cblas_sgemm, limit};
  const trb_head_grad grad = {sizeof grad, x->grad_hidden, WIDTH, x->grad_weight, WIDTH, NULL};
  const double start = now();
  const trb_status status = trb_head_reverse_kl(ctx, N, &head[0], &head[1], NULL, NULL, &how, loss, &grad, NULL);
  if (status == TRB_OK) return now() - start;
  fprintf(stderr, "bench: %s: %s\n", trb_strerror(status), trb_context_error(ctx));
  return (double)NAN;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *x, int n) {
  qsort(x, (size_t)n, sizeof *x, by_value);
  return x[n / 2];
}

static bool measure(const scene *x, trb_context *ctx, purse *p, int repeats, int json) {
  static double alone[MAX_REPEATS], ratio[LIMITS][MAX_REPEATS];
  int64_t most[LIMITS] = {0};
  const int threads = openblas_get_num_threads();
  for (int r = -1; r < repeats; r++) /* the first one warms up */
    for (int i = -1; i < LIMITS; i++) {
      static double here;
      if (i < 0) {
        here = bare(x);
        if (r >= 0) alone[r] = here;
        continue;
      }
      p->most = p->taken;
      const double time = fused(x, ctx, limits[i]);
      if (!(time > 0.0)) return false;
      if (r >= 0) ratio[i][r] = time / here;
      most[i] = p->most;
    }
  bool good = openblas_get_num_threads() == threads;
  const double seconds = median(alone, repeats);
  if (!json)
    printf("\n%d rows, width %d, V = %lld, %d threads of OpenBLAS: bare products %.2f s\n%12s %10s %12s\n", N, WIDTH,
           (long long)x->vocab, threads, seconds, "limit MiB", "/bare", "most MiB");
  for (int i = 0; i < LIMITS; i++) {
    const double over = median(ratio[i], repeats), mib = 1.0 / 1048576.0;
    printf(json ? "{\"kind\": \"head\", \"limit_mib\": %.0f, \"over_bare\": %.3f, \"most_mib\": %.1f}\n"
                : "%12.0f %10.3f %12.1f\n",
           (double)limits[i] * mib, over, (double)most[i] * mib);
    good &= most[i] <= limits[i] + (INT64_C(8) << 20);
  }
  return good;
}

bool head_measure(int64_t vocab, int repeats, int json) {
  scene x = {.vocab = vocab};
  purse p = {0, 0};
  const trb_context_options options = {
      .size = sizeof options, .threads = openblas_get_num_threads(), .alloc = take, .free = give, .alloc_user = &p};
  trb_context *ctx = NULL;
  bool good = trb_context_new(&options, &ctx) == TRB_OK;
  for (int m = 0; m < 2; m++) {
    x.hidden[m] = fill(N * WIDTH, 1.0f);
    x.weight[m] = fill(vocab * WIDTH, 0.05f);
    x.logits[m] = fill(N * vocab, 0.0f);
    good &= x.hidden[m] && x.weight[m] && x.logits[m];
  }
  x.grad_hidden = fill(N * WIDTH, 0.0f);
  x.grad_weight = fill(vocab * WIDTH, 0.0f);
  good = good && x.grad_hidden && x.grad_weight && measure(&x, ctx, &p, repeats, json);
  for (int m = 0; m < 2; m++) {
    free(x.hidden[m]);
    free(x.weight[m]);
    free(x.logits[m]);
  }
  free(x.grad_hidden);
  free(x.grad_weight);
  trb_context_free(ctx);
  return good;
}
