/* rollouts.c - the object that rollouts are: made, filled, closed and ended. */
#include "rollouts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { DEFAULT_BATCH_BYTES = 256 * 1024 * 1024 };

/* ---- Token lists ---- */

trb_status trbi_check_texts(trb_context *ctx, const char *name, const trb_texts *texts, int64_t least) {
  if (texts == NULL) return trbi_fail(ctx, TRB_EINVAL, "%s: expected texts, got NULL", name);
  if (texts->n < 0) return trbi_fail(ctx, TRB_EINVAL, "%s->n: expected at least 0, got %" PRId64, name, texts->n);
  if (texts->n == 0) return TRB_OK;
  if (texts->offset == NULL || texts->tokens == NULL)
    return trbi_fail(ctx, TRB_EINVAL, "%s->%s: expected %" PRId64 " texts, got NULL", name,
                     texts->offset == NULL ? "offset" : "tokens", texts->n);
  if (texts->offset[0] < 0)
    return trbi_fail(ctx, TRB_EINVAL, "%s->offset[0]: expected at least 0, got %" PRId64, name, texts->offset[0]);
  for (int64_t i = 0; i < texts->n; i++) {
    const int64_t begin = texts->offset[i], end = texts->offset[i + 1];
    if (end < begin || end - begin < least)
      return trbi_fail(ctx, TRB_EINVAL,
                       "%s->offset[%" PRId64 "]: expected at least %" PRId64 " (%" PRId64 " tokens in text %" PRId64
                       "), got %" PRId64,
                       name, i + 1, begin + least, least, i, end);
  }
  return TRB_OK;
}

trb_status trbi_check_ids(trb_context *ctx, const char *name, const int64_t *ids, int64_t n, int64_t vocab) {
  for (int64_t i = 0; i < n; i++)
    if (ids[i] < 0 || ids[i] >= vocab)
      return trbi_fail(ctx, TRB_EINVAL, "%s[%" PRId64 "]: expected an id in [0, %" PRId64 "), got %" PRId64, name, i,
                       vocab, ids[i]);
  return TRB_OK;
}

/* ---- Making ---- */

/* Shows what the arrays hold. */
static void show(trbi_rollouts *r) {
  trb_rollouts *s = &r->shown;
  s->text = r->text;
  s->text_offset = r->text_offset;
  s->offset = r->offset;
  s->stream = r->stream;
  s->stop = r->stop;
  s->row = r->row;
  s->token = r->token;
  s->status = r->status;
  s->verdict = r->verdict;
  s->argmax_teacher = r->argmax_teacher;
  s->log_sampled = r->column[TRBI_LOG_SAMPLED];
  s->log_behavior = r->column[TRBI_LOG_BEHAVIOR];
  s->log_student = r->column[TRBI_LOG_STUDENT];
  s->log_teacher = r->column[TRBI_LOG_TEACHER];
  s->beta = r->column[TRBI_BETA];
  s->kl_student = r->column[TRBI_KL_STUDENT];
  s->kl_teacher = r->column[TRBI_KL_TEACHER];
  s->reverse_kl = r->column[TRBI_REVERSE_KL];
  s->entropy_student = r->column[TRBI_ENTROPY_STUDENT];
  s->entropy_teacher = r->column[TRBI_ENTROPY_TEACHER];
  s->tv = r->column[TRBI_TV];
}

