/* rows.c - the rows that are timed. */
#include "rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "matrix.h"

const char *row_family_name(int family) {
  static const char *const names[] = {"spiky", "peaked", "flat", "disagreeing", "masked"};
  return names[family];
}

const char *dtype_name(int dtype) {
  static const char *const names[] = {"f32", "f16", "bf16"};
  return names[dtype];
}

static double spike(rng *g) {
  return rng_chance(g, 2e-4) ? 10.0 * rng_uniform(g) : 0.0;
}

void row_fill(rng *g, int family, double *s, double *t, int64_t n) {
  const double scale = family == ROW_PEAKED ? 4.0 : family == ROW_FLAT ? 0.05 : 2.0;
  for (int64_t i = 0; i < n; i++) {
    s[i] = scale * rng_normal(g);
    s[i] += spike(g);
    const double noise = scale * rng_normal(g);
    t[i] = family == ROW_DISAGREEING ? noise + spike(g) : s[i] + 0.4 * noise;
    if (family != ROW_MASKED) continue;
    if (rng_chance(g, 0.01) && s[i] < 0.0) t[i] = -(double)INFINITY;
    if (rng_chance(g, 0.1)) s[i] = t[i] = -(double)INFINITY;
  }
}

/* ---- All of them ---- */

enum { ALIGNMENT = 64 };

/* A student and a teacher in f32 take at least so many bytes: twice as much as caches of one processor commonly hold.
 */
static const int64_t bytes_of_pairs = 72000000;

static bool take(trb_logits *to, int64_t n, int64_t vocab, int32_t dtype) {
  const size_t bytes = (size_t)(n * vocab) * (dtype == TRB_F32 ? 4 : 2);
  *to = (trb_logits){aligned_alloc(ALIGNMENT, bytes), n, vocab, vocab, dtype, 0.0f};
  if (to->data) memset(to->data, 0, bytes); /* its pages are there before anything is timed */
  return to->data != NULL;
}

bool rows_new(rows *r, int64_t vocab, const bool *wanted) {
  const int64_t bytes = BATCH * vocab * 8;
  *r = (rows){.n = BATCH * ((bytes_of_pairs + bytes - 1) / bytes), .vocab = vocab};
  for (int32_t d = 0; d < DTYPES; d++) {
    if (d != TRB_F32 && !wanted[d]) continue;
    if (!take(&r->student[d], r->n, vocab, d) || !take(&r->teacher[d], r->n, vocab, d) ||
        !take(&r->out[d], r->n, vocab, d))
      return false;
  }
  return true;
}

void rows_free(rows *r) {
  for (int d = 0; d < DTYPES; d++) {
    free(r->student[d].data);
    free(r->teacher[d].data);
    free(r->out[d].data);
  }
  *r = (rows){0};
}

bool rows_draw(rows *r, int family) {
  rng g = {(uint64_t)family + 1};
  double *s = malloc((size_t)r->vocab * sizeof *s), *t = malloc((size_t)r->vocab * sizeof *t);
  for (int64_t i = 0; i < r->n && s && t; i++) {
    row_fill(&g, family, s, t, r->vocab);
    for (int d = 0; d < DTYPES; d++) {
      if (!r->student[d].data) continue;
      matrix_set_row(&(matrix){.view = r->student[d]}, i, s);
      matrix_set_row(&(matrix){.view = r->teacher[d]}, i, t);
    }
  }
  const bool good = s && t;
  free(s);
  free(t);
  return good;
}
