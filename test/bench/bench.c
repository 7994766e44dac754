/* bench.c - what the library costs against what any implementation must pay.
 *
 * Two floors are measured in the same run, interleaved with the library row by row, by the best code this file can
 * write for the machine:
 *
 *   stream  reads both rows once (a maximum)
 *   lse     the log-sum-exp of both rows, one pass for the maximum and one for the sum
 *   move    reads both rows twice and writes one: the traffic of a loss with its gradient
 *
 * A figure is the median over repeats of the ratio of two times taken one after the other. Rows are walked in turn, far
 * more of them than the caches hold. Output: a table, or JSON lines with --json. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trb.h"

enum { ROWS = 32, REPEATS = 9, MAX_VOCAB = 262144 };

/* ---- Floors ---- */

enum { LANES = 64 };

/* __GNUC__ builtins choose the widest vectors at run time; the bodies are plain C that vectorizes. */
#if defined(__x86_64__)
#define WIDE   __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma")))
#define MIDDLE __attribute__((target("avx2,fma")))
#endif
#define BODY static inline __attribute__((always_inline))

BODY float stream_body(const float *x, int64_t n) {
  float top[LANES];
  for (int l = 0; l < LANES; l++) top[l] = -INFINITY;
  for (int64_t i = 0; i + LANES <= n; i += LANES)
    for (int l = 0; l < LANES; l++) top[l] = x[i + l] > top[l] ? x[i + l] : top[l];
  float result = top[0];
  for (int l = 1; l < LANES; l++) result = top[l] > result ? top[l] : result;
  return result;
}

BODY float power(float y) {
  const float bounded = y > -125.0f ? y : -125.0f;
  const float n = (bounded + 0x1.8p23f) - 0x1.8p23f;
  const float f = bounded - n;
  float q = 0x1.41fbbcp-13f;
  q = q * f + 0x1.5f3e54p-10f;
  q = q * f + 0x1.3b2d4cp-7f;
  q = q * f + 0x1.c6aee8p-5f;
  q = q * f + 0x1.ebfbdcp-3f;
  q = q * f + 0x1.62e430p-1f;
  q = q * f + 1.0f;
  int32_t bits;
  memcpy(&bits, &q, sizeof bits);
  bits += (int32_t)n * (1 << 23);
  memcpy(&q, &bits, sizeof q);
  return q;
}

BODY float lse_body(const float *x, int64_t n) {
  const float top = stream_body(x, n);
  float sum[LANES] = {0};
  for (int64_t i = 0; i + LANES <= n; i += LANES)
    for (int l = 0; l < LANES; l++) sum[l] += power((x[i + l] - top) * 1.44269504f);
  float total = 0.0f;
  for (int l = 0; l < LANES; l++) total += sum[l];
  return top + logf(total);
}

BODY float move_body(const float *s, const float *t, float *restrict out, int64_t n) {
  const float a = stream_body(s, n), b = stream_body(t, n);
  for (int64_t i = 0; i < n; i++) out[i] = (s[i] - a) * (t[i] - b);
  return a + b;
}

typedef struct floors {
  float (*stream)(const float *x, int64_t n);
  float (*lse)(const float *x, int64_t n);
  float (*move)(const float *s, const float *t, float *restrict out, int64_t n);
} floors;

#define FLOORS(name, attribute)                                                                                        \
  attribute static float stream_##name(const float *x, int64_t n) {                                                    \
    return stream_body(x, n);                                                                                          \
  }                                                                                                                    \
  attribute static float lse_##name(const float *x, int64_t n) {                                                       \
    return lse_body(x, n);                                                                                             \
  }                                                                                                                    \
  attribute static float move_##name(const float *s, const float *t, float *restrict out, int64_t n) {                 \
    return move_body(s, t, out, n);                                                                                    \
  }

FLOORS(baseline, )
#if defined(__x86_64__)
FLOORS(avx2, MIDDLE)
FLOORS(avx512, WIDE)
#endif

