/* test_train_einval.c - every TRB_EINVAL of trb_train_step: a text that names the argument, no callback, nothing
 * written; and structs of other ages. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "counting.h"
#include "suites.h"
#include "trainee.h"

enum { TOKENS = 6, K = 2, VOCAB = 9, COMMON = 8, POISON = 0x5A };

/* A complete set of arguments. The pointers lead to the members below them. */
typedef struct args {
  const trb_model *student, *teacher;
  const trb_rollouts *rollouts;
  const trb_train_options *options;
  double *loss;
  trb_loss_row *rows;
  trb_train_report *out;

  trb_model student_of, teacher_of;
  trb_train_options options_of;
  trb_loss_options reverse_kl;
  trb_divergence_options divergence;
  trb_term_options token;
  double weight[TOKENS];
  int64_t ids[TOKENS * K];
  struct {
    trb_train_options known;
    char more[16];
  } later_options;
  struct {
    trb_model known;
    char more[16];
  } later_model;

  double losses[TOKENS];
  trb_loss_row loss_rows[TOKENS];
  struct {
    trb_train_report known;
    unsigned char more[16];
  } report;
} args;

typedef void (*spoil_fn)(args *a);

typedef struct spoiled {
  const char *what;
  spoil_fn spoil;
  const char *name; /* the text begins with it */
} spoiled;

static int32_t no_forward(const trb_query *queries, int64_t n, const trb_logits *out, void *user) {
  (void)queries;
  (void)n;
  (void)out;
  (void)user;
  ck_abort_msg("a model was asked");
}

static int32_t no_progress(int64_t done, int64_t total, void *user) {
  (void)done;
  (void)total;
  (void)user;
  ck_abort_msg("progress was told");
}

static const int64_t end_student[] = {2}, end_teacher[] = {3};

/* Two sequences of three sampled tokens, the teacher's logits of the first two tokens kept. */
static trb_rollouts *make_rollouts(scripted *teacher) {
  static const int64_t tokens[] = {1, 2, 3, 4, 5, 6, 7, 1}, offset[] = {0, 4, 8}, prompt[] = {1, 1};
  const trb_texts texts = {tokens, offset, 2};
  const trb_ends ends = {end_student, end_teacher, 1};
  const trb_model model = scripted_model(teacher);
  const trb_score_options keep = {.size = sizeof keep, .keep_bytes = (int64_t)sizeof(float) * teacher->vocab * 2};
  trb_rollouts *r;
  ck_assert_int_eq(trb_rollouts_new(NULL, &texts, prompt, NULL, &ends, &r), TRB_OK);
  ck_assert_int_eq(trb_score(NULL, NULL, &model, &keep, r), TRB_OK);
  ck_assert_int_eq(r->kept, 2);
  return r;
}

static void fill(args *a, const scripted *student, const scripted *teacher, const trb_rollouts *r) {
  memset(a, 0, sizeof *a);
  a->student_of = (trb_model){sizeof a->student_of, student->vocab, no_forward, NULL, NULL, TRB_F32, 0.0f};
  a->teacher_of = (trb_model){sizeof a->teacher_of, teacher->vocab, no_forward, NULL, NULL, TRB_F32, 0.0f};
  a->student_of.backward = no_forward;
  a->options_of = (trb_train_options){.size = sizeof a->options_of, .weight = a->weight, .progress = no_progress};
  a->reverse_kl = (trb_loss_options){sizeof a->reverse_kl, TRB_FORM_TRUNCATED, TRB_SUPPORT_IDS, K, a->ids};
  a->divergence.size = sizeof a->divergence;
  a->token.size = sizeof a->token;
  for (int t = 0; t < TOKENS; t++) a->weight[t] = 1.0;
  a->student = &a->student_of;
  a->teacher = &a->teacher_of;
  a->rollouts = r;
  a->options = &a->options_of;
  a->options_of.reverse_kl = &a->reverse_kl;
  memset(a->losses, POISON, (size_t)((unsigned char *)(a + 1) - (unsigned char *)a->losses));
  a->report.known.size = sizeof a->report.known;
  a->loss = a->losses;
  a->rows = a->loss_rows;
  a->out = &a->report.known;
}

static trb_status call(trb_context *ctx, const args *a) {
  return trb_train_step(ctx, a->student, a->teacher, a->rollouts, a->options, a->loss, a->rows, a->out);
}