/* The arrays of n sequences with `tokens` sampled tokens in texts of `length` tokens. */
static bool take(trb_context *ctx, trbi_rollouts *r, int64_t n, int64_t tokens, int64_t length, int64_t ends) {
  int64_t *end_student, *end_teacher;
  trbi_array arrays[14 + TRBI_COLUMNS] = {{&r->text, length, sizeof *r->text},
                                          {&r->text_offset, n + 1, sizeof *r->text_offset},
                                          {&r->offset, n + 1, sizeof *r->offset},
                                          {&r->stream, n, sizeof *r->stream},
                                          {&r->stop, n, sizeof *r->stop},
                                          {&r->row, n, sizeof *r->row},
                                          {&r->token, tokens, sizeof *r->token},
                                          {&r->slot, tokens, sizeof *r->slot},
                                          {&r->status, tokens, sizeof *r->status},
                                          {&end_student, ends, sizeof *end_student},
                                          {&end_teacher, ends, sizeof *end_teacher},
                                          {&r->verdict, tokens, sizeof *r->verdict},
                                          {&r->argmax_teacher, tokens, sizeof *r->argmax_teacher}};
  enum { PLAIN = 13 };
  for (int c = 0; c < TRBI_COLUMNS; c++) arrays[PLAIN + c] = (trbi_array){&r->column[c], tokens, sizeof(double)};
  r->arrays = trbi_take_arrays(ctx, &r->memory, arrays, PLAIN + TRBI_COLUMNS);
  if (r->arrays == NULL) return false;
  r->ends = (trb_ends){end_student, end_teacher, ends};
  return true;
}

static void set_bounds(trbi_rollouts *r, int64_t n, const int64_t *prompt, const int64_t *room, int32_t stop) {
  r->text_offset[0] = r->offset[0] = 0;
  for (int64_t i = 0; i < n; i++) {
    r->offset[i + 1] = r->offset[i] + room[i];
    r->text_offset[i + 1] = r->text_offset[i] + prompt[i] + room[i];
    r->stream[i] = (uint64_t)i;
    r->stop[i] = stop;
    r->row[i] = TRB_ROW_OK;
  }
}

trb_status trbi_rollouts_make(trb_context *ctx, int64_t n, const int64_t *prompt, const int64_t *room,
                              const trb_ends *ends, int32_t stop, trbi_rollouts **out) {
  const trbi_allocator memory = trbi_allocator_of(ctx);
  int64_t tokens = 0, length = 0;
  bool fits = n < INT64_MAX;
  for (int64_t i = 0; i < n && fits; i++)
    fits = !__builtin_add_overflow(tokens, room[i], &tokens) && !__builtin_add_overflow(length, prompt[i], &length);
  if (!fits || __builtin_add_overflow(length, tokens, &length))
    return trbi_fail(ctx, TRB_ENOMEM, "alloc: expected sequences that fit in memory, got %" PRId64, n);
  trbi_rollouts *r = memory.alloc(sizeof *r, memory.user);
  if (r == NULL) return trbi_fail(ctx, TRB_ENOMEM, "alloc: no %zu bytes for rollouts", sizeof *r);
  *r = (trbi_rollouts){.memory = memory, .vocab = INT64_MAX};
  const int64_t n_ends = ends != NULL ? ends->n : 0;
  if (!take(ctx, r, n, tokens, length, n_ends)) {
    memory.free(r, memory.user);
    return TRB_ENOMEM;
  }
  set_bounds(r, n, prompt, room, stop);
  if (n_ends > 0) {
    memcpy((int64_t *)r->ends.student, ends->student, (size_t)n_ends * sizeof *ends->student);
    memcpy((int64_t *)r->ends.teacher, ends->teacher, (size_t)n_ends * sizeof *ends->teacher);
  }
  r->shown.size = sizeof r->shown;
  r->shown.n = n;
  r->shown.n_tokens = tokens;
  r->shown.budget = NAN;
  show(r);
  *out = r;
  return TRB_OK;
}

void trb_rollouts_free(trb_rollouts *rollouts) {
  if (rollouts == NULL) return;
  trbi_rollouts *r = (trbi_rollouts *)rollouts;
  const trbi_allocator memory = r->memory;
  if (r->kept.block != NULL) memory.free(r->kept.block, memory.user);
  memory.free(r->arrays, memory.user);
  memory.free(r, memory.user);
}

/* ---- Filling ---- */

