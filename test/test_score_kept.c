/* test_score_kept.c - teacher logits that are kept: as many as fit, the right ones, and none is asked for again. */
#include <stdlib.h>
#include <string.h>

#include "counting.h"
#include "stage.h"
#include "suites.h"

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t row_bytes(const stage *s) {
  return s->teacher.vocab * (s->teacher.dtype == TRB_F32 ? 4 : 2);
}

/* ---- What is kept ---- */

/* The loss of every token, for which the teacher is asked about what is not kept. Returns how many rows that were. */
static int64_t measure_loss(stage *s, const trb_rollouts *r, double *loss) {
  const trb_train_options options = {.size = sizeof options, .evaluate = 1, .batch_bytes = 1};
  trb_train_report report = {.size = sizeof report};
  const trb_model student = scripted_model(&s->student), teacher = scripted_model(&s->teacher);
  ck_assert_int_eq(trb_train_step(NULL, &student, &teacher, r, &options, loss, NULL, &report), TRB_OK);
  ck_assert_int_eq(report.teacher_rows, s->teacher.rows);
  return s->teacher.rows;
}

/* So many rows are kept, and they are what the teacher gives; it is asked for so many others, and not called if there
 * are none. */
static void check_rows(stage *s, const trb_rollouts *r, int64_t kept, int64_t asked) {
  const size_t bytes = (size_t)(r->n_tokens + 1) * sizeof(double);
  double *want = malloc(bytes), *got = malloc(bytes);
  if (!want || !got) abort();
  trb_rollouts *bare = stage_bare(s, r);
  ck_assert_int_eq(measure_loss(s, bare, want), r->n_tokens);
  ck_assert_int_eq(r->kept, kept);
  if (asked == 0) s->teacher.stop_at = 0;
  ck_assert_int_eq(measure_loss(s, r, got), asked);
  s->teacher.stop_at = -1;
  ck_assert(memcmp(got, want, (size_t)r->n_tokens * sizeof *got) == 0);
  trb_rollouts_free(bare);
  free(want);
  free(got);
}

static void check_kept(stage *s, const trb_rollouts *r, int64_t kept) {
  check_rows(s, r, kept, r->n_tokens - kept);
}

static void make(stage *s, int kind) {
  static const int64_t of_student[] = {1}, of_teacher[] = {11};
  stage_make(s, kind, 10, 0x5C20);
  s->teacher.vocab = 12;
  s->teacher.dtype = TRB_F16;
  s->teacher.temperature = 1.5f;
  s->ends = (trb_ends){of_student, of_teacher, 1};
  s->options.ends = &s->ends;
  s->options.batch = 5;
}

/* ---- By rollouts ---- */

/* Loop test over the behaviors: a behavior that does not ask the teacher keeps nothing. */
START_TEST(test_rollouts_keep) {
  stage s;
  make(&s, _i);
  trb_rollouts *without = stage_run(&s, NULL, TRB_OK);
  const int64_t row = row_bytes(&s), n = without->n_tokens;
  const int64_t limits[] = {0, 1, row - 1, row, 7 * row + row / 2, (n - 1) * row, n * row - 1, n * row, INT64_MAX};
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    s.options.keep_bytes = limits[i];
    trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
    assert_same_rollouts(r, without, "keeping");
    check_kept(&s, r, kind_needs_teacher(_i) ? least(limits[i] / row, n) : 0);
    trb_rollouts_free(r);
  }
  trb_rollouts_free(without);
  stage_free(&s);
}
END_TEST

/* ---- By trb_score ---- */

static trb_status keep(stage *s, int64_t keep_bytes, int64_t batch_bytes, trb_rollouts *r) {
  const trb_score_options options = {.size = sizeof options, .batch_bytes = batch_bytes, .keep_bytes = keep_bytes};
  const trb_model student = scripted_model(&s->student), teacher = scripted_model(&s->teacher);
  return trb_score(NULL, &student, &teacher, &options, r);
}

/* Of sequences from elsewhere, whatever the batches. */
START_TEST(test_score_keeps) {
  stage s;
  make(&s, KIND_TEACHER);
  trb_rollouts *without = stage_given(&s, NULL);
  ck_assert_int_eq(keep(&s, 0, 0, without), TRB_OK);
  const int64_t row = row_bytes(&s), n = without->n_tokens;
  const int64_t limits[] = {0, row - 1, row, 7 * row + row / 2, (n - 1) * row, n * row, INT64_MAX};
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    for (int64_t batch = 0; batch < 5 * row; batch += 2 * row) {
      trb_rollouts *r = stage_given(&s, NULL);
      ck_assert_int_eq(keep(&s, limits[i], batch, r), TRB_OK);
      assert_same_rollouts(r, without, "keeping");
      check_kept(&s, r, least(limits[i] / row, n));
      trb_rollouts_free(r);
    }
  }
  trb_rollouts_free(without);
  stage_free(&s);
}
END_TEST

