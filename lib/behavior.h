/* behavior.h - one token for each row of logits, sampled by whoever the options of a rollout say. */
#ifndef TRBI_BEHAVIOR_H
#define TRBI_BEHAVIOR_H

#include "rollouts.h"

/* The options' part that says who samples, and what follows from it. */
typedef struct trbi_behavior {
  trb_rollout_options options;
  trb_sampler sampler; /* stream and index are set for each step */
  bool needs_student, needs_teacher;
} trbi_behavior;

/* Room for the rows of one step. */
typedef struct trbi_step {
  void *block;
  uint64_t *stream;  /* of each row's sequence */
  int64_t *index;    /* of each row's token */
  trbi_token *token; /* the result; id -1 where the row holds no distribution, status then says why */
  trb_blend *blend, *plain;
  trb_draw *draw;
  double *entropy_student, *entropy_teacher, *replaced, *loss;
  float *mixture; /* [rows, vocab], SKD only */
} trbi_step;

/* Checks the options that say who samples, with those of the solve and of the sampler. */
trb_status trbi_read_behavior(trb_context *ctx, const trb_rollout_options *options, trbi_behavior *out);

trb_status trbi_step_new(trb_context *ctx, const trbi_behavior *behavior, int64_t rows, int64_t vocab, trbi_step *out);

/* Samples a token for each row from step->stream and step->index, into step->token. A model that is not needed is NULL.
 */
trb_status trbi_sample_step(trb_context *ctx, const trbi_behavior *behavior, const trb_logits *student,
                            const trb_logits *teacher, trbi_step *step);

/* What is wrong with a row of one model; 0 if nothing is. */
int32_t trbi_fault_of(trb_context *ctx, const trb_logits *model, int64_t row);

#endif
