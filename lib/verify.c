/* verify.c - proposals of the student become tokens of the behavior: exact speculative sampling (arXiv 2609.36601,
 * docs/math.md, section 19).
 *
 * One random number decides a row. Below the acceptance a it accepts; from there on what is left of it, (u - a)/(1 -
 * a), is uniform again and draws the correction. With h = log(mu/p) both a = e^h and the excess p (e^h - 1) are taken
 * from the same h, in which nothing cancels when mu comes near p. */
#include <math.h>

#include "blend.h"
#include "dmath.h"
#include "draw.h"
#include "rollouts.h"
#include "solve.h"
#include "tally.h"
#include "weights.h"

typedef struct verify_job {
  trbi_solver solver;
  const trb_texts *proposals;
  trb_sampler sampler;
  trb_blend *blend;
  trb_verdict *out;
  trbi_tally tally;
} verify_job;

/* A row that was solved, and what its filters leave if there are any. */
typedef struct target {
  const trbi_solved *solved;
  const trbi_pair *pair;
  double beta, center, more;     /* log2 Z in two parts */
  const trbi_filtered *filtered; /* NULL: all of mu */
  double log2_share;
} target;

/* ---- Excess over the student ---- */

/* (mu - p)+ of a block, mu after the filters; returns the sum. */
static double read_excess(const target *mu, const trbi_block *block, float *excess) {
  const trbi_pair *pair = mu->pair;
  const double sum = pair->kernels->excess(block->s, block->t, block->padded, pair->scale_student, pair->scale_teacher,
                                           mu->beta, mu->center, mu->more + mu->log2_share, excess);
  if (mu->filtered == NULL) return sum;
  bool in[TRBI_BLOCK];
  double kept = 0.0;
  trbi_filter_block(mu->filtered, block->begin / TRBI_BLOCK, in);
  for (int64_t i = 0; i < block->padded; i++) {
    excess[i] = in[i] ? excess[i] : 0.0f;
    kept += (double)excess[i];
  }
  return kept;
}

typedef struct excess_task {
  const target *mu;
  double part[TRBI_PARTS];
} excess_task;

static void excess_block(void *data, int64_t part, const trbi_block *block) {
  excess_task *task = data;
  float excess[TRBI_BLOCK];
  task->part[part] += read_excess(task->mu, block, excess);
}

/* By part; returns the sum, which is the total variation between mu and p. */
static double find_excess(const target *mu, double *part) {
  excess_task task = {.mu = mu};
  const bool known = mu->filtered == NULL && mu->solved->known;
  const double *of = known ? mu->solved->excess : task.part;
  double sum = 0.0;
  if (!known) trbi_each_block(mu->pair, excess_block, &task);
  for (int64_t i = 0; i < trbi_parts(mu->pair); i++) sum += part[i] = of[i];
  return sum;
}

/* The first entry at which the running sum passes *at, which is left relative to that entry; the last one that is not
 * 0 if rounding has none pass. */
static int64_t find_place(const double *x, int64_t n, double *at) {
  int64_t place = 0;
  double rest = *at;
  for (int64_t i = 0; i < n; i++) {
    if (!(x[i] > 0.0)) continue;
    place = i;
    *at = rest;
    if (rest < x[i]) break;
    rest -= x[i];
  }
  return place;
}

/* The token at which the running sum of the excess passes `at`. The part is chosen by what is known of all, and then
 * measured itself. */
