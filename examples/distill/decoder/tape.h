/* tape.h - what forward leaves for backward. */
#ifndef DISTILL_TAPE_H
#define DISTILL_TAPE_H

#include "decoder_parts.h"

/* Gradients with respect to activations, those of one block at a time. */
typedef struct decoder_grads {
  float *out;                   /* [P, dim] of what the block gives, and then of what it takes */
  float *branch;                /* [P, dim] of what enters or leaves attention or FFN */
  float *qkv;                   /* [P, qkv_width] */
  float *inner;                 /* [P, hidden] */
  float *up;                    /* [P, up_width] */
  float *shares;                /* [length, length] of one head */
  float *head_in, *head_normed; /* [R, dim] */
} decoder_grads;

struct decoder_tape {
  decoder_layout at;
  decoder_batch batch;
  decoder_angles angles;
  decoder_arena arena;
  decoder_acts *blocks; /* [layers] */
  float *out;           /* [P, dim] of the last block */
  decoder_head_acts head;
  decoder_grads grads;
};

#endif
