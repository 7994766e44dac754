/* score.c - asking models about responses that are there already. */
#include <inttypes.h>
#include <math.h>

#include "ends.h"
#include "kept.h"
#include "model.h"
#include "rows.h"

typedef struct scorer {
  trb_context *ctx;
  trb_score_options options;
  trbi_rollouts *r;
  int64_t vocab; /* the common one */

  /* the model at work */
  const char *name;
  const trb_model *model;
  trbi_column log_column, entropy_column;
  bool keeps;
  int64_t *calls;
  trbi_batch batch;

  int64_t done, total; /* for the progress: sequences times models */

  void *block;
  unsigned char *logits;
  trb_blend *blend; /* for the normalizers */
  double *entropy;
  trbi_bad_row bad;
} scorer;

/* ---- One model ---- */

/* What is not known, or not kept though there is room. */
static int64_t first_missing(const void *of, const trbi_batch *batch, int64_t sequence) {
  const scorer *s = of;
  const int64_t begin = s->r->offset[sequence], n = trbi_sampled(s->r, sequence);
  const bool room = s->keeps && s->r->kept.rows + batch->rows < s->r->kept.capacity;
  for (int64_t t = 0; t < n; t++)
    if (isnan(s->r->column[s->log_column][begin + t]) || (room && s->r->slot[begin + t] < 0)) return t;
  return n;
}

/* Fills in a token from its row of the answer. */
static void take_row(scorer *s, const trb_logits *answer, const trb_logits *rows, int64_t row, int64_t t) {
  const int64_t token = s->r->token[t];
  double *log = &s->r->column[s->log_column][t], *entropy = &s->r->column[s->entropy_column][t];
  if (isnan(*log)) *log = (double)trbi_load(rows, row, token) / trbi_temperature(rows) - s->blend[row].lse_student;
  if (isnan(*entropy)) *entropy = s->entropy[row];
  if (s->keeps && s->r->slot[t] < 0) trbi_keep_row(s->r, t, answer, row);
}

static void take_answer(scorer *s, const trb_logits *answer, const trb_logits *rows) {
  int64_t row = 0;
  for (int64_t q = 0; q < s->batch.n; q++) {
    const trb_query *query = &s->batch.queries[q];
    const int64_t first = trbi_first_token(s->r, query);
    for (int64_t k = 0; k < query->rows; k++, row++) {
      if (s->blend[row].status >= 0)
        take_row(s, answer, rows, row, first + k);
      else
        trbi_note_bad_row(&s->bad, s->name, query, k, s->blend[row].status);
    }
  }
}

static trb_status ask_batch(scorer *s) {
  const trb_logits answer = trbi_answer_view(s->model, s->logits, s->batch.rows);
  const trb_logits rows = trbi_common_view(answer, s->vocab);
  const double zero = 0.0;
  ++*s->calls;
  trb_status status = trbi_ask(s->ctx, s->name, s->model, s->batch.queries, s->batch.n, &answer);
  if (status == TRB_OK) status = trbi_merge_ends(s->ctx, &s->r->ends, &answer, NULL);
  if (status == TRB_OK) status = trb_blend_at(s->ctx, &rows, NULL, &zero, 1, s->blend);
  if (status == TRB_OK || status == TRB_EROWS) status = trb_entropy(s->ctx, &rows, s->entropy);
  if (status != TRB_OK && status != TRB_EROWS) return status;
  take_answer(s, &answer, &rows);
  return trbi_tell(s->ctx, s->options.progress, s->options.progress_user, s->done + s->batch.end, s->total);
}

/* Asks one model; NULL has nothing to say. */
static trb_status ask_all(scorer *s, const trb_model *model, bool teacher) {
  if (model->forward == NULL) return TRB_OK;
  s->name = teacher ? "teacher" : "student";
  s->model = model;
  s->log_column = teacher ? TRBI_LOG_TEACHER : TRBI_LOG_STUDENT;
  s->entropy_column = teacher ? TRBI_ENTROPY_TEACHER : TRBI_ENTROPY_STUDENT;
  s->keeps = teacher;
  s->calls = teacher ? &s->r->shown.teacher_calls : &s->r->shown.student_calls;
  s->batch.end = 0;
  trbi_limit_batch(s->r, &s->batch, s->options.batch_bytes, trbi_row_bytes(model));
  trb_status status = TRB_OK;
  while (status == TRB_OK && trbi_next_batch(s->r, &s->batch, first_missing, s, false)) status = ask_batch(s);
  s->done += s->r->shown.n;
  return status;
}

