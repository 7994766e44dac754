/* test_score.c - asking models afterwards: what is filled in, what is asked for, what is left alone. */
#include <math.h>
#include <string.h>

#include "oracle_behavior.h"
#include "stage.h"
#include "suites.h"

static trb_status score(stage *s, trb_context *ctx, const trb_score_options *options, trb_rollouts *r) {
  const trb_model student = scripted_model(&s->student), teacher = scripted_model(&s->teacher);
  return trb_score(ctx, s->no_student ? NULL : &student, s->no_teacher ? NULL : &teacher, options, r);
}

/* Nothing is missing of the models that are there: they are not called. */
static void check_complete(stage *s, trb_rollouts *r) {
  const int64_t calls = r->student_calls + r->teacher_calls;
  s->student.stop_at = s->teacher.stop_at = 0;
  ck_assert_int_eq(score(s, NULL, NULL, r), TRB_OK);
  ck_assert_int_eq(s->student.calls + s->teacher.calls, 0);
  ck_assert_int_eq(r->student_calls + r->teacher_calls, calls);
  s->student.stop_at = s->teacher.stop_at = -1;
}

/* Everything that the models of the stage say of the tokens, against long double. */
static void check_values(const stage *s, const trb_rollouts *r, const char *what) {
  oracle o = oracle_new(1500);
  for (int64_t i = 0; i < r->n; i++) {
    for (int64_t k = 0; k < sampled_of(r, i); k++) {
      const int64_t t = r->offset[i] + k;
      stage_load(s, r, i, k, &o);
      const long double log_p = oracle_log_p(&o, r->token[t]), entropy_p = oracle_entropy_student(&o);
      const long double log_q = o.has_teacher ? oracle_log_q(&o, r->token[t]) : log_p;
      const long double entropy_q = o.has_teacher ? oracle_entropy_teacher(&o) : entropy_p;
      const struct {
        bool given;
        long double want;
        int column;
      } values[] = {{!s->no_student, log_p, COLUMN_LOG_STUDENT},
                    {!s->no_student, entropy_p, COLUMN_ENTROPY_STUDENT},
                    {!s->no_teacher, log_q, COLUMN_LOG_TEACHER},
                    {!s->no_teacher, entropy_q, COLUMN_ENTROPY_TEACHER}};
      for (int c = 0; c < 4; c++) {
        if (!values[c].given) continue;
        const double got = rollout_column(r, values[c].column)[t];
        assert_near(got, values[c].want, isfinite(values[c].want) ? 3e-7 * (1.0 + fabs(got)) : 0.0,
                    "%s of token %d of sequence %d, %s", rollout_column_name(values[c].column), (int)k, (int)i, what);
      }
    }
  }
  oracle_free(&o);
}

/* ---- Sequences from elsewhere ---- */

enum { PLAIN, HALVES, MASKS, SIZES, ENDS, BLOCKS, VARIANTS };

static void make(stage *s, int variant) {
  static const int64_t of_student[] = {3, 4, 1}, of_teacher[] = {5, 3, 21};
  stage_make(s, KIND_TEACHER, variant == MASKS ? 5 : 17, 0x5C00 + (uint64_t)variant);
  if (variant == HALVES) {
    s->student.dtype = TRB_F16;
    s->student.temperature = 0.8f;
    s->teacher.dtype = TRB_BF16;
    s->teacher.temperature = 1.3f;
  }
  if (variant == MASKS) s->student.masked = s->teacher.masked = 0.4;
  if (variant == SIZES) s->student.vocab = 19;
  if (variant == ENDS) {
    s->teacher.vocab = 22;
    s->student.dtype = TRB_BF16;
    s->teacher.temperature = 1.3f;
    s->student.masked = 0.2;
    s->ends = (trb_ends){of_student, of_teacher, 3};
    s->options.ends = &s->ends;
  }
  if (variant == BLOCKS) s->student.vocab = s->teacher.vocab = 1500;
}

/* Whether a model that is asked afterwards fills the column in. */
static bool is_of_student(int column) {
  return column == COLUMN_LOG_STUDENT || column == COLUMN_ENTROPY_STUDENT;
}
static bool is_of_teacher(int column) {
  return column == COLUMN_LOG_TEACHER || column == COLUMN_ENTROPY_TEACHER;
}

