/* fmath.h - elementary functions of one lane: the arithmetic of every row kernel.
 *
 * Branch-free C that a compiler turns into vector code, with every fused multiply-add by name, so that the result does
 * not depend on the compiler, its flags or the instruction set. Exponents come in double precision (a blend of large
 * logits cancels), fractions are single precision.
 *
 * The polynomials are weighted least-maximum fits; the comments give the error of each against the exact function. */
#ifndef TRBI_FMATH_H
#define TRBI_FMATH_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline int32_t trbi_float_bits(float x) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline float trbi_bits_float(int32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* (2^x - 1) / x for |x| <= 1/2. */
static inline float trbi_exp2_slope(float x) {
  float q = 0x1.41fbbcp-13f;
  q = fmaf(q, x, 0x1.5f3e54p-10f);
  q = fmaf(q, x, 0x1.3b2d4cp-7f);
  q = fmaf(q, x, 0x1.c6aee8p-5f);
  q = fmaf(q, x, 0x1.ebfbdcp-3f);
  q = fmaf(q, x, 0x1.62e430p-1f);
  return q;
}

/* 2^y within 0.98 ULP; exactly 0 for y <= -126 (so for a masked token) and 2^127 for y >= 127. Not for NaN.
 * y = n + f, |f| <= 1/2: adding 1.5 * 2^52 rounds to an integer on every machine alike. 2^f = 1 + f q(f), 2e-9. Only
 * the last step is in double precision: there the roundings of f and of the product would cost a quarter of a ULP. */
static inline float trbi_exp2(double y) {
  double bounded = y < 127.0 ? y : 127.0;
  bounded = bounded > -127.0 ? bounded : -127.0;
  const double n = (bounded + 0x1.8p52) - 0x1.8p52;
  const double f = bounded - n;
  const float x = (float)f;
  const float q = trbi_exp2_slope(x);
  const float power = (float)fma((double)q, f, 1.0);
  const float scaled = trbi_bits_float(trbi_float_bits(power) + (int32_t)n * (1 << 23));
  return y > -126.0 ? scaled : 0.0f;
}

/* 2^(k x) of floats within 1.1 ULP, for -126 <= k x < 127.5. n = k x + 1.5 * 2^23 less that constant is the nearest
 * integer, k x - n is exact but for one rounding. */
static inline float trbi_exp2_lean(float x, float k) {
  const float shifted = fmaf(x, k, 0x1.8p23f);
  const float f = fmaf(x, k, -(shifted - 0x1.8p23f));
  const float power = fmaf(trbi_exp2_slope(f), f, 1.0f);
  return trbi_bits_float(trbi_float_bits(power) + (int32_t)((uint32_t)trbi_float_bits(shifted) << 23));
}

/* 2^y in double precision, relative error 1e-14; 0 below -1000, not for y above 1000 or NaN. A Taylor series. */
static inline double trbi_exp2_wide(double y) {
  const double bounded = y > -1000.0 ? y : -1000.0;
  const double shifted = bounded + 0x1.8p52;
  const double f = bounded - (shifted - 0x1.8p52);
  double q = 0x1.e8cac7351bb22p-32;
  q = fma(q, f, 0x1.e4cf5158b8ec7p-28);
  q = fma(q, f, 0x1.b5253d395e7c1p-24);
  q = fma(q, f, 0x1.62c0223a5c822p-20);
  q = fma(q, f, 0x1.ffcbfc588b0c5p-17);
  q = fma(q, f, 0x1.430912f86c786p-13);
  q = fma(q, f, 0x1.5d87fe78a6730p-10);
  q = fma(q, f, 0x1.3b2ab6fba4e77p-7);
  q = fma(q, f, 0x1.c6b08d704a0bfp-5);
  q = fma(q, f, 0x1.ebfbdff82c58ep-3);
  q = fma(q, f, 0x1.62e42fefa39efp-1);
  q = fma(q, f, 0x1.0000000000000p+0);
  uint64_t whole, bits;
  memcpy(&whole, &shifted, sizeof whole);
  memcpy(&bits, &q, sizeof bits);
  bits += whole << 52;
  memcpy(&q, &bits, sizeof q);
  return y > -1000.0 ? q : 0.0;
}

/* (e^h - 1 - h) / h^2 for |h| <= 1, relative error 4e-9 before rounding. */
static inline float trbi_expm1_rest(float h) {
  float q = 0x1.7416ecp-19f;
  q = fmaf(q, h, 0x1.a9622ap-16f);
  q = fmaf(q, h, 0x1.a028cap-13f);
  q = fmaf(q, h, 0x1.6bffb0p-10f);
  q = fmaf(q, h, 0x1.1110e0p-7f);
  q = fmaf(q, h, 0x1.55557ap-5f);
  q = fmaf(q, h, 0x1.555556p-3f);
  q = fmaf(q, h, 0x1.000000p-1f);
  return q;
}

/* What one token with probabilities p and w = p e^h adds to a divergence, without cancellation near h = 0. */
typedef struct trbi_term {
  float divergence; /* w h - w + p: a sum of these is KL(w||p), and no term is negative */
  float change;     /* w - p */
} trbi_term;

/* For |h| <= 1, where w need not be known. */
static inline trbi_term trbi_kl_term_near(float p, float h) {
  const float rest = trbi_expm1_rest(h);
  const float square = p * (h * h);
  return (trbi_term){.divergence = square * fmaf(h - 1.0f, rest, 1.0f), .change = fmaf(square, rest, p * h)};
}

static inline trbi_term trbi_kl_term(float p, float w, float h) {
  const bool near = fabsf(h) <= 1.0f;
  trbi_term term = trbi_kl_term_near(p, near ? h : 0.0f);
  term.divergence = near ? term.divergence : fmaf(w, h - 1.0f, p);
  term.change = near ? term.change : w - p;
  return term;
}

/* log(1 + z) for z > -1, in double precision with relative error below 1e-11: rounded to a float it is within 0.51 ULP.
 * 1 + z = 2^n m with m in [sqrt(1/2), sqrt(2)); log m = 2 artanh(x), x = (m - 1)/(m + 1), as a Taylor series in x^2.
 * Where n = 0, m - 1 is z itself, which keeps small z exact. */
static inline double trbi_log1p_lane(double z) {
  const double u = 1.0 + z;
  uint64_t bits;
  memcpy(&bits, &u, sizeof bits);
  const uint64_t shifted = bits - UINT64_C(0x3fe6a09e667f3bcd); /* sqrt(1/2): n is above bit 52 */
  const uint64_t mantissa = bits - (shifted & UINT64_C(0xfff0000000000000));
  const uint64_t number =
      ((shifted + (UINT64_C(1024) << 52)) >> 52) | UINT64_C(0x4330000000000000); /* 2^52 + 1024 + n */
  double m, n;
  memcpy(&m, &mantissa, sizeof m);
  memcpy(&n, &number, sizeof n);
  n -= 0x1p52 + 1024.0;
  const double top = n == 0.0 ? z : m - 1.0;
  const double x = top / (m + 1.0);
  const double square = x * x;
  double q = 2.0 / 13;
  q = fma(q, square, 2.0 / 11);
  q = fma(q, square, 2.0 / 9);
  q = fma(q, square, 2.0 / 7);
  q = fma(q, square, 2.0 / 5);
  q = fma(q, square, 2.0 / 3);
  q = fma(q, square, 2.0);
  return fma(n, 0x1.62e42fefa39efp-1, x * q);
}

#endif
