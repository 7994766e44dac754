/* rows_scalar.c - the row kernels in plain C: the specification of their bits.
 *
 * Every sum has one accumulator per lane, and the inner loop runs over lanes without a branch, so that a compiler can
 * turn it into vector code of any width. An instruction set includes this file under another table name. */
#include <stdbool.h>
#include <stddef.h>
#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "dmath.h"
#include "fmath.h"
#include "rows.h"

#ifndef TRBI_TABLE
#define TRBI_TABLE     trbi_kernels_scalar
#define TRBI_TABLE_ISA TRB_ISA_SCALAR
#endif

#define LN2F   0x1.62e430p-1f
#define LOG2EF 0x1.715476p+0f

/* ---- Loads and stores ---- */

/* Asks for what comes two blocks later, in the row or after its end: a first reading waits for memory. */
static inline void prefetch(const void *x) {
  __builtin_prefetch((const void *)((uintptr_t)x + 2 * TRBI_BLOCK * sizeof(float)));
}

/* Denormal halves are integers times 2^-24: no denormal float occurs, so the host's flush modes do not matter. A NaN
 * becomes quiet and keeps its payload, as it does in instructions for this. */
static inline float half_to_float(uint16_t half) {
  const int32_t magnitude = half & 0x7fff;
  const float small = (float)magnitude * 0x1p-24f;
  const int32_t normal = (magnitude << 13) + (112 << 23);
  const int32_t special = ((magnitude << 13) + (224 << 23)) | (magnitude > 0x7c00 ? 1 << 22 : 0);
  const int32_t bits = magnitude < 0x0400 ? trbi_float_bits(small) : magnitude < 0x7c00 ? normal : special;
  return trbi_bits_float(bits | (int32_t)((half & 0x8000u) << 16));
}

/* To nearest, ties to even. Below 2^-14 the addition of 1/2 rounds to a multiple of 2^-24. */
static inline uint16_t float_to_half(float x) {
  const int32_t bits = trbi_float_bits(x) & 0x7fffffff;
  const int32_t sign = (int32_t)(((uint32_t)trbi_float_bits(x) >> 16) & 0x8000u);
  const int32_t small = trbi_float_bits(trbi_bits_float(bits) + 0.5f) - trbi_float_bits(0.5f);
  const int32_t normal = (bits + 0xfff + ((bits >> 13) & 1) - (112 << 23)) >> 13;
  const int32_t large = bits > 0x7f800000 ? 0x7e00 | ((bits >> 13) & 0x3ff) : 0x7c00;
  const int32_t half = bits < (113 << 23) ? small : bits < 0x477ff000 ? normal : large;
  return (uint16_t)(half | sign);
}

static inline float bfloat_to_float(uint16_t bfloat) {
  return trbi_bits_float((int32_t)((uint32_t)bfloat << 16));
}

static inline uint16_t float_to_bfloat(float x) {
  const uint32_t bits = (uint32_t)trbi_float_bits(x);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t quiet = (bits >> 16) | 0x40u;
  return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

/* As many halves as the instructions take at once, then the rest. */
static void load_halves(const uint16_t *restrict from, float *restrict to, int64_t n) {
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(from + i))));
#endif
  for (; i < n; i++) to[i] = half_to_float(from[i]);
}