static void run(const spoiled *list, int n) {
  scripted student = scripted_new(1, VOCAB, TRB_F32), teacher = scripted_new(2, COMMON, TRB_F32);
  trb_rollouts *r = make_rollouts(&teacher);
  args *a = malloc(sizeof *a), *before = malloc(sizeof *before);
  if (!a || !before) abort();
  for (int i = 0; i < n; i++)
    for (int with_context = 0; with_context < 2; with_context++) {
      trb_context *ctx = with_context ? context_with(1, TRB_ISA_AUTO) : NULL;
      fill(a, &student, &teacher, r);
      list[i].spoil(a);
      memcpy(before, a, sizeof *a);
      const trb_status status = call(ctx, a);
      const char *text = trb_context_error(ctx);
      ck_assert_msg(status == TRB_EINVAL, "%s: status %d", list[i].what, status);
      ck_assert_msg(memcmp(a, before, sizeof *a) == 0, "%s: something was written", list[i].what);
      ck_assert_msg(!ctx || strncmp(text, list[i].name, strlen(list[i].name)) == 0, "%s: \"%s\" does not begin with %s",
                    list[i].what, text, list[i].name);
      trb_context_free(ctx);
    }
  free(a);
  free(before);
  trb_rollouts_free(r);
  scripted_free(&teacher);
}

#define RUN(list) run(list, sizeof list / sizeof list[0])

/* A spoiler of one statement. */
#define SPOIL(name, change)                                                                                            \
  static void name(args *a) {                                                                                          \
    change;                                                                                                            \
  }

/* ---- Models and rollouts ---- */

SPOIL(rollouts_null, a->rollouts = NULL)
SPOIL(student_null, a->student = NULL)
SPOIL(teacher_null, a->teacher = NULL)
SPOIL(backward_null, a->student_of.backward = NULL)
SPOIL(student_shows_too_little, a->student_of.vocab = 7)
SPOIL(teacher_shows_too_little, a->teacher_of.vocab = 7)
SPOIL(kept_of_other_vocab, a->teacher_of.vocab = COMMON + 1)
SPOIL(kept_of_other_dtype, a->teacher_of.dtype = TRB_BF16)
SPOIL(kept_of_other_temperature, a->teacher_of.temperature = 0.5f)
SPOIL(teacher_unknown_bytes, a->later_model.known = a->teacher_of; a->later_model.known.size = sizeof a->later_model;
      a->later_model.more[7] = 1; a->teacher = &a->later_model.known)

