/* report.h - tables and pictures of all runs below a directory. */
#ifndef DISTILL_REPORT_H
#define DISTILL_REPORT_H

#include <stdio.h>

/* Reads every metrics.jsonl below `directory` and writes there: summary.csv, curves.csv, plots/NAME.svg and .png by
 * gnuplot, report.html (nothing outside it is referred to), and table.txt, which is printed to `out` as well. 1, or 0
 * with a text in `why` (capacity 256). */
int report_make(const char *directory, FILE *out, char *why);

#endif
