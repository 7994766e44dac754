/* draw.h - drawing from the behavior at one row: its weights, the caller's filters, and the token. */
#ifndef TRBI_DRAW_H
#define TRBI_DRAW_H

#include <math.h>

#include "pass.h"
#include "select.h"
#include "sparse.h"

/* ---- Random numbers ---- */

/* A number of the generator has two halves: one for a draw, one for what becomes of a proposal. */
typedef enum trbi_half { TRBI_TO_DRAW, TRBI_TO_VERIFY } trbi_half;

/* A number in [0, 1) with 53 bits: half of the Philox 4x32-10 block of (stream, index, purpose) under the seed. */
double trbi_uniform(const trb_sampler *sampler, int64_t row, trbi_half half);

/* Reads and checks a caller's sampler, which may be NULL, for so many rows. */
trb_status trbi_read_sampler(trb_context *ctx, const char *name, const trb_sampler *given, int64_t rows,
                             trb_sampler *out);

/* Whether a filter is on, greedy among them. */
bool trbi_has_filter(const trb_sampler *sampler);

/* ---- A draw ---- */

/* Draws the token of a row, of which `blend` is the row's. Returns TRB_ROW_OK or a negative row status. */
int32_t trbi_draw_row(const trbi_crew *crew, const trb_logits *student, const trb_logits *teacher,
                      const trb_blend *blend, const trb_sampler *sampler, int64_t row, trb_draw *draw);

/* What is said of a row without a token. */
static inline trb_draw trbi_no_draw(int32_t status) {
  return (trb_draw){-1, 0, NAN, NAN, NAN, NAN, status, 0};
}

/* The same with a teacher known by a list. */
int32_t trbi_draw_listed(const trbi_crew *crew, const trb_logits *student, const trb_sparse *teacher,
                         const trb_sparse_blend *blend, const trb_sampler *sampler, int64_t row, trb_draw *draw);

/* Natural log-probability of a token from its logit and the row's log-sum-exp. */
double trbi_log_probability(const trb_logits *view, int64_t row, int64_t token, double lse);

/* ---- Filters ---- */

/* The behavior on some blocks of a row: log2 weights relative to the largest one. */
typedef struct trbi_mu {
  trbi_pair pair;
  const trbi_listed *list; /* NULL: the teacher has a row */
  double log2_z;           /* with a list, where weights are first relative to 1 */
  double beta, top;
  trbi_range blocks;
  int64_t group_blocks, groups;
} trbi_mu;

/* What the filters leave of a row. */
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
