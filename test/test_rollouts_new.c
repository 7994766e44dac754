/* test_rollouts_new.c - rollouts of sequences that come from elsewhere. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "counting.h"
#include "stage.h"
#include "suites.h"

/* Three texts, the second without a response, in arrays that begin with something else. */
enum { TEXTS = 3, TOKENS = 6 };

typedef struct source {
  trb_context *ctx;
  const trb_texts *texts;
  const int64_t *prompt_length;
  const double *log_sampled;
  const trb_ends *ends;
  trb_rollouts **out;

  trb_texts texts_of;
  trb_ends ends_of;
  int64_t tokens[13], offset[TEXTS + 1], prompts[TEXTS], end_student[3], end_teacher[3];
  double logs[TOKENS];
  trb_rollouts *r;
} source;

static void source_make(source *s) {
  *s = (source){.tokens = {99, 99, 1, 2, 7, 40, 3, 4, 8, 6, 5, 6, 7},
                .offset = {2, 6, 8, 13},
                .prompts = {2, 2, 1},
                .end_student = {5, 9, 7},
                .end_teacher = {6, 5, 40},
                .logs = {-1.0, -0.5, 0.0, -3.25, -1e300, 1e-3}};
  s->texts_of = (trb_texts){s->tokens, s->offset, TEXTS};
  s->ends_of = (trb_ends){s->end_student, s->end_teacher, 3};
  s->texts = &s->texts_of;
  s->prompt_length = s->prompts;
  s->log_sampled = s->logs;
  s->ends = &s->ends_of;
  s->out = &s->r;
}

static trb_status call(source *s) {
  return trb_rollouts_new(s->ctx, s->texts, s->prompt_length, s->log_sampled, s->ends, s->out);
}

/* ---- What is in it ---- */

/* Pairs apply in order: 6 counts as 5 and then, as 5 does itself, as 9. Texts and prompts stay as they are. */
static void check_contents(const trb_rollouts *r, bool logs, bool ends) {
  static const int64_t text[] = {1, 2, 7, 40, 3, 4, 8, 6, 5, 6, 7}, text_offset[] = {0, 4, 6, 11};
  static const int64_t offset[] = {0, 2, 2, 6};
  static const int64_t plain[TOKENS] = {7, 40, 6, 5, 6, 7}, mapped[TOKENS] = {7, 7, 9, 9, 9, 7};
  static const double log_sampled[TOKENS] = {-1.0, -0.5, 0.0, -3.25, -1e300, 1e-3};
  ck_assert_uint_ge(r->size, sizeof *r);
  ck_assert_int_eq(r->n, TEXTS);
  ck_assert_int_eq(r->n_tokens, TOKENS);
  ck_assert_mem_eq(r->text, text, sizeof text);
  ck_assert_mem_eq(r->text_offset, text_offset, sizeof text_offset);
  ck_assert_mem_eq(r->offset, offset, sizeof offset);
  ck_assert_mem_eq(r->token, ends ? mapped : plain, sizeof plain);
  for (int64_t i = 0; i < TEXTS; i++) {
    ck_assert(r->stream[i] == (uint64_t)i);
    ck_assert_int_eq(r->stop[i], TRB_STOP_GIVEN);
    ck_assert_int_eq(r->row[i], TRB_ROW_OK);
  }
  for (int64_t t = 0; t < TOKENS; t++) {
    ck_assert_int_eq(r->status[t], TRB_ROW_GIVEN);
    for (int c = COLUMN_LOG_SAMPLED + 1; c < ROLLOUT_COLUMNS; c++) ck_assert(isnan(rollout_column(r, c)[t]));
    ck_assert(logs ? r->log_sampled[t] == log_sampled[t] : isnan(r->log_sampled[t]));
  }
  ck_assert(isnan(r->budget));
  ck_assert_int_eq(r->kept + r->student_calls + r->teacher_calls, 0);
}

/* Loop test: with and without log-probabilities, ends. */
START_TEST(test_contents) {
  const bool logs = _i & 1, ends = _i & 2;
  source s;
  source_make(&s);
  if (!logs) s.log_sampled = NULL;
  if (!ends) s.ends = NULL;
  ck_assert_int_eq(call(&s), TRB_OK);
  trb_rollouts *r = s.r;
  memset(&s, 0x5A, sizeof s); /* the object has copies */
  check_contents(r, logs, ends);
  trb_rollouts_free(r);
}
END_TEST

/* The ends are the object's own: a later call knows them. */
START_TEST(test_ends_are_copied) {
  source s;
  source_make(&s);
  ck_assert_int_eq(call(&s), TRB_OK);
  s.end_student[0] = s.end_student[1] = s.end_student[2] = 1;
  s.end_teacher[0] = s.end_teacher[1] = s.end_teacher[2] = 2;
  scripted a = scripted_new(1, 50, TRB_F32), b = scripted_new(1, 50, TRB_F32);
  const trb_model one = scripted_model(&a), other = scripted_model(&b);
  ck_assert_int_eq(trb_score(NULL, &one, NULL, NULL, s.r), TRB_OK);
  source given;
  source_make(&given);
  ck_assert_int_eq(call(&given), TRB_OK);
  ck_assert_int_eq(trb_score(NULL, &other, NULL, NULL, given.r), TRB_OK);
  assert_same_rollouts(s.r, given.r, "changed ends");
  trb_rollouts_free(given.r);
  trb_rollouts_free(s.r);
  scripted_free(&a);
  scripted_free(&b);
}
END_TEST

