/* micro_batch.c - loss and gradient of some whole sequences. */
#include <math.h>
#include <string.h>

#include "ends.h"
#include "loss.h"
#include "train.h"

/* ---- The teacher's rows ---- */

/* Tokens of a sequence whose rows are kept: the first ones. */
static int64_t count_kept(const trbi_rollouts *r, int64_t sequence) {
  const int64_t begin = r->offset[sequence], n = trbi_sampled(r, sequence);
  int64_t kept = 0;
  while (kept < n && r->slot[begin + kept] >= 0) kept++;
  return kept;
}

/* Asks for the rows that are not kept, at the end of the room for all. */
static trb_status ask_teacher(trbi_trainer *t, const trb_logits *all, int64_t *missing) {
  int64_t n = 0;
  *missing = 0;
  for (int64_t q = 0; q < t->batch.n; q++) {
    trb_query query = t->batch.queries[q];
    query.rows -= count_kept(t->r, query.sequence);
    if (query.rows == 0) continue;
    t->asked[n++] = query;
    *missing += query.rows;
  }
  if (n == 0) return TRB_OK;
  trb_logits tail = *all;
  tail.rows = *missing;
  tail.data = trbi_element(all, all->rows - *missing, 0);
  t->report.teacher_rows += *missing;
  const trb_status status = trbi_ask(t->ctx, "teacher", &t->teacher, t->asked, n, &tail);
  return status == TRB_OK ? trbi_merge_ends(t->ctx, &t->r->ends, &tail, NULL) : status;
}

/* Puts kept and asked rows in their order. No asked row lies before its place, so none is overwritten. */
static trb_status fetch_teacher(trbi_trainer *t, const trb_logits *all) {
  const size_t row_bytes = (size_t)trbi_row_bytes(&t->teacher);
  int64_t missing;
  const trb_status status = ask_teacher(t, all, &missing);
  if (status != TRB_OK) return status;
  unsigned char *to = all->data;
  const unsigned char *from = (unsigned char *)all->data + (size_t)(all->rows - missing) * row_bytes;
  for (int64_t q = 0; q < t->batch.n; q++) {
    const trb_query *query = &t->batch.queries[q];
    const int64_t first = trbi_first_token(t->r, query), kept = count_kept(t->r, query->sequence);
    for (int64_t k = 0; k < kept; k++, to += row_bytes)
      memcpy(to, t->r->kept.data + (size_t)t->r->slot[first + k] * row_bytes, row_bytes);
    const size_t bytes = (size_t)(query->rows - kept) * row_bytes;
    memmove(to, from, bytes);
    to += bytes;
    from += bytes;
  }
  return TRB_OK;
}

/* ---- The bridge ---- */

/* The blend as a target; where the supports do not meet there is none, and the teacher stays. */
static trb_status bridge(trbi_trainer *t, const trb_logits *student, const trb_logits *teacher,
                         const trb_logits *target) {
  trb_status status = trb_blend_at(t->ctx, student, teacher, &t->options.bridge, 1, t->blend);
  if (status != TRB_OK && status != TRB_EROWS) return status;
  for (int64_t r = 0; r < teacher->rows; r++) {
    if (t->blend[r].status == TRB_ROW_GIVEN) continue;
    t->blend[r].status = TRB_ROW_INFINITE;
    for (int64_t v = 0; v < teacher->vocab; v++)
      trbi_store(target, r, v, (float)((double)trbi_load(teacher, r, v) / trbi_temperature(teacher)));
  }
  status = trb_write_blend(t->ctx, student, teacher, t->blend, target);
  return status == TRB_EROWS ? TRB_OK : status;
}

/* ---- Loss and gradient ---- */

/* Some rows of a batch: those of tokens [first, first + student.rows). */
typedef struct run {
  int64_t first;
  trb_logits student, target, grad;
  bool train; /* else there is no gradient */
} run;

static const trb_logits *grad_of(const run *x) {
  return x->train ? &x->grad : NULL;
}

