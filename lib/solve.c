/* solve.c - the blend of a row: how much teacher a KL budget buys (arXiv 2605.31159, section 2 of docs/math.md). */
#include <math.h>

#include "dmath.h"
#include "search.h"
#include "solve.h"
#include "tally.h"

/* The default tolerances in double precision and by lean kernels, and the least that leaves room for their error. */
static const double EXACT_TOLERANCE = 2e-5, LEAN_TOLERANCE = 6e-5, LEAST_LEAN_TOLERANCE = 4e-5;

typedef struct solve_job {
  trbi_solver solver;
  trb_blend *out;
  trbi_tally tally;
} solve_job;

/* ---- The largest beta within a budget ---- */

static double tolerance_of(const trbi_solver *solver) {
  if (solver->tolerance != 0.0) return solver->tolerance;
  return solver->exact ? EXACT_TOLERANCE : LEAN_TOLERANCE;
}

/* beta -> 0+: p on the common support. */
static trbi_point start_at_zero(trbi_search *look, const trbi_summary *summary) {
  trbi_point at = {.mean = summary->gap, .variance = summary->variance};
  if (summary->alone > 0.5) { /* what is common may be too little for a sum of all to show it */
    at.log2_z = trbi_find_center(look, 0.0);
    at.kl_student = -TRBI_LN2 * at.log2_z;
  } else if (summary->student_only > 0.0) {
    at.kl_student = -trbi_log1p(-summary->alone);
    at.log2_z = -TRBI_LOG2E * at.kl_student;
  }
  return at;
}

/* Brackets the beta that is looked for. True if it is known already: 0, because none is within the budget, or 1. */
static bool open_bracket(trbi_search *look, const trbi_solver *solver, const trbi_summary *summary, double budget,
                         trbi_bracket *b, trbi_point *at) {
  const trbi_point zero = start_at_zero(look, summary);
  *at = (trbi_point){0};
  if (!(zero.log2_z > -INFINITY && zero.kl_student <= budget)) return true;
  trbi_point one = {
      .beta = 1.0, .kl_student = summary->forward_kl, .log2_z = TRBI_LOG2E * trbi_log(summary->both_teacher)};
  /* The survey's figure is good to 1e-6: only a teacher that is clearly outside saves the pass. */
  if (!(one.kl_student > budget * 1.01 + 1e-4)) {
    look->last = one;
    *at = one = trbi_look(look, 1.0);
    if (one.kl_student <= budget) return true;
  }
  const double room = budget - zero.kl_student;
  *b = (trbi_bracket){.below = zero, .above = one};
  const double tolerance = tolerance_of(solver);
  b->bottom = budget - 0.9 * tolerance * room;
  b->target = budget - 0.5 * tolerance * room;
  b->top = budget - 0.1 * tolerance * room;
  look->last = zero;
  return false;
}

/* KL grows like beta^2 A''(0) / 2 at first. */
static double first_guess(const trbi_bracket *b, const trbi_summary *summary, double budget) {
  return sqrt(2.0 * (budget - b->below.kl_student) / summary->variance);
}

static trbi_point solve_by_row(trbi_search *look, const trbi_solver *solver, const trbi_summary *summary,
                               double budget) {
  trbi_bracket b;
  trbi_point at;
  look->by = TRBI_BY_ROW;
  if (open_bracket(look, solver, summary, budget, &b, &at)) return at;
  if (solver->method == TRB_METHOD_BISECTION)
    trbi_bisect(look, &b);
  else
    trbi_newton(look, &b, first_guess(&b, summary, budget));
  trbi_settle(look, &b);
  return b.below;
}

/* Floats hold the exponents of the tokens that count, which are sums of log2 p and h: neither is large for most of mu,
 * nor for the few tokens that may carry its KL. */
static bool suits_lean(const trbi_point *at) {
  return at->mean * at->mean + at->variance < 100.0 && at->reach < 300.0;
}

