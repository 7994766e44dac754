/* oracle_sample.c - what the filters of a sampler keep. */
#include <math.h>
#include <stdlib.h>

#include "oracle.h"

typedef struct ranked {
  long double x;
  int64_t id;
} ranked;

static int by_rank(const void *a, const void *b) {
  const ranked *l = a, *r = b;
  if (l->x != r->x) return l->x > r->x ? -1 : 1;
  return l->id < r->id ? -1 : l->id > r->id;
}

static void note_margin(oracle_filter *f, long double difference) {
  if (fabsl(difference) < f->margin) f->margin = fabsl(difference);
}

/* How many of the leading `n` reach `share` of their mass. */
static int64_t nucleus(const ranked *order, int64_t n, double share, oracle_filter *f) {
  long double total = 0, sum = 0;
  for (int64_t i = 0; i < n; i++) total += expl(order[i].x);
  for (int64_t i = 0; i < n; i++) {
    sum += expl(order[i].x);
    if (i + 1 < n) note_margin(f, sum / total - (long double)share);
    if (sum >= (long double)share * total) return i + 1;
  }
  return n;
}

oracle_filter oracle_keep(const long double *log_mu, int64_t n, const trb_sampler *sampler, bool *keep) {
  trb_sampler none = {0};
  const trb_sampler *o = sampler ? sampler : &none;
  oracle_filter f = {0, 0, (long double)INFINITY};
  ranked *order = malloc((size_t)n * sizeof *order);
  if (!order) abort();
  int64_t left = 0;
  for (int64_t v = 0; v < n; v++) {
    keep[v] = false;
    if (!isinf(log_mu[v])) order[left++] = (ranked){log_mu[v], v};
  }
  qsort(order, (size_t)left, sizeof *order, by_rank);
  if (o->top_k && o->top_k < left) {
    long double gap = order[o->top_k - 1].x - order[o->top_k].x;
    if (gap != 0) note_margin(&f, gap);
    left = o->top_k;
  }
  if (o->top_p > 0.0 && o->top_p < 1.0) left = nucleus(order, left, o->top_p, &f);
  while (o->min_p > 0.0 && left > 1 && order[left - 1].x < order[0].x + logl((long double)o->min_p)) {
    note_margin(&f, order[0].x + logl((long double)o->min_p) - order[left - 1].x);
    left--;
  }
  if (o->min_p > 0.0 && left > 1 && o->min_p < 1.0) {
    note_margin(&f, order[left - 1].x - order[0].x - logl((long double)o->min_p));
  }
  long double mass = 0;
  for (int64_t i = 0; i < left; i++) {
    keep[order[i].id] = true;
    mass += expl(order[i].x);
  }
  f.kept = left;
  f.log_mass = logl(mass);
  free(order);
  return f;
}
