/* align.c - one vocabulary for two models: masked tokens, and tokens that mean the same. */
#include <inttypes.h>
#include <math.h>

#include "core.h"
#include "dmath.h"
#include "rows.h"

typedef struct alignment {
  const trb_logits *view;
  const int64_t *from; /* masked; in a merge its probability moves to `to` first */
  const int64_t *to;
  int64_t n;
} alignment;

/* A list of tokens of the view, apart from the memory that will be written. */
static trb_status check_tokens(trb_context *ctx, const char *name, const trb_logits *inout, const int64_t *tokens,
                               int64_t n) {
  if (n < 0) return trbi_fail(ctx, TRB_EINVAL, "n: expected at least 0, got %" PRId64, n);
  if (n == 0) return TRB_OK;
  if (!tokens) return trbi_fail(ctx, TRB_EINVAL, "%s: expected %" PRId64 " tokens, got NULL", name, n);
  trbi_span spans[] = {trbi_view_span("inout", inout), trbi_array_span(name, tokens, n, sizeof *tokens)};
  trb_status status = trbi_check_spans(ctx, spans, 2, 1);
  for (int64_t i = 0; i < n && status == TRB_OK; i++) {
    if (tokens[i] < 0 || tokens[i] >= inout->vocab) {
      status = trbi_fail(ctx, TRB_EINVAL, "%s[%" PRId64 "]: expected a token in [0, %" PRId64 "), got %" PRId64, name,
                         i, inout->vocab, tokens[i]);
    }
  }
  return status;
}

/* ---- Masks ---- */

static void mask_row(void *job, int64_t row) {
  const alignment *mask = job;
  for (int64_t i = 0; i < mask->n; i++) trbi_store(mask->view, row, mask->from[i], -INFINITY);
}

trb_status trb_mask_tokens(trb_context *ctx, const trb_logits *inout, const int64_t *ids, int64_t n) {
  trb_status status = trbi_check_view(ctx, "inout", inout);
  if (status == TRB_OK) status = check_tokens(ctx, "ids", inout, ids, n);
  if (status != TRB_OK) return status;
  alignment mask = {inout, ids, NULL, n};
  return trbi_each_row(ctx, inout->rows, mask_row, &mask);
}

/* ---- Merges ---- */

/* T log(e^(a/T) + e^(b/T)) = max(a, b) + T log(1 + e^(-|a - b|/T)), b not masked. NaN if one is NaN, else INFINITY if
 * one is. */
static double merged(double a, double b, double temperature) {
  if (a == -INFINITY) return b;
  if (!isfinite(a + b)) return a + b;
  double high = a > b ? a : b, low = a > b ? b : a;
  return high + temperature * trbi_log1p(trbi_exp((low - high) / temperature));
}

static void merge_row(void *job, int64_t row) {
  const alignment *merge = job;
  const trb_logits *view = merge->view;
  double temperature = trbi_temperature(view);
  for (int64_t i = 0; i < merge->n; i++) {
    float from = trbi_load(view, row, merge->from[i]);
    if (from == -INFINITY) continue; /* nothing to move: `to` keeps its bits */
    float to = trbi_load(view, row, merge->to[i]);
    trbi_store(view, row, merge->to[i], (float)merged(to, from, temperature));
    trbi_store(view, row, merge->from[i], -INFINITY);
  }
}

trb_status trb_merge_tokens(trb_context *ctx, const trb_logits *inout, const int64_t *from, const int64_t *to,
                            int64_t n) {
  trb_status status = trbi_check_view(ctx, "inout", inout);
  if (status == TRB_OK) status = check_tokens(ctx, "from", inout, from, n);
  if (status == TRB_OK) status = check_tokens(ctx, "to", inout, to, n);
  for (int64_t i = 0; i < n && status == TRB_OK; i++) {
    if (from[i] == to[i]) {
      status = trbi_fail(ctx, TRB_EINVAL,
                         "to[%" PRId64 "]: expected a token other than from[%" PRId64 "], got %" PRId64, i, i, to[i]);
    }
  }
  if (status != TRB_OK) return status;
  alignment merge = {inout, from, to, n};
  return trbi_each_row(ctx, inout->rows, merge_row, &merge);
}