static void store_halves(const float *restrict from, uint16_t *restrict to, int64_t n) {
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128((__m128i *)(void *)(to + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
#endif
  for (; i < n; i++) to[i] = float_to_half(from[i]);
}

static void load(const void *from, int32_t dtype, float *restrict to, int64_t n) {
  const uint16_t *restrict words = from;
  if (dtype != TRB_F32)
    for (int64_t i = 0; i < n; i += 32) prefetch(words + i);
  if (dtype == TRB_F32)
    memcpy(to, from, (size_t)n * sizeof *to);
  else if (dtype == TRB_F16)
    load_halves(words, to, n);
  else
    for (int64_t i = 0; i < n; i++) to[i] = bfloat_to_float(words[i]);
}

static void store(const float *restrict from, void *to, int32_t dtype, int64_t n) {
  uint16_t *restrict words = to;
  if (dtype == TRB_F32)
    memcpy(to, from, (size_t)n * sizeof *from);
  else if (dtype == TRB_F16)
    store_halves(from, words, n);
  else
    for (int64_t i = 0; i < n; i++) words[i] = float_to_bfloat(from[i]);
}

/* ---- Lanes ---- */

/* gcc makes vectors of a loop that it has not unrolled, and scalars of what it has. In place: what a lane writes may be
 * what it read, and nothing else that is read. */
#if defined(__clang__)
#define FOR_LANES(l)          for (int l = 0; l < TRBI_LANES; l++)
#define FOR_LANES_IN_PLACE(l) _Pragma("clang loop vectorize(assume_safety)") FOR_LANES (l)
#else
#define FOR_LANES(l)          _Pragma("GCC unroll 1") for (int l = 0; l < TRBI_LANES; l++)
#define FOR_LANES_IN_PLACE(l) _Pragma("GCC ivdep") FOR_LANES (l)
#endif

static inline double fold(const double *lane) {
  double eight[8], four[4];
  for (int l = 0; l < 8; l++) eight[l] = lane[l] + lane[l + 8];
  for (int l = 0; l < 4; l++) four[l] = eight[l] + eight[l + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

static double fold_floats(const float *lane) {
  double wide[TRBI_LANES];
  FOR_LANES (l) wide[l] = (double)lane[l];
  return fold(wide);
}

static inline double log2_probability(trbi_scale scale, float x) {
  return fma(scale.k, (double)x - scale.max, -scale.norm);
}

/* Tokens of one model against the other's: log2 probabilities and what is masked. */
typedef struct token {
  double a, b; /* log2 p, log2 q; -inf where masked */
  bool both;   /* neither is masked */
} token;

static inline token read_token(trbi_scale student, trbi_scale teacher, float s, float t) {
  token v;
  v.a = log2_probability(student, s);
  v.b = log2_probability(teacher, t);
  v.both = (s > -INFINITY) & (t > -INFINITY);
  return v;
}

/* A difference of log2 probabilities as a natural logarithm, within the range of floats. */
static inline float natural(double log2_ratio) {
  double bounded = log2_ratio < 1e38 ? log2_ratio : 1e38;
  bounded = bounded > -1e38 ? bounded : -1e38;
  return (float)bounded * LN2F;
}

/* h of a token that has lost its whole weight: kl_term(p, 0, h) = (p, -p) for any h below -1. */
#define GONE (-2.0f)

/* ---- Kernels ---- */

static inline float larger(float a, float b) {
  return a > b ? a : b;
}

static inline float smaller(float a, float b) {
  return a < b ? a : b;
}

/* The largest and the smallest lane. */
static inline float top_of(const float *lane) {
  float eight[8], four[4];
  for (int l = 0; l < 8; l++) eight[l] = larger(lane[l], lane[l + 8]);
  for (int l = 0; l < 4; l++) four[l] = larger(eight[l], eight[l + 4]);
  return larger(larger(four[0], four[2]), larger(four[1], four[3]));
}

static inline float bottom_of(const float *lane) {
  float eight[8], four[4];
  for (int l = 0; l < 8; l++) eight[l] = smaller(lane[l], lane[l + 8]);
  for (int l = 0; l < 4; l++) four[l] = smaller(eight[l], eight[l + 4]);
  return smaller(smaller(four[0], four[2]), smaller(four[1], four[3]));
}

/* Only a block with masked tokens is read again for the least of the others. */
static float least_finite(const float *x, int64_t n) {
  float low[TRBI_LANES];
  FOR_LANES (l) low[l] = INFINITY;
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) low[l] = smaller(x[i + l] > -INFINITY ? x[i + l] : INFINITY, low[l]);
  return bottom_of(low);
}

/* Only a block whose sum is not a number is read again for the reason: huge logits alone may do that. */
static bool has_bad(const float *x, int64_t n) {
  float bad[TRBI_LANES] = {0};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) bad[l] = x[i + l] < INFINITY ? bad[l] : 1.0f;
  return top_of(bad) > 0.0f;
}

/* One group: the largest and the smallest of each lane, and its sum. */
static void peak_group(const float *x, int64_t n, float *top_of_lane, float *low_of_lane, float *sum_of_lane) {
  float top[TRBI_LANES], low[TRBI_LANES], sum[TRBI_LANES] = {0};
  FOR_LANES (l) top[l] = -INFINITY;
  FOR_LANES (l) low[l] = INFINITY;
  for (int64_t i = 0; i < n; i += TRBI_LANES) {
    prefetch(x + i);
    FOR_LANES (l) {
      const float v = x[i + l];
      top[l] = larger(v, top[l]);
      low[l] = smaller(v, low[l]);
      sum[l] += v;
    }
  }
  FOR_LANES (l) top_of_lane[l] = top[l];
  FOR_LANES (l) low_of_lane[l] = low[l];
  FOR_LANES (l) sum_of_lane[l] = sum[l];
}

static void peak(const float *x, int64_t n, trbi_peak *result) {
  float low[TRBI_LANES], sum[TRBI_LANES];
  double total = 0.0;
  result->max = -INFINITY;
  result->min = INFINITY;
  for (int64_t g = 0; g < TRBI_GROUPS; g++) {
    const int64_t left = n - g * TRBI_GROUP;
    peak_group(x + g * TRBI_GROUP, left < TRBI_GROUP ? left : TRBI_GROUP, result->top[g], low, sum);
    result->max = larger(top_of(result->top[g]), result->max);
    result->min = smaller(bottom_of(low), result->min);
    total += fold_floats(sum);
  }
  result->masked = result->min == -INFINITY;
  if (result->masked) result->min = least_finite(x, n);
  result->bad = !(total < INFINITY) && has_bad(x, n);
}

/* Flags are numbers here: a product with 0 or 1 stays a vector operation where a choice would become a branch. */
static trbi_survey survey(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher) {
  double sum[12][TRBI_LANES] = {{0}};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const double x = student.k * ((double)s[i + l] - student.max);
      const double y = teacher.k * ((double)t[i + l] - teacher.max);
      const double s_here = x > -INFINITY ? 1.0 : 0.0, t_here = y > -INFINITY ? 1.0 : 0.0;
      const double finite_x = x > -INFINITY ? x : 0.0, finite_y = y > -INFINITY ? y : 0.0;
      const double both = s_here * t_here;
      const double d = (finite_y - finite_x) * both;
      const double ws = (double)trbi_exp2(x), wt = (double)trbi_exp2(y);
      const double bs = ws * both, bt = wt * both;
      sum[0][l] += ws;
      sum[1][l] += wt;
      sum[2][l] = fma(ws, finite_x, sum[2][l]);
      sum[3][l] = fma(wt, finite_y, sum[3][l]);
      sum[4][l] += bs;
      sum[5][l] += bt;
      sum[6][l] = fma(bs, d, sum[6][l]);
      sum[7][l] = fma(bs * d, d, sum[7][l]);
      sum[8][l] = fma(bt, d, sum[8][l]);
      sum[9][l] += both;
      sum[10][l] += s_here - both;
      sum[11][l] += t_here - both;
    }
  return (trbi_survey){fold(sum[0]), fold(sum[1]), fold(sum[2]), fold(sum[3]), fold(sum[4]),  fold(sum[5]),
                       fold(sum[6]), fold(sum[7]), fold(sum[8]), fold(sum[9]), fold(sum[10]), fold(sum[11])};
}

static trbi_wide wide(const float *x, int64_t n, double k, double max) {
  double sum[3][TRBI_LANES] = {{0}};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const double y = k * ((double)x[i + l] - max);
      const double here = y > -INFINITY ? 1.0 : 0.0, finite = y > -INFINITY ? y : 0.0;
      const double w = trbi_exp2_wide(y);
      sum[0][l] += w;
      sum[1][l] = fma(w, finite, sum[1][l]);
      sum[2][l] += here;
    }
  return (trbi_wide){fold(sum[0]), fold(sum[1]), fold(sum[2])};
}

