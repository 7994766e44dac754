/* test_sample_draws.c - single draws of trb_sample: which random number they use, masks, bad rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#endif
#include <Random123/philox.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include "draw.h"
#include "oracle.h"
#include "suites.h"
#include "common.h"

static const double NO = -(double)INFINITY;

/* The uniform number of a key: Philox 4x32-10, 53 bits of its first two words. */
static double uniform_of(uint64_t seed, uint64_t stream, int64_t index, int32_t purpose) {
  philox4x32_ctr_t counter = {{(uint32_t)stream, (uint32_t)(stream >> 32), (uint32_t)index,
                               (uint32_t)((uint64_t)index >> 32) | (uint32_t)purpose << 24}};
  philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
  philox4x32_ctr_t r = philox4x32_R(10, counter, key);
  return ldexp((double)(((uint64_t)r.v[0] << 32 | r.v[1]) >> 11), -53);
}

/* Random123's published known answer for counter and key all ones, so that the reference itself is checked. */
START_TEST(test_philox_reference) {
  philox4x32_ctr_t counter = {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}};
  philox4x32_key_t key = {{0xffffffff, 0xffffffff}};
  philox4x32_ctr_t r = philox4x32_R(10, counter, key);
  ck_assert_uint_eq(r.v[0], 0x408f276d);
  ck_assert_uint_eq(r.v[1], 0x41c83b0e);
  ck_assert_uint_eq(r.v[2], 0xa20bc7c6);
  ck_assert_uint_eq(r.v[3], 0x6d5451fd);
}
END_TEST

/* The token is where the cumulative sum of the kept part of mu passes u, at random keys of full width. Draws within
 * 1e-5 of an edge are left out: the sum of the library carries f32 terms. */
START_TEST(test_inverse_of_philox) {
  static const int64_t sizes[] = {2, 9, 100, 1023, 1024, 1025, 2500};
  rng g = {0xF1107 + (uint64_t)_i};
  int compared = 0, all = 0;
  for (int64_t i = 0; i < scaled(1000); i++) {
    int64_t n = sizes[i % 7];
    models m = models_random(&g, i % 3 ? FAMILY_GAUSSIAN : FAMILY_MASK_BOTH, 1, n, (int32_t)(i % 3));
    uint64_t stream = i % 2 ? rng_next(&g) : rng_next(&g) >> 40;
    int64_t index = (int64_t)(rng_next(&g) >> (i % 5 ? 8 : 40));
    trb_sampler o = {sizeof o, 0, &stream, &index, 0, 0, 0, 0, (int32_t)rng_between(&g, 0, 255)};
    o.seed = rng_next(&g);
    if (_i == 1) o.top_k = rng_between(&g, 1, n);
    if (_i == 2) o.top_p = 0.05 + 0.9 * rng_uniform(&g);
    if (_i == 3) o.min_p = rng_uniform(&g);
    double beta = rng_uniform(&g), u = uniform_of(o.seed, stream, index, o.purpose);
    oracle row = oracle_new(n);
    oracle_load(&row, &m.s.view, &m.t.view, 0);
    oracle_blend exact = oracle_blend_at(&row, beta);
    static long double log_mu[2500];
    static bool keep[2500];
    for (int64_t v = 0; v < n; v++) log_mu[v] = oracle_log_mu(&row, beta, &exact, v);
    oracle_filter filter = oracle_keep(log_mu, n, &o, keep);
    if (!row.bad && isfinite(exact.shifted_norm) && filter.margin > 1e-5L) {
      trb_draw d = draw_one(&m, beta, &o);
      long double sum = 0, before = 0;
      int64_t token = -1;
      for (int64_t v = 0; v < n && token < 0; v++) {
        if (!keep[v]) continue;
        before = sum;
        sum += expl(log_mu[v] - filter.log_mass);
        if (sum > (long double)u) token = v;
      }
      ck_assert_int_eq(d.kept, filter.kept);
      all++;
      bool near_edge = (before > 0 && u - before < 1e-5L) || (sum < 1 - 1e-12L && sum - u < 1e-5L);
      ck_assert_msg(near_edge || d.token == token, "row %d of %d tokens: drew %d, expected %d at u = %.17g", (int)i,
                    (int)n, (int)d.token, (int)token, u);
      compared += !near_edge;
    }
    oracle_free(&row);
    models_free(&m);
  }
  ck_assert_msg(compared * 10 >= all * 9 && compared > 0, "compared %d of %d", compared, all);
}
END_TEST

