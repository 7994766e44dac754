/* blocks.h - what blocks of proposals save: calls of the teacher and time, for the budgets of arXiv 2605.31159. */
#ifndef DISTILL_BLOCKS_H
#define DISTILL_BLOCKS_H

#include <stdio.h>

#include "plan.h"

/* Rolls out the first base student of every world of a plan whose jobs are done, beside its teacher, by blocks of
 * different lengths. Prints a table to `out` and leaves blocks.csv and plots/NAME-blocks.svg and .png in the directory.
 * 1, or 0 with a text in `why` (capacity 256). */
int blocks_measure(const plan *p, const char *directory, FILE *out, char *why);

#endif
