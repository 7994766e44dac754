/* activation.h - the exponential, and what the FFN bends with, of one lane.
 *
 * Branch-free C that a compiler turns into vector code for any processor: the C library's expf and tanhf would be most
 * of the time of a training step. */
#ifndef DISTILL_ACTIVATION_H
#define DISTILL_ACTIVATION_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* e^x with a relative error below 1e-7 for -87 <= x <= 88; 0 below, infinite above. NaN stays NaN.
 * x = n log 2 + f; adding 1.5 * 2^23 rounds to the integer n and leaves it in the low bits. e^f = 1 + f + f^2 q(f), a
 * least-maximum fit within 4e-9. log 2 is split in two, so that n times its first part is exact. The ends come last:
 * a bounded x makes gcc compute every case in full. */
static inline float activation_exp(float x) {
  const float shifted = x * 0x1.715476p+0f + 0x1.8p23f;
  const float n = shifted - 0x1.8p23f;
  const float f = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
  float q = 0x1.6a2252p-10f;
  q = q * f + 0x1.123b04p-7f;
  q = q * f + 0x1.5558f8p-5f;
  q = q * f + 0x1.555490p-3f;
  q = q * f + 0x1.fffffcp-2f;
  uint32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + 0x3f800000u; /* 2^n */
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  const float power = (q * (f * f) + f + 1.0f) * scale;
  const float bounded = x < -87.0f ? 0.0f : power;
  return x > 88.0f ? INFINITY : bounded;
}

/* A function's value and its derivative. */
typedef struct activation {
  float value, slope;
} activation;

/* x / (1 + e^-x), arXiv 1606.08415 */
static inline activation activation_silu(float x) {
  const float gate = 1.0f / (1.0f + activation_exp(-x));
  return (activation){x * gate, gate + x * gate * (1.0f - gate)};
}

/* arXiv 1606.08415 in the form x (1 + tanh u) / 2 = x / (1 + e^-2u), u = sqrt(2/pi) (x + 0.044715 x^3). */
static inline activation activation_gelu(float x) {
  const float root = 0.797884561f, cubic = 0.044715f;
  const float u = root * (x + cubic * (x * x * x));
  const float slope = root * (1.0f + 3.0f * cubic * (x * x));
  const float gate = 1.0f / (1.0f + activation_exp(-2.0f * u));
  return (activation){x * gate, gate + x * gate * (1.0f - gate) * (2.0f * slope)};
}

#endif