/* The least and the largest uniform number of two million keys, on rows whose ends are masked: never a masked token. */
START_TEST(test_extreme_uniforms) {
  int64_t low = 0, high = 0;
  double least = 2.0, most = -1.0;
  for (int64_t i = 0; i < 1 << 21; i++) {
    double u = uniform_of(77, 5, i, 1);
    if (u < least) {
      least = u;
      low = i;
    }
    if (u > most) {
      most = u;
      high = i;
    }
  }
  ck_assert(least < 1e-5 && most > 1 - 1e-5);
  static const int64_t sizes[] = {3, 8, 40, 1030, 3100};
  for (int k = 0; k < 5; k++) {
    int64_t n = sizes[k], from = n / 3, to = n - n / 3;
    models m = models_new(1, n, TRB_F32, TRB_F32, 0.0f, 0.0f);
    for (int64_t v = 0; v < n; v++) {
      matrix_set(&m.s, 0, v, v >= from && v < to ? 0.0 : NO);
      matrix_set(&m.t, 0, v, 0.0);
    }
    uint64_t stream = 5;
    for (int end = 0; end < 2; end++) {
      trb_sampler o = {sizeof o, 77, &stream, end ? &high : &low, 0, 0, 0, 0, 1};
      for (double beta = 0.0; beta <= 1.0; beta += 0.5) {
        trb_draw d = draw_one(&m, beta, &o);
        ck_assert_int_eq(d.token, end ? to - 1 : from);
        ck_assert_int_eq(d.kept, to - from);
      }
      o.top_k = 1 + (to - from) / 2;
      ck_assert_int_eq(draw_one(&m, 0.5, &o).token, end ? from + o.top_k - 1 : from);
    }
    models_free(&m);
  }
}
END_TEST

/* A vocabulary of more than 512 blocks, whose mass stands on forty tokens far apart. */
START_TEST(test_very_large_vocabulary) {
  enum { N = 1100003, SPIKES = 40 };
  models m = models_new(1, N, TRB_F16, TRB_F16, 0.0f, 0.0f);
  matrix_fill(&m.s, -30.0);
  matrix_fill(&m.t, -30.0);
  rng g = {86};
  for (int i = 0; i < SPIKES; i++) {
    int64_t v = i ? rng_between(&g, 0, N - 1) : N - 1;
    matrix_set(&m.s, 0, v, rng_uniform(&g));
  }
  oracle row = oracle_new(N);
  oracle_load(&row, &m.s.view, &m.t.view, 0);
  uint64_t stream = 1;
  for (int64_t i = 0; i < 30; i++) {
    trb_sampler o = {sizeof o, 8, &stream, &i, i % 2 ? 20 : 0, 0, 0, 0, 0};
    trb_blend b;
    trb_draw d;
    double beta = 0.0;
    ck_assert_int_eq(trb_blend_at(NULL, &m.s.view, NULL, &beta, 1, &b), TRB_OK);
    ck_assert_int_eq(trb_sample(NULL, &m.s.view, NULL, &b, &o, &d), TRB_OK);
    if (o.top_k) {
      ck_assert(d.kept == 20 && matrix_get(&m.s.view, 0, d.token) >= 0.0);
      continue;
    }
    long double sum = 0, u = (long double)uniform_of(8, 1, i, 0);
    int64_t token = 0;
    while (token < N && (sum += row.p[token]) <= u) token++;
    ck_assert(d.token == token && d.kept == N);
  }
  oracle_free(&row);
  models_free(&m);
}
END_TEST

