/* forward.c - logits of whole sequences, with everything that their gradient needs. */
#include <stdlib.h>

#include "tape.h"

decoder_tape *decoder_tape_new(const decoder *d) {
  decoder_tape *tape = calloc(1, sizeof *tape);
  decoder_acts *blocks = calloc((size_t)d->shape.layers, sizeof *blocks);
  if (!tape || !blocks) {
    free(tape);
    free(blocks);
    return NULL;
  }
  tape->at = decoder_lay_out(&d->shape);
  tape->blocks = blocks;
  return tape;
}

void decoder_tape_free(decoder_tape *tape) {
  if (!tape) return;
  decoder_batch_free(&tape->batch);
  free(tape->arena.memory);
  free(tape->angles.table);
  free(tape->blocks);
  free(tape);
}

static void take(decoder_tape *tape, decoder_arena *arena) {
  const decoder_layout *at = &tape->at;
  const decoder_batch *b = &tape->batch;
  for (int64_t i = 0; i < at->layers; i++) tape->blocks[i] = decoder_take_acts(arena, at, b, b->all_shares);
  tape->out = decoder_arena_take(arena, b->positions * at->dim);
  tape->head = decoder_take_head_acts(arena, at, b);

  decoder_grads *g = &tape->grads;
  g->out = decoder_arena_take(arena, b->positions * at->dim);
  g->branch = decoder_arena_take(arena, b->positions * at->dim);
  g->qkv = decoder_arena_take(arena, b->positions * at->qkv_width);
  g->inner = decoder_arena_take(arena, b->positions * at->hidden);
  g->up = decoder_arena_take(arena, b->positions * at->up_width);
  g->shares = decoder_arena_take(arena, b->longest * b->longest);
  g->head_in = decoder_arena_take(arena, b->rows * at->dim);
  g->head_normed = decoder_arena_take(arena, b->rows * at->dim);
}

int decoder_forward(const decoder *d, decoder_tape *tape, const trb_query *queries, int64_t n, float *logits) {
  const decoder_layout *at = &tape->at;
  decoder_arena count = {NULL, 0, 0};
  if (!decoder_batch_pack(&tape->batch, &d->shape, queries, n, 0)) return 0;
  if (n == 0) return 1;
  if (d->shape.rotary && !decoder_angles_fit(&tape->angles, at->head_width, tape->batch.longest)) return 0;
  take(tape, &count);
  if (!decoder_arena_fit(&tape->arena, count.used)) return 0;
  take(tape, &tape->arena);

  decoder_embed(d, at, &tape->batch, tape->blocks[0].in);
  for (int64_t i = 0; i < at->layers; i++) {
    float *out = i + 1 < at->layers ? tape->blocks[i + 1].in : tape->out;
    decoder_block(d, at, i, &tape->batch, &tape->angles, &tape->blocks[i], out);
  }
  decoder_logits(d, at, &tape->batch, tape->out, &tape->head, logits);
  return 1;
}
