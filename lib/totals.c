/* totals.c - rollouts in a few numbers. */
#include <math.h>

#include "rollouts.h"

/* The mean of the known and finite numbers of a column. */
static double mean(const double *x, int64_t n) {
  double sum = 0.0;
  int64_t count = 0;
  for (int64_t t = 0; t < n; t++) {
    if (!isfinite(x[t])) continue;
    sum += x[t];
    count++;
  }
  return count > 0 ? sum / (double)count : NAN;
}

static int64_t count_infinite(const trb_rollouts *r) {
  const double *columns[] = {r->log_behavior, r->log_student, r->log_teacher,
                             r->kl_student,   r->kl_teacher,  r->reverse_kl};
  int64_t count = 0;
  for (int64_t t = 0; t < r->n_tokens; t++) {
    bool infinite = false;
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) infinite |= isinf(columns[c][t]) != 0;
    count += infinite;
  }
  return count;
}

static void count_sequences(const trb_rollouts *r, trb_totals *out) {
  out->sequences = r->n;
  for (int64_t i = 0; i < r->n; i++) {
    const int64_t length = r->offset[i + 1] - r->offset[i];
    if (i == 0 || length < out->shortest) out->shortest = length;
    if (length > out->longest) out->longest = length;
    out->stopped_token += r->stop[i] == TRB_STOP_TOKEN;
    out->stopped_length += r->stop[i] == TRB_STOP_LENGTH;
    out->stopped_row += r->stop[i] == TRB_STOP_STUDENT || r->stop[i] == TRB_STOP_TEACHER;
    out->unfinished += r->stop[i] == TRB_STOP_NONE;
  }
}

/* KL(P_mu||P_p) = E sum_t KL(mu_t||p_t): docs/math.md, section 8. */
static double sequence_kl(const trb_rollouts *r) {
  double sum = 0.0;
  for (int64_t t = 0; t < r->n_tokens; t++) sum += r->kl_student[t];
  return sum / (double)r->n;
}

trb_status trb_rollouts_totals(trb_context *ctx, const trb_rollouts *rollouts, trb_totals *out) {
  const trb_rollouts *r = rollouts;
  if (r == NULL) return trbi_fail(ctx, TRB_EINVAL, "rollouts: expected rollouts, got NULL");
  const trb_status status = trbi_check_record(ctx, "out", out, TRBI_SIZE_TO(trb_totals, corrected));
  if (status != TRB_OK) return status;
  trb_totals known = {.tokens = r->n_tokens, .infinite = count_infinite(r), .proposed = r->proposed};
  const int64_t n = r->n_tokens;
  int64_t saturated = 0;
  for (int64_t t = 0; t < n; t++) {
    saturated += r->status[t] == TRB_ROW_BLENDED;
    known.accepted += r->verdict[t] == TRB_VERDICT_ACCEPTED;
    known.corrected += r->verdict[t] == TRB_VERDICT_CORRECTED;
  }
  count_sequences(r, &known);
  known.mean_length = (double)n / (double)r->n;
  known.sequence_kl = sequence_kl(r);
  known.sequence_bound = r->budget * known.mean_length;
  known.saturated = (double)saturated / (double)n;
  known.beta = mean(r->beta, n);
  known.log_behavior = mean(r->log_behavior, n);
  known.log_student = mean(r->log_student, n);
  known.log_teacher = mean(r->log_teacher, n);
  known.kl_student = mean(r->kl_student, n);
  known.kl_teacher = mean(r->kl_teacher, n);
  known.reverse_kl = mean(r->reverse_kl, n);
  known.entropy_student = mean(r->entropy_student, n);
  known.entropy_teacher = mean(r->entropy_teacher, n);
  known.tv = mean(r->tv, n);
  trbi_fill_record(out, &known, sizeof known);
  return TRB_OK;
}
