/* progress.c - a bar that overwrites itself. */
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

progress progress_start(int64_t jobs, int64_t finished, double whole, double done) {
  return (progress){.jobs = jobs,
                    .finished = finished,
                    .whole = whole,
                    .done = done,
                    .before = done,
                    .began = now(),
                    .terminal = isatty(STDERR_FILENO)};
}

static void clear(const progress *p) {
  if (p->terminal) fputs("\r\033[K", stderr);
}

void progress_show(progress *p, const char *what) {
  enum { WIDTH = 24 };
  char bar[WIDTH + 1];
  const double time = now(), spent = time - p->began, made = p->done - p->before;
  if (!p->terminal || time - p->shown < 0.1) return;
  p->shown = time;
  for (int i = 0; i < WIDTH; i++) bar[i] = (i + 0.5) * p->whole < WIDTH * p->done ? '#' : '.';
  bar[WIDTH] = '\0';
  fprintf(stderr, "\r[%s] %3.0f %%  %lld of %lld", bar, 100.0 * p->done / p->whole, (long long)p->finished,
          (long long)p->jobs);
  if (spent > 5.0 && made > 0.0) {
    const long long left = (long long)(spent * (p->whole - p->done) / made + 0.5);
    fprintf(stderr, "  %lld:%02lld left", left / 60, left % 60);
  }
  fprintf(stderr, "  %.48s\033[K", what);
}

void progress_say(progress *p, const char *line) {
  clear(p);
  fprintf(stderr, "%s\n", line);
  p->shown = 0.0;
}

void progress_end(progress *p) {
  clear(p);
}
