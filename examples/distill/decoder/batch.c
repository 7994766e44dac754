/* batch.c - queries packed into one run of positions, and memory for what is computed of them. */
#include <stdlib.h>

#include "decoder_parts.h"

/* ---- Memory ---- */

void *decoder_resize(void *memory, int64_t n, size_t size) {
  return (uint64_t)n <= SIZE_MAX / size ? realloc(memory, (size_t)n * size) : NULL;
}

int decoder_arena_fit(decoder_arena *arena, int64_t floats) {
  arena->used = 0;
  if (floats <= arena->capacity) return 1;
  free(arena->memory); /* its contents are not wanted any more */
  arena->capacity = 0;
  arena->memory = decoder_resize(NULL, floats, sizeof *arena->memory);
  if (!arena->memory) return 0;
  arena->capacity = floats;
  return 1;
}

float *decoder_arena_take(decoder_arena *arena, int64_t n) {
  const int64_t start = arena->used;
  arena->used += (n + 15) / 16 * 16; /* whole cache lines */
  return arena->memory ? arena->memory + start : NULL;
}

/* ---- Batches ---- */

/* With these limits and those of decoder_check no sum or product of sizes overflows. */
static const int64_t MOST_POSITIONS = INT64_C(1) << 26, MOST_SHARES = INT64_C(1) << 48;

static int fit(decoder_batch *b, int64_t pieces, int64_t positions) {
  if (pieces > b->pieces_capacity) {
    decoder_piece *more = decoder_resize(b->pieces, pieces, sizeof *more);
    if (!more) return 0;
    b->pieces = more;
    b->pieces_capacity = pieces;
  }
  if (positions > b->tokens_capacity) {
    int64_t *more = decoder_resize(b->tokens, positions, sizeof *more);
    if (!more) return 0;
    b->tokens = more;
    b->tokens_capacity = positions;
  }
  return 1;
}

static int pack_piece(decoder_batch *b, const decoder_shape *shape, const trb_query *query, decoder_piece *piece) {
  for (int64_t i = piece->first; i < piece->length; i++) {
    if (query->tokens[i] < 0 || query->tokens[i] >= shape->vocab) return 0;
    b->tokens[piece->at + i - piece->first] = query->tokens[i];
  }
  const int64_t shares = shape->heads * (piece->length - piece->first) * piece->length;
  b->rows += piece->rows;
  b->all_shares += shares;
  if (shares > b->most_shares) b->most_shares = shares;
  if (piece->length > b->longest) b->longest = piece->length;
  return b->all_shares <= MOST_SHARES;
}

int decoder_batch_pack(decoder_batch *b, const decoder_shape *shape, const trb_query *queries, int64_t n,
                       int from_known) {
  int64_t positions = 0;
  for (int64_t i = 0; i < n; i++) {
    if (queries[i].length > shape->context) return 0;
    positions += queries[i].length - (from_known ? queries[i].known : 0);
    if (positions > MOST_POSITIONS) return 0;
  }
  if (!fit(b, n, positions)) return 0;
  b->n = n;
  b->positions = positions;
  b->rows = b->longest = b->all_shares = b->most_shares = 0;
  int64_t at = 0;
  for (int64_t i = 0; i < n; i++) {
    const trb_query *q = &queries[i];
    b->pieces[i] = (decoder_piece){
        .at = at, .first = from_known ? q->known : 0, .length = q->length, .rows = q->rows, .shares = b->all_shares};
    if (!pack_piece(b, shape, q, &b->pieces[i])) return 0;
    at += q->length - b->pieces[i].first;
  }
  return 1;
}

void decoder_batch_free(decoder_batch *b) {
  free(b->pieces);
  free(b->tokens);
}
