/* einval_call.c - calls with one broken argument. */
#include "einval_call.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POISON = 0x5A };

static call *call_new(trb_context *ctx) {
  call *c = calloc(1, sizeof *c);
  if (!c) abort();
  rng g = {0xE1};
  c->s = matrix_new(CALL_ROWS, CALL_VOCAB, CALL_VOCAB + 4, TRB_F32, 0.0f);
  c->t = matrix_new(CALL_ROWS, CALL_COMMON, 0, TRB_F32, 0.0f);
  c->o = matrix_new(CALL_ROWS, CALL_VOCAB, CALL_VOCAB + 2, TRB_F32, 0.0f);
  for (int64_t r = 0; r < CALL_ROWS; r++) {
    for (int64_t v = 0; v < CALL_VOCAB; v++) matrix_set(&c->s, r, v, rng_normal(&g));
    for (int64_t v = 0; v < CALL_COMMON; v++) matrix_set(&c->t, r, v, rng_normal(&g));
    c->budgets[r] = 0.1;
    c->betas[r] = 0.5;
    c->weights[r] = 1.0;
    c->behaviors[r] = -1.0;
    c->tokens[r] = r;
    c->ids[r * CALL_K] = 1;
    c->ids[r * CALL_K + 1] = 2;
    c->ids[r * CALL_K + 2] = -1;
  }
  c->student_view = c->s.view;
  c->teacher_view = c->t.view;
  c->output_view = c->o.view;
  double beta = 0.5;
  ck_assert_int_eq(trb_blend_at(NULL, &c->student_view, &c->teacher_view, &beta, 1, c->blends), TRB_OK);
  for (int64_t i = 0; i < CALL_ROWS * CALL_K; i++) c->log_q[i] = -2.0f;
  for (int64_t r = 0; r <= CALL_ROWS; r++) c->list_offset[r] = r * CALL_K;
  c->lists_of = (trb_sparse){c->ids, c->log_q, c->list_offset, 0, 0.0};
  ck_assert_int_eq(
      trb_solve_sparse(NULL, &c->student_view, &c->lists_of, c->budgets, CALL_ROWS, NULL, c->sparse_blends), TRB_OK);
  c->solve_of.size = sizeof c->solve_of;
  c->sampler_of.size = sizeof c->sampler_of;
  c->sampler_of.index = c->index;
  c->offsets[1] = 1;
  c->offsets[2] = CALL_ROWS;
  c->proposals_of = (trb_texts){c->tokens, c->offsets, 2};
  c->verify_of = (trb_verify_options){sizeof c->verify_of, &c->solve_of, &c->sampler_of, TRB_BEHAVIOR_BUDGET, 0};
  c->loss_of = (trb_loss_options){sizeof c->loss_of, TRB_FORM_TRUNCATED, TRB_SUPPORT_IDS, CALL_K, c->ids};
  c->divergence_of = (trb_divergence_options){sizeof c->divergence_of, 0.5, TRB_DIVERGENCE_JSD, 0};
  c->term_of.size = sizeof c->term_of;
  c->later.known.size = sizeof c->later;
  memset(c->guard, POISON, (size_t)((unsigned char *)&c->s - c->guard)); /* the outputs with their guards */
  c->ctx = ctx;
  c->student = &c->student_view;
  c->teacher = &c->teacher_view;
  c->output = &c->output_view;
  c->budget = c->budgets;
  c->beta = c->betas;
  c->weight = c->weights;
  c->log_behavior = c->behaviors;
  c->blend = c->blends;
  c->token = c->tokens;
  c->solve = &c->solve_of;
  c->sampler = &c->sampler_of;
  c->proposals = &c->proposals_of;
  c->lists = &c->lists_of;
  c->sparse_blend = c->sparse_blends;
  c->out_sparse = c->sparse_out;
  c->verify = &c->verify_of;
  c->loss_options = &c->loss_of;
  c->divergence = &c->divergence_of;
  c->term_options = &c->term_of;
  c->n = CALL_ROWS;
  c->out_blend = c->blends_out;
  c->out_draw = c->draws_out;
  c->out_loss = c->losses_out;
  c->out_rows = c->rows_out;
  c->out_term = c->terms_out;
  c->out_verdict = c->verdicts_out;
  return c;
}

static void call_free(call *c) {
  matrix_free(&c->s);
  matrix_free(&c->t);
  matrix_free(&c->o);
  free(c);
}

