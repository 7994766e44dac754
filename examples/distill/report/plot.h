/* plot.h - the pictures of the report, drawn by gnuplot. */
#ifndef DISTILL_PLOT_H
#define DISTILL_PLOT_H

#include <stdio.h>

#include "collection.h"

typedef enum picture_kind {
  PICTURE_LEARNING, /* success, or else KL(p||q), over updates, with bands */
  PICTURE_ROLLOUTS, /* what is sampled, over updates, in panels */
  PICTURE_SWEEP     /* gain over the share of derailed documents */
} picture_kind;

typedef struct picture {
  picture_kind kind;
  const world_runs *world; /* NULL for a sweep */
  const sweep *sweep;      /* NULL else */
  char *name;              /* of its files, without the endings .dat, .gp, .svg, .png; of letters, digits and ".-_%" */
} picture;

typedef struct pictures {
  picture *list;
  int64_t n;
} pictures;

/* All pictures that have something to show. 0: no memory. */
int pictures_make(pictures *p, const collection *of);
void pictures_clear(pictures *p);

/* Writes data and scripts to the directory plots below `directory` and draws them. 1, or 0 with a text in `why`
 * (capacity METRICS_WHY). */
int pictures_draw(const pictures *p, const char *directory, char *why);

/* The name of one of its files; the caller's to free. NULL: no memory. */
char *picture_file(const picture *p, const char *ending);

/* script.c: the data and the script of one. */
void script_data(FILE *out, const void *picture);
void script_commands(FILE *out, const void *picture);
int script_learned(const run_head *world);                          /* what PICTURE_LEARNING shows of it */
int script_has(const method_runs *m, picture_kind kind, int value); /* whether any step of the curve knows the value */

/* gnuplot.c: runs the scripts NAME.gp in the directory, which write NAME.svg.part and NAME.png.part there, and moves
 * these to their places if all went well. */
int gnuplot_run(const char *directory, const pictures *p, char *why);

#endif
