/* select.h - the top of a row without sorting or storing it. */
#ifndef TRBI_SELECT_H
#define TRBI_SELECT_H

#include <stdbool.h>

#include "rows.h"

/* A set of tokens by value: above the floor, or at the floor with an id up to `last`. Never a masked (-inf) one. */
typedef struct trbi_cut {
  float floor;
  int64_t last;
} trbi_cut;

static inline trbi_cut trbi_cut_nothing(void) {
  return (trbi_cut){-3.402823466e38f, INT64_MAX};
}

static inline bool trbi_in_cut(trbi_cut cut, float value, int64_t token) {
  return (value > cut.floor) | ((value == cut.floor) & (token <= cut.last));
}

/* The values that rank the tokens of a row, block by block: fills or returns a pointer to `tokens` floats that belong
 * to tokens from block * TRBI_BLOCK on. `room` holds TRBI_BLOCK floats. */
typedef struct trbi_values {
  const float *(*read)(const void *of, int64_t block, int64_t *tokens, float *room);
  const void *of;
  int64_t blocks;
} trbi_values;

/* The k highest tokens within `cut`, of equal ones those with lower ids; all of them if there are no more. */
trbi_cut trbi_select_count(const trbi_values *values, trbi_cut cut, int64_t k);

/* The fewest highest tokens within `cut` that hold `share` of its mass, where a value y <= 0 weighs 2^y. */
trbi_cut trbi_select_mass(const trbi_values *values, trbi_cut cut, double share);

#endif
