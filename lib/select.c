/* select.c - exact top-k and top-p by radix: three passes over the row fix the 32 bits of the threshold, one more
 * settles ties. Weights are integers, so no sum depends on its order. */
#include "select.h"

#include <math.h>

#include "fmath.h"

enum { BINS = 2048 };

/* Weight 2^y in units of 2^-52, or 1. */
static uint64_t weight_of(float value, bool by_mass) {
  return by_mass ? (uint64_t)((double)trbi_exp2((double)value) * 0x1p52) : 1;
}

/* Unsigned integers in the order of the floats; -0 counts as 0. */
static uint32_t key_of(float value) {
  const uint32_t bits = (uint32_t)trbi_float_bits(value + 0.0f);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static float value_of(uint32_t key) {
  return trbi_bits_float((int32_t)(key & 0x80000000u ? key & 0x7fffffffu : ~key));
}

/* Weights of the tokens whose key begins like `prefix`, by their next digit. */
static void count_digits(const trbi_values *values, trbi_cut cut, bool by_mass, uint32_t prefix, int prefix_bits,
                         int digit_bits, uint64_t *bins) {
  float room[TRBI_BLOCK];
  const int rest = 32 - prefix_bits, shift = rest - digit_bits;
  for (int b = 0; b < BINS; b++) bins[b] = 0;
  for (int64_t block = 0; block < values->blocks; block++) {
    int64_t tokens;
    const float *value = values->read(values->of, block, &tokens, room);
    for (int64_t i = 0; i < tokens; i++) {
      const uint32_t key = key_of(value[i]);
      if (!trbi_in_cut(cut, value[i], block * TRBI_BLOCK + i)) continue;
      if (((uint64_t)key >> rest) != ((uint64_t)prefix >> rest)) continue;
      bins[(key >> shift) & ((1u << digit_bits) - 1u)] += weight_of(value[i], by_mass);
    }
  }
}

/* The id at which the n-th token of exactly this value stands. */
static int64_t find_tie(const trbi_values *values, float floor, uint64_t n) {
  float room[TRBI_BLOCK];
  int64_t last = 0;
  for (int64_t block = 0; block < values->blocks && n > 0; block++) {
    int64_t tokens;
    const float *value = values->read(values->of, block, &tokens, room);
    for (int64_t i = 0; i < tokens && n > 0; i++) {
      if (value[i] != floor) continue;
      last = block * TRBI_BLOCK + i;
      n--;
    }
  }
  return last;
}

/* Goes down from the largest key until `goal` of weight is above or at it. `share` in (0, 1] of the whole, or 0 for the
 * goal as given. */
static trbi_cut descend(const trbi_values *values, trbi_cut cut, bool by_mass, uint64_t goal, double share) {
  static const int widths[] = {11, 11, 10};
  uint64_t bins[BINS];
  uint32_t prefix = 0;
  int bits = 0;
  for (int level = 0; level < 3; level++) {
    count_digits(values, cut, by_mass, prefix, bits, widths[level], bins);
    if (level == 0) {
      uint64_t total = 0;
      for (int b = 0; b < BINS; b++) total += bins[b];
      if (share > 0.0) goal = (uint64_t)ceil(share * (double)total);
      if (goal >= total) return cut;
    }
    int digit = (1 << widths[level]) - 1;
    while (bins[digit] < goal) goal -= bins[digit--];
    bits += widths[level];
    prefix |= (uint32_t)digit << (32 - bits);
  }
  const float floor = value_of(prefix);
  const uint64_t each = weight_of(floor, by_mass);
  return (trbi_cut){floor, find_tie(values, floor, (goal + each - 1) / each)};
}

trbi_cut trbi_select_count(const trbi_values *values, trbi_cut cut, int64_t k) {
  return descend(values, cut, false, (uint64_t)k, 0.0);
}

trbi_cut trbi_select_mass(const trbi_values *values, trbi_cut cut, double share) {
  return descend(values, cut, true, 0, share);
}