static int64_t draw_excess(const target *mu, const double *part, double at) {
  double sum[TRBI_BLOCK], all = 0.0;
  float excess[TRBI_BLOCK];
  trbi_block block;
  const int64_t chosen = find_place(part, TRBI_PARTS, &at);
  const trbi_range blocks = trbi_part(mu->pair, chosen);
  for (int64_t i = blocks.begin; i < blocks.end; i++) {
    trbi_read_block(mu->pair, i, &block);
    all += read_excess(mu, &block, excess);
  }
  int64_t last = blocks.begin;
  double rest = at / part[chosen] * all;
  for (int64_t i = blocks.begin; i < blocks.end; i++) {
    trbi_read_block(mu->pair, i, &block);
    const double mass = read_excess(mu, &block, excess);
    if (!(mass > 0.0)) continue;
    last = i;
    at = rest;
    if (rest < mass) break;
    rest -= mass;
  }
  trbi_read_block(mu->pair, last, &block);
  read_excess(mu, &block, excess);
  for (int64_t i = 0; i < block.padded; i++) sum[i] = (double)excess[i];
  return block.begin + find_place(sum, block.padded, &at);
}

/* ---- One row ---- */

/* log2 of mu/p before any filter; where the teacher masks the token mu is 0. */
static double log2_ratio(const target *mu, int64_t token) {
  const trbi_pair *pair = mu->pair;
  if (mu->beta == 0.0) return 0.0;
  const double a = trbi_log2_probability(pair->student, pair->row, pair->scale_student, token);
  const double b = trbi_log2_probability(pair->teacher, pair->row, pair->scale_teacher, token);
  return b > -INFINITY ? fma(mu->beta, b - a, -mu->center) - mu->more : -INFINITY;
}

static bool may_draw(const target *mu, int64_t token) {
  bool in[TRBI_BLOCK];
  if (mu->filtered == NULL) return true;
  trbi_filter_block(mu->filtered, token / TRBI_BLOCK, in);
  return in[token % TRBI_BLOCK];
}

static double accept_with(const target *mu, int64_t proposal) {
  const double ratio = may_draw(mu, proposal) ? log2_ratio(mu, proposal) - mu->log2_share : -INFINITY;
  return ratio >= 0.0 ? 1.0 : trbi_exp(TRBI_LN2 * ratio);
}

/* What stands where `proposal` was. If nothing exceeds p by more than rounding, mu is p. Logits further apart than
 * 2^52 leave h no bits below 1, and the sum may pass 1. Not inlined: what it needs of the stack the solve before it has
 * had. */
static __attribute__((noinline)) void decide(const target *mu, int64_t proposal, double u, trb_verdict *out) {
  double part[TRBI_PARTS] = {0};
  out->acceptance = accept_with(mu, proposal);
  const double excess = mu->beta == 0.0 && mu->filtered == NULL ? 0.0 : find_excess(mu, part);
  const bool accepted = u < out->acceptance || !(excess > 0.0);
  out->tv = fmin(excess, 1.0);
  out->verdict = accepted ? TRB_VERDICT_ACCEPTED : TRB_VERDICT_CORRECTED;
  out->draw.token =
      accepted ? proposal : draw_excess(mu, part, (u - out->acceptance) / (1.0 - out->acceptance) * excess);
}

/* The logarithms of the token that stands. */
static void describe(const verify_job *job, const target *mu, const trb_blend *blend, trb_draw *draw) {
  const trbi_solver *solver = &job->solver;
  const int64_t row = mu->pair->row;
  const double log2_p = trbi_log2_probability(solver->student, row, mu->pair->scale_student, draw->token);
  draw->log_student = trbi_log_probability(solver->student, row, draw->token, blend->lse_student);
  draw->log_teacher = solver->lone ? NAN : trbi_log_probability(solver->teacher, row, draw->token, blend->lse_teacher);
  draw->log_behavior = TRBI_LN2 * (log2_p + log2_ratio(mu, draw->token));
  draw->log_sampled = job->sampler.greedy ? 0.0 : draw->log_behavior - TRBI_LN2 * mu->log2_share;
  draw->kept = mu->filtered != NULL ? mu->filtered->kept : blend->support;
}

