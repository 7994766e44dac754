/* test_rollout_einval.c - every argument of trb_rollout spoiled, one at a time. */
#include <math.h>
#include <string.h>

#include "stage.h"
#include "suites.h"

/* A call that is well until something in it is changed. The pointers lead to the members below them. */
typedef struct request {
  const trb_model *of_student, *of_teacher;
  const trb_texts *of_prompts;
  const trb_rollout_options *options;
  trb_rollouts **out;

  stage s;
  trb_model student, teacher;
  trb_solve_options solve;
  trb_rollouts *r;
  int64_t end_student[2], end_teacher[2], index[STAGE_PROMPTS];
  struct {
    trb_rollout_options known;
    char more[16];
  } later_options;
  struct {
    trb_model known;
    char more[16];
  } later_model;
  struct {
    trb_sampler known;
    char more[16];
  } later_sampler;
} request;

enum { VOCAB = 8, TEACHER_VOCAB = 10 };

static void request_make(request *q, int kind) {
  memset(q, 0, sizeof *q);
  stage_make(&q->s, kind, VOCAB, 0xE1A0);
  q->s.teacher.vocab = TEACHER_VOCAB;
  q->student = scripted_model(&q->s.student);
  q->teacher = scripted_model(&q->s.teacher);
  q->end_student[0] = 1;
  q->end_teacher[0] = 3;
  q->end_student[1] = 4;
  q->end_teacher[1] = 9;
  q->s.ends = (trb_ends){q->end_student, q->end_teacher, 2};
  q->s.options.ends = &q->s.ends;
  q->s.options.n_stop = 2;
  q->solve = (trb_solve_options){.size = sizeof q->solve};
  if (q->s.options.behavior == TRB_BEHAVIOR_BUDGET) q->s.options.solve = &q->solve;
  q->later_options.known = q->s.options;
  q->later_options.known.size = sizeof q->later_options;
  q->later_model.known = q->teacher;
  q->later_model.known.size = sizeof q->later_model;
  q->later_sampler.known = q->s.sampler;
  q->later_sampler.known.size = sizeof q->later_sampler;
  q->of_student = &q->student;
  q->of_teacher = &q->teacher;
  q->of_prompts = &q->s.prompts;
  q->options = &q->s.options;
  q->out = &q->r;
}

static trb_status call(request *q, trb_context *ctx) {
  return trb_rollout(ctx, q->of_student, q->of_teacher, q->of_prompts, q->options, q->out);
}

typedef struct spoiled {
  const char *what;
  void (*spoil)(request *q);
  const char *name; /* that the text must have */
} spoiled;

static void check_one(int kind, const spoiled *x) {
  for (int with_context = 0; with_context < 2; with_context++) {
    trb_context *ctx = with_context ? context_with(1, TRB_ISA_AUTO) : NULL;
    request q;
    request_make(&q, kind);
    q.r = (trb_rollouts *)&q;
    x->spoil(&q);
    const trb_status status = call(&q, ctx);
    ck_assert_msg(status == TRB_EINVAL, "%s, %s: status %d", kind_name(kind), x->what, status);
    ck_assert_msg(!q.out || !q.r, "%s, %s: out is not NULL", kind_name(kind), x->what);
    ck_assert_msg(q.s.student.calls + q.s.teacher.calls == 0, "%s: a model was called", x->what);
    ck_assert_msg(!ctx || strstr(trb_context_error(ctx), x->name), "%s, %s: the text does not name %s: \"%s\"",
                  kind_name(kind), x->what, x->name, trb_context_error(ctx));
    stage_free(&q.s);
    trb_context_free(ctx);
  }
}

#define RUN(kind, list)                                                                                                \
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) check_one(kind, &list[i])

#define SPOIL(name, change)                                                                                            \
  static void name(request *q) {                                                                                       \
    change;                                                                                                            \
  }

/* ---- What is well ---- */