/* Everything that a call could write, as it is now. */
typedef struct snapshot {
  call c;
  matrix s, t, o;
} snapshot;

static snapshot *look(const call *c) {
  snapshot *x = malloc(sizeof *x);
  if (!x) abort();
  memcpy(&x->c, c, sizeof *c);
  x->s = matrix_copy(&c->s);
  x->t = matrix_copy(&c->t);
  x->o = matrix_copy(&c->o);
  return x;
}

static bool unchanged(const snapshot *x, const call *c) {
  return memcmp(&x->c, c, sizeof *c) == 0 && memcmp(x->s.block, c->s.block, c->s.bytes) == 0 &&
         memcmp(x->t.block, c->t.block, c->t.bytes) == 0 && memcmp(x->o.block, c->o.block, c->o.bytes) == 0;
}

static void forget(snapshot *x) {
  matrix_free(&x->s);
  matrix_free(&x->t);
  matrix_free(&x->o);
  free(x);
}

static bool names_one(const char *text, const char *names) {
  char list[200];
  strncpy(list, names, sizeof list - 1);
  list[sizeof list - 1] = '\0';
  char *rest = list;
  for (char *name = strtok(rest, "|"); name; name = strtok(NULL, "|")) {
    if (strstr(text, name)) return true;
  }
  return false;
}

void call_well(call_fn fn) {
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  call *c = call_new(ctx);
  ck_assert_int_eq(fn(c), TRB_OK);
  ck_assert_str_eq(trb_context_error(ctx), "");
  for (size_t i = 0; i < sizeof c->guard; i++) ck_assert(c->guard[i] == POISON && c->last_guard[i] == POISON);
  ck_assert(matrix_guarded(&c->s) && matrix_guarded(&c->t) && matrix_guarded(&c->o));
  call_free(c);
  trb_context_free(ctx);
}

static void call_one(const char *function, call_fn fn, const spoiled *x) {
  for (int with_context = 0; with_context < 2; with_context++) {
    trb_context *ctx = with_context ? context_with(1, TRB_ISA_AUTO) : NULL;
    call *c = call_new(ctx);
    x->spoil(c);
    snapshot *before = look(c);
    trb_status status = fn(c);
    ck_assert_msg(status == TRB_EINVAL, "%s, %s: status %d", function, x->what, status);
    ck_assert_msg(unchanged(before, c), "%s, %s: something was written", function, x->what);
    ck_assert_msg(!ctx || names_one(trb_context_error(ctx), x->names), "%s, %s: the text does not name %s: \"%s\"",
                  function, x->what, x->names, trb_context_error(ctx));
    forget(before);
    call_free(c);
    trb_context_free(ctx);
  }
}

void call_spoiled(const char *function, call_fn fn, const spoiled *list, int n) {
  for (int i = 0; i < n; i++) call_one(function, fn, &list[i]);
}

/* ---- Views ---- */

#define SPOIL_VIEW(which, tag, change)                                                                                 \
  static void which##_##tag(call *c) {                                                                                 \
    trb_logits *v = &c->which##_view;                                                                                  \
    change;                                                                                                            \
  }

#define SPOIL_ALL(which)                                                                                               \
  SPOIL_VIEW(which, negative_rows, v->rows = -1)                                                                       \
  SPOIL_VIEW(which, no_vocab, v->vocab = 0)                                                                            \
  SPOIL_VIEW(which, negative_vocab, v->vocab = -5)                                                                     \
  SPOIL_VIEW(which, short_stride, v->stride = v->vocab - 1)                                                            \
  SPOIL_VIEW(which, negative_stride, v->stride = -v->stride)                                                           \
  SPOIL_VIEW(which, high_dtype, v->dtype = 3)                                                                          \
  SPOIL_VIEW(which, low_dtype, v->dtype = -1)                                                                          \
  SPOIL_VIEW(which, no_data, v->data = NULL)                                                                           \
  SPOIL_VIEW(which, misaligned, v->data = (char *)v->data + 1)                                                         \
  SPOIL_VIEW(which, half_aligned, v->data = (char *)v->data + 2)                                                       \
  SPOIL_VIEW(which, overflow, v->stride = INT64_MAX / 2)                                                               \
  SPOIL_VIEW(which, huge_vocab, v->vocab = v->stride = INT64_MAX)                                                      \
  SPOIL_VIEW(which, fewer_rows, v->rows = CALL_ROWS - 1)                                                               \
  SPOIL_VIEW(which, more_rows, v->rows = CALL_ROWS + 1)                                                                \
  static void which##_null(call *c) {                                                                                  \
    c->which = NULL;                                                                                                   \
  }

