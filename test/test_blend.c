/* test_blend.c - trb_blend_at and trb_write_blend against the oracle. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check_solve.h"
#include "suites.h"
#include "common.h"

static double random_beta(rng *g) {
  static const double corners[] = {0.0, 1.0, DBL_MIN, 1e-100, 1e-12, 1.0 - 0x1p-53, 0.5};
  if (rng_chance(g, 0.3)) return corners[rng_next(g) % (sizeof corners / sizeof corners[0])];
  return rng_chance(g, 0.5) ? rng_uniform(g) : rng_scale(g, 1e-8, 1.0);
}

static bool supports_meet(const oracle *o) {
  for (int64_t v = 0; v < o->n; v++) {
    if (!isinf(o->s[v]) && !isinf(o->t[v])) return true;
  }
  return false;
}

/* Loop tests run over all families. */
START_TEST(test_blend_at) {
  rng g = {0xB1E0 + (uint64_t)_i};
  solve_worst worst = {0};
  for (int64_t i = 0; i < scaled(400); i++) {
    int64_t vocab = family_vocab(&g, _i);
    models m = models_varied(&g, 3, vocab, 0);
    m.s.view.temperature = i % 3 ? 0.0f : 0.7f;
    m.t.view.temperature = i % 4 ? 0.0f : 1.9f;
    double beta[3];
    trb_blend out[3];
    for (int64_t r = 0; r < 3; r++) {
      models_fill_row(&m, r, &g, _i);
      beta[r] = random_beta(&g);
    }
    oracle o = oracle_new(vocab);
    trb_status status = trb_blend_at(NULL, &m.s.view, &m.t.view, beta, 3, out), expected = TRB_OK;
    for (int64_t r = 0; r < 3; r++) {
      oracle_load(&o, &m.s.view, &m.t.view, r);
      if (o.bad) {
        expected = TRB_EROWS;
        ck_assert(out[r].status == o.bad && isnan(out[r].beta) && isnan(out[r].log_norm));
        continue;
      }
      bool unreachable = beta[r] > 0.0 && !supports_meet(&o);
      ck_assert_int_eq(out[r].status, unreachable ? TRB_ROW_UNREACHABLE : TRB_ROW_GIVEN);
      ck_assert(out[r].beta == (unreachable ? 0.0 : beta[r]));
      solve_problem problem = {&o, (double)INFINITY, 0.0,
                               describe("%s %d row %d beta %.17g vocab %d dtypes %d %d", family_name(_i), (int)i,
                                        (int)r, beta[r], (int)vocab, m.s.view.dtype, m.t.view.dtype)};
      solve_check_fields(&problem, &out[r], &worst);
    }
    ck_assert_int_eq(status, expected);
    oracle_free(&o);
    models_free(&m);
  }
  solve_report(family_name(_i), &worst);
}
END_TEST

/* The record of a solved beta is the record of that beta given. */
START_TEST(test_blend_at_solved_beta) {
  rng g = {0xB1F0 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(100); i++) {
    models m = models_random(&g, FAMILY_CORRELATED, 1, rng_size(&g, 2, 300), _i);
    double budget = rng_scale(&g, 1e-6, 10.0);
    trb_blend solved, given;
    ck_assert_int_eq(trb_solve(NULL, &m.s.view, &m.t.view, &budget, 1, NULL, &solved), TRB_OK);
    ck_assert_int_eq(trb_blend_at(NULL, &m.s.view, &m.t.view, &solved.beta, 1, &given), TRB_OK);
    assert_near(given.kl_student, (long double)solved.kl_student, 2e-6 * solved.kl_student, "kl_student");
    assert_near(given.kl_teacher, (long double)solved.kl_teacher, 2e-6 * (1 + solved.kl_teacher), "kl_teacher");
    assert_near(given.log_norm, (long double)solved.log_norm, 2e-6, "log_norm");
    ck_assert(given.reverse_kl == solved.reverse_kl && given.lse_student == solved.lse_student);
    models_free(&m);
  }
}
END_TEST