SPOIL(nothing, (void)q)
SPOIL(later_options, q->options = &q->later_options.known)
SPOIL(later_model, q->of_teacher = &q->later_model.known)
SPOIL(later_sampler, q->s.options.sampler = &q->later_sampler.known)
SPOIL(no_sampler, q->s.options.sampler = NULL)
SPOIL(no_stops, q->s.options.n_stop = 0; q->s.options.stop = NULL)
SPOIL(no_ends, q->s.ends.n = 0; q->s.ends.student = q->s.ends.teacher = NULL)
SPOIL(both_limits, q->s.options.max_tokens = 1)
SPOIL(least_length, q->s.options.max_length = STAGE_LONGEST + 1)
SPOIL(last_id, q->s.tokens[0] = VOCAB - 1; q->s.stop[1] = VOCAB - 1)

START_TEST(test_unspoiled) {
  static const struct {
    const char *what;
    void (*change)(request *q);
  } well[] = {{"nothing", nothing},
              {"a later version's options", later_options},
              {"a later version's model", later_model},
              {"a later version's sampler", later_sampler},
              {"no sampler", no_sampler},
              {"no stops", no_stops},
              {"no ends", no_ends},
              {"both limits", both_limits},
              {"room for one token", least_length},
              {"the last id", last_id}};
  for (int kind = 0; kind < KINDS; kind++) {
    for (size_t i = 0; i < sizeof well / sizeof well[0]; i++) {
      trb_context *ctx = context_with(1, TRB_ISA_AUTO);
      request q;
      request_make(&q, kind);
      well[i].change(&q);
      const trb_status status = call(&q, ctx);
      ck_assert_msg(status == TRB_OK, "%s, %s: %s", kind_name(kind), well[i].what, trb_context_error(ctx));
      ck_assert_str_eq(trb_context_error(ctx), "");
      trb_rollouts_free(q.r);
      stage_free(&q.s);
      trb_context_free(ctx);
    }
  }
}
END_TEST

/* ---- Models and prompts ---- */

SPOIL(out_null, q->out = NULL)
SPOIL(student_null, q->of_student = NULL)
SPOIL(student_size, q->student.size = sizeof q->student - 1)
SPOIL(student_no_size, q->student.size = 0)
SPOIL(student_vocab, q->student.vocab = 0)
SPOIL(student_vocab_negative, q->student.vocab = -VOCAB)
SPOIL(student_vocab_huge, q->student.vocab = INT64_MAX)
SPOIL(student_forward, q->student.forward = NULL)
SPOIL(student_dtype, q->student.dtype = 3)
SPOIL(student_dtype_low, q->student.dtype = -1)
SPOIL(student_cold, q->student.temperature = -1.0f)
SPOIL(student_nan, q->student.temperature = NAN)
SPOIL(student_hot, q->student.temperature = INFINITY)
SPOIL(teacher_null, q->of_teacher = NULL)
SPOIL(teacher_size, q->teacher.size = 5000)
SPOIL(teacher_unknown, q->of_teacher = &q->later_model.known; q->later_model.more[7] = 1)
SPOIL(teacher_vocab, q->teacher.vocab = 0)
SPOIL(teacher_forward, q->teacher.forward = NULL)
SPOIL(teacher_dtype, q->teacher.dtype = 7)
SPOIL(teacher_cold, q->teacher.temperature = -0.5f)
SPOIL(teacher_nan, q->teacher.temperature = NAN)
SPOIL(prompts_null, q->of_prompts = NULL)
SPOIL(prompts_n, q->s.prompts.n = -1)
SPOIL(prompts_tokens, q->s.prompts.tokens = NULL)
SPOIL(prompts_offset, q->s.prompts.offset = NULL)
SPOIL(prompts_empty, q->s.offset[4] = q->s.offset[3])
SPOIL(prompts_descend, q->s.offset[STAGE_PROMPTS] = q->s.offset[STAGE_PROMPTS - 1] - 1)
SPOIL(prompts_before, q->s.offset[0] = -1)
SPOIL(prompts_id_low, q->s.tokens[q->s.offset[STAGE_PROMPTS] - 1] = -1)
SPOIL(prompts_id_high, q->s.tokens[q->s.offset[5]] = VOCAB)

