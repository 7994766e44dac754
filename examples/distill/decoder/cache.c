/* cache.c - logits of what follows, with keys and values of what came before. */
#include <stdlib.h>

#include "decoder_parts.h"

/* Of one sequence. */
typedef struct shown {
  float *rows; /* [capacity, layers, 2 kv_width], the first `length` of them are valid */
  int64_t length, capacity;
} shown;

struct decoder_cache {
  decoder_layout at;
  decoder_batch batch;
  decoder_angles angles;
  decoder_arena arena;
  shown *sequences; /* [n] */
  int64_t n;
};

decoder_cache *decoder_cache_new(const decoder *d, int64_t sequences) {
  decoder_cache *cache = calloc(1, sizeof *cache);
  if (!cache) return NULL;
  cache->sequences = decoder_resize(NULL, sequences, sizeof *cache->sequences);
  if (!cache->sequences) {
    free(cache);
    return NULL;
  }
  for (int64_t i = 0; i < sequences; i++) cache->sequences[i] = (shown){NULL, 0, 0};
  cache->n = sequences;
  cache->at = decoder_lay_out(&d->shape);
  return cache;
}

void decoder_cache_free(decoder_cache *cache) {
  if (!cache) return;
  for (int64_t i = 0; i < cache->n; i++) free(cache->sequences[i].rows);
  free(cache->sequences);
  decoder_batch_free(&cache->batch);
  free(cache->arena.memory);
  free(cache->angles.table);
  free(cache);
}

/* Room for `length` positions, at least twice what there was, so that growing by single tokens copies little. */
static int fit(shown *s, int64_t length, int64_t width) {
  if (length <= s->capacity) return 1;
  const int64_t capacity = 2 * s->capacity > length ? 2 * s->capacity : length;
  float *rows = decoder_resize(s->rows, capacity * width, sizeof *rows);
  if (!rows) return 0;
  s->rows = rows;
  s->capacity = capacity;
  return 1;
}

/* Finds what is known of every sequence and makes room for the rest. */
static int prepare(decoder_cache *cache, const trb_query *queries, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const trb_query *q = &queries[i];
    if (q->sequence < 0 || q->sequence >= cache->n) return 0;
    shown *s = &cache->sequences[q->sequence];
    if (q->known > s->length || !fit(s, q->length, cache->at.layers * 2 * cache->at.kv_width)) return 0;
    cache->batch.pieces[i].cached = s->rows;
    cache->batch.pieces[i].shares = 0; /* one after the other in the same place */
  }
  return 1;
}

int decoder_extend(const decoder *d, decoder_cache *cache, const trb_query *queries, int64_t n, float *logits) {
  const decoder_layout *at = &cache->at;
  decoder_batch *b = &cache->batch;
  decoder_arena count = {NULL, 0, 0};
  if (!decoder_batch_pack(b, &d->shape, queries, n, 1) || !prepare(cache, queries, n)) return 0;
  if (n == 0) return 1;
  if (d->shape.rotary && !decoder_angles_fit(&cache->angles, at->head_width, b->longest)) return 0;
  decoder_take_acts(&count, at, b, b->most_shares);
  decoder_take_head_acts(&count, at, b);
  if (!decoder_arena_fit(&cache->arena, count.used)) return 0;
  const decoder_acts acts = decoder_take_acts(&cache->arena, at, b, b->most_shares);
  const decoder_head_acts head = decoder_take_head_acts(&cache->arena, at, b);

  decoder_embed(d, at, b, acts.in);
  for (int64_t i = 0; i < at->layers; i++) decoder_block(d, at, i, b, &cache->angles, &acts, acts.in);
  decoder_logits(d, at, b, acts.in, &head, logits);
  for (int64_t i = 0; i < n; i++) cache->sequences[queries[i].sequence].length = queries[i].length;
  return 1;
}
