/* test_rollout_numbers.c - everything a rollout says of a sampled token, against long double. */
#include <math.h>
#include <stdio.h>

#include "oracle_behavior.h"
#include "stage.h"
#include "suites.h"

/* ---- The models ---- */

enum {
  PLAIN,
  HALVES, /* f16 and bf16 at temperatures of their own */
  MASKS,  /* few tokens, many of them masked */
  SMALL_TEACHER,
  SMALL_STUDENT,
  ENDS, /* a chain of merged ends, and one beyond the student's vocabulary */
  FILTERS,
  BLOCKS, /* rows of several blocks */
  VARIANTS
};

static const char *const variant_names[VARIANTS] = {"plain",         "halves", "masks",   "small teacher",
                                                    "small student", "ends",   "filters", "blocks"};

static const int64_t end_student[] = {3, 4, 1}, end_teacher[] = {5, 3, 21};

static void make(stage *s, int kind, int variant) {
  static const int64_t vocabs[VARIANTS] = {20, 20, 5, 20, 17, 20, 20, 1500};
  stage_make(s, kind, vocabs[variant] < 17 ? vocabs[variant] : 17, 0x4E00 + (uint64_t)variant);
  s->student.vocab = s->teacher.vocab = vocabs[variant];
  if (variant == HALVES) {
    s->student.dtype = TRB_F16;
    s->student.temperature = 0.8f;
    s->teacher.dtype = TRB_BF16;
    s->teacher.temperature = 1.3f;
  }
  if (variant == MASKS) s->student.masked = s->teacher.masked = 0.4;
  if (variant == SMALL_TEACHER) s->teacher.vocab = 18;
  if (variant == SMALL_STUDENT) {
    s->teacher.vocab = 30;
    s->teacher.masked = 0.2;
  }
  if (variant == ENDS) {
    s->teacher.vocab = 22;
    s->teacher.temperature = 1.3f;
    s->student.dtype = TRB_BF16;
    s->student.masked = s->teacher.masked = 0.2;
    s->ends = (trb_ends){end_student, end_teacher, 3};
    s->options.ends = &s->ends;
  }
  if (variant == FILTERS) {
    s->sampler.top_k = 7;
    s->sampler.top_p = 0.8;
    s->sampler.min_p = 0.05;
  }
  if (variant == BLOCKS) {
    s->student.spread = s->teacher.spread = 3.0;
    s->prompts.n = 1;
  }
}

/* ---- One token ---- */

typedef struct seen {
  int64_t tokens, masked, by_status[TRB_ROW_GIVEN + 1];
} seen;

/* What the header says of the status within a budget; a budget that is active is met. */
static void check_budget(const oracle *o, double budget, int32_t status, double beta, const char *where) {
  const long double cost = oracle_support_cost(o), whole = oracle_kl_student(o, 1.0);
  int32_t want = TRB_ROW_BLENDED;
  if (whole <= (long double)budget) want = TRB_ROW_TEACHER;
  if (isinf(cost) || cost > (long double)budget) want = TRB_ROW_UNREACHABLE;
  ck_assert_msg(status == want, "status %d, expected %d: %s", status, want, where);
  if (want != TRB_ROW_BLENDED) {
    ck_assert_msg(beta == (want == TRB_ROW_TEACHER), "beta %g: %s", beta, where);
  } else {
    const long double kl = oracle_kl_student(o, beta);
    ck_assert_msg(kl <= (long double)budget * (1 + 1e-6L) && kl >= (long double)budget * (1 - 1e-4L), "KL %Lg: %s", kl,
                  where);
  }
}

/* Everything that should be known at a token of this kind but log_sampled; NaN is not known. */
static void expect(int kind, const oracle *o, const oracle_mu *mu, int64_t token, long double *want) {
  const bool student = kind_needs_student(kind), teacher = kind_needs_teacher(kind);
  const long double unknown = (long double)NAN;
  want[COLUMN_LOG_BEHAVIOR] = mu->log_mu[token];
  want[COLUMN_LOG_STUDENT] = student ? oracle_log_p(o, token) : unknown;
  want[COLUMN_LOG_TEACHER] = teacher ? oracle_log_q(o, token) : unknown;
  want[COLUMN_BETA] = mu->beta;
  want[COLUMN_KL_STUDENT] = student ? oracle_mu_kl_student(o, mu) : unknown;
  want[COLUMN_KL_TEACHER] = teacher ? oracle_mu_kl_teacher(o, mu) : unknown;
  want[COLUMN_REVERSE_KL] = student && teacher ? oracle_blend_at(o, 0.0).reverse_kl : unknown;
  want[COLUMN_ENTROPY_STUDENT] = student ? oracle_entropy_student(o) : unknown;
  want[COLUMN_ENTROPY_TEACHER] = teacher ? oracle_entropy_teacher(o) : unknown;
  want[COLUMN_TV] = unknown;
}

