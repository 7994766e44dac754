/* scores.c - how the teacher rates whole sequences against the student, and how well a rating predicts an outcome. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "rollouts.h"

trb_status trb_sequence_scores(trb_context *ctx, const trb_rollouts *rollouts, double *out) {
  const trb_rollouts *r = rollouts;
  if (r == NULL) return trbi_fail(ctx, TRB_EINVAL, "rollouts: expected rollouts, got NULL");
  if (out == NULL && r->n > 0) return trbi_fail(ctx, TRB_EINVAL, "out: expected room for the sequences, got NULL");
  for (int64_t i = 0; i < r->n; i++) {
    double sum = 0.0;
    for (int64_t t = r->offset[i]; t < r->offset[i + 1]; t++) sum += r->log_teacher[t] - r->log_student[t];
    out[i] = sum / (double)(r->offset[i + 1] - r->offset[i]);
  }
  return TRB_OK;
}

/* ---- The area under the ROC curve ---- */

typedef struct outcome {
  double score;
  int32_t positive;
} outcome;

static int by_score(const void *a, const void *b) {
  const double x = ((const outcome *)a)->score, y = ((const outcome *)b)->score;
  return (x > y) - (x < y);
}

/* Pairs in which the positive scores higher, ties half, over all pairs (Mann and Whitney, 1947). */
static double area(const outcome *sorted, int64_t n) {
  double wins = 0.0, negatives = 0.0, positives = 0.0;
  for (int64_t i = 0; i < n;) {
    double tied_negatives = 0.0, tied_positives = 0.0;
    const double score = sorted[i].score;
    for (; i < n && sorted[i].score == score; i++) {
      tied_positives += sorted[i].positive;
      tied_negatives += 1 - sorted[i].positive;
    }
    wins += tied_positives * (negatives + 0.5 * tied_negatives);
    positives += tied_positives;
    negatives += tied_negatives;
  }
  return wins / (positives * negatives);
}

static trb_status check_outcomes(trb_context *ctx, const double *score, const int32_t *positive, int64_t n,
                                 const double *out) {
  if (n < 0) return trbi_fail(ctx, TRB_EINVAL, "n: expected at least 0, got %" PRId64, n);
  if (out == NULL) return trbi_fail(ctx, TRB_EINVAL, "out: expected a pointer, got NULL");
  if (n > 0 && (score == NULL || positive == NULL))
    return trbi_fail(ctx, TRB_EINVAL, "%s: expected %" PRId64 " numbers, got NULL",
                     score == NULL ? "score" : "positive", n);
  for (int64_t i = 0; i < n; i++) {
    if (isnan(score[i])) return trbi_fail(ctx, TRB_EINVAL, "score[%" PRId64 "]: expected a number, got nan", i);
    if (positive[i] != 0 && positive[i] != 1)
      return trbi_fail(ctx, TRB_EINVAL, "positive[%" PRId64 "]: expected 0 or 1, got %" PRId32, i, positive[i]);
  }
  return TRB_OK;
}

trb_status trb_auroc(trb_context *ctx, const double *score, const int32_t *positive, int64_t n, double *out) {
  const trb_status status = check_outcomes(ctx, score, positive, n, out);
  if (status != TRB_OK) return status;
  const trbi_allocator memory = trbi_allocator_of(ctx);
  outcome *sorted;
  const trbi_array array = {&sorted, n, sizeof *sorted};
  void *block = trbi_take_arrays(ctx, &memory, &array, 1);
  if (block == NULL) return TRB_ENOMEM;
  for (int64_t i = 0; i < n; i++) sorted[i] = (outcome){score[i], positive[i]};
  qsort(sorted, (size_t)n, sizeof *sorted, by_score);
  *out = area(sorted, n);
  memory.free(block, memory.user);
  return TRB_OK;
}
