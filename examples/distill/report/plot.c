/* plot.c - which pictures there are, and how their files are called. */
#include "plot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"

/* ---- Names ---- */

/* A name of only plain characters cannot be hidden, lead elsewhere or end a string. */
static int is_plain(const char *at, const char *begin) {
  const char c = *at;
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         (c == '.' && at > begin);
}

/* `of` and `suffix`; what is not plain in `of` as %XX, so that no two names are the same. NULL: no memory. */
static char *make_name(const char *of, const char *suffix) {
  static const char digits[] = "0123456789ABCDEF";
  char *name = malloc(3 * strlen(of) + strlen(suffix) + 1), *at = name;
  if (!name) return NULL;
  for (const char *from = of; *from; from++) {
    if (is_plain(from, of)) {
      *at++ = *from;
    } else {
      *at++ = '%';
      *at++ = digits[(unsigned char)*from >> 4];
      *at++ = digits[(unsigned char)*from & 15];
    }
  }
  strcpy(at, suffix);
  return name;
}

/* ---- The list ---- */

static int add(pictures *p, picture_kind kind, const world_runs *w, const sweep *s) {
  static const char *const suffixes[] = {"-learning", "-rollouts", "-derailed"};
  char *name = make_name(w ? w->head->world : s->methods[0]->head->setting, suffixes[kind]);
  if (!name) return 0;
  p->list[p->n++] = (picture){kind, w, s, name};
  return 1;
}

/* Any of the values `first` to `end` - 1. */
static int world_has(const world_runs *w, picture_kind kind, int first, int end) {
  for (int64_t i = 0; i < w->n; i++) {
    for (int value = first; value < end; value++) {
      if (script_has(&w->methods[i], kind, value)) return 1;
    }
  }
  return 0;
}

int pictures_make(pictures *p, const collection *of) {
  *p = (pictures){calloc(2 * (size_t)of->n_worlds + (size_t)of->n_sweeps + 1, sizeof(picture)), 0};
  int good = p->list != NULL;
  for (int64_t i = 0; i < of->n_worlds; i++) {
    const world_runs *w = &of->worlds[i];
    const int learned = script_learned(w->head);
    if (good && world_has(w, PICTURE_LEARNING, learned, learned + 1)) good = add(p, PICTURE_LEARNING, w, NULL);
    if (good && world_has(w, PICTURE_ROLLOUTS, 0, UPDATE_VALUES)) good = add(p, PICTURE_ROLLOUTS, w, NULL);
  }
  for (int64_t i = 0; i < of->n_sweeps && good; i++) good = add(p, PICTURE_SWEEP, NULL, &of->sweeps[i]);
  if (!good) pictures_clear(p);
  return good;
}

void pictures_clear(pictures *p) {
  for (int64_t i = 0; i < p->n; i++) free(p->list[i].name);
  free(p->list);
  *p = (pictures){0};
}

/* ---- Drawing ---- */

char *picture_file(const picture *p, const char *ending) {
  char *name = malloc(strlen(p->name) + strlen(ending) + 1);
  if (!name) return NULL;
  strcpy(name, p->name);
  return strcat(name, ending);
}

static int write_file(const char *plots, const picture *p, const char *ending, void (*write)(FILE *, const void *),
                      char *why) {
  char *name = picture_file(p, ending);
  if (!name) snprintf(why, METRICS_WHY, "no memory");
  const int good = name && file_replace(plots, name, write, p, why);
  free(name);
  return good;
}

static int draw(const pictures *p, const char *plots, char *why) {
  if (mkdir(plots, 0777) != 0 && errno != EEXIST) {
    snprintf(why, METRICS_WHY, "the directory plots cannot be made");
    return 0;
  }
  for (int64_t i = 0; i < p->n; i++) {
    if (!write_file(plots, &p->list[i], ".dat", script_data, why)) return 0;
    if (!write_file(plots, &p->list[i], ".gp", script_commands, why)) return 0;
  }
  return gnuplot_run(plots, p, why);
}

int pictures_draw(const pictures *p, const char *directory, char *why) {
  if (p->n == 0) return 1;
  char *plots = path_join(directory, "plots");
  if (!plots) snprintf(why, METRICS_WHY, "no memory");
  const int good = plots && draw(p, plots, why);
  free(plots);
  return good;
}
