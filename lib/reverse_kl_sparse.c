/* reverse_kl_sparse.c - the reverse KL where the teacher is known by lists: S is the list, and the rest one token whose
 * p and q are what both leave for it. The full form is then KL(p||q) with the q of trb_sparse, and the tail bucket the
 * same (docs/math.md, section 20). */
#include <math.h>

#include "dmath.h"
#include "loss.h"

/* What a call hands to its rows. */
typedef struct sparse_options {
  const trb_sparse *teacher;
  int32_t form;
} sparse_options;

static bool is_full(int32_t form) {
  return form == TRB_FORM_FULL || form == TRB_FORM_TAIL_BUCKET;
}

/* ---- What is logged ---- */

/* -p log p of a mass 2^y. */
static double entropy_term(double y) {
  return y > -INFINITY ? -TRBI_LN2 * y * trbi_exp(TRBI_LN2 * y) : 0.0;
}

static bool is_listed(const trbi_listed *list, int64_t token) {
  for (int64_t i = 0; i < list->n; i++)
    if (list->ids[i] == token) return true;
  return false;
}

/* The first token off the list with the student's largest logit there. */
static int64_t first_of_rest(const trbi_listed *list) {
  int64_t token = list->top_rest.block * TRBI_BLOCK;
  while ((double)trbi_load(list->student, list->row, token) < list->top_rest.max || is_listed(list, token)) token++;
  return token;
}

/* The largest q: on the list, or where the rest has its largest p. */
static int64_t argmax_teacher(const trbi_listed *list) {
  const bool rest = list->rest_student > -INFINITY && list->rest_teacher > -INFINITY;
  int64_t best = -1;
  double top = -INFINITY;
  trbi_entry e;
  if (rest) {
    best = first_of_rest(list);
    top = fma(list->scale.k, list->top_rest.max - list->scale.max, -list->scale.norm) +
          (list->rest_teacher - list->rest_student);
  }
  for (int64_t i = 0; i < list->n; i++) {
    if (!trbi_entry_at(list, i, &e) || !(e.b > top || (e.b == top && e.id < best))) continue;
    best = e.id;
    top = e.b;
  }
  return best;
}

static int32_t survey(const trbi_loss_job *job, int64_t row, trbi_loss_state *state, trb_loss_row *record) {
  const sparse_options *o = job->options;
  trbi_listed *list = &state->list;
  trbi_entry e;
  const int32_t bad = trbi_read_listed(&job->crew, job->student, o->teacher, row, &state->pair, list);
  if (bad != 0) return bad;
  const double p = trbi_exp(TRBI_LN2 * list->rest_student), q = trbi_exp(TRBI_LN2 * list->rest_teacher);
  record->entropy_student = entropy_term(list->rest_student) + p * list->rest_entropy;
  record->entropy_teacher = entropy_term(list->rest_teacher) + q * list->rest_entropy;
  for (int64_t i = 0; i < list->n; i++) {
    if (!trbi_entry_at(list, i, &e)) continue;
    record->entropy_student += entropy_term(e.a);
    record->entropy_teacher += entropy_term(e.b);
  }
  record->mass_student = list->mass_student;
  record->mass_teacher = list->mass_teacher;
  record->support = list->listed_student;
  if (job->rows == NULL) return 0; /* the other two look for a token */
  record->argmax_student = trbi_argmax_student(&state->pair);
  record->argmax_teacher = argmax_teacher(list);
  return 0;
}

/* ---- The loss ---- */

/* Sums over S, r = log(p/q): of p r, of p r - p + q, and the q of tokens that the student masks. Infinite where q masks
 * what p allows. */
typedef struct sums {
  double cross, divergence;
  bool infinite;
} sums;

static void add(sums *s, double a, double b) {
  if (!(a > -INFINITY)) {
    s->divergence += trbi_exp(TRBI_LN2 * b);
    return;
  }
  if (!(b > -INFINITY)) {
    s->infinite = true;
    return;
  }
  const double p = trbi_exp(TRBI_LN2 * a), r = TRBI_LN2 * (a - b);
  s->cross += p * r;
  s->divergence += trbi_kl_of(a, b);
}

/* p and q on the list, less these logarithms. */
static sums add_up(const trbi_listed *list, double less_p, double less_q) {
  sums s = {0};
  trbi_entry e;
  for (int64_t i = 0; i < list->n; i++)
    if (trbi_entry_at(list, i, &e)) add(&s, e.a - less_p, e.b - less_q);
  return s;
}

/* p/P and q/Q in place of p and q, however small: relative to the largest listed logit, where nothing cancels. */
static void renormalize(trbi_listed *list) {
  trbi_log_sum p = trbi_log_sum_zero(), q = p;
  trbi_entry e;
  double top = -INFINITY;
  for (int64_t i = 0; i < list->n; i++)
    if (trbi_entry_at(list, i, &e)) top = fmax(top, (double)trbi_load(list->student, list->row, e.id));
  list->scale.max = top;
  list->scale.norm = 0.0;
  for (int64_t i = 0; i < list->n; i++) {
    if (!trbi_entry_at(list, i, &e)) continue;
    trbi_log_sum_add(&p, e.a, 1.0);
    trbi_log_sum_add(&q, e.b, 1.0);
  }
  list->scale.norm = trbi_log_sum_value(&p);
  list->excess += trbi_log_sum_value(&q);
}

