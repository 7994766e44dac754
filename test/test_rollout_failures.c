/* test_rollout_failures.c - rows without a distribution; every callback and every allocation fails once. */
#include <stdlib.h>
#include <string.h>

#include "counting.h"
#include "stage.h"
#include "suites.h"

/* ---- Rows without a distribution ---- */

static const int32_t row_of_fault[] = {
    0, TRB_ROW_NOT_A_NUMBER, TRB_ROW_NOT_A_NUMBER, TRB_ROW_EMPTY, TRB_ROW_NOT_A_NUMBER, TRB_ROW_NOT_A_NUMBER};

/* One model's row in the middle of one sequence. */
static void check_fault(int kind, bool of_teacher, int32_t fault) {
  enum { SEQUENCE = 4, SAMPLED = 3 };
  stage s;
  stage_make(&s, kind, 8, 0x5705);
  s.options.n_stop = 0;
  s.options.keep_bytes = INT64_MAX;
  trb_rollouts *good = stage_run(&s, NULL, TRB_OK);
  const int64_t position = s.offset[SEQUENCE + 1] - s.offset[SEQUENCE] + SAMPLED;
  const scripted_fault faults[] = {{SEQUENCE, position, fault}};
  scripted *bad = of_teacher ? &s.teacher : &s.student;
  bad->faults = faults;
  bad->n_faults = 1;
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  trb_rollouts *r = stage_run(&s, ctx, TRB_EROWS);
  assert_shape(&s, r);
  for (int64_t i = 0; i < r->n; i++) {
    if (i != SEQUENCE) assert_same_sequence(r, i, good, i, "beside a bad row");
  }
  ck_assert_int_eq(r->stop[SEQUENCE], of_teacher ? TRB_STOP_TEACHER : TRB_STOP_STUDENT);
  ck_assert_msg(r->row[SEQUENCE] == row_of_fault[fault], "%s, fault %d: row %d", kind_name(kind), fault,
                r->row[SEQUENCE]);
  ck_assert_int_eq(sampled_of(r, SEQUENCE), SAMPLED);
  ck_assert_int_eq(r->kept, kind_needs_teacher(kind) ? r->n_tokens : 0);
  assert_same_tokens(r, SEQUENCE, 0, good, SEQUENCE, 0, SAMPLED, "before a bad row");
  const char *text = trb_context_error(ctx);
  ck_assert_msg(strstr(text, of_teacher ? "teacher" : "student") && strstr(text, describe("sequence %d", SEQUENCE)) &&
                    strstr(text, describe("position %d", (int)position)) &&
                    strstr(text, trb_row_strerror(r->row[SEQUENCE])),
                "\"%s\"", text);
  trb_context_free(ctx);
  trb_rollouts_free(r);
  trb_rollouts_free(good);
  stage_free(&s);
}

/* Loop test over the behaviors. */
START_TEST(test_bad_rows) {
  for (int32_t fault = SCRIPTED_NAN; fault <= SCRIPTED_SHORT; fault++) {
    if (kind_needs_student(_i)) check_fault(_i, false, fault);
    if (kind_needs_teacher(_i)) check_fault(_i, true, fault);
  }
}
END_TEST

/* Both models' rows at once: the student is named, with what is wrong with it. */
START_TEST(test_both_bad) {
  static const int kinds[] = {KIND_BUDGET, KIND_BETA, KIND_SKD, KIND_BLOCKS};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    stage s;
    stage_make(&s, kinds[i], 8, 0x5706);
    const int64_t position = s.offset[1];
    const scripted_fault empty = {0, position, SCRIPTED_EMPTY}, nan = {0, position, SCRIPTED_NAN};
    s.student.faults = &empty;
    s.teacher.faults = &nan;
    s.student.n_faults = s.teacher.n_faults = 1;
    trb_rollouts *r = stage_run(&s, NULL, TRB_EROWS);
    ck_assert_int_eq(r->stop[0], TRB_STOP_STUDENT);
    ck_assert_int_eq(r->row[0], TRB_ROW_EMPTY);
    ck_assert_int_eq(sampled_of(r, 0), 0);
    trb_rollouts_free(r);
    stage_free(&s);
  }
}
END_TEST