static floors best_floors(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
    return (floors){stream_avx512, lse_avx512, move_avx512};
  if (__builtin_cpu_supports("avx2")) return (floors){stream_avx2, lse_avx2, move_avx2};
#endif
  return (floors){stream_baseline, lse_baseline, move_baseline};
}

/* ---- Rows ---- */

static uint64_t state = 1;

static double uniform(void) { /* splitmix64 */
  uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static double normal(void) {
  return sqrt(-2.0 * log(1.0 - uniform())) * cos(6.283185307179586 * uniform());
}

static const char *const families[] = {"spiky", "peaked", "flat", "disagreeing", "masked"};
enum { FAMILIES = sizeof families / sizeof *families };

static void fill(int family, float *s, float *t, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const double base = normal(), noise = normal(), spike = uniform() < 2e-4 ? 10.0 * uniform() : 0.0;
    const double scale = family == 1 ? 4.0 : family == 2 ? 0.05 : 2.0;
    s[i] = (float)(scale * base + spike);
    t[i] =
        (float)(family == 3 ? scale * noise + (uniform() < 2e-4 ? 10.0 * uniform() : 0.0) : s[i] + 0.4 * scale * noise);
    if (family == 4 && uniform() < 0.1) t[i] = -INFINITY;
    if (family == 4 && uniform() < 0.1) s[i] = -INFINITY;
  }
}

/* ---- Timing ---- */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *x, int n) {
  qsort(x, (size_t)n, sizeof *x, by_value);
  return x[n / 2];
}

typedef struct batch {
  float *s, *t, *grad;
  int64_t vocab;
  double budget;
  floors floor;
  trb_context *ctx;
  trb_blend blend[ROWS];
} batch;

typedef enum work { STREAM, LSE, MOVE, SOLVE, SAMPLE, LOSS, WORKS } work;

static volatile float sink;

static trb_logits row_of(const batch *b, float *data, int row) {
  return (trb_logits){data + (int64_t)row * b->vocab, 1, b->vocab, b->vocab, TRB_F32, 0.0f};
}

static double time_row(batch *b, work what, int row) {
  const trb_logits s = row_of(b, b->s, row), t = row_of(b, b->t, row), grad = row_of(b, b->grad, row);
  const double start = now();
  double loss;
  trb_draw draw;
  switch (what) {
  case STREAM:
    sink = b->floor.stream(s.data, b->vocab) + b->floor.stream(t.data, b->vocab);
    break;
  case LSE:
    sink = b->floor.lse(s.data, b->vocab) + b->floor.lse(t.data, b->vocab);
    break;
  case MOVE:
    sink = b->floor.move(s.data, t.data, grad.data, b->vocab);
    break;
  case SOLVE:
    trb_solve(b->ctx, &s, &t, &b->budget, 1, NULL, &b->blend[row]);
    break;
  case SAMPLE:
    trb_sample(b->ctx, &s, &t, &b->blend[row], NULL, &draw);
    break;
  default:
    trb_reverse_kl(b->ctx, &s, &t, NULL, NULL, &loss, &grad, NULL);
  }
  return now() - start;
}

typedef struct figures {
  double us[WORKS]; /* median microseconds a row */
  double solve_lse, sample_solve, loss_move, lse_stream;
} figures;

