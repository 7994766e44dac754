/* stage.h - a rollout to be run: two scripted models, prompts, options; and comparisons of what came out. */
#ifndef TEST_STAGE_H
#define TEST_STAGE_H

#include "common.h"
#include "scripted.h"

/* Every behavior with its options. */
enum {
  KIND_BUDGET,
  KIND_BUDGET_ZERO,
  KIND_BUDGET_INFINITE,
  KIND_BETA,
  KIND_BETA_ZERO,
  KIND_BETA_ONE,
  KIND_STUDENT,
  KIND_STUDENT_COLD,
  KIND_TEACHER,
  KIND_TEACHER_HOT,
  KIND_SKD,
  KIND_SKD_COLD,
  KIND_BLOCKS,
  KIND_BLOCKS_BETA,
  KINDS
};

const char *kind_name(int kind);

/* The options of a kind, without limits. */
trb_rollout_options kind_options(int kind);

/* Whether the behavior asks a model. */
bool kind_needs_student(int kind);
bool kind_needs_teacher(int kind);

enum { STAGE_PROMPTS = 12, STAGE_LONGEST = 5 };

/* Set up by stage_make, to be changed before it runs. `options` and `prompts` point into the struct. */
typedef struct stage {
  scripted student, teacher;
  bool no_student, no_teacher; /* NULL is given */
  trb_rollout_options options;
  trb_sampler sampler;
  trb_ends ends;
  trb_texts prompts; /* [STAGE_PROMPTS] of 1 to STAGE_LONGEST tokens */
  int64_t tokens[STAGE_PROMPTS * STAGE_LONGEST], offset[STAGE_PROMPTS + 1];
  uint64_t stream[STAGE_PROMPTS];
  int64_t stop[2];
} stage;

/* A kind on a vocabulary of `vocab` tokens: two f32 models, random prompts, at most 12 tokens a sequence with its
 * prompt, token 2 a stop id, seed and streams set. */
void stage_make(stage *s, int kind, int64_t vocab, uint64_t seed);
void stage_free(stage *s);

/* Runs it with fresh models; the status must be `want`. NULL out of an error that gives none. */
trb_rollouts *stage_run(stage *s, trb_context *ctx, trb_status want);

/* The prompts as whole sequences from elsewhere: the first 1 to all tokens of each are its prompt. */
trb_rollouts *stage_given(const stage *s, trb_context *ctx);

/* The sequences of r as from elsewhere: nothing is known of their tokens. */
trb_rollouts *stage_bare(const stage *s, const trb_rollouts *r);

/* Loads the distributions that a sampled token was drawn by: of both models, or of the one that there is as the
 * oracle's student. */
void stage_load(const stage *s, const trb_rollouts *r, int64_t sequence, int64_t token, oracle *o);

/* Sampled tokens, and tokens with the prompt, of a sequence. */
int64_t sampled_of(const trb_rollouts *r, int64_t sequence);
int64_t length_of(const trb_rollouts *r, int64_t sequence);

/* The doubles of a sampled token. */
enum {
  COLUMN_LOG_SAMPLED,
  COLUMN_LOG_BEHAVIOR,
  COLUMN_LOG_STUDENT,
  COLUMN_LOG_TEACHER,
  COLUMN_BETA,
  COLUMN_KL_STUDENT,
  COLUMN_KL_TEACHER,
  COLUMN_REVERSE_KL,
  COLUMN_ENTROPY_STUDENT,
  COLUMN_ENTROPY_TEACHER,
  COLUMN_TV,
  ROLLOUT_COLUMNS
};
const double *rollout_column(const trb_rollouts *r, int column); /* [n_tokens] */
const char *rollout_column_name(int column);

/* Asserts that offsets, texts and streams are what the struct promises of a rollout of this stage. */
void assert_shape(const stage *s, const trb_rollouts *r);

/* Asserts that `n` sampled tokens, from number `from_a` and `from_b` of the two sequences on, are the same with all of
 * their numbers, to the last bit. */
void assert_same_tokens(const trb_rollouts *a, int64_t i, int64_t from_a, const trb_rollouts *b, int64_t j,
                        int64_t from_b, int64_t n, const char *what);

/* The same of whole sequences, with their prompts, streams and ends. */
void assert_same_sequence(const trb_rollouts *a, int64_t i, const trb_rollouts *b, int64_t j, const char *what);

/* The same of all sequences. */
void assert_same_rollouts(const trb_rollouts *a, const trb_rollouts *b, const char *what);

#endif
