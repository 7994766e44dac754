/* block.c - several tokens for every unfinished sequence of a rollout by one call of the teacher: the student proposes
 * a block, the teacher answers all of it, trb_verify says what stands (arXiv 2609.36601). */
#include <math.h>
#include <string.h>

#include "rows.h"
#include "writer.h"

trb_status trbi_proposals_new(trbi_writer *w, int64_t rows) {
  const trbi_allocator memory = trbi_allocator_of(w->ctx);
  trbi_proposals *b = &w->blocks;
  const trbi_array arrays[] = {{&b->offset, w->batch + 1, sizeof *b->offset},
                               {&b->count, w->batch, sizeof *b->count},
                               {&b->token, rows, sizeof *b->token},
                               {&b->index, rows, sizeof *b->index},
                               {&b->stream, rows, sizeof *b->stream},
                               {&b->blend, rows, sizeof *b->blend},
                               {&b->draw, w->batch, sizeof *b->draw},
                               {&b->verdict, rows, sizeof *b->verdict},
                               {&b->entropy_student, rows, sizeof(double)},
                               {&b->entropy_teacher, rows, sizeof(double)},
                               {&b->answer, w->batch, (size_t)trbi_row_bytes(&w->student)}};
  b->memory = trbi_take_arrays(w->ctx, &memory, arrays, sizeof arrays / sizeof arrays[0]);
  return b->memory != NULL ? TRB_OK : TRB_ENOMEM;
}

/* ---- Proposals ---- */

/* Most proposals of a sequence. */
static int64_t room_for(const trbi_writer *w, int64_t sequence) {
  const int64_t left = w->room[sequence] - w->sampled[sequence];
  return left < w->length ? left : w->length;
}

/* The row of proposal k of active sequence i, until gaps are closed. */
static int64_t row_of(const trbi_writer *w, int64_t i, int64_t k) {
  return i * w->length + k;
}

/* Whether an active sequence with k proposals gets another. */
static bool goes_on(const trbi_writer *w, int64_t i, int64_t k) {
  if (w->blocks.count[i] != k || k == room_for(w, w->active[i])) return false;
  if (k == 0) return true;
  const int64_t last = w->blocks.token[row_of(w, i, k - 1)];
  return last >= 0 && !trbi_ends_sequence(w, last);
}

/* Draws from the student, as trb_sample does, whatever filters mu has. */
static trb_status draw(trbi_writer *w, const trb_logits *rows) {
  const double zero = 0.0;
  trbi_proposals *b = &w->blocks;
  const trb_sampler sampler = {.size = sizeof sampler,
                               .seed = w->behavior.sampler.seed,
                               .stream = b->stream,
                               .index = b->index,
                               .purpose = w->behavior.sampler.purpose};
  for (int64_t q = 0; q < rows->rows; q++) {
    b->stream[q] = w->r->stream[w->queries[q].sequence];
    b->index[q] = w->queries[q].length;
  }
  trb_status status = trb_blend_at(w->ctx, rows, NULL, &zero, 1, b->blend);
  if (status == TRB_OK || status == TRB_EROWS) status = trb_sample(w->ctx, rows, NULL, b->blend, &sampler, b->draw);
  return status == TRB_EROWS ? TRB_OK : status;
}

/* Puts the answers and what was drawn from them in their places. */
static void place(trbi_writer *w, int64_t k) {
  const size_t row_bytes = (size_t)trbi_row_bytes(&w->student);
  trbi_proposals *b = &w->blocks;
  int64_t q = 0;
  for (int64_t i = 0; i < w->n_active; i++) {
    if (!goes_on(w, i, k)) continue;
    const int64_t token = b->draw[q].token;
    if (token >= 0) trbi_text_of(w, w->active[i])[w->queries[q].length] = token;
    b->token[row_of(w, i, k)] = token;
    memcpy(w->logits_student + (size_t)row_of(w, i, k) * row_bytes, b->answer + (size_t)q++ * row_bytes, row_bytes);
    b->count[i]++;
  }
}

/* Closes the gaps behind blocks that got fewer rows than there is room for. */
static void close_gaps(trbi_writer *w) {
  const size_t row_bytes = (size_t)trbi_row_bytes(&w->student);
  trbi_proposals *b = &w->blocks;
  b->offset[0] = 0;
  for (int64_t i = 0; i < w->n_active; i++) {
    const int64_t to = b->offset[i], from = row_of(w, i, 0), n = b->count[i];
    b->offset[i + 1] = to + n;
    if (to == from) continue;
    memmove(b->token + to, b->token + from, (size_t)n * sizeof *b->token);
    memmove(w->logits_student + (size_t)to * row_bytes, w->logits_student + (size_t)from * row_bytes,
            (size_t)n * row_bytes);
  }
}

/* Has the student propose a block for every active sequence, which ends early with a token that ends the sequence. */
static trb_status propose(trbi_writer *w) {
  for (int64_t i = 0; i < w->n_active; i++) w->blocks.count[i] = 0;
  for (int64_t k = 0; k < w->length; k++) {
    trb_logits answer;
    int64_t n = 0;
    for (int64_t i = 0; i < w->n_active; i++)
      if (goes_on(w, i, k)) w->queries[n++] = trbi_query_of(w, w->active[i], k, 1);
    if (n == 0) break;
    trb_status status = trbi_ask_rows(w, false, w->blocks.answer, n, n, &answer);
    const trb_logits rows = trbi_common_view(answer, w->r->vocab);
    if (status == TRB_OK) status = draw(w, &rows);
    if (status != TRB_OK) return status;
    place(w, k);
  }
  close_gaps(w);
  return TRB_OK;
}

/* ---- Verdicts ---- */