START_TEST(test_blend_at_edges) {
  trb_logits none = {NULL, 0, 3, 3, _i, 0.0f};
  double zero = 0.0, half = 0.5;
  trb_blend b[2];
  ck_assert_int_eq(trb_blend_at(NULL, &none, &none, &half, 1, NULL), TRB_OK);
  ck_assert_int_eq(trb_blend_at(NULL, &none, NULL, NULL, 0, NULL), TRB_OK);
  matrix s = matrix_new(2, 3, 0, _i, 2.0f);
  matrix_fill(&s, 1.0);
  ck_assert_int_eq(trb_blend_at(NULL, &s.view, NULL, &zero, 1, b), TRB_OK);
  ck_assert_mem_eq(&b[0], &b[1], sizeof b[0]);
  ck_assert(b[0].status == TRB_ROW_GIVEN && b[0].beta == 0.0 && isnan(b[0].kl_teacher) && b[0].kl_student == 0.0);
  assert_near(b[0].lse_student, logl(3) + 0.5L, 3e-7, "three equal tokens");
  matrix_free(&s);
}
END_TEST

/* ---- trb_write_blend ---- */

/* Compares a written row; -inf where mu is 0 and beyond the common vocabulary. */
static void check_written(const oracle *o, const trb_blend *b, const matrix *out, int64_t row, const char *where) {
  oracle_blend e = oracle_blend_at(o, b->beta);
  for (int64_t v = 0; v < out->view.vocab; v++) {
    double got = matrix_get(&out->view, row, v);
    long double want = v < o->n ? oracle_log_mu(o, b->beta, &e, v) : -(long double)INFINITY;
    double magnitude = (double)(fabsl(o->top_s) + (o->has_teacher ? fabsl(o->top_t) : 0) + fabsl(want));
    if (out->view.dtype == TRB_F16 && want < -65520.0L) want = -(long double)INFINITY; /* beyond the type */
    if (isinf(want)) {
      ck_assert_msg(isinf(got) && got < 0, "%s token %d: %g where mu is 0", where, (int)v, got);
      continue;
    }
    /* log_norm; two roundings to f32 (logarithm to base 2, then natural), and one to the type. */
    double tolerance = 6e-7 + 1e-15 * magnitude + 0x1p-23 * (double)fabsl(want) +
                       1.001 * dtype_rounding(out->view.dtype, (double)want);
    assert_near(got, want, tolerance, "%s token %d beta %.17g", where, (int)v, b->beta);
  }
}

START_TEST(test_write_blend) {
  rng g = {0x4B1E + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(150); i++) {
    int64_t vocab = family_vocab(&g, _i);
    models m = models_varied(&g, 2, vocab, 0);
    m.s.view.temperature = i % 3 ? 0.0f : 0.7f;
    m.t.view.temperature = i % 4 ? 0.0f : 1.9f;
    matrix out = matrix_new(2, vocab + rng_between(&g, 0, 40), vocab + 41, (int32_t)(i % 3), 5.0f);
    double beta[2];
    for (int r = 0; r < 2; r++) beta[r] = random_beta(&g);
    trb_blend b[2];
    for (int64_t r = 0; r < 2; r++) models_fill_row(&m, r, &g, _i);
    trb_status status = trb_blend_at(NULL, &m.s.view, &m.t.view, beta, 2, b);
    ck_assert_int_eq(trb_write_blend(NULL, &m.s.view, &m.t.view, b, &out.view), status);
    oracle o = oracle_new(vocab);
    for (int64_t r = 0; r < 2; r++) {
      oracle_load(&o, &m.s.view, &m.t.view, r);
      if (!o.bad) check_written(&o, &b[r], &out, r, describe("%s %d row %d", family_name(_i), (int)i, (int)r));
      for (int64_t v = 0; o.bad && v < out.view.vocab; v++) ck_assert(isnan(matrix_get(&out.view, r, v)));
    }
    ck_assert(matrix_guarded(&out) && matrix_gaps_intact(&out));
    oracle_free(&o);
    matrix_free(&out);
    models_free(&m);
  }
}
END_TEST

/* Into the student's and into the teacher's own buffer: the same bits as into a third one. */
START_TEST(test_write_blend_in_place) {
  rng g = {0x4B2E};
  static const int64_t sizes[] = {1, 7, 300, 1024, 1025, 3000};
  for (int k = 0; k < 6; k++) {
    models m = models_random(&g, FAMILY_MASK_BOTH, 3, sizes[k], _i);
    double beta = 0.3;
    trb_blend b[3];
    trb_blend_at(NULL, &m.s.view, &m.t.view, &beta, 1, b);
    matrix out = matrix_new(3, sizes[k], 0, _i, 0.0f);
    for (int who = 0; who < 2; who++) {
      models n = {matrix_copy(&m.s), matrix_copy(&m.t)};
      matrix *own = who ? &n.t : &n.s;
      ck_assert_int_eq(trb_write_blend(NULL, &m.s.view, &m.t.view, b, &out.view), TRB_OK);
      ck_assert_int_eq(trb_write_blend(NULL, &n.s.view, &n.t.view, b, &own->view), TRB_OK);
      ck_assert_mem_eq(own->block, out.block, out.bytes);
      models_free(&n);
    }
    matrix_free(&out);
    models_free(&m);
  }
}
END_TEST