/* Every sequence ends at its first row. */
START_TEST(test_nothing_sampled) {
  scripted_fault faults[STAGE_PROMPTS];
  stage s;
  stage_make(&s, KIND_TEACHER, 8, 0x5707);
  for (int i = 0; i < STAGE_PROMPTS; i++)
    faults[i] = (scripted_fault){i, s.offset[i + 1] - s.offset[i], SCRIPTED_UNFILLED};
  s.teacher.faults = faults;
  s.teacher.n_faults = STAGE_PROMPTS;
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  trb_rollouts *r = stage_run(&s, ctx, TRB_EROWS);
  assert_shape(&s, r);
  ck_assert_int_eq(r->n_tokens, 0);
  ck_assert_int_eq(s.teacher.calls, 1);
  for (int64_t i = 0; i < r->n; i++) ck_assert_int_eq(r->stop[i], TRB_STOP_TEACHER);
  ck_assert_ptr_nonnull(strstr(trb_context_error(ctx), "sequence 0"));
  trb_context_free(ctx);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* ---- Callbacks ---- */

enum { OF_STUDENT, OF_TEACHER, OF_PROGRESS, CALLBACKS };

/* A progress callback that stops at its call number `stop_at`. */
typedef struct patience {
  int64_t calls, stop_at;
  int32_t value;
} patience;

static int32_t lose_patience(int64_t done, int64_t total, void *user) {
  patience *p = user;
  (void)done;
  (void)total;
  return p->calls++ == p->stop_at ? p->value : TRB_CONTINUE;
}

static void make(stage *s, int kind, patience *p) {
  static const int64_t of_student[] = {1}, of_teacher[] = {5};
  stage_make(s, kind, 9, 0xFA10);
  s->prompts.n = 6;
  s->teacher.vocab = 11;
  s->ends = (trb_ends){of_student, of_teacher, 1};
  s->options.ends = &s->ends;
  s->options.batch = 4;
  s->options.keep_bytes = 400;
  s->options.progress = lose_patience;
  s->options.progress_user = p;
  *p = (patience){0, -1, 0};
}

/* What was sampled before the call stopped is the beginning of the whole. */
static int64_t check_beginning(const trb_rollouts *part, const trb_rollouts *whole, const char *what) {
  int64_t unfinished = 0;
  ck_assert_int_eq(part->n, whole->n);
  ck_assert_int_eq(part->kept, part->n_tokens < whole->kept ? part->n_tokens : whole->kept);
  for (int64_t i = 0; i < part->n; i++) {
    const int64_t n = sampled_of(part, i), prompt = length_of(part, i) - n;
    ck_assert_int_le(n, sampled_of(whole, i));
    ck_assert(part->stream[i] == whole->stream[i]);
    ck_assert_mem_eq(part->text + part->text_offset[i], whole->text + whole->text_offset[i],
                     (size_t)(prompt + n) * sizeof *part->text);
    assert_same_tokens(part, i, 0, whole, i, 0, n, what);
    ck_assert_int_eq(part->stop[i], n == sampled_of(whole, i) ? whole->stop[i] : TRB_STOP_NONE);
    ck_assert_int_eq(part->row[i], TRB_ROW_OK);
    unfinished += part->stop[i] == TRB_STOP_NONE;
  }
  return unfinished;
}

/* The unfinished sequences go on from where they are, and become those of the whole. */
static void check_continuation(stage *s, trb_context *ctx, const trb_rollouts *part, const trb_rollouts *whole,
                               int64_t unfinished) {
  stage more;
  patience p;
  make(&more, KIND_BUDGET, &p);
  more.options = s->options;
  more.options.sampler = &more.sampler;
  int64_t origin[STAGE_PROMPTS], tokens[STAGE_PROMPTS * 12], n = 0;
  for (int64_t i = 0; i < part->n; i++) {
    if (part->stop[i] != TRB_STOP_NONE) continue;
    const int64_t length = length_of(part, i);
    memcpy(tokens + more.offset[n], part->text + part->text_offset[i], (size_t)length * sizeof *tokens);
    more.offset[n + 1] = more.offset[n] + length;
    more.stream[n] = part->stream[i];
    origin[n++] = i;
  }
  ck_assert_int_eq(n, unfinished);
  more.prompts = (trb_texts){tokens, more.offset, n};
  trb_rollouts *rest = stage_run(&more, ctx, TRB_OK);
  for (int64_t i = 0; i < n; i++) {
    const int64_t done = sampled_of(part, origin[i]), left = sampled_of(whole, origin[i]) - done;
    ck_assert_int_eq(sampled_of(rest, i), left);
    ck_assert_int_eq(rest->stop[i], whole->stop[origin[i]]);
    assert_same_tokens(rest, i, 0, whole, origin[i], done, left, "continued");
  }
  trb_rollouts_free(rest);
  stage_free(&more);
}

/* Stops one callback at one call. False if there is no such call. */
static bool check_stopped(int kind, int callback, int64_t call, int32_t value, trb_context *ctx,
                          const trb_rollouts *whole) {
  static const char *const names[] = {"student", "teacher", "progress"};
  patience p;
  stage s;
  make(&s, kind, &p);
  scripted *model = callback == OF_STUDENT ? &s.student : &s.teacher;
  if (callback == OF_PROGRESS) {
    p.stop_at = call;
    p.value = value;
  } else {
    model->stop_at = call;
    model->stop_value = value;
  }
  trb_rollouts *r = NULL;
  const trb_model student = scripted_model(&s.student), teacher = scripted_model(&s.teacher);
  const trb_status status = trb_rollout(ctx, &student, &teacher, &s.prompts, &s.options, &r);
  ck_assert_ptr_nonnull(r);
  if (status == TRB_ECALLBACK) {
    const char *text = trb_context_error(ctx);
    ck_assert_msg(strstr(text, names[callback]) && strstr(text, describe("got %d", value)), "\"%s\"", text);
    if (callback != OF_PROGRESS) {
      ck_assert_int_eq(model->calls, call + 1);
      ck_assert_msg(strstr(text, "forward") && strstr(text, "sequence") && strstr(text, "position"), "\"%s\"", text);
    }
    const int64_t unfinished = check_beginning(r, whole, kind_name(kind));
    s.student.stop_at = s.teacher.stop_at = p.stop_at = -1;
    if (unfinished > 0) check_continuation(&s, ctx, r, whole, unfinished);
  } else {
    ck_assert_int_eq(status, TRB_OK);
    assert_same_rollouts(r, whole, "not stopped");
  }
  trb_rollouts_free(r);
  stage_free(&s);
  return status == TRB_ECALLBACK;
}

/* Loop test over the behaviors: every call of every callback, with values that are not TRB_CONTINUE. */
START_TEST(test_callbacks) {
  static const int32_t values[] = {0, -1, 2, INT32_MAX, INT32_MIN, TRB_ECALLBACK};
  counter count;
  const trb_context_options options = counted(&count, 1);
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_OK);
  const int64_t live = count.live;
  patience p;
  stage s;
  make(&s, _i, &p);
  trb_rollouts *whole = stage_run(&s, ctx, TRB_OK);
  const int64_t steps = p.calls;
  for (int callback = 0; callback < CALLBACKS; callback++) {
    int64_t call = 0;
    while (check_stopped(_i, callback, call, values[call % 6], ctx, whole)) call++;
    if (callback == OF_STUDENT) ck_assert_int_eq(call, whole->student_calls);
    if (callback == OF_TEACHER) ck_assert_int_eq(call, whole->teacher_calls);
    if (callback == OF_PROGRESS) ck_assert_int_eq(call, steps);
  }
  trb_rollouts *again = stage_run(&s, ctx, TRB_OK);
  assert_same_rollouts(again, whole, "again");
  trb_rollouts_free(again);
  trb_rollouts_free(whole);
  ck_assert_int_eq(count.live, live);
  trb_context_free(ctx);
  ck_assert_int_eq(count.live, 0);
  stage_free(&s);
}
END_TEST

