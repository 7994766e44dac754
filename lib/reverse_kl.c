/* reverse_kl.c - the reverse KL in its five forms (docs/math.md), each with its exact gradient.
 *
 * Sums run over f = p r - p + q, r = log(p/q), which is never negative: so is the full form, the generalized form and
 * the tail bucket built from them, and no small divergence drowns in rounding. */
#include <math.h>

#include "dmath.h"
#include "loss.h"

/* ---- Options ---- */

static bool is_top_k(int32_t support) {
  return support == TRB_SUPPORT_STUDENT_TOP_K || support == TRB_SUPPORT_TEACHER_TOP_K;
}

/* Renormalized on one token is identically 0: a list must name two. */
static bool names_two(const int64_t *ids, int64_t k) {
  int64_t one = -1;
  for (int64_t i = 0; i < k; i++) {
    if (ids[i] < 0) continue;
    if (one >= 0 && ids[i] != one) return true;
    one = ids[i];
  }
  return false;
}

static trb_status check_ids(trb_context *ctx, const trb_loss_options *o, int64_t rows, int64_t vocab) {
  if (o->ids == NULL) return trbi_fail(ctx, TRB_EINVAL, "options->ids: expected a list per row, got NULL");
  for (int64_t r = 0; r < rows; r++) {
    const int64_t *ids = o->ids + r * o->k;
    for (int64_t i = 0; i < o->k; i++)
      if (ids[i] < -1 || ids[i] >= vocab)
        return trbi_fail(ctx, TRB_EINVAL,
                         "options->ids[%" PRId64 "][%" PRId64 "]: expected -1 to %" PRId64 ", got %" PRId64, r, i,
                         vocab - 1, ids[i]);
    if (o->form == TRB_FORM_RENORMALIZED && !names_two(ids, o->k))
      return trbi_fail(ctx, TRB_EINVAL,
                       "options->ids[%" PRId64 "]: expected two different ids for TRB_FORM_RENORMALIZED, which is "
                       "identically 0 on one",
                       r);
  }
  return TRB_OK;
}

static trb_status check_k(trb_context *ctx, const trb_loss_options *o) {
  const int64_t least = o->support == TRB_SUPPORT_ALL ? 0 : o->form == TRB_FORM_RENORMALIZED ? 2 : 1;
  if (o->support == TRB_SUPPORT_ALL && o->k != 0)
    return trbi_fail(ctx, TRB_EINVAL, "options->k: expected 0 with TRB_SUPPORT_ALL, got %" PRId64, o->k);
  if (o->k < least)
    return trbi_fail(ctx, TRB_EINVAL, "options->k: expected %" PRId64 " or more, got %" PRId64, least, o->k);
  if (o->support != TRB_SUPPORT_IDS && o->ids != NULL)
    return trbi_fail(ctx, TRB_EINVAL, "options->ids: expected NULL without TRB_SUPPORT_IDS, got a list");
  return TRB_OK;
}

static trb_status check_choices(trb_context *ctx, const trb_loss_options *o) {
  if (o->form < TRB_FORM_FULL || o->form > TRB_FORM_GENERALIZED)
    return trbi_fail(ctx, TRB_EINVAL, "options->form: expected a TRB_FORM_ number, got %" PRId32, o->form);
  if (o->support < TRB_SUPPORT_ALL || o->support > TRB_SUPPORT_IDS)
    return trbi_fail(ctx, TRB_EINVAL, "options->support: expected a TRB_SUPPORT_ number, got %" PRId32, o->support);
  if (o->form == TRB_FORM_FULL && o->support != TRB_SUPPORT_ALL)
    return trbi_fail(ctx, TRB_EINVAL, "options->support: expected TRB_SUPPORT_ALL for TRB_FORM_FULL, got %" PRId32,
                     o->support);
  return check_k(ctx, o);
}

trb_status trbi_read_loss_options(trb_context *ctx, const trb_loss_options *given, int64_t rows, int64_t vocab,
                                  trb_loss_options *known) {
  trb_status status =
      trbi_read_options(ctx, "options", given, known, sizeof *known, TRBI_SIZE_TO(trb_loss_options, ids));
  if (status == TRB_OK) status = check_choices(ctx, known);
  if (status != TRB_OK || known->support != TRB_SUPPORT_IDS) return status;
  int64_t n;
  if (__builtin_mul_overflow(rows, known->k, &n))
    return trbi_fail(ctx, TRB_EINVAL, "options->k: expected a list that fits in memory, got %" PRId64 " ids a row",
                     known->k);
  return check_ids(ctx, known, rows, vocab);
}

