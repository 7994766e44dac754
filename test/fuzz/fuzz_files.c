/* fuzz_files.c - arbitrary bytes as model files: either they are refused with a text, or they give a model that works.
 *
 * The first byte chooses a format. A fuzzer does not find a CRC by itself, so one kind of input gets it made right. The
 * bytes stand in an allocation of exactly their size, so that a sanitizer sees what is read beyond. `make fuzz`
 * looks for inputs, `make check-fuzz` replays those of fuzz_files.txt. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "decoder/checkpoint.h"
#include "decoder/llama2.h"
#include "target.h"

enum { WHY = 256 };

/* A model is no larger than the file it came from, is valid, and answers. */
static void use(const decoder *d, size_t size) {
  REQUIRE(decoder_check(&d->shape) == NULL);
  REQUIRE((uint64_t)d->n <= size / 4);
  for (int64_t i = 0; i < d->n; i++) REQUIRE(isfinite(d->weights[i]));
  decoder_cache *cache = decoder_cache_new(d, 1);
  float *logits = malloc((size_t)d->shape.vocab * sizeof *logits);
  REQUIRE(cache && logits);
  const int64_t tokens[] = {0, d->shape.vocab - 1};
  const trb_query query = {.tokens = tokens, .length = d->shape.context < 2 ? 1 : 2, .rows = 1};
  REQUIRE(decoder_extend(d, cache, &query, 1, logits) == 1);
  free(logits);
  decoder_cache_free(cache);
}

static void fuzz_llama2(const uint8_t *data, size_t size) {
  char why[WHY] = "";
  decoder *d = llama2_parse(data, size, why);
  REQUIRE((d != NULL) == (why[0] == '\0'));
  if (d) use(d, size);
  decoder_free(d);
}

static void fuzz_checkpoint(const uint8_t *data, size_t size, int with_moments) {
  char why[WHY] = "";
  int64_t step = -1;
  decoder *d = NULL;
  adamw *a = NULL;
  const int done = checkpoint_parse(data, size, 0, &step, &d, with_moments ? &a : NULL, why);
  REQUIRE(done == (why[0] == '\0') && done == (d != NULL) && (done && with_moments) == (a != NULL));
  REQUIRE(done == (step >= 0));
  if (d) use(d, size);
  if (a) REQUIRE(a->n == d->n && a->steps >= 0);
  decoder_free(d);
  adamw_free(a);
}

static void sign(uint8_t *data, size_t size) {
  if (size < 4) return;
  const uint32_t crc = (uint32_t)crc32_z(0, data, size - 4);
  for (int i = 0; i < 4; i++) data[size - 4 + (size_t)i] = (uint8_t)(crc >> 8 * i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  const uint8_t kind = data[0] % 4;
  uint8_t *copy = malloc(size > 1 ? size - 1 : 1);
  REQUIRE(copy != NULL);
  memcpy(copy, data + 1, size - 1);
  if (kind >= 2) sign(copy, size - 1);
  if (kind == 0)
    fuzz_llama2(copy, size - 1);
  else
    fuzz_checkpoint(copy, size - 1, kind == 3);
  free(copy);
  return 0;
}
