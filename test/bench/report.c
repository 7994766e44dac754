/* report.c - prints what was measured. */
#include "report.h"

#include <math.h>
#include <stdio.h>

static const char *const floor_names[FLOORS] = {"stream", "lse", "move"};

void report_machine(const report *r, const machine *m) {
  if (r->json) {
    printf("{\"kind\": \"machine\", \"processor\": \"%s\", \"processors\": %lld, \"isa\": \"%s\", \"compiler\": "
           "\"%s\"}\n",
           m->processor, (long long)m->processors, m->isa, m->compiler);
  } else {
    printf("%s; processors that may be used: %lld; kernels: %s; compiler: %s\n", m->processor, (long long)m->processors,
           m->isa, m->compiler);
    if (m->processors == 1) printf("Threads are not compared: they need two processors.\n");
  }
  fflush(stdout);
}

/* ---- JSON ---- */

/* JSON has no NaN: what was not measured is left out. */
static void put(const char *name, double value, int digits) {
  if (!isnan(value)) printf(", \"%s\": %.*f", name, digits, value);
}

static void put_place(const char *kind, const bench *b, int family) {
  printf("{\"kind\": \"%s\", \"vocab\": %lld, \"rows\": \"%s\"", kind, (long long)b->rows.vocab,
         row_family_name(family));
}

void report_family(const report *r, const bench *b, int family, const figures *f) {
  static const char *const ratios[RATIOS] = {"ratio", "over_f32", "one_by_many_row", "one_by_many_batch"};
  if (!r->json) return;
  for (int i = 0; i < FLOORS; i++) {
    put_place("floor", b, family);
    printf(", \"floor\": \"%s\", \"prefetch\": %s", floor_names[i], b->ahead[i] ? "true" : "false");
    put("us", f->floor_us[i], 2);
    printf("}\n");
  }
  for (int d = 0; d < DTYPES; d++) {
    for (int k = 0; k < KERNELS; k++) {
      if (isnan(f->us[d][k])) continue;
      put_place("time", b, family);
      printf(", \"dtype\": \"%s\", \"kernel\": \"%s\", \"budget\": %g, \"threads\": %lld", dtype_name(d),
             kernel_name(k), r->plan->budget, (long long)r->plan->threads);
      put("us", f->us[d][k], 2);
      for (int i = 0; i < RATIOS; i++) put(ratios[i], f->ratio[i][d][k], 3);
      if (k == SOLVE) put("readings", f->readings[d], 2);
      printf("}\n");
    }
  }
  fflush(stdout);
}

/* ---- Tables ---- */

enum { NAME = 13, CELL = 9 };

static void put_cell(double value, int digits) {
  if (isnan(value)) {
    printf("%*s", CELL, "-");
  } else {
    printf("%*.*f", CELL, digits, value);
  }
}

static void put_names(const char *const *names, int n) {
  for (int i = 0; i < n; i++) printf("%*s", CELL, names[i]);
  printf("\n");
}

static void put_ratios(const report *r, const figures *f, int ratio, int dtype) {
  for (int family = 0; family < ROW_FAMILIES; family++) {
    if (!r->plan->family[family]) continue;
    printf("%-*s", NAME, row_family_name(family));
    for (int k = 0; k < KERNELS; k++) put_cell(f[family].ratio[ratio][dtype][k], 2);
    printf("\n");
  }
}

static void put_block(const report *r, const figures *f, int ratio, int dtype) {
  static const char *const names[KERNELS] = {"solve", "sample", "loss", "forward", "jsd", "write", "verify", "lists"};
  put_names(names, KERNELS);
  put_ratios(r, f, ratio, dtype);
}

