/* A decoder as a model: what its callbacks answer, and the distribution with slips with its gradient. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lm.h"
#include "reference.h"
#include "suites.h"

enum { ROWS = 5, LENGTH = 6 };
static const double SLIP = 0.05;
static const int64_t SLIP_FIRST = 1, SLIPS = 2;

static const decoder_shape shape = {
    .vocab = 5, .context = LENGTH, .layers = 1, .dim = 8, .heads = 2, .kv_heads = 2, .hidden = 12};

static lm *new_lm(double slip) {
  lm *m = lm_new(reference_decoder(&shape, 3));
  ck_assert_ptr_nonnull(m);
  m->slip = slip;
  m->slip_first = SLIP_FIRST;
  m->slips = SLIPS;
  ck_assert_int_eq(lm_reserve(m, 2), 1);
  return m;
}

static const int64_t tokens[LENGTH] = {4, 0, 3, 1, 2, 0};
static const trb_query all = {.tokens = tokens, .sequence = 1, .length = LENGTH, .known = 0, .rows = ROWS};

static trb_logits view(float *data, int64_t rows) {
  return (trb_logits){.data = data, .rows = rows, .vocab = shape.vocab, .stride = shape.vocab, .dtype = TRB_F32};
}

/* log of (1 - s) softmax(z) + s uniform(slips), in double precision from the reference decoder. */
static void expected_logits(const lm *m, double slip, double *out) {
  double *weights = reference_weights(m->decoder);
  reference_logits(&shape, weights, tokens, LENGTH, ROWS, out);
  free(weights);
  for (int r = 0; r < ROWS && slip > 0.0; r++) {
    double *z = out + r * shape.vocab, sum = 0.0;
    for (int v = 0; v < shape.vocab; v++) sum += exp(z[v]);
    for (int v = 0; v < shape.vocab; v++)
      z[v] = log((1.0 - slip) * exp(z[v]) / sum +
                 (v >= SLIP_FIRST && v < SLIP_FIRST + SLIPS ? slip / (double)SLIPS : 0.0));
  }
}

START_TEST(both_forwards_answer_alike) {
  const double slip = _i == 0 ? 0.0 : SLIP;
  lm *m = new_lm(slip);
  double want[ROWS * 5];
  float whole[ROWS * 5], step[5];
  trb_logits out = view(whole, ROWS), one = view(step, 1);
  expected_logits(m, slip, want);
  const trb_model training = lm_training(m), sampling = lm_sampling(m);
  ck_assert_int_eq(training.vocab, shape.vocab);
  ck_assert_int_eq(training.forward(&all, 1, &out, training.user), TRB_CONTINUE);
  ck_assert(reference_distance(whole, want, ROWS * 5) < 1e-5);
  ck_assert_int_eq(sampling.forward(&all, 1, &out, sampling.user), TRB_CONTINUE);
  ck_assert(reference_distance(whole, want, ROWS * 5) < 1e-5);
  for (int64_t length = 1; length <= LENGTH; length++) {
    const trb_query next = {.tokens = tokens, .sequence = 0, .length = length, .known = length - 1, .rows = 1};
    ck_assert_int_eq(sampling.forward(&next, 1, &one, sampling.user), TRB_CONTINUE);
    if (length > 1) ck_assert(reference_distance(step, want + (length - 2) * 5, 5) < 1e-5);
  }
  lm_free(m);
}
END_TEST