/* ---- One row ---- */

static void choose_support(const trb_loss_options *o, trbi_loss_state *state) {
  const trbi_pair *pair = &state->pair;
  state->support = (trbi_support){.kind = o->support};
  if (is_top_k(o->support))
    state->support.cut =
        trbi_top_k(pair, o->support == TRB_SUPPORT_STUDENT_TOP_K ? pair->student : pair->teacher, o->k);
  if (o->support == TRB_SUPPORT_IDS) {
    state->support.ids = o->ids + pair->row * o->k;
    state->support.n_ids = o->k;
  }
}

typedef struct sum_task {
  const trbi_loss_state *state;
  trbi_loss_sums part[TRBI_PARTS];
} sum_task;

static void add(trbi_loss_sums *sum, const trbi_loss_sums *part) {
  sum->divergence += part->divergence;
  sum->cross += part->cross;
  sum->in_student += part->in_student;
  sum->in_teacher += part->in_teacher;
  sum->out_student += part->out_student;
  sum->out_teacher += part->out_teacher;
  sum->tokens += part->tokens;
  sum->infinite += part->infinite;
  sum->in_change += part->in_change;
  sum->out_change += part->out_change;
}

static void add_block(void *data, int64_t part, const trbi_block *block) {
  sum_task *task = data;
  const trbi_pair *pair = &task->state->pair;
  uint8_t mask[TRBI_BLOCK];
  trbi_support_block(&task->state->support, block, mask);
  const trbi_loss_sums one =
      pair->kernels->reverse_kl(block->s, block->t, mask, block->padded, pair->scale_student, pair->scale_teacher);
  add(&task->part[part], &one);
}

static trbi_loss_sums add_up(const trbi_loss_state *state) {
  sum_task task = {.state = state};
  trbi_loss_sums sum = {0};
  trbi_each_block(&state->pair, add_block, &task);
  for (int64_t i = 0; i < trbi_parts(&state->pair); i++) add(&sum, &task.part[i]);
  return sum;
}

/* Tokens in the top-k of both models. */
static int64_t count_overlap(const trbi_loss_state *state, int64_t k) {
  const trbi_pair *pair = &state->pair;
  const trbi_cut of_student = trbi_top_k(pair, pair->student, k), of_teacher = trbi_top_k(pair, pair->teacher, k);
  int64_t both = 0;
  for (int64_t i = 0; i < trbi_blocks(pair); i++) {
    trbi_block block;
    trbi_read_block(pair, i, &block);
    for (int64_t v = 0; v < block.tokens; v++)
      both +=
          trbi_in_cut(of_student, block.s[v], block.begin + v) && trbi_in_cut(of_teacher, block.t[v], block.begin + v);
  }
  return both;
}

/* Whether a model allows any token off the support, however improbable. */
static bool allows_rest(const trbi_loss_state *state, bool teacher) {
  return trbi_scale_within(&state->pair, &state->support, false, teacher).max > -INFINITY;
}

/* log of the student's mass off the support over the teacher's, where that may be below the range of floats. */
static double deep_ratio(const trbi_loss_state *state, double out_student) {
  const trbi_scale all = state->pair.scale_teacher, out = trbi_scale_within(&state->pair, &state->support, false, true);
  return trbi_log(out_student) - TRBI_LN2 * fma(out.k, out.max - all.max, out.norm - all.norm);
}

/* The rest of the vocabulary as one token: its term out_student r - out_student + out_teacher, and r, which is 0 where
 * no gradient meets it. */
static int32_t tail(const trbi_loss_state *state, const trbi_loss_sums *sum, double *term, double *ratio) {
  const double p = sum->out_student, q = sum->out_teacher;
  *term = q;
  *ratio = 0.0;
  if (q == 0.0 && !allows_rest(state, true)) return allows_rest(state, false) ? TRB_ROW_INFINITE : TRB_ROW_OK;
  if (p == 0.0) return TRB_ROW_OK;
  const double change = sum->out_change / q;
  if (q > 1e-30 && fabs(change) < 0.5) {
    *ratio = trbi_log1p(change);
    *term = q * trbi_kl_excess(change);
  } else {
    *ratio = q > 1e-30 ? trbi_log(p / q) : deep_ratio(state, p);
    *term = p * (*ratio - 1.0) + q;
  }
  return TRB_ROW_OK;
}