/* ---- The call ---- */

static trb_status read_options(scorer *s, const trb_score_options *options) {
  trb_score_options *o = &s->options;
  const trb_status status =
      trbi_read_options(s->ctx, "options", options, o, sizeof *o, TRBI_SIZE_TO(trb_score_options, progress_user));
  if (status != TRB_OK) return status;
  if (o->batch_bytes < 0)
    return trbi_fail(s->ctx, TRB_EINVAL, "options->batch_bytes: expected at least 0, got %" PRId64, o->batch_bytes);
  if (o->keep_bytes < 0)
    return trbi_fail(s->ctx, TRB_EINVAL, "options->keep_bytes: expected at least 0, got %" PRId64, o->keep_bytes);
  return TRB_OK;
}

/* Room for the larger batch of the two models. */
static trb_status take_memory(scorer *s, const trb_model *student, const trb_model *teacher) {
  const trb_model *models[] = {student, teacher};
  int64_t most_rows = 0, most_bytes = 0;
  for (int m = 0; m < 2; m++) {
    if (models[m]->forward == NULL) continue;
    const int64_t row_bytes = trbi_row_bytes(models[m]);
    const int64_t rows = trbi_limit_batch(s->r, &s->batch, s->options.batch_bytes, row_bytes);
    int64_t bytes;
    if (__builtin_mul_overflow(rows, row_bytes, &bytes)) bytes = INT64_MAX;
    if (rows > most_rows) most_rows = rows;
    if (bytes > most_bytes) most_bytes = bytes;
  }
  const trbi_allocator memory = trbi_allocator_of(s->ctx);
  const trbi_array arrays[] = {{&s->batch.queries, s->r->shown.n, sizeof(trb_query)},
                               {&s->logits, most_bytes, 1},
                               {&s->blend, most_rows, sizeof *s->blend},
                               {&s->entropy, most_rows, sizeof *s->entropy}};
  s->block = trbi_take_arrays(s->ctx, &memory, arrays, sizeof arrays / sizeof arrays[0]);
  if (s->block == NULL) return TRB_ENOMEM;
  if (teacher->forward == NULL) return TRB_OK;
  return trbi_keep(s->ctx, s->r, teacher, s->options.keep_bytes, s->r->shown.n_tokens);
}

trb_status trb_score(trb_context *ctx, const trb_model *student, const trb_model *teacher,
                     const trb_score_options *options, trb_rollouts *inout) {
  trb_model s_model, t_model;
  scorer s = {.ctx = ctx, .r = (trbi_rollouts *)inout};
  if (inout == NULL) return trbi_fail(ctx, TRB_EINVAL, "inout: expected rollouts, got NULL");
  trb_status status = read_options(&s, options);
  if (status == TRB_OK) status = trbi_read_model(ctx, "student", student, true, &s_model);
  if (status == TRB_OK) status = trbi_read_model(ctx, "teacher", teacher, true, &t_model);
  if (status == TRB_OK) status = trbi_check_fit(ctx, s.r, &s_model, &t_model, &s.vocab);
  if (status == TRB_OK) status = take_memory(&s, &s_model, &t_model);
  s.total = s.r->shown.n * ((student != NULL) + (teacher != NULL));
  if (status == TRB_OK) status = ask_all(&s, &s_model, false);
  if (status == TRB_OK) status = ask_all(&s, &t_model, true);
  const trbi_allocator memory = trbi_allocator_of(ctx);
  if (s.block != NULL) memory.free(s.block, memory.user);
  return status == TRB_OK ? trbi_fail_bad_row(ctx, &s.bad) : status;
}
