/* writer.c - what both kinds of steps of a rollout do: ask a model, and append a token. */
#include "writer.h"

#include "ends.h"
#include "kept.h"

trb_query trbi_query_of(const trbi_writer *w, int64_t sequence, int64_t proposed, int64_t rows) {
  const int64_t length = trbi_written(w, sequence) + proposed;
  const bool seen = w->sampled[sequence] > 0 || proposed >= rows;
  return (trb_query){.tokens = trbi_text_of(w, sequence),
                     .sequence = sequence,
                     .length = length,
                     .known = seen ? length - rows : 0,
                     .rows = rows,
                     .proposed = proposed};
}

bool trbi_ends_sequence(const trbi_writer *w, int64_t id) {
  const trb_rollout_options *o = &w->behavior.options;
  for (int64_t i = 0; i < o->n_stop; i++)
    if (o->stop[i] == id) return true;
  for (int64_t i = 0; i < w->r->ends.n; i++)
    if (w->r->ends.student[i] == id) return true;
  return false;
}

trb_status trbi_ask_rows(trbi_writer *w, bool teacher, void *data, int64_t n, int64_t rows, trb_logits *out) {
  const trb_model *model = teacher ? &w->teacher : &w->student;
  ++*(teacher ? &w->r->shown.teacher_calls : &w->r->shown.student_calls);
  *out = trbi_answer_view(model, data, rows);
  const trb_status status = trbi_ask(w->ctx, teacher ? "teacher" : "student", model, w->queries, n, out);
  return status == TRB_OK ? trbi_merge_ends(w->ctx, &w->r->ends, out, NULL) : status;
}

static int32_t append(trbi_writer *w, int64_t sequence, const trbi_token *token, bool of_student) {
  if (token->id < 0) {
    w->r->row[sequence] = token->status;
    return of_student ? TRB_STOP_STUDENT : TRB_STOP_TEACHER;
  }
  trbi_text_of(w, sequence)[trbi_written(w, sequence)] = token->id;
  trbi_rollouts_put(w->r, w->r->offset[sequence] + w->sampled[sequence], token);
  w->sampled[sequence]++;
  if (trbi_ends_sequence(w, token->id)) return TRB_STOP_TOKEN;
  return w->sampled[sequence] == w->room[sequence] ? TRB_STOP_LENGTH : TRB_STOP_NONE;
}

int32_t trbi_append(trbi_writer *w, int64_t sequence, const trbi_token *token, bool of_student,
                    const trb_logits *teacher, int64_t row) {
  const int64_t number = w->r->offset[sequence] + w->sampled[sequence];
  w->r->stop[sequence] = append(w, sequence, token, of_student);
  if (teacher != NULL && token->id >= 0) trbi_keep_row(w->r, number, teacher, row);
  return w->r->stop[sequence];
}
