/* check_solve.h - the contract of one solved row, checked in long double from the returned beta and the given logits.
 */
#ifndef TEST_CHECK_SOLVE_H
#define TEST_CHECK_SOLVE_H

#include "oracle.h"
#include "trb.h"

/* The worst that was seen. */
enum { SOLVE_FIELDS = 7 };

typedef struct solve_worst {
  double over;                 /* KL / budget - 1 */
  double under;                /* 1 - KL / budget where blended */
  double fields[SOLVE_FIELDS]; /* error / tolerance */
  int64_t rows, blended, steep, unreachable, teacher;
  double passes;
} solve_worst;

typedef struct solve_problem {
  const oracle *o;
  double budget;
  double tolerance;  /* of the options; 0: the default */
  const char *where; /* for messages */
} solve_problem;

/* Fails the running test if the record breaks the contract: status, budget and every field. `worst` may be NULL. */
void solve_check(const solve_problem *problem, const trb_blend *blend, solve_worst *worst);

/* The fields alone, for a record of trb_blend_at too. */
void solve_check_fields(const solve_problem *problem, const trb_blend *blend, solve_worst *worst);

/* Prints the worst if TRB_TEST_VERBOSE is set. */
void solve_report(const char *what, const solve_worst *worst);

#endif