static const spoiled models_and_prompts[] = {
    {"out NULL", out_null, "out"},
    {"student size too small", student_size, "student->size"},
    {"student size 0", student_no_size, "student->size"},
    {"student vocab 0", student_vocab, "student->vocab"},
    {"student vocab negative", student_vocab_negative, "student->vocab"},
    {"student vocab INT64_MAX", student_vocab_huge, "student->vocab"},
    {"student forward NULL", student_forward, "student->forward"},
    {"student dtype 3", student_dtype, "student->dtype"},
    {"student dtype -1", student_dtype_low, "student->dtype"},
    {"student temperature -1", student_cold, "student->temperature"},
    {"student temperature NaN", student_nan, "student->temperature"},
    {"student temperature inf", student_hot, "student->temperature"},
    {"teacher size 5000", teacher_size, "teacher->size"},
    {"teacher with unknown bytes", teacher_unknown, "teacher"},
    {"teacher vocab 0", teacher_vocab, "teacher->vocab"},
    {"teacher forward NULL", teacher_forward, "teacher->forward"},
    {"teacher dtype 7", teacher_dtype, "teacher->dtype"},
    {"teacher temperature -0.5", teacher_cold, "teacher->temperature"},
    {"teacher temperature NaN", teacher_nan, "teacher->temperature"},
    {"prompts NULL", prompts_null, "prompts"},
    {"prompts n -1", prompts_n, "prompts->n"},
    {"prompts tokens NULL", prompts_tokens, "prompts->tokens"},
    {"prompts offset NULL", prompts_offset, "prompts->offset"},
    {"an empty prompt", prompts_empty, "prompts->offset[4]"},
    {"offsets descend", prompts_descend, "prompts->offset[12]"},
    {"offset[0] negative", prompts_before, "prompts->offset[0]"},
    {"a prompt's id -1", prompts_id_low, "prompts->tokens"},
    {"a prompt's id beyond the smaller vocabulary", prompts_id_high, "prompts->tokens"},
};

/* Loop test over the behaviors: models are checked also where they are not needed. */
START_TEST(test_models_and_prompts) {
  static const spoiled missing[] = {{"student NULL", student_null, "student"},
                                    {"teacher NULL", teacher_null, "teacher"}};
  RUN(_i, models_and_prompts);
  if (kind_needs_student(_i)) check_one(_i, &missing[0]);
  if (kind_needs_teacher(_i)) check_one(_i, &missing[1]);
}
END_TEST

/* ---- Options that every behavior has ---- */

#define OPTION(name, field, value)  SPOIL(name, q->s.options.field = value)
#define SAMPLER(name, field, value) SPOIL(name, q->s.sampler.field = value)

SPOIL(options_null, q->options = NULL)
OPTION(options_no_size, size, 0)
OPTION(options_size, size, sizeof q->s.options - 1)
OPTION(options_huge, size, 4097)
SPOIL(options_unknown, q->options = &q->later_options.known; q->later_options.more[15] = 1)
OPTION(behavior_low, behavior, -1)
OPTION(behavior_high, behavior, 5)
OPTION(reserved, reserved, 1)
OPTION(stop_null, stop, NULL)
SPOIL(stop_low, q->s.stop[1] = -1)
SPOIL(stop_high, q->s.stop[1] = VOCAB)
OPTION(n_stop, n_stop, -1)
SPOIL(ends_n, q->s.ends.n = -1)
SPOIL(ends_student, q->s.ends.student = NULL)
SPOIL(ends_teacher, q->s.ends.teacher = NULL)
SPOIL(ends_student_low, q->end_student[0] = -1)
SPOIL(ends_student_high, q->end_student[1] = VOCAB)
SPOIL(ends_teacher_low, q->end_teacher[1] = -1)
SPOIL(ends_teacher_high, q->end_teacher[1] = TEACHER_VOCAB)
SPOIL(ends_equal, q->end_teacher[0] = q->end_student[0])
OPTION(max_tokens, max_tokens, -1)
OPTION(max_length, max_length, -1)
OPTION(no_limit, max_length, 0)
OPTION(short_length, max_length, STAGE_LONGEST)
OPTION(repeats, repeats, -1)
OPTION(batch, batch, -1)
OPTION(keep_bytes, keep_bytes, -1)
SAMPLER(sampler_size, size, sizeof q->s.sampler - 1)
SPOIL(sampler_unknown, q->s.options.sampler = &q->later_sampler.known; q->later_sampler.more[0] = 1)
SAMPLER(top_k, top_k, -1)
SAMPLER(top_p_low, top_p, -0.1)
SAMPLER(top_p_high, top_p, 1.1)
SAMPLER(top_p_nan, top_p, (double)NAN)
SAMPLER(min_p_low, min_p, -0.1)
SAMPLER(min_p_high, min_p, 1.1)
SAMPLER(greedy, greedy, 2)
SAMPLER(purpose_low, purpose, -1)
SAMPLER(purpose_high, purpose, 256)
SAMPLER(sampler_index, index, q->index)

