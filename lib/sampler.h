/* sampler.h - a caller's sampler: its fields and its random numbers. */
#ifndef TRBI_SAMPLER_H
#define TRBI_SAMPLER_H

#include "core.h"

/* A number of the generator has two halves: one for a draw, one for what becomes of a proposal. */
typedef enum trbi_half { TRBI_TO_DRAW, TRBI_TO_VERIFY } trbi_half;

/* A number in [0, 1) with 53 bits: half of the Philox 4x32-10 block of (stream, index, purpose) under the seed. */
double trbi_uniform(const trb_sampler *sampler, int64_t row, trbi_half half);

/* Reads and checks a caller's sampler, which may be NULL, for so many rows. */
trb_status trbi_read_sampler(trb_context *ctx, const char *name, const trb_sampler *given, int64_t rows,
                             trb_sampler *out);

/* Whether a filter is on, greedy among them. */
bool trbi_has_filter(const trb_sampler *sampler);

#endif
