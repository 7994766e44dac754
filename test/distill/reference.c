/* reference.c - the decoder's formulas in double precision, and what its tests start from. */
#include "reference.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void *reference_memory(int64_t n, size_t size) {
  void *memory = malloc((size_t)n * size + 1);
  ck_assert_ptr_nonnull(memory);
  return memory;
}

/* ---- Formulas ---- */

static const double *take(const double **weights, int64_t n) {
  const double *start = *weights;
  *weights += n;
  return start;
}

/* y = W x */
static void multiply(const double *w, const double *x, int64_t outputs, int64_t inputs, double *y) {
  for (int64_t i = 0; i < outputs; i++) {
    y[i] = 0.0;
    for (int64_t j = 0; j < inputs; j++) y[i] += w[i * inputs + j] * x[j];
  }
}

static void norm(const double *x, const double *gain, int64_t dim, double *y) {
  double squares = 0.0;
  for (int64_t i = 0; i < dim; i++) squares += x[i] * x[i];
  for (int64_t i = 0; i < dim; i++) y[i] = gain[i] * x[i] / sqrt(squares / (double)dim + 1e-5);
}

static void rotate(double *x, int64_t heads, int64_t width, int64_t position) {
  for (int64_t h = 0; h < heads; h++, x += width) {
    for (int64_t i = 0; 2 * i < width; i++) {
      const double angle = (double)position / pow(10000.0, 2.0 * (double)i / (double)width);
      const double a = x[2 * i], b = x[2 * i + 1];
      x[2 * i] = a * cos(angle) - b * sin(angle);
      x[2 * i + 1] = a * sin(angle) + b * cos(angle);
    }
  }
}

/* What position i takes from positions 0 to i. q, k and v are [length, dim], [length, kv], [length, kv]. */
static void attend(const decoder_shape *s, const double *q, const double *k, const double *v, int64_t i, double *out) {
  const int64_t width = s->dim / s->heads, kv = s->kv_heads * width;
  double *share = reference_memory(i + 1, sizeof *share);
  for (int64_t h = 0; h < s->heads; h++) {
    const int64_t from = h / (s->heads / s->kv_heads) * width;
    double most = -INFINITY, sum = 0.0;
    for (int64_t j = 0; j <= i; j++) {
      share[j] = 0.0;
      for (int64_t c = 0; c < width; c++) share[j] += q[i * s->dim + h * width + c] * k[j * kv + from + c];
      share[j] /= sqrt((double)width);
      most = fmax(most, share[j]);
    }
    for (int64_t j = 0; j <= i; j++) {
      share[j] = exp(share[j] - most);
      sum += share[j];
    }
    for (int64_t c = 0; c < width; c++) {
      out[h * width + c] = 0.0;
      for (int64_t j = 0; j <= i; j++) out[h * width + c] += share[j] / sum * v[j * kv + from + c];
    }
  }
  free(share);
}

static double gelu(double x) {
  return 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

static void add(double *x, const double *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) x[i] += y[i];
}

static void attention(const decoder_shape *s, const double **weights, double *x, int64_t length) {
  const int64_t dim = s->dim, kv = s->kv_heads * (dim / s->heads);
  const double *gain = take(weights, dim), *wq = take(weights, dim * dim), *wk = take(weights, kv * dim),
               *wv = take(weights, kv * dim), *wo = take(weights, dim * dim);
  double *q = reference_memory(length * dim, sizeof *q), *k = reference_memory(length * kv, sizeof *k),
         *v = reference_memory(length * kv, sizeof *v), *y = reference_memory(2 * dim, sizeof *y);
  for (int64_t i = 0; i < length; i++) {
    norm(x + i * dim, gain, dim, y);
    multiply(wq, y, dim, dim, q + i * dim);
    multiply(wk, y, kv, dim, k + i * kv);
    multiply(wv, y, kv, dim, v + i * kv);
    if (!s->rotary) continue;
    rotate(q + i * dim, s->heads, dim / s->heads, i);
    rotate(k + i * kv, s->kv_heads, dim / s->heads, i);
  }
  for (int64_t i = 0; i < length; i++) {
    attend(s, q, k, v, i, y);
    multiply(wo, y, dim, dim, y + dim);
    add(x + i * dim, y + dim, dim);
  }
  free(q);
  free(k);
  free(v);
  free(y);
}

