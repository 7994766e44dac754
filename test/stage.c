/* stage.c - rollouts to be run, and their comparison. */
#include "stage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Behaviors ---- */

static const struct {
  const char *name;
  trb_rollout_options options;
} kinds[KINDS] = {
    [KIND_BUDGET] = {"budget", {.behavior = TRB_BEHAVIOR_BUDGET, .budget = 0.15}},
    [KIND_BUDGET_ZERO] = {"budget 0", {.behavior = TRB_BEHAVIOR_BUDGET}},
    [KIND_BUDGET_INFINITE] = {"budget inf", {.behavior = TRB_BEHAVIOR_BUDGET, .budget = (double)INFINITY}},
    [KIND_BETA] = {"beta", {.behavior = TRB_BEHAVIOR_BETA, .beta = 0.4}},
    [KIND_BETA_ZERO] = {"beta 0", {.behavior = TRB_BEHAVIOR_BETA}},
    [KIND_BETA_ONE] = {"beta 1", {.behavior = TRB_BEHAVIOR_BETA, .beta = 1.0}},
    [KIND_STUDENT] = {"student", {.behavior = TRB_BEHAVIOR_STUDENT}},
    [KIND_STUDENT_COLD] = {"student at 0.7", {.behavior = TRB_BEHAVIOR_STUDENT, .temperature = 0.7}},
    [KIND_TEACHER] = {"teacher", {.behavior = TRB_BEHAVIOR_TEACHER}},
    [KIND_TEACHER_HOT] = {"teacher at 1.5", {.behavior = TRB_BEHAVIOR_TEACHER, .temperature = 1.5}},
    [KIND_SKD] = {"skd", {.behavior = TRB_BEHAVIOR_SKD, .top_k = 2}},
    [KIND_SKD_COLD] = {"skd at 0.6", {.behavior = TRB_BEHAVIOR_SKD, .top_k = 1, .temperature = 0.6}},
    [KIND_BLOCKS] = {"blocks", {.behavior = TRB_BEHAVIOR_BUDGET, .budget = 0.15, .block = 3}},
    [KIND_BLOCKS_BETA] = {"blocks, beta", {.behavior = TRB_BEHAVIOR_BETA, .beta = 0.4, .block = 5}},
};

const char *kind_name(int kind) {
  return kinds[kind].name;
}

trb_rollout_options kind_options(int kind) {
  trb_rollout_options o = kinds[kind].options;
  o.size = sizeof o;
  return o;
}

bool kind_needs_student(int kind) {
  return kind != KIND_TEACHER && kind != KIND_TEACHER_HOT;
}

bool kind_needs_teacher(int kind) {
  return kind != KIND_BUDGET_ZERO && kind != KIND_BETA_ZERO && kind != KIND_STUDENT && kind != KIND_STUDENT_COLD;
}

/* ---- Running ---- */

void stage_make(stage *s, int kind, int64_t vocab, uint64_t seed) {
  rng g = {seed};
  memset(s, 0, sizeof *s);
  s->student = scripted_new(rng_next(&g), vocab, TRB_F32);
  s->teacher = scripted_new(rng_next(&g), vocab, TRB_F32);
  for (int i = 0; i < STAGE_PROMPTS; i++) {
    const int64_t length = rng_between(&g, 1, STAGE_LONGEST);
    s->offset[i + 1] = s->offset[i] + length;
    for (int64_t k = s->offset[i]; k < s->offset[i + 1]; k++) s->tokens[k] = rng_between(&g, 0, vocab - 1);
    s->stream[i] = rng_next(&g);
  }
  s->prompts = (trb_texts){s->tokens, s->offset, STAGE_PROMPTS};
  s->sampler = (trb_sampler){.size = sizeof s->sampler, .seed = rng_next(&g), .stream = s->stream};
  s->stop[0] = 2;
  s->options = kind_options(kind);
  s->options.sampler = &s->sampler;
  s->options.stop = s->stop;
  s->options.n_stop = 1;
  s->options.max_length = 12;
}

