/* Masks and merges of tokens, against sums of probabilities in long double. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "families.h"
#include "matrix.h"
#include "suites.h"
#include "common.h"

static const int32_t dtypes[] = {TRB_F32, TRB_F16, TRB_BF16};
enum { DTYPES = 3 };

static trb_context *new_context(int64_t threads) {
  trb_context *ctx = context_with(threads, TRB_ISA_AUTO);
  ck_assert_ptr_nonnull(ctx);
  return ctx;
}

static matrix random_matrix(rng *g, int64_t rows, int64_t vocab, int64_t stride, int32_t dtype, float temperature) {
  matrix m = matrix_new(rows, vocab, stride, dtype, temperature);
  double spread = rng_scale(g, 0.1, 30.0);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t v = 0; v < vocab; v++) matrix_set(&m, r, v, rng_chance(g, 0.1) ? -INFINITY : spread * rng_normal(g));
  }
  return m;
}

static bool same_bytes(const matrix *a, const matrix *b) {
  return a->bytes == b->bytes && memcmp(a->block, b->block, a->bytes) == 0;
}

/* ---- Masks ---- */

START_TEST(masks_nothing_but_the_given) {
  static const int64_t ids[] = {4, 0, 4, 8};
  rng g = {1};
  for (int d = 0; d < DTYPES; d++) {
    matrix m = random_matrix(&g, 3, 9, 12, dtypes[d], 0.7f), before = matrix_copy(&m);
    ck_assert_int_eq(trb_mask_tokens(NULL, &m.view, ids, 0), TRB_OK);
    ck_assert_int_eq(trb_mask_tokens(NULL, &m.view, NULL, 0), TRB_OK);
    ck_assert(same_bytes(&m, &before));
    ck_assert_int_eq(trb_mask_tokens(NULL, &m.view, ids, 4), TRB_OK);
    for (int64_t r = 0; r < 3; r++) {
      for (int64_t v = 0; v < 9; v++) {
        double expected = v == 0 || v == 4 || v == 8 ? -INFINITY : matrix_get(&before.view, r, v);
        ck_assert(matrix_get(&m.view, r, v) == expected);
      }
    }
    ck_assert(matrix_guarded(&m) && matrix_gaps_intact(&m));
    matrix_free(&m);
    matrix_free(&before);
  }
}
END_TEST

START_TEST(no_rows_are_fine) {
  static const int64_t ids[] = {0}, to[] = {1};
  trb_logits view = {NULL, 0, 2, 2, TRB_F32, 0.0f};
  ck_assert_int_eq(trb_mask_tokens(NULL, &view, ids, 1), TRB_OK);
  ck_assert_int_eq(trb_merge_tokens(NULL, &view, ids, to, 1), TRB_OK);
}
END_TEST

/* ---- Merges ---- */

/* T log(e^(a/T) + e^(b/T)) */
static long double sum_of(long double a, long double b, long double temperature) {
  long double high = fmaxl(a, b), low = fminl(a, b);
  if (low == -INFINITY) return high;
  return high + temperature * log1pl(expl((low - high) / temperature));
}

/* One rounding to float and one to the dtype. */
static double rounding(int32_t dtype, long double exact) {
  return dtype_rounding(dtype, (double)exact) * 1.001 + dtype_rounding(TRB_F32, (double)exact) * 1.001;
}

static void check_merge(double a, double b, float temperature, int32_t dtype) {
  static const int64_t from = 2, to = 0;
  matrix m = matrix_new(1, 3, 5, dtype, temperature);
  matrix_set(&m, 0, 0, a);
  matrix_set(&m, 0, 1, 0.5);
  matrix_set(&m, 0, 2, b);
  long double t = temperature == 0.0f ? 1.0L : (long double)temperature;
  long double exact = sum_of(matrix_get(&m.view, 0, 0), matrix_get(&m.view, 0, 2), t);
  ck_assert_int_eq(trb_merge_tokens(NULL, &m.view, &from, &to, 1), TRB_OK);
  ck_assert(matrix_get(&m.view, 0, 2) == -INFINITY);
  ck_assert(matrix_get(&m.view, 0, 1) == 0.5);
  assert_near(matrix_get(&m.view, 0, 0), exact, exact == -INFINITY ? 0.0 : rounding(dtype, exact),
              "%g and %g at temperature %g, dtype %d", a, b, (double)temperature, dtype);
  ck_assert(matrix_guarded(&m) && matrix_gaps_intact(&m));
  matrix_free(&m);
}

