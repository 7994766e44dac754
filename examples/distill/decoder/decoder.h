/* decoder.h - a decoder-only transformer that is small enough to train on a processor, with its gradient.
 *
 * Pre-norm blocks: x += attention(rmsnorm(x)); x += ffn(rmsnorm(x)); logits = head(rmsnorm(x)). Two families of choices
 * make it the demo's own model (learned positions, GELU) or a Llama (rotary positions, SwiGLU, grouped key-value heads,
 * tied head), whose public checkpoints llama2.c reads. All arithmetic is float; matrix products are OpenBLAS's. */
#ifndef DISTILL_DECODER_H
#define DISTILL_DECODER_H

#include <stdint.h>
#include <trb.h>

typedef struct decoder_shape {
  int32_t vocab, context;  /* tokens; longest sequence */
  int32_t layers, dim;     /* dim is a multiple of heads */
  int32_t heads, kv_heads; /* heads is a multiple of kv_heads */
  int32_t hidden;          /* width of the FFN */
  int32_t rotary;          /* 1: rotary positions; 0: learned ones */
  int32_t gated;           /* 1: SwiGLU without biases; 0: GELU without biases */
  int32_t tied;            /* 1: the head is the embedding */
} decoder_shape;

/* Weights in one array, so that an optimizer and a checkpoint need not know what they mean. Matrices are
 * [outputs, inputs], row by row. */
typedef struct decoder {
  decoder_shape shape;
  int64_t n; /* weights in all */
  float *weights;
} decoder;

/* NULL if there is no memory. The shape must be a valid one: decoder_check says what is wrong with it, or NULL. */
const char *decoder_check(const decoder_shape *shape);
decoder *decoder_new(const decoder_shape *shape);
void decoder_free(decoder *d);

/* Normal weights of variance 1/inputs, smaller at the ends of residual branches; norms 1. */
void decoder_init(decoder *d, uint64_t seed);

/* ---- Whole sequences, for training ---- */

/* Activations of one batch, which backward needs; grows as needed. */
typedef struct decoder_tape decoder_tape;
decoder_tape *decoder_tape_new(const decoder *d);
void decoder_tape_free(decoder_tape *tape);

/* Logits [sum of rows, vocab] of the last `rows` positions of each query. Of the queries only tokens, length and rows
 * are looked at. 0 if there is no memory, a sequence is too long, or a token is not of the vocabulary. */
int decoder_forward(const decoder *d, decoder_tape *tape, const trb_query *queries, int64_t n, float *logits);

/* Adds to grad [d->n] the gradient of sum grad_logits * logits of the forward just done, which returned 1. */
void decoder_backward(const decoder *d, decoder_tape *tape, const float *grad_logits, float *grad);

/* ---- One token after another, for sampling ---- */

/* Keys and values of the tokens that each of so many sequences was shown. */
typedef struct decoder_cache decoder_cache;
decoder_cache *decoder_cache_new(const decoder *d, int64_t sequences);
void decoder_cache_free(decoder_cache *cache);

/* The same logits from tokens[known] on, with the cache of query.sequence taken back to `known` tokens first. 0 also if
 * there is no such sequence, or it was shown fewer tokens; what was cached stays as it was then. */
int decoder_extend(const decoder *d, decoder_cache *cache, const trb_query *queries, int64_t n, float *logits);

#endif
