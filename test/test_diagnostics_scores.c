/* test_diagnostics_scores.c - how the teacher rates whole sequences, and how well a score tells two kinds apart. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "counting.h"
#include "stage.h"
#include "suites.h"

/* ---- trb_sequence_scores ---- */

/* Means of log q - log p from the models themselves: rollouts of each behavior, scored by whoever did not sample. */
START_TEST(test_scores) {
  for (int masked = 0; masked < 2; masked++) {
    stage s;
    stage_make(&s, _i, 9, 0x501 + (uint64_t)_i);
    if (masked) s.teacher.masked = 0.1;
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    double out[STAGE_PROMPTS];
    ck_assert_int_eq(trb_sequence_scores(NULL, r, out), TRB_OK);
    for (int64_t i = 0; i < r->n; i++) ck_assert(isnan(out[i]) == !(kind_needs_student(_i) && kind_needs_teacher(_i)));
    const trb_model student = scripted_model(&s.student), teacher = scripted_model(&s.teacher);
    ck_assert_int_eq(trb_score(NULL, &student, &teacher, NULL, r), TRB_OK);
    ck_assert_int_eq(trb_sequence_scores(NULL, r, out), TRB_OK);
    oracle o = oracle_new(9);
    for (int64_t i = 0; i < r->n; i++) {
      long double sum = 0;
      for (int64_t k = 0; k < sampled_of(r, i); k++) {
        stage_load(&s, r, i, k, &o);
        const int64_t token = r->token[r->offset[i] + k];
        sum += oracle_log_q(&o, token) - oracle_log_p(&o, token);
      }
      assert_near(out[i], sum / (long double)sampled_of(r, i), 2e-6, "%s sequence %d", kind_name(_i), (int)i);
    }
    oracle_free(&o);
    trb_rollouts_free(r);
    stage_free(&s);
  }
}
END_TEST

/* Nothing known, one number not known, no tokens, one token that the teacher masks. */
START_TEST(test_scores_without_a_number) {
  static const int64_t tokens[] = {1, 2, 3, 1, 4, 1, 2, 3}, offset[] = {0, 3, 5, 8}, prompt[] = {1, 2, 1};
  const trb_texts texts = {tokens, offset, 3};
  scripted student = scripted_new(1, 6, TRB_F32), teacher = scripted_new(2, 6, TRB_F32);
  trb_rollouts *r;
  double out[3] = {0.0, 0.0, 0.0};
  ck_assert_int_eq(trb_rollouts_new(NULL, &texts, prompt, NULL, NULL, &r), TRB_OK);
  ck_assert_int_eq(trb_sequence_scores(NULL, r, out), TRB_OK);
  for (int i = 0; i < 3; i++) ck_assert(isnan(out[i]));
  const scripted_fault fault = {0, 2, SCRIPTED_NAN};
  teacher.faults = &fault;
  teacher.n_faults = 1;
  const trb_model p = scripted_model(&student), q = scripted_model(&teacher);
  ck_assert_int_eq(trb_score(NULL, &p, &q, NULL, r), TRB_EROWS);
  ck_assert_int_eq(trb_sequence_scores(NULL, r, out), TRB_OK);
  ck_assert(isnan(out[0]) && isnan(out[1]) && isfinite(out[2]));
  ((double *)r->log_teacher)[r->offset[2]] = -(double)INFINITY;
  ck_assert_int_eq(trb_sequence_scores(NULL, r, out), TRB_OK);
  ck_assert(out[2] == -(double)INFINITY);
  trb_rollouts_free(r);
  scripted_free(&student);
  scripted_free(&teacher);
}
END_TEST

START_TEST(test_errors_of_scores) {
  static const int64_t tokens[] = {1, 2}, offset[] = {0, 2}, prompt[] = {1};
  const trb_texts texts = {tokens, offset, 1}, none = {NULL, NULL, 0};
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  trb_rollouts *r, *empty;
  double out = 0.25;
  ck_assert_int_eq(trb_rollouts_new(NULL, &texts, prompt, NULL, NULL, &r), TRB_OK);
  ck_assert_int_eq(trb_rollouts_new(NULL, &none, NULL, NULL, NULL, &empty), TRB_OK);
  ck_assert_int_eq(trb_sequence_scores(ctx, NULL, &out), TRB_EINVAL);
  ck_assert_ptr_eq(strstr(trb_context_error(ctx), "rollouts:"), trb_context_error(ctx));
  ck_assert_int_eq(trb_sequence_scores(ctx, r, NULL), TRB_EINVAL);
  ck_assert_ptr_eq(strstr(trb_context_error(ctx), "out:"), trb_context_error(ctx));
  ck_assert_int_eq(trb_sequence_scores(NULL, NULL, &out), TRB_EINVAL);
  ck_assert_int_eq(trb_sequence_scores(NULL, empty, &out), TRB_OK);
  ck_assert(out == 0.25);
  trb_rollouts_free(r);
  trb_rollouts_free(empty);
  trb_context_free(ctx);
}
END_TEST

/* ---- trb_auroc ---- */

/* The definition: all pairs of a positive and a negative, in halves. */
static double area(const double *score, const int32_t *positive, int64_t n) {
  int64_t halves = 0, pairs = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      if (positive[i] != 1 || positive[j] != 0) continue;
      pairs++;
      halves += score[i] > score[j] ? 2 : score[i] == score[j];
    }
  return pairs > 0 ? (double)halves / (2.0 * (double)pairs) : (double)NAN;
}