#define SPOIL_MODEL(which)                                                                                             \
  SPOIL(which##_size_zero, a->which##_of.size = 0)                                                                     \
  SPOIL(which##_size_small, a->which##_of.size = sizeof(trb_model) - 1)                                                \
  SPOIL(which##_size_large, a->which##_of.size = 4097)                                                                 \
  SPOIL(which##_no_vocab, a->which##_of.vocab = 0)                                                                     \
  SPOIL(which##_negative_vocab, a->which##_of.vocab = -3)                                                              \
  SPOIL(which##_huge_vocab, a->which##_of.vocab = INT64_MAX)                                                           \
  SPOIL(which##_forward_null, a->which##_of.forward = NULL)                                                            \
  SPOIL(which##_dtype_high, a->which##_of.dtype = 3)                                                                   \
  SPOIL(which##_dtype_low, a->which##_of.dtype = -1)                                                                   \
  SPOIL(which##_negative_temperature, a->which##_of.temperature = -0.1f)                                               \
  SPOIL(which##_nan_temperature, a->which##_of.temperature = NAN)                                                      \
  SPOIL(which##_infinite_temperature, a->which##_of.temperature = INFINITY)
#define LIST_MODEL(which)                                                                                              \
  {#which " size 0", which##_size_zero, #which "->size"}, {#which " size small", which##_size_small, #which "->size"}, \
      {#which " size large", which##_size_large, #which "->size"},                                                     \
      {#which " vocab 0", which##_no_vocab, #which "->vocab"},                                                         \
      {#which " vocab -3", which##_negative_vocab, #which "->vocab"},                                                  \
      {#which " vocab huge", which##_huge_vocab, #which "->vocab"},                                                    \
      {#which " forward NULL", which##_forward_null, #which "->forward"},                                              \
      {#which " dtype 3", which##_dtype_high, #which "->dtype"},                                                       \
      {#which " dtype -1", which##_dtype_low, #which "->dtype"},                                                       \
      {#which " temperature -0.1", which##_negative_temperature, #which "->temperature"},                              \
      {#which " temperature NaN", which##_nan_temperature, #which "->temperature"}, {                                  \
#which " temperature inf", which##_infinite_temperature, #which "->temperature"                                    \
  }
SPOIL_MODEL(student)
SPOIL_MODEL(teacher)

START_TEST(test_models) {
  static const spoiled list[] = {
      LIST_MODEL(student),
      LIST_MODEL(teacher),
      {"rollouts NULL", rollouts_null, "rollouts:"},
      {"student NULL", student_null, "student:"},
      {"teacher NULL", teacher_null, "teacher:"},
      {"backward NULL", backward_null, "student->backward:"},
      {"a token beyond the student", student_shows_too_little, "student->vocab:"},
      {"a token beyond the teacher", teacher_shows_too_little, "teacher->vocab:"},
      {"kept logits of another vocabulary", kept_of_other_vocab, "teacher->vocab:"},
      {"kept logits of another type", kept_of_other_dtype, "teacher->dtype:"},
      {"kept logits of another temperature", kept_of_other_temperature, "teacher->temperature:"},
      {"unknown bytes of the teacher", teacher_unknown_bytes, "teacher:"},
  };
  RUN(list);
}
END_TEST

/* ---- Options and outputs ---- */

static void choose(args *a, int32_t objective) {
  a->options_of.objective = objective;
  a->options_of.reverse_kl = NULL;
  if (objective == TRB_OBJECTIVE_DIVERGENCE) a->options_of.divergence = &a->divergence;
  if (objective == TRB_OBJECTIVE_TOKEN) a->options_of.token = &a->token;
  if (objective == TRB_OBJECTIVE_TOKEN) a->rows = NULL;
}

SPOIL(size_zero, a->options_of.size = 0)
SPOIL(size_small, a->options_of.size = sizeof a->options_of - 1)
SPOIL(size_large, a->options_of.size = 4097)
SPOIL(unknown_bytes, a->later_options.known = a->options_of; a->later_options.known.size = sizeof a->later_options;
      a->later_options.more[15] = 1; a->options = &a->later_options.known)
SPOIL(objective_high, a->options_of.objective = 3)
SPOIL(objective_low, a->options_of.objective = -1)
SPOIL(norm_high, a->options_of.norm = 3)
SPOIL(norm_low, a->options_of.norm = -1)
SPOIL(grad_dtype_high, a->options_of.grad_dtype = 3)
SPOIL(grad_dtype_low, a->options_of.grad_dtype = -1)
SPOIL(evaluate_two, a->options_of.evaluate = 2)
SPOIL(evaluate_negative, a->options_of.evaluate = -1)
SPOIL(routed_two, a->options_of.routed = 2)
SPOIL(routed_negative, a->options_of.routed = -1)
SPOIL(reserved_one, a->options_of.reserved = 1)
SPOIL(scale_nan, a->options_of.weight = NULL; a->options_of.scale = (double)NAN)
SPOIL(scale_infinite, a->options_of.weight = NULL; a->options_of.scale = (double)INFINITY)
SPOIL(scale_overflows, a->options_of.scale = 1e200; a->weight[4] = -1e200)
SPOIL(bridge_negative, a->options_of.bridge = -0.1)
SPOIL(bridge_large, a->options_of.bridge = 1.1)
SPOIL(bridge_nan, a->options_of.bridge = (double)NAN)
SPOIL(bridge_of_terms, choose(a, TRB_OBJECTIVE_TOKEN); a->options_of.bridge = 0.5)
SPOIL(batch_bytes_negative, a->options_of.batch_bytes = -1)
SPOIL(weight_nan, a->weight[5] = (double)NAN)
SPOIL(weight_infinite, a->weight[0] = (double)INFINITY)
SPOIL(unused_reverse_kl, choose(a, TRB_OBJECTIVE_DIVERGENCE); a->options_of.reverse_kl = &a->reverse_kl)
SPOIL(unused_divergence, a->options_of.divergence = &a->divergence)
SPOIL(unused_token, a->options_of.token = &a->token)
SPOIL(inner_form, a->reverse_kl.form = 5)
SPOIL(inner_size, a->reverse_kl.size = 8)
SPOIL(inner_k, a->reverse_kl.k = 0)
SPOIL(inner_id, a->ids[TOKENS * K - 1] = COMMON)
SPOIL(inner_ids_null, a->reverse_kl.ids = NULL)
SPOIL(inner_renormalized, a->reverse_kl.form = TRB_FORM_RENORMALIZED)
SPOIL(inner_kind, choose(a, TRB_OBJECTIVE_DIVERGENCE); a->divergence.kind = 2)
SPOIL(inner_b, choose(a, TRB_OBJECTIVE_DIVERGENCE); a->divergence.b = 0.5)
SPOIL(inner_divergence_size, choose(a, TRB_OBJECTIVE_DIVERGENCE); a->divergence.size = 0)
SPOIL(inner_estimator, choose(a, TRB_OBJECTIVE_TOKEN); a->token.estimator = 5)
SPOIL(inner_clip, choose(a, TRB_OBJECTIVE_TOKEN); a->token.estimator = TRB_ESTIMATOR_K1; a->token.ratio_low = 0.5)
SPOIL(inner_token_size, choose(a, TRB_OBJECTIVE_TOKEN); a->token.size = 1)
SPOIL(rows_of_terms, choose(a, TRB_OBJECTIVE_TOKEN); a->rows = a->loss_rows)
SPOIL(no_teacher_for_k1, choose(a, TRB_OBJECTIVE_TOKEN); a->token.estimator = TRB_ESTIMATOR_K1; a->teacher = NULL)
SPOIL(report_size_zero, a->report.known.size = 0)
SPOIL(report_size_small, a->report.known.size = sizeof(trb_train_report) - 1)
SPOIL(report_size_large, a->report.known.size = 4097)

START_TEST(test_options) {
  static const spoiled list[] = {
      {"size 0", size_zero, "options->size:"},
      {"size too small", size_small, "options->size:"},
      {"size too large", size_large, "options->size:"},
      {"unknown bytes", unknown_bytes, "options:"},
      {"objective 3", objective_high, "options->objective:"},
      {"objective -1", objective_low, "options->objective:"},
      {"norm 3", norm_high, "options->norm:"},
      {"norm -1", norm_low, "options->norm:"},
      {"grad_dtype 3", grad_dtype_high, "options->grad_dtype:"},
      {"grad_dtype -1", grad_dtype_low, "options->grad_dtype:"},
      {"evaluate 2", evaluate_two, "options->evaluate:"},
      {"evaluate -1", evaluate_negative, "options->evaluate:"},
      {"routed 2", routed_two, "options->routed:"},
      {"routed -1", routed_negative, "options->routed:"},
      {"reserved 1", reserved_one, "options->reserved:"},
      {"scale NaN", scale_nan, "options->scale:"},
      {"scale inf", scale_infinite, "options->scale:"},
      {"scale times weight overflows", scale_overflows, "options->scale:"},
      {"bridge -0.1", bridge_negative, "options->bridge:"},
      {"bridge 1.1", bridge_large, "options->bridge:"},
      {"bridge NaN", bridge_nan, "options->bridge:"},
      {"bridge of terms", bridge_of_terms, "options->bridge:"},
      {"batch_bytes -1", batch_bytes_negative, "options->batch_bytes:"},
      {"weight NaN", weight_nan, "options->weight[5]:"},
      {"weight inf", weight_infinite, "options->weight[0]:"},
      {"reverse_kl of another objective", unused_reverse_kl, "options->reverse_kl:"},
      {"divergence of another objective", unused_divergence, "options->divergence:"},
      {"token of another objective", unused_token, "options->token:"},
      {"form 5", inner_form, "options->reverse_kl: options->form:"},
      {"size of the loss", inner_size, "options->reverse_kl: options->size:"},
      {"k 0", inner_k, "options->reverse_kl: options->k:"},
      {"id beyond the common vocabulary", inner_id, "options->reverse_kl: options->ids"},
      {"ids NULL", inner_ids_null, "options->reverse_kl: options->ids:"},
      {"renormalized on one id", inner_renormalized, "options->reverse_kl: options->ids"},
      {"kind 2", inner_kind, "options->divergence: options->kind:"},
      {"b of the forward KL", inner_b, "options->divergence: options->b:"},
      {"size of the divergence", inner_divergence_size, "options->divergence: options->size:"},
      {"estimator 5", inner_estimator, "options->token: options->estimator:"},
      {"clip of K1", inner_clip, "options->token: options:"},
      {"size of the terms", inner_token_size, "options->token->size:"},
      {"rows of terms", rows_of_terms, "rows:"},
      {"K1 without a teacher", no_teacher_for_k1, "teacher:"},
      {"report size 0", report_size_zero, "out->size:"},
      {"report size too small", report_size_small, "out->size:"},
      {"report size too large", report_size_large, "out->size:"},
  };
  RUN(list);
}
END_TEST

/* A last token that a model does not have, though no model is shown it; ends that the models do not have. */
START_TEST(test_ids) {
  static const int64_t offset[] = {0, 3}, prompt[] = {1}, far[] = {12};
  static const trb_ends far_student = {far, end_teacher, 1}, far_teacher = {end_student, far, 1};
  static const struct {
    int64_t last;
    const trb_ends *ends;
    const char *name;
  } cases[] = {{VOCAB, NULL, "student->vocab:"},
               {COMMON, NULL, "teacher->vocab:"},
               {1, &far_student, "ends->student[0]:"},
               {1, &far_teacher, "ends->teacher[0]:"}};
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  args *a = malloc(sizeof *a);
  if (!a) abort();
  scripted student = scripted_new(1, VOCAB, TRB_F32), teacher = scripted_new(2, COMMON, TRB_F32);
  for (int i = 0; i < 4; i++) {
    const int64_t tokens[] = {1, 2, cases[i].last};
    const trb_texts texts = {tokens, offset, 1};
    trb_rollouts *r;
    ck_assert_int_eq(trb_rollouts_new(NULL, &texts, prompt, NULL, cases[i].ends, &r), TRB_OK);
    fill(a, &student, &teacher, r);
    choose(a, TRB_OBJECTIVE_DIVERGENCE);
    ck_assert_int_eq(call(ctx, a), TRB_EINVAL);
    const char *text = trb_context_error(ctx);
    ck_assert_msg(strncmp(text, cases[i].name, strlen(cases[i].name)) == 0, "\"%s\"", text);
    trb_rollouts_free(r);
  }
  free(a);
  trb_context_free(ctx);
}
END_TEST

/* ---- Sizes that cannot be had ---- */

/* Vocabularies whose rows no memory holds: refused or not to be had, whatever sums of sizes overflow. */
START_TEST(test_huge_vocabularies) {
  scripted student = scripted_new(1, VOCAB, TRB_F32), teacher = scripted_new(2, COMMON, TRB_F32);
  static const int64_t tokens[] = {1, 2, 3}, offset[] = {0, 3}, prompt[] = {1};
  const trb_texts texts = {tokens, offset, 1};
  counter count;
  const trb_context_options o = counted(&count, 1);
  trb_context *ctx;
  trb_rollouts *r;
  ck_assert_int_eq(trb_context_new(&o, &ctx), TRB_OK);
  ck_assert_int_eq(trb_rollouts_new(NULL, &texts, prompt, NULL, NULL, &r), TRB_OK);
  args *a = malloc(sizeof *a);
  if (!a) abort();
  for (int shift = 0; shift < 16; shift++) {
    fill(a, &student, &teacher, r);
    a->options_of.reverse_kl = NULL;
    a->options_of.weight = NULL;
    a->options_of.bridge = 0.5;
    a->student_of.dtype = TRB_F16;
    a->student_of.vocab = a->teacher_of.vocab = INT64_MAX >> shift;
    count.fail_at = count.calls; /* a sanitizer's malloc does not take such sizes */
    ck_assert_int_eq(call(ctx, a), shift < 4 ? TRB_EINVAL : TRB_ENOMEM);
  }
  free(a);
  trb_rollouts_free(r);
  trb_context_free(ctx);
}
END_TEST

/* ---- Structs of other ages ---- */

/* Larger structs whose new bytes are 0 are read; of a larger report the unknown bytes become 0. */
START_TEST(test_later_structs) {
  scripted student = scripted_new(1, VOCAB, TRB_F32), teacher = scripted_new(2, COMMON, TRB_F32);
  trb_rollouts *r = make_rollouts(&teacher);
  args *a = malloc(sizeof *a);
  if (!a) abort();
  fill(a, &student, &teacher, r);
  a->later_model.known = scripted_model(&student);
  a->later_model.known.size = sizeof a->later_model;
  a->teacher_of = scripted_model(&teacher);
  a->student = &a->later_model.known;
  a->later_options.known = (trb_train_options){.size = sizeof a->later_options, .evaluate = 1};
  a->options = &a->later_options.known;
  a->report.known.size = sizeof a->report;
  ck_assert_int_eq(call(NULL, a), TRB_OK);
  ck_assert_uint_eq(a->report.known.size, sizeof a->report);
  ck_assert_int_eq(a->report.known.tokens, TOKENS);
  for (size_t i = 0; i < sizeof a->report.more; i++) ck_assert_uint_eq(a->report.more[i], 0);
  free(a);
  trb_rollouts_free(r);
  scripted_free(&student);
  scripted_free(&teacher);
}
END_TEST

TCase *train_einval_case(void) {
  TCase *tc = long_case("arguments");
  tcase_add_test(tc, test_models);
  tcase_add_test(tc, test_options);
  tcase_add_test(tc, test_ids);
  tcase_add_test(tc, test_huge_vocabularies);
  tcase_add_test(tc, test_later_structs);
  return tc;
}
