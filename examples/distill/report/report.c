/* report.c - reads all runs, then writes tables, pictures and the page. */
#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "page.h"

static int no_memory(char *why) {
  snprintf(why, METRICS_WHY, "no memory");
  return 0;
}

/* A drawing that was cut short counts as none. */
static void read_drawings(const char *directory, const pictures *p, char **drawings) {
  char *plots = path_join(directory, "plots");
  for (int64_t i = 0; i < p->n && plots; i++) {
    char because[METRICS_WHY];
    char *name = picture_file(&p->list[i], ".svg"), *path = name ? path_join(plots, name) : NULL;
    char *svg = path ? (char *)file_read(path, NULL, because) : NULL;
    if (svg && strstr(svg, "</svg>")) {
      drawings[i] = svg;
    } else {
      free(svg);
    }
    free(path);
    free(name);
  }
  free(plots);
}

/* The page is written without pictures if they could not be drawn. */
static int write_page(const char *directory, const results *r, const pictures *p, char *why) {
  char because[METRICS_WHY] = "";
  const int drawn = pictures_draw(p, directory, because);
  page g = {r, p, calloc((size_t)p->n + 1, sizeof *g.drawings)};
  if (!g.drawings) return no_memory(why);
  if (drawn) read_drawings(directory, p, g.drawings);
  const int written = file_replace(directory, "report.html", page_write, &g, why);
  for (int64_t i = 0; i < p->n; i++) free(g.drawings[i]);
  free(g.drawings);
  if (written && !drawn) strcpy(why, because);
  return written && drawn;
}

static int write_tables(const char *directory, const results *r, FILE *out, char *why) {
  if (!file_replace(directory, "summary.csv", csv_summary, r->of, why)) return 0;
  if (!file_replace(directory, "curves.csv", csv_curves, r->of, why)) return 0;
  if (!file_replace(directory, "table.txt", results_text, r, why)) return 0;
  results_text(out, r);
  if (fflush(out) == 0 && !ferror(out)) return 1;
  snprintf(why, METRICS_WHY, "the tables cannot be printed");
  return 0;
}

static int write_report(const char *directory, const collection *c, FILE *out, char *why) {
  results r;
  pictures p;
  if (!results_make(&r, c)) return no_memory(why);
  int good = write_tables(directory, &r, out, why);
  if (good && !pictures_make(&p, c)) {
    good = no_memory(why);
  } else if (good) {
    good = write_page(directory, &r, &p, why);
    pictures_clear(&p);
  }
  results_clear(&r);
  return good;
}

int report_make(const char *directory, FILE *out, char *why) {
  collection *c = collection_read(directory, why);
  const int good = c && write_report(directory, c, out, why);
  collection_free(c);
  return good;
}