void trbi_rollouts_put(trbi_rollouts *r, int64_t t, const trbi_token *token) {
  r->token[t] = token->id;
  r->status[t] = token->status;
  r->verdict[t] = token->verdict;
  r->argmax_teacher[t] = token->argmax_teacher;
  r->slot[t] = -1;
  for (int c = 0; c < TRBI_COLUMNS; c++) r->column[c][t] = token->number[c];
}

void trbi_rollouts_close(trbi_rollouts *r, const int64_t *sampled) {
  int64_t to = 0, text_to = 0;
  for (int64_t i = 0; i < r->shown.n; i++) {
    const int64_t from = r->offset[i], text_from = r->text_offset[i];
    const size_t n = (size_t)sampled[i];
    const size_t length = (size_t)(trbi_length(r, i) - trbi_sampled(r, i)) + n;
    memmove(r->text + text_to, r->text + text_from, length * sizeof *r->text);
    memmove(r->token + to, r->token + from, n * sizeof *r->token);
    memmove(r->slot + to, r->slot + from, n * sizeof *r->slot);
    memmove(r->status + to, r->status + from, n * sizeof *r->status);
    memmove(r->verdict + to, r->verdict + from, n * sizeof *r->verdict);
    memmove(r->argmax_teacher + to, r->argmax_teacher + from, n * sizeof *r->argmax_teacher);
    for (int c = 0; c < TRBI_COLUMNS; c++) memmove(r->column[c] + to, r->column[c] + from, n * sizeof *r->column[c]);
    r->offset[i] = to;
    r->text_offset[i] = text_to;
    to += sampled[i];
    text_to += (int64_t)length;
  }
  r->offset[r->shown.n] = to;
  r->text_offset[r->shown.n] = text_to;
  r->shown.n_tokens = to;
}

/* ---- Questions ---- */

bool trbi_next_batch(const trbi_rollouts *r, trbi_batch *batch, trbi_from_fn from, const void *of, bool whole) {
  bool gap = false;
  batch->n = batch->rows = 0;
  for (; batch->end < r->shown.n; batch->end++) {
    const int64_t i = batch->end, rows = trbi_sampled(r, i) - from(of, batch, i);
    if (rows == 0) {
      gap = whole && batch->n > 0;
      continue;
    }
    if (gap || (batch->n > 0 && rows > batch->most_rows - batch->rows)) break;
    batch->queries[batch->n++] = (trb_query){.tokens = r->text + r->text_offset[i],
                                             .sequence = i,
                                             .length = trbi_length(r, i) - 1,
                                             .known = 0,
                                             .rows = rows};
    batch->rows += rows;
  }
  return batch->n > 0;
}

int64_t trbi_limit_batch(const trbi_rollouts *r, trbi_batch *batch, int64_t batch_bytes, int64_t row_bytes) {
  batch->most_rows = (batch_bytes > 0 ? batch_bytes : DEFAULT_BATCH_BYTES) / row_bytes;
  int64_t most = batch->most_rows < r->shown.n_tokens ? batch->most_rows : r->shown.n_tokens;
  for (int64_t i = 0; i < r->shown.n; i++)
    if (trbi_sampled(r, i) > most) most = trbi_sampled(r, i);
  return most;
}

/* ---- Bad rows ---- */

trb_status trbi_fail_bad_row(trb_context *ctx, const trbi_bad_row *bad) {
  if (bad->model == NULL) return TRB_OK;
  return trbi_fail(ctx, TRB_EROWS, "%s: sequence %" PRId64 ", position %" PRId64 ": %s", bad->model, bad->sequence,
                   bad->position, trb_row_strerror(bad->status));
}

void trbi_note_bad_row(trbi_bad_row *bad, const char *model, const trb_query *query, int64_t k, int32_t status) {
  if (bad->model != NULL) return;
  *bad = (trbi_bad_row){model, query->sequence, query->length - query->rows + 1 + k, status};
}
