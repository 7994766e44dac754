/* rows.h - the rows that are timed, in every element type.
 *
 * The families of test/families.h look for trouble, with few tokens and parameters drawn for each row. These are like
 * what trained models say, and one row is like another, so that a median over them means something. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stdbool.h>

#include "families.h"
#include "trb.h"

enum {
  ROW_SPIKY,       /* a few high tokens over Gaussian ones, the teacher near its student */
  ROW_PEAKED,      /* twice the spread */
  ROW_FLAT,        /* next to none */
  ROW_DISAGREEING, /* independent models */
  ROW_MASKED,      /* 11 % of the tokens, for both or for the teacher only: then the reverse KL is infinite */
  ROW_FAMILIES
};

const char *row_family_name(int family);
void row_fill(rng *g, int family, double *student, double *teacher, int64_t n);

enum { BATCH = 64 }; /* rows of one call where there are many */

enum { DTYPES = 3 }; /* TRB_F32, TRB_F16, TRB_BF16 */
const char *dtype_name(int dtype);

/* Pairs of rows, so many that no cache holds all, and room for a gradient beside each. */
typedef struct rows {
  int64_t n, vocab;                                         /* multiples of BATCH */
  trb_logits student[DTYPES], teacher[DTYPES], out[DTYPES]; /* all of the same numbers; data NULL: not wanted */
} rows;

/* f32 is always there. false: no memory. */
bool rows_new(rows *r, int64_t vocab, const bool *wanted);
void rows_free(rows *r);

/* Draws all of one family. false: no memory. */
bool rows_draw(rows *r, int family);

#endif
