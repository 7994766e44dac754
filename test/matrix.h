/* matrix.h - logit buffers of any element type, every unwritten element NaN, with guard bytes on both sides.
 *
 * The conversions are written here from the definitions of the formats, apart from those of the library. */
#ifndef TEST_MATRIX_H
#define TEST_MATRIX_H

#include <stdbool.h>

#include "trb.h"

typedef struct matrix {
  trb_logits view;
  unsigned char *block; /* guard, rows*stride elements, guard */
  size_t bytes;         /* of the whole block */
} matrix;

/* stride 0 means vocab. */
matrix matrix_new(int64_t rows, int64_t vocab, int64_t stride, int32_t dtype, float temperature);

/* The same shape, stride, temperature and values in another element type. */
matrix matrix_convert(const matrix *from, int64_t stride, int32_t dtype);

matrix matrix_copy(const matrix *from);
void matrix_free(matrix *m);

/* Writes x, rounded to nearest even. A finite x beyond the largest finite f16 or f32 is stored as that number. */
void matrix_set(const matrix *m, int64_t row, int64_t v, double x);
void matrix_set_row(const matrix *m, int64_t row, const double *x);
void matrix_fill(const matrix *m, double x);

/* The element, exactly. */
double matrix_get(const trb_logits *view, int64_t row, int64_t v);

/* A view of rows [first, first + rows). */
trb_logits matrix_rows(const trb_logits *view, int64_t first, int64_t rows);

/* Whether the guard bytes are as matrix_new left them. */
bool matrix_guarded(const matrix *m);

/* Whether the elements between the rows still are the NaN that matrix_new put there. */
bool matrix_gaps_intact(const matrix *m);

/* Half a unit in the last place of `dtype` at x: what one rounding may cost. */
double dtype_rounding(int32_t dtype, double x);

#endif
