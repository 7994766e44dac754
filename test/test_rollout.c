/* test_rollout.c - when sequences end and why, which models are called, what shape the object has. */
#include <math.h>
#include <string.h>

#include "stage.h"
#include "suites.h"

static int64_t last_token(const trb_rollouts *r, int64_t i) {
  return r->token[r->offset[i + 1] - 1];
}

static bool is_in(int64_t id, const int64_t *ids, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (ids[i] == id) return true;
  return false;
}

/* No sequence goes on behind a stop, none ends without a reason; returns how many ended with a token. */
static int64_t check_stops(const trb_rollouts *r, const int64_t *stops, int64_t n, int64_t max_tokens,
                           int64_t max_length) {
  int64_t by_token = 0;
  for (int64_t i = 0; i < r->n; i++) {
    const bool stop = is_in(last_token(r, i), stops, n);
    const bool full = sampled_of(r, i) == max_tokens || length_of(r, i) == max_length;
    ck_assert_int_le(sampled_of(r, i), max_tokens);
    ck_assert_int_le(length_of(r, i), max_length);
    ck_assert_int_eq(r->stop[i], stop ? TRB_STOP_TOKEN : TRB_STOP_LENGTH);
    ck_assert_int_eq(r->row[i], TRB_ROW_OK);
    ck_assert(stop || full);
    for (int64_t t = r->offset[i]; t < r->offset[i + 1] - 1; t++) ck_assert(!is_in(r->token[t], stops, n));
    by_token += stop;
  }
  return by_token;
}

/* ---- Stop ids and lengths ---- */

/* Loop test over the behaviors. */
START_TEST(test_stop_ids) {
  stage s;
  stage_make(&s, _i, 8, 0x5701);
  s.stop[1] = 5;
  for (int64_t n = 0; n <= 2; n++) {
    s.options.n_stop = n;
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    assert_shape(&s, r);
    ck_assert_int_eq(check_stops(r, s.stop, n, INT64_MAX, 12) > 0, n > 0);
    trb_rollouts_free(r);
  }
  stage_free(&s);
}
END_TEST

START_TEST(test_limits) {
  static const int64_t limits[][2] = {{1, 0}, {3, 0}, {0, 6}, {0, 9}, {4, 7}, {1, 100}, {100, 6}};
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    stage s;
    stage_make(&s, KIND_BUDGET, 8, 0x5702);
    s.options.max_tokens = limits[i][0];
    s.options.max_length = limits[i][1];
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    assert_shape(&s, r);
    check_stops(r, s.stop, 1, limits[i][0] ? limits[i][0] : INT64_MAX, limits[i][1] ? limits[i][1] : INT64_MAX);
    trb_rollouts_free(r);
    stage_free(&s);
  }
}
END_TEST