static void check_others_unknown(const trb_rollouts *r) {
  for (int c = 0; c < ROLLOUT_COLUMNS; c++) {
    if (is_of_student(c) || is_of_teacher(c)) continue;
    for (int64_t t = 0; t < r->n_tokens; t++) ck_assert(isnan(rollout_column(r, c)[t]));
  }
}

/* Loop test over the variants: both models are asked once for all, one row per token. */
START_TEST(test_given) {
  stage s;
  make(&s, _i);
  trb_rollouts *r = stage_given(&s, NULL);
  ck_assert_int_eq(score(&s, NULL, NULL, r), TRB_OK);
  check_values(&s, r, "both");
  check_others_unknown(r);
  ck_assert_int_eq(s.student.calls, 1);
  ck_assert_int_eq(s.teacher.calls, 1);
  ck_assert_int_eq(r->student_calls, 1);
  ck_assert_int_eq(r->teacher_calls, 1);
  for (int64_t i = 0; i < r->n; i++) {
    ck_assert_int_eq(scripted_rows_of(&s.student, i), sampled_of(r, i));
    ck_assert_int_eq(scripted_rows_of(&s.teacher, i), sampled_of(r, i));
    ck_assert_int_eq(r->stop[i], TRB_STOP_GIVEN);
  }
  check_complete(&s, r);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* Loop test over the variants: one model after the other. */
START_TEST(test_one_model) {
  stage s;
  make(&s, _i);
  s.no_teacher = true;
  trb_rollouts *r = stage_given(&s, NULL);
  ck_assert_int_eq(score(&s, NULL, NULL, r), TRB_OK);
  check_values(&s, r, "the student");
  check_others_unknown(r);
  for (int64_t t = 0; t < r->n_tokens; t++) ck_assert(isnan(r->log_teacher[t]) && isnan(r->entropy_teacher[t]));
  check_complete(&s, r);
  s.no_student = true;
  s.no_teacher = false;
  ck_assert_int_eq(score(&s, NULL, NULL, r), TRB_OK);
  check_values(&s, r, "the teacher");
  ck_assert_int_eq(r->student_calls + r->teacher_calls, 2);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* ---- Rollouts ---- */

/* Loop test over the behaviors: what is known stays to the last bit, what is missing is filled in. */
START_TEST(test_rollouts) {
  static const int64_t of_student[] = {1}, of_teacher[] = {11};
  stage s;
  stage_make(&s, _i, 10, 0x5C10);
  s.teacher.vocab = 12;
  s.teacher.masked = 0.2;
  s.ends = (trb_ends){of_student, of_teacher, 1};
  s.options.ends = &s.ends;
  const bool student = kind_needs_student(_i), teacher = kind_needs_teacher(_i);
  trb_rollouts *before = stage_run(&s, NULL, TRB_OK), *r = stage_run(&s, NULL, TRB_OK);
  ck_assert_int_eq(score(&s, NULL, NULL, r), TRB_OK);
  ck_assert_int_eq(s.student.rows, student ? 0 : r->n_tokens);
  ck_assert_int_eq(s.teacher.rows, teacher ? 0 : r->n_tokens);
  check_values(&s, r, kind_name(_i));
  ck_assert_int_eq(r->student_calls, before->student_calls + !student);
  ck_assert_int_eq(r->teacher_calls, before->teacher_calls + !teacher);
  for (int c = 0; c < ROLLOUT_COLUMNS; c++) {
    const bool filled = (!student && is_of_student(c)) || (!teacher && is_of_teacher(c));
    for (int64_t t = 0; t < r->n_tokens && !filled; t++)
      ck_assert_mem_eq(rollout_column(r, c) + t, rollout_column(before, c) + t, sizeof(double));
  }
  check_complete(&s, r);
  trb_rollouts_free(before);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* The same texts from elsewhere get the bits that the rollout saw. */
START_TEST(test_same_bits) {
  stage s;
  stage_make(&s, KIND_BETA, 30, 0x5C11);
  s.student.temperature = 0.7f;
  trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
  for (int64_t threads = 1; threads <= 3; threads += 2) {
    trb_rollouts *given = stage_bare(&s, r);
    trb_context *ctx = context_with(threads, TRB_ISA_AUTO);
    ck_assert_int_eq(score(&s, ctx, NULL, given), TRB_OK);
    for (int64_t t = 0; t < r->n_tokens; t++) {
      ck_assert(given->log_student[t] == r->log_student[t] && given->log_teacher[t] == r->log_teacher[t]);
      ck_assert(given->entropy_student[t] == r->entropy_student[t]);
      ck_assert(given->entropy_teacher[t] == r->entropy_teacher[t]);
    }
    trb_rollouts_free(given);
    trb_context_free(ctx);
  }
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* ---- Batches ---- */

/* However few bytes there are, the bits are the same; they bound the rows of a call, though always one sequence. */
START_TEST(test_batch_bytes) {
  stage s;
  make(&s, HALVES);
  s.student.dtype = TRB_F32;
  trb_rollouts *whole = stage_given(&s, NULL);
  ck_assert_int_eq(score(&s, NULL, NULL, whole), TRB_OK);
  const int64_t student_row = 4 * s.student.vocab, teacher_row = 2 * s.teacher.vocab;
  int64_t longest = 0, most_calls = 0;
  for (int64_t i = 0; i < whole->n; i++) {
    if (sampled_of(whole, i) > longest) longest = sampled_of(whole, i);
    most_calls += sampled_of(whole, i) > 0;
  }
  for (int64_t bytes = 1; bytes <= student_row * (whole->n_tokens + 1); bytes += 1 + student_row / 3) {
    const trb_score_options options = {.size = sizeof options, .batch_bytes = bytes};
    trb_rollouts *r = stage_given(&s, NULL);
    ck_assert_int_eq(score(&s, NULL, &options, r), TRB_OK);
    assert_same_rollouts(r, whole, "batch_bytes");
    const int64_t of_student = bytes / student_row, of_teacher = bytes / teacher_row;
    ck_assert_int_le(s.student.most_rows, of_student > longest ? of_student : longest);
    ck_assert_int_le(s.teacher.most_rows, of_teacher > longest ? of_teacher : longest);
    ck_assert_int_eq(s.student.rows, whole->n_tokens);
    ck_assert_int_le(s.student.calls, most_calls);
    if (of_student >= whole->n_tokens) ck_assert_int_eq(s.student.calls, 1);
    if (bytes == 1) ck_assert_int_gt(s.student.calls, 3);
    trb_rollouts_free(r);
  }
  trb_rollouts_free(whole);
  stage_free(&s);
}
END_TEST

typedef struct telling {
  int64_t times, done;
} telling;

static int32_t listen(int64_t done, int64_t total, void *user) {
  telling *t = user;
  ck_assert_int_gt(done, t->done);
  ck_assert_int_le(done, total);
  ck_assert_int_eq(total, 2 * STAGE_PROMPTS);
  *t = (telling){t->times + 1, done};
  return TRB_CONTINUE;
}

/* Told after every query; at the end all sequences are done, once for each model. */
START_TEST(test_progress) {
  stage s;
  make(&s, PLAIN);
  telling t = {0, 0};
  const trb_score_options options = {
      .size = sizeof options, .batch_bytes = 300, .progress = listen, .progress_user = &t};
  trb_rollouts *r = stage_given(&s, NULL);
  ck_assert_int_eq(score(&s, NULL, &options, r), TRB_OK);
  ck_assert_int_eq(t.times, s.student.calls + s.teacher.calls);
  ck_assert_int_eq(t.done, 2 * STAGE_PROMPTS);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* ---- Bad rows ---- */

/* One row of one model: its value stays unknown, all others are right, and a later call asks from there on. */
START_TEST(test_bad_rows) {
  enum { SEQUENCE = 9 };
  const bool of_teacher = _i % 2;
  const int32_t fault = SCRIPTED_NAN + _i / 2;
  stage s;
  make(&s, PLAIN);
  trb_rollouts *whole = stage_given(&s, NULL), *r = stage_given(&s, NULL);
  ck_assert_int_eq(score(&s, NULL, NULL, whole), TRB_OK);
  const int64_t n = sampled_of(r, SEQUENCE), bad = n / 2, position = length_of(r, SEQUENCE) - n + bad;
  ck_assert_int_ge(n, 2);
  const scripted_fault faults[] = {{SEQUENCE, position, fault}};
  scripted *model = of_teacher ? &s.teacher : &s.student;
  model->faults = faults;
  model->n_faults = 1;
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  ck_assert_int_eq(score(&s, ctx, NULL, r), TRB_EROWS);
  const char *text = trb_context_error(ctx);
  ck_assert_msg(strstr(text, of_teacher ? "teacher" : "student") && strstr(text, describe("sequence %d", SEQUENCE)) &&
                    strstr(text, describe("position %d", (int)position)),
                "\"%s\"", text);
  ck_assert_ptr_nonnull(strstr(text, trb_row_strerror(fault == SCRIPTED_EMPTY ? TRB_ROW_EMPTY : TRB_ROW_NOT_A_NUMBER)));
  for (int64_t t = 0; t < r->n_tokens; t++) {
    for (int c = 0; c < ROLLOUT_COLUMNS; c++) {
      const double got = rollout_column(r, c)[t];
      const bool unknown = t == r->offset[SEQUENCE] + bad && (of_teacher ? is_of_teacher(c) : is_of_student(c));
      ck_assert(unknown ? isnan(got) : memcmp(&got, rollout_column(whole, c) + t, sizeof got) == 0);
    }
  }
  model->n_faults = 0;
  ck_assert_int_eq(score(&s, ctx, NULL, r), TRB_OK);
  ck_assert_int_eq(s.student.rows + s.teacher.rows, n - bad);
  ck_assert_int_eq(scripted_rows_of(model, SEQUENCE), n - bad);
  assert_same_rollouts(r, whole, "asked again");
  trb_context_free(ctx);
  trb_rollouts_free(r);
  trb_rollouts_free(whole);
  stage_free(&s);
}
END_TEST

/* Of several the first is named: the student's, which is asked first, and of these the one of the least number. */
START_TEST(test_first_bad_row) {
  stage s;
  make(&s, PLAIN);
  trb_rollouts *r = stage_given(&s, NULL);
  int64_t sequences[3], n = 0;
  for (int64_t i = 0; i < r->n && n < 3; i++)
    if (sampled_of(r, i) > 0) sequences[n++] = i;
  const scripted_fault of_teacher = {sequences[0], length_of(r, sequences[0]) - 1, SCRIPTED_NAN};
  const scripted_fault of_student[] = {{sequences[2], length_of(r, sequences[2]) - 1, SCRIPTED_NAN},
                                       {sequences[1], length_of(r, sequences[1]) - 1, SCRIPTED_EMPTY}};
  s.student.faults = of_student;
  s.student.n_faults = 2;
  s.teacher.faults = &of_teacher;
  s.teacher.n_faults = 1;
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  ck_assert_int_eq(score(&s, ctx, NULL, r), TRB_EROWS);
  const char *text = trb_context_error(ctx);
  ck_assert_msg(strstr(text, "student") && strstr(text, describe("sequence %d", (int)sequences[1])), "\"%s\"", text);
  trb_context_free(ctx);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* ---- Nothing to do ---- */

START_TEST(test_nothing) {
  const trb_texts none = {NULL, NULL, 0};
  stage s;
  make(&s, PLAIN);
  trb_rollouts *r = stage_given(&s, NULL), *same = stage_given(&s, NULL), *empty;
  ck_assert_int_eq(trb_score(NULL, NULL, NULL, NULL, r), TRB_OK);
  assert_same_rollouts(r, same, "no model");
  ck_assert_int_eq(trb_rollouts_new(NULL, &none, NULL, NULL, NULL, &empty), TRB_OK);
  check_complete(&s, empty);
  trb_rollouts_free(empty);
  trb_rollouts_free(same);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

Suite *score_suite(void) {
  Suite *suite = suite_create("score");
  TCase *tc = long_case("score");
  tcase_add_loop_test(tc, test_given, 0, VARIANTS);
  tcase_add_loop_test(tc, test_one_model, 0, VARIANTS);
  tcase_add_loop_test(tc, test_rollouts, 0, KINDS);
  tcase_add_test(tc, test_same_bits);
  tcase_add_test(tc, test_batch_bytes);
  tcase_add_test(tc, test_progress);
  tcase_add_loop_test(tc, test_bad_rows, 0, 2 * SCRIPTED_SHORT);
  tcase_add_test(tc, test_first_bad_row);
  tcase_add_test(tc, test_nothing);
  suite_add_tcase(suite, tc);
  suite_add_tcase(suite, score_kept_case());
  suite_add_tcase(suite, score_failures_case());
  return suite;
}