/* A lean pass at a beta that is near the target, and the short step that may be missing: true if that ends the search.
 * If not, *beta is the next one to look at, or NaN if lean passes lead nowhere. */
static bool look_near(trbi_search *look, const trbi_bracket *b, double *beta, trbi_point *at) {
  double step;
  *at = trbi_look(look, *beta);
  *beta = NAN;
  if (!suits_lean(at) || !(at->kl_student > 0.5 * b->target && at->kl_student < 2.0 * b->target)) return false;
  if (at->kl_student >= b->bottom && at->kl_student <= b->top) return true;
  const bool short_step = trbi_step_to(at, b->target, &step);
  *beta = at->beta + step;
  if (short_step) *at = trbi_shift(at, step);
  return short_step;
}

/* Checks what the model found. False if that leads nowhere in three passes. */
static bool verify(trbi_search *look, const trbi_bracket *b, double beta, trbi_point *at) {
  bool done = false;
  for (int tries = 0; tries < 3 && !done; tries++) done = beta > 0.0 && beta < 1.0 && look_near(look, b, &beta, at);
  return done;
}

/* Searches in the model and checks what it finds. False if only the row itself can tell. */
static bool solve_by_outline(trbi_search *look, const trbi_solver *solver, const trbi_summary *summary, double budget,
                             trbi_point *at) {
  trbi_bracket b;
  look->by = TRBI_BY_MODEL;
  const bool known = open_bracket(look, solver, summary, budget, &b, at);
  if (known && at->beta == 0.0) return true;
  if (!known) {
    trbi_newton(look, &b, first_guess(&b, summary, budget));
    look->last = b.below;
    look->by = TRBI_BY_LEAN;
    return verify(look, &b, b.below.beta, at);
  }
  look->by = TRBI_BY_LEAN;
  *at = trbi_look(look, 1.0);
  return suits_lean(at) && at->kl_student <= budget * (1.0 - 1e-5);
}

/* ---- A row ---- */

/* Masses of mu by part, up to a factor. */
static void find_masses(trbi_search *look, double beta, double *mass) {
  const trbi_pair *pair = look->pair;
  if (look->list != NULL) {
    trbi_masses_listed(pair, look->list, beta, mass);
  } else if (look->outline != NULL && beta == 0.0) {
    trbi_masses_student(pair, look->outline, mass);
  } else if (look->outline != NULL && look->by == TRBI_BY_LEAN) {
    trbi_masses_near(pair, look->outline, &look->tail, beta, mass);
  } else {
    trbi_log_sum parts[TRBI_PARTS];
    double top = -INFINITY;
    const trbi_pair mu = trbi_pair_at(pair, beta);
    trbi_blend_masses(&mu, beta, parts);
    look->passes++;
    for (int64_t i = 0; i < trbi_parts(pair); i++) top = fmax(top, parts[i].top);
    for (int64_t i = 0; i < trbi_parts(pair); i++) mass[i] = parts[i].mass * trbi_exp(TRBI_LN2 * (parts[i].top - top));
  }
}

static void describe_masses(trbi_search *look, double beta, float *out) {
  double mass[TRBI_PARTS] = {0}, all = 0.0;
  find_masses(look, beta, mass);
  for (int i = 0; i < TRBI_PARTS; i++) all += mass[i];
  for (int i = 0; i < TRBI_PARTS; i++) out[i] = (float)(mass[i] / all);
}