START_TEST(test_nothing) {
  const trb_texts none = {NULL, NULL, 0};
  trb_rollouts *r = NULL;
  ck_assert_int_eq(trb_rollouts_new(NULL, &none, NULL, NULL, NULL, &r), TRB_OK);
  ck_assert_int_eq(r->n, 0);
  ck_assert_int_eq(r->n_tokens, 0);
  ck_assert_int_eq(r->offset[0] + r->text_offset[0], 0);
  trb_rollouts_free(r);
}
END_TEST

/* ---- Errors ---- */

typedef struct spoiled {
  const char *what;
  void (*spoil)(source *s);
  const char *name;
} spoiled;

#define SPOIL(name, change)                                                                                            \
  static void name(source *s) {                                                                                        \
    change;                                                                                                            \
  }

SPOIL(out_null, s->out = NULL)
SPOIL(texts_null, s->texts = NULL)
SPOIL(texts_n, s->texts_of.n = -1)
SPOIL(texts_tokens, s->texts_of.tokens = NULL)
SPOIL(texts_offset, s->texts_of.offset = NULL)
SPOIL(texts_before, s->offset[0] = -1)
SPOIL(texts_descend, s->offset[3] = 7)
SPOIL(texts_empty, s->offset[2] = 6)
SPOIL(id_negative, s->tokens[12] = -1)
SPOIL(prompt_null, s->prompt_length = NULL)
SPOIL(prompt_zero, s->prompts[2] = 0)
SPOIL(prompt_long, s->prompts[1] = 3)
SPOIL(log_nan, s->logs[5] = (double)NAN)
SPOIL(log_infinite, s->logs[0] = -(double)INFINITY)
SPOIL(log_positive, s->logs[3] = 0.01)
SPOIL(ends_n, s->ends_of.n = -1)
SPOIL(ends_student, s->ends_of.student = NULL)
SPOIL(ends_teacher, s->ends_of.teacher = NULL)
SPOIL(ends_id_student, s->end_student[2] = -1)
SPOIL(ends_id_teacher, s->end_teacher[1] = -1)
SPOIL(ends_equal, s->end_teacher[2] = 7)

START_TEST(test_errors) {
  static const spoiled list[] = {
      {"out NULL", out_null, "out"},
      {"texts NULL", texts_null, "texts"},
      {"texts n -1", texts_n, "texts->n"},
      {"tokens NULL", texts_tokens, "texts->tokens"},
      {"offset NULL", texts_offset, "texts->offset"},
      {"offset[0] -1", texts_before, "texts->offset[0]"},
      {"offsets descend", texts_descend, "texts->offset[3]"},
      {"an empty text", texts_empty, "texts->offset[2]"},
      {"id -1", id_negative, "texts->tokens[10]"},
      {"prompt_length NULL", prompt_null, "prompt_length"},
      {"prompt_length 0", prompt_zero, "prompt_length[2]"},
      {"prompt_length beyond the text", prompt_long, "prompt_length[1]"},
      {"log_sampled NaN", log_nan, "log_sampled[5]"},
      {"log_sampled -inf", log_infinite, "log_sampled[0]"},
      {"log_sampled 0.01", log_positive, "log_sampled[3]"},
      {"ends n -1", ends_n, "ends->n"},
      {"ends student NULL", ends_student, "ends->student"},
      {"ends teacher NULL", ends_teacher, "ends->teacher"},
      {"a student's end -1", ends_id_student, "ends->student[2]"},
      {"a teacher's end -1", ends_id_teacher, "ends->teacher[1]"},
      {"equal ends", ends_equal, "ends->teacher[2]"},
  };
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
    for (int with_context = 0; with_context < 2; with_context++) {
      source s;
      source_make(&s);
      s.ctx = with_context ? context_with(1, TRB_ISA_AUTO) : NULL;
      s.r = (trb_rollouts *)&s;
      list[i].spoil(&s);
      const trb_status status = call(&s);
      ck_assert_msg(status == TRB_EINVAL, "%s: status %d", list[i].what, status);
      ck_assert_msg(!s.out || !s.r, "%s: out is not NULL", list[i].what);
      ck_assert_msg(!s.ctx || strstr(trb_context_error(s.ctx), list[i].name), "%s: \"%s\"", list[i].what,
                    trb_context_error(s.ctx));
      trb_context_free(s.ctx);
    }
  }
}
END_TEST

/* Every allocation fails once; the object outlives its context. */
START_TEST(test_allocations) {
  counter count;
  const trb_context_options options = counted(&count, 1);
  source s;
  source_make(&s);
  ck_assert_int_eq(trb_context_new(&options, &s.ctx), TRB_OK);
  const int64_t live = count.live;
  int64_t failed = 0;
  for (;; failed++) {
    s.r = (trb_rollouts *)&s;
    count.calls = 0;
    count.fail_at = failed;
    const trb_status status = call(&s);
    count.fail_at = -1;
    if (status == TRB_OK) break;
    ck_assert_int_eq(status, TRB_ENOMEM);
    ck_assert_ptr_null(s.r);
    ck_assert_int_eq(count.live, live);
    ck_assert_str_ne(trb_context_error(s.ctx), "");
  }
  ck_assert_int_ge(failed, 2);
  trb_context_free(s.ctx);
  check_contents(s.r, true, true);
  trb_rollouts_free(s.r);
  ck_assert_int_eq(count.live, 0);
}
END_TEST

TCase *rollouts_new_case(void) {
  TCase *tc = long_case("rollouts_new");
  tcase_add_loop_test(tc, test_contents, 0, 4);
  tcase_add_test(tc, test_ends_are_copied);
  tcase_add_test(tc, test_nothing);
  tcase_add_test(tc, test_errors);
  tcase_add_test(tc, test_allocations);
  return tc;
}
