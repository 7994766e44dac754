/* test_diagnostics_entropy.c - trb_entropy against long double; its bad rows and its errors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "oracle_behavior.h"
#include "suites.h"

enum { ROWS = 5 };

/* Rows with guard values on both sides. */
typedef struct answer {
  double before, entropy[ROWS], after;
} answer;

static const answer poison = {-1.5, {-2.5, -2.5, -2.5, -2.5, -2.5}, -3.5};

/* An f32 exponential and a sum of them are good to 3e-7 each. */
static void check_rows(const trb_logits *view, const answer *x, const char *what) {
  oracle o = oracle_new(view->vocab);
  ck_assert(x->before == poison.before && x->after == poison.after);
  for (int64_t r = 0; r < view->rows; r++) {
    oracle_load(&o, view, NULL, r);
    const long double want = o.bad ? (long double)NAN : oracle_entropy_student(&o);
    assert_near(x->entropy[r], want, o.bad ? 0 : 1e-6 * (1 + (double)want), "%s row %d", what, (int)r);
    ck_assert(o.bad || x->entropy[r] >= 0.0);
  }
  oracle_free(&o);
}

static bool has_bad_row(const answer *x) {
  for (int r = 0; r < ROWS; r++)
    if (isnan(x->entropy[r])) return true;
  return false;
}

/* Loop tests run over the families of rows, both models' part of each. */
START_TEST(test_families) {
  static const float temperatures[] = {0.0f, 0.3f, 2.0f};
  rng g = {0x461 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(20); i++) {
    models m = models_varied(&g, ROWS, family_vocab(&g, _i), 0);
    m.s.view.temperature = temperatures[i % 3];
    for (int64_t r = 0; r < ROWS; r++) models_fill_row(&m, r, &g, _i);
    matrix wide = matrix_convert(&m.s, m.s.view.vocab + 7, m.s.view.dtype);
    const trb_logits *views[] = {&m.s.view, &m.t.view, &wide.view};
    answer narrow = poison;
    for (int k = 0; k < 3; k++) {
      answer x = poison;
      const trb_status status = trb_entropy(NULL, views[k], x.entropy);
      check_rows(views[k], &x, family_name(_i));
      ck_assert_int_eq(status, has_bad_row(&x) ? TRB_EROWS : TRB_OK);
      if (k == 0) narrow = x;
      if (k == 2) ck_assert_mem_eq(&x, &narrow, sizeof x);
    }
    matrix_free(&wide);
    models_free(&m);
  }
}
END_TEST

/* Exact ones: one token, one token that is not masked, equal ones. */
START_TEST(test_known_values) {
  for (int64_t n = 1; n <= 3000; n = 3 * n + 1) {
    matrix m = matrix_new(3, n, 0, _i, 0.0f);
    double x[3];
    matrix_fill(&m, 1.5);
    for (int64_t v = 0; v < n; v++) matrix_set(&m, 1, v, v == n / 2 ? -7.0 : -(double)INFINITY);
    for (int64_t v = 0; v < n; v++) matrix_set(&m, 2, v, v % 2 == 0 ? 0.0 : -(double)INFINITY);
    ck_assert_int_eq(trb_entropy(NULL, &m.view, x), TRB_OK);
    assert_near(x[0], logl((long double)n), 1e-9, "%d equal ones", (int)n);
    ck_assert(x[1] == 0.0);
    assert_near(x[2], logl((long double)(n / 2 + n % 2)), 1e-9, "every second of %d", (int)n);
    matrix_free(&m);
  }
}
END_TEST

