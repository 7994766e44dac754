/* draw.h - one row, one draw. */
#ifndef TEST_DRAW_H
#define TEST_DRAW_H

#include "common.h"

/* A pair of single rows. */
models row_of(const double *s, const double *t, int64_t n, int32_t dtype);

/* Draws from the blend at beta; fails the test if that does not work. */
trb_draw draw_one(const models *m, double beta, const trb_sampler *sampler);

#endif
