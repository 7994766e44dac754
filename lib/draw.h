/* draw.h - drawing one token from the behavior at a row. */
#ifndef TRBI_DRAW_H
#define TRBI_DRAW_H

#include <math.h>

#include "core.h"
#include "sampler.h"

/* Draws the token of a row, of which `blend` is the row's. Returns TRB_ROW_OK or a negative row status. */
int32_t trbi_draw_row(const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                      const trb_blend *blend, const trb_sampler *sampler, int64_t row, trb_draw *draw);

/* The same with a teacher known by a list. */
int32_t trbi_draw_listed(const trbi_crew *crew, const trb_logits *student, const trb_sparse *teacher,
                         const trb_sparse_blend *blend, const trb_sampler *sampler, int64_t row, trb_draw *draw);

/* What is said of a row without a token. */
static inline trb_draw trbi_no_draw(int32_t status) {
  return (trb_draw){-1, 0, NAN, NAN, NAN, NAN, status, 0};
}

/* Natural log-probability of a token from its logit and the row's log-sum-exp. */
double trbi_log_probability(const trb_logits *view, int64_t row, int64_t token, double lse);

#endif
