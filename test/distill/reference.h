/* reference.h - a decoder in double precision, in plain loops straight from the formulas, to test the fast one against.
 */
#ifndef TEST_DISTILL_REFERENCE_H
#define TEST_DISTILL_REFERENCE_H

#include "decoder/decoder.h"
#include "random.h"

/* Logits [rows, vocab] of the last `rows` positions of a sequence. `weights` are those of a decoder, widened. */
void reference_logits(const decoder_shape *shape, const double *weights, const int64_t *tokens, int64_t length,
                      int64_t rows, double *logits);

/* The same of all queries, one after the other. */
void reference_batch(const decoder_shape *shape, const double *weights, const trb_query *queries, int64_t n,
                     double *logits);

/* ---- What several tests start from ---- */

/* Both families, every mixture of their choices, head widths from 1 to 16, shared and own keys. The first is the demo's
 * own model, the second a small Llama; the others are tiny. */
enum { REFERENCE_SHAPES = 8 };
extern const decoder_shape reference_shapes[REFERENCE_SHAPES];

/* Initialized, with norms that are not all 1. */
decoder *reference_decoder(const decoder_shape *shape, uint64_t seed);

/* Its weights, widened; free() them. */
double *reference_weights(const decoder *d);

void reference_tokens(const decoder_shape *shape, random_stream *r, int64_t *tokens, int64_t n);

int64_t reference_rows(const trb_query *queries, int64_t n);

/* The greatest absolute value, and the greatest difference between two. */
double reference_scale(const double *x, int64_t n);
double reference_distance(const float *x, const double *y, int64_t n);

/* malloc that ends the test when there is no memory. */
void *reference_memory(int64_t n, size_t size);

#endif
