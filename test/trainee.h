/* trainee.h - a scripted student with a backward, and what is needed to check a training step by direct calls. */
#ifndef TEST_TRAINEE_H
#define TEST_TRAINEE_H

#include "common.h"
#include "scripted.h"

/* Every callback asserts the contract of trb_train_step: whole responses with nothing known, the gradient of the
 * queries that forward answered last, each row once. */
typedef struct trainee {
  scripted model; /* first, so that a pointer to it is one to the trainee */
  const trb_rollouts *r;
  matrix grad;       /* [n_tokens, vocab] as backward was handed it; NaN where it was handed nothing */
  int64_t backwards; /* calls */
  int64_t stop_at;   /* the call of backward, from 0, that returns stop_value; -1: none */
  int32_t stop_value;
  trb_query *last; /* [n_last] that forward answered and backward has not seen */
  int64_t n_last, capacity;
  int64_t most_rows; /* in one call with more than one sequence */
} trainee;

trainee trainee_new(uint64_t seed, int64_t vocab, int32_t dtype);
void trainee_free(trainee *t);

/* The model for one call of trb_train_step; forgets what it saw. t must stay where it is. */
trb_model trainee_model(trainee *t, const trb_rollouts *r, int32_t grad_dtype);

/* Whether backward was handed the row of a token. */
bool trainee_handed(const trainee *t, int64_t token);

/* A model's logits before every sampled token, [n_tokens, vocab], ends merged; ends may be NULL. */
matrix trainee_logits(const scripted *s, const trb_rollouts *r, const trb_ends *ends);

/* n sequences with prompts of 1 to 3 tokens and responses of 0 to `most` random ones below vocab. `known`: with
 * log_sampled. */
trb_rollouts *trainee_texts(rng *g, int64_t n, int64_t most, int64_t vocab, bool known, const trb_ends *ends);

/* The weights that the loss functions are to get: options->weight, norm and scale. Returns how many tokens count. */
int64_t trainee_weights(const trb_rollouts *r, const trb_train_options *options, double *weight);

/* One call of trb_train_step: what it is given, and what it gave. */
typedef struct step {
  trb_context *ctx; /* may be NULL */
  trainee student;
  scripted teacher;
  bool alone; /* the teacher is NULL */
  trb_rollouts *r;
  trb_train_options options;
  double *loss;       /* [n_tokens] */
  trb_loss_row *rows; /* [n_tokens], but not of TRB_OBJECTIVE_TOKEN */
  trb_train_report report;
  char where[240]; /* for messages */
} step;

/* Calls, with outputs that are poisoned before. May be repeated. */
trb_status step_take(step *x);

/* Whether no output of the last call was written. */
bool step_untouched(const step *x);

/* Asserts that two calls on the same rollouts gave the same bits, apart from the counts of calls and of teacher rows.
 * `gradient`: also in what backward was handed. */
void step_same(const step *a, const step *b, bool gradient, const char *where);

/* Frees all but the context. */
void step_free(step *x);

/* Asserts that row `a` of x has the bits of row `b` of y. */
void assert_same_row(const trb_logits *x, int64_t a, const trb_logits *y, int64_t b, const char *where);

#endif