static trb_status token_terms(trbi_trainer *t, const run *x) {
  const double *sampled = t->r->column[TRBI_LOG_SAMPLED] + x->first;
  const bool ratio = t->token.estimator == TRB_ESTIMATOR_ADVANTAGE && !isnan(sampled[0]);
  const trb_status status =
      trb_token_terms(t->ctx, &x->student, &x->target, t->r->token + x->first, ratio ? sampled : NULL,
                      t->weight + x->first, t->options.token, t->terms, grad_of(x));
  if (status != TRB_OK && status != TRB_EROWS) return status;
  for (int64_t r = 0; r < x->student.rows; r++) {
    t->loss[x->first + r] = t->terms[r].value;
    t->rows[x->first + r] = trbi_no_loss_row(t->terms[r].status);
    t->report.clipped += t->terms[r].clipped != 0;
  }
  return status;
}

/* The objective of rows that are not routed. */
static trb_status take_objective(trbi_trainer *t, const run *x) {
  const double *weight = t->weight + x->first;
  double *loss = t->loss + x->first;
  trb_loss_row *rows = t->rows + x->first;
  if (t->options.objective == TRB_OBJECTIVE_TOKEN) return token_terms(t, x);
  if (t->options.objective == TRB_OBJECTIVE_DIVERGENCE)
    return trb_divergence(t->ctx, &x->student, &x->target, weight, t->options.divergence, loss, grad_of(x), rows);
  trb_loss_options options = t->reverse_kl;
  if (options.ids != NULL) options.ids += x->first * options.k;
  return trb_reverse_kl(t->ctx, &x->student, &x->target, weight, &options, loss, grad_of(x), rows);
}

/* Whether a token is trained towards the teacher's argmax instead. */
static bool is_routed(const trbi_trainer *t, int64_t token) {
  return t->options.routed != 0 && t->r->verdict[token] == TRB_VERDICT_CORRECTED;
}

/* -log p(argmax q) of rows that are routed. */
static trb_status take_argmax(trbi_trainer *t, const run *x) {
  const trb_term_options nll = {.size = sizeof nll, .estimator = TRB_ESTIMATOR_NLL};
  const trb_status status = trb_token_terms(t->ctx, &x->student, &x->target, t->r->argmax_teacher + x->first, NULL,
                                            t->weight + x->first, &nll, t->terms, grad_of(x));
  if (status != TRB_OK && status != TRB_EROWS) return status;
  for (int64_t r = 0; r < x->student.rows; r++) {
    const int32_t row = t->terms[r].status;
    t->loss[x->first + r] = t->terms[r].value;
    t->rows[x->first + r] = trbi_no_loss_row(row < 0 ? row : TRB_ROW_SKIPPED);
  }
  return status;
}

static trb_logits rows_of(const trb_logits *all, int64_t begin, int64_t rows) {
  trb_logits some = *all;
  some.data = trbi_element(all, begin, 0);
  some.rows = rows;
  return some;
}

/* Runs of routed rows and of others, one after another; the rows of the batch are tokens from `first` on. */
static trb_status take_loss(trbi_trainer *t, const trb_logits *student, const trb_logits *target, int64_t first,
                            const trb_logits *grad) {
  int64_t end = 0;
  for (int64_t begin = 0; begin < student->rows; begin = end) {
    const bool routed = is_routed(t, first + begin);
    while (end < student->rows && is_routed(t, first + end) == routed) end++;
    const run x = {.first = first + begin,
                   .student = rows_of(student, begin, end - begin),
                   .target = rows_of(target, begin, end - begin),
                   .grad = rows_of(grad != NULL ? grad : student, begin, end - begin),
                   .train = grad != NULL};
    const trb_status status = routed ? take_argmax(t, &x) : take_objective(t, &x);
    if (status != TRB_OK && status != TRB_EROWS) return status;
  }
  return TRB_OK;
}

/* Which model a row without a result is to blame on: the gradient may have replaced the student's. */
static const char *blame(trbi_trainer *t, int64_t row, int32_t status) {
  if (status == TRB_ROW_INFINITE) return "loss";
  if (!t->needs_teacher) return "student";
  const trb_logits all = trbi_answer_view(&t->teacher, t->logits_teacher, t->batch.rows);
  const trb_logits one = trbi_common_view(rows_of(&all, row, 1), t->vocab);
  double entropy;
  return trb_entropy(t->ctx, &one, &entropy) == TRB_OK ? "student" : "teacher";
}