/* What is kept already counts; more room is filled; less room takes nothing away; nothing is asked without need. */
START_TEST(test_more_room) {
  counter count;
  const trb_context_options options = counted(&count, 1);
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_OK);
  stage s;
  make(&s, KIND_BUDGET);
  const int64_t row = row_bytes(&s);
  s.options.keep_bytes = 5 * row;
  trb_rollouts *r = stage_run(&s, ctx, TRB_OK), *same = stage_run(&s, NULL, TRB_OK);
  const int64_t n = r->n_tokens;
  const int64_t room[] = {5, 0, 9, 9, 3, n - 1, n, n, n + 5, 1};
  int64_t kept = 5;
  ck_assert_int_gt(n, 15);
  for (size_t i = 0; i < sizeof room / sizeof room[0]; i++) {
    const bool asks = room[i] > kept && kept < n;
    ck_assert_int_eq(keep(&s, room[i] * row, 0, r), TRB_OK);
    ck_assert_int_eq(s.student.calls, 0);
    ck_assert_int_eq(s.teacher.calls > 0, asks);
    if (asks) kept = least(room[i], n);
    check_kept(&s, r, kept);
    assert_same_rollouts(r, same, "keeping more");
  }
  trb_rollouts_free(same);
  trb_rollouts_free(r);
  trb_context_free(ctx);
  ck_assert_int_eq(count.live, 0);
  stage_free(&s);
}
END_TEST

/* A row without a distribution is not kept, those around it are; it is asked for with what follows it in its sequence,
 * and once the teacher can give it, it is kept. */
START_TEST(test_bad_rows) {
  stage s;
  make(&s, KIND_TEACHER);
  int64_t first = 0;
  while (s.offset[first + 1] - s.offset[first] < 4) first++;
  s.prompts = (trb_texts){s.tokens, s.offset + first, STAGE_PROMPTS - first};
  trb_rollouts *r = stage_given(&s, NULL);
  const scripted_fault fault = {0, 1, SCRIPTED_NAN}; /* behind a prompt of one token */
  s.teacher.faults = &fault;
  s.teacher.n_faults = 1;
  ck_assert_int_eq(keep(&s, INT64_MAX, 0, r), TRB_EROWS);
  s.teacher.n_faults = 0;
  check_rows(&s, r, r->n_tokens - 1, sampled_of(r, 0));
  ck_assert_int_eq(keep(&s, INT64_MAX, 0, r), TRB_OK);
  check_kept(&s, r, r->n_tokens);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* ---- Other teachers ---- */

/* Kept logits belong to one teacher; a temperature of 0 is 1. */
START_TEST(test_mismatch) {
  static const char *const names[] = {"teacher->vocab", "teacher->dtype", "teacher->temperature"};
  stage s;
  make(&s, KIND_BUDGET);
  s.teacher.temperature = 0.0f;
  s.options.keep_bytes = row_bytes(&s);
  trb_rollouts *r = stage_run(&s, NULL, TRB_OK);
  for (int i = 0; i < 4; i++) {
    trb_context *ctx = context_with(1, TRB_ISA_AUTO);
    const trb_model student = scripted_model(&s.student);
    trb_model teacher = scripted_model(&s.teacher);
    if (i == 0) teacher.vocab++;
    if (i == 1) teacher.dtype = TRB_BF16;
    teacher.temperature = i == 2 ? 1.5f : 1.0f;
    const trb_train_options options = {.size = sizeof options, .evaluate = 1};
    const trb_status want = i < 3 ? TRB_EINVAL : TRB_OK;
    ck_assert_int_eq(trb_train_step(ctx, &student, &teacher, r, &options, NULL, NULL, NULL), want);
    ck_assert_int_eq(trb_score(ctx, &student, &teacher, NULL, r), want);
    ck_assert_msg(i == 3 || strstr(trb_context_error(ctx), names[i]), "\"%s\"", trb_context_error(ctx));
    trb_context_free(ctx);
  }
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

/* A teacher that failed before it gave a row leaves nothing that binds the next one: neither the size of its rows nor
 * the room that it was promised. */
START_TEST(test_another_teacher) {
  stage s, other;
  make(&s, KIND_TEACHER);
  make(&other, KIND_TEACHER);
  other.teacher.dtype = TRB_F32;
  other.teacher.vocab = 500;
  trb_rollouts *r = stage_given(&s, NULL);
  s.teacher.stop_at = 0;
  ck_assert_int_eq(keep(&s, INT64_MAX, 0, r), TRB_ECALLBACK);
  ck_assert_int_eq(r->kept, 0);
  ck_assert_int_eq(keep(&other, 4 * row_bytes(&other), 0, r), TRB_OK);
  check_kept(&other, r, 4);
  trb_rollouts_free(r);
  stage_free(&other);
  stage_free(&s);
}
END_TEST

/* Room that a call did not fill because it was stopped is gone: the next call says anew how much there is. */
START_TEST(test_less_room) {
  stage s;
  make(&s, KIND_TEACHER);
  trb_rollouts *r = stage_given(&s, NULL);
  s.teacher.stop_at = 2;
  ck_assert_int_eq(keep(&s, INT64_MAX, 1, r), TRB_ECALLBACK);
  const int64_t kept = r->kept;
  ck_assert(kept > 1 && kept < r->n_tokens);
  s.teacher.stop_at = -1;
  ck_assert_int_eq(keep(&s, row_bytes(&s), 1, r), TRB_OK);
  check_kept(&s, r, kept);
  trb_rollouts_free(r);
  stage_free(&s);
}
END_TEST

TCase *score_kept_case(void) {
  TCase *tc = long_case("kept");
  tcase_add_loop_test(tc, test_rollouts_keep, 0, KINDS);
  tcase_add_test(tc, test_score_keeps);
  tcase_add_test(tc, test_more_room);
  tcase_add_test(tc, test_bad_rows);
  tcase_add_test(tc, test_mismatch);
  tcase_add_test(tc, test_another_teacher);
  tcase_add_test(tc, test_less_room);
  return tc;
}