static int32_t judge(const verify_job *job, int64_t row, int64_t proposal, trb_blend *blend, trb_verdict *out) {
  const trbi_solver *solver = &job->solver;
  const trb_logits *teacher = solver->lone ? NULL : solver->teacher;
  const bool filters = trbi_has_filter(&job->sampler);
  trbi_solved solved = {.wanted = proposal >= 0 && !filters};
  trbi_filtered filtered;
  int32_t bad = trbi_solve_row(solver, row, blend, &solved);
  if (bad != 0) return bad;
  out->argmax_teacher = solver->lone ? -1 : trbi_argmax_teacher(&solved.pair);
  if (proposal < 0)
    return trbi_draw_row(&solver->crew, solver->student, teacher, blend, &job->sampler, row, &out->draw);
  if (!(trbi_load(solver->student, row, proposal) > -INFINITY)) return TRB_ROW_IMPOSSIBLE;
  const trbi_pair pair = trbi_pair_at(&solved.pair, blend->beta);
  target mu = {.solved = &solved, .pair = &pair, .beta = blend->beta, .center = solved.center, .more = solved.more};
  if (filters) {
    bad = trbi_filter_row(&solver->crew, solver->student, teacher, blend, &job->sampler, row, &filtered);
    if (bad != 0) return bad;
    mu.filtered = &filtered;
    mu.log2_share = TRBI_LOG2E * trbi_log(filtered.share);
  }
  decide(&mu, proposal, trbi_uniform(&job->sampler, row, TRBI_TO_VERIFY), out);
  describe(job, &mu, blend, &out->draw);
  return TRB_ROW_OK;
}

/* ---- A block ---- */

static trb_verdict nothing(int32_t status) {
  return (trb_verdict){
      .draw = trbi_no_draw(status), .acceptance = NAN, .tv = NAN, .argmax_teacher = -1, .verdict = TRB_VERDICT_DROPPED};
}

static void verify_block(void *data, int64_t number) {
  verify_job *job = data;
  const trb_texts *texts = job->proposals;
  bool goes_on = true;
  for (int64_t i = texts->offset[number]; i < texts->offset[number + 1]; i++) {
    const int64_t row = i - texts->offset[0];
    trb_blend blend = trbi_no_blend(TRB_ROW_SKIPPED, 0);
    trb_verdict verdict = nothing(TRB_ROW_SKIPPED);
    if (goes_on) {
      verdict = (trb_verdict){.acceptance = NAN, .tv = NAN};
      const int32_t status = judge(job, row, texts->tokens[i], &blend, &verdict);
      verdict.draw.status = TRB_ROW_OK;
      if (status < 0) {
        verdict = nothing(status);
        trbi_tally_add(&job->tally, row, status);
      }
      goes_on = verdict.verdict == TRB_VERDICT_ACCEPTED;
    }
    job->out[row] = verdict;
    if (job->blend != NULL) job->blend[row] = blend;
  }
}

/* ---- Arguments ---- */

static trb_status read_options(trb_context *ctx, const trb_verify_options *options, int64_t rows, verify_job *job,
                               trb_verify_options *known) {
  trb_status status =
      trbi_read_options(ctx, "options", options, known, sizeof *known, TRBI_SIZE_TO(trb_verify_options, reserved));
  if (status != TRB_OK) return status;
  if (known->behavior != TRB_BEHAVIOR_BUDGET && known->behavior != TRB_BEHAVIOR_BETA)
    return trbi_fail(ctx, TRB_EINVAL,
                     "options->behavior: expected TRB_BEHAVIOR_BUDGET or TRB_BEHAVIOR_BETA, got %" PRId32,
                     known->behavior);
  if (known->behavior == TRB_BEHAVIOR_BETA && known->solve != NULL)
    return trbi_fail(ctx, TRB_EINVAL, "options->solve: expected NULL, since the behavior has no budget, got options");
  if (known->reserved != 0)
    return trbi_fail(ctx, TRB_EINVAL, "options->reserved: expected 0, got %" PRId32, known->reserved);
  /* On no rows it checks its options alone. */
  const trb_logits none = {.vocab = 1, .stride = 1};
  const double no_budget = 0.0;
  status = trb_solve(ctx, &none, &none, &no_budget, 1, known->solve, NULL);
  if (status != TRB_OK) return trbi_fail_within(ctx, status, "options->solve");
  return trbi_read_sampler(ctx, "options->sampler", known->sampler, rows, &job->sampler);
}

