/* kept.h - rollouts and the models that are asked about them later: do they fit, and what is kept of the teacher. */
#ifndef TRBI_KEPT_H
#define TRBI_KEPT_H

#include "rollouts.h"

/* Room for `tokens` rows of the teacher, or for as many as fit in `bytes`; never less than are kept already. */
trb_status trbi_keep(trb_context *ctx, trbi_rollouts *r, const trb_model *teacher, int64_t bytes, int64_t tokens);

/* Keeps a row for token number t, if there is room. */
void trbi_keep_row(trbi_rollouts *r, int64_t t, const trb_logits *rows, int64_t row);

/* Models against the object: ids of its texts, its ends, the teacher of its kept rows. A model without forward was not
 * given. Says what vocabulary all of them have in common. */
trb_status trbi_check_fit(trb_context *ctx, const trbi_rollouts *r, const trb_model *student, const trb_model *teacher,
                          int64_t *vocab);

#endif
