/* collection.h - all runs below a directory, in the order of tables, and what they come to. Every number that a table,
 * a picture or a CSV file shows is taken from here. What is not known is NaN. */
#ifndef DISTILL_COLLECTION_H
#define DISTILL_COLLECTION_H

#include "metrics.h"
#include "stats.h"

enum { EARLY_STEPS = 10 };

/* What one run comes to. */
enum {
  MEASURE_FINAL, /* success at the last evaluation; the next two of stats.h */
  MEASURE_AREA,
  MEASURE_STEPS_TO_HALF,
  MEASURE_GREEDY, /* at the last evaluation */
  MEASURE_REVERSE_KL,
  MEASURE_LOG_TEACHER,
  MEASURE_BITS_PER_BYTE,
  MEASURE_EARLY_LOG_TEACHER, /* means over the first EARLY_STEPS updates */
  MEASURE_EARLY_KL_STUDENT,
  MEASURE_EARLY_BETA,
  MEASURE_EARLY_SATURATED,
  MEASURE_BASE,    /* success at the first evaluation: of the base student */
  MEASURE_TEACHER, /* of the teacher */
  MEASURES
};

/* Values of a learning curve, at evaluations and at updates. */
enum {
  EVALUATION_SUCCESS,
  EVALUATION_REVERSE_KL,
  EVALUATION_LOG_TEACHER,
  EVALUATION_BITS_PER_BYTE,
  EVALUATION_LENGTH,
  EVALUATION_VALUES
};
enum { UPDATE_LOG_TEACHER, UPDATE_KL_STUDENT, UPDATE_BETA, UPDATE_VALUES };

typedef struct record {
  char *path; /* below the directory */
  run *run;
  double value[MEASURES];
} record;

/* Over the seeds that know the value at this step. */
typedef struct point {
  int64_t step;
  interval value[EVALUATION_VALUES];
} point;

typedef struct curve {
  point *points;
  int64_t n;
} curve;

/* The complete runs of a method in a world, by ascending seed. */
typedef struct method_runs method_runs;
struct method_runs {
  const run_head *head; /* of the first */
  const record *records;
  int64_t n;
  int64_t color;                           /* the same for a method in every world: 0, 1, ... */
  const method_runs *base;                 /* "opd" of the same world; NULL: it has none, or this is it */
  interval mean[MEASURES], gain[MEASURES]; /* gain: minus base, over the seeds that both have */
  double steps_to_half;                    /* median; INFINITY: never */
  int64_t reached;                         /* runs that reached one half */
  curve evaluations, updates;
};

typedef struct world_runs {
  const run_head *head;
  const method_runs *methods;
  int64_t n;
} world_runs;

/* One TRB method in worlds of one setting that differ in the share of derailed documents, by ascending share. */
typedef struct sweep {
  const method_runs **methods; /* each has a gain in area */
  int64_t n;
} sweep;

typedef struct collection {
  record *records; /* the complete ones first; both parts by world, method and seed */
  int64_t n_records, n_complete;
  method_runs *methods; /* of all worlds */
  world_runs *worlds;
  sweep *sweeps;
  int64_t n_methods, n_worlds, n_sweeps;
} collection;

/* Reads every metrics.jsonl below the directory; links are not followed. NULL with a text in `why` (capacity
 * METRICS_WHY): none is there, one is not in order, or two contradict each other. */
collection *collection_read(const char *directory, char *why);
void collection_free(collection *c);

/* summary.c: what one run comes to, and what a method does. `room` and `cursors` are of m->n. 0: no memory. */
void summarize_run(record *r);
int summarize_method(method_runs *m, double *room, int64_t *cursors);

/* sweep.c: finds the sweeps of the methods, once they are summed up. 0: no memory. */
int find_sweeps(collection *c);

#endif
