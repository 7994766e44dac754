/* The decoder's gradient against central differences of the formulas in double precision. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decoder/decoder.h"
#include "decoder_cases.h"
#include "reference.h"

enum { QUERIES = 4, FIRST_TINY = 2 };

static const int64_t tokens[QUERIES][5] = {{2, 0, 1, 2, 2}, {0}, {1, 1, 0}, {0, 2, 0, 1}};
static const trb_query queries[QUERIES] = {{.tokens = tokens[0], .sequence = 0, .length = 5, .rows = 3},
                                           {.tokens = tokens[1], .sequence = 1, .length = 1, .rows = 1},
                                           {.tokens = tokens[2], .sequence = 2, .length = 3, .rows = 1},
                                           {.tokens = tokens[3], .sequence = 3, .length = 4, .rows = 4}};

/* Of a shape whose vocabulary is smaller, tokens are taken modulo its size. */
static void fit_tokens(const decoder_shape *shape, int64_t fitted[QUERIES][5], trb_query *out) {
  for (int q = 0; q < QUERIES; q++) {
    out[q] = queries[q];
    out[q].tokens = fitted[q];
    for (int i = 0; i < 5; i++) fitted[q][i] = tokens[q][i] % shape->vocab;
  }
}

/* Random factors: what is differentiated is the sum of factor * logit. */
static float *make_factors(int64_t n) {
  float *factors = reference_memory(n, sizeof *factors);
  random_stream r = {21, 0, 0};
  for (int64_t i = 0; i < n; i++) factors[i] = (float)random_normal(&r);
  return factors;
}

static double functional(const decoder_shape *shape, const double *weights, const trb_query *q, const float *factors) {
  const int64_t n = reference_rows(q, QUERIES) * shape->vocab;
  double *logits = reference_memory(n, sizeof *logits), sum = 0.0;
  reference_batch(shape, weights, q, QUERIES, logits);
  for (int64_t i = 0; i < n; i++) sum += factors[i] * logits[i];
  free(logits);
  return sum;
}

static void differences(const decoder_shape *shape, double *weights, int64_t n, const trb_query *q,
                        const float *factors, double *out) {
  const double h = 1e-5;
  for (int64_t i = 0; i < n; i++) {
    const double middle = weights[i];
    weights[i] = middle + h;
    const double above = functional(shape, weights, q, factors);
    weights[i] = middle - h;
    out[i] = (above - functional(shape, weights, q, factors)) / (2.0 * h);
    weights[i] = middle;
  }
}

static void add_gradient(const decoder *d, decoder_tape *tape, const trb_query *q, int64_t n, const float *factors,
                         float *grad) {
  float *logits = reference_memory(reference_rows(q, n) * d->shape.vocab, sizeof *logits);
  ck_assert_int_eq(decoder_forward(d, tape, q, n, logits), 1);
  decoder_backward(d, tape, factors, grad);
  free(logits);
}

START_TEST(every_weight_has_its_derivative) {
  const decoder_shape *shape = &reference_shapes[_i];
  decoder *d = reference_decoder(shape, 7);
  decoder_tape *tape = decoder_tape_new(d);
  ck_assert_ptr_nonnull(tape);
  int64_t fitted[QUERIES][5];
  trb_query q[QUERIES];
  fit_tokens(shape, fitted, q);
  float *factors = make_factors(reference_rows(q, QUERIES) * shape->vocab);
  float *grad = reference_memory(d->n, sizeof *grad);
  double *weights = reference_weights(d), *expected = reference_memory(d->n, sizeof *expected);
  memset(grad, 0, (size_t)d->n * sizeof *grad);
  add_gradient(d, tape, q, QUERIES, factors, grad);
  differences(shape, weights, d->n, q, factors, expected);
  const double bound = 5e-6 * reference_scale(expected, d->n);
  for (int64_t i = 0; i < d->n; i++)
    ck_assert_msg(fabs(grad[i] - expected[i]) <= bound, "weight %d: got %g, expected %g", (int)i, (double)grad[i],
                  expected[i]);
  free(factors);
  free(grad);
  free(weights);
  free(expected);
  decoder_tape_free(tape);
  decoder_free(d);
}
END_TEST

/* In one call, or one call for each sequence: the same sum but for its rounding. Also for what was in `grad` before. */
START_TEST(gradients_add_up) {
  const decoder_shape *shape = &reference_shapes[_i];
  decoder *d = reference_decoder(shape, 8);
  decoder_tape *tape = decoder_tape_new(d);
  ck_assert_ptr_nonnull(tape);
  int64_t fitted[QUERIES][5];
  trb_query q[QUERIES];
  fit_tokens(shape, fitted, q);
  float *factors = make_factors(reference_rows(q, QUERIES) * shape->vocab);
  float *whole = reference_memory(d->n, sizeof *whole), *parts = reference_memory(d->n, sizeof *parts);
  double *expected = reference_memory(d->n, sizeof *expected);
  for (int64_t i = 0; i < d->n; i++) {
    whole[i] = 0.0f;
    parts[i] = 0.25f;
  }
  add_gradient(d, tape, q, QUERIES, factors, whole);
  const float *next = factors;
  for (int i = 0; i < QUERIES; i++) {
    add_gradient(d, tape, &q[i], 1, next, parts);
    next += q[i].rows * shape->vocab;
  }
  for (int64_t i = 0; i < d->n; i++) expected[i] = (double)whole[i] + 0.25;
  ck_assert_double_le(reference_distance(parts, expected, d->n), 3e-6 * reference_scale(expected, d->n));
  free(factors);
  free(whole);
  free(parts);
  free(expected);
  decoder_tape_free(tape);
  decoder_free(d);
}
END_TEST

/* What forward left is only read. */
START_TEST(backward_may_be_repeated) {
  decoder *d = reference_decoder(&reference_shapes[3], 9);
  decoder_tape *tape = decoder_tape_new(d);
  ck_assert_ptr_nonnull(tape);
  const int64_t n = reference_rows(queries, QUERIES) * d->shape.vocab;
  float *factors = make_factors(n), *logits = reference_memory(n, sizeof *logits);
  float *once = reference_memory(d->n, sizeof *once), *again = reference_memory(d->n, sizeof *again);
  memset(once, 0, (size_t)d->n * sizeof *once);
  memset(again, 0, (size_t)d->n * sizeof *again);
  ck_assert_int_eq(decoder_forward(d, tape, queries, QUERIES, logits), 1);
  decoder_backward(d, tape, factors, once);
  decoder_backward(d, tape, factors, again);
  ck_assert_mem_eq(once, again, (size_t)d->n * sizeof *once);
  free(factors);
  free(logits);
  free(once);
  free(again);
  decoder_tape_free(tape);
  decoder_free(d);
}
END_TEST

TCase *decoder_gradient_case(void) {
  TCase *gradient = tcase_create("gradient");
  tcase_add_loop_test(gradient, every_weight_has_its_derivative, FIRST_TINY, REFERENCE_SHAPES);
  tcase_add_loop_test(gradient, gradients_add_up, 0, REFERENCE_SHAPES);
  tcase_add_test(gradient, backward_may_be_repeated);
  return gradient;
}