/* Loss and gradient p (S (r + b) + c), both relative to list->scale and list->excess. */
static int32_t measure(const trbi_loss_job *job, trbi_loss_state *state, trb_loss_row *row, double *loss) {
  const int32_t form = ((const sparse_options *)job->options)->form;
  trbi_listed *list = &state->list;
  (void)row;
  if (is_full(form)) {
    sums s = add_up(list, 0.0, 0.0);
    add(&s, list->rest_student, list->rest_teacher);
    if (s.infinite) return TRB_ROW_INFINITE;
    const bool rest = list->rest_student > -INFINITY;
    const double mean = s.cross / (list->mass_student + trbi_exp(TRBI_LN2 * list->rest_student));
    const double r = rest ? TRBI_LN2 * (list->rest_student - list->rest_teacher) : 0.0;
    *loss = s.divergence;
    state->form = (trbi_gradient){1.0, -r, r - mean};
    return TRB_ROW_OK;
  }
  if (list->listed_student == 0) return TRB_ROW_EMPTY;
  if (form == TRB_FORM_RENORMALIZED) renormalize(list);
  const sums s = add_up(list, 0.0, 0.0);
  if (s.infinite) return TRB_ROW_INFINITE;
  const double b = form == TRB_FORM_TRUNCATED ? 1.0 : form == TRB_FORM_RENORMALIZED ? -s.cross : 0.0;
  const double c = form == TRB_FORM_TRUNCATED     ? -(s.cross + list->mass_student)
                   : form == TRB_FORM_GENERALIZED ? -s.cross
                                                  : 0.0;
  *loss = form == TRB_FORM_TRUNCATED ? s.cross : s.divergence;
  state->form = (trbi_gradient){1.0, b, c};
  return TRB_ROW_OK;
}

/* Of a repeated id the first entry is written last. */
static void gradient(const trbi_loss_job *job, const trbi_loss_state *state, const trbi_block *block, double scale,
                     float *grad) {
  static const uint8_t none[TRBI_BLOCK] = {0};
  const trbi_listed *list = &state->list;
  const trbi_scale p = list->scale;
  const trbi_gradient rest = {0.0, 0.0, state->form.c};
  trbi_entry e;
  job->crew.kernels->reverse_kl_gradient(block->s, block->s, none, block->padded, p, p, rest, scale, grad);
  for (int64_t i = list->n - 1; i >= 0; i--) {
    const int64_t v = list->ids[i] - block->begin;
    if (v < 0 || v >= block->tokens || !trbi_entry_at(list, i, &e)) continue;
    const double r = TRBI_LN2 * (e.a - e.b);
    grad[v] = e.a > -INFINITY ? (float)(scale * trbi_exp(TRBI_LN2 * e.a) * (r + state->form.b + state->form.c)) : 0.0f;
  }
}

/* ---- Arguments ---- */

static trb_status check_options(trb_context *ctx, const trb_loss_options *options, trb_loss_options *known) {
  const trb_status status =
      trbi_read_options(ctx, "options", options, known, sizeof *known, TRBI_SIZE_TO(trb_loss_options, ids));
  if (status != TRB_OK) return status;
  if (known->form < TRB_FORM_FULL || known->form > TRB_FORM_GENERALIZED)
    return trbi_fail(ctx, TRB_EINVAL, "options->form: expected a TRB_FORM_ number, got %" PRId32, known->form);
  if (known->support != TRB_SUPPORT_ALL)
    return trbi_fail(ctx, TRB_EINVAL, "options->support: expected 0, since the support is the list, got %" PRId32,
                     known->support);
  if (known->k != 0) return trbi_fail(ctx, TRB_EINVAL, "options->k: expected 0, got %" PRId64, known->k);
  if (known->ids != NULL) return trbi_fail(ctx, TRB_EINVAL, "options->ids: expected NULL, got a list");
  return TRB_OK;
}

/* Renormalized on one token is identically 0. */
static trb_status check_two(trb_context *ctx, const trb_logits *student, const trb_sparse *teacher) {
  for (int64_t r = 0; r < student->rows; r++) {
    const trbi_listed list = trbi_name_listed(student, teacher, r);
    int64_t one = -1, i = 0;
    for (; i < list.n && (one < 0 || list.ids[i] < 0 || list.ids[i] == one); i++)
      if (list.ids[i] >= 0) one = list.ids[i];
    if (i == list.n)
      return trbi_fail(ctx, TRB_EINVAL,
                       "teacher->ids: expected two different ids in row %" PRId64
                       " for TRB_FORM_RENORMALIZED, which is identically 0 on one",
                       r);
  }
  return TRB_OK;
}

trb_status trb_reverse_kl_sparse(trb_context *ctx, const trb_logits *student, const trb_sparse *teacher,
                                 const double *weight, const trb_loss_options *options, double *loss,
                                 const trb_logits *grad, trb_loss_row *rows) {
  trb_loss_options known;
  trb_status status = trbi_check_view(ctx, "student", student);
  if (status == TRB_OK) status = trbi_check_sparse(ctx, teacher, student->rows, student->vocab);
  if (status == TRB_OK) status = check_options(ctx, options, &known);
  if (status == TRB_OK && known.form == TRB_FORM_RENORMALIZED) status = check_two(ctx, student, teacher);
  if (status != TRB_OK) return status;
  const sparse_options of_rows = {teacher, known.form};
  trbi_loss_job job = {.student = student, .teacher = student, .grad = grad, .weight = weight, .loss = loss};
  trbi_span lists[TRBI_LOSS_LISTS];
  trbi_name_sparse(student->rows, teacher, lists);
  job.rows = rows;
  job.options = &of_rows;
  job.survey = survey;
  job.measure = measure;
  job.gradient = gradient;
  return trbi_run_loss(ctx, &job, lists, TRBI_LOSS_LISTS);
}
