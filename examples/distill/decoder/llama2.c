/* llama2.c - checkpoints of llama2.c, version 0, to and from a decoder; the format stands in the header. */
#include "llama2.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binary.h"
#include "files.h"
#include "decoder_parts.h"

enum { WHY = 256, HEADER = 7 * 4 };

/* Of a valid shape this is below 2^53. */
static uint64_t file_size(const decoder_shape *s, const decoder_layout *at) {
  return HEADER + 4 * ((uint64_t)at->n + (uint64_t)s->context * (uint64_t)at->head_width);
}

/* ---- The order of the tensors ---- */

/* Called with each tensor's place in the weights and size. */
typedef void visit_fn(void *user, int64_t from, int64_t n);

/* The blocks' tensors, a kind at a time. */
static void visit_blocks(const decoder_layout *at, visit_fn *visit, void *user) {
  const int64_t dim = at->dim, kv = at->kv_width, ffn = at->hidden * dim;
  const struct {
    int64_t from, n;
  } kinds[] = {{at->attention_norm, dim},
               {at->qkv, dim * dim},
               {at->qkv + dim * dim, kv * dim},
               {at->qkv + dim * dim + kv * dim, kv * dim},
               {at->attention_out, dim * dim},
               {at->ffn_norm, dim},
               {at->up, ffn},
               {at->down, ffn},
               {at->up + ffn, ffn}};
  for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
    for (int64_t i = 0; i < at->layers; i++)
      visit(user, at->first_block + i * at->block + kinds[kind].from, kinds[kind].n);
  }
}

static void visit_before_angles(const decoder_layout *at, visit_fn *visit, void *user) {
  visit(user, at->embedding, at->first_block - at->embedding);
  visit_blocks(at, visit, user);
  visit(user, at->final_norm, at->dim);
}

static void visit_after_angles(const decoder_layout *at, visit_fn *visit, void *user) {
  if (at->head != at->embedding) visit(user, at->head, at->n - at->head);
}

/* ---- Loading ---- */

typedef struct source {
  const unsigned char *at;
  float *weights;
} source;

static void get(void *user, int64_t from, int64_t n) {
  source *s = user;
  binary_get_floats(&s->at, s->weights + from, n);
}

/* Checks all that can be known before the weights are read. */
static int get_shape(const unsigned char *data, size_t bytes, decoder_shape *shape, char *why) {
  if (bytes < HEADER) {
    snprintf(why, WHY, "length: expected at least %d bytes, got %zu", HEADER, bytes);
    return 0;
  }
  int32_t f[7];
  for (int i = 0; i < 7; i++) f[i] = (int32_t)binary_get_u32(&data);
  const int32_t vocab = f[5] < 0 && f[5] != INT32_MIN ? -f[5] : f[5];
  *shape = (decoder_shape){.vocab = vocab,
                           .context = f[6],
                           .layers = f[2],
                           .dim = f[0],
                           .heads = f[3],
                           .kv_heads = f[4],
                           .hidden = f[1],
                           .rotary = 1,
                           .gated = 1,
                           .tied = f[5] > 0};
  const char *wrong = decoder_check(shape);
  if (wrong) {
    snprintf(why, WHY,
             "header: %s, got {%" PRId32 ", %" PRId32 ", %" PRId32 ", %" PRId32 ", %" PRId32 ", %" PRId32 ", %" PRId32
             "}",
             wrong, f[0], f[1], f[2], f[3], f[4], f[5], f[6]);
    return 0;
  }
  const decoder_layout at = decoder_lay_out(shape);
  const uint64_t expected = file_size(shape, &at);
  if (bytes != expected) snprintf(why, WHY, "length: expected %" PRIu64 " bytes, got %zu", expected, bytes);
  return bytes == expected;
}

decoder *llama2_parse(const unsigned char *data, size_t bytes, char *why) {
  decoder_shape shape;
  if (!get_shape(data, bytes, &shape, why)) return NULL;
  decoder *d = decoder_new(&shape);
  if (!d) {
    snprintf(why, WHY, "no memory for %zu bytes", bytes);
    return NULL;
  }
  const decoder_layout at = decoder_lay_out(&shape);
  source s = {data + HEADER, d->weights};
  visit_before_angles(&at, get, &s);
  s.at += 4 * (int64_t)shape.context * at.head_width;
  visit_after_angles(&at, get, &s);
  const int64_t bad = binary_first_not_finite(d->weights, d->n);
  if (bad < d->n) {
    snprintf(why, WHY, "weights[%" PRId64 "]: expected a finite number, got %g", bad, (double)d->weights[bad]);
    decoder_free(d);
    return NULL;
  }
  return d;
}

decoder *llama2_load(const char *path, char *why) {
  size_t bytes;
  char what[WHY];
  unsigned char *data = file_read(path, &bytes, why);
  if (!data) return NULL;
  decoder *d = llama2_parse(data, bytes, what);
  if (!d) snprintf(why, WHY, "%.120s: %.130s", path, what);
  free(data);
  return d;
}

/* ---- Saving ---- */

typedef struct sink {
  unsigned char *at;
  const float *weights;
} sink;

static void put(void *user, int64_t from, int64_t n) {
  sink *s = user;
  binary_put_floats(&s->at, s->weights + from, n);
}

/* The cosines of all positions, then the sines. */
static void put_angles(unsigned char **at, const decoder_angles *angles, int64_t head_width) {
  for (int64_t part = 0; part < 2; part++) {
    for (int64_t i = part; i < angles->positions * head_width; i += 2) binary_put_floats(at, angles->table + i, 1);
  }
}

static void format(unsigned char *data, const decoder *d, const decoder_layout *at, const decoder_angles *angles) {
  const decoder_shape *s = &d->shape;
  const int32_t fields[] = {s->dim,    s->hidden, s->layers, s->heads, s->kv_heads, s->tied ? s->vocab : -s->vocab,
                            s->context};
  sink to = {data, d->weights};
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) binary_put_u32(&to.at, (uint32_t)fields[i]);
  visit_before_angles(at, put, &to);
  put_angles(&to.at, angles, at->head_width);
  visit_after_angles(at, put, &to);
}

int llama2_save(const char *path, const decoder *d, char *why) {
  if (!d->shape.rotary || !d->shape.gated) {
    snprintf(why, WHY, "%.120s: not written: expected a decoder with rotary positions and SwiGLU", path);
    return 0;
  }
  const decoder_layout at = decoder_lay_out(&d->shape);
  const uint64_t bytes = file_size(&d->shape, &at);
  decoder_angles angles = {NULL, 0};
  unsigned char *data = bytes <= SIZE_MAX ? malloc((size_t)bytes) : NULL;
  int done = data && decoder_angles_fit(&angles, at.head_width, d->shape.context);
  if (done) {
    format(data, d, &at, &angles);
    done = file_write(path, data, (size_t)bytes, why);
  } else {
    snprintf(why, WHY, "%.120s: not written: no memory for %" PRIu64 " bytes", path, bytes);
  }
  free(angles.table);
  free(data);
  return done;
}