static trb_status check_proposals(trb_context *ctx, const trb_texts *proposals, int64_t rows, int64_t vocab) {
  const trb_status status = trbi_check_texts(ctx, "proposals", proposals, 0);
  if (status != TRB_OK) return status;
  const int64_t n = proposals->n > 0 ? proposals->offset[proposals->n] - proposals->offset[0] : 0;
  if (n != rows)
    return trbi_fail(ctx, TRB_EINVAL, "proposals: expected as many as rows (%" PRId64 "), got %" PRId64, rows, n);
  for (int64_t b = 0; b < proposals->n; b++)
    for (int64_t i = proposals->offset[b]; i < proposals->offset[b + 1]; i++) {
      const int64_t id = proposals->tokens[i];
      if (id == -1 && i == proposals->offset[b + 1] - 1) continue;
      if (id < 0 || id >= vocab)
        return trbi_fail(ctx, TRB_EINVAL,
                         "proposals->tokens[%" PRId64 "]: expected an id in [0, %" PRId64
                         "), or -1 at the end of a block, got %" PRId64,
                         i, vocab, id);
    }
  return TRB_OK;
}

static trb_status check_outputs(trb_context *ctx, const verify_job *job, int64_t rows, int64_t n_budget) {
  if (job->out == NULL && rows > 0) return trbi_fail(ctx, TRB_EINVAL, "out: expected room for the rows, got NULL");
  const trb_texts *texts = job->proposals;
  const trbi_solver *solver = &job->solver;
  const int64_t *tokens = rows > 0 ? texts->tokens + texts->offset[0] : NULL;
  const trbi_span spans[] = {trbi_array_span("out", job->out, rows, sizeof *job->out),
                             trbi_array_span("blend", job->blend, rows, sizeof *job->blend),
                             trbi_view_span("student", solver->student),
                             trbi_view_span("teacher", solver->teacher),
                             trbi_array_span("budget", solver->values, n_budget, sizeof(double)),
                             trbi_array_span("proposals->tokens", tokens, rows, sizeof *tokens),
                             trbi_array_span("proposals->offset", texts->offset, texts->n + 1, sizeof(int64_t)),
                             trbi_array_span("options->sampler->stream", job->sampler.stream, rows, sizeof(uint64_t)),
                             trbi_array_span("options->sampler->index", job->sampler.index, rows, sizeof(int64_t))};
  return trbi_check_spans(ctx, spans, sizeof spans / sizeof spans[0], 2);
}

trb_status trb_verify(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                      const trb_texts *proposals, const double *budget, int64_t n_budget,
                      const trb_verify_options *options, trb_blend *blend, trb_verdict *out) {
  verify_job job = {.proposals = proposals, .blend = blend, .out = out};
  trb_verify_options known;
  trb_status status = trbi_check_view(ctx, "student", student);
  if (status == TRB_OK) status = read_options(ctx, options, student->rows, &job, &known);
  if (status == TRB_OK)
    status = trbi_read_solver(ctx, student, teacher, "budget", budget, n_budget, known.behavior == TRB_BEHAVIOR_BETA,
                              known.solve, &job.solver);
  if (status != TRB_OK) return status;
  const int64_t rows = student->rows, vocab = trbi_common_vocab(student, job.solver.teacher);
  status = check_proposals(ctx, proposals, rows, vocab);
  if (status == TRB_OK) status = check_outputs(ctx, &job, rows, n_budget);
  if (status != TRB_OK) return status;
  job.solver.crew = trbi_crew_of(ctx, proposals->n, vocab);
  status = trbi_crew_rows(ctx, &job.solver.crew, proposals->n, verify_block, &job);
  return status == TRB_OK ? trbi_tally_tell(ctx, &job.tally, rows) : status;
}
