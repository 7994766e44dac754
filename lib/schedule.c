/* schedule.c - the budget of an optimizer step. Every kind is exactly 0 after its end. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>

#include "core.h"
#include "dmath.h"

/* ---- Contract ---- */

static bool is_budget(double x) {
  return x >= 0.0 && isfinite(x);
}

static trb_status check_points(trb_context *ctx, const trb_schedule *s) {
  if (s->initial != 0.0) {
    return trbi_fail(ctx, TRB_EINVAL, "schedule->initial: expected 0 with points, got %g", s->initial);
  }
  if (s->steps != 0) {
    return trbi_fail(ctx, TRB_EINVAL, "schedule->steps: expected 0 with points, got %" PRId64, s->steps);
  }
  if (s->points < 1) {
    return trbi_fail(ctx, TRB_EINVAL, "schedule->points: expected at least 1, got %" PRId64, s->points);
  }
  if (!s->at || !s->budgets) {
    return trbi_fail(ctx, TRB_EINVAL, "schedule->%s: expected %" PRId64 " points, got NULL", s->at ? "budgets" : "at",
                     s->points);
  }
  for (int64_t i = 0; i < s->points; i++) {
    int64_t least = i == 0 ? 0 : s->at[i - 1];
    if (s->at[i] < least || (i > 0 && s->at[i] == least)) {
      return trbi_fail(ctx, TRB_EINVAL, "schedule->at[%" PRId64 "]: expected a step %s %" PRId64 ", got %" PRId64, i,
                       i == 0 ? "of at least" : "after", least, s->at[i]);
    }
    if (!is_budget(s->budgets[i])) {
      return trbi_fail(ctx, TRB_EINVAL, "schedule->budgets[%" PRId64 "]: expected a finite number >= 0, got %g", i,
                       s->budgets[i]);
    }
  }
  return TRB_OK;
}

static trb_status check_decay(trb_context *ctx, const trb_schedule *s) {
  if (!is_budget(s->initial)) {
    return trbi_fail(ctx, TRB_EINVAL, "schedule->initial: expected a finite number >= 0, got %g", s->initial);
  }
  int64_t least = s->kind == TRB_SCHEDULE_CONSTANT ? 0 : 1;
  if (s->steps < least) {
    return trbi_fail(ctx, TRB_EINVAL, "schedule->steps: expected at least %" PRId64 ", got %" PRId64, least, s->steps);
  }
  if (s->at || s->budgets || s->points != 0) {
    return trbi_fail(ctx, TRB_EINVAL, "schedule->%s: expected none unless piecewise, got some",
                     s->at ? "at" : (s->budgets ? "budgets" : "points"));
  }
  return TRB_OK;
}

static trb_status check_schedule(trb_context *ctx, const trb_schedule *s) {
  if (s->kind < TRB_SCHEDULE_LINEAR || s->kind > TRB_SCHEDULE_PIECEWISE) {
    return trbi_fail(ctx, TRB_EINVAL, "schedule->kind: expected TRB_SCHEDULE_*, got %" PRId32, s->kind);
  }
  if (s->reserved != 0) {
    return trbi_fail(ctx, TRB_EINVAL, "schedule->reserved: expected 0, got %" PRId32, s->reserved);
  }
  return s->kind == TRB_SCHEDULE_PIECEWISE ? check_points(ctx, s) : check_decay(ctx, s);
}

/* ---- Values ---- */

/* Differences of steps are exact before they are rounded once, so the ends are exact too. */

static double linear(const trb_schedule *s, int64_t k) {
  return k < s->steps ? s->initial * ((double)(s->steps - k) / (double)s->steps) : 0.0;
}

/* (1 + cos x)/2 = cos^2(x/2), which does not cancel. */
static double cosine(const trb_schedule *s, int64_t k) {
  if (k >= s->steps) return 0.0;
  double root = trbi_cospi_half((double)k / (double)s->steps);
  return s->initial * (root * root);
}

static double piecewise(const trb_schedule *s, int64_t k) {
  int64_t right = 0;
  while (right < s->points && s->at[right] < k) right++;
  if (right == s->points) return 0.0;
  if (right == 0 || s->at[right] == k) return s->budgets[right];
  int64_t begin = s->at[right - 1];
  double share = (double)(k - begin) / (double)(s->at[right] - begin);
  return s->budgets[right - 1] + (s->budgets[right] - s->budgets[right - 1]) * share;
}

static double value(const trb_schedule *s, int64_t k) {
  switch (s->kind) {
  case TRB_SCHEDULE_LINEAR:
    return linear(s, k);
  case TRB_SCHEDULE_CONSTANT:
    return s->steps == 0 || k <= s->steps ? s->initial : 0.0;
  case TRB_SCHEDULE_COSINE:
    return cosine(s, k);
  default:
    return piecewise(s, k);
  }
}

trb_status trb_schedule_at(trb_context *ctx, const trb_schedule *schedule, int64_t k, double *out) {
  trb_schedule known;
  if (!schedule) return trbi_fail(ctx, TRB_EINVAL, "schedule: expected a schedule, got NULL");
  if (!out) return trbi_fail(ctx, TRB_EINVAL, "out: expected a pointer, got NULL");
  if (k < 0) return trbi_fail(ctx, TRB_EINVAL, "k: expected a step >= 0, got %" PRId64, k);
  trb_status status =
      trbi_read_options(ctx, "schedule", schedule, &known, sizeof known, TRBI_SIZE_TO(trb_schedule, points));
  if (status == TRB_OK) status = check_schedule(ctx, &known);
  if (status == TRB_OK) *out = value(&known, k);
  return status;
}
