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
 * masked, and whether NaN or +inf is in it. */
typedef struct trbi_peak {
  float max, min;
  bool masked, bad;
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

/* The blend of a block at beta as a change of p: log2 w = (1-beta) log2 p + beta log2 q - center, w = p e^h. */
typedef struct trbi_tilt {
  double divergence; /* sum w h - w + p */
  double change;     /* sum w - p */
  double square;     /* sum w h^2 */
  double cube;       /* sum w h^3 */
  double ratio;      /* sum w log2(q/p) */
} trbi_tilt;

/* What lean kernels know of a row: scales as floats, whether both have the same k (then same is 1 and other 0, else the
 * other way round), and logits so low that they weigh nothing. */
typedef struct trbi_lean {
  float k_student, k_teacher, max_student, max_teacher;
  float same, other;
  float low_student, low_teacher;
} trbi_lean;

/* First look of a lean kernel at a block, a = k (logit - max) for the student, b for the teacher, d = b - a. */
typedef struct trbi_moments {
  double p[4], q[4];                   /* sums of 2^a d^j and 2^b d^j over tokens that neither model masks */
  double mean_student, mean_teacher;   /* sum 2^a a, sum 2^b b over all tokens */
  double alone_student, alone_teacher; /* sums of 2^a, 2^b over tokens that the other model masks */
  double tokens_both, student_only, teacher_only;
} trbi_moments;

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

/* n is a multiple of TRBI_LANES, at most TRBI_BLOCK, unless stated otherwise. */
typedef struct trbi_kernels {
  int32_t isa;
  /* n elements of a dtype to and from floats, any n */
  void (*load)(const void *from, int32_t dtype, float *to, int64_t n);
  void (*store)(const float *from, void *to, int32_t dtype, int64_t n);
  trbi_peak (*peak)(const float *x, int64_t n);
  /* scales hold k and the block's own maximum; norm is not used */
  trbi_survey (*survey)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher);
  trbi_tilt (*tilt)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double beta,
                    double center);
  /* Lean: `masked` tells whether a token may be. The tilt's h in bits is beta d - center, its ratio sums w d, and p and
   * w are relative to the student's largest. */
  trbi_moments (*moments)(const float *s, const float *t, int64_t n, const trbi_lean *row, bool masked);
  trbi_tilt (*lean_tilt)(const float *s, const float *t, int64_t n, const trbi_lean *row, float beta, float center,
                         bool masked);
  /* sum p r - p + q over tokens that the student allows, r = log(p/q), and q over the others; p = 2^a and
   * log2(q/p) = d + shift. grad = scale p (mean - d), or NULL. The student must not allow what the teacher masks. */
  double (*lean_loss)(const float *s, const float *t, int64_t n, const trbi_lean *row, float shift, float mean,
                      float scale, bool masked, float *grad);
  /* log2 of the blend's weight, (1-beta) log2 p + beta log2 q - norm, to floats and to doubles; -inf off the common
   * support */
  void (*blend)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double beta,
                double norm, float *out);
  /* its largest value, and the sum of its powers relative to that */
  void (*blend_mass)(const float *s, const float *t, int64_t n, trbi_scale student, trbi_scale teacher, double beta,
                     double *max, double *mass);
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
