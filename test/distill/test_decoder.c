/* The decoder: shapes, first values, elementary functions, and logits against the formulas in double precision. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decoder/activation.h"
#include "decoder/decoder.h"
#include "decoder_cases.h"
#include "frequencies.h"
#include "reference.h"
#include "suites.h"

/* ---- Shapes ---- */

static void check_shape_refused(decoder_shape shape, const char *text) {
  const char *wrong = decoder_check(&shape);
  ck_assert_msg(wrong && strncmp(wrong, text, strlen(text)) == 0, "\"%s\" does not begin with \"%s\"",
                wrong ? wrong : "nothing wrong", text);
}

START_TEST(shapes_are_checked) {
  for (int i = 0; i < REFERENCE_SHAPES; i++) ck_assert_ptr_null(decoder_check(&reference_shapes[i]));
  static const decoder_shape largest = {1 << 20, 1 << 20, 1 << 10, 1 << 16, 1 << 15, 1, 1 << 20, 1, 1, 0};
  ck_assert_ptr_null(decoder_check(&largest));
  static const int32_t bad[] = {0, -1, INT32_MIN, INT32_MAX, (1 << 20) + 1};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    decoder_shape s = reference_shapes[0];
    s.vocab = bad[i];
    check_shape_refused(s, "vocab: ");
    s = reference_shapes[0];
    s.context = bad[i];
    check_shape_refused(s, "context: ");
    s = reference_shapes[0];
    s.layers = bad[i];
    check_shape_refused(s, "layers: ");
    s = reference_shapes[0];
    s.dim = bad[i];
    check_shape_refused(s, "dim: ");
    s = reference_shapes[0];
    s.heads = bad[i];
    check_shape_refused(s, "heads: ");
    s = reference_shapes[0];
    s.kv_heads = bad[i];
    check_shape_refused(s, "kv_heads: ");
    s = reference_shapes[0];
    s.hidden = bad[i];
    check_shape_refused(s, "hidden: ");
  }
  decoder_shape s = reference_shapes[0];
  s.layers = (1 << 10) + 1;
  check_shape_refused(s, "layers: ");
  s = reference_shapes[0];
  s.dim = (1 << 16) + 4;
  check_shape_refused(s, "dim: ");
}
END_TEST

START_TEST(divisors_and_choices_are_checked) {
  decoder_shape s = reference_shapes[0];
  s.heads = 5;
  check_shape_refused(s, "heads: ");
  s.heads = 64;
  check_shape_refused((decoder_shape){5, 5, 1, 64, 64, 1, 5, 1, 0, 0}, "dim: expected an even number for each head");
  ck_assert_ptr_null(decoder_check(&s));
  s.kv_heads = 3;
  check_shape_refused(s, "kv_heads: ");
  for (int32_t bad = -1; bad <= 2; bad += 3) {
    s = reference_shapes[0];
    s.rotary = bad;
    check_shape_refused(s, "rotary: ");
    s.rotary = 0;
    s.gated = bad;
    check_shape_refused(s, "gated: ");
    s.gated = 0;
    s.tied = bad;
    check_shape_refused(s, "tied: ");
  }
}
END_TEST

START_TEST(sizes_are_those_of_the_tensors) {
  for (int i = 0; i < REFERENCE_SHAPES; i++) {
    const decoder_shape *s = &reference_shapes[i];
    decoder *d = decoder_new(s);
    ck_assert_ptr_nonnull(d);
    const int64_t kv = s->kv_heads * (s->dim / s->heads);
    int64_t n = (int64_t)s->vocab * s->dim + s->dim;
    n += s->layers * (2 * s->dim + 2 * s->dim * s->dim + 2 * kv * s->dim + (s->gated ? 3 : 2) * s->dim * s->hidden);
    if (!s->tied) n += (int64_t)s->vocab * s->dim;
    if (!s->rotary) n += (int64_t)s->context * s->dim;
    ck_assert_int_eq(d->n, n);
    for (int64_t k = 0; k < n; k++) ck_assert(d->weights[k] == 0.0f);
    decoder_free(d);
  }
}
END_TEST

/* ---- First values ---- */

/* A tensor of n normal numbers of this variance: with the fixed seed nothing is left to chance, but as a random event
 * either bound of 6 standard deviations would be broken once in 5e8 tensors. */
