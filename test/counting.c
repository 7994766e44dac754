/* counting.c - an allocator, a row function and a barrier that count. */
#include "counting.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

static void *counting_alloc(size_t bytes, void *user) {
  counter *count = user;
  if (count->calls++ == count->fail_at) return NULL;
  count->live++;
  return malloc(bytes);
}

static void counting_free(void *memory, void *user) {
  counter *count = user;
  ck_assert_ptr_nonnull(memory);
  count->live--;
  free(memory);
}

trb_context_options counted(counter *count, int64_t threads) {
  *count = (counter){0, 0, -1};
  return (trb_context_options){.size = sizeof(trb_context_options),
                               .threads = threads,
                               .alloc = counting_alloc,
                               .free = counting_free,
                               .alloc_user = count};
}

void visit(void *job, int64_t row) {
  tally *all = job;
  all->visits[row]++; /* not atomic: a row that two threads visit is a race for ThreadSanitizer to see */
  atomic_fetch_add(&all->total, 1);
}

int64_t wrong_visits(const tally *all, int64_t rows) {
  int64_t wrong = 0;
  for (int64_t r = 0; r < MOST_ROWS; r++) wrong += all->visits[r] != (r < rows);
  return wrong;
}

void meet(meeting *all) {
  const struct timespec moment = {0, 1000000};
  atomic_fetch_add(&all->waiting, 1);
  for (int ms = 0; ms < 30000 && atomic_load(&all->waiting) < 2; ms++) nanosleep(&moment, NULL);
  if (atomic_load(&all->waiting) < 2) atomic_fetch_add(&all->alone, 1);
}
