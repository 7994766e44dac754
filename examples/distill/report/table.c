/* table.c - a table of texts, shown as aligned text or as HTML. */
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char SIGN[] = " ± ";

int table_make(table *t, const char *align, int64_t rows) {
  *t = (table){align, rows, calloc((size_t)rows, sizeof *t->cells)};
  return t->cells != NULL;
}

void table_clear(table *t) {
  free(t->cells);
  *t = (table){0};
}

void table_set(table *t, int64_t row, int column, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(t->cells[row][column], TABLE_CELL, format, arguments);
  va_end(arguments);
  for (char *c = t->cells[row][column]; *c; c++) {
    if ((unsigned char)*c < ' ') *c = ' ';
  }
}

/* ---- Widths ---- */

/* Bytes that continue a character do not count. */
int text_width(const char *text) {
  int n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
  return n;
}

static int most(int a, int b) {
  return a > b ? a : b;
}

/* What a column needs: in all, and before and from the sign on in cells that have it. */
typedef struct widths {
  int whole, before, behind;
} widths;

/* Only numbers are set so. */
static const char *find_sign(const table *t, int column, const char *cell) {
  return t->align[column] == 'r' ? strstr(cell, SIGN) : NULL;
}

static widths measure(const table *t, int column) {
  widths w = {0};
  for (int64_t row = 0; row < t->rows; row++) {
    const char *cell = t->cells[row][column], *sign = find_sign(t, column, cell);
    const int whole = text_width(cell), behind = sign ? text_width(sign) : 0;
    if (sign) {
      w.before = most(w.before, whole - behind);
      w.behind = most(w.behind, behind);
    }
    w.whole = most(w.whole, whole);
  }
  w.whole = most(w.whole, w.before + w.behind);
  return w;
}

static int is_shown(const table *t, int column) {
  for (int64_t row = 1; row < t->rows; row++) {
    if (t->cells[row][column][0]) return 1;
  }
  return 0;
}

static void put_times(int n, const char *text, FILE *out) {
  for (int i = 0; i < n; i++) fputs(text, out);
}

/* ---- Text ---- */

static void put_text(const char *text, FILE *out) {
  fputs(text, out);
}

/* A cell whose sign, if it has one, stands where the column's does: numbers on both sides are padded on their left. */
static void put_cell(const char *cell, const char *sign, widths w, const char *blank,
                     void (*put)(const char *text, FILE *out), FILE *out) {
  if (!sign) {
    put(cell, out);
    return;
  }
  char before[TABLE_CELL];
  snprintf(before, sizeof before, "%.*s", (int)(sign - cell), cell);
  put_times(w.before - text_width(before), blank, out);
  put(before, out);
  put(SIGN, out);
  put_times(w.behind - text_width(sign), blank, out);
  put(sign + strlen(SIGN), out);
}

static void put_row(const table *t, int64_t row, FILE *out) {
  int owed = 0; /* blanks, which the last cell is spared */
  for (int column = 0; t->align[column]; column++) {
    if (!is_shown(t, column)) continue;
    const char *cell = t->cells[row][column], *sign = find_sign(t, column, cell);
    const widths w = measure(t, column);
    const int blanks = w.whole - (sign ? w.before + w.behind : text_width(cell));
    if (t->align[column] == 'r') owed += blanks;
    if (cell[0]) {
      put_times(owed, " ", out);
      put_cell(cell, sign, w, " ", put_text, out);
      owed = 0;
    }
    if (t->align[column] == 'l') owed += blanks;
    owed += 2;
  }
  fputc('\n', out);
}

void table_text(const table *t, FILE *out) {
  put_row(t, 0, out);
  const char *gap = "";
  for (int column = 0; t->align[column]; column++) {
    if (!is_shown(t, column)) continue;
    fputs(gap, out);
    put_times(measure(t, column).whole, "-", out);
    gap = "  ";
  }
  fputc('\n', out);
  for (int64_t row = 1; row < t->rows; row++) put_row(t, row, out);
}

/* ---- HTML ---- */

void html_text(const char *text, FILE *out) {
  for (; *text; text++) {
    switch (*text) {
    case '&':
      fputs("&amp;", out);
      break;
    case '<':
      fputs("&lt;", out);
      break;
    case '>':
      fputs("&gt;", out);
      break;
    case '"':
      fputs("&quot;", out);
      break;
    case '\'':
      fputs("&#39;", out);
      break;
    default:
      fputc(*text, out);
    }
  }
}

void table_html(const table *t, FILE *out) {
  fputs("<div class=\"wide\"><table>\n", out);
  for (int64_t row = 0; row < t->rows; row++) {
    const char *tag = row == 0 ? "th" : "td";
    fputs(row == 0 ? "<thead><tr>" : "<tr>", out);
    for (int column = 0; t->align[column]; column++) {
      if (!is_shown(t, column)) continue;
      fprintf(out, "<%s%s>", tag, t->align[column] == 'r' ? " class=\"r\"" : "");
      /* figure spaces: as wide as a digit */
      const char *cell = t->cells[row][column];
      put_cell(cell, find_sign(t, column, cell), measure(t, column), "&#8199;", html_text, out);
      fprintf(out, "</%s>", tag);
    }
    fputs(row == 0 ? "</tr></thead>\n<tbody>" : "</tr>\n", out);
  }
  fputs("</tbody></table></div>\n", out);
}