static void check_normal(const float **weights, int64_t n, double variance) {
  double sum = 0.0, squares = 0.0;
  for (int64_t i = 0; i < n; i++) {
    sum += (*weights)[i];
    squares += (double)(*weights)[i] * (*weights)[i];
  }
  ck_assert_double_le(fabs(sum / (double)n), 6.0 * sqrt(variance / (double)n));
  ck_assert_double_le(fabs(squares / (double)n / variance - 1.0), 6.0 * sqrt(2.0 / (double)n));
  *weights += n;
}

static void check_ones(const float **weights, int64_t n) {
  for (int64_t i = 0; i < n; i++) ck_assert((*weights)[i] == 1.0f);
  *weights += n;
}

START_TEST(first_values_have_their_variances) {
  for (int i = 0; i < 2; i++) {
    const decoder_shape *s = &reference_shapes[i];
    const int64_t dim = s->dim, kv = s->kv_heads * (dim / s->heads);
    decoder *d = decoder_new(s);
    ck_assert_ptr_nonnull(d);
    decoder_init(d, 5);
    const float *w = d->weights;
    const double from_dim = 1.0 / s->dim, from_hidden = 1.0 / s->hidden, branch = 0.5 / s->layers;
    check_normal(&w, s->vocab * dim, from_dim);
    if (!s->rotary) check_normal(&w, s->context * dim, from_dim);
    for (int layer = 0; layer < s->layers; layer++) {
      check_ones(&w, dim);
      check_normal(&w, (dim + 2 * kv) * dim, from_dim);
      check_normal(&w, dim * dim, from_dim * branch);
      check_ones(&w, dim);
      check_normal(&w, (s->gated ? 2 : 1) * s->hidden * dim, from_dim);
      check_normal(&w, dim * s->hidden, from_hidden * branch);
    }
    check_ones(&w, dim);
    if (!s->tied) check_normal(&w, s->vocab * dim, from_dim);
    ck_assert_ptr_eq(w, d->weights + d->n);
    decoder_free(d);
  }
}
END_TEST

START_TEST(first_values_depend_on_the_seed_alone) {
  decoder *a = reference_decoder(&reference_shapes[2], 1), *b = reference_decoder(&reference_shapes[2], 1),
          *c = reference_decoder(&reference_shapes[2], 2);
  ck_assert_mem_eq(a->weights, b->weights, (size_t)a->n * sizeof(float));
  for (int64_t i = 0; i < a->n; i++) ck_assert(a->weights[i] != c->weights[i]);
  decoder_free(a);
  decoder_free(b);
  decoder_free(c);
}
END_TEST

/* ---- Elementary functions ---- */

/* Every 499th float of both signs up to 2^7. */
START_TEST(exponential_is_within_its_bound) {
  for (uint32_t bits = 0; bits < 0x43000000u; bits += 499) {
    for (uint32_t sign = 0; sign < 2; sign++) {
      const uint32_t signed_bits = bits | sign << 31;
      float x;
      memcpy(&x, &signed_bits, sizeof x);
      const double got = activation_exp(x);
      if (x < -87.0f || x > 88.0f)
        ck_assert(got == (sign ? 0.0 : INFINITY));
      else
        must(fabs(got / exp(x) - 1.0) < 1e-7);
    }
  }
  ck_assert(activation_exp(0.0f) == 1.0f);
  static const float beyond[] = {88.1f, 1e3f, 1e10f, 3e38f, INFINITY};
  for (int i = 0; i < 5; i++) ck_assert(activation_exp(beyond[i]) == INFINITY && activation_exp(-beyond[i]) == 0.0f);
  ck_assert(isnan(activation_exp(NAN)));
}
END_TEST