static trb_blend describe(const trbi_pair *pair, const trbi_summary *summary, const trbi_point *at) {
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

/* Reads the row for the first time. */
static int32_t survey(const trbi_solver *solver, int64_t row, trbi_pair *pair, trbi_summary *summary,
                      trbi_outline *outline, trbi_search *look) {
  const int32_t status = solver->exact ? TRBI_NO_OUTLINE
                                       : trbi_outline_row(pair, &solver->crew, solver->student, solver->teacher, row,
                                                          TRBI_FOR_BLEND, summary, outline);
  *look = (trbi_search){.pair = pair, .outline = outline, .passes = 1};
  if (status != TRBI_NO_OUTLINE) return status;
  *look = (trbi_search){.pair = pair, .passes = 2};
  return trbi_survey_row_exactly(pair, &solver->crew, solver->student, solver->teacher, row, summary);
}

static int32_t find_within(const trbi_solver *solver, trbi_search *look, const trbi_summary *summary, double budget,
                           trbi_point *at) {
  if (budget == 0.0) return TRB_ROW_STUDENT;
  if (look->outline == NULL || !solve_by_outline(look, solver, summary, budget, at))
    *at = solve_by_row(look, solver, summary, budget);
  return at->beta == 1.0 ? TRB_ROW_TEACHER : at->beta > 0.0 ? TRB_ROW_BLENDED : TRB_ROW_UNREACHABLE;
}

static int32_t find_at(trbi_search *look, const trbi_summary *summary, double beta, trbi_point *at) {
  if (beta == 0.0) return TRB_ROW_GIVEN;
  look->last = start_at_zero(look, summary);
  if (!(look->last.log2_z > -INFINITY)) return TRB_ROW_UNREACHABLE;
  *at = trbi_look(look, beta);
  return TRB_ROW_GIVEN;
}

trb_blend trbi_no_blend(int32_t status, int32_t passes) {
  trb_blend none = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, status, passes, 0, {0}};
  for (int i = 0; i < TRBI_PARTS; i++) none.mass[i] = (float)NAN;
  return none;
}

/* Finds the blend of a row that was read. */
static void finish(const trbi_solver *solver, trbi_search *look, const trbi_summary *summary, double value,
                   trb_blend *out, trbi_point *at) {
  *at = (trbi_point){0};
  const int32_t status =
      solver->by_beta ? find_at(look, summary, value, at) : find_within(solver, look, summary, value, at);
  *out = describe(look->pair, summary, at);
  describe_masses(look, at->beta, out->mass);
  out->status = status;
  out->support = summary->tokens_student - (at->beta > 0.0 ? (int64_t)summary->student_only : 0);
  out->passes = look->passes;
  if (solver->lone) out->kl_teacher = out->reverse_kl = out->lse_teacher = NAN;
}

static double value_of(const trbi_solver *solver, int64_t row) {
  return solver->values[solver->n_values == 1 ? 0 : row];
}

int32_t trbi_solve_row(const trbi_solver *solver, int64_t row, trb_blend *out, trbi_solved *solved) {
  trbi_summary summary;
  trbi_outline outline;
  trbi_search look;
  const int32_t bad = survey(solver, row, &solved->pair, &summary, &outline, &look);
  solved->known = false;
  if (bad != 0) {
    *out = trbi_no_blend(bad, 1);
    return bad;
  }
  trbi_point at;
  finish(solver, &look, &summary, value_of(solver, row), out, &at);
  solved->center = at.center;
  solved->more = at.more;
  solved->known = solved->wanted && out->beta > 0.0 && look.outline != NULL && look.by == TRBI_BY_LEAN;
  if (solved->known) trbi_excess_near(&solved->pair, &outline, out->beta, at.log2_z, solved->excess);
  return 0;
}

