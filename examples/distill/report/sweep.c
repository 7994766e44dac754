/* sweep.c - the worlds of a setting that differ in the share of derailed documents, seen through one TRB method. */
#include "collection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int same_setting(const method_runs *a, const method_runs *b) {
  return strcmp(a->head->setting, b->head->setting) == 0;
}

static int is_candidate(const method_runs *m) {
  return strncmp(m->head->method, "trb", 3) == 0 && m->gain[MEASURE_AREA].n > 0 && !isnan(m->head->derailed);
}

/* Keeps the methods in order of the share; of two with one share the first stays. */
static void insert(sweep *s, const method_runs *m) {
  int64_t at = 0;
  while (at < s->n && s->methods[at]->head->derailed < m->head->derailed) at++;
  if (at < s->n && s->methods[at]->head->derailed == m->head->derailed) return;
  memmove(s->methods + at + 1, s->methods + at, (size_t)(s->n - at) * sizeof *s->methods);
  s->methods[at] = m;
  s->n++;
}

static int has_sweep(const collection *c, const method_runs *m) {
  for (int64_t i = 0; i < c->n_sweeps; i++) {
    if (same_setting(c->sweeps[i].methods[0], m)) return 1;
  }
  return 0;
}

/* For each setting the first TRB method that is there for two shares. */
int find_sweeps(collection *c) {
  const method_runs *end = c->methods + c->n_methods;
  c->sweeps = calloc((size_t)c->n_worlds + 1, sizeof *c->sweeps);
  if (!c->sweeps) return 0;
  for (const method_runs *first = c->methods; first < end; first++) {
    if (!is_candidate(first) || has_sweep(c, first)) continue;
    sweep s = {calloc((size_t)c->n_worlds, sizeof(const method_runs *)), 0};
    if (!s.methods) return 0;
    for (const method_runs *m = first; m < end; m++) {
      if (is_candidate(m) && same_setting(m, first) && strcmp(m->head->method, first->head->method) == 0) insert(&s, m);
    }
    if (s.n >= 2) {
      c->sweeps[c->n_sweeps++] = s;
    } else {
      free(s.methods);
    }
  }
  return 1;
}
