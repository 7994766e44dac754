/* solve.c - the blend of a row: how much teacher a KL budget buys (arXiv 2605.31159, section 2 of docs/math.md).
 *
 * A point of the search is one pass over the vocabulary that sums f = w h - w + p for w = p e^h, h = beta log(q/p) - c.
 * With G = sum w - p, which says how far c is from A(beta) = log Z:
 *
 *     KL(mu||p) = (sum f - psi(G)) / (1 + G),    psi(G) = (1 + G) log(1 + G) - G
 *
 * exactly, for any c. No f is negative, so small divergences keep their relative accuracy; docs/numerics.md has the
 * error bound. c is extrapolated from the point before; where it is off by so much that psi cancels f, the pass is
 * repeated. */
#include <math.h>
#include <string.h>

#include "dmath.h"
#include "pass.h"
#include "tally.h"

/* One beta that the search has looked at. */
typedef struct point {
  double beta;
  double log2_z;     /* A(beta) in bits: a center in nats would lose the last place of huge exponents */
  double kl_student; /* KL(mu||p) */
  double mean;       /* E_mu log(q/p) = A'(beta) */
  double variance;   /* Var_mu log(q/p) = A''(beta) */
} point;

typedef struct search {
  const trbi_pair *pair;
  point last; /* to extrapolate from */
  int32_t passes;
} search;

/* ---- One point ---- */

/* True if the center was near enough: psi takes less than half of the sum. */
static bool usable(const trbi_tilt *sum) {
  return fabs(sum->change) < 0.5 && trbi_kl_excess(sum->change) <= 0.5 * sum->divergence;
}

static trbi_tilt pass(search *look, double beta, double center) {
  look->passes++;
  return trbi_tilt_row(look->pair, beta, center);
}

static point make_point(double beta, double center, const trbi_tilt *sum, double old_variance) {
  const double z = 1.0 + sum->change;
  const double mean_h = (sum->divergence + sum->change) / z;
  const double spread = fmax(0.0, sum->square / z - mean_h * mean_h); /* Var_mu h = beta^2 A'' */
  return (point){.beta = beta,
                 .log2_z = center + TRBI_LOG2E * trbi_log1p(sum->change),
                 .kl_student = fmax(0.0, (sum->divergence - trbi_kl_excess(sum->change)) / z),
                 .mean = TRBI_LN2 * sum->ratio / z,
                 .variance = beta > 1e-100 ? spread / (beta * beta) : old_variance};
}

static point evaluate(search *look, double beta) {
  const point *from = &look->last;
  const double step = beta - from->beta;
  double center = from->log2_z + TRBI_LOG2E * step * (from->mean + 0.5 * step * from->variance);
  trbi_tilt sum = pass(look, beta, center);
  for (int again = 0; again < 3 && !usable(&sum); again++) {
    if (fabs(sum.change) < 0.5) {
      center += TRBI_LOG2E * trbi_log1p(sum.change);
    } else {
      center = trbi_log2_blend_mass(look->pair, beta);
      look->passes++;
    }
    sum = pass(look, beta, center);
  }
  look->last = make_point(beta, center, &sum, from->variance);
  return look->last;
}

/* ---- The search for a budget ---- */

/* The bracket: KL(mu||p) is inside the budget at `below`, outside at `above`. A point between `bottom` and `top` ends
 * the search; both lie a little under the budget, so that rounding cannot pass it. */
typedef struct bracket {
  point below, above;
  double bottom, target, top;
} bracket;

/* Narrows the bracket by one point. True if that was good enough. */
static bool narrow(bracket *b, const point *at) {
  if (at->kl_student <= b->top)
    b->below = *at;
  else
    b->above = *at;
  return at->kl_student <= b->top && at->kl_student >= b->bottom;
}

static uint64_t order_of(double beta) {
  uint64_t bits;
  memcpy(&bits, &beta, sizeof bits);
  return bits;
}

static double in_order(uint64_t bits) {
  double beta;
  memcpy(&beta, &bits, sizeof beta);
  return beta;
}

/* The double halfway between two in [0, 1] in the order of doubles: 62 halvings tell any two apart, however small. */
static double middle(const bracket *b) {
  const uint64_t low = order_of(b->below.beta), high = order_of(b->above.beta);
  return in_order(low + (high - low) / 2);
}

static void bisect(search *look, bracket *b) {
  for (double beta = middle(b); beta > b->below.beta; beta = middle(b)) {
    const point at = evaluate(look, beta);
    if (narrow(b, &at)) return;
  }
}

/* A Newton step on log KL against log beta, whose slope is 2 at small beta and changes slowly. */
static double newton_step(const point *at, double target) {
  const double slope = at->beta * at->beta * at->variance / at->kl_student;
  return at->beta * trbi_exp(trbi_log(target / at->kl_student) / slope);
}

/* Newton steps inside the bracket. One that leaves the bracket, or follows one that did not halve the error, is
 * replaced by the middle; so there are at most twice as many points as halvings. */