void stage_free(stage *s) {
  scripted_free(&s->student);
  scripted_free(&s->teacher);
}

trb_rollouts *stage_run(stage *s, trb_context *ctx, trb_status want) {
  const trb_model student = scripted_model(&s->student), teacher = scripted_model(&s->teacher);
  trb_rollouts *r = (trb_rollouts *)s; /* any pointer but NULL */
  const trb_status status =
      trb_rollout(ctx, s->no_student ? NULL : &student, s->no_teacher ? NULL : &teacher, &s->prompts, &s->options, &r);
  ck_assert_msg(status == want, "status %d, expected %d: %s", status, want, trb_context_error(ctx));
  if (want == TRB_EINVAL || want == TRB_ENOMEM)
    ck_assert_ptr_null(r);
  else
    ck_assert_ptr_nonnull(r);
  return r;
}

trb_rollouts *stage_given(const stage *s, trb_context *ctx) {
  int64_t prompt[STAGE_PROMPTS];
  trb_rollouts *r = NULL;
  for (int64_t i = 0; i < s->prompts.n; i++) prompt[i] = 1 + i % (s->prompts.offset[i + 1] - s->prompts.offset[i]);
  ck_assert_int_eq(trb_rollouts_new(ctx, &s->prompts, prompt, NULL, s->options.ends, &r), TRB_OK);
  return r;
}

trb_rollouts *stage_bare(const stage *s, const trb_rollouts *r) {
  int64_t *prompt = malloc((size_t)(r->n + 1) * sizeof *prompt);
  if (!prompt) abort();
  for (int64_t i = 0; i < r->n; i++) prompt[i] = length_of(r, i) - sampled_of(r, i);
  const trb_texts texts = {r->text, r->text_offset, r->n};
  trb_rollouts *bare = NULL;
  ck_assert_int_eq(trb_rollouts_new(NULL, &texts, prompt, NULL, s->options.ends, &bare), TRB_OK);
  free(prompt);
  return bare;
}

void stage_load(const stage *s, const trb_rollouts *r, int64_t sequence, int64_t token, oracle *o) {
  const int64_t before = length_of(r, sequence) - sampled_of(r, sequence) + token;
  scripted_load(o, s->no_student ? &s->teacher : &s->student, s->no_student || s->no_teacher ? NULL : &s->teacher,
                s->options.ends, r->text + r->text_offset[sequence], before);
}

/* ---- Comparing ---- */

void assert_shape(const stage *s, const trb_rollouts *r) {
  const int64_t repeats = s->options.repeats ? s->options.repeats : 1;
  ck_assert_uint_ge(r->size, sizeof(trb_rollouts));
  ck_assert_int_eq(r->n, s->prompts.n * repeats);
  ck_assert_int_eq(r->offset[0], 0);
  ck_assert_int_eq(r->text_offset[0], 0);
  ck_assert_int_eq(r->offset[r->n], r->n_tokens);
  for (int64_t i = 0; i < r->n; i++) {
    const int64_t *prompt = s->prompts.tokens + s->prompts.offset[i / repeats];
    const int64_t length = s->prompts.offset[i / repeats + 1] - s->prompts.offset[i / repeats];
    ck_assert_int_ge(sampled_of(r, i), 0);
    ck_assert_int_eq(length_of(r, i), length + sampled_of(r, i));
    ck_assert_mem_eq(r->text + r->text_offset[i], prompt, (size_t)length * sizeof *prompt);
    ck_assert(memcmp(r->text + r->text_offset[i] + length, r->token + r->offset[i],
                     (size_t)sampled_of(r, i) * sizeof *prompt) == 0);
    ck_assert(r->stream[i] == (s->sampler.stream ? s->sampler.stream[i] : (uint64_t)i));
  }
}

int64_t sampled_of(const trb_rollouts *r, int64_t sequence) {
  return r->offset[sequence + 1] - r->offset[sequence];
}

int64_t length_of(const trb_rollouts *r, int64_t sequence) {
  return r->text_offset[sequence + 1] - r->text_offset[sequence];
}

