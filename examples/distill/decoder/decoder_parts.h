/* decoder_parts.h - what the files of the decoder share. P is the number of positions of a batch: all tokens of all
 * queries that are computed, one behind the other. R is the number of rows of logits. */
#ifndef DISTILL_DECODER_PARTS_H
#define DISTILL_DECODER_PARTS_H

#include <stddef.h>

#include "decoder.h"

/* ---- Weights (decoder.c) ---- */

/* Widths, and where each tensor starts in the weights. The tensors follow each other in the order of the fields: the
 * embedding, learned positions, `layers` blocks, the final norm, and the head if it is not the embedding. */
typedef struct decoder_layout {
  int64_t layers, dim, hidden, heads, kv_heads;
  int64_t head_width; /* dim / heads */
  int64_t kv_width;   /* kv_heads * head_width */
  int64_t qkv_width;  /* dim + 2 kv_width: a row holds all queries, then all keys, then all values */
  int64_t up_width;   /* hidden; gated 2 hidden: gates, then what they let through */

  int64_t embedding;   /* [vocab, dim] */
  int64_t positions;   /* [context, dim]; nothing if rotary */
  int64_t first_block; /* block i starts at first_block + i * block */
  int64_t final_norm;  /* [dim] */
  int64_t head;        /* [vocab, dim]; where the embedding is if tied */
  int64_t n;           /* weights in all */

  /* Within a block, from its start. */
  int64_t attention_norm; /* [dim] */
  int64_t qkv;            /* [qkv_width, dim] */
  int64_t attention_out;  /* [dim, dim] */
  int64_t ffn_norm;       /* [dim] */
  int64_t up;             /* [up_width, dim] */
  int64_t down;           /* [dim, hidden] */
  int64_t block;          /* weights of one block */
} decoder_layout;

decoder_layout decoder_lay_out(const decoder_shape *shape);

/* ---- Memory and batches (batch.c) ---- */

/* realloc for n elements. NULL if there is no memory. */
void *decoder_resize(void *memory, int64_t n, size_t size);

/* Floats that live as long as a batch. */
typedef struct decoder_arena {
  float *memory;
  int64_t capacity, used;
} decoder_arena;

/* Forgets what was taken and makes room for `floats`. 0 if there is no memory. */
int decoder_arena_fit(decoder_arena *arena, int64_t floats);

/* The next n floats. Without memory it only counts in `used`. */
float *decoder_arena_take(decoder_arena *arena, int64_t n);

/* What is computed of one sequence: the positions from `first` on. */
typedef struct decoder_piece {
  int64_t at;     /* its first of the P positions */
  int64_t first;  /* its place in the sequence */
  int64_t length; /* of the whole sequence */
  int64_t rows;   /* of logits: the last ones */
  int64_t shares; /* where its attention starts in decoder_acts.shares: [heads, length - first, length] */
  float *cached;  /* keys and values [length, layers, 2 kv_width], of which the first `first` are there; NULL if first
                     is 0 and nothing is kept */
} decoder_piece;

typedef struct decoder_batch {
  decoder_piece *pieces;
  int64_t *tokens; /* [P] */
  int64_t n;       /* pieces */
  int64_t positions, rows;
  int64_t longest;     /* length of a sequence */
  int64_t all_shares;  /* the sum over pieces of heads * (length - first) * length */
  int64_t most_shares; /* the greatest of these */
  int64_t pieces_capacity, tokens_capacity;
} decoder_batch;

/* Packs the queries from token `known` on, or from the first on. 0 if there is no memory, a sequence is longer than the
 * context, a token is not of the vocabulary, or the batch is beyond what a matrix product can take. */
int decoder_batch_pack(decoder_batch *batch, const decoder_shape *shape, const trb_query *queries, int64_t n,
                       int from_known);
void decoder_batch_free(decoder_batch *batch);

/* ---- Rotary positions (rotary.c; arXiv 2104.09864) ---- */

/* Cosine and sine of every angle, for positions from 0 on: [positions, head_width / 2, 2]. */
typedef struct decoder_angles {
  float *table;
  int64_t positions;
} decoder_angles;

/* Makes the table reach so many positions. 0 if there is no memory. */
int decoder_angles_fit(decoder_angles *angles, int64_t head_width, int64_t positions);

/* Turns queries and keys [P, qkv_width] by their angles, backward if `sign` is -1. */
void decoder_rotate(const decoder_layout *at, const decoder_batch *batch, const decoder_angles *angles, float sign,
                    float *qkv);

/* ---- Forward (layers.c) ---- */

/* Activations of one block. */
typedef struct decoder_acts {
  float *in;              /* [P, dim] */
  float *attention_in;    /* [P, dim] after the norm */
  float *attention_scale; /* [P] what the norm multiplied by */
  float *qkv;             /* [P, qkv_width] after the rotation */
  float *shares;          /* attention weights, see decoder_piece */
  float *mixed;           /* [P, dim] values mixed by them */
  float *middle;          /* [P, dim] between attention and FFN */
  float *ffn_in;          /* [P, dim] after the norm */
  float *ffn_scale;       /* [P] */
  float *up;              /* [P, up_width] derivatives of `inner` by what went into the activation */
  float *inner;           /* [P, hidden] */
} decoder_acts;

/* Of the head. */
typedef struct decoder_head_acts {
  float *in;     /* [R, dim] of the positions that have logits */
  float *normed; /* [R, dim] */
  float *scale;  /* [R] */
} decoder_head_acts;

decoder_acts decoder_take_acts(decoder_arena *arena, const decoder_layout *at, const decoder_batch *batch,
                               int64_t shares);
decoder_head_acts decoder_take_head_acts(decoder_arena *arena, const decoder_layout *at, const decoder_batch *batch);

void decoder_embed(const decoder *d, const decoder_layout *at, const decoder_batch *batch, float *out);

/* `out` [P, dim] may be acts->in. */
void decoder_block(const decoder *d, const decoder_layout *at, int64_t layer, const decoder_batch *batch,
                   const decoder_angles *angles, const decoder_acts *acts, float *out);

/* x [P, dim] to logits [R, vocab]. */
void decoder_logits(const decoder *d, const decoder_layout *at, const decoder_batch *batch, const float *x,
                    const decoder_head_acts *acts, float *logits);

#endif
