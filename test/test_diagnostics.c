/* test_diagnostics.c - trb_rollouts_totals: every field computed again from the arrays in long double, and the chain
 * rule against whole sequences by enumeration. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_behavior.h"
#include "stage.h"
#include "suites.h"

/* The columns of which totals has a mean, in its order, as numbers of rollout_column. */
static const int mean_of[] = {4, 1, 2, 3, 5, 6, 7, 8, 9, 10};
enum { MEANS = sizeof mean_of / sizeof mean_of[0], FIRST_KL = 5, LAST_KL = 7 };

/* ---- The reference ---- */

static long double mean_known(const double *x, int64_t n) {
  long double sum = 0;
  int64_t count = 0;
  for (int64_t t = 0; t < n; t++) {
    if (isnan(x[t]) || isinf(x[t])) continue;
    sum += (long double)x[t];
    count++;
  }
  return count > 0 ? sum / (long double)count : (long double)NAN;
}

/* log_behavior, log_student and log_teacher, and the three KLs. */
static int64_t count_infinite(const trb_rollouts *r) {
  int64_t count = 0;
  for (int64_t t = 0; t < r->n_tokens; t++) {
    bool infinite = false;
    for (int c = 1; c <= 3; c++) infinite |= isinf(rollout_column(r, c)[t]);
    for (int c = FIRST_KL; c <= LAST_KL; c++) infinite |= isinf(rollout_column(r, c)[t]);
    count += infinite;
  }
  return count;
}

static int64_t count_stops(const trb_rollouts *r, int32_t one, int32_t other) {
  int64_t count = 0;
  for (int64_t i = 0; i < r->n; i++) count += r->stop[i] == one || r->stop[i] == other;
  return count;
}

static void check_lengths(const trb_rollouts *r, const trb_totals *x) {
  int64_t shortest = r->n > 0 ? INT64_MAX : 0, longest = 0;
  for (int64_t i = 0; i < r->n; i++) {
    const int64_t length = sampled_of(r, i);
    if (length < shortest) shortest = length;
    if (length > longest) longest = length;
  }
  ck_assert_int_eq(x->sequences, r->n);
  ck_assert_int_eq(x->tokens, r->n_tokens);
  ck_assert_int_eq(x->shortest, shortest);
  ck_assert_int_eq(x->longest, longest);
  ck_assert_int_eq(x->stopped_token, count_stops(r, TRB_STOP_TOKEN, TRB_STOP_TOKEN));
  ck_assert_int_eq(x->stopped_length, count_stops(r, TRB_STOP_LENGTH, TRB_STOP_LENGTH));
  ck_assert_int_eq(x->stopped_row, count_stops(r, TRB_STOP_STUDENT, TRB_STOP_TEACHER));
  ck_assert_int_eq(x->unfinished, count_stops(r, TRB_STOP_NONE, TRB_STOP_NONE));
}

static void check_mean(double got, long double want, const char *what, int number) {
  assert_near(got, want, isfinite(want) ? 1e-12 * (1 + (double)fabsl(want)) : 0, "%s, number %d", what, number);
}

