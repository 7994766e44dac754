/* solve.h - the blend of a row, for the functions that return it and for those that go on from there. */
#ifndef TRBI_SOLVE_H
#define TRBI_SOLVE_H

#include "sparse.h"

/* What a call is to solve, and how. */
typedef struct trbi_solver {
  trbi_crew crew; /* set by trbi_read_solver for the rows; a caller with another plan sets it again */
  const trb_logits *student, *teacher;
  bool lone;            /* no teacher: the student stands for it */
  bool by_beta;         /* values are betas, else budgets */
  const double *values; /* [n_values] */
  int64_t n_values;
  double tolerance; /* 0: the default */
  bool exact;       /* in double precision: no outlines */
  int32_t method;
} trbi_solver;

/* Checks models, values (whose argument has this name) and options, which betas do not have. */
trb_status trbi_read_solver(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, const char *name,
                            const double *values, int64_t n_values, bool by_beta, const trb_solve_options *options,
                            trbi_solver *out);

/* What goes on from a row that was solved. */
typedef struct trbi_solved {
  trbi_pair pair;            /* with the scales of p and q */
  double center, more;       /* log2 Z is their sum, mu = p^(1-beta) q^beta / Z; a huge center may swallow the rest */
  bool wanted;               /* set by the caller: the excess below, where it can be had by a lean kernel */
  bool known;                /* it could */
  double excess[TRBI_PARTS]; /* sum (mu - p)+ by part */
} trbi_solved;

/* Solves a row. Returns 0 or a negative row status, which the blend then has, too. */
int32_t trbi_solve_row(const trbi_solver *solver, int64_t row, trb_blend *out, trbi_solved *solved);

/* The same with a teacher known by a list, which comes with it. */
int32_t trbi_solve_listed(const trbi_solver *solver, const trb_sparse *teacher, int64_t row, trb_blend *out,
                          trbi_listed *list, double *log2_z);

/* The blend of a row that was not or cannot be solved: this status, no numbers. */
trb_blend trbi_no_blend(int32_t status, int32_t passes);

#endif