/* The definitions in double precision; their derivatives are taken as central differences. */
static double gelu(double x) {
  return 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

static double silu(double x) {
  return x / (1.0 + exp(-x));
}

START_TEST(activations_and_slopes_are_right) {
  for (double at = -30.0; at <= 30.0; at += 1.0 / 512) {
    const float x = (float)at;
    const activation g = activation_gelu(x), s = activation_silu(x);
    const double scale = 1e-6 * (1.0 + fabs(at)), h = 1e-5;
    ck_assert_double_le(fabs(g.value - gelu(at)), scale);
    ck_assert_double_le(fabs(s.value - silu(at)), scale);
    ck_assert_double_le(fabs(g.slope - (gelu(at + h) - gelu(at - h)) / (2.0 * h)), scale);
    ck_assert_double_le(fabs(s.slope - (silu(at + h) - silu(at - h)) / (2.0 * h)), scale);
  }
  static const float far[] = {1e2f, 1e3f, 1e6f, 1e12f};
  for (int i = 0; i < 4; i++) {
    ck_assert(activation_gelu(far[i]).value == far[i] && activation_gelu(far[i]).slope == 1.0f);
    ck_assert(activation_silu(far[i]).value == far[i] && activation_silu(far[i]).slope == 1.0f);
    ck_assert(activation_gelu(-far[i]).value == 0.0f && activation_gelu(-far[i]).slope == 0.0f);
    ck_assert(activation_silu(-far[i]).value == 0.0f && activation_silu(-far[i]).slope == 0.0f);
  }
  ck_assert(isnan(activation_gelu(NAN).value) && isnan(activation_silu(NAN).value));
}
END_TEST

/* ---- Logits ---- */

enum { QUERIES = 5, LONGEST = 48 };

/* Sequences of several lengths up to the whole context, with the first, some, or all of the rows wanted. */
static void make_queries(const decoder_shape *shape, uint64_t seed, int64_t tokens[QUERIES][LONGEST],
                         trb_query *queries) {
  random_stream r = {seed, 2, 0};
  for (int64_t i = 0; i < QUERIES; i++) {
    const int64_t length = i == 0 ? shape->context : i == 1 ? 1 : 1 + random_below(&r, shape->context);
    reference_tokens(shape, &r, tokens[i], length);
    queries[i] = (trb_query){
        .tokens = tokens[i], .sequence = i, .length = length, .rows = i == 0 ? length : 1 + random_below(&r, length)};
  }
}

static void check_logits(const decoder *d, uint64_t seed, double bound) {
  double *weights = reference_weights(d);
  int64_t tokens[QUERIES][LONGEST];
  trb_query queries[QUERIES];
  make_queries(&d->shape, seed, tokens, queries);
  const int64_t n = reference_rows(queries, QUERIES) * d->shape.vocab;
  double *expected = reference_memory(n, sizeof *expected);
  float *logits = reference_memory(n, sizeof *logits);
  decoder_tape *tape = decoder_tape_new(d);
  ck_assert_ptr_nonnull(tape);
  reference_batch(&d->shape, weights, queries, QUERIES, expected);
  ck_assert_int_eq(decoder_forward(d, tape, queries, QUERIES, logits), 1);
  const double distance = reference_distance(logits, expected, n), scale = reference_scale(expected, n);
  ck_assert_msg(distance <= bound * scale, "%g beside %g", distance, scale);
  decoder_tape_free(tape);
  free(weights);
  free(expected);
  free(logits);
}

START_TEST(logits_are_those_of_the_formulas) {
  decoder *d = reference_decoder(&reference_shapes[_i], 11);
  check_logits(d, 3, 3e-6);
  decoder_free(d);
}
END_TEST

/* Scores of thousands, whose exponentials are beyond any float. They are rounded to a thousandth. */
START_TEST(large_scores_do_not_overflow) {
  decoder *d = reference_decoder(&reference_shapes[2], 13); /* 5 tokens, context 7, dim 6 */
  const int64_t norms = (5 + 7) * 6;
  for (int64_t i = 0; i < 6; i++) d->weights[norms + i] *= 100.0f;
  check_logits(d, 3, 1e-2);
  decoder_free(d);
}
END_TEST

/* Runs forward and backward of all queries, and gives logits and gradient. */
static void run(const decoder *d, decoder_tape *tape, const trb_query *queries, float *logits, float *grad) {
  const int64_t n = reference_rows(queries, QUERIES) * d->shape.vocab;
  memset(grad, 0, (size_t)d->n * sizeof *grad);
  ck_assert_int_eq(decoder_forward(d, tape, queries, QUERIES, logits), 1);
  decoder_backward(d, tape, logits, grad);
  for (int64_t i = 0; i < n; i++) ck_assert(isfinite(logits[i]));
}

START_TEST(bits_do_not_depend_on_what_came_before) {
  const decoder_shape *shape = &reference_shapes[_i];
  decoder *d = reference_decoder(shape, 12);
  int64_t tokens[QUERIES][LONGEST], other_tokens[QUERIES][LONGEST];
  trb_query queries[QUERIES], other[QUERIES];
  make_queries(shape, 3, tokens, queries);
  make_queries(shape, 4, other_tokens, other);
  const int64_t n = reference_rows(queries, QUERIES) * shape->vocab;
  const int64_t most = QUERIES * LONGEST * shape->vocab;
  float *logits[2], *grad[2];
  for (int i = 0; i < 2; i++) {
    decoder_tape *tape = decoder_tape_new(d);
    ck_assert_ptr_nonnull(tape);
    logits[i] = reference_memory(most, sizeof **logits);
    grad[i] = reference_memory(d->n, sizeof **grad);
    if (i == 1) run(d, tape, other, logits[i], grad[i]);
    run(d, tape, queries, logits[i], grad[i]);
    decoder_tape_free(tape);
  }
  ck_assert_mem_eq(logits[0], logits[1], (size_t)n * sizeof(float));
  ck_assert_mem_eq(grad[0], grad[1], (size_t)d->n * sizeof(float));
  for (int i = 0; i < 2; i++) {
    free(logits[i]);
    free(grad[i]);
  }
  decoder_free(d);
}
END_TEST

START_TEST(queries_that_do_not_fit_are_refused) {
  decoder *d = reference_decoder(&reference_shapes[2], 1);
  decoder_tape *tape = decoder_tape_new(d);
  ck_assert_ptr_nonnull(tape);
  int64_t tokens[8] = {0, 1, 2, 3, 4, 0, 1, 2}; /* 5 tokens, context 7 */
  float logits[8 * 5];
  trb_query query = {.tokens = tokens, .length = 7, .rows = 1};
  ck_assert_int_eq(decoder_forward(d, tape, &query, 1, logits), 1);
  query.length = 8;
  ck_assert_int_eq(decoder_forward(d, tape, &query, 1, logits), 0);
  query.length = 7;
  tokens[6] = 5;
  ck_assert_int_eq(decoder_forward(d, tape, &query, 1, logits), 0);
  tokens[6] = -1;
  ck_assert_int_eq(decoder_forward(d, tape, &query, 1, logits), 0);
  tokens[6] = 4;
  ck_assert_int_eq(decoder_forward(d, tape, &query, 1, logits), 1);
  decoder_tape_free(tape);
  decoder_free(d);
}
END_TEST

START_TEST(no_queries_are_answered_with_nothing) {
  decoder *d = reference_decoder(&reference_shapes[2], 1);
  decoder_tape *tape = decoder_tape_new(d);
  decoder_cache *cache = decoder_cache_new(d, 1);
  float *grad = reference_memory(d->n, sizeof *grad);
  ck_assert(tape && cache);
  memset(grad, 0, (size_t)d->n * sizeof *grad);
  ck_assert_int_eq(decoder_forward(d, tape, NULL, 0, NULL), 1);
  ck_assert_int_eq(decoder_extend(d, cache, NULL, 0, NULL), 1);
  decoder_backward(d, tape, NULL, grad);
  for (int64_t i = 0; i < d->n; i++) ck_assert(grad[i] == 0.0f);
  free(grad);
  decoder_tape_free(tape);
  decoder_tape_free(NULL);
  decoder_cache_free(cache);
  decoder_cache_free(NULL);
  decoder_free(d);
  decoder_free(NULL);
}
END_TEST

Suite *decoder_suite(void) {
  Suite *suite = suite_create("decoder");
  TCase *shapes = tcase_create("shapes");
  tcase_add_test(shapes, shapes_are_checked);
  tcase_add_test(shapes, divisors_and_choices_are_checked);
  tcase_add_test(shapes, sizes_are_those_of_the_tensors);
  tcase_add_test(shapes, first_values_have_their_variances);
  tcase_add_test(shapes, first_values_depend_on_the_seed_alone);
  suite_add_tcase(suite, shapes);
  TCase *functions = tcase_create("functions");
  tcase_add_test(functions, exponential_is_within_its_bound);
  tcase_add_test(functions, activations_and_slopes_are_right);
  suite_add_tcase(suite, functions);
  TCase *logits = tcase_create("logits");
  tcase_add_loop_test(logits, logits_are_those_of_the_formulas, 0, REFERENCE_SHAPES);
  tcase_add_test(logits, large_scores_do_not_overflow);
  tcase_add_loop_test(logits, bits_do_not_depend_on_what_came_before, 0, REFERENCE_SHAPES);
  tcase_add_test(logits, queries_that_do_not_fit_are_refused);
  tcase_add_test(logits, no_queries_are_answered_with_nothing);
  suite_add_tcase(suite, logits);
  suite_add_tcase(suite, decoder_gradient_case());
  suite_add_tcase(suite, decoder_cache_case());
  return suite;
}
