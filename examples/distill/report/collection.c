/* collection.c - finds the runs below a directory, puts them in order and groups them. */
#include "collection.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "files.h"

static int no_memory(char *why) {
  snprintf(why, METRICS_WHY, "no memory");
  return 0;
}

/* ---- Finding ---- */

/* Takes the path over. */
static int add_record(collection *c, const char *directory, char *path, char *why) {
  record *more = realloc(c->records, ((size_t)c->n_records + 1) * sizeof *more);
  char *full = path_join(directory, path);
  if (more) c->records = more;
  run *r = NULL;
  if (more && full) {
    r = metrics_read(full, why);
  } else {
    no_memory(why);
  }
  free(full);
  if (!r) {
    free(path);
    return 0;
  }
  record *new = &c->records[c->n_records++];
  *new = (record){.path = path, .run = r};
  summarize_run(new);
  return 1;
}

/* `below` is a path below the directory; NULL is the directory itself. */
static int walk(collection *c, const char *directory, const char *below, char *why);

/* What a name that stands there is: a run, more names, or nothing. */
static int visit(collection *c, const char *directory, const char *below, const char *name, char *why) {
  if (name[0] == '.') return 1;
  char *path = below ? path_join(below, name) : strdup(name), *full = path ? path_join(directory, path) : NULL;
  struct stat status;
  int good = full ? 1 : no_memory(why);
  if (good && lstat(full, &status) == 0) {
    if (S_ISDIR(status.st_mode)) {
      good = walk(c, directory, path, why);
    } else if (S_ISREG(status.st_mode) && strcmp(name, "metrics.jsonl") == 0) {
      good = add_record(c, directory, path, why);
      path = NULL;
    }
  }
  free(path);
  free(full);
  return good;
}

static int walk(collection *c, const char *directory, const char *below, char *why) {
  char *full = below ? path_join(directory, below) : strdup(directory);
  struct dirent **names = NULL;
  const int n = full ? scandir(full, &names, NULL, alphasort) : -1;
  if (n < 0) snprintf(why, METRICS_WHY, "%.200s: cannot be read as a directory", below ? below : directory);
  int good = n >= 0;
  for (int i = 0; i < n; i++) {
    if (good) good = visit(c, directory, below, names[i]->d_name, why);
    free(names[i]);
  }
  free(names);
  free(full);
  return good;
}

/* ---- Order ---- */

