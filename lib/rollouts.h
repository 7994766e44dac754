/* rollouts.h - the inside of trb_rollouts: its arrays for writing, and the teacher logits it keeps. */
#ifndef TRBI_ROLLOUTS_H
#define TRBI_ROLLOUTS_H

#include "core.h"

/* The numbers of a sampled token. */
typedef enum trbi_column {
  TRBI_LOG_SAMPLED,
  TRBI_LOG_BEHAVIOR,
  TRBI_LOG_STUDENT,
  TRBI_LOG_TEACHER,
  TRBI_BETA,
  TRBI_KL_STUDENT,
  TRBI_KL_TEACHER,
  TRBI_REVERSE_KL,
  TRBI_ENTROPY_STUDENT,
  TRBI_ENTROPY_TEACHER,
  TRBI_TV,
  TRBI_COLUMNS
} trbi_column;

/* A sampled token. */
typedef struct trbi_token {
  int64_t id;
  double number[TRBI_COLUMNS]; /* NaN: not known */
  int64_t argmax_teacher;      /* -1: not known */
  int32_t status;              /* TRB_ROW_* */
  int32_t verdict;             /* TRB_VERDICT_* */
} trbi_token;

/* Teacher logits, ends merged: [capacity, vocab] in the teacher's dtype. */
typedef struct trbi_kept {
  void *block; /* NULL: there is no room */
  unsigned char *data;
  int64_t rows, capacity; /* filled, and in all */
  int64_t vocab;
  int32_t dtype;
  float temperature;
} trbi_kept;

typedef struct trbi_rollouts {
  trb_rollouts shown; /* first, so that a public pointer is a private one */
  trbi_allocator memory;
  void *arrays;
  int64_t *text, *text_offset, *offset, *token, *argmax_teacher;
  int64_t *slot; /* [n_tokens] the row of `kept` that holds its logits, or -1 */
  uint64_t *stream;
  int32_t *stop, *row, *status, *verdict;
  double *column[TRBI_COLUMNS];
  trb_ends ends;
  int64_t vocab; /* that the models which made it have in common; INT64_MAX: no model did */
  trbi_kept kept;
} trbi_rollouts;

static inline int64_t trbi_sampled(const trbi_rollouts *r, int64_t sequence) {
  return r->offset[sequence + 1] - r->offset[sequence];
}

static inline int64_t trbi_length(const trbi_rollouts *r, int64_t sequence) {
  return r->text_offset[sequence + 1] - r->text_offset[sequence];
}

/* Room for n sequences, number i with a prompt of prompt[i] tokens and at most room[i] sampled ones: the offsets say
 * so, streams are the sequences' numbers, stops `stop`. The ends are copied; NULL is none. */
trb_status trbi_rollouts_make(trb_context *ctx, int64_t n, const int64_t *prompt, const int64_t *room,
                              const trb_ends *ends, int32_t stop, trbi_rollouts **out);

/* Writes all of token number t but its text. */
void trbi_rollouts_put(trbi_rollouts *r, int64_t t, const trbi_token *token);

/* Closes the gaps behind the sequences that got fewer tokens, sampled[i], than they had room for. */
void trbi_rollouts_close(trbi_rollouts *r, const int64_t *sampled);

/* ---- Questions about responses that are there ---- */

/* Whole sequences that a model is asked about at once: those below `end` that no batch had before and of which anything
 * is to be asked. A query wants the rows that the sampled tokens of a sequence are drawn from, from some token on. */
typedef struct trbi_batch {
  trb_query *queries; /* [sequences] */
  int64_t end, n, rows;
  int64_t most_rows; /* but always one sequence, however long */
} trbi_batch;

/* The number of the first token of a sequence that is to be asked about; that of its tokens if none is. `batch` has
 * what is asked before it. */
typedef int64_t (*trbi_from_fn)(const void *of, const trbi_batch *batch, int64_t sequence);

/* Goes on to the next batch, `whole` if it must end where a sequence is left out. False if nothing is left to ask. */
bool trbi_next_batch(const trbi_rollouts *r, trbi_batch *batch, trbi_from_fn from, const void *of, bool whole);

/* Sets how many rows of row_bytes fit in batch_bytes, 0 being the default, and returns how many a batch can come to
 * have. */
int64_t trbi_limit_batch(const trbi_rollouts *r, trbi_batch *batch, int64_t batch_bytes, int64_t row_bytes);

/* The text's number of the first token of a query's rows, in the arrays of n_tokens. */
static inline int64_t trbi_first_token(const trbi_rollouts *r, const trb_query *query) {
  return r->offset[query->sequence + 1] - query->rows;
}

/* ---- Bad rows ---- */

/* The first row of a model that held no distribution, if one did: the one behind `position` tokens of a sequence. */
typedef struct trbi_bad_row {
  const char *model; /* NULL: none did */
  int64_t sequence, position;
  int32_t status;
} trbi_bad_row;

/* TRB_OK if none did, else TRB_EROWS with a text. */
trb_status trbi_fail_bad_row(trb_context *ctx, const trbi_bad_row *bad);

/* Notes row k of a query, unless another was noted before. */
void trbi_note_bad_row(trbi_bad_row *bad, const char *model, const trb_query *query, int64_t k, int32_t status);

/* ---- Token lists ---- */

/* Pointers, ascending offsets, `least` or more tokens each. */
trb_status trbi_check_texts(trb_context *ctx, const char *name, const trb_texts *texts, int64_t least);

/* Ids in [0, vocab). */
trb_status trbi_check_ids(trb_context *ctx, const char *name, const int64_t *ids, int64_t n, int64_t vocab);

#endif