/* What is known of a token's distributions, which is nothing of a routed one. */
static void sum_up_record(trb_train_report *report, const trb_loss_row *record) {
  report->entropy_student += record->entropy_student;
  report->entropy_teacher += record->entropy_teacher;
  report->mass_student += record->mass_student;
  report->mass_teacher += record->mass_teacher;
  report->agreement += record->argmax_student == record->argmax_teacher;
}

/* Adds the batch to the report, token by token. */
static void sum_up(trbi_trainer *t, int64_t first) {
  int64_t row = 0;
  for (int64_t q = 0; q < t->batch.n; q++)
    for (int64_t k = 0; k < t->batch.queries[q].rows; k++, row++) {
      const trb_loss_row *record = &t->rows[first + row];
      if (t->weight[first + row] == 0.0) continue;
      if (record->status < 0) {
        if (t->report.bad++ == 0)
          trbi_note_bad_row(&t->bad, blame(t, row, record->status), &t->batch.queries[q], k, record->status);
        continue;
      }
      t->report.objective += t->weight[first + row] * t->loss[first + row];
      t->report.loss += t->loss[first + row];
      if (is_routed(t, first + row)) {
        t->report.routed++;
        t->report.routed_loss += t->loss[first + row];
      } else {
        sum_up_record(&t->report, record);
      }
    }
}

/* ---- The batch ---- */

static bool grad_replaces_student(const trbi_trainer *t) {
  return t->options.grad_dtype == t->student.dtype;
}

static bool bridges(const trbi_trainer *t) {
  return t->options.bridge < 1.0;
}

trbi_train_room trbi_measure_room(const trbi_trainer *t) {
  const bool own_grad = t->options.evaluate == 0 && !grad_replaces_student(t);
  return (trbi_train_room){
      .student = trbi_row_bytes(&t->student),
      .teacher = t->needs_teacher ? trbi_row_bytes(&t->teacher) : 0,
      .grad = own_grad ? t->student.vocab * trbi_element_bytes(t->options.grad_dtype) : 0,
      .target = bridges(t) ? t->vocab * (int64_t)sizeof(float) : 0,
  };
}

/* What the student is compared with, on the common vocabulary. Without a teacher that is itself, which no loss reads.
 */
static trb_status make_target(trbi_trainer *t, const trb_logits *student, trb_logits *target) {
  *target = trbi_common_view(*student, t->vocab);
  if (!t->needs_teacher) return TRB_OK;
  const trb_logits all = trbi_answer_view(&t->teacher, t->logits_teacher, t->batch.rows);
  const trb_status status = fetch_teacher(t, &all);
  *target = trbi_common_view(all, t->vocab);
  if (status != TRB_OK || !bridges(t)) return status;
  const trb_logits teacher = *target;
  *target = (trb_logits){t->target, all.rows, t->vocab, t->vocab, TRB_F32, 0.0f};
  return bridge(t, student, &teacher, target);
}

trb_status trbi_train_batch(trbi_trainer *t) {
  const trbi_batch *batch = &t->batch;
  const int64_t first = trbi_first_token(t->r, &batch->queries[0]);
  const trb_logits student = trbi_answer_view(&t->student, t->logits_student, batch->rows);
  trb_status status = trbi_ask(t->ctx, "student", &t->student, batch->queries, batch->n, &student);
  if (status == TRB_OK) status = trbi_merge_ends(t->ctx, &t->r->ends, &student, t->before);
  if (status != TRB_OK) return status;

  trb_logits target;
  status = make_target(t, &student, &target);
  if (status != TRB_OK) return status;

  trb_logits grad = student;
  if (!grad_replaces_student(t)) {
    grad.data = t->grad;
    grad.dtype = t->options.grad_dtype;
  }
  const bool train = t->options.evaluate == 0;
  status = take_loss(t, &student, &target, first, train ? &grad : NULL);
  if (status != TRB_OK) return status;
  sum_up(t, first);
  if (!train) return TRB_OK;
  trbi_split_ends(&t->r->ends, &student, t->before, &grad);
  return trbi_answer(t->ctx, "student", &t->student, batch->queries, batch->n, &grad);
}
