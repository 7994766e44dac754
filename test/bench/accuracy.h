/* accuracy.h - whether trb_solve meets its contract, in long double from the beta that it returns. */
#ifndef BENCH_ACCURACY_H
#define BENCH_ACCURACY_H

#include <stdint.h>

/* The rows of one budget, but for those that hold no distribution. */
typedef struct accuracy {
  double budget;
  int64_t rows, blended, teacher, unreachable;
  int64_t steep;                          /* blended: below the contract, but the budget is passed within 64 doubles */
  int64_t broken;                         /* beyond the contract; each is told on standard error */
  double highest, lowest;                 /* KL(mu||p) / budget - 1 of the blended; lowest: not of the steep */
  const char *highest_rows, *lowest_rows; /* of which families; NULL: none was blended */
} accuracy;

enum { BUDGETS = 8 };

/* Budgets 1e-6 to 10; rows of the timed families and of all those that the tests draw from. */
void accuracy_measure(int64_t vocab, int32_t dtype, accuracy out[BUDGETS]);

#endif