const double *rollout_column(const trb_rollouts *r, int column) {
  const double *const columns[ROLLOUT_COLUMNS] = {[COLUMN_LOG_SAMPLED] = r->log_sampled,
                                                  [COLUMN_LOG_BEHAVIOR] = r->log_behavior,
                                                  [COLUMN_LOG_STUDENT] = r->log_student,
                                                  [COLUMN_LOG_TEACHER] = r->log_teacher,
                                                  [COLUMN_BETA] = r->beta,
                                                  [COLUMN_KL_STUDENT] = r->kl_student,
                                                  [COLUMN_KL_TEACHER] = r->kl_teacher,
                                                  [COLUMN_REVERSE_KL] = r->reverse_kl,
                                                  [COLUMN_ENTROPY_STUDENT] = r->entropy_student,
                                                  [COLUMN_ENTROPY_TEACHER] = r->entropy_teacher,
                                                  [COLUMN_TV] = r->tv};
  return columns[column];
}

const char *rollout_column_name(int column) {
  static const char *const names[ROLLOUT_COLUMNS] = {
      "log_sampled", "log_behavior", "log_student",     "log_teacher",     "beta", "kl_student",
      "kl_teacher",  "reverse_kl",   "entropy_student", "entropy_teacher", "tv"};
  return names[column];
}

void assert_same_tokens(const trb_rollouts *a, int64_t i, int64_t from_a, const trb_rollouts *b, int64_t j,
                        int64_t from_b, int64_t n, const char *what) {
  const int64_t at = a->offset[i] + from_a, bt = b->offset[j] + from_b;
  for (int64_t k = 0; k < n; k++) {
    ck_assert_msg(a->verdict[at + k] == b->verdict[bt + k] && a->argmax_teacher[at + k] == b->argmax_teacher[bt + k],
                  "%s: verdicts on token %d of sequences %d and %d", what, (int)k, (int)i, (int)j);
    ck_assert_msg(a->token[at + k] == b->token[bt + k] && a->status[at + k] == b->status[bt + k],
                  "%s: token %d of sequences %d and %d is %d with status %d, and %d with %d", what, (int)k, (int)i,
                  (int)j, (int)a->token[at + k], a->status[at + k], (int)b->token[bt + k], b->status[bt + k]);
    for (int c = 0; c < ROLLOUT_COLUMNS; c++) {
      const double *x = rollout_column(a, c) + at + k, *y = rollout_column(b, c) + bt + k;
      ck_assert_msg(memcmp(x, y, sizeof *x) == 0, "%s: %s of token %d of sequences %d and %d is %.17g and %.17g", what,
                    rollout_column_name(c), (int)k, (int)i, (int)j, *x, *y);
    }
  }
}

void assert_same_sequence(const trb_rollouts *a, int64_t i, const trb_rollouts *b, int64_t j, const char *what) {
  ck_assert_msg(sampled_of(a, i) == sampled_of(b, j) && length_of(a, i) == length_of(b, j),
                "%s: sequences %d and %d have %d and %d tokens", what, (int)i, (int)j, (int)sampled_of(a, i),
                (int)sampled_of(b, j));
  ck_assert_msg(
      memcmp(a->text + a->text_offset[i], b->text + b->text_offset[j], (size_t)length_of(a, i) * sizeof *a->text) == 0,
      "%s: texts of sequences %d and %d", what, (int)i, (int)j);
  ck_assert_msg(a->stop[i] == b->stop[j] && a->row[i] == b->row[j], "%s: ends of sequences %d and %d", what, (int)i,
                (int)j);
  assert_same_tokens(a, i, 0, b, j, 0, sampled_of(a, i), what);
}

void assert_same_rollouts(const trb_rollouts *a, const trb_rollouts *b, const char *what) {
  ck_assert_int_eq(a->n, b->n);
  ck_assert_int_eq(a->n_tokens, b->n_tokens);
  for (int64_t i = 0; i < a->n; i++) {
    ck_assert_msg(a->stream[i] == b->stream[i], "%s: streams of sequence %d", what, (int)i);
    assert_same_sequence(a, i, b, i, what);
  }
}