static trb_totals check_totals(const trb_rollouts *r, const char *what) {
  trb_totals x;
  memset(&x, 0x5A, sizeof x);
  x.size = sizeof x;
  ck_assert_int_eq(trb_rollouts_totals(NULL, r, &x), TRB_OK);
  ck_assert_uint_eq(x.size, sizeof x);
  check_lengths(r, &x);
  ck_assert_int_eq(x.infinite, count_infinite(r));
  const long double n = r->n > 0 ? (long double)r->n : (long double)NAN, tokens = (long double)r->n_tokens;
  long double kl = 0, blended = 0;
  int64_t verdicts[4] = {0};
  for (int64_t t = 0; t < r->n_tokens; t++) verdicts[r->verdict[t]]++;
  ck_assert_int_eq(x.proposed, r->proposed);
  ck_assert_int_eq(x.accepted, verdicts[TRB_VERDICT_ACCEPTED]);
  ck_assert_int_eq(x.corrected, verdicts[TRB_VERDICT_CORRECTED]);
  for (int64_t t = 0; t < r->n_tokens; t++) kl += (long double)r->kl_student[t];
  for (int64_t t = 0; t < r->n_tokens; t++) blended += r->status[t] == TRB_ROW_BLENDED;
  check_mean(x.mean_length, tokens / n, what, -4);
  check_mean(x.sequence_kl, kl / n, what, -3);
  check_mean(x.sequence_bound, (long double)r->budget * tokens / n, what, -2);
  check_mean(x.saturated, r->n_tokens > 0 ? blended / tokens : (long double)NAN, what, -1);
  const double *means[MEANS] = {&x.beta,       &x.log_behavior, &x.log_student,     &x.log_teacher,     &x.kl_student,
                                &x.kl_teacher, &x.reverse_kl,   &x.entropy_student, &x.entropy_teacher, &x.tv};
  for (int i = 0; i < MEANS; i++)
    check_mean(*means[i], mean_known(rollout_column(r, mean_of[i]), r->n_tokens), what, i);
  return x;
}

/* ---- Rollouts of every kind ---- */

/* Loop tests run over the behaviors, with and without masks: infinite numbers are among the tokens then. */
START_TEST(test_behaviors) {
  for (int masked = 0; masked < 2; masked++) {
    stage s;
    stage_make(&s, _i, 9, 0x401 + (uint64_t)_i);
    if (masked) s.student.masked = s.teacher.masked = 0.2;
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    const trb_totals x = check_totals(r, kind_name(_i));
    ck_assert(x.stopped_token > 0 && x.stopped_length > 0 && x.stopped_row == 0 && x.unfinished == 0);
    ck_assert(isnan(x.log_student) == !kind_needs_student(_i) && isnan(x.log_teacher) == !kind_needs_teacher(_i));
    const bool within = _i == KIND_BUDGET || _i == KIND_BLOCKS;
    ck_assert(isfinite(x.sequence_bound) == (within || _i == KIND_BUDGET_ZERO));
    ck_assert((x.accepted + x.corrected == x.tokens) == (_i == KIND_BLOCKS || _i == KIND_BLOCKS_BETA));
    if (!masked) ck_assert(within ? x.saturated > 0.3 && x.saturated < 1.0 : x.saturated == 0.0);
    if (within) ck_assert(x.sequence_kl > 0.0 && x.sequence_kl <= x.sequence_bound * (1 + 1e-6));
    trb_rollouts_free(r);
    stage_free(&s);
  }
}
END_TEST

static int32_t stop_late(int64_t done, int64_t total, void *user) {
  int *steps = user;
  (void)done;
  (void)total;
  return ++*steps == 4 ? 0 : TRB_CONTINUE;
}

