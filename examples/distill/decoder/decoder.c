/* decoder.c - shape, memory and first values of a decoder's weights. */
#include <math.h>
#include <stdlib.h>

#include "decoder_parts.h"
#include "random.h"

/* With these limits the number of weights is below 2^50, and no product of sizes overflows. */
const char *decoder_check(const decoder_shape *s) {
  if (s->vocab < 1 || s->vocab > 1 << 20) return "vocab: expected 1 to 1048576";
  if (s->context < 1 || s->context > 1 << 20) return "context: expected 1 to 1048576";
  if (s->layers < 1 || s->layers > 1 << 10) return "layers: expected 1 to 1024";
  if (s->dim < 1 || s->dim > 1 << 16) return "dim: expected 1 to 65536";
  if (s->heads < 1 || s->dim % s->heads != 0) return "heads: expected a divisor of dim";
  if (s->kv_heads < 1 || s->heads % s->kv_heads != 0) return "kv_heads: expected a divisor of heads";
  if (s->hidden < 1 || s->hidden > 1 << 20) return "hidden: expected 1 to 1048576";
  if (s->rotary != 0 && s->rotary != 1) return "rotary: expected 0 or 1";
  if (s->gated != 0 && s->gated != 1) return "gated: expected 0 or 1";
  if (s->tied != 0 && s->tied != 1) return "tied: expected 0 or 1";
  if (s->rotary && s->dim / s->heads % 2 != 0) return "dim: expected an even number for each head, to be rotated";
  return NULL;
}

static int64_t place(int64_t *end, int64_t size) {
  const int64_t start = *end;
  *end += size;
  return start;
}

decoder_layout decoder_lay_out(const decoder_shape *s) {
  decoder_layout at = {.layers = s->layers,
                       .dim = s->dim,
                       .hidden = s->hidden,
                       .heads = s->heads,
                       .kv_heads = s->kv_heads,
                       .head_width = s->dim / s->heads};
  at.kv_width = at.kv_heads * at.head_width;
  at.qkv_width = at.dim + 2 * at.kv_width;
  at.up_width = s->gated ? 2 * at.hidden : at.hidden;

  at.attention_norm = place(&at.block, at.dim);
  at.qkv = place(&at.block, at.qkv_width * at.dim);
  at.attention_out = place(&at.block, at.dim * at.dim);
  at.ffn_norm = place(&at.block, at.dim);
  at.up = place(&at.block, at.up_width * at.dim);
  at.down = place(&at.block, at.dim * at.hidden);

  at.embedding = place(&at.n, s->vocab * at.dim);
  at.positions = place(&at.n, s->rotary ? 0 : s->context * at.dim);
  at.first_block = place(&at.n, at.layers * at.block);
  at.final_norm = place(&at.n, at.dim);
  at.head = s->tied ? at.embedding : place(&at.n, s->vocab * at.dim);
  return at;
}

decoder *decoder_new(const decoder_shape *shape) {
  const int64_t n = decoder_lay_out(shape).n;
  decoder *d = (uint64_t)n <= SIZE_MAX / sizeof(float) ? malloc(sizeof *d) : NULL;
  if (!d) return NULL;
  *d = (decoder){*shape, n, calloc((size_t)n, sizeof(float))};
  if (!d->weights) {
    free(d);
    return NULL;
  }
  return d;
}

void decoder_free(decoder *d) {
  if (!d) return;
  free(d->weights);
  free(d);
}

/* ---- First values ---- */

enum { STREAM_INIT = 0x696e6974 };

static void fill_normal(float *w, int64_t n, double deviation, random_stream *r) {
  for (int64_t i = 0; i < n; i++) w[i] = (float)(deviation * random_normal(r));
}

static void fill_one(float *w, int64_t n) {
  for (int64_t i = 0; i < n; i++) w[i] = 1.0f;
}

/* There are two branches in a block: what all of them add has the variance that one would have. */
void decoder_init(decoder *d, uint64_t seed) {
  const decoder_layout at = decoder_lay_out(&d->shape);
  random_stream r = {seed, STREAM_INIT, 0};
  const double from_dim = 1.0 / sqrt((double)at.dim), from_hidden = 1.0 / sqrt((double)at.hidden);
  const double branch = 1.0 / sqrt(2.0 * (double)at.layers);
  fill_normal(d->weights + at.embedding, at.first_block - at.embedding, from_dim, &r);
  for (int64_t layer = 0; layer < at.layers; layer++) {
    float *w = d->weights + at.first_block + layer * at.block;
    fill_one(w + at.attention_norm, at.dim);
    fill_normal(w + at.qkv, at.qkv_width * at.dim, from_dim, &r);
    fill_normal(w + at.attention_out, at.dim * at.dim, from_dim * branch, &r);
    fill_one(w + at.ffn_norm, at.dim);
    fill_normal(w + at.up, at.up_width * at.dim, from_dim, &r);
    fill_normal(w + at.down, at.dim * at.hidden, from_hidden * branch, &r);
  }
  fill_one(d->weights + at.final_norm, at.dim);
  if (!d->shape.tied) fill_normal(d->weights + at.head, at.n - at.head, from_dim, &r);
}
