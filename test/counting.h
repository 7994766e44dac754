/* counting.h - what the tests of contexts count: allocations, visits of rows, threads that meet. */
#ifndef TEST_COUNTING_H
#define TEST_COUNTING_H

#include <stdatomic.h>

#include "trb.h"

/* An allocator that counts, and fails when told. */
typedef struct counter {
  int64_t calls;
  int64_t live;
  int64_t fail_at; /* this call returns NULL; -1: none does */
} counter;

/* Options with that allocator, its counts set to 0. */
trb_context_options counted(counter *count, int64_t threads);

enum { MOST_ROWS = 1000 };

typedef struct tally {
  int visits[MOST_ROWS];
  _Atomic int64_t total;
} tally;

/* Counts a row in a tally. */
void visit(void *job, int64_t row);

/* Rows visited less or more often than once, of which the first `rows` should be. */
int64_t wrong_visits(const tally *all, int64_t rows);

typedef struct meeting {
  _Atomic int64_t waiting;
  _Atomic int64_t alone; /* threads that waited for another in vain */
} meeting;

/* Waits until two threads are in, so that a helper is known to take part; not for ever. */
void meet(meeting *all);

#endif
