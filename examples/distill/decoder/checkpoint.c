/* checkpoint.c - a model and its optimizer to and from a file; the format stands in the header. */
#include "checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "binary.h"
#include "files.h"
#include "decoder_parts.h"

enum { WHY = 256, VERSION = 1, HEADER = 8 + 8 + 8 + 40 + 4 + 8, TRAILER = 4 };
static const char MAGIC[7] = "trbdemo";

/* Of a valid shape n is below 2^50. */
static uint64_t file_size(int64_t n, int moments) {
  return HEADER + 4 * (uint64_t)n + (moments ? 8 + 8 * (uint64_t)n : 0) + TRAILER;
}

/* ---- Saving ---- */

static int check_finite(const char *what, const float *x, int64_t n, char *why) {
  const int64_t i = binary_first_not_finite(x, n);
  if (i < n) snprintf(why, WHY, "%s[%" PRId64 "]: expected a finite number, got %g", what, i, (double)x[i]);
  return i == n;
}

static void put_shape(unsigned char **at, const decoder_shape *s) {
  const int32_t fields[] = {s->vocab,    s->context, s->layers, s->dim,   s->heads,
                            s->kv_heads, s->hidden,  s->rotary, s->gated, s->tied};
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) binary_put_u32(at, (uint32_t)fields[i]);
}

static void format(unsigned char *data, size_t bytes, uint64_t identity, int64_t step, const decoder *d,
                   const adamw *a) {
  unsigned char *at = data;
  memcpy(at, MAGIC, sizeof MAGIC);
  at[sizeof MAGIC] = VERSION;
  at += sizeof MAGIC + 1;
  binary_put_u64(&at, identity);
  binary_put_u64(&at, (uint64_t)step);
  put_shape(&at, &d->shape);
  binary_put_u32(&at, a != NULL);
  binary_put_u64(&at, (uint64_t)d->n);
  binary_put_floats(&at, d->weights, d->n);
  if (a) {
    binary_put_u64(&at, (uint64_t)a->steps);
    binary_put_floats(&at, a->first, d->n);
    binary_put_floats(&at, a->second, d->n);
  }
  binary_put_u32(&at, (uint32_t)crc32_z(0, data, bytes - TRAILER));
}

int checkpoint_save(const char *path, uint64_t identity, int64_t step, const decoder *d, const adamw *a, char *why) {
  char what[WHY];
  if (!check_finite("weights", d->weights, d->n, what) ||
      (a && (!check_finite("first", a->first, d->n, what) || !check_finite("second", a->second, d->n, what)))) {
    snprintf(why, WHY, "%.120s: not written: %.110s", path, what);
    return 0;
  }
  const uint64_t bytes = file_size(d->n, a != NULL);
  unsigned char *data = bytes <= SIZE_MAX ? malloc((size_t)bytes) : NULL;
  if (!data) {
    snprintf(why, WHY, "%.120s: not written: no memory for %" PRIu64 " bytes", path, bytes);
    return 0;
  }
  format(data, (size_t)bytes, identity, step, d, a);
  const int done = file_write(path, data, (size_t)bytes, why);
  free(data);
  return done;
}

/* ---- Loading ---- */

typedef struct header {
  uint64_t identity;
  int64_t step, n;
  decoder_shape shape;
  uint32_t moments;
} header;

static void get_shape(const unsigned char **at, decoder_shape *s) {
  int32_t *const fields[] = {&s->vocab,    &s->context, &s->layers, &s->dim,   &s->heads,
                             &s->kv_heads, &s->hidden,  &s->rotary, &s->gated, &s->tied};
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) *fields[i] = (int32_t)binary_get_u32(at);
}

static int check_header(const header *h, size_t bytes, char *why) {
  const decoder_shape *s = &h->shape;
  const char *wrong = decoder_check(s);
  if (wrong) {
    snprintf(why, WHY,
             "shape: %s, got {%" PRId32 ", %" PRId32 ", %" PRId32 ", %" PRId32 ", %" PRId32 ", %" PRId32 ", %" PRId32
             ", %" PRId32 ", %" PRId32 ", %" PRId32 "}",
             wrong, s->vocab, s->context, s->layers, s->dim, s->heads, s->kv_heads, s->hidden, s->rotary, s->gated,
             s->tied);
    return 0;
  }
  const int64_t n = decoder_lay_out(s).n;
  if (h->n != n) {
    snprintf(why, WHY, "weights: expected %" PRId64 " for the shape, got %" PRId64, n, h->n);
  } else if (h->moments > 1) {
    snprintf(why, WHY, "moments: expected 0 or 1, got %" PRIu32, h->moments);
  } else if (h->step < 0) {
    snprintf(why, WHY, "step: expected at least 0, got %" PRId64, h->step);
  } else if (bytes != file_size(n, (int)h->moments)) {
    snprintf(why, WHY, "length: expected %" PRIu64 " bytes, got %zu", file_size(n, (int)h->moments), bytes);
  } else {
    return 1;
  }
  return 0;
}

