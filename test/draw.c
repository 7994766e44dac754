/* draw.c - one row, one draw. */
#include "draw.h"

#include <string.h>

trb_draw draw_one(const models *m, double beta, const trb_sampler *sampler) {
  trb_blend b;
  trb_draw d;
  memset(&d, 0x5A, sizeof d);
  ck_assert_int_eq(trb_blend_at(NULL, &m->s.view, &m->t.view, &beta, 1, &b), TRB_OK);
  ck_assert_int_eq(trb_sample(NULL, &m->s.view, &m->t.view, &b, sampler, &d), TRB_OK);
  ck_assert_int_eq(d.status, TRB_ROW_OK);
  return d;
}

models row_of(const double *s, const double *t, int64_t n, int32_t dtype) {
  models m = models_new(1, n, dtype, dtype, 0.0f, 0.0f);
  matrix_set_row(&m.s, 0, s);
  matrix_set_row(&m.t, 0, t);
  return m;
}
