/* outline.h - what one reading tells of a long row: its summary, and a model of how its blends behave.
 *
 * The probable few, the head, are kept one by one; the improbable many, the tail, go into moments. From these follows
 * the mass of any blend without reading the row again: exactly for the head, and for the tail by a polynomial in beta
 * that meets log sum p^(1-beta) q^beta and its first three derivatives at both ends.
 *
 * The tail is worked by lean kernels, in single precision. A row that they do not suit has no outline, nor has a short
 * one: few tokens cost little, and do not average rounding. */
#ifndef TRBI_OUTLINE_H
#define TRBI_OUTLINE_H

#include "pass.h"

enum { TRBI_SHORT = 4096 }; /* tokens */

/* Beside row statuses, which are 0 or negative: the row has no outline. */
enum { TRBI_NO_OUTLINE = 1 };

typedef struct trbi_head {
  int64_t n, token[TRBI_BLOCK]; /* ascending */
  float s[TRBI_BLOCK], t[TRBI_BLOCK];
} trbi_head;

typedef struct trbi_outline {
  trbi_lean lean;
  bool masked;  /* a token is masked */
  double unit;  /* 2^-norm of the student: what lean kernels sum in */
  double shift; /* log2(q/p) - d */
  /* The tail: mass of p where q is and where it is not, mean and mean square of d under p, the polynomial. */
  double mass_both, mass_alone, mean, square;
  double model[8]; /* Newton's coefficients */
  bool no_model;   /* nothing is in both tails */
  trbi_head head;
} trbi_outline;

/* Names the row and reads it once; without a head all tokens belong to the tail. 0, TRB_ROW_EMPTY,
 * TRB_ROW_NOT_A_NUMBER or TRBI_NO_OUTLINE. */
int32_t trbi_outline_row(trbi_pair *pair, const trbi_kernels *kernels, const trb_logits *student,
                         const trb_logits *teacher, int64_t row, bool with_head, trbi_summary *summary,
                         trbi_outline *outline);

/* Names the row, reads it and sums it up: by an outline if it has one, else exactly. */
int32_t trbi_survey_row(trbi_pair *pair, const trbi_kernels *kernels, const trb_logits *student,
                        const trb_logits *teacher, int64_t row, trbi_summary *summary);

/* A block with its part of the head taken out of both rows; *next is the first token of the head that is not yet
 * taken. */
void trbi_drop_head(const trbi_outline *outline, trbi_block *block, int64_t *next);

/* ---- What follows from it ---- */

/* trbi_tilt_row and trbi_log2_blend_mass as the model has them; no sum of cubes. */
trbi_tilt trbi_tilt_outline(const trbi_pair *pair, const trbi_outline *outline, double beta, double center);
double trbi_log2_mass_outline(const trbi_pair *pair, const trbi_outline *outline, double beta);

/* trbi_tilt_row, the tail by lean kernels: for a beta that is a float, at the center next to the given one for which
 * their constant is a float too. */
trbi_tilt trbi_tilt_lean(const trbi_pair *pair, const trbi_outline *outline, double beta, double *center);

#endif