static void newton(search *look, bracket *b, double first) {
  double beta = first, error = INFINITY;
  for (;;) {
    if (!(beta > b->below.beta && beta < b->above.beta)) beta = middle(b);
    if (!(beta > b->below.beta)) return;
    const point at = evaluate(look, beta);
    if (narrow(b, &at)) return;
    const double before = error;
    error = fabs(trbi_log(at.kl_student / b->target));
    beta = error <= 0.5 * before ? newton_step(&at, b->target) : middle(b);
    if (!(error <= 0.5 * before)) error = INFINITY;
  }
}

/* Where logits are far apart KL grows so steeply that rounding, which moves it by a few units in the last place of
 * beta, could take it over the budget; or it jumps between neighboring doubles and none meets the target. A step back
 * makes sure. */
static void settle(search *look, bracket *b) {
  const point *at = &b->below;
  const uint64_t order = order_of(at->beta);
  const bool steep = at->beta * at->beta * at->variance > 1e7 * at->kl_student; /* d log KL / d log beta */
  if ((at->kl_student >= b->bottom && !steep) || order <= 16) return;
  const point back = evaluate(look, in_order(order - 16));
  if (back.kl_student <= b->top) b->below = back; /* not so only where KL is nothing but rounding, below 1e-30 */
}

/* ---- A row ---- */

typedef struct row_job {
  const trbi_kernels *kernels;
  const trb_logits *student, *teacher;
  bool lone;            /* no teacher: the student stands for it */
  const double *values; /* budgets or betas */
  int64_t n_values;
  double tolerance;
  int32_t method;
  trb_blend *out;
  trbi_tally tally;
} row_job;

/* beta -> 0+: p on the common support. */
static point start_at_zero(search *look, const trbi_summary *summary) {
  point at = {.mean = summary->gap, .variance = summary->variance};
  if (summary->student_only > 0.0) {
    at.log2_z = trbi_log2_blend_mass(look->pair, 0.0);
    at.kl_student = -TRBI_LN2 * at.log2_z;
    look->passes++;
  }
  return at;
}

/* The largest beta within the budget, 0 if none is. */
static point solve_row(search *look, const row_job *job, const trbi_summary *summary, double budget) {
  const point zero = start_at_zero(look, summary);
  if (!(zero.log2_z > -INFINITY && zero.kl_student <= budget)) return (point){0};
  point one = {.beta = 1.0, .kl_student = summary->forward_kl, .log2_z = TRBI_LOG2E * trbi_log(summary->both_teacher)};
  /* The survey's figure is good to 1e-6: only a teacher that is clearly outside saves the pass. */
  if (!(one.kl_student > budget * 1.01 + 1e-4)) {
    look->last = one;
    one = evaluate(look, 1.0);
    if (one.kl_student <= budget) return one;
  }
  const double room = budget - zero.kl_student;
  bracket b = {.below = zero, .above = one};
  b.bottom = budget - 0.9 * job->tolerance * room;
  b.target = budget - 0.5 * job->tolerance * room;
  b.top = budget - 0.1 * job->tolerance * room;
  look->last = zero;
  if (job->method == TRB_METHOD_BISECTION)
    bisect(look, &b);
  else
    newton(look, &b, sqrt(2.0 * room / summary->variance));
  settle(look, &b);
  return b.below;
}

static trb_blend describe(const trbi_pair *pair, const trbi_summary *summary, const point *at) {
  trb_blend blend = {.beta = at->beta, .reverse_kl = summary->reverse_kl};
  blend.lse_student = pair->lse_student;
  blend.lse_teacher = pair->lse_teacher;
  const double log_z = TRBI_LN2 * at->log2_z;
  if (at->beta > 0.0) {
    blend.multiplier = (1.0 - at->beta) / at->beta;
    blend.kl_student = at->kl_student;
    blend.kl_teacher = fmax(0.0, (at->beta - 1.0) * at->mean - log_z);
    blend.log_norm = (1.0 - at->beta) * pair->lse_student + at->beta * pair->lse_teacher + log_z;
  } else {
    blend.multiplier = INFINITY;
    blend.kl_teacher = summary->reverse_kl;
    blend.log_norm = pair->lse_student;
  }
  return blend;
}

/* Reads the row; on success `finish` turns it into a blend. */
static void run_row(row_job *job, int64_t row,
                    int32_t (*finish)(const row_job *, search *, const trbi_summary *, double, point *)) {
  trbi_pair pair;
  trbi_summary summary;
  trb_blend *out = &job->out[row];
  const int32_t bad = trbi_survey_row(&pair, job->kernels, job->student, job->teacher, row, &summary);
  if (bad != 0) {
    *out = (trb_blend){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, bad, 1};
    trbi_tally_add(&job->tally, row, bad);
    return;
  }
  search look = {.pair = &pair, .passes = 2};
  point at = {0};
  const int32_t status = finish(job, &look, &summary, job->values[job->n_values == 1 ? 0 : row], &at);
  *out = describe(&pair, &summary, &at);
  out->status = status;
  out->passes = look.passes;
  if (job->lone) out->kl_teacher = out->reverse_kl = out->lse_teacher = NAN;
}