/* sum (mu - p)+, mu after the filters. */
static long double total_variation(const oracle *o, const oracle_mu *mu) {
  long double sum = 0;
  for (int64_t v = 0; v < o->n; v++) sum += expl(mu->log_mu[v]) > o->p[v] ? expl(mu->log_mu[v]) - o->p[v] : 0;
  return sum;
}

/* A verdict and the teacher's argmax, where the student proposes. */
static void check_verdict(const stage *s, const trb_rollouts *r, int64_t t, const oracle *o) {
  const bool proposed = r->verdict[t] == TRB_VERDICT_ACCEPTED || r->verdict[t] == TRB_VERDICT_CORRECTED;
  ck_assert(proposed ? s->options.block > 0 : s->options.block == 0 && r->verdict[t] == TRB_VERDICT_DRAWN);
  int64_t argmax = proposed ? 0 : -1;
  for (int64_t v = 1; v < o->n && proposed; v++) argmax = o->raw_t[v] > o->raw_t[argmax] ? v : argmax;
  ck_assert_int_eq(r->argmax_teacher[t], argmax);
}

static void check_token(const stage *s, int kind, const trb_rollouts *r, int64_t sequence, int64_t k, oracle *o,
                        oracle_mu *mu, seen *all, const char *where) {
  const int64_t t = r->offset[sequence] + k, token = r->token[t];
  const int32_t status = r->status[t];
  long double want[ROLLOUT_COLUMNS];
  stage_load(s, r, sequence, k, o);
  ck_assert_int_eq(r->text[r->text_offset[sequence + 1] - sampled_of(r, sequence) + k], token);
  ck_assert(token >= 0 && token < o->n);
  if (s->options.behavior == TRB_BEHAVIOR_BUDGET && s->options.budget > 0.0) {
    check_budget(o, s->options.budget, status, r->beta[t], where);
    oracle_behavior_at(o, r->beta[t], mu);
  } else {
    oracle_behavior(o, &s->options, mu);
    ck_assert_msg(status == mu->status, "status %d, expected %d: %s", status, mu->status, where);
  }
  expect(kind, o, mu, token, want);
  oracle_behavior_filter(o, &s->sampler, mu);
  want[COLUMN_LOG_SAMPLED] = mu->log_mu[token];
  if (s->options.block > 0) want[COLUMN_TV] = total_variation(o, mu);
  check_verdict(s, r, t, o);
  for (int c = 0; c < ROLLOUT_COLUMNS; c++) {
    const double got = rollout_column(r, c)[t], tolerance = isfinite(want[c]) ? 3e-7 * (1.0 + fabs(got)) : 0.0;
    assert_near(got, want[c], tolerance, "%s of token %d of sequence %d, %s", rollout_column_name(c), (int)k,
                (int)sequence, where);
  }
  all->tokens++;
  all->by_status[status]++;
  all->masked += r->log_teacher[t] == -(double)INFINITY;
}

static void check_all(int kind, int variant, seen *all) {
  char where[100];
  stage s;
  make(&s, kind, variant);
  snprintf(where, sizeof where, "%s, %s", kind_name(kind), variant_names[variant]);
  trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
  oracle o = oracle_new(1500);
  oracle_mu mu = oracle_mu_new(1500);
  assert_near(r->budget, s.options.behavior == TRB_BEHAVIOR_BUDGET ? (long double)s.options.budget : (long double)NAN,
              0.0, "budget of %s", where);
  for (int64_t i = 0; i < r->n; i++)
    for (int64_t k = 0; k < sampled_of(r, i); k++) check_token(&s, kind, r, i, k, &o, &mu, all, where);
  oracle_mu_free(&mu);
  oracle_free(&o);
  trb_rollouts_free(r);
  stage_free(&s);
}

/* ---- Tests ---- */