/* Neither product is positive, so nothing cancels before the norm. */
static inline double log2_blend(token v, double beta, double norm) {
  return v.both ? fma(beta, v.b, (1.0 - beta) * v.a) - norm : -INFINITY;
}

static trbi_tilt tilt(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double beta,
                      double center) {
  double divergence[TRBI_LANES] = {0}, change[TRBI_LANES] = {0}, square[TRBI_LANES] = {0}, ratio[TRBI_LANES] = {0};
  double cube[TRBI_LANES] = {0};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const token v = read_token(student, teacher, s[i + l], t[i + l]);
      const double r = v.both ? v.b - v.a : 0.0;
      const double y = log2_blend(v, beta, center);
      const float p = trbi_exp2(v.a), w = trbi_exp2(y);
      const float h = v.both ? natural(y - v.a) : GONE;
      const trbi_term term = trbi_kl_term(p, w, h);
      divergence[l] += (double)term.divergence;
      change[l] += (double)term.change;
      const double wh = (double)(w * h);
      square[l] = fma(wh, (double)h, square[l]);
      cube[l] = fma(wh * (double)h, (double)h, cube[l]);
      ratio[l] = fma((double)w, r, ratio[l]);
    }
  return (trbi_tilt){.divergence = fold(divergence),
                     .change = fold(change),
                     .square = fold(square),
                     .cube = fold(cube),
                     .ratio = fold(ratio)};
}

static void blend(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double beta,
                  double norm, float *restrict out) {
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) out[i + l] = (float)log2_blend(read_token(student, teacher, s[i + l], t[i + l]), beta, norm);
}

