/* test_score_failures.c - callbacks and allocations of trb_score that fail, arguments that are wrong. */
#include <math.h>
#include <string.h>

#include "counting.h"
#include "stage.h"
#include "suites.h"

/* ---- Callbacks ---- */

typedef struct patience {
  int64_t calls, stop_at;
} patience;

static int32_t lose_patience(int64_t done, int64_t total, void *user) {
  patience *p = user;
  (void)done;
  (void)total;
  return p->calls++ == p->stop_at ? 0 : TRB_CONTINUE;
}

enum { OF_STUDENT, OF_TEACHER, OF_PROGRESS, CALLBACKS };

static trb_status score(stage *s, patience *p, trb_context *ctx, trb_rollouts *r) {
  const trb_score_options options = {
      .size = sizeof options, .batch_bytes = 200, .keep_bytes = 700, .progress = lose_patience, .progress_user = p};
  const trb_model student = scripted_model(&s->student), teacher = scripted_model(&s->teacher);
  p->calls = 0;
  return trb_score(ctx, &student, &teacher, &options, r);
}

/* What is there is right; returns how many numbers are missing. */
static int64_t count_missing(const trb_rollouts *r, const trb_rollouts *whole) {
  int64_t missing = 0;
  for (int c = 0; c < ROLLOUT_COLUMNS; c++) {
    for (int64_t t = 0; t < r->n_tokens; t++) {
      const double *got = rollout_column(r, c) + t, *want = rollout_column(whole, c) + t;
      const bool same = memcmp(got, want, sizeof *got) == 0;
      ck_assert(same || isnan(*got));
      missing += !same;
    }
  }
  return missing;
}

/* Loop test over the callbacks: stopped at every call, the object holds what was answered until then, and a second call
 * asks for the rest alone. */
START_TEST(test_callbacks) {
  static const char *const names[] = {"student->forward", "teacher->forward", "progress"};
  stage s;
  stage_make(&s, KIND_TEACHER, 10, 0x5CFA);
  patience p = {0, -1};
  trb_rollouts *whole = stage_given(&s, NULL);
  ck_assert_int_eq(score(&s, &p, NULL, whole), TRB_OK);
  const int64_t calls[] = {s.student.calls, s.teacher.calls, p.calls}, rows = s.student.rows + s.teacher.rows;
  ck_assert_int_ge(calls[OF_STUDENT], 3);
  ck_assert_int_ge(calls[OF_TEACHER], 3);
  for (int64_t call = 0; call < calls[_i]; call++) {
    trb_context *ctx = context_with(1, TRB_ISA_AUTO);
    trb_rollouts *r = stage_given(&s, NULL);
    if (_i == OF_STUDENT) s.student.stop_at = call;
    if (_i == OF_TEACHER) s.teacher.stop_at = call;
    if (_i == OF_PROGRESS) p.stop_at = call;
    ck_assert_int_eq(score(&s, &p, ctx, r), TRB_ECALLBACK);
    ck_assert_msg(strstr(trb_context_error(ctx), names[_i]), "\"%s\"", trb_context_error(ctx));
    s.student.stop_at = s.teacher.stop_at = p.stop_at = -1;
    const int64_t missing = count_missing(r, whole);
    ck_assert_int_eq(missing > 0, _i != OF_PROGRESS || call < calls[_i] - 1);
    ck_assert_int_eq(score(&s, &p, ctx, r), TRB_OK);
    ck_assert_int_eq(s.student.rows + s.teacher.rows, missing / 2); /* two numbers a row */
    ck_assert_int_le(s.student.rows + s.teacher.rows, rows);
    assert_same_rollouts(r, whole, "a second call");
    ck_assert_int_eq(r->kept, whole->kept);
    trb_rollouts_free(r);
    trb_context_free(ctx);
  }
  trb_rollouts_free(whole);
  stage_free(&s);
}
END_TEST

/* ---- Memory ---- */

/* Every allocation: no model was asked, the object is as it was, and each block goes back to where it came from though
 * object and call have contexts of their own. */
