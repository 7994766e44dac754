/* scripted.c - the scripted model: what it says, what it demands of the one who asks, how it fails. */
#include "scripted.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "families.h"

static const double NO = -(double)INFINITY;

scripted scripted_new(uint64_t seed, int64_t vocab, int32_t dtype) {
  return (scripted){.seed = seed, .vocab = vocab, .dtype = dtype, .spread = 1.0, .stop_at = -1};
}

static void forget(scripted *s) {
  for (int64_t i = 0; i < s->sequences; i++) free(s->asked[i].tokens);
  free(s->asked);
  s->asked = NULL;
  s->sequences = s->calls = s->whole_calls = s->rows = s->proposed = s->known = s->most_queries = s->most_rows = 0;
}

void scripted_free(scripted *s) {
  forget(s);
}

trb_model scripted_model(scripted *s) {
  forget(s);
  s->thread = pthread_self();
  return (trb_model){.size = sizeof(trb_model),
                     .vocab = s->vocab,
                     .forward = scripted_forward,
                     .user = s,
                     .dtype = s->dtype,
                     .temperature = s->temperature};
}

int64_t scripted_rows_of(const scripted *s, int64_t sequence) {
  return sequence < s->sequences ? s->asked[sequence].rows : 0;
}

/* ---- What it says ---- */

/* A generator of the prefix: one step of splitmix64 for each token, from the state before. */
static rng generator(const scripted *s, const int64_t *tokens, int64_t length) {
  rng g = {s->seed};
  for (int64_t i = 0; i < length; i++) g.state = rng_next(&g) + (uint64_t)tokens[i];
  g.state = rng_next(&g);
  return g;
}

void scripted_row(const scripted *s, const int64_t *tokens, int64_t length, const matrix *m, int64_t row) {
  rng g = generator(s, tokens, length);
  const int64_t open = s->vocab > 1 ? rng_between(&g, 0, 1) : 0;
  for (int64_t v = 0; v < s->vocab; v++) {
    const double x = s->spread * rng_normal(&g);
    matrix_set(m, row, v, rng_chance(&g, s->masked) && v != open ? NO : x);
  }
}

/* ---- What it demands ---- */

static scripted_asked *asked_about(scripted *s, int64_t sequence) {
  if (sequence >= s->sequences) {
    const int64_t sequences = 2 * sequence + 1;
    scripted_asked *grown = realloc(s->asked, (size_t)sequences * sizeof *grown);
    if (!grown) abort();
    for (int64_t i = s->sequences; i < sequences; i++) grown[i] = (scripted_asked){.last_call = -1};
    s->asked = grown;
    s->sequences = sequences;
  }
  return &s->asked[sequence];
}

static void remember(scripted_asked *a, const trb_query *query) {
  if (query->length > a->capacity) {
    a->capacity = 2 * query->length;
    a->tokens = realloc(a->tokens, (size_t)a->capacity * sizeof *a->tokens);
    if (!a->tokens) abort();
  }
  memcpy(a->tokens, query->tokens, (size_t)query->length * sizeof *a->tokens);
  a->length = query->length;
}

/* ck_assert notes every success in a file; this is asked for every element of every row. */
#define DEMAND(condition, ...)                                                                                         \
  do {                                                                                                                 \
    if (!(condition)) ck_abort_msg(__VA_ARGS__);                                                                       \
  } while (0)

/* In the middle of a block of proposals some sequences may be left out. */
static bool is_whole(const trb_query *query) {
  return query->proposed < query->rows;
}

/* One query against the contract of trb_query. */
static void demand(scripted *s, const trb_query *query) {
  const int sequence = (int)query->sequence, length = (int)query->length, rows = (int)query->rows;
  DEMAND(query->sequence >= 0 && query->tokens, "sequence %d without tokens", sequence);
  DEMAND(query->length >= 1 && query->rows >= 1, "sequence %d: %d tokens, %d rows", sequence, length, rows);
  DEMAND(query->known >= 0 && query->known <= query->length - query->rows, "sequence %d: %d known, %d tokens, %d rows",
         sequence, (int)query->known, length, rows);
  DEMAND(query->proposed >= 0 && query->proposed < query->length, "sequence %d: %d proposed, %d tokens", sequence,
         (int)query->proposed, length);
  for (int64_t k = 0; k < query->length; k++)
    DEMAND(query->tokens[k] >= 0 && query->tokens[k] < s->vocab, "sequence %d shows token %d", sequence,
           (int)query->tokens[k]);
  scripted_asked *a = asked_about(s, query->sequence);
  const bool present = a->last_call >= 0 && a->last_call == s->whole_calls - 1;
  DEMAND(present || a->last_call < 0 || s->starts_over, "sequence %d came back", sequence);
  if (!present || (s->starts_over && query->known == 0)) a->length = 0;
  DEMAND(query->known <= a->length, "sequence %d: %d known, but only %d were shown", sequence, (int)query->known,
         (int)a->length);
  DEMAND(query->known == 0 || memcmp(query->tokens, a->tokens, (size_t)query->known * sizeof *a->tokens) == 0,
         "sequence %d: a known token changed", sequence);
  remember(a, query);
  if (is_whole(query)) a->last_call = s->whole_calls;
  a->rows += query->rows;
  s->known += query->known;
  s->proposed += query->proposed;
}