enum { MOST = 400 };

/* Random scores: all different, with many ties, with infinities, both zeros; kinds in any proportion. Counts of halves
 * are exact in doubles, and so is the result but for its one division. */
START_TEST(test_area) {
  rng g = {0x511};
  double score[MOST];
  int32_t positive[MOST];
  for (int64_t i = 0; i < scaled(300); i++) {
    const int64_t n = rng_size(&g, 1, MOST) - 1;
    const double share = i % 10 == 9 ? (double)(i / 10 % 2) : rng_uniform(&g), shift = rng_normal(&g);
    for (int64_t k = 0; k < n; k++) {
      positive[k] = rng_chance(&g, share);
      score[k] = rng_normal(&g) + shift * positive[k];
      if (i % 3 == 1) score[k] = floor(2.0 * score[k]);
      if (i % 3 == 2 && rng_chance(&g, 0.3)) score[k] = rng_chance(&g, 0.5) ? (double)INFINITY : -(double)INFINITY;
      if (rng_chance(&g, 0.05)) score[k] = rng_chance(&g, 0.5) ? 0.0 : -0.0;
    }
    double out = -1.0;
    ck_assert_int_eq(trb_auroc(NULL, score, positive, n, &out), TRB_OK);
    assert_near(out, (long double)area(score, positive, n), 2e-16, "%d scores", (int)n);
  }
}
END_TEST

START_TEST(test_known_areas) {
  static const double score[] = {1.0, 2.0, 3.0, 4.0};
  static const int32_t sorted[] = {0, 0, 1, 1}, reversed[] = {1, 1, 0, 0}, mixed[] = {0, 1, 0, 1},
                       ones[] = {1, 1, 1, 1};
  static const double equal[] = {-(double)INFINITY, -(double)INFINITY, -(double)INFINITY, -(double)INFINITY};
  const struct {
    const double *score;
    const int32_t *positive;
    int64_t n;
    double want;
  } cases[] = {{score, sorted, 4, 1.0}, {score, reversed, 4, 0.0}, {score, mixed, 4, 0.75}, {equal, mixed, 4, 0.5},
               {score, ones, 4, NAN},   {score, sorted, 2, NAN},   {NULL, NULL, 0, NAN}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    double out = -1.0;
    ck_assert_int_eq(trb_auroc(NULL, cases[i].score, cases[i].positive, cases[i].n, &out), TRB_OK);
    assert_near(out, (long double)cases[i].want, 0, "case %d", (int)i);
  }
}
END_TEST

START_TEST(test_errors_of_area) {
  static const double score[] = {1.0, 2.0}, bad_score[] = {1.0, NAN};
  static const int32_t positive[] = {0, 1}, two[] = {2, 1}, minus[] = {0, -1};
  double out = 0.25;
  const struct {
    const double *score;
    const int32_t *positive;
    int64_t n;
    double *out;
    const char *name;
  } cases[] = {{NULL, positive, 2, &out, "score:"},      {score, NULL, 2, &out, "positive:"},
               {score, positive, -1, &out, "n:"},        {score, positive, 2, NULL, "out:"},
               {bad_score, positive, 2, &out, "score["}, {score, two, 2, &out, "positive[0]:"},
               {score, minus, 2, &out, "positive[1]:"}};
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ck_assert_int_eq(trb_auroc(ctx, cases[i].score, cases[i].positive, cases[i].n, cases[i].out), TRB_EINVAL);
    ck_assert_ptr_eq(strstr(trb_context_error(ctx), cases[i].name), trb_context_error(ctx));
    ck_assert_int_eq(trb_auroc(NULL, cases[i].score, cases[i].positive, cases[i].n, cases[i].out), TRB_EINVAL);
    ck_assert(out == 0.25);
  }
  trb_context_free(ctx);
}
END_TEST

START_TEST(test_area_without_memory) {
  static const double score[] = {1.0, 2.0};
  static const int32_t positive[] = {0, 1};
  counter count;
  const trb_context_options o = counted(&count, 1);
  trb_context *ctx;
  double out = 0.25;
  ck_assert_int_eq(trb_context_new(&o, &ctx), TRB_OK);
  const int64_t live = count.live;
  count.fail_at = count.calls;
  ck_assert_int_eq(trb_auroc(ctx, score, positive, 2, &out), TRB_ENOMEM);
  ck_assert_ptr_nonnull(strstr(trb_context_error(ctx), "alloc"));
  ck_assert(out == 0.25);
  ck_assert_int_eq(trb_auroc(ctx, score, positive, 2, &out), TRB_OK);
  ck_assert(out == 1.0);
  ck_assert_int_eq(count.live, live);
  trb_context_free(ctx);
}
END_TEST

TCase *scores_case(void) {
  TCase *tc = long_case("scores");
  tcase_add_loop_test(tc, test_scores, 0, KINDS);
  tcase_add_test(tc, test_scores_without_a_number);
  tcase_add_test(tc, test_errors_of_scores);
  tcase_add_test(tc, test_area);
  tcase_add_test(tc, test_known_areas);
  tcase_add_test(tc, test_errors_of_area);
  tcase_add_test(tc, test_area_without_memory);
  return tc;
}