/* A million draws (from f32; fewer from the others) from a row most of whose tokens one model or the other masks. */
START_TEST(test_masked_tokens_are_never_drawn) {
  enum { ROWS = 1000 };
  const double s[8] = {NO, 0.0, NO, 1.0, -30.0, 0.0, NO, NO}, t[8] = {5.0, NO, NO, 0.0, 0.0, 1.0, 2.0, NO};
  models m = models_new(ROWS, 8, _i, _i, 0.0f, 0.0f);
  for (int64_t r = 0; r < ROWS; r++) {
    matrix_set_row(&m.s, r, s);
    matrix_set_row(&m.t, r, t);
  }
  static trb_blend b[ROWS];
  static trb_draw d[ROWS];
  double beta = 0.5;
  ck_assert_int_eq(trb_blend_at(NULL, &m.s.view, &m.t.view, &beta, 1, b), TRB_OK);
  static int64_t index[ROWS];
  trb_sampler o = {sizeof o, 4, NULL, index, 0, 0, 0, 0, 0};
  for (int64_t i = 0; i < scaled(_i ? 100000 : 1000000) / ROWS + 1; i++) {
    for (int r = 0; r < ROWS; r++) index[r] = i;
    ck_assert_int_eq(trb_sample(NULL, &m.s.view, &m.t.view, b, &o, d), TRB_OK);
    for (int r = 0; r < ROWS; r++) {
      ck_assert(d[r].token == 3 || d[r].token == 4 || d[r].token == 5);
      ck_assert(d[r].kept == 3);
    }
  }
  models_free(&m);
}
END_TEST

/* ---- Keys ---- */

/* A draw depends on (seed, stream, index, purpose) alone: not on its row, nor on the batch. */
START_TEST(test_draw_depends_on_its_key_alone) {
  enum { ROWS = 64 };
  rng g = {81};
  models m = models_new(ROWS, 200, TRB_F32, TRB_F32, 0.0f, 0.0f);
  for (int64_t r = 0; r < ROWS; r++) {
    rng same = {99};
    models_fill_row(&m, r, &same, FAMILY_GAUSSIAN);
  }
  uint64_t stream[ROWS];
  int64_t index[ROWS];
  for (int r = 0; r < ROWS; r++) {
    stream[r] = rng_next(&g) % 5;
    index[r] = rng_between(&g, 0, 3);
  }
  double beta = 0.5;
  trb_blend b[ROWS];
  trb_draw all[ROWS], alone;
  trb_sampler o = {sizeof o, 6, stream, index, 0, 0, 0, 0, 0};
  ck_assert_int_eq(trb_blend_at(NULL, &m.s.view, &m.t.view, &beta, 1, b), TRB_OK);
  ck_assert_int_eq(trb_sample(NULL, &m.s.view, &m.t.view, b, &o, all), TRB_OK);
  int different = 0;
  for (int64_t r = 0; r < ROWS; r++) {
    trb_logits s = matrix_rows(&m.s.view, r, 1), t = matrix_rows(&m.t.view, r, 1);
    trb_sampler one = o;
    one.stream = &stream[r];
    one.index = &index[r];
    ck_assert_int_eq(trb_sample(NULL, &s, &t, &b[r], &one, &alone), TRB_OK);
    ck_assert_mem_eq(&alone, &all[r], sizeof alone);
    for (int64_t k = 0; k < r; k++) {
      if (stream[k] == stream[r] && index[k] == index[r]) ck_assert_mem_eq(&all[k], &all[r], sizeof alone);
      different += all[k].token != all[r].token;
    }
  }
  ck_assert_int_gt(different, 1000);
  models_free(&m);
}
END_TEST

