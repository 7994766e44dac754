/* einval_call.h - one complete set of arguments for every function that takes logits, to be spoiled one at a time. */
#ifndef TEST_EINVAL_CALL_H
#define TEST_EINVAL_CALL_H

#include "common.h"

enum { CALL_ROWS = 3, CALL_VOCAB = 20, CALL_COMMON = 18, CALL_K = 3 };

/* The teacher's vocabulary is the smaller one. The pointers lead to the members below them. */
typedef struct call {
  trb_context *ctx;
  const trb_logits *student, *teacher, *output; /* output: the gradient, or the log-probabilities */
  const double *budget, *beta, *weight, *log_behavior;
  const trb_blend *blend;
  const int64_t *token;
  const trb_solve_options *solve;
  const trb_sampler *sampler;
  const trb_texts *proposals;
  const trb_verify_options *verify;
  const trb_sparse *lists;
  const trb_sparse_blend *sparse_blend;
  const trb_loss_options *loss_options;
  const trb_divergence_options *divergence;
  const trb_term_options *term_options;
  int64_t n;
  trb_blend *out_blend;
  trb_draw *out_draw;
  double *out_loss;
  trb_loss_row *out_rows;
  trb_term *out_term;
  trb_verdict *out_verdict;
  trb_sparse_blend *out_sparse;

  trb_logits student_view, teacher_view, output_view;
  double budgets[CALL_ROWS], betas[CALL_ROWS], weights[CALL_ROWS], behaviors[CALL_ROWS];
  int64_t tokens[CALL_ROWS], ids[CALL_ROWS * CALL_K], index[CALL_ROWS], offsets[3];
  trb_blend blends[CALL_ROWS];
  trb_solve_options solve_of;
  trb_sampler sampler_of;
  trb_texts proposals_of;
  trb_verify_options verify_of;
  trb_sparse lists_of;
  float log_q[CALL_ROWS * CALL_K];
  int64_t list_offset[CALL_ROWS + 1];
  trb_sparse_blend sparse_blends[CALL_ROWS];
  trb_loss_options loss_of;
  trb_divergence_options divergence_of;
  trb_term_options term_of;
  struct {
    trb_solve_options known;
    char more[16];
  } later;

  unsigned char guard[64];
  trb_blend blends_out[CALL_ROWS];
  trb_draw draws_out[CALL_ROWS];
  double losses_out[CALL_ROWS];
  trb_loss_row rows_out[CALL_ROWS];
  trb_term terms_out[CALL_ROWS];
  trb_verdict verdicts_out[CALL_ROWS];
  trb_sparse_blend sparse_out[CALL_ROWS];
  unsigned char last_guard[64];
  matrix s, t, o;
} call;

typedef trb_status (*call_fn)(const call *c);
typedef void (*spoil_fn)(call *c);

/* One broken argument: `names` lists what the error text may call it, separated by '|'. */
typedef struct spoiled {
  const char *what;
  spoil_fn spoil;
  const char *names;
} spoiled;

/* Calls with the arguments as they are; everything must be well. */
void call_well(call_fn fn);

/* Spoils one argument and calls: TRB_EINVAL, a text that names it, not a byte written; the same without a context. */
void call_spoiled(const char *function, call_fn fn, const spoiled *list, int n);

/* The ways to spoil a view, for the student, the teacher (two models must agree) and an output. */
void call_spoiled_models(const char *function, call_fn fn);
void call_spoiled_output(const char *function, call_fn fn, const char *name);

#endif