/* Loss and gradient p (S (a r + b) + c) from the sums; the table of forms in trb.h. The loss comes from the
 * non-negative terms. The gradient's constant comes from sum p r over the same p that it will be multiplied with, so
 * that gradients that must sum to 0 do. */
static int32_t apply_form(int32_t form, trbi_loss_state *state, const trbi_loss_sums *sum, double *loss) {
  const double p = sum->in_student, out = sum->out_student;
  double term, ratio;
  *loss = sum->divergence;
  switch (form) {
  case TRB_FORM_TRUNCATED:
    *loss += sum->in_change;
    state->form = (trbi_gradient){1.0, 1.0, -(sum->cross + p)};
    return TRB_ROW_OK;
  case TRB_FORM_RENORMALIZED: /* the scales are those of p/P and q/Q by now */
    state->form = (trbi_gradient){1.0, -sum->cross / p, 0.0};
    return TRB_ROW_OK;
  case TRB_FORM_TAIL_BUCKET:
    if (tail(state, sum, &term, &ratio) != TRB_ROW_OK) return TRB_ROW_INFINITE;
    *loss += term;
    state->form = (trbi_gradient){1.0, -ratio, ratio - (sum->cross + out * ratio) / (p + out)};
    return TRB_ROW_OK;
  case TRB_FORM_GENERALIZED:
    state->form = (trbi_gradient){1.0, 0.0, -sum->cross};
    return TRB_ROW_OK;
  default:
    state->form = (trbi_gradient){1.0, 0.0, -sum->cross / p};
    return TRB_ROW_OK;
  }
}

/* p/P and q/Q in place of p and q. Neither is nothing: no token of S is infinite, and the student allows one. */
static void renormalize(trbi_loss_state *state) {
  state->pair.scale_student = trbi_scale_within(&state->pair, &state->support, true, false);
  state->pair.scale_teacher = trbi_scale_within(&state->pair, &state->support, true, true);
}

static int32_t measure(const trbi_loss_job *job, trbi_loss_state *state, trb_loss_row *row, double *loss) {
  const trb_loss_options *o = job->options;
  choose_support(o, state);
  trbi_loss_sums sum = add_up(state);
  if (sum.tokens == 0.0) return TRB_ROW_EMPTY;
  if (sum.infinite > 0.0) return TRB_ROW_INFINITE;
  row->mass_student = sum.in_student;
  row->mass_teacher = sum.in_teacher;
  row->support = (int64_t)sum.tokens;
  if (job->rows != NULL && is_top_k(o->support)) row->overlap = count_overlap(state, o->k);
  if (o->form == TRB_FORM_RENORMALIZED) {
    renormalize(state);
    sum = add_up(state);
  }
  return apply_form(o->form, state, &sum, loss);
}

static void gradient(const trbi_loss_job *job, const trbi_loss_state *state, const trbi_block *block, double scale,
                     float *grad) {
  uint8_t mask[TRBI_BLOCK];
  trbi_support_block(&state->support, block, mask);
  job->crew.kernels->reverse_kl_gradient(block->s, block->t, mask, block->padded, state->pair.scale_student,
                                         state->pair.scale_teacher, state->form, scale, grad);
}

trb_status trb_reverse_kl(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const double *weight,
                          const trb_loss_options *options, double *loss, const trb_logits *grad, trb_loss_row *rows) {
  trb_loss_options known;
  trb_status status = trbi_check_models(ctx, student, teacher, false);
  if (status == TRB_OK)
    status = trbi_read_loss_options(ctx, options, student->rows, trbi_common_vocab(student, teacher), &known);
  if (status != TRB_OK) return status;
  const int64_t listed = known.support == TRB_SUPPORT_IDS ? student->rows * known.k : 0;
  const trbi_span list = trbi_array_span("options->ids", known.ids, listed, sizeof *known.ids);
  trbi_loss_job job = {.student = student, .teacher = teacher, .grad = grad, .weight = weight, .loss = loss};
  job.rows = rows;
  job.options = &known;
  job.measure = measure;
  /* All other forms say the same then. */
  if (known.support == TRB_SUPPORT_ALL && known.form != TRB_FORM_TRUNCATED) job.lean = trbi_lean_loss_row;
  job.gradient = gradient;
  return trbi_run_loss(ctx, &job, &list, 1);
}
