/* test_math.c - the elementary functions, conversions and kernels underneath, against long double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dmath.h"
#include "fmath.h"
#include "rows.h"
#include "suites.h"

static double ulp(double x) {
  int exponent;
  frexp(x, &exponent);
  return ldexp(1.0, exponent - 53);
}

static double error_in_ulp(double got, long double exact) {
  return (double)(fabsl((long double)got - exact) / (long double)ulp((double)exact));
}

START_TEST(double_functions_are_within_their_bounds) {
  double worst[4] = {0};
  for (int i = 0; i < 200000; i++) {
    const double u = (i + 0.5) / 200000.0;
    const double x = 1400.0 * (u - 0.5), y = exp(600.0 * (u - 0.5)), z = i % 2 ? -u : exp(60.0 * (u - 0.9));
    if (x > -700.0) worst[0] = fmax(worst[0], error_in_ulp(trbi_exp(x), expl((long double)x)));
    worst[1] = fmax(worst[1], error_in_ulp(trbi_log(y), logl((long double)y)));
    worst[2] = fmax(worst[2], error_in_ulp(trbi_log1p(z), log1pl((long double)z)));
    const long double half_pi = acosl(0.0L);
    const long double cosine = u > 0.5 ? sinl(half_pi * (1.0L - (long double)u)) : cosl(half_pi * (long double)u);
    worst[3] = fmax(worst[3], error_in_ulp(trbi_cospi_half(u), cosine));
  }
  ck_assert_double_le(worst[0], 1.0);
  ck_assert_double_le(worst[1], 1.0);
  ck_assert_double_le(worst[2], 3.0);
  ck_assert_double_le(worst[3], 3.0);
}
END_TEST

START_TEST(double_functions_at_their_ends) {
  ck_assert_double_eq(trbi_exp(0.0), 1.0);
  ck_assert(isinf(trbi_exp(INFINITY)) && isinf(trbi_exp(710.0)));
  ck_assert_double_eq(trbi_exp(-INFINITY), 0.0);
  ck_assert_double_eq(trbi_exp(-746.0), 0.0);
  ck_assert_double_eq(trbi_exp(-744.0), exp(-744.0)); /* one denormal */
  ck_assert(isnan(trbi_exp(NAN)) && isnan(trbi_log(NAN)) && isnan(trbi_log(-1.0)) && isnan(trbi_log1p(-2.0)));
  ck_assert(trbi_log(0.0) == -INFINITY && trbi_log(INFINITY) == INFINITY && trbi_log(1.0) == 0.0);
  ck_assert(trbi_log1p(-1.0) == -INFINITY && trbi_log1p(INFINITY) == INFINITY && trbi_log1p(1e-300) == 1e-300);
  ck_assert_double_eq(trbi_cospi_half(0.0), 1.0);
  ck_assert_double_eq(trbi_cospi_half(1.0), 0.0);
}
END_TEST

START_TEST(excesses_keep_small_values) {
  for (double g = 1e-12; g < 1e3; g *= 1.7) {
    for (int sign = -1; sign <= 1; sign += 2) {
      const double x = sign * g;
      const long double l = (long double)x;
      /* the same series as the definition where the definition cancels */
      if (x > -1.0) {
        const long double exact = fabsl(l) < 1e-4L
                                      ? l * l / 2 - l * l * l / 6 + l * l * l * l / 12 - l * l * l * l * l / 20
                                      : (1 + l) * log1pl(l) - l;
        ck_assert_double_le(fabs(trbi_kl_excess(x) / (double)exact - 1.0), 1e-11);
      }
      if (x < 700.0) {
        const long double exact = fabsl(l) < 1e-4L ? l * l / 2 + l * l * l / 6 + l * l * l * l / 24 : expm1l(l) - l;
        ck_assert_double_le(fabs(trbi_expm1_excess(x) / (double)exact - 1.0), 1e-11);
      }
    }
  }
  ck_assert_double_eq(trbi_kl_excess(-1.0), 1.0);
  ck_assert_double_eq(trbi_kl_excess(0.0), 0.0);
}
END_TEST

START_TEST(powers_at_their_ends) {
  ck_assert(trbi_exp2(-INFINITY) == 0.0f && trbi_exp2(-126.0) == 0.0f && trbi_exp2(-1e300) == 0.0f);
  ck_assert(trbi_exp2(0.0) == 1.0f && trbi_exp2(-1.0) == 0.5f && trbi_exp2(127.0) == 0x1p127f);
  ck_assert(trbi_exp2(1e300) == 0x1p127f && trbi_exp2(-125.0) == 0x1p-125f);
}
END_TEST

START_TEST(a_term_is_accurate_and_never_negative) {
  for (int i = 0; i < 400000; i++) {
    const double u = (i + 0.5) / 400000.0;
    const float h = (float)((u < 0.5 ? -1.0 : 1.0) * exp(-20.0 + 24.0 * fabs(2.0 * u - 1.0))); /* 2e-9 to 55 */
    const float p = 0.37f, w = (float)(0.37 * exp((double)h));
    const trbi_term term = trbi_kl_term(p, w, h);
    const long double l = (long double)h, scale = 0.37L;
    const long double e = expm1l(l);
    /* w h - w + p = p ((h - 1) e^h + 1), by its series where that cancels */
    const long double exact =
        scale * (fabsl(l) < 1e-3L ? l * l / 2 + l * l * l / 3 + l * l * l * l / 8 : (l - 1) * (e + 1) + 1);
    ck_assert_float_ge(term.divergence, 0.0f);
    ck_assert_double_le(fabs((double)((long double)term.divergence / exact) - 1.0), 1e-6);
    ck_assert_double_le(fabs((double)((long double)term.change / (scale * e)) - 1.0), 1e-6);
  }
  const trbi_term gone = trbi_kl_term(0.25f, 0.0f, -2.0f);
  ck_assert(gone.divergence == 0.25f && gone.change == -0.25f);
}
END_TEST

