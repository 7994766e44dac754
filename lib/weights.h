/* weights.h - the behavior at a row as weights of its tokens, before and after the caller's filters. */
#ifndef TRBI_WEIGHTS_H
#define TRBI_WEIGHTS_H

#include "sampler.h"
#include "select.h"
#include "sparse.h"

/* At most so many groups of blocks, whatever is read; one block each up to 524,288 tokens. */
enum { TRBI_WEIGHT_GROUPS = 512 };

/* The behavior on some blocks of a row: log2 weights relative to the largest one. */
typedef struct trbi_mu {
  trbi_pair pair;
  const trbi_listed *list; /* NULL: the teacher has a row */
  double log2_z;           /* with a list, where weights are first relative to 1 */
  double beta, top;
  trbi_range blocks;
  int64_t group_blocks, groups;
} trbi_mu;

/* Reads blocks of a named row, or all: the masses of its groups, [TRBI_WEIGHT_GROUPS], and of all, in units of the
 * largest weight. Returns 0 or a negative row status. */
int32_t trbi_open_blocks(trbi_mu *mu, trbi_range blocks, double *masses, double *all);
int32_t trbi_open_weights(trbi_mu *mu, double *masses, double *all);

/* log2 weights of a block; returns its number of tokens, the padding beyond is -inf. */
int64_t trbi_read_weights(const trbi_mu *mu, int64_t number, int64_t *padded, float *y);

/* Masks what a cut leaves out of a block's weights, counting what it keeps. */
int64_t trbi_apply_cut(trbi_cut cut, int64_t block, int64_t tokens, float *y);

/* What the filters of a sampler keep of a whole row, and its masses: *kept counts the tokens. */
trbi_cut trbi_find_cut(const trbi_mu *mu, const trb_sampler *sampler);
double trbi_cut_masses(const trbi_mu *mu, trbi_cut cut, double *masses, int64_t *kept);

/* Natural logarithm of a token's weight; and log2 p and log2 q of a token with a list, on it or not. */
double trbi_log_weight(const trbi_mu *mu, int64_t token);
trbi_entry trbi_find_listed(const trbi_listed *list, int64_t token);

/* ---- What the filters leave ---- */

typedef struct trbi_filtered {
  trbi_mu mu;
  trbi_cut cut;
  int64_t kept; /* tokens that the filters leave, of which `greedy` takes one */
  double share; /* of mu that may be drawn */
} trbi_filtered;

/* Filters a row. Returns 0 or a negative row status. */
int32_t trbi_filter_row(const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                        const trb_blend *blend, const trb_sampler *sampler, int64_t row, trbi_filtered *out);

/* in[i] = whether token number * TRBI_BLOCK + i may be drawn; `in` has room for TRBI_BLOCK. */
void trbi_filter_block(const trbi_filtered *filtered, int64_t number, bool *in);

#endif