/* Each repeat walks the rows once per kind of work, the rows of different kinds interleaved. */
static figures measure(batch *b) {
  double total[WORKS][REPEATS], ratio[4][REPEATS];
  for (int repeat = -1; repeat < REPEATS; repeat++) {
    double sum[WORKS] = {0};
    for (int row = 0; row < ROWS; row++)
      for (int w = 0; w < WORKS; w++) /* a different row each time, so that none is warm */
        sum[w] += time_row(b, (work)w, w == SAMPLE ? row : (row + w * (ROWS / WORKS)) % ROWS);
    if (repeat < 0) continue;
    for (int w = 0; w < WORKS; w++) total[w][repeat] = sum[w] / ROWS * 1e6;
    ratio[0][repeat] = sum[SOLVE] / sum[LSE];
    ratio[1][repeat] = (sum[SOLVE] + sum[SAMPLE]) / sum[SOLVE];
    ratio[2][repeat] = sum[LOSS] / sum[MOVE];
    ratio[3][repeat] = sum[LSE] / sum[STREAM];
  }
  figures f;
  for (int w = 0; w < WORKS; w++) f.us[w] = median(total[w], REPEATS);
  f.solve_lse = median(ratio[0], REPEATS);
  f.sample_solve = median(ratio[1], REPEATS);
  f.loss_move = median(ratio[2], REPEATS);
  f.lse_stream = median(ratio[3], REPEATS);
  return f;
}

static void print(bool json, const batch *b, const char *family, const figures *f) {
  int passes = 0;
  for (int r = 0; r < ROWS; r++) passes += b->blend[r].passes;
  if (json)
    printf("{\"family\": \"%s\", \"vocab\": %lld, \"budget\": %g, \"isa\": %d, \"passes\": %.2f, \"us\": {\"stream\": "
           "%.1f, "
           "\"lse\": %.1f, \"move\": %.1f, \"solve\": %.1f, \"sample\": %.1f, \"loss\": %.1f}, \"solve/lse\": %.3f, "
           "\"(solve+sample)/solve\": %.3f, \"loss/move\": %.3f}\n",
           family, (long long)b->vocab, b->budget, trb_context_isa(b->ctx), (double)passes / ROWS, f->us[STREAM],
           f->us[LSE], f->us[MOVE], f->us[SOLVE], f->us[SAMPLE], f->us[LOSS], f->solve_lse, f->sample_solve,
           f->loss_move);
  else
    printf("%-12s %9.1f %9.1f %7.2f %9.1f %10.2f %12.3f %10.2f\n", family, f->us[STREAM], f->us[LSE],
           (double)passes / ROWS, f->us[SOLVE], f->solve_lse, f->sample_solve, f->loss_move);
  fflush(stdout);
}

int main(int argc, char **argv) {
  bool json = false;
  batch b = {.vocab = 151936, .budget = 0.02};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0)
      json = true;
    else if (strncmp(argv[i], "--vocab=", 8) == 0 && atoll(argv[i] + 8) >= 1024 && atoll(argv[i] + 8) <= MAX_VOCAB)
      b.vocab = atoll(argv[i] + 8) / 64 * 64;
    else if (strncmp(argv[i], "--budget=", 9) == 0 && atof(argv[i] + 9) > 0.0)
      b.budget = atof(argv[i] + 9);
    else {
      fprintf(stderr, "usage: bench [--json] [--vocab=1024..%d] [--budget=NATS]\n", MAX_VOCAB);
      return 2;
    }
  }
  const size_t bytes = (size_t)ROWS * (size_t)b.vocab * sizeof(float);
  b.s = malloc(bytes);
  b.t = malloc(bytes);
  b.grad = calloc(1, bytes);
  b.floor = best_floors();
  if (b.s == NULL || b.t == NULL || b.grad == NULL || trb_context_new(NULL, &b.ctx) != TRB_OK) return 1;
  if (!json)
    printf("V = %lld, f32, budget %g, one thread, %d row pairs; times in microseconds a row, ratios as medians of %d\n"
           "%-12s %9s %9s %7s %9s %10s %12s %10s\n",
           (long long)b.vocab, b.budget, ROWS, REPEATS, "rows", "stream", "lse", "passes", "solve", "solve/lse",
           "+sample", "loss/move");
  for (int family = 0; family < FAMILIES; family++) {
    for (int r = 0; r < ROWS; r++) fill(family, b.s + r * b.vocab, b.t + r * b.vocab, b.vocab);
    const figures f = measure(&b);
    print(json, &b, families[family], &f);
  }
  trb_context_free(b.ctx);
  free(b.s);
  free(b.t);
  free(b.grad);
  return 0;
}