/* ---- Conversions: all 65536 patterns, and the rounding of floats between them ---- */

static long double exact_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const long double size = exponent == 0 ? ldexpl(mantissa, -24) : ldexpl(1024 + mantissa, exponent - 25);
  return bits & 0x8000 ? -size : size;
}

static long double exact_bfloat(uint16_t bits) {
  const int exponent = bits >> 7 & 255, mantissa = bits & 127;
  const long double size = exponent == 0 ? ldexpl(mantissa, -133) : ldexpl(128 + mantissa, exponent - 134);
  return bits & 0x8000 ? -size : size;
}

static bool special(uint16_t bits, int32_t dtype) {
  return dtype == TRB_F16 ? (bits >> 10 & 31) == 31 : (bits >> 7 & 255) == 255;
}

static uint16_t store_one(const trbi_kernels *k, float x, int32_t dtype) {
  uint16_t bits;
  k->store(&x, &bits, dtype, 1);
  return bits;
}

static void check_pattern(const trbi_kernels *k, uint16_t bits, int32_t dtype) {
  float x;
  k->load(&bits, dtype, &x, 1);
  if (special(bits, dtype)) {
    const bool infinite = (bits & (dtype == TRB_F16 ? 0x3ff : 0x7f)) == 0;
    ck_assert(infinite ? isinf(x) && (signbit(x) != 0) == (bits >> 15 != 0) : isnan(x));
    if (infinite) ck_assert_uint_eq(store_one(k, x, dtype), bits);
    return;
  }
  const long double exact = dtype == TRB_F16 ? exact_half(bits) : exact_bfloat(bits);
  ck_assert_msg(x == (float)exact && (signbit(x) != 0) == (bits >> 15 != 0), "pattern %#x of dtype %d is %a", bits,
                dtype, (double)x);
  ck_assert_uint_eq(store_one(k, x, dtype), bits);
  if (special((uint16_t)(bits + 1), dtype)) return;
  /* Halfway to the next pattern ties to even; a little to either side goes there. */
  const long double next = dtype == TRB_F16 ? exact_half((uint16_t)(bits + 1)) : exact_bfloat((uint16_t)(bits + 1));
  const float middle = (float)((exact + next) / 2);
  if ((long double)middle != (exact + next) / 2) return; /* below the smallest float */
  const uint16_t even = bits % 2 == 0 ? bits : (uint16_t)(bits + 1);
  ck_assert_uint_eq(store_one(k, middle, dtype), even);
  ck_assert_uint_eq(store_one(k, nextafterf(middle, (float)next), dtype), (uint16_t)(bits + 1));
  ck_assert_uint_eq(store_one(k, nextafterf(middle, (float)exact), dtype), bits);
}

START_TEST(conversions_are_exact_and_round_to_even) {
  for (int32_t isa = TRB_ISA_SCALAR; isa <= TRB_ISA_NEON; isa++) {
    const trbi_kernels *k = trbi_kernels_find(isa);
    if (k == NULL) continue;
    for (uint32_t bits = 0; bits < 65536; bits++) {
      check_pattern(k, (uint16_t)bits, TRB_F16);
      check_pattern(k, (uint16_t)bits, TRB_BF16);
    }
    ck_assert_uint_eq(store_one(k, 65520.0f, TRB_F16), 0x7c00);
    ck_assert_uint_eq(store_one(k, 65519.0f, TRB_F16), 0x7bff);
    ck_assert_uint_eq(store_one(k, 3e38f, TRB_F16), 0x7c00);
    ck_assert_uint_eq(store_one(k, -3.402823466e38f, TRB_BF16), 0xff80);
    ck_assert(special(store_one(k, NAN, TRB_F16), TRB_F16) && (store_one(k, NAN, TRB_F16) & 0x3ff) != 0);
    ck_assert(special(store_one(k, NAN, TRB_BF16), TRB_BF16) && (store_one(k, NAN, TRB_BF16) & 0x7f) != 0);
  }
}
END_TEST

START_TEST(kernel_tables_name_themselves) {
  ck_assert_int_eq(trbi_kernels_find(TRB_ISA_SCALAR)->isa, TRB_ISA_SCALAR);
  ck_assert_ptr_nonnull(trbi_kernels_find(TRB_ISA_AUTO));
  ck_assert_ptr_null(trbi_kernels_find(-1));
  ck_assert_ptr_null(trbi_kernels_find(99));
  for (int32_t isa = TRB_ISA_AVX2; isa <= TRB_ISA_NEON; isa++)
    if (trbi_kernels_find(isa) != NULL) ck_assert_int_eq(trbi_kernels_find(isa)->isa, isa);
}
END_TEST

Suite *math_suite(void) {
  Suite *suite = suite_create("math");
  TCase *functions = tcase_create("functions");
  tcase_set_timeout(functions, 600);
  tcase_add_test(functions, double_functions_are_within_their_bounds);
  tcase_add_test(functions, double_functions_at_their_ends);
  tcase_add_test(functions, excesses_keep_small_values);
  tcase_add_test(functions, powers_at_their_ends);
  tcase_add_test(functions, a_term_is_accurate_and_never_negative);
  suite_add_tcase(suite, functions);
  TCase *kernels = tcase_create("kernels");
  tcase_set_timeout(kernels, 600);
  tcase_add_test(kernels, conversions_are_exact_and_round_to_even);
  tcase_add_test(kernels, kernel_tables_name_themselves);
  suite_add_tcase(suite, kernels);
  return suite;
}
