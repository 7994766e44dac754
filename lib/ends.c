/* ends.c - merging end tokens, and the gradient of that (docs/math.md, section 7). */
#include "ends.h"

#include <inttypes.h>
#include <math.h>

#include "dmath.h"
#include "rows.h"

static trb_status check_id(trb_context *ctx, const char *name, const char *side, int64_t i, int64_t id, int64_t vocab) {
  if (id >= 0 && id < vocab) return TRB_OK;
  return trbi_fail(ctx, TRB_EINVAL, "%s->%s[%" PRId64 "]: expected 0 to %" PRId64 ", got %" PRId64, name, side, i,
                   vocab - 1, id);
}

trb_status trbi_check_ends(trb_context *ctx, const char *name, const trb_ends *ends, int64_t common, int64_t larger) {
  if (ends == NULL) return TRB_OK;
  if (ends->n < 0) return trbi_fail(ctx, TRB_EINVAL, "%s->n: expected at least 0, got %" PRId64, name, ends->n);
  if (ends->n > 0 && (ends->student == NULL || ends->teacher == NULL))
    return trbi_fail(ctx, TRB_EINVAL, "%s->%s: expected %" PRId64 " ids, got NULL", name,
                     ends->student == NULL ? "student" : "teacher", ends->n);
  for (int64_t i = 0; i < ends->n; i++) {
    trb_status status = check_id(ctx, name, "student", i, ends->student[i], common);
    if (status == TRB_OK) status = check_id(ctx, name, "teacher", i, ends->teacher[i], larger);
    if (status != TRB_OK) return status;
    if (ends->student[i] == ends->teacher[i])
      return trbi_fail(ctx, TRB_EINVAL,
                       "%s->teacher[%" PRId64 "]: expected another id than the student's, got %" PRId64, name, i,
                       ends->teacher[i]);
  }
  return TRB_OK;
}

static bool has_pair(const trb_ends *ends, int64_t i, int64_t vocab) {
  return ends->student[i] < vocab && ends->teacher[i] < vocab;
}

trb_status trbi_merge_ends(trb_context *ctx, const trb_ends *ends, const trb_logits *rows, float *before) {
  for (int64_t i = 0; i < ends->n; i++) {
    if (!has_pair(ends, i, rows->vocab)) continue;
    for (int64_t r = 0; before != NULL && r < rows->rows; r++) {
      float *pair = before + 2 * (i * rows->rows + r);
      pair[0] = trbi_load(rows, r, ends->student[i]);
      pair[1] = trbi_load(rows, r, ends->teacher[i]);
    }
    const trb_status status = trb_merge_tokens(ctx, rows, &ends->teacher[i], &ends->student[i], 1);
    if (status != TRB_OK) return status;
  }
  return TRB_OK;
}

/* With z = T log(e^(a/T) + e^(b/T)), dz/da = 1 / (1 + e^((b - a)/T)). One of them is not masked. */
static double share(double a, double b, double temperature) {
  return 1.0 / (1.0 + trbi_exp((b - a) / temperature));
}

void trbi_split_ends(const trb_ends *ends, const trb_logits *rows, const float *before, const trb_logits *grad) {
  const double temperature = trbi_temperature(rows);
  for (int64_t i = ends->n - 1; i >= 0; i--) {
    if (!has_pair(ends, i, rows->vocab)) continue;
    for (int64_t r = 0; r < rows->rows; r++) {
      const double whole = (double)trbi_load(grad, r, ends->student[i]);
      if (whole == 0.0) continue; /* a row without a result may hold anything */
      const double a = (double)before[2 * (i * rows->rows + r)], b = (double)before[2 * (i * rows->rows + r) + 1];
      trbi_store(grad, r, ends->student[i], (float)(whole * share(a, b, temperature)));
      trbi_store(grad, r, ends->teacher[i], (float)(whole * share(b, a, temperature)));
    }
  }
}