/* Leaves `at` behind the header. Nothing in it is trusted before all of the file is known to be whole. */
static int get_header(const unsigned char **at, size_t bytes, header *h, char *why) {
  const unsigned char *data = *at;
  if (bytes < sizeof MAGIC + 1 || memcmp(data, MAGIC, sizeof MAGIC) != 0) {
    snprintf(why, WHY, "expected a checkpoint, which begins with \"%.*s\", got something else", (int)sizeof MAGIC,
             MAGIC);
    return 0;
  }
  if (data[sizeof MAGIC] != VERSION) {
    snprintf(why, WHY, "version: expected %d, got %d", VERSION, data[sizeof MAGIC]);
    return 0;
  }
  if (bytes < HEADER + TRAILER) {
    snprintf(why, WHY, "length: expected at least %d bytes, got %zu", HEADER + TRAILER, bytes);
    return 0;
  }
  *at += sizeof MAGIC + 1;
  h->identity = binary_get_u64(at);
  h->step = (int64_t)binary_get_u64(at);
  get_shape(at, &h->shape);
  h->moments = binary_get_u32(at);
  h->n = (int64_t)binary_get_u64(at);
  if (!check_header(h, bytes, why)) return 0;

  const unsigned char *end = data + bytes - TRAILER;
  const uint32_t crc = (uint32_t)crc32_z(0, data, bytes - TRAILER), written = binary_get_u32(&end);
  if (crc != written) snprintf(why, WHY, "CRC-32: expected %08" PRIx32 ", got %08" PRIx32, written, crc);
  return crc == written;
}

static int get_moments(const unsigned char **at, adamw *a, char *why) {
  a->steps = (int64_t)binary_get_u64(at);
  binary_get_floats(at, a->first, a->n);
  binary_get_floats(at, a->second, a->n);
  if (a->steps < 0) {
    snprintf(why, WHY, "updates: expected at least 0, got %" PRId64, a->steps);
    return 0;
  }
  if (!check_finite("first", a->first, a->n, why) || !check_finite("second", a->second, a->n, why)) return 0;
  for (int64_t i = 0; i < a->n; i++) {
    if (a->second[i] >= 0.0f) continue;
    snprintf(why, WHY, "second[%" PRId64 "]: expected at least 0, got %g", i, (double)a->second[i]);
    return 0;
  }
  return 1;
}

int checkpoint_parse(const unsigned char *data, size_t bytes, uint64_t identity, int64_t *step, decoder **d, adamw **a,
                     char *why) {
  header h;
  if (!get_header(&data, bytes, &h, why)) return 0;
  if (identity != 0 && h.identity != identity) {
    snprintf(why, WHY, "identity: expected %016" PRIx64 ", got %016" PRIx64, identity, h.identity);
    return 0;
  }
  if (a && !h.moments) {
    snprintf(why, WHY, "moments: expected some, got none");
    return 0;
  }
  decoder *model = decoder_new(&h.shape);
  adamw *optimizer = a && model ? adamw_new(h.n, 0.0, 0.0, 0.0) : NULL;
  int done = model && (!a || optimizer);
  if (!done) snprintf(why, WHY, "no memory for %" PRId64 " weights", h.n);
  if (done) {
    binary_get_floats(&data, model->weights, h.n);
    done = check_finite("weights", model->weights, h.n, why) && (!a || get_moments(&data, optimizer, why));
  }
  if (!done) {
    decoder_free(model);
    adamw_free(optimizer);
    return 0;
  }
  *step = h.step;
  *d = model;
  if (a) *a = optimizer;
  return 1;
}

int checkpoint_load(const char *path, uint64_t identity, int64_t *step, decoder **d, adamw **a, char *why) {
  size_t bytes;
  char what[WHY];
  unsigned char *data = file_read(path, &bytes, why);
  if (!data) return 0;
  const int done = checkpoint_parse(data, bytes, identity, step, d, a, what);
  if (!done) snprintf(why, WHY, "%.120s: %.130s", path, what);
  free(data);
  return done;
}
