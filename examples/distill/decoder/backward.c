/* backward.c - the gradient of the weights: layers.c read from its end to its start. */
#include <math.h>
#include <string.h>

#include <cblas.h>

#include "tape.h"

/* ---- Parts ---- */

/* Of y = x W^T: adds dy^T x to dw, and sets dx = dy W. */
static void linear(const float *dy, int64_t rows, int64_t outputs, const float *x, const float *w, int64_t inputs,
                   float *dw, float *dx) {
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)outputs, (int)inputs, (int)rows, 1.0f, dy, (int)outputs, x,
              (int)inputs, 1.0f, dw, (int)inputs);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)inputs, (int)outputs, 1.0f, dy, (int)outputs,
              w, (int)inputs, 0.0f, dx, (int)inputs);
}

/* Of y = gain * scale * x: adds to dgain and dx. The scale's own derivative by x_i is -scale^3 x_i / dim. */
static void norm(const float *dy, const float *y, const float *x, const float *scale, const float *gain, int64_t rows,
                 int64_t dim, float *restrict dgain, float *restrict dx) {
  for (int64_t r = 0; r < rows; r++, dy += dim, y += dim, x += dim, dx += dim) {
    const float s = scale[r], along = s * s * cblas_sdot((int)dim, dy, 1, y, 1) / (float)dim;
    for (int64_t i = 0; i < dim; i++) {
      dgain[i] += dy[i] * (s * x[i]);
      dx[i] += gain[i] * dy[i] * s - along * x[i];
    }
  }
}

/* ---- Attention ---- */

/* Of the softmax of one head: ds_ij = share_ij (dshare_ij - sum_k dshare_ik share_ik), in place of dshare. */
static void softmax(const float *restrict shares, int64_t length, float *restrict dshares) {
  for (int64_t i = 0; i < length; i++, shares += length, dshares += length) {
    const float mean = cblas_sdot((int)length, shares, 1, dshares, 1);
    for (int64_t j = 0; j < length; j++) dshares[j] = shares[j] * (dshares[j] - mean);
  }
}

/* The heads that share keys and values follow each other; the first of them sets what the others add to. */
static void attend(const decoder_layout *at, const decoder_piece *p, const decoder_acts *acts, decoder_grads *g) {
  const float *qkv = acts->qkv + p->at * at->qkv_width;
  float *dqkv = g->qkv + p->at * at->qkv_width;
  const int n = (int)p->length, width = (int)at->head_width, stride = (int)at->qkv_width, dim = (int)at->dim;
  const int64_t group = at->heads / at->kv_heads;
  const float scale = 1.0f / sqrtf((float)width);
  for (int64_t h = 0; h < at->heads; h++) {
    const int64_t q = h * width, k = at->dim + h / group * width, v = k + at->kv_width;
    const float *shares = acts->shares + p->shares + h * n * n, *dmixed = g->branch + p->at * dim + q;
    const float others = h % group == 0 ? 0.0f : 1.0f;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, width, n, 1.0f, shares, n, dmixed, dim, others, dqkv + v,
                stride);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, width, 1.0f, dmixed, dim, qkv + v, stride, 0.0f,
                g->shares, n);
    softmax(shares, n, g->shares);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, width, n, scale, g->shares, n, qkv + k, stride, 0.0f,
                dqkv + q, stride);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, width, n, scale, g->shares, n, qkv + q, stride, others,
                dqkv + k, stride);
  }
}

/* ---- FFN ---- */

static void bend(const float *restrict slopes, const float *restrict dinner, int64_t n, float *restrict dup) {
  for (int64_t i = 0; i < n; i++) dup[i] = slopes[i] * dinner[i];
}

/* ---- All of it ---- */

