/* test_head.c - losses and blends from hidden states, with a matrix product whose results do not depend on how it is
 * called: then a chunk at a time gives the bits of all at once, and those of the functions on logits. Gradients against
 * central differences in long double. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "counting.h"
#include "oracle.h"
#include "suites.h"

/* ---- A matrix product ---- */

static int64_t products;

static double at(const float *x, int32_t stride, bool transposed, int32_t i, int32_t j) {
  return (double)(transposed ? x[(int64_t)j * stride + i] : x[(int64_t)i * stride + j]);
}

/* Sums in double precision, in order, and one rounding. */
static void product(unsigned order, unsigned transpose_a, unsigned transpose_b, int32_t m, int32_t n, int32_t k,
                    float alpha, const float *a, int32_t lda, const float *b, int32_t ldb, float beta, float *c,
                    int32_t ldc) {
  const bool ta = transpose_a == 112, tb = transpose_b == 112;
  ck_assert(order == 101 && (ta || transpose_a == 111) && (tb || transpose_b == 111));
  ck_assert(m > 0 && n > 0 && k > 0 && lda >= (ta ? m : k) && ldb >= (tb ? k : n) && ldc >= n);
  products++;
  for (int32_t i = 0; i < m; i++)
    for (int32_t j = 0; j < n; j++) {
      double sum = 0.0;
      for (int32_t l = 0; l < k; l++) sum += at(a, lda, ta, i, l) * at(b, ldb, tb, l, j);
      float *to = &c[(int64_t)i * ldc + j];
      *to = (float)((double)alpha * sum + (beta == 0.0f ? 0.0 : (double)beta * (double)*to));
    }
}

/* ---- A scene ---- */

enum { MODELS = 2 };

/* Hidden states and heads of both models. The weights stand in a matrix, so that they have any element type. */
typedef struct scene {
  int64_t rows;
  trb_head head[MODELS];
  float *hidden[MODELS], *bias[MODELS];
  matrix weight[MODELS];
} scene;

static float *floats(rng *g, int64_t n, double size) {
  float *x = malloc((size_t)(n > 0 ? n : 1) * sizeof *x);
  if (!x) abort();
  for (int64_t i = 0; i < n; i++) x[i] = (float)(size * rng_normal(g));
  return x;
}

typedef struct shape {
  const char *name;
  int64_t rows, vocab[MODELS], width[MODELS];
  bool bias;
  float scale, soft_cap, temperature;
  int32_t dtype;
} shape;