static const spoiled common_options[] = {
    {"options NULL", options_null, "options:"},
    {"size 0", options_no_size, "options->size"},
    {"size too small", options_size, "options->size"},
    {"size 4097", options_huge, "options->size"},
    {"unknown bytes", options_unknown, "options"},
    {"behavior -1", behavior_low, "options->behavior"},
    {"behavior 5", behavior_high, "options->behavior"},
    {"reserved 1", reserved, "options->reserved"},
    {"stop NULL", stop_null, "options->stop"},
    {"a stop id -1", stop_low, "options->stop[1]"},
    {"a stop id beyond the common vocabulary", stop_high, "options->stop[1]"},
    {"n_stop -1", n_stop, "options->n_stop"},
    {"ends n -1", ends_n, "options->ends->n"},
    {"ends student NULL", ends_student, "options->ends->student"},
    {"ends teacher NULL", ends_teacher, "options->ends->teacher"},
    {"a student's end -1", ends_student_low, "options->ends->student[0]"},
    {"a student's end beyond the common vocabulary", ends_student_high, "options->ends->student[1]"},
    {"a teacher's end -1", ends_teacher_low, "options->ends->teacher[1]"},
    {"a teacher's end beyond both vocabularies", ends_teacher_high, "options->ends->teacher[1]"},
    {"equal ends", ends_equal, "options->ends->teacher[0]"},
    {"max_tokens -1", max_tokens, "options->max_tokens"},
    {"max_length -1", max_length, "options->max_length"},
    {"no limit", no_limit, "options->max_tokens"},
    {"no room behind one prompt", short_length, "options->max_length"},
    {"repeats -1", repeats, "options->repeats"},
    {"batch -1", batch, "options->batch"},
    {"keep_bytes -1", keep_bytes, "options->keep_bytes"},
    {"sampler size", sampler_size, "options->sampler->size"},
    {"sampler with unknown bytes", sampler_unknown, "options->sampler"},
    {"sampler top_k -1", top_k, "options->sampler"},
    {"sampler top_p -0.1", top_p_low, "options->sampler"},
    {"sampler top_p 1.1", top_p_high, "top_p"},
    {"sampler top_p NaN", top_p_nan, "top_p"},
    {"sampler min_p -0.1", min_p_low, "min_p"},
    {"sampler min_p 1.1", min_p_high, "min_p"},
    {"sampler greedy 2", greedy, "greedy"},
    {"sampler purpose -1", purpose_low, "purpose"},
    {"sampler purpose 256", purpose_high, "purpose"},
    {"sampler index", sampler_index, "options->sampler->index"},
};

/* Loop test over the behaviors. */
START_TEST(test_common_options) {
  RUN(_i, common_options);
}
END_TEST

/* ---- Options of one behavior ---- */

