/* Random numbers: Philox against the known answers of Random123, and distributions against their definitions. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "frequencies.h"
#include "random.h"
#include "suites.h"

/* ---- Bits ---- */

/* The vectors `philox4x32 10` of Random123's kat_vectors, all that is in them: counter, key, first half of the result.
 * The third is digits of pi. */
START_TEST(bits_are_philox) {
  static const struct {
    random_stream at;
    uint64_t bits;
  } known[] = {
      {{0, 0, 0}, 0x6627e8d5e169c58d},
      {{UINT64_MAX, UINT64_MAX, UINT64_MAX}, 0x408f276d41c83b0e},
      {{0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e}, 0xd16cfe0994fdcceb},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    random_stream r = known[i].at;
    ck_assert_uint_eq(random_bits(&r), known[i].bits);
    ck_assert_uint_eq(r.seed, known[i].at.seed);
    ck_assert_uint_eq(r.stream, known[i].at.stream);
    ck_assert_uint_eq(r.index, known[i].at.index + 1);
  }
}
END_TEST

START_TEST(streams_go_on_from_any_index) {
  random_stream whole = {1, 2, UINT32_MAX - 3};
  for (uint64_t i = 0; i < 8; i++) {
    random_stream part = {1, 2, UINT32_MAX - 3 + i};
    ck_assert_uint_eq(random_bits(&whole), random_bits(&part));
  }
}
END_TEST

START_TEST(mixes_depend_on_both_and_on_their_order) {
  random_stream r = {3, 4, 0};
  ck_assert_uint_eq(random_mix(3, 4), random_bits(&r));
  ck_assert_uint_ne(random_mix(3, 4), random_mix(4, 3));
  ck_assert_uint_ne(random_mix(3, 4), random_mix(3, 5));
  ck_assert_uint_ne(random_mix(3, 4), random_mix(3 + (UINT64_C(1) << 32), 4));
  ck_assert_uint_ne(random_mix(3, 4), random_mix(3, 4 + (UINT64_C(1) << 32)));
}
END_TEST

/* ---- Distributions: each takes a seed of its own ---- */

/* Also which half of the bits is thrown away: the finest ones count too. 200,000 draws each. */
START_TEST(uniforms_fill_the_unit_interval) {
  random_stream r = {101, 0, 0};
  int64_t coarse[100] = {0}, fine[64] = {0};
  for (int i = 0; i < 200000; i++) {
    const double u = random_uniform(&r);
    must(u >= 0.0 && u < 1.0);
    coarse[(int)(u * 100.0)]++;
    fine[(uint64_t)(u * 0x1p53) % 64]++;
  }
  assert_uniform("uniform, by hundredths", coarse, 100);
  assert_uniform("uniform, by its last bits", fine, 64);
}
END_TEST

START_TEST(below_small_numbers) {
  random_stream r = {102, 0, 0};
  static const int64_t limits[] = {1, 2, 3, 7, 10, 19, 64};
  for (size_t k = 0; k < sizeof limits / sizeof limits[0]; k++) {
    int64_t counts[64] = {0};
    for (int i = 0; i < 20000; i++) {
      const int64_t x = random_below(&r, limits[k]);
      must(x >= 0 && x < limits[k]);
      counts[x]++;
    }
    if (limits[k] > 1) assert_uniform("below", counts, limits[k]);
  }
}
END_TEST

/* 2^64 is 2 2/3 times 3 * 2^61: were no draw rejected, the first two thirds of the values would be half as likely
 * again. 30,000 draws. */
START_TEST(below_large_numbers) {
  random_stream r = {103, 0, 0};
  const int64_t third = INT64_C(1) << 61;
  int64_t counts[3] = {0};
  for (int i = 0; i < 30000; i++) {
    const int64_t x = random_below(&r, 3 * third);
    must(x >= 0 && x < 3 * third);
    counts[x / third]++;
  }
  assert_uniform("below 3 * 2^61", counts, 3);
  for (int i = 0; i < 1000; i++) must(random_below(&r, INT64_MAX) >= 0);
}
END_TEST

/* The share of the normal distribution from bin/4 to (bin + 1)/4, the outermost two without an end. 200,000 draws. */
START_TEST(normals_have_their_bell) {
  enum { BINS = 24, DRAWS = 200000 };
  random_stream r = {104, 0, 0};
  int64_t counts[BINS] = {0};
  double expected[BINS], sum = 0.0, squares = 0.0;
  for (int i = 0; i < DRAWS; i++) {
    const double x = random_normal(&r);
    must(isfinite(x));
    const int bin = (int)floor(x * 4.0) + BINS / 2;
    counts[bin < 0 ? 0 : (bin >= BINS ? BINS - 1 : bin)]++;
    sum += x;
    squares += x * x;
  }
  for (int i = 0; i < BINS; i++) {
    const double low = i == 0 ? -INFINITY : (i - BINS / 2) / 4.0,
                 high = i == BINS - 1 ? INFINITY : (i + 1 - BINS / 2) / 4.0;
    expected[i] = DRAWS * 0.5 * (erf(high / sqrt(2.0)) - erf(low / sqrt(2.0)));
  }
  assert_counts("normal", counts, expected, BINS);
  /* 5.33 standard deviations: chance 1e-7 each. The variance of x^2 is 2. */
  must(fabs(sum / DRAWS) < 5.33 * sqrt(1.0 / DRAWS));
  must(fabs(squares / DRAWS - 1.0) < 5.33 * sqrt(2.0 / DRAWS));
}
END_TEST

/* Neighbors in index, in stream and in seed; 40,000 pairs each. */
START_TEST(neighbors_are_independent) {
  int64_t counts[3][64] = {{0}};
  for (uint64_t i = 0; i < 40000; i++) {
    random_stream index = {105, 0, 2 * i}, streams[] = {{105, 2 * i + 1, 0}, {105, 2 * i + 2, 0}};
    random_stream seeds[] = {{2 * i + 106, 0, 0}, {2 * i + 107, 0, 0}};
    const int64_t first = random_below(&index, 8);
    counts[0][8 * first + random_below(&index, 8)]++;
    counts[1][8 * random_below(&streams[0], 8) + random_below(&streams[1], 8)]++;
    counts[2][8 * random_below(&seeds[0], 8) + random_below(&seeds[1], 8)]++;
  }
  for (int i = 0; i < 3; i++) assert_uniform("pairs", counts[i], 64);
}
END_TEST

Suite *random_suite(void) {
  Suite *suite = suite_create("random");
  TCase *bits = tcase_create("bits");
  tcase_add_test(bits, bits_are_philox);
  tcase_add_test(bits, streams_go_on_from_any_index);
  tcase_add_test(bits, mixes_depend_on_both_and_on_their_order);
  suite_add_tcase(suite, bits);
  TCase *distributions = tcase_create("distributions");
  tcase_add_test(distributions, uniforms_fill_the_unit_interval);
  tcase_add_test(distributions, below_small_numbers);
  tcase_add_test(distributions, below_large_numbers);
  tcase_add_test(distributions, normals_have_their_bell);
  tcase_add_test(distributions, neighbors_are_independent);
  suite_add_tcase(suite, distributions);
  return suite;
}
