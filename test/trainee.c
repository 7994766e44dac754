/* trainee.c - the student of the training tests. */
#include "trainee.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

trainee trainee_new(uint64_t seed, int64_t vocab, int32_t dtype) {
  return (trainee){.model = scripted_new(seed, vocab, dtype), .stop_at = -1};
}

static void forget(trainee *t) {
  matrix_free(&t->grad);
  free(t->last);
  t->last = NULL;
  t->n_last = t->capacity = t->backwards = t->most_rows = 0;
}

void trainee_free(trainee *t) {
  forget(t);
  scripted_free(&t->model);
}

/* ---- Callbacks ---- */

static void demand_whole(const trainee *t, const trb_query *query) {
  const trb_rollouts *r = t->r;
  const int64_t i = query->sequence, length = r->text_offset[i + 1] - r->text_offset[i];
  ck_assert_int_lt(i, r->n);
  ck_assert_int_eq(query->known, 0);
  ck_assert_int_eq(query->rows, r->offset[i + 1] - r->offset[i]);
  ck_assert_int_eq(query->length, length - 1);
  ck_assert_mem_eq(query->tokens, r->text + r->text_offset[i], (size_t)query->length * sizeof *query->tokens);
}

static int32_t forward(const trb_query *queries, int64_t n, const trb_logits *out, void *user) {
  trainee *t = user;
  if (n > t->capacity) {
    t->last = realloc(t->last, (size_t)n * sizeof *t->last);
    if (!t->last) abort();
    t->capacity = n;
  }
  for (int64_t i = 0; i < n; i++) demand_whole(t, &queries[i]);
  memcpy(t->last, queries, (size_t)n * sizeof *queries);
  t->n_last = n;
  if (n > 1 && out->rows > t->most_rows) t->most_rows = out->rows;
  return scripted_forward(queries, n, out, user);
}

static int32_t backward(const trb_query *queries, int64_t n, const trb_logits *grad, void *user) {
  trainee *t = user;
  int64_t row = 0;
  ck_assert_int_eq(n, t->n_last);
  t->n_last = 0;
  ck_assert_mem_eq(queries, t->last, (size_t)n * sizeof *queries);
  ck_assert_int_eq(grad->vocab, t->model.vocab);
  ck_assert_int_eq(grad->dtype, t->grad.view.dtype);
  if (t->backwards++ == t->stop_at) return t->stop_value;
  for (int64_t i = 0; i < n; i++) {
    const int64_t first = t->r->offset[queries[i].sequence + 1] - queries[i].rows;
    for (int64_t k = 0; k < queries[i].rows; k++, row++) {
      ck_assert_msg(!trainee_handed(t, first + k), "token %d is handed back twice", (int)(first + k));
      for (int64_t v = 0; v < grad->vocab; v++) matrix_set(&t->grad, first + k, v, matrix_get(grad, row, v));
    }
  }
  ck_assert_int_eq(row, grad->rows);
  return TRB_CONTINUE;
}

trb_model trainee_model(trainee *t, const trb_rollouts *r, int32_t grad_dtype) {
  forget(t);
  t->r = r;
  t->grad = matrix_new(r->n_tokens, t->model.vocab, 0, grad_dtype, 0.0f);
  trb_model model = scripted_model(&t->model);
  model.forward = forward;
  model.backward = backward;
  return model;
}

bool trainee_handed(const trainee *t, int64_t token) {
  return !isnan(matrix_get(&t->grad.view, token, 0));
}

/* ---- References ---- */

matrix trainee_logits(const scripted *s, const trb_rollouts *r, const trb_ends *ends) {
  matrix m = matrix_new(r->n_tokens, s->vocab, 0, s->dtype, s->temperature);
  for (int64_t i = 0; i < r->n; i++)
    for (int64_t t = r->offset[i]; t < r->offset[i + 1]; t++) {
      const int64_t behind = r->offset[i + 1] - t;
      scripted_row(s, r->text + r->text_offset[i], r->text_offset[i + 1] - r->text_offset[i] - behind, &m, t);
    }
  for (int64_t k = 0; ends && k < ends->n; k++)
    if (ends->student[k] < s->vocab && ends->teacher[k] < s->vocab)
      ck_assert_int_eq(trb_merge_tokens(NULL, &m.view, &ends->teacher[k], &ends->student[k], 1), TRB_OK);
  return m;
}

