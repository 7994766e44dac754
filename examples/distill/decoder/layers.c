/* layers.c - from tokens to logits: embedding, blocks, head. */
#include <math.h>
#include <string.h>

#include <cblas.h>

#include "activation.h"
#include "decoder_parts.h"

/* ---- Memory ---- */

decoder_acts decoder_take_acts(decoder_arena *arena, const decoder_layout *at, const decoder_batch *b, int64_t shares) {
  decoder_acts acts;
  acts.in = decoder_arena_take(arena, b->positions * at->dim);
  acts.attention_in = decoder_arena_take(arena, b->positions * at->dim);
  acts.attention_scale = decoder_arena_take(arena, b->positions);
  acts.qkv = decoder_arena_take(arena, b->positions * at->qkv_width);
  acts.shares = decoder_arena_take(arena, shares);
  acts.mixed = decoder_arena_take(arena, b->positions * at->dim);
  acts.middle = decoder_arena_take(arena, b->positions * at->dim);
  acts.ffn_in = decoder_arena_take(arena, b->positions * at->dim);
  acts.ffn_scale = decoder_arena_take(arena, b->positions);
  acts.up = decoder_arena_take(arena, b->positions * at->up_width);
  acts.inner = decoder_arena_take(arena, b->positions * at->hidden);
  return acts;
}

decoder_head_acts decoder_take_head_acts(decoder_arena *arena, const decoder_layout *at, const decoder_batch *b) {
  decoder_head_acts acts;
  acts.in = decoder_arena_take(arena, b->rows * at->dim);
  acts.normed = decoder_arena_take(arena, b->rows * at->dim);
  acts.scale = decoder_arena_take(arena, b->rows);
  return acts;
}

/* ---- Parts ---- */

/* y = x W^T + beta y */
static void linear(const float *x, int64_t rows, int64_t inputs, const float *w, int64_t outputs, float beta,
                   float *y) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)outputs, (int)inputs, 1.0f, x, (int)inputs, w,
              (int)inputs, beta, y, (int)outputs);
}

/* y = gain * scale * x with scale = 1 / sqrt(mean of x^2 + 1e-5), arXiv 1910.07467 */
static void norm(const float *x, const float *gain, int64_t rows, int64_t dim, float *restrict scale,
                 float *restrict y) {
  for (int64_t r = 0; r < rows; r++, x += dim, y += dim) {
    scale[r] = 1.0f / sqrtf(cblas_sdot((int)dim, x, 1, x, 1) / (float)dim + 1e-5f);
    for (int64_t i = 0; i < dim; i++) y[i] = gain[i] * (scale[r] * x[i]);
  }
}

/* Row i of [rows, length] sees the first `first` + i + 1 places, the others get 0. */
static void causal_softmax(float *x, int64_t rows, int64_t first, int64_t length) {
  for (int64_t visible = first + 1; visible <= first + rows; visible++, x += length) {
    float most = x[0], sum = 0.0f;
    for (int64_t i = 1; i < visible; i++) most = x[i] > most ? x[i] : most;
    for (int64_t i = 0; i < visible; i++) x[i] = activation_exp(x[i] - most);
    for (int64_t i = 0; i < visible; i++) sum += x[i];
    const float scale = 1.0f / sum;
    for (int64_t i = 0; i < visible; i++) x[i] *= scale;
    for (int64_t i = visible; i < length; i++) x[i] = 0.0f;
  }
}

/* ---- Attention ---- */

/* Puts the new keys and values of the piece behind those that are cached. */
static void keep(const decoder_layout *at, int64_t layer, const decoder_piece *p, const float *qkv) {
  const int64_t width = 2 * at->kv_width;
  for (int64_t i = p->first; i < p->length; i++) {
    const float *row = qkv + (p->at + i - p->first) * at->qkv_width;
    memcpy(p->cached + (i * at->layers + layer) * width, row + at->dim, (size_t)width * sizeof *row);
  }
}

/* shares [rows, length] = scale * q k^T and mixed [rows, width] = shares v, of one head. For the one row of a decoding
 * step the products with a vector take half the time of those with a matrix. */
static void score(const float *q, int q_stride, const float *k, int stride, int rows, int length, int width,
                  float *shares) {
  const float scale = 1.0f / sqrtf((float)width);
  if (rows == 1)
    cblas_sgemv(CblasRowMajor, CblasNoTrans, length, width, scale, k, stride, q, 1, 0.0f, shares, 1);
  else
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, length, width, scale, q, q_stride, k, stride, 0.0f,
                shares, length);
}

static void mix(const float *shares, const float *v, int stride, int rows, int length, int width, float *mixed,
                int mixed_stride) {
  if (rows == 1)
    cblas_sgemv(CblasRowMajor, CblasTrans, length, width, 1.0f, v, stride, shares, 1, 0.0f, mixed, 1);
  else
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, width, length, 1.0f, shares, length, v, stride, 0.0f,
                mixed, mixed_stride);
}

