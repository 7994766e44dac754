/* tally.h - how many rows of a call went bad, and which was first, counted by any number of threads. */
#ifndef TRBI_TALLY_H
#define TRBI_TALLY_H

#include <inttypes.h>
#include <stdatomic.h>

#include "core.h"

/* Zero-initialized. The first bad row is kept as (row + 1) * 16 - row status, which orders by row; 0 is none. */
typedef struct trbi_tally {
  _Atomic int64_t bad, first;
} trbi_tally;

static inline void trbi_tally_add(trbi_tally *tally, int64_t row, int32_t row_status) {
  const int64_t mine = (row + 1) * 16 - row_status;
  int64_t first = atomic_load(&tally->first);
  while ((first == 0 || mine < first) && !atomic_compare_exchange_weak(&tally->first, &first, mine)) continue;
  atomic_fetch_add(&tally->bad, 1);
}

/* TRB_OK, or TRB_EROWS with a text if any of `rows` rows was added. */
static inline trb_status trbi_tally_tell(trb_context *ctx, trbi_tally *tally, int64_t rows) {
  const int64_t bad = atomic_load(&tally->bad), first = atomic_load(&tally->first);
  if (bad == 0) return TRB_OK;
  const int64_t row = first / 16 - 1;
  return trbi_fail(ctx, TRB_EROWS, "%" PRId64 " of %" PRId64 " rows hold no result; the first is row %" PRId64 ": %s",
                   bad, rows, row, trb_row_strerror((int32_t)((row + 1) * 16 - first)));
}

/* Runs fn(job, row) for every row, where fn adds bad rows to the job's tally. TRB_OK, TRB_EROWS with a text, or what
 * trbi_crew_rows says. */
static inline trb_status trbi_tally_rows(trb_context *ctx, const trbi_crew *crew, int64_t rows, trbi_row_fn fn,
                                         void *job, trbi_tally *tally) {
  const trb_status status = trbi_crew_rows(ctx, crew, rows, fn, job);
  return status == TRB_OK ? trbi_tally_tell(ctx, tally, rows) : status;
}

#endif
