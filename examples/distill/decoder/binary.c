/* binary.c - little-endian numbers. */
#include "binary.h"

#include <math.h>
#include <string.h>

uint32_t binary_get_u32(const unsigned char **at) {
  uint32_t x = 0;
  for (int i = 0; i < 4; i++) x |= (uint32_t)(*at)[i] << 8 * i;
  *at += 4;
  return x;
}

uint64_t binary_get_u64(const unsigned char **at) {
  const uint64_t low = binary_get_u32(at);
  return low | (uint64_t)binary_get_u32(at) << 32;
}

void binary_get_floats(const unsigned char **at, float *out, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = binary_get_u32(at);
    memcpy(&out[i], &bits, sizeof bits);
  }
}

void binary_put_u32(unsigned char **at, uint32_t x) {
  for (int i = 0; i < 4; i++) (*at)[i] = (unsigned char)(x >> 8 * i);
  *at += 4;
}

void binary_put_u64(unsigned char **at, uint64_t x) {
  binary_put_u32(at, (uint32_t)x);
  binary_put_u32(at, (uint32_t)(x >> 32));
}

void binary_put_floats(unsigned char **at, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, &x[i], sizeof bits);
    binary_put_u32(at, bits);
  }
}

int64_t binary_first_not_finite(const float *x, int64_t n) {
  int64_t i = 0;
  while (i < n && isfinite(x[i])) i++;
  return i;
}