/* Nothing was sampled and nothing is lost if the first call fails. */
START_TEST(test_first_call) {
  stage s;
  patience p;
  make(&s, KIND_BUDGET, &p);
  s.teacher.stop_at = 0;
  trb_rollouts *r = stage_run(&s, NULL, TRB_ECALLBACK);
  ck_assert_int_eq(r->n, 6);
  ck_assert_int_eq(r->n_tokens, 0);
  ck_assert_int_eq(r->kept, 0);
  for (int64_t i = 0; i < r->n; i++) {
    ck_assert_int_eq(r->stop[i], TRB_STOP_NONE);
    ck_assert_int_eq(length_of(r, i), s.offset[i + 1] - s.offset[i]);
  }
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* ---- Memory ---- */

/* Loop test over the behaviors: every allocation. No model was asked, nothing is left behind. */
START_TEST(test_allocations) {
  counter count;
  const trb_context_options options = counted(&count, 1);
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_OK);
  const int64_t live = count.live;
  patience p;
  stage s;
  make(&s, _i, &p);
  int64_t failed = 0;
  for (;; failed++) {
    const trb_model student = scripted_model(&s.student), teacher = scripted_model(&s.teacher);
    trb_rollouts *r = (trb_rollouts *)&s;
    count.calls = 0;
    count.fail_at = failed;
    const trb_status status = trb_rollout(ctx, &student, &teacher, &s.prompts, &s.options, &r);
    count.fail_at = -1;
    if (status == TRB_OK) {
      ck_assert_int_le(count.calls, failed);
      trb_rollouts_free(r);
      break;
    }
    ck_assert_int_eq(status, TRB_ENOMEM);
    ck_assert_ptr_null(r);
    ck_assert_int_eq(s.student.calls + s.teacher.calls + p.calls, 0);
    ck_assert_str_ne(trb_context_error(ctx), "");
    ck_assert_int_eq(count.live, live);
  }
  ck_assert_int_ge(failed, 3);
  ck_assert_int_eq(count.live, live);
  trb_context_free(ctx);
  stage_free(&s);
}
END_TEST