static void blend_mass(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double beta,
                       double *max, double *mass) {
  double y[TRBI_BLOCK], top[TRBI_LANES], sum[TRBI_LANES] = {0};
  FOR_LANES (l) top[l] = -INFINITY;
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      y[i + l] = log2_blend(read_token(student, teacher, s[i + l], t[i + l]), beta, 0.0);
      top[l] = y[i + l] > top[l] ? y[i + l] : top[l];
    }
  *max = -INFINITY;
  FOR_LANES (l) *max = top[l] > *max ? top[l] : *max;
  const double base = *max > -INFINITY ? *max : 0.0;
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) sum[l] += (double)trbi_exp2(y[i + l] - base);
  *mass = fold(sum);
}

/* With h = beta log(q/p) - log Z the excess is p (e^h - 1), which is exactly 0 where both are the same. */
static double excess(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double beta,
                     double center, double more, float *restrict out) {
  double sum[TRBI_LANES] = {0};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const token v = read_token(student, teacher, s[i + l], t[i + l]);
      const double ratio = v.both ? fma(beta, v.b - v.a, -center) - more : -1e30;
      const float p = trbi_exp2(v.a), w = trbi_exp2(log2_blend(v, beta, center) - more);
      const float change = trbi_kl_term(p, w, natural(ratio)).change;
      out[i + l] = ratio > 0.0 ? change : 0.0f;
      sum[l] += (double)out[i + l];
    }
  return fold(sum);
}

static double mass(const float *y, int64_t n) {
  double sum[TRBI_LANES] = {0};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) sum[l] += (double)trbi_exp2((double)y[i + l]);
  return fold(sum);
}

static trbi_loss_sums reverse_kl(const float *s, const float *t, const uint8_t *support, int64_t n, trbi_scale student,
                                 trbi_scale teacher) {
  double sum[10][TRBI_LANES] = {{0}};
  for (int64_t i = 0; i < n; i += TRBI_LANES) {
    float chosen[TRBI_LANES];
    FOR_LANES (l) chosen[l] = (float)support[i + l];
    FOR_LANES (l) {
      const token v = read_token(student, teacher, s[i + l], t[i + l]);
      const double s_here = v.a > -INFINITY ? 1.0 : 0.0, t_here = v.b > -INFINITY ? 1.0 : 0.0;
      const double p = (double)trbi_exp2(v.a), q = (double)trbi_exp2(v.b);
      const double r = v.both ? v.a - v.b : 0.0;
      const trbi_term term = trbi_kl_term((float)q, (float)p, v.both ? natural(r) : GONE);
      const double in = (double)chosen[l], out = 1.0 - in;
      const double lost = in * s_here * (1.0 - t_here);
      const double counted = in > lost ? (double)term.divergence : 0.0;
      sum[0][l] += counted;
      sum[1][l] = fma(p * in, r, sum[1][l]);
      sum[2][l] = fma(p, in, sum[2][l]);
      sum[3][l] = fma(q, in, sum[3][l]);
      sum[4][l] = fma(p, out, sum[4][l]);
      sum[5][l] = fma(q, out, sum[5][l]);
      sum[6][l] = fma(in, s_here, sum[6][l]);
      sum[7][l] += lost;
      sum[8][l] = fma((double)term.change, in, sum[8][l]);
      sum[9][l] = fma((double)term.change, out, sum[9][l]);
    }
  }
  return (trbi_loss_sums){fold(sum[0]), TRBI_LN2 * fold(sum[1]),
                          fold(sum[2]), fold(sum[3]),
                          fold(sum[4]), fold(sum[5]),
                          fold(sum[6]), fold(sum[7]),
                          fold(sum[8]), fold(sum[9])};
}

static void reverse_kl_gradient(const float *s, const float *t, const uint8_t *support, int64_t n, trbi_scale student,
                                trbi_scale teacher, trbi_gradient form, double scale, float *restrict grad) {
  for (int64_t i = 0; i < n; i += TRBI_LANES) {
    float chosen[TRBI_LANES];
    FOR_LANES (l) chosen[l] = (float)support[i + l];
    FOR_LANES (l) {
      const token v = read_token(student, teacher, s[i + l], t[i + l]);
      const double p = (double)trbi_exp2(v.a);
      const double r = v.both ? (v.a - v.b) * TRBI_LN2 : 0.0;
      const double factor = chosen[l] > 0.0f ? fma(form.a, r, form.b) + form.c : form.c;
      grad[i + l] = p > 0.0 ? (float)(scale * (p * factor)) : 0.0f;
    }
  }
}