static const shape shapes[] = {
    {"plain", 7, {40, 40}, {6, 9}, false, 0, 0, 0, TRB_F32},
    {"bias, scale", 7, {40, 33}, {6, 9}, true, 0.7f, 0, 1.3f, TRB_F32},
    {"soft cap", 6, {33, 40}, {6, 4}, true, 0, 3.0f, 0.8f, TRB_F32},
    {"cap and scale", 6, {40, 40}, {6, 4}, false, -1.4f, 2.5f, 0, TRB_BF16},
    {"one row", 1, {50, 48}, {3, 5}, true, 0, 0, 0, TRB_F16},
    {"pieces", 3, {1100, 700}, {1500, 16}, true, 0.03f, 5.0f, 0, TRB_BF16},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static scene scene_new(const shape *c, uint64_t seed) {
  rng g = {seed};
  scene x = {.rows = c->rows};
  for (int m = 0; m < MODELS; m++) {
    const int64_t vocab = c->vocab[m], width = c->width[m], hidden_stride = width + 3, stride = width + m;
    x.hidden[m] = floats(&g, c->rows * hidden_stride, 1.0);
    x.bias[m] = floats(&g, vocab, 0.5);
    x.weight[m] = matrix_new(vocab, width, stride, c->dtype, 0.0f);
    for (int64_t v = 0; v < vocab; v++)
      for (int64_t i = 0; i < width; i++) matrix_set(&x.weight[m], v, i, rng_normal(&g));
    x.head[m] = (trb_head){.size = sizeof x.head[m],
                           .hidden = x.hidden[m],
                           .hidden_stride = hidden_stride,
                           .weight = x.weight[m].view.data,
                           .weight_stride = stride,
                           .bias = c->bias ? x.bias[m] : NULL,
                           .vocab = vocab,
                           .width = width,
                           .dtype = c->dtype,
                           .scale = c->scale,
                           .soft_cap = c->soft_cap,
                           .temperature = c->temperature};
  }
  return x;
}

static void scene_free(scene *x) {
  for (int m = 0; m < MODELS; m++) {
    free(x->hidden[m]);
    free(x->bias[m]);
    matrix_free(&x->weight[m]);
  }
}

/* What the call writes. */
typedef struct outcome {
  trb_status status;
  double *loss;
  trb_loss_row *rows;
  float *hidden, *weight, *bias;
  int64_t n_hidden, n_weight, n_bias;
} outcome;

enum { START = 3 }; /* what is added to begins with this */

static outcome outcome_new(const scene *x) {
  const trb_head *h = &x->head[0];
  outcome y = {.n_hidden = x->rows * (h->width + 1), .n_weight = h->vocab * (h->width + 2), .n_bias = h->vocab};
  y.loss = calloc((size_t)x->rows + 1, sizeof *y.loss);
  y.rows = calloc((size_t)x->rows + 1, sizeof *y.rows);
  y.hidden = calloc((size_t)y.n_hidden + 1, sizeof *y.hidden);
  y.weight = calloc((size_t)y.n_weight, sizeof *y.weight);
  y.bias = calloc((size_t)y.n_bias, sizeof *y.bias);
  if (!y.loss || !y.rows || !y.hidden || !y.weight || !y.bias) abort();
  for (int64_t i = 0; i < y.n_weight; i++) y.weight[i] = START;
  for (int64_t i = 0; i < y.n_bias; i++) y.bias[i] = START;
  return y;
}

static void outcome_free(outcome *y) {
  free(y->loss);
  free(y->rows);
  free(y->hidden);
  free(y->weight);
  free(y->bias);
}

static outcome run(trb_context *ctx, const scene *x, const double *weight, int32_t form, int64_t bytes) {
  outcome y = outcome_new(x);
  const trb_head_options how = {sizeof how, product, bytes};
  const trb_loss_options options = {sizeof options, form, form ? TRB_SUPPORT_STUDENT_TOP_K : 0, form ? 5 : 0, NULL};
  const trb_head_grad grad = {sizeof grad, y.hidden, x->head[0].width + 1, y.weight, x->head[0].width + 2, y.bias};
  y.status = trb_head_reverse_kl(ctx, x->rows, &x->head[0], &x->head[1], weight, &options, &how, y.loss, &grad, y.rows);
  return y;
}

/* The logits as the header has them, by the same product. */
static matrix logits_of(const scene *x, int m) {
  const trb_head *h = &x->head[m];
  const double scale = h->scale == 0.0f ? 1.0 : (double)h->scale;
  matrix z = matrix_new(x->rows, h->vocab, 0, TRB_F32, h->temperature);
  for (int64_t r = 0; r < x->rows; r++)
    for (int64_t v = 0; v < h->vocab; v++) {
      double sum = 0.0;
      for (int64_t i = 0; i < h->width; i++)
        sum += (double)h->hidden[r * h->hidden_stride + i] * matrix_get(&x->weight[m].view, v, i);
      float y = (float)(scale * sum);
      if (h->bias) y = (float)(scale * sum + (double)(h->bias[v] * (float)scale));
      if (h->soft_cap > 0.0f) y = (float)((double)h->soft_cap * tanh((double)y / (double)h->soft_cap));
      ((float *)z.view.data)[r * z.view.stride + v] = y;
    }
  return z;
}

/* ---- The loss ---- */

static void assert_floats(const float *a, const float *b, int64_t n, double tolerance, const char *what) {
  for (int64_t i = 0; i < n; i++)
    if (!(fabs((double)a[i] - (double)b[i]) <= tolerance * (1.0 + fabs((double)b[i]))))
      ck_abort_msg("%s: element %d is %.9g, expected %.9g", what, (int)i, (double)a[i], (double)b[i]);
}

/* Loop test over the shapes: those of the functions on logits, to the bit where there is no cap, whose tanh is the C
 * library's here. */
START_TEST(test_against_logits) {
  const shape *c = &shapes[_i];
  scene x = scene_new(c, 0x4EAD + (uint64_t)_i);
  matrix s = logits_of(&x, 0), t = logits_of(&x, 1);
  for (int32_t form = TRB_FORM_FULL; form <= TRB_FORM_GENERALIZED; form++) {
    const trb_loss_options options = {sizeof options, form, form ? TRB_SUPPORT_STUDENT_TOP_K : 0, form ? 5 : 0, NULL};
    double weight[16], loss[16];
    trb_loss_row rows[16];
    for (int r = 0; r < 16; r++) weight[r] = r == 2 ? 0.0 : 0.3 * r - 1.0;
    outcome y = run(NULL, &x, weight, form, 0);
    ck_assert_int_eq(y.status, TRB_OK);
    ck_assert_int_eq(trb_reverse_kl(NULL, &s.view, &t.view, weight, &options, loss, NULL, rows), TRB_OK);
    for (int64_t r = 0; r < x.rows; r++) {
      if (c->soft_cap == 0.0f) ck_assert(y.loss[r] == loss[r] && memcmp(&y.rows[r], &rows[r], sizeof rows[r]) == 0);
      assert_near(y.loss[r], loss[r], 2e-6 * (1.0 + fabs(loss[r])), "%s, row %d", c->name, (int)r);
    }
    outcome_free(&y);
  }
  matrix_free(&s);
  matrix_free(&t);
  scene_free(&x);
}
END_TEST

/* The loss of one row in long double, from its hidden state and the weights. */
static long double loss_of(const scene *x, int64_t row, oracle *o, int64_t moved_v, int64_t moved_i, long double by) {
  const int64_t n = x->head[0].vocab < x->head[1].vocab ? x->head[0].vocab : x->head[1].vocab;
  long double *z[MODELS];
  bool *all = malloc((size_t)n * sizeof *all);
  if (!all) abort();
  for (int64_t v = 0; v < n; v++) all[v] = true;
  for (int m = 0; m < MODELS; m++) {
    const trb_head *h = &x->head[m];
    const long double scale = h->scale == 0.0f ? 1.0L : (long double)h->scale;
    z[m] = malloc((size_t)n * sizeof *z[m]);
    if (!z[m]) abort();
    for (int64_t v = 0; v < n; v++) {
      long double sum = h->bias ? (long double)h->bias[v] : 0;
      for (int64_t i = 0; i < h->width; i++) {
        long double w = (long double)matrix_get(&x->weight[m].view, v, i);
        long double a = (long double)h->hidden[row * h->hidden_stride + i];
        if (m == 0 && moved_i == i && moved_v == v) w += by;
        if (m == 0 && moved_i == i && moved_v == -1) a += by;
        sum += w * a;
      }
      if (m == 0 && moved_i == -1 && moved_v == v) sum += by; /* the bias */
      sum *= scale;
      if (h->soft_cap > 0.0f) sum = (long double)h->soft_cap * tanhl(sum / (long double)h->soft_cap);
      z[m][v] = sum / (h->temperature == 0.0f ? 1.0L : (long double)h->temperature);
    }
  }
  oracle_set(o, z[0], z[1], n);
  const long double loss = oracle_loss_value(o, TRB_FORM_FULL, 0, all);
  free(z[0]);
  free(z[1]);
  free(all);
  return loss;
}

static long double slope_of(const scene *x, int64_t row, oracle *o, int64_t v, int64_t i) {
  const long double by = 1e-5L;
  return (loss_of(x, row, o, v, i, by) - loss_of(x, row, o, v, i, -by)) / (2 * by);
}

/* Loop test over the small shapes whose vocabularies are one. */
START_TEST(test_central_differences) {
  const shape *c = &shapes[_i];
  if (c->width[0] > 100 || c->vocab[0] > c->vocab[1]) return;
  scene x = scene_new(c, 0x4EAE + (uint64_t)_i);
  oracle o = oracle_new(64);
  double weight[16];
  for (int r = 0; r < 16; r++) weight[r] = 0.4 * r - 0.9;
  outcome y = run(NULL, &x, weight, TRB_FORM_FULL, 0);
  const int64_t width = x.head[0].width, common = c->vocab[0] < c->vocab[1] ? c->vocab[0] : c->vocab[1];
  for (int64_t r = 0; r < x.rows; r++)
    for (int64_t i = 0; i < width; i++)
      assert_near(y.hidden[r * (width + 1) + i], (long double)weight[r] * slope_of(&x, r, &o, -1, i), 4e-5,
                  "%s: hidden %d of row %d", c->name, (int)i, (int)r);
  for (int64_t v = 0; v < common; v += 3)
    for (int64_t i = -1; i < width; i++) {
      long double sum = START;
      for (int64_t r = 0; r < x.rows; r++) sum += (long double)weight[r] * slope_of(&x, r, &o, v, i);
      assert_near(i < 0 ? y.bias[v] : y.weight[v * (width + 2) + i], sum, 4e-5, "%s: weight %d of token %d", c->name,
                  (int)i, (int)v);
    }
  for (int64_t v = common; v < c->vocab[0]; v++) ck_assert(y.bias[v] == START);
  oracle_free(&o);
  outcome_free(&y);
  scene_free(&x);
}
END_TEST

/* Loop test over the shapes: any limit, and any context. */
START_TEST(test_chunks) {
  const shape *c = &shapes[_i];
  scene x = scene_new(c, 0x4EAF + (uint64_t)_i);
  const int64_t wide = c->vocab[0] > c->vocab[1] ? c->vocab[0] : c->vocab[1], row = 8 * wide;
  outcome all = run(NULL, &x, NULL, TRB_FORM_FULL, 0);
  trb_context *ctx = context_with(3, TRB_ISA_SCALAR);
  for (int64_t bytes = 1; bytes <= x.rows * row + 1; bytes += row) {
    outcome y = run(bytes % 2 ? ctx : NULL, &x, NULL, TRB_FORM_FULL, bytes);
    ck_assert_int_eq(y.status, TRB_OK);
    ck_assert(memcmp(y.loss, all.loss, (size_t)x.rows * sizeof *y.loss) == 0);
    ck_assert(memcmp(y.rows, all.rows, (size_t)x.rows * sizeof *y.rows) == 0);
    ck_assert(memcmp(y.hidden, all.hidden, (size_t)y.n_hidden * sizeof *y.hidden) == 0);
    assert_floats(y.weight, all.weight, y.n_weight, 1e-6, "weights");
    assert_floats(y.bias, all.bias, y.n_bias, 1e-6, "bias");
    outcome_free(&y);
  }
  trb_context_free(ctx);
  outcome_free(&all);
  scene_free(&x);
}
END_TEST

/* Half weights give the bits of the same numbers as floats. */
START_TEST(test_halves) {
  for (int32_t dtype = TRB_F16; dtype <= TRB_BF16; dtype++) {
    shape c = shapes[_i];
    c.dtype = dtype;
    scene x = scene_new(&c, 0x4EB0), wide = scene_new(&c, 0x4EB0);
    for (int m = 0; m < MODELS; m++) {
      const matrix w = matrix_convert(&x.weight[m], x.weight[m].view.stride, TRB_F32);
      matrix_free(&wide.weight[m]);
      wide.weight[m] = w;
      wide.head[m].weight = w.view.data;
      wide.head[m].dtype = TRB_F32;
    }
    outcome a = run(NULL, &x, NULL, TRB_FORM_FULL, 0), b = run(NULL, &wide, NULL, TRB_FORM_FULL, 0);
    ck_assert(memcmp(a.loss, b.loss, (size_t)x.rows * sizeof *a.loss) == 0);
    assert_floats(a.hidden, b.hidden, a.n_hidden, 1e-6, "hidden"); /* piece by piece */
    ck_assert(memcmp(a.weight, b.weight, (size_t)a.n_weight * sizeof *a.weight) == 0);
    outcome_free(&a);
    outcome_free(&b);
    scene_free(&x);
    scene_free(&wide);
  }
}
END_TEST

/* A row that is not a number is named and adds nothing; the others are as they are without it. */
START_TEST(test_bad_rows) {
  const shape *c = &shapes[_i];
  if (c->rows < 4) return;
  scene x = scene_new(c, 0x4EB1);
  double without[16];
  for (int r = 0; r < 16; r++) without[r] = r == 1 || r == 3 ? 0.0 : 1.0;
  outcome want = run(NULL, &x, without, TRB_FORM_FULL, 0);
  x.hidden[0][1 * x.head[0].hidden_stride] = (float)NAN;
  x.hidden[1][3 * x.head[1].hidden_stride] = (float)INFINITY;
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  outcome y = run(ctx, &x, NULL, TRB_FORM_FULL, 0);
  ck_assert_int_eq(y.status, TRB_EROWS);
  ck_assert_ptr_nonnull(strstr(trb_context_error(ctx), "2 of"));
  for (int64_t r = 0; r < x.rows; r++) {
    ck_assert_int_eq(y.rows[r].status, r == 1 || r == 3 ? TRB_ROW_NOT_A_NUMBER : TRB_ROW_OK);
    if (r != 1 && r != 3) ck_assert(y.loss[r] == want.loss[r]);
  }
  ck_assert(memcmp(y.hidden, want.hidden, (size_t)y.n_hidden * sizeof *y.hidden) == 0);
  ck_assert(memcmp(y.weight, want.weight, (size_t)y.n_weight * sizeof *y.weight) == 0);
  ck_assert(memcmp(y.bias, want.bias, (size_t)y.n_bias * sizeof *y.bias) == 0);
  trb_context_free(ctx);
  outcome_free(&want);
  outcome_free(&y);
  scene_free(&x);
}
END_TEST

/* What is not asked for is not computed. */
START_TEST(test_partial) {
  scene x = scene_new(&shapes[1], 0x4EB2);
  const trb_head_options how = {sizeof how, product, 0};
  outcome all = run(NULL, &x, NULL, TRB_FORM_FULL, 0), y = outcome_new(&x);
  const int64_t width = x.head[0].width;
  trb_head_grad grad = {sizeof grad, y.hidden, width + 1, NULL, 0, NULL};
  products = 0;
  ck_assert_int_eq(trb_head_reverse_kl(NULL, x.rows, &x.head[0], &x.head[1], NULL, NULL, &how, y.loss, NULL, NULL),
                   TRB_OK);
  ck_assert_int_eq(products, 2);
  ck_assert(memcmp(y.loss, all.loss, (size_t)x.rows * sizeof *y.loss) == 0);
  ck_assert_int_eq(trb_head_reverse_kl(NULL, x.rows, &x.head[0], &x.head[1], NULL, NULL, &how, NULL, &grad, NULL),
                   TRB_OK);
  ck_assert_int_eq(products, 5);
  ck_assert(memcmp(y.hidden, all.hidden, (size_t)y.n_hidden * sizeof *y.hidden) == 0);
  grad = (trb_head_grad){sizeof grad, NULL, 0, y.weight, width + 2, y.bias};
  ck_assert_int_eq(trb_head_reverse_kl(NULL, x.rows, &x.head[0], &x.head[1], NULL, NULL, &how, NULL, &grad, NULL),
                   TRB_OK);
  ck_assert(memcmp(y.weight, all.weight, (size_t)y.n_weight * sizeof *y.weight) == 0);
  ck_assert_int_eq(trb_head_reverse_kl(NULL, 0, &x.head[0], &x.head[1], NULL, NULL, &how, y.loss, NULL, NULL), TRB_OK);
  outcome_free(&all);
  outcome_free(&y);
  scene_free(&x);
}
END_TEST

/* ---- The blend ---- */

/* Loop test over the shapes: blends and draws of the logits, whatever the limit. */
START_TEST(test_solve) {
  const shape *c = &shapes[_i];
  scene x = scene_new(c, 0x4EB3 + (uint64_t)_i);
  matrix s = logits_of(&x, 0), t = logits_of(&x, 1);
  double budget[16];
  int64_t index[16];
  for (int r = 0; r < 16; r++) budget[r] = 0.01 * r, index[r] = 5 * r;
  const trb_sampler sampler = {sizeof sampler, 77, NULL, index, 9, 0, 0, 0, 2};
  trb_blend want[16], got[16];
  trb_draw drawn[16], draw[16];
  ck_assert_int_eq(trb_solve(NULL, &s.view, &t.view, budget, x.rows, NULL, want), TRB_OK);
  ck_assert_int_eq(trb_sample(NULL, &s.view, &t.view, want, &sampler, drawn), TRB_OK);
  for (int64_t bytes = 0; bytes < 40000; bytes += 13000) {
    const trb_head_options how = {sizeof how, product, bytes};
    ck_assert_int_eq(
        trb_head_solve(NULL, x.rows, &x.head[0], &x.head[1], budget, x.rows, NULL, &sampler, &how, got, draw), TRB_OK);
    for (int64_t r = 0; r < x.rows; r++) {
      if (c->soft_cap == 0.0f) {
        ck_assert(memcmp(&got[r], &want[r], sizeof want[r]) == 0);
        ck_assert(memcmp(&draw[r], &drawn[r], sizeof drawn[r]) == 0);
      }
      assert_near(got[r].kl_student, want[r].kl_student, 1e-4 * budget[r], "%s, row %d", c->name, (int)r);
    }
  }
  const trb_head_options how = {sizeof how, product, 0};
  const double zero = 0.0;
  ck_assert_int_eq(trb_head_solve(NULL, x.rows, &x.head[0], NULL, &zero, 1, NULL, NULL, &how, got, NULL), TRB_OK);
  for (int64_t r = 0; r < x.rows; r++) ck_assert(got[r].status == TRB_ROW_STUDENT && isnan(got[r].lse_teacher));
  x.hidden[1][0] = (float)NAN;
  ck_assert_int_eq(
      trb_head_solve(NULL, x.rows, &x.head[0], &x.head[1], budget, x.rows, NULL, &sampler, &how, got, draw), TRB_EROWS);
  ck_assert(got[0].status == TRB_ROW_NOT_A_NUMBER && draw[0].token == -1);
  matrix_free(&s);
  matrix_free(&t);
  scene_free(&x);
}
END_TEST

/* ---- Memory ---- */

/* Every allocation fails once; nothing was written and nothing is left. */
START_TEST(test_allocations) {
  scene x = scene_new(&shapes[3], 0x4EB4);
  counter count;
  const trb_context_options options = counted(&count, 1);
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_OK);
  const int64_t live = count.live;
  trb_blend blend[16];
  const trb_head_options how = {sizeof how, product, 1000};
  const double budget = 0.1;
  memset(blend, 0, sizeof blend);
  count.calls = 0;
  count.fail_at = 0;
  outcome y = run(ctx, &x, NULL, TRB_FORM_FULL, 1000);
  ck_assert_int_eq(y.status, TRB_ENOMEM);
  for (int64_t r = 0; r < x.rows; r++) ck_assert(y.loss[r] == 0.0 && y.weight[r] == START);
  count.calls = 0;
  ck_assert_int_eq(trb_head_solve(ctx, x.rows, &x.head[0], &x.head[1], &budget, 1, NULL, NULL, &how, blend, NULL),
                   TRB_ENOMEM);
  ck_assert(blend[0].beta == 0.0);
  count.fail_at = -1;
  ck_assert_int_eq(trb_head_solve(ctx, x.rows, &x.head[0], &x.head[1], &budget, 1, NULL, NULL, &how, blend, NULL),
                   TRB_OK);
  ck_assert_int_eq(count.live, live);
  outcome_free(&y);
  trb_context_free(ctx);
  scene_free(&x);
}
END_TEST

