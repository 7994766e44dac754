/* page.h - the report as one HTML page that refers to nothing outside it. */
#ifndef DISTILL_PAGE_H
#define DISTILL_PAGE_H

#include <stdio.h>

#include "plot.h"
#include "results.h"

typedef struct page {
  const results *results;
  const pictures *pictures;
  char **drawings; /* [pictures->n] the SVG files; NULL where one is missing */
} page;

void page_write(FILE *out, const void *page);

#endif