/* NULL streams are row numbers, NULL indices are 0, NULL options are seed 0 without filters. */
START_TEST(test_defaults) {
  rng g = {82};
  models m = models_random(&g, FAMILY_GAUSSIAN, 8, 500, TRB_F32);
  double beta = 0.5;
  trb_blend b[8];
  trb_draw x[8], y[8];
  uint64_t stream[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  int64_t index[8] = {0};
  trb_sampler o = {sizeof o, 0, stream, index, 0, 0, 0, 0, 0};
  trb_blend_at(NULL, &m.s.view, &m.t.view, &beta, 1, b);
  ck_assert_int_eq(trb_sample(NULL, &m.s.view, &m.t.view, b, &o, x), TRB_OK);
  ck_assert_int_eq(trb_sample(NULL, &m.s.view, &m.t.view, b, NULL, y), TRB_OK);
  ck_assert_mem_eq(x, y, sizeof x);
  o.top_p = 1.0; /* keeps everything */
  ck_assert_int_eq(trb_sample(NULL, &m.s.view, &m.t.view, b, &o, y), TRB_OK);
  for (int r = 0; r < 8; r++) ck_assert(x[r].token == y[r].token && y[r].kept == 500);
  trb_logits none = {NULL, 0, 5, 5, TRB_F32, 0.0f};
  ck_assert_int_eq(trb_sample(NULL, &none, NULL, b, NULL, y), TRB_OK);
  models_free(&m);
}
END_TEST

/* ---- Rows ---- */

START_TEST(test_bad_rows) {
  models m = models_new(5, 12, _i, _i, 0.0f, 0.0f);
  for (int64_t r = 0; r < 5; r++) {
    rng same = {85};
    models_fill_row(&m, r, &same, FAMILY_GAUSSIAN);
  }
  double beta = 0.5;
  trb_blend b[5];
  trb_draw good[5], d[5];
  uint64_t stream[5] = {3, 3, 3, 3, 3};
  trb_sampler o = {sizeof o, 0, stream, NULL, 0, 0, 0, 0, 0};
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  ck_assert_int_eq(trb_blend_at(ctx, &m.s.view, &m.t.view, &beta, 1, b), TRB_OK);
  ck_assert_int_eq(trb_sample(ctx, &m.s.view, &m.t.view, b, &o, good), TRB_OK);
  b[1].status = TRB_ROW_EMPTY;
  b[2].beta = (double)NAN;
  matrix_set(&m.s, 3, 11, (double)NAN);
  ck_assert_int_eq(trb_sample(ctx, &m.s.view, &m.t.view, b, &o, d), TRB_EROWS);
  ck_assert_str_ne(trb_context_error(ctx), "");
  const int32_t status[5] = {TRB_ROW_OK, TRB_ROW_EMPTY, TRB_ROW_NOT_A_NUMBER, TRB_ROW_NOT_A_NUMBER, TRB_ROW_OK};
  for (int r = 0; r < 5; r++) {
    ck_assert_int_eq(d[r].status, status[r]);
    if (status[r] < 0) {
      ck_assert_int_eq(d[r].token, -1);
    } else {
      ck_assert_mem_eq(&d[r], &good[r], sizeof d[r]);
    }
  }
  trb_context_free(ctx);
  models_free(&m);
}
END_TEST

/* A token that the teacher masks, drawn from p. */
START_TEST(test_log_teacher_of_masked_token) {
  const double s[2] = {0.0, -30.0}, t[2] = {NO, 0.0};
  models m = row_of(s, t, 2, _i);
  trb_draw d = draw_one(&m, 0.0, NULL);
  ck_assert(d.token == 0 && isinf(d.log_teacher) && d.log_teacher < 0 && d.kept == 2);
  assert_near(d.log_student, 0.0L, 1e-6, "almost certain");
  models_free(&m);
}
END_TEST

TCase *sample_draws_case(void) {
  TCase *tc = long_case("draws");
  tcase_add_test(tc, test_philox_reference);
  tcase_add_loop_test(tc, test_inverse_of_philox, 0, 4);
  tcase_add_test(tc, test_extreme_uniforms);
  tcase_add_test(tc, test_very_large_vocabulary);
  tcase_add_loop_test(tc, test_masked_tokens_are_never_drawn, 0, 3);
  tcase_add_test(tc, test_draw_depends_on_its_key_alone);
  tcase_add_test(tc, test_defaults);
  tcase_add_loop_test(tc, test_bad_rows, 0, 3);
  tcase_add_loop_test(tc, test_log_teacher_of_masked_token, 0, 3);
  return tc;
}
