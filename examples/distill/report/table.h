/* table.h - a table of texts, shown as aligned text or as HTML. */
#ifndef DISTILL_TABLE_H
#define DISTILL_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include "metrics.h"

enum { TABLE_COLUMNS = 10, TABLE_CELL = METRICS_TEXT };

/* UTF-8 throughout. A column whose cells are all empty is not shown. In a column of "x ± y" the signs stand below each
 * other. */
typedef struct table {
  const char *align; /* a letter for each column: l, r */
  int64_t rows;      /* with the headings, row 0 */
  char (*cells)[TABLE_COLUMNS][TABLE_CELL];
} table;

/* Characters, not bytes. */
int text_width(const char *text);

/* All cells empty. 0: no memory. */
int table_make(table *t, const char *align, int64_t rows);
void table_clear(table *t);

void table_set(table *t, int64_t row, int column, const char *format, ...);

void table_text(const table *t, FILE *out);
void table_html(const table *t, FILE *out);

/* Text with what HTML would take for its own written otherwise. */
void html_text(const char *text, FILE *out);

#endif
