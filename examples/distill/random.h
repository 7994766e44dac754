/* random.h - random numbers that are a function of (seed, stream, index), so that nothing but those three has to be
 * kept to repeat or resume what used them. Philox 4x32-10 of Random123. */
#ifndef DISTILL_RANDOM_H
#define DISTILL_RANDOM_H

#include <stdint.h>

/* Each purpose takes a stream of its own; `index` counts up. */
typedef struct random_stream {
  uint64_t seed, stream, index;
} random_stream;

uint64_t random_bits(random_stream *r);
double random_uniform(random_stream *r);           /* in [0, 1) */
int64_t random_below(random_stream *r, int64_t n); /* in [0, n), n >= 1, every value equally likely */
double random_normal(random_stream *r);            /* mean 0, variance 1 */

/* A stream number made of two, such as a purpose and a step. */
uint64_t random_mix(uint64_t a, uint64_t b);

#endif
