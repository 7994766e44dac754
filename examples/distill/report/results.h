/* results.h - the tables of the report. */
#ifndef DISTILL_RESULTS_H
#define DISTILL_RESULTS_H

#include <stdio.h>

#include "collection.h"
#include "table.h"

typedef struct results {
  const collection *of;
  table *worlds, *early, *sweeps; /* one for each world, world and sweep of the collection */
  table incomplete;               /* runs; no rows but the headings if there are none */
  table runs;                     /* what made them */
} results;

/* 0: no memory. */
int results_make(results *r, const collection *of);
void results_clear(results *r);

/* A sentence on where the students of a world start and how good their teacher is; "" if that is not known. */
enum { RESULTS_START = 128 };
void results_start(const world_runs *w, char *text, size_t capacity);

/* What a table shows, in a sentence or two. */
const char *results_note(const world_runs *w);
extern const char results_early_note[], results_sweep_note[];

/* What none of it shows. */
extern const char results_caveat[];

/* All tables but `runs`. */
void results_text(FILE *out, const void *results);

/* csv.c: a line for each run, and for each step of evaluation of each method; `collection` is one. */
void csv_summary(FILE *out, const void *collection);
void csv_curves(FILE *out, const void *collection);

#endif