/* Sequences that ended at a bad row of either model, and some that did not end. */
START_TEST(test_other_stops) {
  stage s;
  stage_make(&s, KIND_BUDGET, 9, 0x411);
  const scripted_fault of_student = {0, s.offset[1], SCRIPTED_NAN},
                       of_teacher = {1, s.offset[2] - s.offset[1], SCRIPTED_EMPTY};
  s.student.faults = &of_student;
  s.teacher.faults = &of_teacher;
  s.student.n_faults = s.teacher.n_faults = 1;
  trb_rollouts *r = stage_run(&s, NULL, TRB_EROWS);
  trb_totals x = check_totals(r, "bad rows");
  ck_assert(x.stopped_row == 2 && x.shortest == 0);
  trb_rollouts_free(r);
  int steps = 0;
  s.options.progress = stop_late;
  s.options.progress_user = &steps;
  r = stage_run(&s, NULL, TRB_ECALLBACK);
  x = check_totals(r, "stopped");
  ck_assert(x.unfinished > 0 && x.stopped_row == 2);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* Any number may be unknown or infinite; the arrays are written over for this. */
START_TEST(test_unknown_and_infinite_numbers) {
  rng g = {0x421};
  for (int64_t i = 0; i < scaled(50); i++) {
    stage s;
    stage_make(&s, KIND_BUDGET, 9, rng_next(&g));
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    const double share = rng_uniform(&g), infinite = rng_uniform(&g);
    for (int c = 0; c < ROLLOUT_COLUMNS; c++) {
      double *column = (double *)rollout_column(r, c);
      for (int64_t t = 0; t < r->n_tokens; t++) {
        if (!rng_chance(&g, i % 5 == 4 ? 1.0 : share * 0.3)) continue;
        column[t] = !rng_chance(&g, infinite) ? (double)NAN : c < 4 ? -(double)INFINITY : (double)INFINITY;
      }
    }
    check_totals(r, "written over");
    trb_rollouts_free(r);
    stage_free(&s);
  }
}
END_TEST

/* No sequences at all; given ones, of which nothing is known; no response anywhere. */
START_TEST(test_empty_objects) {
  static const int64_t tokens[] = {1, 2, 3, 4}, offset[] = {0, 2, 4}, whole[] = {2, 2}, half[] = {1, 1};
  for (int what = 0; what < 3; what++) {
    const trb_texts texts = {tokens, offset, what == 0 ? 0 : 2};
    trb_rollouts *r;
    ck_assert_int_eq(trb_rollouts_new(NULL, &texts, what == 1 ? half : whole, NULL, NULL, &r), TRB_OK);
    const trb_totals x = check_totals(r, "given");
    ck_assert(isnan(x.log_student) && isnan(x.beta) && isnan(x.sequence_bound));
    ck_assert(x.stopped_token + x.stopped_length + x.stopped_row + x.unfinished == 0);
    if (what == 1) ck_assert(isnan(x.sequence_kl) && x.mean_length == 1.0);
    if (what == 2) ck_assert(x.sequence_kl == 0.0 && x.mean_length == 0.0);
    trb_rollouts_free(r);
  }
}
END_TEST

/* ---- Contract ---- */

START_TEST(test_sizes_and_errors) {
  stage s;
  stage_make(&s, KIND_BUDGET, 9, 0x431);
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  trb_rollouts *r = stage_run(&s, ctx, TRB_OK);
  struct {
    trb_totals known;
    unsigned char more[16];
  } x, before;
  memset(&x, 0x5A, sizeof x);
  static const size_t wrong[] = {0, sizeof(trb_totals) - 1, 4097};
  for (int i = 0; i < 3; i++) {
    x.known.size = wrong[i];
    before = x;
    ck_assert_int_eq(trb_rollouts_totals(ctx, r, &x.known), TRB_EINVAL);
    ck_assert_mem_eq(&x, &before, sizeof x);
    ck_assert_ptr_eq(strstr(trb_context_error(ctx), "out->size:"), trb_context_error(ctx));
  }
  ck_assert_int_eq(trb_rollouts_totals(ctx, r, NULL), TRB_EINVAL);
  ck_assert_ptr_eq(strstr(trb_context_error(ctx), "out:"), trb_context_error(ctx));
  x.known.size = sizeof x.known;
  before = x;
  ck_assert_int_eq(trb_rollouts_totals(ctx, NULL, &x.known), TRB_EINVAL);
  ck_assert_ptr_eq(strstr(trb_context_error(ctx), "rollouts:"), trb_context_error(ctx));
  ck_assert_mem_eq(&x, &before, sizeof x);
  ck_assert_int_eq(trb_rollouts_totals(ctx, r, &x.known), TRB_OK);
  ck_assert_mem_eq(x.more, before.more, sizeof x.more); /* beyond what the caller knows nothing is written */
  const trb_totals known = x.known;
  x.known.size = sizeof x;
  ck_assert_int_eq(trb_rollouts_totals(ctx, r, &x.known), TRB_OK);
  x.known.size = known.size;
  ck_assert_mem_eq(&x.known, &known, sizeof known);
  for (size_t i = 0; i < sizeof x.more; i++) ck_assert_uint_eq(x.more[i], 0);
  trb_rollouts_free(r);
  trb_context_free(ctx);
  stage_free(&s);
}
END_TEST

/* ---- The chain rule ---- */

typedef struct tree {
  const stage *s;
  oracle o;
  oracle_mu mu;
  int64_t text[8];
  long double divergence; /* sum over sequences of P_mu log(P_mu/P_p) */
  long double most;       /* largest sum of KL(mu||p) along a path */
} tree;

/* Every sequence that begins with these `length` tokens; the logarithms are those of the path. */
static void walk(tree *x, int64_t length, long double log_mu, long double log_p, long double sum) {
  long double mu[3], p[3];
  const bool over = length > 1 && x->text[length - 1] == x->s->stop[0];
  if (over || length == x->s->options.max_length) {
    x->divergence += expl(log_mu) * (log_mu - log_p);
    if (sum > x->most) x->most = sum;
    return;
  }
  scripted_load(&x->o, &x->s->student, &x->s->teacher, NULL, x->text, length);
  oracle_behavior(&x->o, &x->s->options, &x->mu);
  for (int64_t v = 0; v < 3; v++) mu[v] = x->mu.log_mu[v];
  for (int64_t v = 0; v < 3; v++) p[v] = oracle_log_p(&x->o, v);
  sum += oracle_mu_kl_student(&x->o, &x->mu);
  for (int64_t v = 0; v < 3; v++) {
    x->text[length] = v;
    walk(x, length + 1, log_mu + mu[v], log_p + p[v], sum);
  }
}

/* sequence_kl is an unbiased estimate of KL(P_mu||P_p), which is computed here from whole sequences. 20,000 sequences,
 * seed as below; a sum lies in [0, most], so that by Hoeffding's inequality the mean is off by more than most * 0.0265
 * with a probability below 2 exp(-2 * 20000 * 0.0265^2) = 1.3e-12. */
START_TEST(test_chain_rule) {
  static const int kinds[] = {KIND_BUDGET, KIND_BETA, KIND_BETA_ONE, KIND_SKD};
  enum { REPEATS = 20000 };
  stage s;
  stage_make(&s, kinds[_i], 3, 0x441 + (uint64_t)_i);
  s.student.spread = s.teacher.spread = 1.5;
  s.tokens[0] = 1;
  s.offset[1] = 1;
  s.prompts.n = 1;
  s.sampler.stream = NULL;
  s.options.max_length = 5;
  s.options.repeats = REPEATS;
  trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
  const trb_totals got = check_totals(r, "chain rule");
  tree x = {.s = &s, .o = oracle_new(3), .mu = oracle_mu_new(3), .text = {1}};
  walk(&x, 1, 0, 0, 0);
  assert_near(got.sequence_kl, x.divergence, (double)x.most * 0.0265, "%s", kind_name(kinds[_i]));
  ck_assert(x.divergence > 0.1L * x.most); /* the bound tells it from 0 */
  if (_i == 0) ck_assert(got.sequence_kl <= got.sequence_bound * (1 + 1e-6));
  oracle_mu_free(&x.mu);
  oracle_free(&x.o);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

Suite *diagnostics_suite(void) {
  Suite *suite = suite_create("diagnostics");
  TCase *tc = long_case("totals");
  tcase_add_loop_test(tc, test_behaviors, 0, KINDS);
  tcase_add_test(tc, test_other_stops);
  tcase_add_test(tc, test_unknown_and_infinite_numbers);
  tcase_add_test(tc, test_empty_objects);
  tcase_add_test(tc, test_sizes_and_errors);
  tcase_add_loop_test(tc, test_chain_rule, 0, 4);
  suite_add_tcase(suite, tc);
  suite_add_tcase(suite, entropy_case());
  suite_add_tcase(suite, scores_case());
  suite_add_tcase(suite, gain_case());
  suite_add_tcase(suite, gain_failures_case());
  return suite;
}