int32_t trbi_solve_listed(const trbi_solver *solver, const trb_sparse *teacher, int64_t row, trb_blend *out,
                          trbi_listed *list, double *log2_z) {
  trbi_pair pair;
  trbi_summary summary;
  const int32_t bad = trbi_read_listed(&solver->crew, solver->student, teacher, row, &pair, list);
  if (bad != 0) {
    *out = trbi_no_blend(bad, 1);
    return bad;
  }
  trbi_search look = {.pair = &pair, .list = list, .passes = 1};
  trbi_summarize_listed(list, &summary);
  trbi_point at;
  finish(solver, &look, &summary, value_of(solver, row), out, &at);
  *log2_z = at.log2_z;
  return 0;
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

/* In double precision, short rows and what the caller wants more exactly than lean kernels are. */
static trb_status read_options(trb_context *ctx, const trb_solve_options *options, trbi_solver *solver) {
  trb_solve_options known;
  const trb_status status =
      trbi_read_options(ctx, "options", options, &known, sizeof known, TRBI_SIZE_TO(trb_solve_options, reserved));
  if (status != TRB_OK) return status;
  const bool given = known.tolerance != 0.0;
  if (given && !(known.tolerance >= 1e-5 && known.tolerance <= 0.5))
    return trbi_fail(ctx, TRB_EINVAL, "options->tolerance: expected 0 or a number in [1e-5, 0.5], got %g",
                     known.tolerance);
  if (known.method != TRB_METHOD_NEWTON && known.method != TRB_METHOD_BISECTION)
    return trbi_fail(ctx, TRB_EINVAL, "options->method: expected a TRB_METHOD_ number, got %" PRId32, known.method);
  if (known.reserved != 0)
    return trbi_fail(ctx, TRB_EINVAL, "options->reserved: expected 0, got %" PRId32, known.reserved);
  solver->method = known.method;
  solver->exact = known.method == TRB_METHOD_BISECTION || (given && known.tolerance < LEAST_LEAN_TOLERANCE);
  solver->tolerance = known.tolerance;
  return TRB_OK;
}

trb_status trbi_read_solver(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const char *name,
                            const double *values, int64_t n_values, bool by_beta, const trb_solve_options *options,
                            trbi_solver *out) {
  bool all_zero = true;
  *out = (trbi_solver){.student = student, .teacher = teacher, .lone = teacher == NULL, .by_beta = by_beta};
  out->values = values;
  out->n_values = n_values;
  trb_status status = read_options(ctx, options, out);
  if (status == TRB_OK) status = trbi_check_view(ctx, "student", student);
  if (status == TRB_OK)
    status = check_values(ctx, name, values, n_values, student->rows, by_beta ? 1.0 : INFINITY, &all_zero);
  if (status == TRB_OK) status = trbi_check_models(ctx, student, teacher, all_zero);
  if (status != TRB_OK) return status;
  if (out->lone) out->teacher = student;
  const int64_t vocab = trbi_common_vocab(student, out->teacher);
  out->exact |= !by_beta && vocab <= TRBI_SHORT;
  out->crew = trbi_crew_of(ctx, student->rows, vocab);
  return TRB_OK;
}

static void solve_row(void *data, int64_t row) {
  solve_job *job = data;
  trbi_solved solved = {.wanted = false};
  const int32_t bad = trbi_solve_row(&job->solver, row, &job->out[row], &solved);
  if (bad != 0) trbi_tally_add(&job->tally, row, bad);
}

static trb_status solve(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const char *name,
                        const double *values, int64_t n_values, bool by_beta, const trb_solve_options *options,
                        trb_blend *out) {
  solve_job job = {.out = out};
  trb_status status = trbi_read_solver(ctx, student, teacher, name, values, n_values, by_beta, options, &job.solver);
  if (status != TRB_OK) return status;
  if (out == NULL && student->rows > 0) return trbi_fail(ctx, TRB_EINVAL, "out: expected room for the rows, got NULL");
  const trbi_span spans[] = {trbi_array_span("out", out, student->rows, sizeof *out),
                             trbi_view_span("student", student), trbi_view_span("teacher", job.solver.teacher),
                             trbi_array_span(name, values, n_values, sizeof *values)};
  status = trbi_check_spans(ctx, spans, 4, 1);
  if (status != TRB_OK) return status;
  return trbi_tally_rows(ctx, &job.solver.crew, student->rows, solve_row, &job, &job.tally);
}

trb_status trb_solve(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const double *budget,
                     int64_t n_budget, const trb_solve_options *options, trb_blend *out) {
  return solve(ctx, student, teacher, "budget", budget, n_budget, false, options, out);
}

trb_status trb_blend_at(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const double *beta,
                        int64_t n_beta, trb_blend *out) {
  return solve(ctx, student, teacher, "beta", beta, n_beta, true, NULL, out);
}
