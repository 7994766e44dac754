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

/* Tokens of the head that one part may have. */
enum { TRBI_HEAD_ROOM = 64, TRBI_HEAD = TRBI_PARTS * TRBI_HEAD_ROOM };

typedef struct trbi_head {
  int64_t n;
  int32_t token[TRBI_HEAD]; /* from the first of its part; block by block */
  float s[TRBI_HEAD], t[TRBI_HEAD];
} trbi_head;

/* What is kept of each part. */
typedef struct trbi_outline_part {
  double both, alone; /* the tail's mass of p where q is and where it is not, relative to the reference */
  float least, most;  /* of d = (log2(q/p) - shift) / k_teacher */
  int64_t head_begin, head_end;
  bool masked; /* a token is */
} trbi_outline_part;

typedef struct trbi_outline {
  trbi_lean lean;
  double unit;  /* 2^-norm of the student: what lean kernels sum in */
  double shift; /* log2(q/p) = k_teacher d + shift */
  /* The tail: mass of p where q is and where it is not, mean of d and mean square of k_teacher d under p, the
   * polynomial. */
  double mass_both, mass_alone, mean, square;
  double model[8];      /* Newton's coefficients */
  double alone_teacher; /* mass of q where p is not */
  trbi_outline_part part[TRBI_PARTS];
  trbi_head head;
} trbi_outline;

/* What an outline is for. A summary alone needs no head for the figures that a loss takes from it. */
typedef enum trbi_purpose { TRBI_FOR_BLEND, TRBI_FOR_SUMMARY, TRBI_FOR_LOSS } trbi_purpose;

/* Names the row and reads it once. For a blend the summary has no entropies; for a loss there is no head, for both
 * others no model. 0, TRB_ROW_EMPTY, TRB_ROW_NOT_A_NUMBER or TRBI_NO_OUTLINE. */
int32_t trbi_outline_row(trbi_pair *pair, const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                         int64_t row, trbi_purpose purpose, trbi_summary *summary, trbi_outline *outline);

/* Names the row, reads it and sums it up: by an outline if it has one, else exactly. */
int32_t trbi_survey_row(trbi_pair *pair, const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                        int64_t row, trbi_summary *summary);

/* A block of a part as lean kernels take it: mended, its part of the head taken out. *next is the first token of the
 * head that is not yet taken, the part's first one at first. */
void trbi_read_tail(const trbi_pair *pair, const trbi_outline *outline, int64_t part, int64_t number, int64_t *next,
                    trbi_block *block);

/* ---- What follows from it ---- */

/* trbi_tilt_row and trbi_log2_blend_mass as the model has them; no sum of cubes. */
trbi_tilt trbi_tilt_outline(const trbi_pair *pair, const trbi_outline *outline, double beta, double center);
double trbi_log2_mass_outline(const trbi_pair *pair, const trbi_outline *outline, double beta);

/* The tail of each part under a blend. */
typedef struct trbi_tail_tilt {
  double beta, center; /* log2 w = log2 p + beta log2(q/p) - center */
  trbi_lean_tilt part[TRBI_PARTS];
} trbi_tail_tilt;

/* trbi_tilt_row, the tail by lean kernels: at the beta and the center next to the given ones for which their constants
 * are floats. */
trbi_tilt trbi_tilt_lean(const trbi_pair *pair, const trbi_outline *outline, double *beta, double *center,
                         trbi_tail_tilt *tail);

/* Masses of mu by part, up to a factor: at a beta near that of a tilt, and at beta 0, where mu is p on its own support.
 */
void trbi_masses_near(const trbi_pair *pair, const trbi_outline *outline, const trbi_tail_tilt *tail, double beta,
                      double *mass);
void trbi_masses_student(const trbi_pair *pair, const trbi_outline *outline, double *mass);

/* sum (mu - p)+ by part, log2 Z being that of the blend at beta. */
void trbi_excess_near(const trbi_pair *pair, const trbi_outline *outline, double beta, double log2_z, double *excess);

#endif
