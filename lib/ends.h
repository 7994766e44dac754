/* ends.h - end tokens that two tokenizers number differently, in the rows of either model. */
#ifndef TRBI_ENDS_H
#define TRBI_ENDS_H

#include "core.h"

/* Lists, ids in the common vocabulary or, the teacher's, in the larger one. NULL is none. */
trb_status trbi_check_ends(trb_context *ctx, const char *name, const trb_ends *ends, int64_t common, int64_t larger);

/* Merges each pair in all rows of a model whose vocabulary has both ids. `before`, if not NULL, [n, rows, 2], receives
 * the two logits of each pair as the merge found them. */
trb_status trbi_merge_ends(trb_context *ctx, const trb_ends *ends, const trb_logits *rows, float *before);

/* Makes the gradient with respect to merged logits one with respect to those that were there before. */
void trbi_split_ends(const trb_ends *ends, const trb_logits *rows, const float *before, const trb_logits *grad);

#endif
