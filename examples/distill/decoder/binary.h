/* binary.h - the numbers in binary files: little-endian on every machine. */
#ifndef DISTILL_BINARY_H
#define DISTILL_BINARY_H

#include <stdint.h>

/* Each moves *at behind what it read or wrote. */

uint32_t binary_get_u32(const unsigned char **at);
uint64_t binary_get_u64(const unsigned char **at);
void binary_get_floats(const unsigned char **at, float *out, int64_t n);

void binary_put_u32(unsigned char **at, uint32_t x);
void binary_put_u64(unsigned char **at, uint64_t x);
void binary_put_floats(unsigned char **at, const float *x, int64_t n);

/* The first of n numbers that is not finite, or n. */
int64_t binary_first_not_finite(const float *x, int64_t n);

#endif