/* ---- Arguments ---- */

typedef struct args {
  scene x;
  int64_t rows;
  const trb_head *student, *teacher;
  trb_head_options how_of;
  const trb_head_options *how;
  trb_head_grad grad;
  trb_loss_options loss_options;
  double weight[16], budget[16], *loss;
  trb_blend blends[16], *blend;
  trb_sampler sampler;
  trb_draw draw[16];
  outcome y;
  bool no_teacher;
} args;

typedef struct spoiled {
  const char *what;
  void (*spoil)(args *a);
  const char *names;
} spoiled;

#define SPOIL(name, change)                                                                                            \
  static void name(args *a) {                                                                                          \
    change;                                                                                                            \
  }
SPOIL(rows_negative, a->rows = -1)
SPOIL(rows_huge, a->rows = INT64_C(1) << 31)
SPOIL(student_null, a->student = NULL)
SPOIL(teacher_null, a->no_teacher = true)
SPOIL(size_zero, a->x.head[0].size = 0)
SPOIL(vocab_zero, a->x.head[0].vocab = 0)
SPOIL(vocab_huge, a->x.head[1].vocab = INT64_C(1) << 31)
SPOIL(width_zero, a->x.head[1].width = 0)
SPOIL(hidden_stride, a->x.head[0].hidden_stride = 2)
SPOIL(weight_stride, a->x.head[0].weight_stride = 2)
SPOIL(no_hidden, a->x.head[0].hidden = NULL)
SPOIL(no_weight, a->x.head[1].weight = NULL)
SPOIL(odd_hidden, a->x.head[0].hidden = (const float *)(const void *)((const char *)a->x.head[0].hidden + 2))
SPOIL(dtype, a->x.head[1].dtype = 3)
SPOIL(scale_nan, a->x.head[0].scale = (float)NAN)
SPOIL(scale_infinite, a->x.head[0].scale = (float)INFINITY)
SPOIL(cap_negative, a->x.head[0].soft_cap = -1.0f)
SPOIL(temperature_nan, a->x.head[1].temperature = (float)NAN)
SPOIL(how_null, a->how = NULL)
SPOIL(how_size, a->how_of.size = 8)
SPOIL(no_sgemm, a->how_of.sgemm = NULL)
SPOIL(bytes_negative, a->how_of.logits_bytes = -1)
SPOIL(form_high, a->loss_options.form = 7)
SPOIL(weight_nan, a->weight[1] = (double)NAN)
SPOIL(grad_size, a->grad.size = 8)
SPOIL(grad_hidden_stride, a->grad.hidden_stride = 1)
SPOIL(grad_weight_stride, a->grad.weight_stride = 1)
SPOIL(grad_in_weight, a->grad.weight = (float *)(uintptr_t)a->x.head[0].weight)
SPOIL(loss_in_hidden, a->loss = (double *)(void *)(a->y.hidden + ((uintptr_t)a->y.hidden % 8 ? 1 : 0)))
SPOIL(no_output, a->loss = NULL; a->y.rows = NULL; a->grad.hidden = a->grad.weight = a->grad.bias = NULL)
SPOIL(budget_negative, a->budget[2] = -1.0)
SPOIL(top_p, a->sampler.top_p = 2.0)
SPOIL(blend_null, a->blend = NULL)
SPOIL(blend_in_weight, a->blend = (trb_blend *)(uintptr_t)a->x.head[0].weight)

