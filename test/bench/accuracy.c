/* accuracy.c - whether trb_solve meets its contract. */
#include "accuracy.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>

#include "matrix.h"
#include "oracle.h"
#include "rows.h"

enum { ROWS_OF_EACH = 2 };

/* Doubles above a beta that may be passed where logits are huge; include/trb.h has them. */
static double steep_reach(double beta) {
  return beta * (1.0 + 64.0 * DBL_EPSILON);
}

/* What is wrong with a row, or NULL; counts it. */
static const char *judge(const oracle *o, const trb_blend *b, const char *family, accuracy *a) {
  if (o->bad) return b->status == o->bad ? NULL : "no distribution, but not called so";
  const long double budget = (long double)a->budget, kl = oracle_kl_student(o, b->beta);
  a->rows++;
  if (!(kl <= budget * (1 + 1e-6L))) return "over the budget";
  if (b->status == TRB_ROW_TEACHER) {
    a->teacher++;
    return b->beta == 1.0 ? NULL : "the teacher with another beta than 1";
  }
  if (b->status == TRB_ROW_UNREACHABLE) {
    a->unreachable++;
    return oracle_kl_student(o, DBL_MIN) > budget * (1 - 1e-6L) ? NULL : "called unreachable, but it is not";
  }
  if (b->status != TRB_ROW_BLENDED) return trb_row_strerror(b->status);
  a->blended++;
  const double off = (double)(kl / budget - 1);
  if (!a->highest_rows || off > a->highest) {
    a->highest = off;
    a->highest_rows = family;
  }
  if (kl >= budget * (1 - 1e-4L)) {
    if (!a->lowest_rows || off < a->lowest) {
      a->lowest = off;
      a->lowest_rows = family;
    }
  } else if (oracle_kl_student(o, steep_reach(b->beta)) > budget) {
    a->steep++;
  } else {
    return "below the budget";
  }
  return NULL;
}

static void judge_row(oracle *o, const matrix *s, const matrix *t, const char *family, accuracy out[BUDGETS]) {
  oracle_load(o, &s->view, &t->view, 0);
  for (int i = 0; i < BUDGETS; i++) {
    trb_blend blend;
    const trb_status status = trb_solve(NULL, &s->view, &t->view, &out[i].budget, 1, NULL, &blend);
    const char *wrong =
        status == (o->bad ? TRB_EROWS : TRB_OK) ? judge(o, &blend, family, &out[i]) : trb_strerror(status);
    if (!wrong) continue;
    out[i].broken++;
    fprintf(stderr, "bench: %s row of %s, %lld tokens, budget %g: %s (beta %.17g)\n", family, dtype_name(s->view.dtype),
            (long long)s->view.vocab, out[i].budget, wrong, blend.beta);
  }
}

void accuracy_measure(int64_t vocab, int32_t dtype, accuracy out[BUDGETS]) {
  static const double budgets[BUDGETS] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0};
  for (int i = 0; i < BUDGETS; i++) out[i] = (accuracy){.budget = budgets[i]};
  oracle o = oracle_new(vocab);
  matrix s = matrix_new(1, vocab, 0, dtype, 0.0f), t = matrix_new(1, vocab, 0, dtype, 0.0f);
  double *x = malloc((size_t)vocab * sizeof *x), *y = malloc((size_t)vocab * sizeof *y);
  if (!x || !y) abort();
  rng g = {(uint64_t)vocab};
  for (int family = 0; family < ROW_FAMILIES + FAMILIES; family++) {
    const int of_tests = family - ROW_FAMILIES;
    for (int row = 0; row < ROWS_OF_EACH; row++) {
      if (of_tests < 0) {
        row_fill(&g, family, x, y, vocab);
      } else {
        family_fill(&g, of_tests, x, vocab, y, vocab);
      }
      matrix_set_row(&s, 0, x);
      matrix_set_row(&t, 0, y);
      judge_row(&o, &s, &t, of_tests < 0 ? row_family_name(family) : family_name(of_tests), out);
    }
  }
  free(x);
  free(y);
  matrix_free(&s);
  matrix_free(&t);
  oracle_free(&o);
}