START_TEST(merges_add_probabilities) {
  static const float temperatures[] = {0.0f, 1.0f, 0.2f, 3.0f, 1e-3f, 1e3f};
  static const double values[] = {0.0, 1.0, -1.0, 3.25, -7.5, 80.0, -90.0, 1e-3, 300.0, -2000.0, -INFINITY};
  enum { VALUES = sizeof values / sizeof values[0] };
  rng g = {2};
  for (int d = 0; d < DTYPES; d++) {
    for (size_t t = 0; t < sizeof temperatures / sizeof temperatures[0]; t++) {
      for (int i = 0; i < VALUES * VALUES; i++) {
        check_merge(values[i % VALUES], values[i / VALUES], temperatures[t], dtypes[d]);
      }
      for (int64_t i = 0; i < scaled(100); i++) {
        double spread = rng_scale(&g, 1e-3, 100.0);
        check_merge(spread * rng_normal(&g), spread * rng_normal(&g), temperatures[t], dtypes[d]);
      }
    }
  }
}
END_TEST

START_TEST(merges_take_extremes) {
  static const double values[] = {1e30, -1e30, 3e38, -3e38, 0x1p-149, -0x1p-149, 0x1p-126};
  enum { VALUES = sizeof values / sizeof values[0] };
  for (int i = 0; i < VALUES * VALUES; i++) {
    check_merge(values[i % VALUES], values[i / VALUES], 1.0f, TRB_F32);
    check_merge(values[i % VALUES], values[i / VALUES], 1e-38f, TRB_F32);
    check_merge(values[i % VALUES], values[i / VALUES], 1.0f, TRB_BF16);
  }
}
END_TEST

/* Where nothing or all of the probability moves, `to` ends with exact bits, -0 and subnormal numbers included. */
START_TEST(masked_sides_are_exact) {
  static const double values[] = {0.0, -0.0, 1.5, -0x1p-24, 0x1p-20, -1000.0, -INFINITY};
  static const int64_t from = 1, to = 0;
  for (int d = 0; d < DTYPES; d++) {
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
      for (int masked = 0; masked < 2; masked++) {
        matrix m = matrix_new(1, 2, 0, dtypes[d], 0.3f);
        matrix_set(&m, 0, masked, -INFINITY);
        matrix_set(&m, 0, 1 - masked, values[i]);
        double before = matrix_get(&m.view, 0, 1 - masked);
        ck_assert_int_eq(trb_merge_tokens(NULL, &m.view, &from, &to, 1), TRB_OK);
        double after = matrix_get(&m.view, 0, 0);
        ck_assert(after == before && !signbit(after) == !signbit(before));
        ck_assert(matrix_get(&m.view, 0, 1) == -INFINITY);
        matrix_free(&m);
      }
    }
  }
}
END_TEST

START_TEST(invalid_logits_reach_the_target) {
  static const double values[] = {1.0, -INFINITY, INFINITY, NAN};
  static const int64_t from = 1, to = 0;
  for (int d = 0; d < DTYPES; d++) {
    for (int i = 0; i < 16; i++) {
      double a = values[i % 4], b = values[i / 4];
      if (i % 4 < 2 && i / 4 < 2) continue;
      matrix m = matrix_new(1, 2, 0, dtypes[d], 0.0f);
      matrix_set(&m, 0, 0, a);
      matrix_set(&m, 0, 1, b);
      ck_assert_int_eq(trb_merge_tokens(NULL, &m.view, &from, &to, 1), TRB_OK);
      double after = matrix_get(&m.view, 0, 0);
      ck_assert(isnan(a) || isnan(b) ? isnan(after) : after == INFINITY);
      ck_assert(matrix_get(&m.view, 0, 1) == -INFINITY);
      matrix_free(&m);
    }
  }
}
END_TEST

START_TEST(pairs_apply_in_order) {
  static const int64_t from[] = {0, 1, 3, 2}, to[] = {1, 2, 4, 3}; /* 0 and 1 end in 3; 3 went to 4 before */
  for (int d = 0; d < DTYPES; d++) {
    rng g = {3};
    matrix m = matrix_new(4, 5, 7, dtypes[d], 0.6f), before;
    for (int64_t r = 0; r < 4; r++) {
      for (int64_t v = 0; v < 5; v++) matrix_set(&m, r, v, 3.0 * rng_normal(&g));
    }
    before = matrix_copy(&m);
    ck_assert_int_eq(trb_merge_tokens(NULL, &m.view, from, to, 4), TRB_OK);
    for (int64_t r = 0; r < 4; r++) {
      long double x[5], t = (long double)0.6f;
      for (int64_t v = 0; v < 5; v++) x[v] = matrix_get(&before.view, r, v);
      long double three = sum_of(sum_of(x[0], x[1], t), x[2], t), four = sum_of(x[3], x[4], t);
      for (int64_t v = 0; v < 3; v++) ck_assert(matrix_get(&m.view, r, v) == -INFINITY);
      assert_near(matrix_get(&m.view, r, 3), three, 3 * rounding(dtypes[d], fabsl(three) + 2), "three moves");
      assert_near(matrix_get(&m.view, r, 4), four, rounding(dtypes[d], four), "one move");
    }
    ck_assert(matrix_guarded(&m) && matrix_gaps_intact(&m));
    matrix_free(&m);
    matrix_free(&before);
  }
}
END_TEST

