/* matrix.c - logit buffers for tests. */
#include "matrix.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64, GUARD_BYTE = 0xA5 };

static size_t element_bytes(int32_t dtype) {
  return dtype == TRB_F32 ? 4 : 2;
}

/* Significant bits and the exponent of the smallest denormal. */
static int precision(int32_t dtype) {
  return dtype == TRB_F32 ? 24 : dtype == TRB_F16 ? 11 : 8;
}
static int least_exponent(int32_t dtype) {
  return dtype == TRB_F32 ? -149 : dtype == TRB_F16 ? -24 : -133;
}

static double largest(int32_t dtype) {
  if (dtype == TRB_F16) return 65504.0;
  return dtype == TRB_F32 ? (double)FLT_MAX : ldexp(255.0, 120);
}

/* The exponent of the last place at x. */
static int last_place(int32_t dtype, double x) {
  int exponent = 0;
  (void)frexp(x, &exponent);
  int place = exponent - precision(dtype);
  return place < least_exponent(dtype) || x == 0.0 ? least_exponent(dtype) : place;
}

double dtype_rounding(int32_t dtype, double x) {
  return isfinite(x) ? ldexp(0.5, last_place(dtype, x)) : 0.0;
}

static uint32_t encode(int32_t dtype, double x) {
  int fraction_bits = precision(dtype) - 1;
  int exponent_bits = dtype == TRB_F16 ? 5 : 8;
  uint32_t top = ((1u << exponent_bits) - 1) << fraction_bits; /* the bits of +inf */
  uint32_t sign = signbit(x) ? 1u << (fraction_bits + exponent_bits) : 0;
  if (isnan(x)) return top | 1u << (fraction_bits - 1);
  double a = fabs(x);
  if (isinf(a)) return sign | top;
  int place = last_place(dtype, a);
  double units = nearbyint(ldexp(a, -place)); /* at most 2^precision */
  if (ldexp(units, place) > largest(dtype)) {
    units = ldexp(largest(dtype), -place);
  }
  /* An integer below 2^fraction_bits is a denormal; the carry of a larger one moves into the exponent. */
  uint32_t steps = (uint32_t)(place - least_exponent(dtype));
  return sign | ((steps << fraction_bits) + (uint32_t)units);
}

static double decode(int32_t dtype, uint32_t bits) {
  int fraction_bits = precision(dtype) - 1;
  int exponent_bits = dtype == TRB_F16 ? 5 : 8;
  uint32_t exponent = bits >> fraction_bits & ((1u << exponent_bits) - 1);
  uint32_t fraction = bits & ((1u << fraction_bits) - 1);
  double sign = bits >> (fraction_bits + exponent_bits) ? -1.0 : 1.0;
  if (exponent == (1u << exponent_bits) - 1) return fraction ? (double)NAN : sign * (double)INFINITY;
  if (exponent == 0) return sign * ldexp((double)fraction, least_exponent(dtype));
  return sign * ldexp((double)(fraction | 1u << fraction_bits), (int)exponent - 1 + least_exponent(dtype));
}

static unsigned char *element(const trb_logits *view, int64_t row, int64_t v) {
  return (unsigned char *)view->data + (size_t)(row * view->stride + v) * element_bytes(view->dtype);
}

static void store(const trb_logits *view, int64_t row, int64_t v, double x) {
  uint32_t bits = encode(view->dtype, x);
  uint16_t half = (uint16_t)bits;
  if (view->dtype == TRB_F32) {
    memcpy(element(view, row, v), &bits, sizeof bits);
  } else {
    memcpy(element(view, row, v), &half, sizeof half);
  }
}

matrix matrix_new(int64_t rows, int64_t vocab, int64_t stride, int32_t dtype, float temperature) {
  matrix m = {{NULL, rows, vocab, stride ? stride : vocab, dtype, temperature}, NULL, 0};
  m.bytes = (size_t)(rows * m.view.stride) * element_bytes(dtype) + 2 * (size_t)GUARD;
  m.block = malloc(m.bytes);
  if (!m.block) abort();
  memset(m.block, GUARD_BYTE, m.bytes);
  m.view.data = m.block + GUARD;
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t v = 0; v < m.view.stride; v++) store(&m.view, r, v, (double)NAN);
  }
  return m;
}

matrix matrix_convert(const matrix *from, int64_t stride, int32_t dtype) {
  matrix m = matrix_new(from->view.rows, from->view.vocab, stride, dtype, from->view.temperature);
  for (int64_t r = 0; r < m.view.rows; r++) {
    for (int64_t v = 0; v < m.view.vocab; v++) store(&m.view, r, v, matrix_get(&from->view, r, v));
  }
  return m;
}

matrix matrix_copy(const matrix *from) {
  matrix m = *from;
  m.block = malloc(m.bytes);
  if (!m.block) abort();
  memcpy(m.block, from->block, m.bytes);
  m.view.data = m.block + GUARD;
  return m;
}

void matrix_free(matrix *m) {
  free(m->block);
  memset(m, 0, sizeof *m);
}

void matrix_set(const matrix *m, int64_t row, int64_t v, double x) {
  store(&m->view, row, v, x);
}

void matrix_set_row(const matrix *m, int64_t row, const double *x) {
  for (int64_t v = 0; v < m->view.vocab; v++) store(&m->view, row, v, x[v]);
}

void matrix_fill(const matrix *m, double x) {
  for (int64_t r = 0; r < m->view.rows; r++) {
    for (int64_t v = 0; v < m->view.vocab; v++) store(&m->view, r, v, x);
  }
}

double matrix_get(const trb_logits *view, int64_t row, int64_t v) {
  uint32_t bits = 0;
  uint16_t half = 0;
  if (view->dtype == TRB_F32) {
    memcpy(&bits, element(view, row, v), sizeof bits);
    return decode(view->dtype, bits);
  }
  memcpy(&half, element(view, row, v), sizeof half);
  return decode(view->dtype, half);
}

trb_logits matrix_rows(const trb_logits *view, int64_t first, int64_t rows) {
  trb_logits part = *view;
  part.data = element(view, first, 0);
  part.rows = rows;
  return part;
}

bool matrix_guarded(const matrix *m) {
  for (size_t i = 0; i < GUARD; i++) {
    if (m->block[i] != GUARD_BYTE || m->block[m->bytes - 1 - i] != GUARD_BYTE) return false;
  }
  return true;
}

bool matrix_gaps_intact(const matrix *m) {
  uint32_t hole = encode(m->view.dtype, (double)NAN);
  uint16_t half = (uint16_t)hole;
  for (int64_t r = 0; r < m->view.rows; r++) {
    for (int64_t v = m->view.vocab; v < m->view.stride; v++) {
      const void *expected = m->view.dtype == TRB_F32 ? (const void *)&hole : (const void *)&half;
      if (memcmp(element(&m->view, r, v), expected, element_bytes(m->view.dtype)) != 0) return false;
    }
  }
  return true;
}