OPTION(budget, budget, 0.1)
OPTION(budget_negative, budget, -1e-9)
OPTION(budget_nan, budget, (double)NAN)
OPTION(budget_low, budget, -(double)INFINITY)
OPTION(beta, beta, 0.5)
OPTION(beta_negative, beta, -1e-9)
OPTION(beta_high, beta, 1.0000001)
OPTION(beta_nan, beta, (double)NAN)
OPTION(temperature, temperature, 1.0)
OPTION(temperature_negative, temperature, -1.0)
OPTION(temperature_nan, temperature, (double)NAN)
OPTION(temperature_infinite, temperature, (double)INFINITY)
OPTION(block, block, 2)
OPTION(block_negative, block, -1)
OPTION(skd_k, top_k, 1)
OPTION(skd_k_zero, top_k, 0)
OPTION(skd_k_negative, top_k, -1)
OPTION(solve, solve, &q->solve)
SPOIL(solve_size, q->solve.size = 1)
SPOIL(solve_tolerance, q->solve.tolerance = 0.9)
SPOIL(solve_method, q->solve.method = 2)
SPOIL(solve_reserved, q->solve.reserved = 1)

static const spoiled of_budget[] = {
    {"block -1", block_negative, "options->block"},
    {"budget -1e-9", budget_negative, "options->budget"},
    {"budget NaN", budget_nan, "options->budget"},
    {"budget -inf", budget_low, "options->budget"},
    {"solve size", solve_size, "options->solve"},
    {"solve tolerance 0.9", solve_tolerance, "options->solve"},
    {"solve method 2", solve_method, "method"},
    {"solve reserved 1", solve_reserved, "reserved"},
    {"beta", beta, "options->beta"},
    {"beta NaN", beta_nan, "options->beta"},
    {"temperature", temperature, "options->temperature"},
    {"top_k", skd_k, "options->top_k"},
};
static const spoiled of_beta[] = {
    {"beta -1e-9", beta_negative, "options->beta"},
    {"beta beyond 1", beta_high, "options->beta"},
    {"beta NaN", beta_nan, "options->beta"},
    {"budget", budget, "options->budget"},
    {"budget NaN", budget_nan, "options->budget"},
    {"temperature", temperature, "options->temperature"},
    {"temperature NaN", temperature_nan, "options->temperature"},
    {"top_k", skd_k, "options->top_k"},
    {"solve", solve, "options->solve"},
};
static const spoiled of_alone[] = {
    {"block", block, "options->block"},
    {"temperature -1", temperature_negative, "options->temperature"},
    {"temperature NaN", temperature_nan, "options->temperature"},
    {"temperature inf", temperature_infinite, "options->temperature"},
    {"budget", budget, "options->budget"},
    {"beta", beta, "options->beta"},
    {"top_k", skd_k, "options->top_k"},
    {"top_k -1", skd_k_negative, "options->top_k"},
    {"solve", solve, "options->solve"},
};
static const spoiled of_skd[] = {
    {"block", block, "options->block"},
    {"top_k 0", skd_k_zero, "options->top_k"},
    {"top_k -1", skd_k_negative, "options->top_k"},
    {"temperature -1", temperature_negative, "options->temperature"},
    {"temperature NaN", temperature_nan, "options->temperature"},
    {"temperature inf", temperature_infinite, "options->temperature"},
    {"budget", budget, "options->budget"},
    {"beta", beta, "options->beta"},
    {"solve", solve, "options->solve"},
};

START_TEST(test_options_of_one_behavior) {
  RUN(KIND_BUDGET, of_budget);
  RUN(KIND_BUDGET_ZERO, of_budget);
  RUN(KIND_BETA, of_beta);
  RUN(KIND_STUDENT, of_alone);
  RUN(KIND_TEACHER, of_alone);
  RUN(KIND_SKD, of_skd);
}
END_TEST

TCase *rollout_einval_case(void) {
  TCase *tc = long_case("einval");
  tcase_add_test(tc, test_unspoiled);
  tcase_add_loop_test(tc, test_models_and_prompts, 0, KINDS);
  tcase_add_loop_test(tc, test_common_options, 0, KINDS);
  tcase_add_test(tc, test_options_of_one_behavior);
  return tc;
}
