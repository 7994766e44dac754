/* skd.h - the behavior of speculative knowledge distillation as a row of logits. */
#ifndef TRBI_SKD_H
#define TRBI_SKD_H

#include "core.h"

/* Writes log mu for mu = 1_K p + (1 - p(K)) q_hot, K the teacher's `top_k`, q_hot the teacher at the temperature of
 * `hot`, a view of the teacher's data; and 1 - p(K) to replaced [rows]. A row without a distribution becomes NaN.
 * mixture is f32 of the same vocabulary. */
trb_status trbi_skd_rows(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const trb_logits *hot,
                         int64_t top_k, const trb_logits *mixture, double *replaced);

#endif