static void put_floors(const report *r, const bench *b, const figures *f) {
  static const char *const names[] = {"stream", "lse", "move", "readings", "solve"};
  static const char *const over[KERNELS] = {"/lse", "+sample", "loss", "forward", "jsd", "write", "verify", "lists"};
  printf("\nV = %lld, budget %g, %lld pairs of rows, medians of %d. Microseconds a row in f32:\n%-*s",
         (long long)b->rows.vocab, r->plan->budget, (long long)b->rows.n, r->plan->repeats, NAME, "");
  put_names(names, sizeof names / sizeof *names);
  for (int family = 0; family < ROW_FAMILIES; family++) {
    const figures *x = &f[family];
    if (!r->plan->family[family]) continue;
    printf("%-*s", NAME, row_family_name(family));
    for (int i = 0; i < FLOORS; i++) put_cell(x->floor_us[i], 1);
    put_cell(x->readings[TRB_F32], 2);
    put_cell(x->us[TRB_F32][SOLVE], 1);
    printf("\n");
  }
  printf("\n%-*s", NAME, "over floors");
  put_names(over, KERNELS);
  put_ratios(r, f, OVER_FLOOR, TRB_F32);
}

void report_vocab(const report *r, const bench *b, const figures f[ROW_FAMILIES]) {
  const plan *p = r->plan;
  if (r->json) return;
  put_floors(r, b, f);
  for (int d = 0; d < DTYPES; d++) {
    if (d == TRB_F32 || !p->dtype[d]) continue;
    printf("\n%-4s over f32 ", dtype_name(d));
    put_block(r, f, OVER_F32, d);
  }
  for (int d = 0; d < DTYPES && p->threads > 1; d++) {
    if (!p->dtype[d] || (d != TRB_F32 && !p->halves_by_threads)) continue;
    printf("\n1 thread over %lld, %d rows a call, %s\n%-*s", (long long)p->threads, BATCH, dtype_name(d), NAME, "");
    put_block(r, f, ONE_BY_MANY_BATCH, d);
    printf("\n1 thread over %lld, 1 row a call, %s\n%-*s", (long long)p->threads, dtype_name(d), NAME, "");
    put_block(r, f, ONE_BY_MANY_ROW, d);
  }
  fflush(stdout);
}

/* ---- Accuracy ---- */

void report_accuracy(const report *r, int64_t vocab, int32_t dtype, const accuracy a[BUDGETS]) {
  if (!r->json)
    printf("\nKL(mu||p) / budget - 1 of trb_solve in long double, V = %lld, %s: worst rows at their budget\n"
           "%8s %6s %8s %8s %12s %6s %7s %10s %-13s %10s %s\n",
           (long long)vocab, dtype_name(dtype), "budget", "rows", "blended", "teacher", "unreachable", "steep",
           "broken", "highest", "in", "lowest", "in");
  for (int i = 0; i < BUDGETS; i++) {
    const accuracy *x = &a[i];
    if (r->json) {
      printf("{\"kind\": \"accuracy\", \"vocab\": %lld, \"dtype\": \"%s\", \"budget\": %g, \"rows\": %lld, "
             "\"blended\": %lld, \"teacher\": %lld, \"unreachable\": %lld, \"steep\": %lld, \"broken\": %lld",
             (long long)vocab, dtype_name(dtype), x->budget, (long long)x->rows, (long long)x->blended,
             (long long)x->teacher, (long long)x->unreachable, (long long)x->steep, (long long)x->broken);
      if (x->highest_rows) printf(", \"highest\": %.3g, \"highest_rows\": \"%s\"", x->highest, x->highest_rows);
      if (x->lowest_rows) printf(", \"lowest\": %.3g, \"lowest_rows\": \"%s\"", x->lowest, x->lowest_rows);
      printf("}\n");
    } else {
      printf("%8g %6lld %8lld %8lld %12lld %6lld %7lld %+10.1e %-13s %+10.1e %s\n", x->budget, (long long)x->rows,
             (long long)x->blended, (long long)x->teacher, (long long)x->unreachable, (long long)x->steep,
             (long long)x->broken, x->highest, x->highest_rows ? x->highest_rows : "-", x->lowest,
             x->lowest_rows ? x->lowest_rows : "-");
    }
  }
  fflush(stdout);
}
