/* scripted.h - a model whose logits are a function of the whole prefix, which checks how it is asked and can be told to
 * fail.
 *
 * Logits are pseudo-random numbers of (seed, prefix): the sequence's number, the batch and the call do not matter. The
 * callback asserts everything that trb_query and trb_forward_fn promise. */
#ifndef TEST_SCRIPTED_H
#define TEST_SCRIPTED_H

#include <pthread.h>
#include <stdbool.h>

#include "matrix.h"
#include "oracle.h"

/* What is wrong with a row. */
enum {
  SCRIPTED_NAN = 1,  /* one NaN */
  SCRIPTED_INFINITE, /* one +inf */
  SCRIPTED_EMPTY,    /* every token masked */
  SCRIPTED_UNFILLED, /* the row is left as it came */
  SCRIPTED_SHORT     /* all but its last token is filled */
};

/* A bad row: the one behind `position` tokens of a sequence, by the number that the queries give it. */
typedef struct scripted_fault {
  int64_t sequence, position;
  int32_t kind;
} scripted_fault;

/* What was asked about one sequence since scripted_model. */
typedef struct scripted_asked {
  int64_t *tokens; /* [length] as the last query showed them */
  int64_t length, capacity;
  int64_t rows;      /* asked for, in all queries */
  int64_t last_call; /* the last call of all unfinished sequences that had it, by number of those; -1: none */
} scripted_asked;

typedef struct scripted {
  /* What it says: set by scripted_new, to be changed before scripted_model. */
  uint64_t seed;
  int64_t vocab;
  int32_t dtype;
  float temperature; /* 0: the default */
  double spread;     /* standard deviation of the logits: 1 */
  double masked;     /* share of tokens that are -inf: 0. One of the tokens 0 and 1 is never masked */

  /* How it fails. */
  const scripted_fault *faults; /* [n_faults] */
  int n_faults;
  int64_t stop_at;    /* the call, from 0, that writes nothing and returns stop_value; -1: none */
  int32_t stop_value; /* 0 */
  bool starts_over;   /* whether a sequence may come back, anew: trb_continuation_gain runs two batches */

  /* What it saw since scripted_model. */
  int64_t calls, rows;
  int64_t whole_calls; /* that were about all unfinished sequences: not in the middle of a block of proposals */
  int64_t proposed;    /* tokens that queries showed as proposals, all together */
  int64_t known;       /* tokens that queries said it knows, all together */
  int64_t most_queries, most_rows; /* of one call */
  scripted_asked *asked;           /* [sequences] */
  int64_t sequences;               /* that there is room for */
  pthread_t thread;                /* that called scripted_model, and must be the one that calls back */
} scripted;

scripted scripted_new(uint64_t seed, int64_t vocab, int32_t dtype);
void scripted_free(scripted *s);

/* The model for one call of the library: forgets what it saw. Its `user` is s, which must stay where it is; a
 * `backward` of one's own may stand beside it in a struct that begins with the scripted one. */
trb_model scripted_model(scripted *s);

/* The callback of that model; a callback of one's own may call it. */
int32_t scripted_forward(const trb_query *queries, int64_t n, const trb_logits *out, void *user);

/* Rows that were asked for of a sequence. */
int64_t scripted_rows_of(const scripted *s, int64_t sequence);

/* Writes the logits behind a prefix of `length` tokens to a row of a matrix of the model's vocabulary and dtype. No
 * fault is in it. */
void scripted_row(const scripted *s, const int64_t *tokens, int64_t length, const matrix *m, int64_t row);

/* Loads the distributions behind a prefix, ends merged, on the common vocabulary. teacher or ends may be NULL. Merged
 * logits are rounded to the dtype, as they are in the library. */
void scripted_load(oracle *o, const scripted *student, const scripted *teacher, const trb_ends *ends,
                   const int64_t *tokens, int64_t length);

#endif
