/* sparse.h - a row whose teacher is known by a list: its tokens one by one, and the rest of the vocabulary as one
 * (docs/math.md, section 20).
 *
 * Off the list q is proportional to p, so log(q/p) is one number there, and every sum over the row is one over the list
 * and the rest. Logarithms here are to base 2. */
#ifndef TRBI_SPARSE_H
#define TRBI_SPARSE_H

#include "pass.h"

/* Off the list, what one part of the row has of the student: the sum of 2^x, x = k logit, and in its units that of
 * (x - sum.top) 2^x. */
typedef struct trbi_rest {
  trbi_log_sum sum;
  double mean;
  double tokens; /* that the student allows */
  trbi_top top;
} trbi_rest;

typedef struct trbi_listed {
  const trb_logits *student;
  int64_t row;
  const int64_t *ids; /* [n] -1: no token */
  const float *log_q; /* [n] natural */
  int64_t n;
  bool repeats;                           /* an id stands twice: the first one counts */
  double least_rest;                      /* see trb_sparse */
  trbi_scale scale;                       /* of p; max is the largest logit */
  double excess;                          /* log2 of what q is divided by */
  double rest_student, rest_teacher;      /* log2 of the masses off the list; -INFINITY if there is none */
  double mass_student, mass_teacher;      /* on the list, of tokens that this model allows */
  double rest_entropy;                    /* of p off the list, normalized there, in nats */
  int64_t tokens_student, listed_student; /* tokens that the student allows: all, and on the list */
  trbi_top top;                           /* the student's largest logit */
  trbi_top top_rest;                      /* and off the list */
  trbi_rest part[TRBI_PARTS];
} trbi_listed;

/* The list of a call, for `rows` rows of so many tokens. */
trb_status trbi_check_sparse(trb_context *ctx, const trb_sparse *teacher, int64_t rows, int64_t vocab);

/* The memory of lists of so many rows. */
enum { TRBI_SPARSE_SPANS = 3 };
void trbi_name_sparse(int64_t rows, const trb_sparse *teacher, trbi_span *spans);

/* Reads a row of the student, once, and its list. `pair` gets the student for both models, with its scale. Returns 0 or
 * a negative row status. */
int32_t trbi_read_listed(const trbi_crew *crew, const trb_logits *student, const trb_sparse *teacher, int64_t row,
                         trbi_pair *pair, trbi_listed *out);

/* Names the list of a row, with nothing read. */
trbi_listed trbi_name_listed(const trb_logits *student, const trb_sparse *teacher, int64_t row);

/* A token of the list that counts. */
typedef struct trbi_entry {
  int64_t id;
  double a, b; /* log2 p and log2 q; -INFINITY where masked */
} trbi_entry;

/* Entry i; false if it does not count. */
bool trbi_entry_at(const trbi_listed *list, int64_t i, trbi_entry *entry);

/* p log(p/q) - p + q from log2 p and log2 q, neither masked. Never negative, and nothing cancels. */
double trbi_kl_of(double a, double b);

/* The summary of the row, and what a search sums (trbi_tilt_row, trbi_log2_blend_mass). */
void trbi_summarize_listed(const trbi_listed *list, trbi_summary *out);
trbi_tilt trbi_tilt_listed(const trbi_listed *list, double beta, double center);
double trbi_log2_mass_listed(const trbi_listed *list, double beta);

/* Masses of mu by part, up to a factor. */
void trbi_masses_listed(const trbi_pair *pair, const trbi_listed *list, double beta, double *mass);

#endif