trb_rollouts *trainee_texts(rng *g, int64_t n, int64_t most, int64_t vocab, bool known, const trb_ends *ends) {
  int64_t *tokens = malloc((size_t)(n * (most + 3) + 1) * sizeof *tokens);
  int64_t *offset = malloc((size_t)(n + 1) * sizeof *offset), *prompt = malloc((size_t)(n + 1) * sizeof *prompt);
  double *log_sampled = malloc((size_t)(n * most + 1) * sizeof *log_sampled);
  if (!tokens || !offset || !prompt || !log_sampled) abort();
  int64_t end = offset[0] = 0;
  for (int64_t i = 0; i < n; i++) {
    prompt[i] = rng_between(g, 1, 3);
    const int64_t length = prompt[i] + rng_between(g, 0, most);
    for (int64_t k = 0; k < length; k++) tokens[end++] = rng_between(g, 0, vocab - 1);
    offset[i + 1] = end;
  }
  for (int64_t k = 0; k < n * most; k++) log_sampled[k] = -5.0 * rng_uniform(g);
  const trb_texts texts = {tokens, offset, n};
  trb_rollouts *r;
  ck_assert_int_eq(trb_rollouts_new(NULL, &texts, prompt, known ? log_sampled : NULL, ends, &r), TRB_OK);
  free(tokens);
  free(offset);
  free(prompt);
  free(log_sampled);
  return r;
}

int64_t trainee_weights(const trb_rollouts *r, const trb_train_options *o, double *weight) {
  int64_t tokens = 0, sequences = 0;
  for (int64_t t = 0; t < r->n_tokens; t++) weight[t] = o->weight ? o->weight[t] : 1.0;
  for (int64_t i = 0; i < r->n; i++) {
    int64_t counting = 0;
    for (int64_t t = r->offset[i]; t < r->offset[i + 1]; t++) counting += weight[t] != 0.0;
    tokens += counting;
    sequences += counting > 0;
  }
  for (int64_t i = 0; i < r->n; i++) {
    int64_t counting = 0;
    for (int64_t t = r->offset[i]; t < r->offset[i + 1]; t++) counting += weight[t] != 0.0;
    for (int64_t t = r->offset[i]; t < r->offset[i + 1]; t++) {
      if (weight[t] == 0.0) continue;
      weight[t] *= o->scale != 0.0 ? o->scale : 1.0;
      if (o->norm == TRB_NORM_TOKENS) weight[t] /= (double)tokens;
      if (o->norm == TRB_NORM_SEQUENCES) weight[t] /= (double)(sequences * counting);
    }
  }
  return tokens;
}

/* ---- One call ---- */

enum { POISON = 0x5A };

trb_status step_take(step *x) {
  const size_t n = (size_t)x->r->n_tokens + 1;
  free(x->loss);
  free(x->rows);
  x->loss = malloc(n * sizeof *x->loss);
  x->rows = malloc(n * sizeof *x->rows);
  if (!x->loss || !x->rows) abort();
  memset(x->loss, POISON, n * sizeof *x->loss);
  memset(x->rows, POISON, n * sizeof *x->rows);
  memset(&x->report, POISON, sizeof x->report);
  x->report.size = sizeof x->report;
  const trb_model student = trainee_model(&x->student, x->r, x->options.grad_dtype);
  const trb_model teacher = scripted_model(&x->teacher);
  const bool terms = x->options.objective == TRB_OBJECTIVE_TOKEN;
  return trb_train_step(x->ctx, &student, x->alone ? NULL : &teacher, x->r, &x->options, x->loss,
                        terms ? NULL : x->rows, &x->report);
}

static bool poisoned(const void *data, size_t bytes) {
  const unsigned char *c = data;
  for (size_t i = 0; i < bytes; i++)
    if (c[i] != POISON) return false;
  return true;
}

bool step_untouched(const step *x) {
  const size_t n = (size_t)x->r->n_tokens + 1, size = sizeof x->report.size;
  return x->report.size == sizeof x->report && poisoned((const char *)&x->report + size, sizeof x->report - size) &&
         poisoned(x->loss, n * sizeof *x->loss) && poisoned(x->rows, n * sizeof *x->rows);
}

void step_same(const step *a, const step *b, bool gradient, const char *where) {
  const size_t n = (size_t)a->r->n_tokens;
  trb_train_report of_a = a->report;
  of_a.micro_batches = b->report.micro_batches;
  of_a.teacher_rows = b->report.teacher_rows;
  ck_assert_msg(memcmp(a->loss, b->loss, n * sizeof *a->loss) == 0, "%s: loss", where);
  ck_assert_msg(memcmp(a->rows, b->rows, n * sizeof *a->rows) == 0, "%s: rows", where);
  ck_assert_msg(memcmp(&of_a, &b->report, sizeof of_a) == 0, "%s: report", where);
  if (gradient)
    ck_assert_msg(memcmp(a->student.grad.block, b->student.grad.block, a->student.grad.bytes) == 0, "%s: gradient",
                  where);
}

void step_free(step *x) {
  trainee_free(&x->student);
  scripted_free(&x->teacher);
  trb_rollouts_free(x->r);
  free(x->loss);
  free(x->rows);
}

void assert_same_row(const trb_logits *x, int64_t a, const trb_logits *y, int64_t b, const char *where) {
  const size_t bytes = (size_t)x->vocab * (x->dtype == TRB_F32 ? 4 : 2);
  ck_assert_int_eq(x->vocab, y->vocab);
  ck_assert_int_eq(x->dtype, y->dtype);
  ck_assert_msg(memcmp(matrix_rows(x, a, 1).data, matrix_rows(y, b, 1).data, bytes) == 0, "%s: row %d differs", where,
                (int)a);
}
