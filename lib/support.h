/* support.h - the tokens of a row that a loss looks at. */
#ifndef TRBI_SUPPORT_H
#define TRBI_SUPPORT_H

#include "pass.h"
#include "select.h"

typedef struct trbi_support {
  int32_t kind; /* TRB_SUPPORT_* */
  trbi_cut cut; /* top-k */
  const int64_t *ids;
  int64_t n_ids;
} trbi_support;

/* The k largest logits of one model. */
trbi_cut trbi_top_k(const trbi_pair *pair, const trb_logits *view, int64_t k);

/* mask[i] = 1 if token block->begin + i is in the support, for the block with its padding. */
void trbi_support_block(const trbi_support *support, const trbi_block *block, uint8_t *mask);

/* The scale of one model on the tokens inside (or outside) the support alone: log2 of p/P there. max is -INFINITY if
 * the model allows none of them. */
trbi_scale trbi_scale_within(const trbi_pair *pair, const trbi_support *support, bool inside, bool of_teacher);

#endif