/* Loop test over the behaviors. */
START_TEST(test_numbers) {
  for (int variant = 0; variant < VARIANTS; variant++) {
    seen all = {0, 0, {0}};
    check_all(_i, variant, &all);
    ck_assert_int_ge(all.tokens, variant == BLOCKS ? 1 : STAGE_PROMPTS);
    if (variant == MASKS && _i == KIND_BUDGET) {
      ck_assert_int_gt(all.by_status[TRB_ROW_UNREACHABLE], 0);
      ck_assert_int_gt(all.masked, 0);
    }
    if (variant == MASKS && _i == KIND_BUDGET_INFINITE) ck_assert_int_gt(all.by_status[TRB_ROW_TEACHER], 0);
    if (variant == PLAIN && _i == KIND_BUDGET) ck_assert_int_gt(all.by_status[TRB_ROW_BLENDED], 0);
  }
}
END_TEST

/* A budget that some rows pass and others do not. */
START_TEST(test_budget_in_between) {
  stage s;
  stage_make(&s, KIND_BUDGET, 6, 0x4E10);
  s.student.spread = s.teacher.spread = 0.4;
  s.student.masked = s.teacher.masked = 0.1;
  oracle o = oracle_new(6);
  oracle_mu mu = oracle_mu_new(6);
  seen all = {0, 0, {0}};
  trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
  for (int64_t i = 0; i < r->n; i++)
    for (int64_t k = 0; k < sampled_of(r, i); k++) check_token(&s, KIND_BUDGET, r, i, k, &o, &mu, &all, "in between");
  for (int32_t status = TRB_ROW_BLENDED; status <= TRB_ROW_UNREACHABLE; status++)
    ck_assert_int_eq(all.by_status[status] > 0, status != TRB_ROW_STUDENT);
  trb_rollouts_free(r);
  oracle_mu_free(&mu);
  oracle_free(&o);
  stage_free(&s);
}
END_TEST

/* The most probable token of mu, of which there is no chance. */
START_TEST(test_greedy) {
  for (int kind = 0; kind < KINDS; kind++) {
    stage s;
    stage_make(&s, kind, 15, 0x4E20);
    s.sampler.greedy = 1;
    oracle o = oracle_new(15);
    oracle_mu mu = oracle_mu_new(15);
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    for (int64_t i = 0; i < r->n; i++)
      for (int64_t k = 0; k < sampled_of(r, i); k++) {
        const int64_t t = r->offset[i] + k;
        int64_t best = 0;
        stage_load(&s, r, i, k, &o);
        oracle_behavior(&o, &s.options, &mu);
        for (int64_t v = 1; v < o.n; v++)
          if (mu.log_mu[v] > mu.log_mu[best]) best = v;
        ck_assert_int_eq(r->token[t], best);
        ck_assert(r->log_sampled[t] == 0.0);
      }
    trb_rollouts_free(r);
    oracle_mu_free(&mu);
    oracle_free(&o);
    stage_free(&s);
  }
}
END_TEST

/* Temperatures beyond a float: the most probable token alone, or any token alike. */
START_TEST(test_extreme_temperatures) {
  static const int kinds[] = {KIND_STUDENT, KIND_TEACHER, KIND_SKD};
  for (int i = 0; i < 6; i++) {
    stage s;
    stage_make(&s, kinds[i / 2], 15, 0x4E30);
    s.student.temperature = s.teacher.temperature = i % 2 ? 2.0f : 0.5f;
    s.options.temperature = i % 2 ? 1e300 : 1e-300;
    oracle o = oracle_new(15);
    oracle_mu mu = oracle_mu_new(15);
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    for (int64_t k = 0; k < sampled_of(r, 0); k++) {
      stage_load(&s, r, 0, k, &o);
      oracle_behavior(&o, &s.options, &mu);
      assert_near(r->log_behavior[k], mu.log_mu[r->token[k]], 1e-6, "%s at %g", kind_name(kinds[i / 2]),
                  s.options.temperature);
    }
    trb_rollouts_free(r);
    oracle_mu_free(&mu);
    oracle_free(&o);
    stage_free(&s);
  }
}
END_TEST

TCase *rollout_numbers_case(void) {
  TCase *tc = long_case("numbers");
  tcase_add_loop_test(tc, test_numbers, 0, KINDS);
  tcase_add_test(tc, test_budget_in_between);
  tcase_add_test(tc, test_greedy);
  tcase_add_test(tc, test_extreme_temperatures);
  return tc;
}