#define LIST_ALL(which, names)                                                                                         \
  {#which " NULL", which##_null, names}, {#which " rows -1", which##_negative_rows, names},                            \
      {#which " vocab 0", which##_no_vocab, names}, {#which " vocab -5", which##_negative_vocab, names},               \
      {#which " stride < vocab", which##_short_stride, names},                                                         \
      {#which " stride negative", which##_negative_stride, names}, {#which " dtype 3", which##_high_dtype, names},     \
      {#which " dtype -1", which##_low_dtype, names}, {#which " data NULL", which##_no_data, names},                   \
      {#which " data at an odd address", which##_misaligned, names},                                                   \
      {#which " data at half an element", which##_half_aligned, names},                                                \
      {#which " size overflows", which##_overflow, names}, {#which " vocab overflows", which##_huge_vocab, names},     \
      {#which " has fewer rows", which##_fewer_rows, names "|rows"}, {                                                 \
#which " has more rows", which##_more_rows, names "|rows"                                                          \
  }

SPOIL_ALL(student)
SPOIL_ALL(teacher)
SPOIL_ALL(output)
SPOIL_VIEW(student, negative_temperature, v->temperature = -1.0f)
SPOIL_VIEW(student, nan_temperature, v->temperature = NAN)
SPOIL_VIEW(student, infinite_temperature, v->temperature = INFINITY)
SPOIL_VIEW(teacher, negative_temperature, v->temperature = -1.0f)
SPOIL_VIEW(teacher, nan_temperature, v->temperature = NAN)
SPOIL_VIEW(teacher, infinite_temperature, v->temperature = INFINITY)

void call_spoiled_models(const char *function, call_fn fn) {
  static const spoiled list[] = {
      LIST_ALL(student, "student"),
      LIST_ALL(teacher, "teacher"),
      {"student temperature -1", student_negative_temperature, "student"},
      {"student temperature NaN", student_nan_temperature, "student"},
      {"student temperature inf", student_infinite_temperature, "student"},
      {"teacher temperature -1", teacher_negative_temperature, "teacher"},
      {"teacher temperature NaN", teacher_nan_temperature, "teacher"},
      {"teacher temperature inf", teacher_infinite_temperature, "teacher"},
  };
  call_spoiled(function, fn, list, sizeof list / sizeof list[0]);
}

/* An output may be a model's buffer only as a whole: same data, stride and dtype. */
static void onto(call *c, const trb_logits *model, int64_t elements) {
  c->output_view = *model;
  c->output_view.vocab = CALL_VOCAB;
  c->output_view.data = (float *)model->data + elements;
}

static void output_one_behind(call *c) {
  onto(c, &c->s.view, 1);
}
static void output_one_row_behind(call *c) {
  onto(c, &c->s.view, c->s.view.stride);
  c->output_view.rows = CALL_ROWS;
}
static void output_other_dtype(call *c) {
  onto(c, &c->s.view, 0);
  c->output_view.dtype = TRB_BF16;
}
static void output_other_stride(call *c) {
  onto(c, &c->s.view, 0);
  c->output_view.stride = CALL_VOCAB;
}
static void output_in_teacher(call *c) {
  onto(c, &c->t.view, 1);
  c->output_view.stride = CALL_VOCAB;
}
static void output_too_small(call *c) {
  c->output_view.vocab = CALL_COMMON - 1;
}

void call_spoiled_output(const char *function, call_fn fn, const char *name) {
  spoiled list[] = {
      LIST_ALL(output, ""),
      {"output one element into the student", output_one_behind, ""},
      {"output one row into the student", output_one_row_behind, ""},
      {"output over the student in another type", output_other_dtype, ""},
      {"output over the student with another stride", output_other_stride, ""},
      {"output inside the teacher", output_in_teacher, ""},
      {"output narrower than the common vocabulary", output_too_small, ""},
  };
  int n = sizeof list / sizeof list[0], skip = strcmp(name, "grad") == 0; /* grad may be NULL */
  for (int i = 0; i < n; i++) list[i].names = name;
  call_spoiled(function, fn, list + skip, n - skip);
}