static int compare_integers(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

static int compare_records(const void *a, const void *b) {
  const record *x = a, *y = b;
  const run_head *h = &x->run->head, *k = &y->run->head;
  int order = compare_integers(y->run->complete, x->run->complete);
  if (order == 0) order = compare_integers(h->world_order, k->world_order);
  if (order == 0) order = strcmp(h->world, k->world);
  if (order == 0) order = compare_integers(h->method_order, k->method_order);
  if (order == 0) order = strcmp(h->method, k->method);
  if (order == 0) order = compare_integers(h->seed, k->seed);
  return order;
}

static int same_world(const run_head *a, const run_head *b) {
  return strcmp(a->world, b->world) == 0;
}

static int same_method(const run_head *a, const run_head *b) {
  return same_world(a, b) && strcmp(a->method, b->method) == 0;
}

static int same_number(double a, double b) {
  return a == b || (isnan(a) && isnan(b));
}

/* What two runs cannot both be right about, or NULL. */
static const char *contradiction(const run_head *a, const run_head *b) {
  if (!same_world(a, b)) return NULL;
  if (strcmp(a->setting, b->setting) != 0 || strcmp(a->title, b->title) != 0 || a->world_order != b->world_order ||
      a->steps != b->steps || a->judged != b->judged || !same_number(a->derailed, b->derailed)) {
    return "say different things of one world";
  }
  if (!same_method(a, b)) return NULL;
  if (strcmp(a->label, b->label) != 0 || a->method_order != b->method_order) {
    return "say different things of one method";
  }
  return a->seed == b->seed ? "are the same run" : NULL;
}

static int check_records(const collection *c, char *why) {
  for (int64_t i = 0; i < c->n_records; i++) {
    for (int64_t k = 0; k < i; k++) {
      const char *what = contradiction(&c->records[k].run->head, &c->records[i].run->head);
      if (!what) continue;
      snprintf(why, METRICS_WHY, "%.90s and %.90s %s: delete one of them", c->records[k].path, c->records[i].path,
               what);
      return 0;
    }
  }
  return 1;
}

/* ---- Groups ---- */

/* The number of the method's name among all names, in order of appearance. */
static int64_t color_of(const collection *c, const method_runs *m) {
  int64_t colors = 0;
  for (const method_runs *other = c->methods; other < m; other++) {
    if (strcmp(other->head->method, m->head->method) == 0) return other->color;
    if (other->color >= colors) colors = other->color + 1;
  }
  return colors;
}

static void group_methods(collection *c) {
  const run_head *last = NULL;
  for (int64_t i = 0; i < c->n_complete; i++) {
    const run_head *head = &c->records[i].run->head;
    if (!last || !same_method(last, head)) {
      method_runs *m = &c->methods[c->n_methods++];
      *m = (method_runs){.head = head, .records = &c->records[i]};
      m->color = color_of(c, m);
    }
    c->methods[c->n_methods - 1].n++;
    last = head;
  }
}

static void group_worlds(collection *c) {
  for (int64_t i = 0; i < c->n_methods; i++) {
    const method_runs *m = &c->methods[i];
    if (i == 0 || !same_world(c->methods[i - 1].head, m->head)) {
      c->worlds[c->n_worlds++] = (world_runs){.head = m->head, .methods = m};
    }
    c->worlds[c->n_worlds - 1].n++;
  }
}

static void find_base(const collection *c, method_runs *m) {
  for (int64_t i = 0; i < c->n_methods; i++) {
    const method_runs *other = &c->methods[i];
    if (other != m && same_world(other->head, m->head) && strcmp(other->head->method, "opd") == 0) m->base = other;
  }
}

static int group(collection *c) {
  while (c->n_complete < c->n_records && c->records[c->n_complete].run->complete) c->n_complete++;
  const size_t n = (size_t)c->n_complete + 1;
  c->methods = calloc(n, sizeof *c->methods);
  c->worlds = calloc(n, sizeof *c->worlds);
  double *room = calloc(n, sizeof *room);
  int64_t *cursors = calloc(n, sizeof *cursors);
  int good = c->methods && c->worlds && room && cursors;
  if (good) group_methods(c);
  if (good) group_worlds(c);
  for (int64_t i = 0; i < c->n_methods && good; i++) {
    find_base(c, &c->methods[i]);
    good = summarize_method(&c->methods[i], room, cursors);
  }
  free(room);
  free(cursors);
  return good && find_sweeps(c);
}

/* ---- The whole ---- */

static int fill(collection *c, const char *directory, char *why) {
  if (!walk(c, directory, NULL, why)) return 0;
  if (c->n_records == 0) {
    snprintf(why, METRICS_WHY, "%.200s: no run is there", directory);
    return 0;
  }
  if (!check_records(c, why)) return 0;
  qsort(c->records, (size_t)c->n_records, sizeof *c->records, compare_records);
  return group(c) || no_memory(why);
}

collection *collection_read(const char *directory, char *why) {
  collection *c = calloc(1, sizeof *c);
  if (!c) no_memory(why);
  if (c && !fill(c, directory, why)) {
    collection_free(c);
    c = NULL;
  }
  return c;
}

void collection_free(collection *c) {
  if (!c) return;
  for (int64_t i = 0; i < c->n_records; i++) {
    free(c->records[i].path);
    run_free(c->records[i].run);
  }
  for (int64_t i = 0; i < c->n_methods; i++) {
    free(c->methods[i].evaluations.points);
    free(c->methods[i].updates.points);
  }
  for (int64_t i = 0; i < c->n_sweeps; i++) free(c->sweeps[i].methods);
  free(c->records);
  free(c->methods);
  free(c->worlds);
  free(c->sweeps);
  free(c);
}