/* A sanitizer's malloc would stop the program. */
static void *modest_alloc(size_t bytes, void *user) {
  (void)user;
  return bytes < (size_t)1 << 30 ? malloc(bytes) : NULL;
}

static void modest_free(void *memory, void *user) {
  (void)user;
  free(memory);
}

/* Sizes beyond any memory are memory that there is not; prompts that cannot be counted are a mistake. */
START_TEST(test_sizes) {
  const trb_context_options options = {.size = sizeof options, .alloc = modest_alloc, .free = modest_free};
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_OK);
  static const int64_t tokens[] = {INT64_MAX, INT64_MAX / 8, INT64_MAX / 1000, 1 << 28};
  stage s;
  patience p;
  make(&s, KIND_BUDGET, &p);
  s.options.max_length = 0;
  s.options.keep_bytes = INT64_MAX;
  for (int i = 0; i < 4; i++) {
    s.options.max_tokens = tokens[i];
    ck_assert_ptr_null(stage_run(&s, ctx, TRB_ENOMEM));
  }
  s.options.max_tokens = 4;
  s.options.repeats = INT64_MAX / 16;
  ck_assert_ptr_null(stage_run(&s, ctx, TRB_ENOMEM));
  s.options.repeats = INT64_MAX / 4;
  ck_assert_ptr_null(stage_run(&s, ctx, TRB_EINVAL));
  ck_assert_int_eq(s.student.calls + s.teacher.calls, 0);
  trb_context_free(ctx);
  stage_free(&s);
}
END_TEST

/* The object outlives its context and takes its memory back to the allocator. */
START_TEST(test_outlives_context) {
  counter count;
  const trb_context_options options = counted(&count, 2);
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_OK);
  patience p;
  stage s;
  make(&s, KIND_SKD, &p);
  trb_rollouts *r = stage_run(&s, ctx, TRB_OK), *other = stage_run(&s, NULL, TRB_OK);
  trb_context_free(ctx);
  assert_same_rollouts(r, other, "without its context");
  trb_rollouts_free(r);
  ck_assert_int_eq(count.live, 0);
  trb_rollouts_free(other);
  stage_free(&s);
}
END_TEST

TCase *rollout_failures_case(void) {
  TCase *tc = long_case("failures");
  tcase_add_loop_test(tc, test_bad_rows, 0, KINDS);
  tcase_add_test(tc, test_both_bad);
  tcase_add_test(tc, test_nothing_sampled);
  tcase_add_loop_test(tc, test_callbacks, 0, KINDS);
  tcase_add_test(tc, test_first_call);
  tcase_add_loop_test(tc, test_allocations, 0, KINDS);
  tcase_add_test(tc, test_sizes);
  tcase_add_test(tc, test_outlives_context);
  return tc;
}
