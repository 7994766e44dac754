/* loss.h - what every row-wise loss shares: weights, skipped and bad rows, gradients block by block. */
#ifndef TRBI_LOSS_H
#define TRBI_LOSS_H

#include <math.h>

#include "sparse.h"
#include "support.h"
#include "tally.h"

typedef struct trbi_loss_job trbi_loss_job;

/* One row at work: what `measure` learns for `gradient`. */
typedef struct trbi_loss_state {
  trbi_pair pair;
  trbi_summary summary;
  trbi_support support;
  trbi_gradient form; /* reverse KL */
  double kl_student;  /* JSD: KL(p||m) */
  trbi_listed list;   /* of a teacher known by a list; pair and summary then say nothing of it */
} trbi_loss_state;

struct trbi_loss_job {
  trbi_crew crew;
  const trb_logits *student, *teacher, *grad;
  const double *weight;
  double *loss;
  trb_loss_row *rows;
  const void *options;
  /* NULL, or a short way: a row's loss, gradient and all. TRBI_NO_OUTLINE: not so, and nothing was written. */
  int32_t (*lean)(const trbi_loss_job *job, int64_t row, double weight, trb_loss_row *record, double *loss);
  /* Reads a row and describes it; NULL: both models have one. Returns 0 or a negative status. */
  int32_t (*survey)(const trbi_loss_job *job, int64_t row, trbi_loss_state *state, trb_loss_row *record);
  /* The loss of a surveyed row; fills in masses, support and overlap of `row` (never NULL). Returns TRB_ROW_OK or a
   * negative status. */
  int32_t (*measure)(const trbi_loss_job *job, trbi_loss_state *state, trb_loss_row *row, double *loss);
  /* scale times the gradient of a block with its padding. */
  void (*gradient)(const trbi_loss_job *job, const trbi_loss_state *state, const trbi_block *block, double scale,
                   float *grad);
  trbi_tally tally;
};

trb_status trbi_check_weights(trb_context *ctx, const double *weight, int64_t rows);

/* Checks everything but the options, then runs the job. `lists` are up to TRBI_LOSS_LISTS arrays that it reads. */
enum { TRBI_LOSS_LISTS = 3 };
trb_status trbi_run_loss(trb_context *ctx, trbi_loss_job *job, const trbi_span *lists, int n_lists);

/* The options of trb_reverse_kl, for so many rows of a common vocabulary. */
trb_status trbi_read_loss_options(trb_context *ctx, const trb_loss_options *given, int64_t rows, int64_t vocab,
                                  trb_loss_options *known);

/* The record of a row that has no result. */
static inline trb_loss_row trbi_no_loss_row(int32_t status) {
  return (trb_loss_row){NAN, NAN, NAN, NAN, 0, -1, -1, -1, status, 0};
}

/* What the record says of a row whatever the loss. Before the gradient, which may take the place of the logits. */
void trbi_describe_row(const trbi_loss_job *job, const trbi_pair *pair, const trbi_summary *summary,
                       trb_loss_row *record);

/* `lean` of the full reverse KL: two readings. */
int32_t trbi_lean_loss_row(const trbi_loss_job *job, int64_t row, double weight, trb_loss_row *record, double *loss);

/* Sets a row of a gradient to 0 from token `from` on. */
void trbi_zero_row(const trb_logits *grad, int64_t row, int64_t from);

#endif
