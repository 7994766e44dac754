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
 * more of them than the caches hold. The last columns compare the library with itself: rows in half precision with the
 * same rows in f32, and all rows in one call by one and by two threads. Output: a table, or JSON lines with --json. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trb.h"

enum { ROWS = 64, REPEATS = 9, MAX_VOCAB = 262144 };

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
    if (family == 4 && uniform() < 0.1) t[i] = s[i] = -INFINITY;
    if (family == 4 && uniform() < 0.01 && s[i] < 0.0f) t[i] = -INFINITY;
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
  uint16_t *half_s, *half_t, *half_grad;
  int32_t half; /* TRB_F16 or TRB_BF16 */
  int64_t vocab;
  double budget;
  floors floor;
  trb_context *ctx, *two; /* one thread, two */
  trb_blend blend[ROWS];
} batch;

typedef enum work { STREAM, LSE, MOVE, SOLVE, SAMPLE, LOSS, HALF_SOLVE, HALF_LOSS, WORKS } work;

static volatile float sink;

static trb_logits row_of(const batch *b, float *data, int row) {
  return (trb_logits){data + (int64_t)row * b->vocab, 1, b->vocab, b->vocab, TRB_F32, 0.0f};
}

static trb_logits half_row_of(const batch *b, uint16_t *data, int row) {
  return (trb_logits){data + (int64_t)row * b->vocab, 1, b->vocab, b->vocab, b->half, 0.0f};
}

/* The blend of the model with itself at weight 0 is the model: its logits less their log-sum-exp, in another dtype. */
static void make_halves(batch *b) {
  for (int row = 0; row < ROWS; row++) {
    trb_logits from[] = {row_of(b, b->s, row), row_of(b, b->t, row)};
    trb_logits to[] = {half_row_of(b, b->half_s, row), half_row_of(b, b->half_t, row)};
    for (int m = 0; m < 2; m++) {
      const double zero = 0.0;
      trb_blend blend;
      trb_blend_at(b->ctx, &from[m], NULL, &zero, 1, &blend);
      trb_write_blend(b->ctx, &from[m], NULL, &blend, &to[m]);
    }
  }
}

static double time_row(batch *b, work what, int row) {
  const trb_logits s = row_of(b, b->s, row), t = row_of(b, b->t, row), grad = row_of(b, b->grad, row);
  const trb_logits half_s = half_row_of(b, b->half_s, row), half_t = half_row_of(b, b->half_t, row);
  const trb_logits half_grad = half_row_of(b, b->half_grad, row);
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
  case LOSS:
    trb_reverse_kl(b->ctx, &s, &t, NULL, NULL, &loss, &grad, NULL);
    break;
  case HALF_SOLVE:
    trb_solve(b->ctx, &half_s, &half_t, &b->budget, 1, NULL, &b->blend[row]);
    break;
  default:
    trb_reverse_kl(b->ctx, &half_s, &half_t, NULL, NULL, &loss, &half_grad, NULL);
  }
  return now() - start;
}

/* All rows in one call. */
static double time_rows(batch *b, trb_context *ctx) {
  const trb_logits s = {b->s, ROWS, b->vocab, b->vocab, TRB_F32, 0.0f};
  const trb_logits t = {b->t, ROWS, b->vocab, b->vocab, TRB_F32, 0.0f};
  const double start = now();
  trb_solve(ctx, &s, &t, &b->budget, 1, NULL, b->blend);
  return now() - start;
}

enum { SOLVE_LSE, SAMPLE_SOLVE, LOSS_MOVE, HALF_SOLVE_F32, HALF_LOSS_F32, TWO_THREADS, RATIOS };

typedef struct figures {
  double us[WORKS]; /* median microseconds a row */
  double ratio[RATIOS];
} figures;

/* Each repeat walks the rows once per kind of work, the rows of different kinds interleaved. */
static figures measure(batch *b) {
  double total[WORKS][REPEATS], ratio[RATIOS][REPEATS];
  for (int repeat = -1; repeat < REPEATS; repeat++) {
    double sum[WORKS] = {0};
    for (int row = 0; row < ROWS; row++)
      for (int w = 0; w < WORKS; w++) /* a different row each time, so that none is warm */
        sum[w] += time_row(b, (work)w, w == SAMPLE ? row : (row + w * (ROWS / WORKS)) % ROWS);
    const double one = time_rows(b, b->ctx), two = time_rows(b, b->two);
    if (repeat < 0) continue;
    for (int w = 0; w < WORKS; w++) total[w][repeat] = sum[w] / ROWS * 1e6;
    ratio[SOLVE_LSE][repeat] = sum[SOLVE] / sum[LSE];
    ratio[SAMPLE_SOLVE][repeat] = (sum[SOLVE] + sum[SAMPLE]) / sum[SOLVE];
    ratio[LOSS_MOVE][repeat] = sum[LOSS] / sum[MOVE];
    ratio[HALF_SOLVE_F32][repeat] = sum[HALF_SOLVE] / sum[SOLVE];
    ratio[HALF_LOSS_F32][repeat] = sum[HALF_LOSS] / sum[LOSS];
    ratio[TWO_THREADS][repeat] = one / two;
  }
  figures f;
  for (int w = 0; w < WORKS; w++) f.us[w] = median(total[w], REPEATS);
  for (int i = 0; i < RATIOS; i++) f.ratio[i] = median(ratio[i], REPEATS);
  return f;
}