/* A token goes out and comes back: nothing is lost but roundings. */
START_TEST(moves_may_be_undone) {
  static const int64_t from[] = {0, 1}, to[] = {1, 0};
  matrix m = matrix_new(1, 2, 0, TRB_F32, 0.0f);
  matrix_set(&m, 0, 0, -2.5);
  matrix_set(&m, 0, 1, -INFINITY);
  ck_assert_int_eq(trb_merge_tokens(NULL, &m.view, from, to, 2), TRB_OK);
  ck_assert(matrix_get(&m.view, 0, 0) == -2.5);
  ck_assert(matrix_get(&m.view, 0, 1) == -INFINITY);
  matrix_free(&m);
}
END_TEST

START_TEST(threads_give_the_same_bits) {
  static const int64_t ids[] = {3, 17, 99}, from[] = {1, 2, 50, 7}, to[] = {0, 0, 98, 2};
  for (int d = 0; d < DTYPES; d++) {
    rng g = {4};
    matrix start = random_matrix(&g, 200, 100, 103, dtypes[d], 0.8f), expected = matrix_copy(&start);
    ck_assert_int_eq(trb_mask_tokens(NULL, &expected.view, ids, 3), TRB_OK);
    ck_assert_int_eq(trb_merge_tokens(NULL, &expected.view, from, to, 4), TRB_OK);
    for (int64_t threads = 1; threads <= 8; threads = threads < 3 ? threads + 1 : threads + 5) {
      for (int own = 0; own < 2; own++) {
        trb_context *ctx = own ? context_on_caller_threads(threads) : new_context(threads);
        matrix m = matrix_copy(&start);
        ck_assert_int_eq(trb_mask_tokens(ctx, &m.view, ids, 3), TRB_OK);
        ck_assert_int_eq(trb_merge_tokens(ctx, &m.view, from, to, 4), TRB_OK);
        ck_assert(same_bytes(&m, &expected));
        ck_assert_str_eq(trb_context_error(ctx), "");
        matrix_free(&m);
        trb_context_free(ctx);
      }
    }
    matrix_free(&start);
    matrix_free(&expected);
  }
}
END_TEST

/* ---- Contract ---- */

/* Both calls, or merge alone, are refused with texts that begin as given, and no byte of `m` changes. */
typedef struct refusal {
  const matrix *m;
  matrix before;
  trb_context *ctx;
} refusal;

static refusal expect_refusals(const matrix *m) {
  return (refusal){m, matrix_copy(m), new_context(2)};
}

static void end_refusals(refusal *r) {
  matrix_free(&r->before);
  trb_context_free(r->ctx);
}

static void check_text(const refusal *r, trb_status status, const char *text) {
  ck_assert_int_eq(status, TRB_EINVAL);
  ck_assert_msg(strncmp(trb_context_error(r->ctx), text, strlen(text)) == 0, "\"%s\" does not begin with \"%s\"",
                trb_context_error(r->ctx), text);
  ck_assert(same_bytes(r->m, &r->before));
}

static void mask_refused(const refusal *r, const trb_logits *view, const int64_t *ids, int64_t n, const char *text) {
  check_text(r, trb_mask_tokens(r->ctx, view, ids, n), text);
  ck_assert_int_eq(trb_mask_tokens(NULL, view, ids, n), TRB_EINVAL);
}

static void merge_refused(const refusal *r, const trb_logits *view, const int64_t *from, const int64_t *to, int64_t n,
                          const char *text) {
  check_text(r, trb_merge_tokens(r->ctx, view, from, to, n), text);
  ck_assert_int_eq(trb_merge_tokens(NULL, view, from, to, n), TRB_EINVAL);
}