/* A stop id as the last token that fits is a stop by token. */
START_TEST(test_stop_at_the_limit) {
  stage s;
  stage_make(&s, KIND_STUDENT, 2, 0x5703);
  static const int64_t both[] = {0, 1};
  s.options.stop = both;
  s.options.n_stop = 2;
  s.options.max_length = 0;
  s.options.max_tokens = 1;
  trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
  for (int64_t i = 0; i < r->n; i++) ck_assert_int_eq(r->stop[i], TRB_STOP_TOKEN);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* ---- Ends ---- */

/* Loop test over the behaviors. The student's ends stop a sequence; the teacher's are never sampled, though both
 * models give them as much probability as any token. One is beyond the student's vocabulary. */
START_TEST(test_ends) {
  static const int64_t of_student[] = {1, 4, 0}, of_teacher[] = {6, 7, 9};
  stage s;
  stage_make(&s, _i, 8, 0x5704);
  s.teacher.vocab = 10;
  s.ends = (trb_ends){of_student, of_teacher, 3};
  s.options.ends = &s.ends;
  s.options.n_stop = 0;
  s.options.repeats = 4;
  s.sampler.stream = NULL;
  trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
  assert_shape(&s, r);
  ck_assert_int_gt(check_stops(r, of_student, 3, INT64_MAX, 12), 4);
  for (int64_t t = 0; t < r->n_tokens; t++) ck_assert(!is_in(r->token[t], of_teacher, 2));
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* A model that is not there may have any id as its end. */
START_TEST(test_ends_of_a_missing_model) {
  static const int64_t of_student[] = {1, 4}, of_teacher[] = {6, 1000};
  static const int kinds[] = {KIND_STUDENT, KIND_BUDGET_ZERO, KIND_TEACHER};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    stage s;
    stage_make(&s, kinds[i], 8, 0x5711);
    s.ends = (trb_ends){of_student, of_teacher, 2};
    s.options.ends = &s.ends;
    ck_assert_ptr_null(stage_run(&s, NULL, TRB_EINVAL));
    s.no_student = !kind_needs_student(kinds[i]);
    s.no_teacher = !kind_needs_teacher(kinds[i]);
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    assert_shape(&s, r);
    trb_rollouts_free(r);
    stage_free(&s);
  }
}
END_TEST

/* ---- Which models are called ---- */

/* Loop test over the behaviors: a model that mu does not need is not called and may be missing; each sampled token
 * costs one row of the others, and all before it is known to them. */
START_TEST(test_calls) {
  stage s;
  stage_make(&s, _i, 8, 0x5708);
  s.options.batch = 5;
  const bool student = kind_needs_student(_i), teacher = kind_needs_teacher(_i);
  trb_rollouts *both = stage_run(&s, NULL, TRB_OK);
  int64_t known = 0, most = 0;
  for (int64_t i = 0; i < both->n; i++) {
    for (int64_t k = 1; k < sampled_of(both, i); k++) known += length_of(both, i) - sampled_of(both, i) + k - 1;
    if (sampled_of(both, i) > most) most = sampled_of(both, i);
  }
  const bool blocks = s.options.block > 0;
  const int64_t rows = blocks ? both->proposed : both->n_tokens;
  ck_assert_int_eq(s.student.rows, student ? rows : 0);
  ck_assert_int_eq(s.teacher.rows, teacher ? rows : 0);
  if (!blocks) ck_assert_int_eq(s.student.known, student ? known : 0);
  if (!blocks) ck_assert_int_eq(s.teacher.known, teacher ? known : 0);
  if (blocks) ck_assert_int_gt(s.teacher.proposed, 0);
  ck_assert(blocks || s.student.proposed + s.teacher.proposed + both->proposed == 0);
  ck_assert_int_eq(both->student_calls, s.student.calls);
  ck_assert_int_eq(both->teacher_calls, s.teacher.calls);
  ck_assert_int_ge(s.student.calls + s.teacher.calls, most);
  ck_assert_int_eq(both->kept, 0);
  s.no_student = !student;
  s.no_teacher = !teacher;
  trb_rollouts *alone = stage_run(&s, NULL, TRB_OK);
  assert_same_rollouts(alone, both, "without the other model");
  trb_rollouts_free(alone);
  trb_rollouts_free(both);
  stage_free(&s);
}
END_TEST

/* Budget 0, weight 0, the student and SKD that lets every token stand are one; an infinite budget, weight 1 and the
 * teacher are one. */
START_TEST(test_same_tokens) {
  static const int equal[][2] = {{KIND_STUDENT, KIND_BUDGET_ZERO},
                                 {KIND_STUDENT, KIND_BETA_ZERO},
                                 {KIND_STUDENT, KIND_SKD},
                                 {KIND_TEACHER, KIND_BETA_ONE},
                                 {KIND_TEACHER, KIND_BUDGET_INFINITE}};
  for (size_t i = 0; i < sizeof equal / sizeof equal[0]; i++) {
    stage a, b;
    stage_make(&a, equal[i][0], 30, 0x5709);
    stage_make(&b, equal[i][1], 30, 0x5709);
    if (equal[i][1] == KIND_SKD) b.options.top_k = 30;
    trb_rollouts *x = stage_run(&a, NULL, TRB_OK), *y = stage_run(&b, NULL, TRB_OK);
    ck_assert_int_eq(x->n_tokens, y->n_tokens);
    ck_assert_mem_eq(x->token, y->token, (size_t)x->n_tokens * sizeof *x->token);
    ck_assert_mem_eq(x->offset, y->offset, (size_t)(x->n + 1) * sizeof *x->offset);
    for (int64_t t = 0; t < x->n_tokens; t++) ck_assert(y->beta[t] == x->beta[t]);
    trb_rollouts_free(x);
    trb_rollouts_free(y);
    stage_free(&a);
    stage_free(&b);
  }
}
END_TEST

/* A model that is not called bounds the vocabulary all the same: the other's tokens beyond are never sampled. */
START_TEST(test_bound) {
  static const int kinds[] = {KIND_STUDENT, KIND_BUDGET_ZERO, KIND_BETA_ZERO, KIND_TEACHER};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    stage s;
    stage_make(&s, kinds[i], 4, 0x570A);
    *(kind_needs_student(kinds[i]) ? &s.student.vocab : &s.teacher.vocab) = 40;
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    for (int64_t t = 0; t < r->n_tokens; t++) ck_assert_int_lt(r->token[t], 4);
    trb_rollouts_free(r);
    stage_free(&s);
  }
}
END_TEST

/* ---- Little or nothing to do, and progress ---- */

