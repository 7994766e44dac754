/* rows.h - the row kernels: what the library does to a block of one or two rows of logits.
 *
 * rows_scalar.c is the specification; rows_<isa>.c give the same bits. What fixes the bits:
 *
 *   - A row is walked in blocks of TRBI_BLOCK tokens that begin at multiples of TRBI_BLOCK. A block is padded with
 *     masked tokens to a multiple of TRBI_LANES, so no kernel has a tail.
 *   - Token i of a block belongs to lane i mod TRBI_LANES. A sum has one double per lane; lanes fold 8, 4, 2, 1.
 *   - Terms are made by fmath.h: double exponents, single-precision functions, every fma by name.
 *   - Blocks combine in ascending order, in double precision (pass.c).
 *
 * Masked tokens (-inf) add exactly 0 to every sum. Kernels know nothing of models, options or threads. */
#ifndef TRBI_ROWS_H
#define TRBI_ROWS_H

#include <stdbool.h>

#include "trb.h"

enum { TRBI_BLOCK = 1024, TRBI_LANES = 16 };

/* log2 of a token's probability: k (x - max) - norm, for a logit x. k is log2(e) over the temperature. */
typedef struct trbi_scale {
  double k, max, norm;
} trbi_scale;

/* The largest logit of a block (-inf if all are masked), the least of those that are not masked (+inf), whether one is
 * masked, and whether NaN or +inf is in it. top[g][l] is the largest of lane l in the block's group g. */
enum { TRBI_GROUPS = 4, TRBI_GROUP = TRBI_BLOCK / TRBI_GROUPS };

typedef struct trbi_peak {
  float max, min;
  bool masked, bad;
  float top[TRBI_GROUPS][TRBI_LANES];
} trbi_peak;

/* First look at a block, x = k (logit - max) for both models, w = 2^x, d = x_teacher - x_student. `both` sums run over
 * tokens that neither model masks. */
typedef struct trbi_survey {
  double mass_student, mass_teacher;              /* sum w */
  double mean_student, mean_teacher;              /* sum w x */
  double both_student, both_teacher;              /* sum w over both */
  double gap_student, gap2_student;               /* sum w_student d, w_student d^2 over both */
  double gap_teacher;                             /* sum w_teacher d over both */
  double tokens_both, student_only, teacher_only; /* tokens by who masks them: neither, the other model */
} trbi_survey;

/* One model alone in double precision, x = k (logit - max): sums of 2^x and 2^x x, and tokens that are not masked. */
typedef struct trbi_wide {
  double mass, mean, tokens;
} trbi_wide;

/* The blend of a block at beta as a change of p: log2 w = (1-beta) log2 p + beta log2 q - center, w = p e^h. */
typedef struct trbi_tilt {
  double divergence; /* sum w h - w + p */
  double change;     /* sum w - p */
  double square;     /* sum w h^2 */
  double cube;       /* sum w h^3 */
  double ratio;      /* sum w log2(q/p) */
} trbi_tilt;

/* What lean kernels know of a row. References are logits near the largest ones; weights are relative to them. */
typedef struct trbi_lean {
  float k_student, k_teacher, ref_student, ref_teacher;
  float ratio;                        /* k_student / k_teacher */
  float floor_student, floor_teacher; /* 64 bits below the reference: no weight is less */
  float zero_student;                 /* 120 bits below: in a loss p is 0 here */
  float low_student, low_teacher;     /* logits of a token that weighs nothing, 128 bits below */
} trbi_lean;

/* Tokens of a block by who masks them: neither, the other model. */
typedef struct trbi_tokens {
  double both, student_only, teacher_only;
} trbi_tokens;

/* What one model has of tokens that the other masks, x = logit - reference: sums of 2^(k x) and 2^(k x) x. */
typedef struct trbi_alone {
  double mass, mean;
} trbi_alone;

/* First look of a lean kernel at a mended block: p = 2^(k x), q likewise, d = y - ratio x for the teacher's y. */
typedef struct trbi_moments {
  double p[4], q[4];                 /* sums of p d^j and q d^j; for a summary up to p[2] and q[1] */
  double mean_student, mean_teacher; /* for a summary: sum p x, sum q y */
  float least, most;                 /* of d */
} trbi_moments;

/* A trbi_tilt with h = slope d - center, and sum w. */
typedef struct trbi_lean_tilt {
  double divergence, change, mass, square, cube;
} trbi_lean_tilt;

/* Of tokens with h > 0: sum w - p, and sum w. */
typedef struct trbi_lean_excess {
  double excess, mass;
} trbi_lean_excess;

/* What a lean loss sums, if anything: any g, or none beyond 1 in size. */
enum { TRBI_TERMS_NONE, TRBI_TERMS_CALM, TRBI_TERMS_ANY };

typedef struct trbi_lean_loss {
  int32_t terms;
  float slope, shift; /* g = log(q/p) = slope d + shift */
  float unit;         /* what makes q relative to what p is */
  float scale, mean;  /* grad = p (mean - scale d) */
} trbi_lean_loss;