/* KL(q||p) of one token as a change from p to q. */
static inline trbi_term forward_term(token v, bool s_here) {
  const float p = trbi_exp2(v.a), q = trbi_exp2(s_here ? v.b : -INFINITY);
  return trbi_kl_term(p, q, v.both ? natural(v.b - v.a) : GONE);
}

static double forward_kl(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher) {
  double sum[TRBI_LANES] = {0};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const token v = read_token(student, teacher, s[i + l], t[i + l]);
      sum[l] += (double)forward_term(v, s[i + l] > -INFINITY).divergence;
    }
  return fold(sum);
}

static void forward_kl_gradient(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher,
                                double scale, float *restrict grad) {
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const token v = read_token(student, teacher, s[i + l], t[i + l]);
      grad[i + l] = (float)(-scale * (double)forward_term(v, s[i + l] > -INFINITY).change);
    }
}

/* e^x - 1 without cancellation near 0. */
static inline double change_of(float x) {
  const bool near = fabsf(x) <= 1.0f;
  const float part = near ? x : 0.0f;
  const double small = (double)fmaf(part * part, trbi_expm1_rest(part), part);
  return near ? small : (double)trbi_exp2((double)x * TRBI_LOG2E) - 1.0;
}

/* One token under m = b q + (1-b) p. With r = log(p/q), log(p/m) = -log(1 + b (e^-r - 1)) and
 * log(q/m) = -log(1 + (1-b) (e^r - 1)): small where they should be, whichever model is the larger part of m. */
typedef struct mixture {
  float p, q, m;
  float log_p, log_q; /* over m; GONE where the model masks the token */
} mixture;

static inline mixture mix(token v, double b) {
  const bool s_here = v.a > -INFINITY, t_here = v.b > -INFINITY;
  const float r = v.both ? natural(v.a - v.b) : s_here ? 1e38f : -1e38f;
  mixture x;
  x.p = trbi_exp2(v.a);
  x.q = trbi_exp2(v.b);
  x.m = (float)fma(b, (double)x.q, (1.0 - b) * (double)x.p);
  x.log_p = s_here ? (float)-trbi_log1p_lane(b * change_of(-r)) : GONE;
  x.log_q = t_here ? (float)-trbi_log1p_lane((1.0 - b) * change_of(r)) : GONE;
  return x;
}

static void jsd(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double b,
                double *kl_student, double *kl_teacher) {
  double of_p[TRBI_LANES] = {0}, of_q[TRBI_LANES] = {0};
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const token v = read_token(student, teacher, s[i + l], t[i + l]);
      const mixture x = mix(v, b);
      of_p[l] += (double)trbi_kl_term(x.m, x.p, x.log_p).divergence;
      of_q[l] += (double)trbi_kl_term(x.m, x.q, x.log_q).divergence;
    }
  *kl_student = fold(of_p);
  *kl_teacher = fold(of_q);
}

static void jsd_gradient(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double b,
                         double kl_student, double scale, float *restrict grad) {
  for (int64_t i = 0; i < n; i += TRBI_LANES)
    FOR_LANES (l) {
      const mixture x = mix(read_token(student, teacher, s[i + l], t[i + l]), b);
      grad[i + l] = (float)(scale * ((double)x.p * ((double)x.log_p - kl_student)));
    }
}

/* tanh(y) = (e^2y - 1)/(e^2y + 1) in double precision: the result is rounded once. */
static void cap(float *x, int64_t n, float most) {
  const double down = 2.0 * TRBI_LOG2E / (double)most;
  for (int64_t i = 0; i < n; i++) {
    const double y = (double)x[i] * down;
    const double e = trbi_exp2_wide(y < 900.0 ? y : 900.0);
    const float capped = (float)((double)most * ((e - 1.0) / (e + 1.0)));
    x[i] = fabsf(x[i]) < INFINITY ? capped : NAN;
  }
}

static void uncap(const float *z, int64_t n, float most, float *restrict grad) {
  for (int64_t i = 0; i < n; i++) {
    const float t = z[i] / most;
    grad[i] = grad[i] != 0.0f ? grad[i] * (1.0f - t * t) : 0.0f; /* a bad row's z may be NaN */
  }
}

#include "rows_lean.h"

const trbi_kernels TRBI_TABLE = {
    TRBI_TABLE_ISA,
    load,
    store,
    peak,
    survey,
    wide,
    tilt,
    count,
    alone,
    mend,
    moments,
    lean_tilt,
    lean_excess,
    lean_loss,
    blend,
    blend_mass,
    excess,
    mass,
    reverse_kl,
    reverse_kl_gradient,
    forward_kl,
    forward_kl_gradient,
    jsd,
    cap,
    uncap,
    jsd_gradient,
};