/* A call that went well says nothing, whatever the models mask from each other. */
START_TEST(test_no_text) {
  for (int kind = 0; kind < KINDS; kind++) {
    stage s;
    stage_make(&s, kind, 6, 0x570D);
    s.student.masked = s.teacher.masked = 0.5;
    trb_context *ctx = context_with(1, TRB_ISA_AUTO);
    trb_rollouts_free(stage_run(&s, ctx, TRB_OK));
    ck_assert_str_eq(trb_context_error(ctx), "");
    trb_context_free(ctx);
    stage_free(&s);
  }
}
END_TEST

/* A vocabulary of one token, of which everything is 0 up to a rounding. */
START_TEST(test_one_token) {
  for (int kind = 0; kind < KINDS; kind++) {
    stage s;
    stage_make(&s, kind, 1, 0x570E);
    s.options.n_stop = 0;
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    assert_shape(&s, r);
    for (int64_t t = 0; t < r->n_tokens; t++) {
      ck_assert_int_eq(r->token[t], 0);
      for (int c = 0; c < ROLLOUT_COLUMNS; c++) {
        const double x = rollout_column(r, c)[t];
        ck_assert_msg(isnan(x) || fabs(x) <= 4e-16 || rollout_column(r, c) == r->beta, "%s: %s is %g", kind_name(kind),
                      rollout_column_name(c), x);
      }
    }
    trb_rollouts_free(r);
    stage_free(&s);
  }
}
END_TEST

START_TEST(test_no_prompts) {
  for (int kind = 0; kind < KINDS; kind++) {
    for (int with_offset = 0; with_offset < 2; with_offset++) {
      stage s;
      stage_make(&s, kind, 8, 0x570B);
      s.prompts = (trb_texts){NULL, with_offset ? s.offset : NULL, 0};
      s.options.keep_bytes = 1000;
      trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
      assert_shape(&s, r);
      ck_assert_int_eq(r->n_tokens, 0);
      ck_assert_int_eq(s.student.calls + s.teacher.calls, 0);
      ck_assert_int_eq(r->student_calls + r->teacher_calls, 0);
      trb_rollouts_free(r);
      stage_free(&s);
    }
  }
  trb_rollouts_free(NULL);
}
END_TEST

typedef struct telling {
  int64_t times, done[12 * STAGE_PROMPTS];
} telling;

static int32_t listen(int64_t done, int64_t total, void *user) {
  telling *t = user;
  ck_assert_int_eq(total, STAGE_PROMPTS);
  ck_assert_int_lt(t->times, 12 * STAGE_PROMPTS);
  t->done[t->times++] = done;
  return TRB_CONTINUE;
}

/* Told after every step how many are finished: without a batch those that have no more tokens than there were steps. */
START_TEST(test_progress) {
  for (int64_t batch = 0; batch < 5; batch++) {
    stage s;
    telling t = {0, {0}};
    stage_make(&s, KIND_BUDGET, 8, 0x570C);
    s.options.progress = listen;
    s.options.progress_user = &t;
    s.options.batch = batch;
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    ck_assert_int_eq(t.times, s.student.calls);
    ck_assert_int_eq(t.done[t.times - 1], STAGE_PROMPTS);
    for (int64_t step = 0; step < t.times; step++) {
      int64_t finished = 0;
      for (int64_t i = 0; i < r->n; i++) finished += sampled_of(r, i) <= step + 1;
      if (batch == 0) ck_assert_int_eq(t.done[step], finished);
      if (step > 0) ck_assert_int_ge(t.done[step], t.done[step - 1]);
      if (step < t.times - 1) ck_assert_int_lt(t.done[step], STAGE_PROMPTS);
    }
    trb_rollouts_free(r);
    stage_free(&s);
  }
}
END_TEST

Suite *rollout_suite(void) {
  Suite *suite = suite_create("rollout");
  TCase *tc = long_case("rollout");
  tcase_add_loop_test(tc, test_stop_ids, 0, KINDS);
  tcase_add_test(tc, test_limits);
  tcase_add_test(tc, test_stop_at_the_limit);
  tcase_add_loop_test(tc, test_ends, 0, KINDS);
  tcase_add_test(tc, test_ends_of_a_missing_model);
  tcase_add_loop_test(tc, test_calls, 0, KINDS);
  tcase_add_test(tc, test_same_tokens);
  tcase_add_test(tc, test_bound);
  tcase_add_test(tc, test_no_text);
  tcase_add_test(tc, test_one_token);
  tcase_add_test(tc, test_no_prompts);
  tcase_add_test(tc, test_progress);
  suite_add_tcase(suite, tc);
  suite_add_tcase(suite, rollout_numbers_case());
  suite_add_tcase(suite, rollout_exact_case());
  suite_add_tcase(suite, rollout_blocks_case());
  suite_add_tcase(suite, rollout_independence_case());
  suite_add_tcase(suite, rollout_failures_case());
  suite_add_tcase(suite, rollout_einval_case());
  suite_add_tcase(suite, rollouts_new_case());
  return suite;
}