START_TEST(test_allocations) {
  counter of_object, of_call;
  const trb_context_options object_options = counted(&of_object, 1), call_options = counted(&of_call, 1);
  trb_context *object_ctx, *ctx;
  ck_assert_int_eq(trb_context_new(&object_options, &object_ctx), TRB_OK);
  ck_assert_int_eq(trb_context_new(&call_options, &ctx), TRB_OK);
  stage s;
  stage_make(&s, KIND_TEACHER, 10, 0x5CFB);
  patience p = {0, -1};
  trb_rollouts *r = stage_given(&s, object_ctx), *same = stage_given(&s, NULL);
  int64_t failed = 0;
  trb_status status = TRB_ENOMEM;
  for (; status == TRB_ENOMEM; failed++) {
    const int64_t live = of_call.live, object_live = of_object.live;
    of_object.calls = of_call.calls = 0;
    of_call.fail_at = failed < 1 ? failed : -1;
    of_object.fail_at = failed - 1;
    status = score(&s, &p, ctx, r);
    of_object.fail_at = of_call.fail_at = -1;
    ck_assert_int_eq(of_call.live, live);
    if (status == TRB_OK) break;
    ck_assert_int_eq(status, TRB_ENOMEM);
    ck_assert_int_eq(s.student.calls + s.teacher.calls + p.calls, 0);
    ck_assert_str_ne(trb_context_error(ctx), "");
    ck_assert_int_eq(of_object.live, object_live);
    assert_same_rollouts(r, same, "no memory");
  }
  ck_assert_int_eq(failed, 2);
  ck_assert_int_eq(of_call.calls, 1);
  trb_context_free(object_ctx);
  trb_context_free(ctx);
  ck_assert_int_eq(of_call.live, 0);
  trb_rollouts_free(r);
  ck_assert_int_eq(of_object.live, 0);
  trb_rollouts_free(same);
  stage_free(&s);
}
END_TEST

/* ---- Arguments ---- */

typedef struct request {
  stage s;
  trb_model student, teacher;
  const trb_model *of_student, *of_teacher;
  trb_score_options options;
  trb_rollouts *r;
  struct {
    trb_score_options known;
    char more[8];
  } later;
  const trb_score_options *of_options;
} request;

typedef struct spoiled {
  const char *what;
  void (*spoil)(request *q);
  const char *name;
} spoiled;

#define SPOIL(name, change)                                                                                            \
  static void name(request *q) {                                                                                       \
    change;                                                                                                            \
  }

SPOIL(options_size, q->options.size = sizeof q->options - 1)
SPOIL(options_no_size, q->options.size = 0)
SPOIL(options_unknown, q->of_options = &q->later.known; q->later.more[7] = 1)
SPOIL(batch_bytes, q->options.batch_bytes = -1)
SPOIL(keep_bytes, q->options.keep_bytes = -1)
SPOIL(student_size, q->student.size = 3)
SPOIL(student_forward, q->student.forward = NULL)
SPOIL(student_vocab, q->student.vocab = 0)
SPOIL(student_dtype, q->student.dtype = 3)
SPOIL(student_temperature, q->student.temperature = NAN)
SPOIL(teacher_size, q->teacher.size = 5000)
SPOIL(teacher_forward, q->teacher.forward = NULL)
SPOIL(teacher_vocab, q->teacher.vocab = -1)
SPOIL(teacher_dtype, q->teacher.dtype = -1)
SPOIL(teacher_temperature, q->teacher.temperature = -1.0f)

START_TEST(test_errors) {
  static const spoiled list[] = {
      {"size too small", options_size, "options->size"},
      {"size 0", options_no_size, "options->size"},
      {"unknown bytes", options_unknown, "options"},
      {"batch_bytes -1", batch_bytes, "options->batch_bytes"},
      {"keep_bytes -1", keep_bytes, "options->keep_bytes"},
      {"student size 3", student_size, "student->size"},
      {"student forward NULL", student_forward, "student->forward"},
      {"student vocab 0", student_vocab, "student->vocab"},
      {"student dtype 3", student_dtype, "student->dtype"},
      {"student temperature NaN", student_temperature, "student->temperature"},
      {"teacher size 5000", teacher_size, "teacher->size"},
      {"teacher forward NULL", teacher_forward, "teacher->forward"},
      {"teacher vocab -1", teacher_vocab, "teacher->vocab"},
      {"teacher dtype -1", teacher_dtype, "teacher->dtype"},
      {"teacher temperature -1", teacher_temperature, "teacher->temperature"},
  };
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
    request q = {.options = {.size = sizeof q.options}, .later = {.known = {.size = sizeof q.later}}};
    stage_make(&q.s, KIND_TEACHER, 10, 0x5CFC);
    trb_context *ctx = context_with(1, TRB_ISA_AUTO);
    trb_rollouts *r = stage_given(&q.s, NULL), *same = stage_given(&q.s, NULL);
    q.student = scripted_model(&q.s.student);
    q.teacher = scripted_model(&q.s.teacher);
    q.of_options = &q.options;
    list[i].spoil(&q);
    const trb_status status = trb_score(ctx, &q.student, &q.teacher, q.of_options, r);
    ck_assert_msg(status == TRB_EINVAL, "%s: status %d", list[i].what, status);
    ck_assert_msg(strstr(trb_context_error(ctx), list[i].name), "%s: \"%s\"", list[i].what, trb_context_error(ctx));
    ck_assert_int_eq(trb_score(NULL, &q.student, &q.teacher, q.of_options, r), TRB_EINVAL);
    ck_assert_int_eq(q.s.student.calls + q.s.teacher.calls, 0);
    assert_same_rollouts(r, same, list[i].what);
    ck_assert_int_eq(trb_score(ctx, &q.student, &q.teacher, q.of_options, NULL), TRB_EINVAL);
    trb_rollouts_free(same);
    trb_rollouts_free(r);
    trb_context_free(ctx);
    stage_free(&q.s);
  }
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  ck_assert_int_eq(trb_score(ctx, NULL, NULL, NULL, NULL), TRB_EINVAL);
  ck_assert_ptr_nonnull(strstr(trb_context_error(ctx), "inout"));
  trb_context_free(ctx);
}
END_TEST

