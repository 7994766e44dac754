/* families.h - a small reproducible random generator, and the families of logit rows that the tests draw from. */
#ifndef TEST_FAMILIES_H
#define TEST_FAMILIES_H

#include <stdint.h>

/* splitmix64: the same numbers on every machine. */
typedef struct rng {
  uint64_t state;
} rng;

uint64_t rng_next(rng *g);
double rng_uniform(rng *g);                          /* in [0, 1) */
int64_t rng_between(rng *g, int64_t lo, int64_t hi); /* in [lo, hi] */
int rng_chance(rng *g, double probability);
double rng_normal(rng *g); /* twelve uniforms: no tails beyond 6, no libm */

/* About log-uniform in [lo, hi], 0 < lo < hi. */
double rng_scale(rng *g, double lo, double hi);

/* About log-uniform integer in [lo, hi], 1 <= lo. */
int64_t rng_size(rng *g, int64_t lo, int64_t hi);

enum {
  FAMILY_GAUSSIAN,
  FAMILY_SPIKY,        /* a few spikes, some shared, over Gaussian rows */
  FAMILY_PEAKED,       /* nearly all mass on one token */
  FAMILY_FLAT,         /* nearly uniform */
  FAMILY_CORRELATED,   /* teacher = student + noise */
  FAMILY_DISAGREEING,  /* what one likes the other dislikes */
  FAMILY_MASK_STUDENT, /* -inf for the student */
  FAMILY_MASK_TEACHER,
  FAMILY_MASK_BOTH,
  FAMILY_NEARLY_EQUAL, /* equal but for tiny noise, one token, or a shift */
  FAMILY_TWO_VALUED,
  FAMILY_RAMP,      /* ascending or descending */
  FAMILY_OUTLIERS,  /* one outlier per block of 1024 */
  FAMILY_DISTINCT,  /* every token of another magnitude */
  FAMILY_DEEP_TAIL, /* differences of -300 and -5000 */
  FAMILY_HUGE,      /* up to 1e30 */
  FAMILY_DENORMAL,
  FAMILY_SINGLE, /* one token, or one token that is not masked */
  FAMILY_SIZES,  /* vocabularies of different size */
  FAMILIES
};

const char *family_name(int family);

/* A vocabulary size that suits the family: mostly 2 to 300, sometimes 1000 to 5000. */
int64_t family_vocab(rng *g, int family);

/* Fills a row of both models. vocab_s differs from vocab_t for FAMILY_SIZES only; the caller stores NaN in the excess.
 */
void family_fill(rng *g, int family, double *student, int64_t vocab_s, double *teacher, int64_t vocab_t);

#endif
