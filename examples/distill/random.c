/* random.c - Philox 4x32-10 (Salmon et al., SC 2011). */
#include "random.h"

#include <math.h>

#include <Random123/philox.h>

uint64_t random_bits(random_stream *r) {
  const philox4x32_ctr_t counter = {
      {(uint32_t)r->stream, (uint32_t)(r->stream >> 32), (uint32_t)r->index, (uint32_t)(r->index >> 32)}};
  const philox4x32_key_t key = {{(uint32_t)r->seed, (uint32_t)(r->seed >> 32)}};
  const philox4x32_ctr_t block = philox4x32_R(10, counter, key);
  r->index++;
  return (uint64_t)block.v[0] << 32 | block.v[1];
}

double random_uniform(random_stream *r) {
  return (double)(random_bits(r) >> 11) * 0x1p-53;
}

/* Values beyond the last multiple of n would make the first ones likelier. */
int64_t random_below(random_stream *r, int64_t n) {
  const uint64_t most = UINT64_MAX - UINT64_MAX % (uint64_t)n;
  uint64_t x = random_bits(r);
  while (x >= most) x = random_bits(r);
  return (int64_t)(x % (uint64_t)n);
}

/* Box and Muller. */
double random_normal(random_stream *r) {
  const double radius = sqrt(-2.0 * log1p(-random_uniform(r)));
  return radius * cos(6.283185307179586 * random_uniform(r));
}

uint64_t random_mix(uint64_t a, uint64_t b) {
  random_stream r = {a, b, 0};
  return random_bits(&r);
}
