/* train.h - the parts of a training step: what is asked for, one micro-batch, the report. */
#ifndef TRBI_TRAIN_H
#define TRBI_TRAIN_H

#include "model.h"
#include "rollouts.h"

/* A call of trb_train_step. */
typedef struct trbi_trainer {
  trb_context *ctx;
  trb_model student, teacher;
  bool needs_teacher; /* else it is not asked, and may have no forward */
  const trbi_rollouts *r;
  trb_train_options options;
  trb_loss_options reverse_kl; /* with the present size, also if the caller's is older */
  trb_term_options token;
  int64_t vocab; /* the common one */

  void *block;
  double *weight;     /* [n_tokens] of the loss functions: normalized and scaled */
  double *loss;       /* [n_tokens] the caller's or own */
  trb_loss_row *rows; /* [n_tokens] likewise */
  trb_term *terms;    /* [rows of a batch] */
  trb_blend *blend;   /* [rows of a batch] */
  float *before;      /* [ends, rows of a batch, 2] */
  unsigned char *logits_student, *logits_teacher, *grad, *target;
  trbi_batch batch;
  trb_query *asked; /* [sequences] of the teacher */

  trb_train_report report; /* sums until the end, then means */
  trbi_bad_row bad;
} trbi_trainer;

/* ---- Options (train_options.c) ---- */

/* Reads options, models and rollouts, and checks all of them against each other. */
trb_status trbi_read_training(trbi_trainer *t, const trb_model *student, const trb_model *teacher,
                              const trb_train_options *options);

/* Writes t->weight and counts the tokens. */
void trbi_normalize_weights(trbi_trainer *t);

/* ---- Micro-batches (micro_batch.c) ---- */

/* Room for the rows of a batch: t->logits_student and so on, all per row. */
typedef struct trbi_train_room {
  int64_t student, teacher, grad, target; /* bytes of a row; 0: no such buffer */
} trbi_train_room;

trbi_train_room trbi_measure_room(const trbi_trainer *t);

/* Asks both models about t->batch, takes loss and gradient, and hands the gradient back. */
trb_status trbi_train_batch(trbi_trainer *t);

#endif
