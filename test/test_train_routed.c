/* test_train_routed.c - tokens that were corrected are trained towards the teacher's argmax, the others as ever. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"
#include "suites.h"
#include "trainee.h"

enum { KINDS_OF_LOSS = 3, VOCAB = 9 };

static const trb_divergence_options jsd = {sizeof jsd, 0.3, TRB_DIVERGENCE_JSD, 0};
static const int64_t end_student[] = {2}, end_teacher[] = {7};
static const trb_ends ends = {end_student, end_teacher, 1};

/* A step on rollouts in blocks, of which about a quarter is corrected. */
static step step_of(int kind, int32_t grad_dtype, int64_t block) {
  static const int64_t tokens[] = {1, 2, 3, 4, 5, 6}, offset[] = {0, 1, 3, 6}, stop[] = {0};
  const trb_texts prompts = {tokens, offset, 3};
  step x = {.student = trainee_new(25, VOCAB, TRB_F32), .teacher = scripted_new(26, VOCAB + 1, TRB_F16)};
  x.student.model.temperature = 0.8f;
  const trb_model student = scripted_model(&x.student.model), teacher = scripted_model(&x.teacher);
  const trb_rollout_options o = {.size = sizeof o,
                                 .budget = 1.0,
                                 .stop = stop,
                                 .n_stop = 1,
                                 .ends = &ends,
                                 .max_tokens = 15,
                                 .repeats = 5,
                                 .block = block};
  ck_assert_int_eq(trb_rollout(NULL, &student, &teacher, &prompts, &o, &x.r), TRB_OK);
  x.options = (trb_train_options){.size = sizeof x.options, .objective = kind, .grad_dtype = grad_dtype, .routed = 1};
  if (kind == TRB_OBJECTIVE_DIVERGENCE) x.options.divergence = &jsd;
  return x;
}

/* -log p(argmax q) and weight (p_j - 1[j = argmax]) / T, p with its ends merged. */
static void check_routed(const step *x, int64_t t, double weight, const matrix *logits) {
  const int64_t argmax = x->r->argmax_teacher[t];
  oracle o = oracle_new(VOCAB + 1);
  oracle_load(&o, &logits->view, NULL, t);
  assert_near(x->loss[t], -oracle_log_p(&o, argmax), 1e-6, "loss of token %d", (int)t);
  if (x->options.objective != TRB_OBJECTIVE_TOKEN) ck_assert_int_eq(x->rows[t].status, TRB_ROW_SKIPPED);
  for (int64_t v = 0; v < VOCAB; v++) {
    const long double want = (long double)weight * (o.p[v] - (v == argmax)) / o.temperature;
    double got = matrix_get(&x->student.grad.view, t, v);
    if (v == end_student[0]) got += matrix_get(&x->student.grad.view, t, end_teacher[0]);
    if (v == end_teacher[0]) continue; /* the two share what the merged one gets */
    assert_near(got, want, 1e-6 * fabs(weight) + dtype_rounding(x->options.grad_dtype, got) * 3,
                "gradient %d of token %d", (int)v, (int)t);
  }
  oracle_free(&o);
}

/* Loop test over the objectives and the element types of the gradient, of which f32 takes the student's place. */
START_TEST(test_routed) {
  const int kind = _i % KINDS_OF_LOSS;
  const int32_t grad_dtype = _i / KINDS_OF_LOSS ? TRB_BF16 : TRB_F32;
  step x = step_of(kind, grad_dtype, 4), plain = step_of(kind, grad_dtype, 4);
  plain.options.routed = 0;
  double weights[200];
  for (int64_t t = 0; t < x.r->n_tokens; t++) weights[t] = t % 11 == 5 ? 0.0 : 0.5 + (double)(t % 3);
  x.options.weight = plain.options.weight = weights;
  ck_assert_int_eq(step_take(&x), TRB_OK);
  ck_assert_int_eq(step_take(&plain), TRB_OK);
  double *weight = malloc((size_t)x.r->n_tokens * sizeof *weight);
  if (!weight) abort();
  trainee_weights(x.r, &x.options, weight);
  matrix logits = trainee_logits(&x.student.model, x.r, &ends);
  int64_t routed = 0;
  long double sum = 0, objective = 0;
  for (int64_t t = 0; t < x.r->n_tokens; t++) {
    objective += (long double)weight[t] * (long double)x.loss[t];
    if (weight[t] != 0.0 && x.r->verdict[t] == TRB_VERDICT_CORRECTED) {
      check_routed(&x, t, weight[t], &logits);
      sum += (long double)x.loss[t];
      routed++;
    } else {
      assert_same_row(&x.student.grad.view, t, &plain.student.grad.view, t, "a token that is not routed");
      ck_assert(x.loss[t] == plain.loss[t]);
    }
  }
  ck_assert_int_gt(routed, 5);
  ck_assert_int_lt(routed, x.r->n_tokens / 2);
  ck_assert_int_eq(x.report.routed, routed);
  ck_assert_int_eq(x.report.tokens, plain.report.tokens);
  assert_near(x.report.routed_loss, sum / (long double)routed, 1e-12, "routed loss");
  assert_near(x.report.objective, objective, 1e-12, "objective");
  ck_assert_int_eq(plain.report.routed, 0);
  ck_assert(isnan(plain.report.routed_loss));
  if (kind != TRB_OBJECTIVE_TOKEN) ck_assert(x.report.entropy_student > 0.0 && x.report.agreement >= 0.0);
  free(weight);
  matrix_free(&logits);
  step_free(&x);
  step_free(&plain);
}
END_TEST

/* No bit depends on the micro-batches, nor on the length of blocks. */
START_TEST(test_split) {
  step x = step_of(TRB_OBJECTIVE_REVERSE_KL, TRB_F32, 4);
  ck_assert_int_eq(step_take(&x), TRB_OK);
  for (int64_t block = 1; block < 20; block += 5) {
    step other = step_of(TRB_OBJECTIVE_REVERSE_KL, TRB_F32, block);
    other.options.batch_bytes = 100 * block;
    ck_assert_int_eq(step_take(&other), TRB_OK);
    step_same(&x, &other, true, describe("blocks of %d", (int)block));
    step_free(&other);
  }
  step_free(&x);
}
END_TEST

/* Rollouts without blocks have nothing to route. */
START_TEST(test_nothing_corrected) {
  step x = step_of(TRB_OBJECTIVE_REVERSE_KL, TRB_F32, 0), plain = step_of(TRB_OBJECTIVE_REVERSE_KL, TRB_F32, 0);
  plain.options.routed = 0;
  ck_assert_int_eq(step_take(&x), TRB_OK);
  ck_assert_int_eq(step_take(&plain), TRB_OK);
  step_same(&x, &plain, true, "nothing corrected");
  step_free(&x);
  step_free(&plain);
}
END_TEST

TCase *train_routed_case(void) {
  TCase *tc = long_case("routed");
  tcase_add_loop_test(tc, test_routed, 0, 2 * KINDS_OF_LOSS);
  tcase_add_test(tc, test_split);
  tcase_add_test(tc, test_nothing_corrected);
  return tc;
}