/* Without a teacher, and with rows that hold no result: those stay as they were. */
START_TEST(test_write_blend_rows) {
  rng g = {0x4B3E};
  models m = models_random(&g, FAMILY_GAUSSIAN, 4, 20, _i);
  matrix_set(&m.s, 2, 19, (double)NAN);
  matrix out = matrix_new(4, 20, 0, TRB_F32, 0.0f);
  matrix_fill(&out, 9.0);
  double zero = 0.0;
  trb_blend b[4];
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  ck_assert_int_eq(trb_blend_at(ctx, &m.s.view, NULL, &zero, 1, b), TRB_EROWS);
  ck_assert_int_eq(trb_write_blend(ctx, &m.s.view, NULL, b, &out.view), TRB_EROWS);
  ck_assert_str_ne(trb_context_error(ctx), "");
  oracle o = oracle_new(20);
  for (int64_t r = 0; r < 4; r++) {
    oracle_load(&o, &m.s.view, NULL, r);
    if (r != 2) check_written(&o, &b[r], &out, r, "no teacher");
    for (int64_t v = 0; v < 20 && r == 2; v++) ck_assert(matrix_get(&out.view, r, v) == 9.0);
  }
  b[1].beta = (double)NAN; /* a NaN in a blend spoils its row alone */
  ck_assert_int_eq(trb_write_blend(ctx, &m.s.view, NULL, b, &out.view), TRB_EROWS);
  trb_logits none = {NULL, 0, 20, 20, TRB_F32, 0.0f};
  ck_assert_int_eq(trb_write_blend(ctx, &none, NULL, b, &none), TRB_OK);
  trb_context_free(ctx);
  oracle_free(&o);
  matrix_free(&out);
  models_free(&m);
}
END_TEST

/* Different vocabularies: the common part is mu, the rest of a longer output is -inf. */
START_TEST(test_write_blend_sizes) {
  for (int larger = 0; larger < 2; larger++) {
    models m = {matrix_new(1, larger ? 30 : 50, 0, _i, 0.0f), matrix_new(1, larger ? 50 : 30, 0, _i, 0.0f)};
    rng g = {5};
    models_fill_row(&m, 0, &g, FAMILY_GAUSSIAN);
    oracle o = oracle_new(50);
    oracle_load(&o, &m.s.view, &m.t.view, 0);
    for (int64_t vocab = 30; vocab <= 70; vocab += 20) {
      matrix out = matrix_new(1, vocab, 0, TRB_F32, 0.0f);
      double beta = 0.25;
      trb_blend b;
      ck_assert_int_eq(trb_blend_at(NULL, &m.s.view, &m.t.view, &beta, 1, &b), TRB_OK);
      ck_assert_int_eq(trb_write_blend(NULL, &m.s.view, &m.t.view, &b, &out.view), TRB_OK);
      check_written(&o, &b, &out, 0, "sizes");
      ck_assert(matrix_guarded(&out));
      matrix_free(&out);
    }
    oracle_free(&o);
    models_free(&m);
  }
}
END_TEST

Suite *blend_suite(void) {
  Suite *suite = suite_create("blend");
  TCase *tc = long_case("blend_at");
  tcase_add_loop_test(tc, test_blend_at, 0, FAMILIES);
  tcase_add_loop_test(tc, test_blend_at_solved_beta, 0, 3);
  tcase_add_loop_test(tc, test_blend_at_edges, 0, 3);
  suite_add_tcase(suite, tc);
  tc = long_case("write_blend");
  tcase_add_loop_test(tc, test_write_blend, 0, FAMILIES);
  tcase_add_loop_test(tc, test_write_blend_in_place, 0, 3);
  tcase_add_loop_test(tc, test_write_blend_rows, 0, 3);
  tcase_add_loop_test(tc, test_write_blend_sizes, 0, 3);
  suite_add_tcase(suite, tc);
  return suite;
}
