/* floors.h - what any implementation must pay, by the best code that this program can write for the machine.
 *
 * Rows begin at multiples of 64 bytes and n is a multiple of 64. Each member reads every logit of what it is given;
 * masked tokens are -INFINITY. */
#ifndef BENCH_FLOORS_H
#define BENCH_FLOORS_H

#include <stdbool.h>
#include <stdint.h>

enum { STREAM, LSE, MOVE, FLOORS };

/* For two rows; what they return keeps the compiler from leaving work out. */
typedef struct floors {
  float (*stream)(const float *s, const float *t, int64_t n); /* reads both once: the sum of their maxima */
  float (*lse)(const float *s, const float *t, int64_t n);    /* the sum of their log-sum-exps: each by a pass for the
                                                                 maximum and one for the sum */
  float (*move)(const float *s, const float *t, float *restrict out, int64_t n); /* reads both twice, writes one */
} floors;

/* Without software prefetch, and with it: which one is faster depends on the machine. */
typedef floors floor_kinds[2];
extern const floor_kinds floors_baseline, floors_avx2, floors_avx512;

/* Those of the widest vectors that this machine has. */
const floors *floors_available(void);

/* Whether they compute what they should: a floor that does less is none. */
bool floors_right(const floors *f);

#endif
