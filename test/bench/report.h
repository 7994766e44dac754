/* report.h - prints what was measured: tables, or a JSON object a line. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "accuracy.h"
#include "machine.h"
#include "measure.h"

typedef struct report {
  const plan *plan;
  bool json;
} report;

void report_machine(const report *r, const machine *m);

/* One family, as soon as it is measured: JSON only. */
void report_family(const report *r, const bench *b, int family, const figures *f);

/* All families of a vocabulary: tables only. */
void report_vocab(const report *r, const bench *b, const figures f[ROW_FAMILIES]);

void report_accuracy(const report *r, int64_t vocab, int32_t dtype, const accuracy a[BUDGETS]);

#endif
