/* step.c - one token for every unfinished sequence of a rollout, sampled from the behavior. */
#include <math.h>

#include "writer.h"

static void ask_all(trbi_writer *w) {
  for (int64_t i = 0; i < w->n_active; i++) {
    const int64_t sequence = w->active[i];
    w->queries[i] = trbi_query_of(w, sequence, 0, 1);
    w->step.stream[i] = w->r->stream[sequence];
    w->step.index[i] = trbi_written(w, sequence);
  }
}

/* Appends all tokens, keeps the teacher's rows, and lets finished sequences out. */
static void take_tokens(trbi_writer *w, const trb_logits *teacher) {
  int64_t stay = 0;
  for (int64_t i = 0; i < w->n_active; i++) {
    const int64_t sequence = w->active[i];
    const bool of_student = w->behavior.needs_student && isnan(w->step.entropy_student[i]);
    if (trbi_append(w, sequence, &w->step.token[i], of_student, teacher, i) == TRB_STOP_NONE)
      w->active[stay++] = sequence;
  }
  w->n_active = stay;
}

trb_status trbi_advance_by_token(trbi_writer *w) {
  trb_logits rows_student, rows_teacher, student, teacher;
  const trbi_behavior *b = &w->behavior;
  const int64_t n = w->n_active;
  trb_status status = TRB_OK;
  ask_all(w);
  if (b->needs_student) status = trbi_ask_rows(w, false, w->logits_student, n, n, &rows_student);
  if (status == TRB_OK && b->needs_teacher) status = trbi_ask_rows(w, true, w->logits_teacher, n, n, &rows_teacher);
  if (status != TRB_OK) return status;
  if (b->needs_student) student = trbi_common_view(rows_student, w->r->vocab);
  if (b->needs_teacher) teacher = trbi_common_view(rows_teacher, w->r->vocab);
  status =
      trbi_sample_step(w->ctx, b, b->needs_student ? &student : NULL, b->needs_teacher ? &teacher : NULL, &w->step);
  if (status == TRB_OK) take_tokens(w, b->needs_teacher ? &rows_teacher : NULL);
  return status;
}