static const spoiled of_both[] = {
    {"rows -1", rows_negative, "rows"},
    {"rows 2^31", rows_huge, "rows"},
    {"student NULL", student_null, "student"},
    {"teacher NULL", teacher_null, "teacher"},
    {"size 0", size_zero, "student"},
    {"vocab 0", vocab_zero, "student->vocab"},
    {"vocab 2^31", vocab_huge, "teacher->vocab"},
    {"width 0", width_zero, "teacher->width"},
    {"hidden_stride", hidden_stride, "student->hidden_stride"},
    {"weight_stride", weight_stride, "student->weight_stride"},
    {"hidden NULL", no_hidden, "student->hidden"},
    {"weight NULL", no_weight, "teacher->weight"},
    {"hidden at half a float", odd_hidden, "student"},
    {"dtype 3", dtype, "teacher->dtype"},
    {"scale NaN", scale_nan, "student->scale"},
    {"scale inf", scale_infinite, "student->scale"},
    {"soft_cap -1", cap_negative, "student->soft_cap"},
    {"temperature NaN", temperature_nan, "teacher->temperature"},
    {"how NULL", how_null, "how"},
    {"how size", how_size, "how->size"},
    {"sgemm NULL", no_sgemm, "how->sgemm"},
    {"logits_bytes -1", bytes_negative, "how->logits_bytes"},
};
static const spoiled of_loss[] = {
    {"form 7", form_high, "form"},
    {"weight NaN", weight_nan, "weight"},
    {"grad size", grad_size, "grad->size"},
    {"grad hidden_stride", grad_hidden_stride, "grad->hidden_stride"},
    {"grad weight_stride", grad_weight_stride, "grad->weight_stride"},
    {"grad inside the weights", grad_in_weight, "grad->weight"},
    {"loss inside the gradient", loss_in_hidden, "loss"},
    {"no output", no_output, "loss"},
};
static const spoiled of_solve[] = {
    {"budget -1", budget_negative, "budget"},
    {"top_p 2", top_p, "top_p"},
    {"blend NULL", blend_null, "blend"},
    {"blend inside the weights", blend_in_weight, "blend"},
};