static void attend(const decoder_layout *at, int64_t layer, const decoder_piece *p, const decoder_acts *acts) {
  const float *qkv = acts->qkv + p->at * at->qkv_width;
  const float *keys = p->cached ? p->cached + layer * 2 * at->kv_width : qkv + at->dim;
  const int stride = (int)(p->cached ? at->layers * 2 * at->kv_width : at->qkv_width);
  const int rows = (int)(p->length - p->first), length = (int)p->length, width = (int)at->head_width;
  for (int64_t h = 0; h < at->heads; h++) {
    const float *k = keys + h / (at->heads / at->kv_heads) * width, *v = k + at->kv_width;
    float *shares = acts->shares + p->shares + h * rows * length;
    score(qkv + h * width, (int)at->qkv_width, k, stride, rows, length, width, shares);
    causal_softmax(shares, rows, p->first, length);
    mix(shares, v, stride, rows, length, width, acts->mixed + p->at * at->dim + h * width, (int)at->dim);
  }
}

/* ---- FFN ---- */

static void bend_gelu(int64_t n, float *restrict up, float *restrict inner) {
  for (int64_t i = 0; i < n; i++) {
    const activation a = activation_gelu(up[i]);
    inner[i] = a.value;
    up[i] = a.slope;
  }
}

/* inner = silu(gate) * up, arXiv 2002.05202 */
static void bend_swiglu(int64_t hidden, float *restrict gate, float *restrict up, float *restrict inner) {
  for (int64_t i = 0; i < hidden; i++) {
    const activation a = activation_silu(gate[i]);
    inner[i] = a.value * up[i];
    gate[i] = a.slope * up[i];
    up[i] = a.value;
  }
}

/* ---- All of it ---- */

void decoder_embed(const decoder *d, const decoder_layout *at, const decoder_batch *b, float *out) {
  const float *embedding = d->weights + at->embedding, *positions = d->weights + at->positions;
  for (const decoder_piece *p = b->pieces; p < b->pieces + b->n; p++) {
    for (int64_t i = p->first; i < p->length; i++) {
      const int64_t row = p->at + i - p->first;
      float *x = out + row * at->dim;
      memcpy(x, embedding + b->tokens[row] * at->dim, (size_t)at->dim * sizeof *x);
      if (d->shape.rotary) continue;
      for (int64_t k = 0; k < at->dim; k++) x[k] += positions[i * at->dim + k];
    }
  }
}

void decoder_block(const decoder *d, const decoder_layout *at, int64_t layer, const decoder_batch *b,
                   const decoder_angles *angles, const decoder_acts *acts, float *out) {
  const float *w = d->weights + at->first_block + layer * at->block;
  const int64_t n = b->positions;
  const size_t bytes = (size_t)(n * at->dim) * sizeof *out;
  norm(acts->in, w + at->attention_norm, n, at->dim, acts->attention_scale, acts->attention_in);
  linear(acts->attention_in, n, at->dim, w + at->qkv, at->qkv_width, 0.0f, acts->qkv);
  if (d->shape.rotary) decoder_rotate(at, b, angles, 1.0f, acts->qkv);
  for (const decoder_piece *p = b->pieces; p < b->pieces + b->n; p++) {
    if (p->cached) keep(at, layer, p, acts->qkv);
    attend(at, layer, p, acts);
  }
  memcpy(acts->middle, acts->in, bytes);
  linear(acts->mixed, n, at->dim, w + at->attention_out, at->dim, 1.0f, acts->middle);

  norm(acts->middle, w + at->ffn_norm, n, at->dim, acts->ffn_scale, acts->ffn_in);
  linear(acts->ffn_in, n, at->dim, w + at->up, at->up_width, 0.0f, acts->up);
  if (!d->shape.gated) bend_gelu(n * at->hidden, acts->up, acts->inner);
  for (int64_t r = 0; d->shape.gated && r < n; r++) {
    float *gate = acts->up + r * at->up_width;
    bend_swiglu(at->hidden, gate, gate + at->hidden, acts->inner + r * at->hidden);
  }
  memcpy(out, acts->middle, bytes);
  linear(acts->inner, n, at->hidden, w + at->down, at->dim, 1.0f, out);
}

void decoder_logits(const decoder *d, const decoder_layout *at, const decoder_batch *b, const float *x,
                    const decoder_head_acts *acts, float *logits) {
  float *in = acts->in;
  for (const decoder_piece *p = b->pieces; p < b->pieces + b->n; in += p->rows * at->dim, p++) {
    const float *last = x + (p->at + p->length - p->first - p->rows) * at->dim;
    memcpy(in, last, (size_t)(p->rows * at->dim) * sizeof *in);
  }
  norm(acts->in, d->weights + at->final_norm, b->rows, at->dim, acts->scale, acts->normed);
  linear(acts->normed, b->rows, at->dim, d->weights + at->head, d->shape.vocab, 0.0f, logits);
}