/* All queries of a callback, and the room for the answer. */
static void demand_all(scripted *s, const trb_query *queries, int64_t n, const trb_logits *out) {
  int64_t rows = 0;
  DEMAND(pthread_equal(s->thread, pthread_self()), "called back on another thread");
  DEMAND(n >= 1, "%d queries", (int)n);
  for (int64_t i = 0; i < n; i++) {
    DEMAND(i == 0 || queries[i].sequence > queries[i - 1].sequence, "query %d does not ascend", (int)i);
    DEMAND(is_whole(&queries[i]) == is_whole(&queries[0]), "query %d alone is in the middle of a block", (int)i);
    demand(s, &queries[i]);
    rows += queries[i].rows;
  }
  DEMAND(out->data && out->rows == rows && out->vocab == s->vocab && out->stride == s->vocab && out->dtype == s->dtype,
         "room for %d rows of %d tokens, stride %d, dtype %d; %d are wanted", (int)out->rows, (int)out->vocab,
         (int)out->stride, (int)out->dtype, (int)rows);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t v = 0; v < out->vocab; v++)
      DEMAND(isnan(matrix_get(out, r, v)), "element (%d, %d) is not NaN before it is filled", (int)r, (int)v);
  s->whole_calls += is_whole(&queries[0]);
  s->rows += rows;
  if (n > s->most_queries) s->most_queries = n;
  if (rows > s->most_rows) s->most_rows = rows;
}

/* ---- How it answers ---- */

static int32_t fault_at(const scripted *s, int64_t sequence, int64_t position) {
  for (int i = 0; i < s->n_faults; i++)
    if (s->faults[i].sequence == sequence && s->faults[i].position == position) return s->faults[i].kind;
  return 0;
}

static void answer_row(const scripted *s, const trb_query *query, int64_t length, const matrix *m, int64_t row) {
  const int32_t fault = fault_at(s, query->sequence, length);
  const double last = matrix_get(&m->view, row, s->vocab - 1);
  if (fault == SCRIPTED_UNFILLED) return;
  scripted_row(s, query->tokens, length, m, row);
  if (fault == SCRIPTED_NAN) matrix_set(m, row, 0, (double)NAN);
  if (fault == SCRIPTED_INFINITE) matrix_set(m, row, 0, (double)INFINITY);
  if (fault == SCRIPTED_SHORT) matrix_set(m, row, s->vocab - 1, last);
  for (int64_t v = 0; fault == SCRIPTED_EMPTY && v < s->vocab; v++) matrix_set(m, row, v, NO);
}

int32_t scripted_forward(const trb_query *queries, int64_t n, const trb_logits *out, void *user) {
  scripted *s = user;
  demand_all(s, queries, n, out);
  if (s->calls++ == s->stop_at) return s->stop_value;
  const matrix m = {.view = *out};
  int64_t row = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < queries[i].rows; k++)
      answer_row(s, &queries[i], queries[i].length - queries[i].rows + 1 + k, &m, row++);
  return TRB_CONTINUE;
}

/* ---- The reference ---- */

/* The merge of trb_merge_tokens on one row, rounded to the dtype. */
static void merge(const matrix *m, const trb_ends *ends) {
  const long double t = m->view.temperature == 0.0f ? 1.0L : (long double)m->view.temperature;
  for (int64_t i = 0; ends && i < ends->n; i++) {
    const int64_t to = ends->student[i], from = ends->teacher[i];
    if (to >= m->view.vocab || from >= m->view.vocab) continue;
    const long double a = matrix_get(&m->view, 0, to), b = matrix_get(&m->view, 0, from);
    const long double top = a > b ? a : b;
    if (!isinf(top)) matrix_set(m, 0, to, (double)(top + t * logl(expl((a - top) / t) + expl((b - top) / t))));
    matrix_set(m, 0, from, NO);
  }
}

static matrix merged_row(const scripted *s, const trb_ends *ends, const int64_t *tokens, int64_t length) {
  matrix m = matrix_new(1, s->vocab, 0, s->dtype, s->temperature);
  scripted_row(s, tokens, length, &m, 0);
  merge(&m, ends);
  return m;
}

void scripted_load(oracle *o, const scripted *student, const scripted *teacher, const trb_ends *ends,
                   const int64_t *tokens, int64_t length) {
  matrix p = merged_row(student, ends, tokens, length);
  matrix q = teacher ? merged_row(teacher, ends, tokens, length) : (matrix){.block = NULL};
  oracle_load(o, &p.view, teacher ? &q.view : NULL, 0);
  matrix_free(&p);
  if (teacher) matrix_free(&q);
}