static trb_status call_loss(trb_context *ctx, args *a) {
  return trb_head_reverse_kl(ctx, a->rows, a->student, a->teacher, a->weight, &a->loss_options, a->how, a->loss,
                             &a->grad, a->y.rows);
}

static trb_status call_solve(trb_context *ctx, args *a) {
  return trb_head_solve(ctx, a->rows, a->student, a->teacher, a->budget, a->rows > 0 && a->rows < 16 ? a->rows : 1,
                        NULL, &a->sampler, a->how, a->blend, a->draw);
}

static void check_spoiled(trb_status (*call)(trb_context *, args *), const spoiled *list, int n) {
  for (int i = 0; i < n; i++) {
    args *a = calloc(1, sizeof *a);
    if (!a) abort();
    a->x = scene_new(&shapes[1], 0x4EB5);
    a->y = outcome_new(&a->x);
    a->rows = a->x.rows;
    a->student = &a->x.head[0];
    a->teacher = &a->x.head[1];
    a->how_of = (trb_head_options){sizeof a->how_of, product, 0};
    a->how = &a->how_of;
    a->grad = (trb_head_grad){sizeof a->grad, a->y.hidden, 7, a->y.weight, 8, a->y.bias};
    a->loss_options.size = sizeof a->loss_options;
    a->loss = a->y.loss;
    a->blend = a->blends;
    a->sampler.size = sizeof a->sampler;
    for (int r = 0; r < 16; r++) a->weight[r] = 1.0, a->budget[r] = 0.1;
    trb_loss_row *rows = a->y.rows;
    list[i].spoil(a);
    if (a->no_teacher) a->teacher = NULL;
    trb_context *ctx = context_with(1, TRB_ISA_AUTO);
    products = 0;
    const trb_status status = call(ctx, a);
    ck_assert_msg(status == TRB_EINVAL, "%s: status %d", list[i].what, status);
    ck_assert_msg(strstr(trb_context_error(ctx), list[i].names) != NULL, "%s: \"%s\"", list[i].what,
                  trb_context_error(ctx));
    ck_assert_int_eq(products, 0);
    trb_context_free(ctx);
    a->y.rows = rows;
    outcome_free(&a->y);
    scene_free(&a->x);
    free(a);
  }
}

START_TEST(test_arguments) {
  check_spoiled(call_loss, of_both, sizeof of_both / sizeof of_both[0]);
  check_spoiled(call_solve, of_both, sizeof of_both / sizeof of_both[0]);
  check_spoiled(call_loss, of_loss, sizeof of_loss / sizeof of_loss[0]);
  check_spoiled(call_solve, of_solve, sizeof of_solve / sizeof of_solve[0]);
}
END_TEST

Suite *head_suite(void) {
  Suite *suite = suite_create("head");
  TCase *tc = long_case("head");
  tcase_add_loop_test(tc, test_against_logits, 0, SHAPES);
  tcase_add_loop_test(tc, test_central_differences, 0, SHAPES);
  tcase_add_loop_test(tc, test_chunks, 0, SHAPES);
  tcase_add_loop_test(tc, test_halves, 0, SHAPES);
  tcase_add_loop_test(tc, test_bad_rows, 0, SHAPES);
  tcase_add_test(tc, test_partial);
  tcase_add_loop_test(tc, test_solve, 0, SHAPES);
  tcase_add_test(tc, test_allocations);
  tcase_add_test(tc, test_arguments);
  suite_add_tcase(suite, tc);
  return suite;
}