/* NaN, +inf and nothing but masks: NaN for the row, the others computed, a text that counts and names them. */
START_TEST(test_bad_rows) {
  const double faults[3] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
  trb_context *ctx = context_with(2, TRB_ISA_AUTO);
  rng g = {0x471};
  models m = models_random(&g, FAMILY_GAUSSIAN, ROWS, 1100, _i);
  for (int64_t r = 1; r < 4; r++) {
    for (int64_t v = r == 3 ? 0 : 1050; v < (r == 3 ? 1100 : 1051); v++) matrix_set(&m.s, r, v, faults[r - 1]);
  }
  answer x = poison;
  ck_assert_int_eq(trb_entropy(ctx, &m.s.view, x.entropy), TRB_EROWS);
  check_rows(&m.s.view, &x, "bad rows");
  for (int64_t r = 0; r < ROWS; r++) ck_assert(isnan(x.entropy[r]) == (r >= 1 && r < 4));
  const char *text = trb_context_error(ctx);
  ck_assert_msg(strstr(text, "3 of 5 rows") && strstr(text, "row 1") && strstr(text, "TRB_ROW_NOT_A_NUMBER"), "%s",
                text);
  models_free(&m);
  trb_context_free(ctx);
}
END_TEST

/* ---- Errors ---- */

typedef struct argument {
  trb_logits view;
  const trb_logits *logits;
  double *out;
} argument;

typedef void (*spoil_fn)(argument *a);

#define SPOIL(name, change)                                                                                            \
  static void name(argument *a) {                                                                                      \
    change;                                                                                                            \
  }
SPOIL(logits_null, a->logits = NULL)
SPOIL(out_null, a->out = NULL)
SPOIL(out_inside, a->out = (double *)(void *)((char *)a->view.data + 8))
SPOIL(rows_negative, a->view.rows = -1)
SPOIL(no_vocab, a->view.vocab = 0)
SPOIL(short_stride, a->view.stride = a->view.vocab - 1)
SPOIL(dtype_high, a->view.dtype = 3)
SPOIL(dtype_low, a->view.dtype = -1)
SPOIL(no_data, a->view.data = NULL)
SPOIL(misaligned, a->view.data = (char *)a->view.data + 2)
SPOIL(overflow, a->view.stride = INT64_MAX / 2)
SPOIL(negative_temperature, a->view.temperature = -1.0f)
SPOIL(nan_temperature, a->view.temperature = NAN)

START_TEST(test_errors) {
  static const struct {
    spoil_fn spoil;
    const char *name;
  } list[] = {{logits_null, "logits:"},   {out_null, "out:"},    {out_inside, "out"},
              {rows_negative, "logits"},  {no_vocab, "logits"},  {short_stride, "logits"},
              {dtype_high, "logits"},     {dtype_low, "logits"}, {no_data, "logits"},
              {misaligned, "logits"},     {overflow, "logits"},  {negative_temperature, "logits"},
              {nan_temperature, "logits"}};
  rng g = {0x481};
  models m = models_random(&g, FAMILY_GAUSSIAN, ROWS, 20, TRB_F32);
  matrix copy = matrix_copy(&m.s);
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
    for (int with_context = 0; with_context < 2; with_context++) {
      trb_context *ctx = with_context ? context_with(1, TRB_ISA_AUTO) : NULL;
      answer x = poison;
      argument a = {m.s.view, NULL, x.entropy};
      a.logits = &a.view;
      list[i].spoil(&a);
      ck_assert_int_eq(trb_entropy(ctx, a.logits, a.out), TRB_EINVAL);
      ck_assert_mem_eq(&x, &poison, sizeof x);
      ck_assert_mem_eq(m.s.block, copy.block, copy.bytes);
      ck_assert_msg(!ctx || strncmp(trb_context_error(ctx), list[i].name, strlen(list[i].name)) == 0,
                    "\"%s\" does not begin with %s", trb_context_error(ctx), list[i].name);
      trb_context_free(ctx);
    }
  const trb_logits none = {NULL, 0, 5, 5, TRB_F32, 0.0f};
  ck_assert_int_eq(trb_entropy(NULL, &none, NULL), TRB_OK);
  matrix_free(&copy);
  models_free(&m);
}
END_TEST

TCase *entropy_case(void) {
  TCase *tc = long_case("entropy");
  tcase_add_loop_test(tc, test_families, 0, FAMILIES);
  tcase_add_loop_test(tc, test_known_values, 0, 3);
  tcase_add_loop_test(tc, test_bad_rows, 0, 3);
  tcase_add_test(tc, test_errors);
  return tc;
}
