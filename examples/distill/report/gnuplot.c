/* gnuplot.c - runs gnuplot and takes its pictures over. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"
#include "plot.h"

enum { NOT_FOUND = 127 };

static const char log_name[] = "gnuplot.log";

/* ---- The process ---- */

/* In the child. There is no shell, so that a name is only a name. */
static _Noreturn void become_gnuplot(const char *directory, char *const *arguments) {
  const int log = chdir(directory) == 0 ? open(log_name, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
  if (log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0) _exit(1);
  execvp(arguments[0], arguments);
  _exit(errno == ENOENT ? NOT_FOUND : 1);
}

/* Its exit status, or -1. */
static int run_in(const char *directory, char *const *arguments) {
  int status;
  const pid_t child = fork();
  if (child == 0) become_gnuplot(directory, arguments);
  if (child < 0) return -1;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* All scripts in one run; -d keeps the user's own settings out. */
static int run_scripts(const char *directory, const pictures *p) {
  enum { FIRST = 4 };
  char program[] = "gnuplot", plain[] = "-d", command[] = "-e", part[] = "part = '.part'";
  char **arguments = calloc(FIRST + (size_t)p->n + 1, sizeof *arguments);
  int good = arguments != NULL;
  for (int64_t i = 0; i < p->n && good; i++) {
    char *name = picture_file(&p->list[i], ".gp");
    arguments[FIRST + i] = name ? path_join(".", name) : NULL; /* a name may begin like an option */
    good = arguments[FIRST + i] != NULL;
    free(name);
  }
  if (good) {
    arguments[0] = program;
    arguments[1] = plain;
    arguments[2] = command;
    arguments[3] = part;
  }
  const int status = good ? run_in(directory, arguments) : -1;
  for (int64_t i = 0; i < p->n && arguments; i++) free(arguments[FIRST + i]);
  free(arguments);
  return status;
}

/* ---- Its files ---- */

/* Moves a finished picture to its place, or removes a half-finished one. 0: could not be moved. */
static int take(const char *directory, const picture *p, const char *ending, const char *part_ending, int finished) {
  char *name = picture_file(p, ending), *part = picture_file(p, part_ending);
  char *to = name ? path_join(directory, name) : NULL, *from = part ? path_join(directory, part) : NULL;
  int moved = 0;
  if (to && from) moved = finished ? rename(from, to) == 0 : remove(from) == 0;
  free(name);
  free(part);
  free(to);
  free(from);
  return moved;
}

int gnuplot_run(const char *directory, const pictures *p, char *why) {
  const int status = run_scripts(directory, p);
  int good = status == 0;
  for (int64_t i = 0; i < p->n; i++) {
    const int svg = take(directory, &p->list[i], ".svg", ".svg.part", status == 0);
    const int png = take(directory, &p->list[i], ".png", ".png.part", status == 0);
    good = good && svg && png;
  }
  char *log = good ? path_join(directory, log_name) : NULL;
  if (log) remove(log);
  free(log);
  if (status == NOT_FOUND) {
    snprintf(why, METRICS_WHY, "gnuplot is not installed (make deps does it): tables are written, pictures are not");
  } else if (!good) {
    snprintf(why, METRICS_WHY, "gnuplot failed, see plots/%s: tables are written, pictures are not", log_name);
  }
  return good;
}
