/* floors_row.h - the floors in vectors of any width. An instruction set defines VECTOR (bytes) and, where it can do
 * better than what stands here, MAX, FUSED (a*b + c) and PUT (a store around the caches), and includes this file. */
#include <math.h>
#include <string.h>

#include "floors.h"

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(VECTOR), may_alias));
typedef int32_t ivec __attribute__((vector_size(VECTOR), may_alias));
typedef float loose __attribute__((vector_size(VECTOR), may_alias, aligned(4)));

#ifndef MAX
#define MAX            either
#define FUSED(a, b, c) ((a) * (b) + (c))
#define PUT(to, value) (*(loose *)(to) = (value))
INLINE vec either(vec a, vec b) {
  const ivec first = a > b;
  return (vec)(((ivec)a & first) | ((ivec)b & ~first));
}
#endif

/* WAYS independent chains hide the latency of an operation. */
enum { LANES = VECTOR / 4, WAYS = VECTOR == 16 ? 4 : 64 / LANES, AHEAD = 8192 };

INLINE vec splat(float x) {
  return (vec){0} + x;
}

INLINE vec load(const float *x) {
  return *(const loose *)x;
}

INLINE float largest(vec x) {
  float top = x[0];
  for (int l = 1; l < LANES; l++) top = x[l] > top ? x[l] : top;
  return top;
}

INLINE float total(vec x) {
  float sum = 0.0f;
  for (int l = 0; l < LANES; l++) sum += x[l];
  return sum;
}

INLINE float top_of(const float *x, int64_t n, int ahead) {
  vec top[WAYS];
  for (int k = 0; k < WAYS; k++) top[k] = splat(-INFINITY);
  for (int64_t i = 0; i < n; i += WAYS * LANES) {
    if (ahead)
      for (int line = 0; line < WAYS * VECTOR; line += 64) __builtin_prefetch((const char *)(x + i) + line + AHEAD);
    for (int k = 0; k < WAYS; k++) top[k] = MAX(load(x + i + k * LANES), top[k]);
  }
  for (int k = 1; k < WAYS; k++) top[0] = MAX(top[k], top[0]);
  return largest(top[0]);
}

/* 2^y for y <= 0 within a unit of the last place, 0 or next to it from -125 down. */
INLINE vec power(vec y) {
  static const float coefficient[] = {0x1.5f3e54p-10f, 0x1.3b2d4cp-7f, 0x1.c6aee8p-5f,
                                      0x1.ebfbdcp-3f,  0x1.62e430p-1f, 1.0f};
  const vec bounded = MAX(y, splat(-125.0f)), shifted = bounded + 0x1.8p23f; /* its last bits are y rounded */
  const vec f = bounded - (shifted - 0x1.8p23f);
  vec q = splat(0x1.41fbbcp-13f);
  for (int i = 0; i < 6; i++) q = FUSED(q, f, splat(coefficient[i]));
  return (vec)((ivec)q + ((ivec)shifted << 23));
}

INLINE float lse_of(const float *x, int64_t n, int ahead) {
  const float top = top_of(x, n, ahead);
  const vec scale = splat(1.44269504f), offset = splat(-1.44269504f * top);
  vec sum[2] = {splat(0.0f), splat(0.0f)};
  for (int64_t i = 0; i < n; i += 2 * LANES)
    for (int k = 0; k < 2; k++) sum[k] += power(FUSED(load(x + i + k * LANES), scale, offset));
  return top + logf(total(sum[0] + sum[1]));
}

INLINE float move_all(const float *s, const float *t, float *restrict out, int64_t n, int ahead) {
  const float a = top_of(s, n, ahead), b = top_of(t, n, ahead);
  for (int64_t i = 0; i < n; i += LANES) PUT(out + i, (load(s + i) - a) * (load(t + i) - b));
  return a + b;
}

#define KIND(name, ahead)                                                                                              \
  static float stream_##name(const float *s, const float *t, int64_t n) {                                              \
    return top_of(s, n, ahead) + top_of(t, n, ahead);                                                                  \
  }                                                                                                                    \
  static float lse_##name(const float *s, const float *t, int64_t n) {                                                 \
    return lse_of(s, n, ahead) + lse_of(t, n, ahead);                                                                  \
  }                                                                                                                    \
  static float move_##name(const float *s, const float *t, float *restrict out, int64_t n) {                           \
    return move_all(s, t, out, n, ahead);                                                                              \
  }
KIND(plain, 0)
KIND(ahead, 1)

#define ALL_KINDS                                                                                                      \
  {                                                                                                                    \
    {stream_plain, lse_plain, move_plain}, {                                                                           \
      stream_ahead, lse_ahead, move_ahead                                                                              \
    }                                                                                                                  \
  }