/* Asks the teacher about all proposals at once. */
static trb_status ask_teacher(trbi_writer *w, trb_logits *out) {
  const trbi_proposals *b = &w->blocks;
  for (int64_t i = 0; i < w->n_active; i++)
    w->queries[i] = trbi_query_of(w, w->active[i], b->count[i] - 1, b->count[i]);
  return trbi_ask_rows(w, true, w->logits_teacher, w->n_active, b->offset[w->n_active], out);
}

static trb_status verify(trbi_writer *w, const trb_logits *student, const trb_logits *teacher) {
  const trb_rollout_options *o = &w->behavior.options;
  trbi_proposals *b = &w->blocks;
  trb_sampler sampler = w->behavior.sampler;
  sampler.stream = b->stream;
  sampler.index = b->index;
  for (int64_t i = 0; i < w->n_active; i++)
    for (int64_t r = b->offset[i]; r < b->offset[i + 1]; r++) {
      b->stream[r] = w->r->stream[w->active[i]];
      b->index[r] = trbi_written(w, w->active[i]) + r - b->offset[i];
    }
  const trb_texts proposals = {b->token, b->offset, w->n_active};
  const trb_verify_options options = {
      .size = sizeof options, .solve = o->solve, .sampler = &sampler, .behavior = o->behavior};
  const double *value = o->behavior == TRB_BEHAVIOR_BETA ? &o->beta : &o->budget;
  const trb_status status = trb_verify(w->ctx, student, teacher, &proposals, value, 1, &options, b->blend, b->verdict);
  return status == TRB_EROWS ? TRB_OK : status;
}

/* Rows of block i that were read. */
static int64_t rows_read(const trbi_proposals *b, int64_t i) {
  int64_t n = 0;
  while (n < b->count[i] && b->verdict[b->offset[i] + n].draw.status != TRB_ROW_SKIPPED) n++;
  return n;
}

static trb_status find_entropies(trbi_writer *w, const trb_logits *model, double *out) {
  const trbi_proposals *b = &w->blocks;
  trb_status status = TRB_OK;
  for (int64_t i = 0; i < w->n_active && (status == TRB_OK || status == TRB_EROWS); i++) {
    trb_logits rows = *model;
    rows.rows = rows_read(b, i);
    rows.data = trbi_element(model, b->offset[i], 0);
    status = trb_entropy(w->ctx, &rows, out + b->offset[i]);
  }
  return status == TRB_EROWS ? TRB_OK : status;
}

/* What stands at a row. */
static trbi_token token_at(const trbi_proposals *b, int64_t row) {
  const trb_verdict *x = &b->verdict[row];
  const trb_blend *blend = &b->blend[row];
  trbi_token t = {.id = x->draw.token, .status = x->draw.status < 0 ? x->draw.status : blend->status};
  t.verdict = x->verdict;
  t.argmax_teacher = x->argmax_teacher;
  t.number[TRBI_LOG_SAMPLED] = x->draw.log_sampled;
  t.number[TRBI_LOG_BEHAVIOR] = x->draw.log_behavior;
  t.number[TRBI_LOG_STUDENT] = x->draw.log_student;
  t.number[TRBI_LOG_TEACHER] = x->draw.log_teacher;
  t.number[TRBI_BETA] = blend->beta;
  t.number[TRBI_KL_STUDENT] = blend->kl_student;
  t.number[TRBI_KL_TEACHER] = blend->kl_teacher;
  t.number[TRBI_REVERSE_KL] = blend->reverse_kl;
  t.number[TRBI_ENTROPY_STUDENT] = b->entropy_student[row];
  t.number[TRBI_ENTROPY_TEACHER] = b->entropy_teacher[row];
  t.number[TRBI_TV] = x->tv;
  return t;
}

/* Appends what stands, keeps the teacher's rows of it, and lets finished sequences out. */
static void take_verdicts(trbi_writer *w, const trb_logits *student, const trb_logits *teacher) {
  const trbi_proposals *b = &w->blocks;
  int64_t stay = 0;
  for (int64_t i = 0; i < w->n_active; i++) {
    const int64_t sequence = w->active[i], n = rows_read(b, i);
    int32_t stop = TRB_STOP_NONE;
    w->r->shown.proposed += b->count[i];
    for (int64_t row = b->offset[i]; row < b->offset[i] + n && stop == TRB_STOP_NONE; row++) {
      trbi_token token = token_at(b, row);
      const bool of_student = isnan(b->entropy_student[row]);
      if (token.id < 0) token.status = trbi_fault_of(w->ctx, of_student ? student : teacher, row);
      stop = trbi_append(w, sequence, &token, of_student, teacher, row);
    }
    if (stop == TRB_STOP_NONE) w->active[stay++] = sequence;
  }
  w->n_active = stay;
}

trb_status trbi_advance_by_block(trbi_writer *w) {
  const trbi_text text = trbi_save_text(w->ctx);
  trb_status status = propose(w);
  if (status != TRB_OK) return status;
  const trb_logits student = trbi_answer_view(&w->student, w->logits_student, w->blocks.offset[w->n_active]);
  trb_logits teacher;
  status = ask_teacher(w, &teacher);
  if (status != TRB_OK) return status;
  const trb_logits s = trbi_common_view(student, w->r->vocab), t = trbi_common_view(teacher, w->r->vocab);
  status = verify(w, &s, &t);
  if (status == TRB_OK) status = find_entropies(w, &s, w->blocks.entropy_student);
  if (status == TRB_OK) status = find_entropies(w, &t, w->blocks.entropy_teacher);
  if (status != TRB_OK) return status;
  take_verdicts(w, &s, &teacher);
  trbi_restore_text(w->ctx, &text); /* rows without a result are part of a step that is well */
  return TRB_OK;
}