/* Sums over a support S given as a mask, r = log(p/q). */
typedef struct trbi_loss_sums {
  double divergence;               /* sum_S p r - p + q; infinite tokens left out */
  double cross;                    /* sum_S p r */
  double in_student, in_teacher;   /* sum_S p, q */
  double out_student, out_teacher; /* the same off S */
  double tokens;                   /* tokens of S that the student allows */
  double infinite;                 /* of them those that the teacher masks */
  double in_change, out_change;    /* sum p - q over S, off S, without cancellation */
} trbi_loss_sums;

/* Gradient of a row of any reverse KL form: p (S (a r + b) + c), zero where p is. */
typedef struct trbi_gradient {
  double a, b, c;
} trbi_gradient;

/* n is a multiple of TRBI_LANES, at most TRBI_BLOCK, unless stated otherwise. What is written has room for n floats. */
typedef struct trbi_kernels {
  int32_t isa;
  /* n elements of a dtype to and from floats, any n */
  void (*load)(const void *from, int32_t dtype, float *to, int64_t n);
  void (*store)(const float *from, void *to, int32_t dtype, int64_t n);
  void (*peak)(const float *x, int64_t n, trbi_peak *out);
  /* scales hold k and the block's own maximum; norm is not used */
  trbi_survey (*survey)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher);
  trbi_wide (*wide)(const float *x, int64_t n, double k, double max);
  trbi_tilt (*tilt)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double beta,
                    double center);
  trbi_tokens (*count)(const float *s, const float *t, int64_t n);
  trbi_alone (*alone)(const float *x, const float *other, int64_t n, float k, float ref);
  /* Makes a block fit for lean kernels: copies the rows, to where they may lie already, with tokens outside the common
   * support low. */
  void (*mend)(const float *s, const float *t, int64_t n, const trbi_lean *row, float *to_s, float *to_t);
  trbi_moments (*moments)(const float *s, const float *t, int64_t n, const trbi_lean *row, bool for_blend);
  /* `calm`: no |h| is above 1 */
  trbi_lean_tilt (*lean_tilt)(const float *s, const float *t, int64_t n, const trbi_lean *row, float slope,
                              float center, bool calm);
  trbi_lean_excess (*lean_excess)(const float *s, const float *t, int64_t n, const trbi_lean *row, float slope,
                                  float center, bool calm);
  /* sum p (e^g - 1 - g) = sum p log(p/q) - p + q, and the gradient if there is one, which may take the place of a row
   */
  double (*lean_loss)(const float *s, const float *t, int64_t n, const trbi_lean *row, const trbi_lean_loss *form,
                      float *grad);
  /* log2 of the blend's weight, (1-beta) log2 p + beta log2 q - norm, to floats and to doubles; -inf off the common
   * support */
  void (*blend)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double beta,
                double norm, float *out);
  /* its largest value, and the sum of its powers relative to that */
  void (*blend_mass)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double beta,
                     double *max, double *mass);
  /* (mu - p)+ of the blend, log2 Z = center + more; returns its sum */
  double (*excess)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double beta,
                   double center, double more, float *out);
  /* sum 2^y */
  double (*mass)(const float *y, int64_t n);
  trbi_loss_sums (*reverse_kl)(const float *s, const float *t, const uint8_t *support, int64_t n, trbi_scale student,
                               trbi_scale teacher);
  /* scale times the gradient */
  void (*reverse_kl_gradient)(const float *s, const float *t, const uint8_t *support, int64_t n, trbi_scale student,
                              trbi_scale teacher, trbi_gradient form, double scale, float *grad);
  /* sum q log(q/p) - q + p, tokens that only the student masks left out; scale (p - q) */
  double (*forward_kl)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher);
  void (*forward_kl_gradient)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher,
                              double scale, float *grad);
  /* m = b q + (1-b) p: KL(q||m) and KL(p||m) as sums of non-negative terms; scale p (log(p/m) - kl_student) */
  void (*jsd)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double b,
              double *kl_student, double *kl_teacher);
  /* any n: x = cap tanh(x/cap), NaN for what is not finite; and grad times 1 - (z/cap)^2, where z is what that left */
  void (*cap)(float *x, int64_t n, float cap);
  void (*uncap)(const float *z, int64_t n, float cap, float *grad);
  void (*jsd_gradient)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double b,
                       double kl_student, double scale, float *grad);
} trbi_kernels;

/* The kernels for a TRB_ISA_*, or NULL if this build or machine lacks them. */
const trbi_kernels *trbi_kernels_find(int32_t isa);

/* One element, any dtype. */
float trbi_load(const trb_logits *view, int64_t row, int64_t v);
void trbi_store(const trb_logits *view, int64_t row, int64_t v, float x);

/* Address of an element. */
void *trbi_element(const trb_logits *view, int64_t row, int64_t v);

#endif
