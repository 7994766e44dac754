/* workers.h - the jobs of a plan in several processes, with progress on the terminal. */
#ifndef DISTILL_WORKERS_H
#define DISTILL_WORKERS_H

#include "plan.h"

typedef enum workers_end {
  WORKERS_DONE,
  WORKERS_FAILED,     /* a job did; the others that ran were let go on to their end */
  WORKERS_INTERRUPTED /* SIGINT or SIGTERM */
} workers_end;

/* Does what is not done yet, at most n jobs at a time, each in a process of its own. Whatever ends a process, its files
 * are such that the next one goes on. Progress goes to standard error: a bar on a terminal, elsewhere a line for each
 * job. */
workers_end workers_run(const plan *p, int64_t n);

#endif