/* sum g_j log m_j against central differences of the reference. */
START_TEST(gradients_go_through_slips) {
  const double slip = _i == 0 ? 0.0 : SLIP, h = 1e-5;
  lm *m = new_lm(slip);
  float logits[ROWS * 5], grad[ROWS * 5], direction[ROWS * 5];
  double up[ROWS * 5], down[ROWS * 5];
  trb_logits out = view(logits, ROWS), g = view(grad, ROWS);
  random_stream r = {5, 0, 0};
  for (int i = 0; i < ROWS * 5; i++) grad[i] = direction[i] = (float)random_normal(&r);
  const trb_model training = lm_training(m);
  ck_assert_int_eq(training.forward(&all, 1, &out, training.user), TRB_CONTINUE);
  ck_assert_int_eq(training.backward(&all, 1, &g, training.user), TRB_CONTINUE);
  for (int64_t i = 0; i < m->decoder->n; i++) {
    double *weights = reference_weights(m->decoder);
    double sum = 0.0;
    const float kept = m->decoder->weights[i];
    m->decoder->weights[i] = (float)((double)kept + h);
    const double above = (double)m->decoder->weights[i];
    expected_logits(m, slip, up);
    m->decoder->weights[i] = (float)((double)kept - h);
    const double below = (double)m->decoder->weights[i];
    expected_logits(m, slip, down);
    m->decoder->weights[i] = kept;
    for (int k = 0; k < ROWS * 5; k++) sum += (double)direction[k] * (up[k] - down[k]);
    ck_assert_msg(fabs(sum / (above - below) - (double)m->grad[i]) < 2e-4, "weight %d: %g, expected %g", (int)i,
                  (double)m->grad[i], sum / (above - below));
    free(weights);
  }
  lm_free(m);
}
END_TEST

/* Backward adds: twice the same is twice the gradient, but for the rounding of sums whose terms may be much larger than
 * what is left of them. */
START_TEST(gradients_add_up) {
  lm *m = new_lm(SLIP);
  float logits[ROWS * 5], grad[ROWS * 5];
  trb_logits out = view(logits, ROWS), g = view(grad, ROWS);
  const trb_model training = lm_training(m);
  float *once = malloc((size_t)m->decoder->n * sizeof *once);
  ck_assert_ptr_nonnull(once);
  for (int times = 0; times < 2; times++) {
    for (int i = 0; i < ROWS * 5; i++) grad[i] = (float)(i % 7) - 3.0f;
    ck_assert_int_eq(training.forward(&all, 1, &out, training.user), TRB_CONTINUE);
    ck_assert_int_eq(training.backward(&all, 1, &g, training.user), TRB_CONTINUE);
    if (times == 0) memcpy(once, m->grad, (size_t)m->decoder->n * sizeof *once);
  }
  float largest = 0.0f;
  for (int64_t i = 0; i < m->decoder->n; i++) largest = fmaxf(largest, fabsf(once[i]));
  for (int64_t i = 0; i < m->decoder->n; i++) ck_assert_float_le(fabsf(m->grad[i] - 2.0f * once[i]), 1e-6f * largest);
  free(once);
  lm_free(m);
}
END_TEST

/* What a decoder cannot do stops the library call. */
START_TEST(refusals_do_not_go_on) {
  static const int64_t long_text[LENGTH + 1] = {0};
  lm *m = new_lm(0.0);
  float logits[5];
  trb_logits out = view(logits, 1);
  const trb_query too_long = {.tokens = long_text, .length = LENGTH + 1, .rows = 1};
  ck_assert_int_ne(lm_training(m).forward(&too_long, 1, &out, m), TRB_CONTINUE);
  ck_assert_int_ne(lm_sampling(m).forward(&too_long, 1, &out, m), TRB_CONTINUE);
  lm_free(m);
  lm_free(NULL);
  ck_assert_ptr_null(lm_new(NULL));
}
END_TEST

Suite *lm_suite(void) {
  Suite *suite = suite_create("lm");
  TCase *tc = tcase_create("lm");
  tcase_add_loop_test(tc, both_forwards_answer_alike, 0, 2);
  tcase_add_loop_test(tc, gradients_go_through_slips, 0, 2);
  tcase_add_test(tc, gradients_add_up);
  tcase_add_test(tc, refusals_do_not_go_on);
  suite_add_tcase(suite, tc);
  return suite;
}