static void print(bool json, const batch *b, const char *family, const figures *f) {
  static const char *const works[] = {"stream", "lse", "move", "solve", "sample", "loss", "half solve", "half loss"};
  static const char *const ratios[] = {
      "solve/lse", "(solve+sample)/solve", "loss/move", "half solve/f32 solve", "half loss/f32 loss", "one thread/two"};
  int passes = 0;
  for (int r = 0; r < ROWS; r++) passes += b->blend[r].passes;
  if (json) {
    printf("{\"family\": \"%s\", \"vocab\": %lld, \"budget\": %g, \"half\": \"%s\", \"isa\": %d, \"passes\": %.2f",
           family, (long long)b->vocab, b->budget, b->half == TRB_F16 ? "f16" : "bf16", trb_context_isa(b->ctx),
           (double)passes / ROWS);
    for (int w = 0; w < WORKS; w++) printf(", \"%s us\": %.1f", works[w], f->us[w]);
    for (int i = 0; i < RATIOS; i++) printf(", \"%s\": %.3f", ratios[i], f->ratio[i]);
    printf("}\n");
  } else {
    printf("%-12s %8.1f %8.1f %7.2f %8.1f %10.2f %8.2f %10.2f %11.2f %10.2f %12.2f\n", family, f->us[STREAM],
           f->us[LSE], (double)passes / ROWS, f->us[SOLVE], f->ratio[SOLVE_LSE], f->ratio[SAMPLE_SOLVE],
           f->ratio[LOSS_MOVE], f->ratio[HALF_SOLVE_F32], f->ratio[HALF_LOSS_F32], f->ratio[TWO_THREADS]);
  }
  fflush(stdout);
}

static bool read_options(int argc, char **argv, bool *json, batch *b) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0)
      *json = true;
    else if (strncmp(argv[i], "--vocab=", 8) == 0 && atoll(argv[i] + 8) >= 1024 && atoll(argv[i] + 8) <= MAX_VOCAB)
      b->vocab = atoll(argv[i] + 8) / 64 * 64;
    else if (strncmp(argv[i], "--budget=", 9) == 0 && atof(argv[i] + 9) > 0.0)
      b->budget = atof(argv[i] + 9);
    else if (strcmp(argv[i], "--half=f16") == 0)
      b->half = TRB_F16;
    else
      return false;
  }
  return true;
}

static bool take_memory(batch *b) {
  const size_t n = (size_t)ROWS * (size_t)b->vocab;
  const trb_context_options two = {.size = sizeof two, .threads = 2};
  b->s = malloc(n * sizeof(float));
  b->t = malloc(n * sizeof(float));
  b->grad = calloc(n, sizeof(float));
  b->half_s = calloc(n, sizeof(uint16_t));
  b->half_t = calloc(n, sizeof(uint16_t));
  b->half_grad = calloc(n, sizeof(uint16_t));
  return b->s != NULL && b->t != NULL && b->grad != NULL && b->half_s != NULL && b->half_t != NULL &&
         b->half_grad != NULL && trb_context_new(NULL, &b->ctx) == TRB_OK && trb_context_new(&two, &b->two) == TRB_OK;
}

int main(int argc, char **argv) {
  bool json = false;
  batch b = {.vocab = 151936, .budget = 0.02, .half = TRB_BF16, .floor = best_floors()};
  if (!read_options(argc, argv, &json, &b)) {
    fprintf(stderr, "usage: bench [--json] [--vocab=1024..%d] [--budget=NATS] [--half=f16]\n", MAX_VOCAB);
    return 2;
  }
  if (!take_memory(&b)) return 1;
  if (!json)
    printf("V = %lld, budget %g, %d row pairs; times in microseconds a row, ratios as medians of %d\n"
           "%-12s %8s %8s %7s %8s %10s %8s %10s %11s %10s %12s\n",
           (long long)b.vocab, b.budget, ROWS, REPEATS, "rows", "stream", "lse", "passes", "solve", "solve/lse",
           "+sample", "loss/move", "half solve", "half loss", "two threads");
  for (int family = 0; family < FAMILIES; family++) {
    for (int r = 0; r < ROWS; r++) fill(family, b.s + r * b.vocab, b.t + r * b.vocab, b.vocab);
    make_halves(&b);
    const figures f = measure(&b);
    print(json, &b, families[family], &f);
  }
  trb_context_free(b.ctx);
  trb_context_free(b.two);
  free(b.s);
  free(b.t);
  free(b.grad);
  free(b.half_s);
  free(b.half_t);
  free(b.half_grad);
  return 0;
}
