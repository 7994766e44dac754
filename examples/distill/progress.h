/* progress.h - how far the work is, for whoever watches: a bar on a terminal, lines elsewhere. On standard error. */
#ifndef DISTILL_PROGRESS_H
#define DISTILL_PROGRESS_H

#include <stdint.h>

typedef struct progress {
  int64_t jobs, finished;
  double whole, done, before; /* work in all, done so far, done before this call */
  double began, shown;        /* seconds */
  int terminal;
} progress;

/* `done` of it is done already. */
progress progress_start(int64_t jobs, int64_t finished, double whole, double done);

/* Shows the bar with what is being done, a few times a second at most. */
void progress_show(progress *p, const char *what);

/* Prints a line above the bar. */
void progress_say(progress *p, const char *line);

void progress_end(progress *p);

#endif