static int32_t finish_budget(const row_job *job, search *look, const trbi_summary *summary, double budget, point *at) {
  if (budget == 0.0) return TRB_ROW_STUDENT;
  *at = solve_row(look, job, summary, budget);
  return at->beta == 1.0 ? TRB_ROW_TEACHER : at->beta > 0.0 ? TRB_ROW_BLENDED : TRB_ROW_UNREACHABLE;
}

static int32_t finish_beta(const row_job *job, search *look, const trbi_summary *summary, double beta, point *at) {
  (void)job;
  if (beta == 0.0) return TRB_ROW_GIVEN;
  look->last = start_at_zero(look, summary);
  if (!(look->last.log2_z > -INFINITY)) return TRB_ROW_UNREACHABLE;
  *at = evaluate(look, beta);
  return TRB_ROW_GIVEN;
}

static void budget_row(void *job, int64_t row) {
  run_row(job, row, finish_budget);
}

static void beta_row(void *job, int64_t row) {
  run_row(job, row, finish_beta);
}

/* ---- Arguments ---- */

static trb_status check_values(trb_context *ctx, const char *name, const double *values, int64_t n, int64_t rows,
                               double largest, bool *all_zero) {
  if (n != 1 && n != rows)
    return trbi_fail(ctx, TRB_EINVAL, "n_%s: expected 1 or the number of rows (%" PRId64 "), got %" PRId64, name, rows,
                     n);
  if (values == NULL && n > 0) return trbi_fail(ctx, TRB_EINVAL, "%s: expected %" PRId64 " numbers, got NULL", name, n);
  for (int64_t i = 0; i < n; i++) {
    if (!(values[i] >= 0.0 && values[i] <= largest))
      return trbi_fail(ctx, TRB_EINVAL, "%s[%" PRId64 "]: expected a number in [0, %g], got %g", name, i, largest,
                       values[i]);
    *all_zero &= values[i] == 0.0;
  }
  return TRB_OK;
}

static trb_status check_row_job(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                                const char *name, const double *values, int64_t n, double largest,
                                const trb_blend *out) {
  bool all_zero = true;
  trb_status status = trbi_check_view(ctx, "student", student);
  if (status == TRB_OK) status = check_values(ctx, name, values, n, student->rows, largest, &all_zero);
  if (status == TRB_OK) status = trbi_check_models(ctx, student, teacher, all_zero);
  if (status != TRB_OK) return status;
  if (out == NULL && student->rows > 0) return trbi_fail(ctx, TRB_EINVAL, "out: expected room for the rows, got NULL");
  const trbi_span spans[] = {
      trbi_array_span("out", out, student->rows, sizeof *out), trbi_view_span("student", student),
      trbi_view_span("teacher", teacher != NULL ? teacher : student), trbi_array_span(name, values, n, sizeof *values)};
  return trbi_check_spans(ctx, spans, 4, 1);
}

static trb_status run(trb_context *ctx, row_job *job, trbi_row_fn fn) {
  job->kernels = trbi_kernels_of(ctx);
  if (job->lone) job->teacher = job->student;
  return trbi_tally_rows(ctx, job->student->rows, fn, job, &job->tally);
}

trb_status trb_solve(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const double *budget,
                     int64_t n_budget, const trb_solve_options *options, trb_blend *out) {
  trb_solve_options known;
  trb_status status =
      trbi_read_options(ctx, "options", options, &known, sizeof known, TRBI_SIZE_TO(trb_solve_options, reserved));
  if (status != TRB_OK) return status;
  if (known.tolerance == 0.0) known.tolerance = 2e-5;
  if (!(known.tolerance >= 1e-5 && known.tolerance <= 0.5))
    return trbi_fail(ctx, TRB_EINVAL, "options->tolerance: expected 0 or a number in [1e-5, 0.5], got %g",
                     known.tolerance);
  if (known.method != TRB_METHOD_NEWTON && known.method != TRB_METHOD_BISECTION)
    return trbi_fail(ctx, TRB_EINVAL, "options->method: expected a TRB_METHOD_ number, got %" PRId32, known.method);
  if (known.reserved != 0)
    return trbi_fail(ctx, TRB_EINVAL, "options->reserved: expected 0, got %" PRId32, known.reserved);
  status = check_row_job(ctx, student, teacher, "budget", budget, n_budget, INFINITY, out);
  if (status != TRB_OK) return status;
  row_job job = {
      .student = student, .teacher = teacher, .lone = teacher == NULL, .values = budget, .n_values = n_budget};
  job.tolerance = known.tolerance;
  job.method = known.method;
  job.out = out;
  return run(ctx, &job, budget_row);
}

trb_status trb_blend_at(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const double *beta,
                        int64_t n_beta, trb_blend *out) {
  const trb_status status = check_row_job(ctx, student, teacher, "beta", beta, n_beta, 1.0, out);
  if (status != TRB_OK) return status;
  row_job job = {.student = student, .teacher = teacher, .lone = teacher == NULL, .values = beta, .n_values = n_beta};
  job.out = out;
  return run(ctx, &job, beta_row);
}