static void block(const decoder *d, decoder_tape *tape, int64_t layer, float *grad) {
  const decoder_layout *at = &tape->at;
  const decoder_batch *b = &tape->batch;
  const decoder_acts *acts = &tape->blocks[layer];
  decoder_grads *g = &tape->grads;
  const float *w = d->weights + at->first_block + layer * at->block;
  float *dw = grad + at->first_block + layer * at->block;
  const int64_t n = b->positions, dim = at->dim;

  linear(g->out, n, dim, acts->inner, w + at->down, at->hidden, dw + at->down, g->inner);
  for (int64_t r = 0; r < n; r++) {
    for (int64_t from = 0; from < at->up_width; from += at->hidden)
      bend(acts->up + r * at->up_width + from, g->inner + r * at->hidden, at->hidden, g->up + r * at->up_width + from);
  }
  linear(g->up, n, at->up_width, acts->ffn_in, w + at->up, dim, dw + at->up, g->branch);
  norm(g->branch, acts->ffn_in, acts->middle, acts->ffn_scale, w + at->ffn_norm, n, dim, dw + at->ffn_norm, g->out);

  linear(g->out, n, dim, acts->mixed, w + at->attention_out, dim, dw + at->attention_out, g->branch);
  for (const decoder_piece *p = b->pieces; p < b->pieces + b->n; p++) attend(at, p, acts, g);
  if (d->shape.rotary) decoder_rotate(at, b, &tape->angles, -1.0f, g->qkv);
  linear(g->qkv, n, at->qkv_width, acts->attention_in, w + at->qkv, dim, dw + at->qkv, g->branch);
  norm(g->branch, acts->attention_in, acts->in, acts->attention_scale, w + at->attention_norm, n, dim,
       dw + at->attention_norm, g->out);
}

/* Sets the gradient of the last block's output: 0 at positions without logits. */
static void head(const decoder *d, decoder_tape *tape, const float *grad_logits, float *grad) {
  const decoder_layout *at = &tape->at;
  const decoder_batch *b = &tape->batch;
  decoder_grads *g = &tape->grads;
  memset(g->head_in, 0, (size_t)(b->rows * at->dim) * sizeof *g->head_in);
  linear(grad_logits, b->rows, d->shape.vocab, tape->head.normed, d->weights + at->head, at->dim, grad + at->head,
         g->head_normed);
  norm(g->head_normed, tape->head.normed, tape->head.in, tape->head.scale, d->weights + at->final_norm, b->rows,
       at->dim, grad + at->final_norm, g->head_in);

  const float *from = g->head_in;
  for (const decoder_piece *p = b->pieces; p < b->pieces + b->n; from += p->rows * at->dim, p++) {
    float *to = g->out + p->at * at->dim;
    const int64_t without = (p->length - p->rows) * at->dim, with = p->rows * at->dim;
    memset(to, 0, (size_t)without * sizeof *to);
    memcpy(to + without, from, (size_t)with * sizeof *to);
  }
}

static void embedding(const decoder *d, const decoder_tape *tape, float *grad) {
  const decoder_layout *at = &tape->at;
  const decoder_batch *b = &tape->batch;
  for (const decoder_piece *p = b->pieces; p < b->pieces + b->n; p++) {
    for (int64_t i = 0; i < p->length; i++) {
      const float *from = tape->grads.out + (p->at + i) * at->dim;
      float *token = grad + at->embedding + b->tokens[p->at + i] * at->dim;
      float *position = grad + at->positions + i * at->dim;
      for (int64_t k = 0; k < at->dim; k++) token[k] += from[k];
      for (int64_t k = 0; !d->shape.rotary && k < at->dim; k++) position[k] += from[k];
    }
  }
}

void decoder_backward(const decoder *d, decoder_tape *tape, const float *grad_logits, float *grad) {
  if (tape->batch.n == 0) return;
  head(d, tape, grad_logits, grad);
  for (int64_t layer = tape->at.layers - 1; layer >= 0; layer--) block(d, tape, layer, grad);
  embedding(d, tape, grad);
}