static void ffn(const decoder_shape *s, const double **weights, double *x, int64_t length) {
  const int64_t dim = s->dim, hidden = s->hidden;
  const double *gain = take(weights, dim), *gate = s->gated ? take(weights, hidden * dim) : NULL,
               *up = take(weights, hidden * dim), *down = take(weights, dim * hidden);
  double *y = reference_memory(dim, sizeof *y), *inner = reference_memory(2 * hidden, sizeof *inner);
  for (int64_t i = 0; i < length; i++) {
    norm(x + i * dim, gain, dim, y);
    multiply(up, y, hidden, dim, inner);
    if (s->gated) multiply(gate, y, hidden, dim, inner + hidden);
    for (int64_t c = 0; c < hidden; c++) {
      if (s->gated)
        inner[c] *= inner[hidden + c] / (1.0 + exp(-inner[hidden + c]));
      else
        inner[c] = gelu(inner[c]);
    }
    multiply(down, inner, dim, hidden, y);
    add(x + i * dim, y, dim);
  }
  free(y);
  free(inner);
}

void reference_logits(const decoder_shape *s, const double *weights, const int64_t *tokens, int64_t length,
                      int64_t rows, double *logits) {
  const double *embedding = take(&weights, (int64_t)s->vocab * s->dim);
  const double *positions = s->rotary ? NULL : take(&weights, (int64_t)s->context * s->dim);
  double *x = reference_memory(length * s->dim, sizeof *x);
  for (int64_t i = 0; i < length; i++) {
    memcpy(x + i * s->dim, embedding + tokens[i] * s->dim, (size_t)s->dim * sizeof *x);
    if (positions) add(x + i * s->dim, positions + i * s->dim, s->dim);
  }
  for (int layer = 0; layer < s->layers; layer++) {
    attention(s, &weights, x, length);
    ffn(s, &weights, x, length);
  }
  const double *gain = take(&weights, s->dim), *head = s->tied ? embedding : weights;
  double *y = reference_memory(s->dim, sizeof *y);
  for (int64_t i = length - rows; i < length; i++, logits += s->vocab) {
    norm(x + i * s->dim, gain, s->dim, y);
    multiply(head, y, s->vocab, s->dim, logits);
  }
  free(x);
  free(y);
}

void reference_batch(const decoder_shape *s, const double *weights, const trb_query *queries, int64_t n,
                     double *logits) {
  for (int64_t i = 0; i < n; i++) {
    reference_logits(s, weights, queries[i].tokens, queries[i].length, queries[i].rows, logits);
    logits += queries[i].rows * s->vocab;
  }
}

/* ---- What tests start from ---- */

const decoder_shape reference_shapes[REFERENCE_SHAPES] = {
    /* vocab, context, layers, dim, heads, kv_heads, hidden, rotary, gated, tied */
    {20, 40, 2, 64, 4, 4, 256, 0, 0, 0}, {70, 48, 3, 48, 6, 3, 40, 1, 1, 1}, {5, 7, 2, 6, 2, 2, 7, 0, 0, 0},
    {6, 9, 2, 8, 4, 2, 5, 1, 1, 1},      {4, 6, 1, 6, 3, 1, 5, 1, 0, 0},     {7, 8, 2, 6, 2, 1, 3, 0, 1, 1},
    {3, 9, 1, 5, 5, 1, 4, 0, 1, 0},      {1, 5, 3, 4, 1, 1, 1, 1, 0, 1},
};

/* Norms are the only weights that are exactly 1. */
decoder *reference_decoder(const decoder_shape *shape, uint64_t seed) {
  decoder *d = decoder_new(shape);
  ck_assert_ptr_nonnull(d);
  decoder_init(d, seed);
  random_stream r = {seed, 1, 0};
  for (int64_t i = 0; i < d->n; i++) {
    if (d->weights[i] == 1.0f) d->weights[i] = (float)(0.5 + random_uniform(&r));
  }
  return d;
}

double *reference_weights(const decoder *d) {
  double *wide = reference_memory(d->n, sizeof *wide);
  for (int64_t i = 0; i < d->n; i++) wide[i] = d->weights[i];
  return wide;
}

void reference_tokens(const decoder_shape *shape, random_stream *r, int64_t *tokens, int64_t n) {
  for (int64_t i = 0; i < n; i++) tokens[i] = random_below(r, shape->vocab);
}

int64_t reference_rows(const trb_query *queries, int64_t n) {
  int64_t rows = 0;
  for (int64_t i = 0; i < n; i++) rows += queries[i].rows;
  return rows;
}

double reference_scale(const double *x, int64_t n) {
  double most = 0.0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
  return most;
}

/* INFINITY if one is not a number. */
double reference_distance(const float *x, const double *y, int64_t n) {
  double most = 0.0;
  for (int64_t i = 0; i < n; i++) {
    const double distance = fabs(x[i] - y[i]);
    most = distance >= 0.0 ? fmax(most, distance) : INFINITY;
  }
  return most;
}