START_TEST(views_are_checked) {
  static const int64_t ids[] = {0}, to[] = {1};
  rng g = {5};
  matrix m = random_matrix(&g, 3, 9, 12, TRB_F32, 0.0f);
  refusal r = expect_refusals(&m);
  static const struct {
    int64_t rows, vocab, stride;
    int32_t dtype;
    float temperature;
    const char *text;
  } bad[] = {
      {-1, 9, 12, TRB_F32, 0.0f, "inout->rows:"},        {3, 0, 12, TRB_F32, 0.0f, "inout->vocab:"},
      {3, 9, 8, TRB_F32, 0.0f, "inout->stride:"},        {3, 9, 12, 3, 0.0f, "inout->dtype:"},
      {3, 9, 12, TRB_F32, -1.0f, "inout->temperature:"}, {INT64_MAX, 9, 12, TRB_F32, 0.0f, "inout: expected a size"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    trb_logits view = {m.view.data, bad[i].rows, bad[i].vocab, bad[i].stride, bad[i].dtype, bad[i].temperature};
    mask_refused(&r, &view, ids, 1, bad[i].text);
    merge_refused(&r, &view, ids, to, 1, bad[i].text);
  }
  mask_refused(&r, NULL, ids, 1, "inout: expected a view, got NULL");
  merge_refused(&r, NULL, ids, to, 1, "inout: expected a view, got NULL");
  end_refusals(&r);
  matrix_free(&m);
}
END_TEST

START_TEST(token_lists_are_checked) {
  static const int64_t good[] = {0, 1, 2}, others[] = {3, 4, 5}, low[] = {0, 1, -1}, high[] = {0, 9, 1};
  rng g = {6};
  matrix m = random_matrix(&g, 3, 9, 12, TRB_F16, 0.0f);
  refusal r = expect_refusals(&m);
  mask_refused(&r, &m.view, good, -1, "n: expected at least 0, got -1");
  mask_refused(&r, &m.view, NULL, 3, "ids: expected 3 tokens, got NULL");
  mask_refused(&r, &m.view, low, 3, "ids[2]: expected a token in [0, 9), got -1");
  mask_refused(&r, &m.view, high, 3, "ids[1]: expected a token in [0, 9), got 9");
  merge_refused(&r, &m.view, good, others, INT64_MIN, "n: expected at least 0, got -");
  merge_refused(&r, &m.view, NULL, others, 3, "from: expected 3 tokens, got NULL");
  merge_refused(&r, &m.view, good, NULL, 3, "to: expected 3 tokens, got NULL");
  merge_refused(&r, &m.view, low, others, 3, "from[2]: expected a token in [0, 9), got -1");
  merge_refused(&r, &m.view, good, high, 3, "to[1]: expected a token in [0, 9), got 9");
  static const int64_t same[] = {3, 4, 2};
  merge_refused(&r, &m.view, good, same, 3, "to[2]: expected a token other than from[2], got 2");
  ck_assert_int_eq(trb_merge_tokens(r.ctx, &m.view, NULL, NULL, 0), TRB_OK);
  ck_assert(same_bytes(&m, &r.before));
  end_refusals(&r);
  matrix_free(&m);
}
END_TEST

/* A list inside the buffer would change while it is read. */
START_TEST(lists_must_lie_apart) {
  union {
    int64_t tokens[8];
    float logits[16];
  } shared = {.tokens = {0, 1, 2, 3, 4, 5, 6, 7}};
  static const int64_t others[] = {8, 9};
  trb_logits view = {shared.logits, 1, 12, 12, TRB_F32, 0.0f};
  trb_context *ctx = new_context(1);
  ck_assert_int_eq(trb_mask_tokens(ctx, &view, shared.tokens, 2), TRB_EINVAL);
  ck_assert_str_eq(trb_context_error(ctx), "inout: expected memory of its own, got some of ids's");
  ck_assert_int_eq(trb_merge_tokens(ctx, &view, shared.tokens, others, 2), TRB_EINVAL);
  ck_assert_str_eq(trb_context_error(ctx), "inout: expected memory of its own, got some of from's");
  ck_assert_int_eq(trb_merge_tokens(ctx, &view, others, shared.tokens, 2), TRB_EINVAL);
  ck_assert_str_eq(trb_context_error(ctx), "inout: expected memory of its own, got some of to's");
  for (int64_t i = 0; i < 8; i++) ck_assert_int_eq(shared.tokens[i], i);
  ck_assert_int_eq(trb_mask_tokens(ctx, &view, &shared.tokens[6], 2), TRB_OK); /* beyond the view */
  trb_context_free(ctx);
}
END_TEST

Suite *align_suite(void) {
  Suite *suite = suite_create("align");
  TCase *masks = tcase_create("masks");
  tcase_add_test(masks, masks_nothing_but_the_given);
  tcase_add_test(masks, no_rows_are_fine);
  suite_add_tcase(suite, masks);
  TCase *merges = long_case("merges");
  tcase_add_test(merges, merges_add_probabilities);
  tcase_add_test(merges, merges_take_extremes);
  tcase_add_test(merges, masked_sides_are_exact);
  tcase_add_test(merges, invalid_logits_reach_the_target);
  tcase_add_test(merges, pairs_apply_in_order);
  tcase_add_test(merges, moves_may_be_undone);
  tcase_add_test(merges, threads_give_the_same_bits);
  suite_add_tcase(suite, merges);
  TCase *contract = tcase_create("contract");
  tcase_add_test(contract, views_are_checked);
  tcase_add_test(contract, token_lists_are_checked);
  tcase_add_test(contract, lists_must_lie_apart);
  suite_add_tcase(suite, contract);
  return suite;
}