/* Ids of prompts and tokens, also the last, must be in the vocabularies of the models that are asked; a text may end
 * with an end token of the other model, for it counts as one's own. */
START_TEST(test_ids) {
  static const struct {
    int64_t text[3], prompt, end; /* end: of the teacher, for 1 of the student; 0: none */
    bool student_fits;
  } cases[] = {{{1, 2, 3}, 1, 0, true},  {{9, 2, 3}, 1, 0, false}, {{1, 9, 3}, 1, 0, false},
               {{1, 2, 9}, 1, 0, false}, {{1, 2, 9}, 3, 0, false}, {{1, 2, 9}, 1, 9, true},
               {{1, 9, 2}, 1, 9, false}, {{9, 1, 2}, 1, 9, false}, {{1, 2, 9}, 3, 9, false}};
  static const int64_t offset[] = {0, 3}, one = 1;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    scripted small = scripted_new(1, 9, TRB_F32), large = scripted_new(2, 10, TRB_F32);
    const trb_texts texts = {cases[i].text, offset, 1};
    const trb_ends ends = {&one, &cases[i].end, cases[i].end > 0};
    for (int asked = 1; asked < 4; asked++) { /* the student, the teacher, both */
      trb_context *ctx = context_with(1, TRB_ISA_AUTO);
      trb_rollouts *r;
      ck_assert_int_eq(trb_rollouts_new(NULL, &texts, &cases[i].prompt, NULL, &ends, &r), TRB_OK);
      const trb_model student = scripted_model(&small), teacher = scripted_model(&large);
      const bool well = !(asked & 1) || cases[i].student_fits;
      const trb_status status = trb_score(ctx, asked & 1 ? &student : NULL, asked & 2 ? &teacher : NULL, NULL, r);
      ck_assert_msg(status == (well ? TRB_OK : TRB_EINVAL), "case %d, models %d: status %d, %s", (int)i, asked, status,
                    trb_context_error(ctx));
      ck_assert(well || strstr(trb_context_error(ctx), "student->vocab"));
      ck_assert(well || small.calls + large.calls == 0);
      trb_rollouts_free(r);
      trb_context_free(ctx);
    }
    scripted_free(&small);
    scripted_free(&large);
  }
}
END_TEST

/* Ends against the vocabularies of the models that are there: of one that is not, anything may be an id. */
START_TEST(test_ends) {
  static const struct {
    int64_t student, teacher;
    bool alone, both;
  } cases[] = {{1, 8, true, true}, {1, 9, true, true}, {1, 10, true, false}, {9, 1, false, false}};
  stage s;
  stage_make(&s, KIND_TEACHER, 9, 0x5CFD);
  s.teacher.vocab = 10;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    s.ends = (trb_ends){&cases[i].student, &cases[i].teacher, 1};
    s.options.ends = &s.ends;
    for (int both = 0; both < 2; both++) {
      trb_context *ctx = context_with(1, TRB_ISA_AUTO);
      trb_rollouts *r = stage_given(&s, NULL);
      const trb_model student = scripted_model(&s.student), teacher = scripted_model(&s.teacher);
      const bool well = both ? cases[i].both : cases[i].alone;
      ck_assert_int_eq(trb_score(ctx, &student, both ? &teacher : NULL, NULL, r), well ? TRB_OK : TRB_EINVAL);
      const char *text = trb_context_error(ctx); /* a token that counts as an end without an id is as wrong */
      ck_assert_msg(well || strstr(text, "ends->") || strstr(text, "student->vocab"), "\"%s\"", text);
      trb_rollouts_free(r);
      trb_context_free(ctx);
    }
  }
  stage_free(&s);
}
END_TEST

TCase *score_failures_case(void) {
  TCase *tc = long_case("failures");
  tcase_add_loop_test(tc, test_callbacks, 0, CALLBACKS);
  tcase_add_test(tc, test_allocations);
  tcase_add_test(tc, test_errors);
  tcase_add_test(tc, test_ids);
  tcase_add_test(tc, test_ends);
  return tc;
}
