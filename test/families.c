/* families.c - random numbers and rows for tests. */
#include "families.h"

#include <math.h>

/* ---- Random numbers ---- */

uint64_t rng_next(rng *g) {
  uint64_t z = g->state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

double rng_uniform(rng *g) {
  return ldexp((double)(rng_next(g) >> 11), -53);
}

int64_t rng_between(rng *g, int64_t lo, int64_t hi) {
  return lo + (int64_t)(rng_next(g) % (uint64_t)(hi - lo + 1));
}

int rng_chance(rng *g, double probability) {
  return rng_uniform(g) < probability;
}

double rng_normal(rng *g) {
  double sum = -6.0;
  for (int i = 0; i < 12; i++) sum += rng_uniform(g);
  return sum;
}

/* log2 with linear pieces between powers of two, and its inverse: exact arithmetic, the same everywhere. */
static double rough_log2(double x) {
  int exponent = 0;
  double mantissa = frexp(x, &exponent);
  return exponent - 1 + (2.0 * mantissa - 1.0);
}

static double rough_exp2(double y) {
  double whole = floor(y);
  return ldexp(1.0 + (y - whole), (int)whole);
}

double rng_scale(rng *g, double lo, double hi) {
  double from = rough_log2(lo);
  double x = rough_exp2(from + (rough_log2(hi) - from) * rng_uniform(g));
  return x < lo ? lo : x > hi ? hi : x;
}

int64_t rng_size(rng *g, int64_t lo, int64_t hi) {
  int64_t n = (int64_t)rng_scale(g, (double)lo, (double)hi + 0.999);
  return n < lo ? lo : n > hi ? hi : n;
}

/* ---- Families ---- */

typedef struct pair {
  rng *g;
  double *s;
  double *t;
  int64_t n; /* of both */
} pair;

static void gaussian(pair *row, double scale_s, double scale_t) {
  for (int64_t v = 0; v < row->n; v++) {
    row->s[v] = scale_s * rng_normal(row->g);
    row->t[v] = scale_t * rng_normal(row->g);
  }
}

static void correlated(pair *row, double scale, double noise) {
  for (int64_t v = 0; v < row->n; v++) {
    row->s[v] = scale * rng_normal(row->g);
    row->t[v] = row->s[v] + noise * rng_normal(row->g);
  }
}

static void spiky(pair *row) {
  gaussian(row, 2.0, 2.0);
  int64_t spikes = rng_between(row->g, 1, 12);
  for (int64_t i = 0; i < spikes; i++) {
    int64_t v = rng_between(row->g, 0, row->n - 1);
    double height = 8.0 + 8.0 * rng_uniform(row->g);
    if (rng_chance(row->g, 0.8)) row->s[v] += height;
    if (rng_chance(row->g, 0.8)) row->t[v] += height + rng_normal(row->g);
  }
}

static void peaked(pair *row) {
  gaussian(row, 1.0, 1.0);
  int64_t v = rng_between(row->g, 0, row->n - 1);
  row->s[v] += rng_scale(row->g, 8.0, 60.0);
  if (rng_chance(row->g, 0.3)) v = rng_between(row->g, 0, row->n - 1);
  row->t[v] += rng_scale(row->g, 8.0, 60.0);
}

static void disagreeing(pair *row) {
  double scale = rng_scale(row->g, 0.5, 6.0);
  for (int64_t v = 0; v < row->n; v++) {
    row->s[v] = scale * rng_normal(row->g);
    row->t[v] = -row->s[v] + 0.3 * rng_normal(row->g);
  }
}

/* Masks some tokens of one row; one token stays. */
static void mask(pair *row, double *x) {
  double share = rng_chance(row->g, 0.3) ? 2.0 / (double)row->n : rng_uniform(row->g);
  int64_t keep = rng_between(row->g, 0, row->n - 1);
  for (int64_t v = 0; v < row->n; v++) {
    if (v != keep && rng_chance(row->g, share)) x[v] = -(double)INFINITY;
  }
}

/* Masks the teacher's unlikely tokens only, so that the common support keeps most of the student's mass. */
static void mask_rare(pair *row) {
  for (int64_t v = 0; v < row->n; v++) {
    if (row->s[v] < 0.0) row->t[v] = -(double)INFINITY;
  }
  row->t[rng_between(row->g, 0, row->n - 1)] = 0.0;
}

static void nearly_equal(pair *row) {
  correlated(row, 2.0, rng_chance(row->g, 0.5) ? 0.0 : rng_scale(row->g, 1e-7, 1e-3));
  int64_t v = rng_between(row->g, 0, row->n - 1);
  if (rng_chance(row->g, 0.5)) row->t[v] += rng_normal(row->g);
  double shift = rng_chance(row->g, 0.5) ? 7.0 * rng_normal(row->g) : 0.0;
  for (v = 0; v < row->n; v++) row->t[v] += shift;
}

static void two_valued(pair *row) {
  double gap_s = rng_scale(row->g, 0.1, 30.0), gap_t = rng_scale(row->g, 0.1, 30.0);
  double share = rng_uniform(row->g);
  int together = rng_chance(row->g, 0.5);
  for (int64_t v = 0; v < row->n; v++) {
    int high = rng_chance(row->g, share);
    row->s[v] = high ? gap_s : 0.0;
    row->t[v] = (together ? !high : rng_chance(row->g, share)) ? gap_t : 0.0;
  }
}

static void ramp(pair *row) {
  double step_s = rng_scale(row->g, 1e-4, 3.0), step_t = rng_scale(row->g, 1e-4, 3.0);
  if (rng_chance(row->g, 0.3)) step_s = -step_s;
  if (rng_chance(row->g, 0.3)) step_t = -step_t;
  for (int64_t v = 0; v < row->n; v++) {
    row->s[v] = step_s * (double)v;
    row->t[v] = step_t * (double)v;
  }
}

static void outliers(pair *row) {
  gaussian(row, 1.0, 1.0);
  for (int64_t block = 0; block < row->n; block += 1024) {
    int64_t end = block + 1023 < row->n ? block + 1023 : row->n - 1;
    double *x = rng_chance(row->g, 0.5) ? row->s : row->t;
    int64_t high = rng_between(row->g, block, end), low = rng_between(row->g, block, end);
    x[high] += rng_scale(row->g, 4.0, 40.0);
    if (rng_chance(row->g, 0.5)) x[low] -= rng_scale(row->g, 4.0, 400.0);
  }
}

static void distinct(pair *row) {
  double step = rng_scale(row->g, 0.01, 2.0);
  int64_t turn = rng_between(row->g, 0, row->n - 1);
  for (int64_t v = 0; v < row->n; v++) {
    row->s[v] = -step * (double)v * (v % 2 ? 1.0 : 0.7);
    row->t[v] = -step * (double)((v + turn) % row->n) * (v % 3 ? 1.0 : 0.6);
  }
}

static void deep_tail(pair *row) {
  correlated(row, 2.0, 1.0);
  double depth = rng_chance(row->g, 0.5) ? 300.0 : 5000.0;
  double share = rng_chance(row->g, 0.5) ? 0.5 : 0.02;
  int where = (int)rng_between(row->g, 0, 2);
  for (int64_t v = 0; v < row->n; v++) {
    if (!rng_chance(row->g, share)) continue;
    if (where != 1) row->t[v] -= depth;
    if (where != 0) row->s[v] -= depth;
  }
}

static void enormous(pair *row) {
  double scale = rng_chance(row->g, 0.5) ? 1e30 : rng_scale(row->g, 1e2, 1e30);
  gaussian(row, scale, rng_chance(row->g, 0.5) ? scale : 2.0);
  double level = rng_chance(row->g, 0.3) ? scale : 0.0; /* equal but for the last bits of a huge number */
  for (int64_t v = 0; v < row->n && level > 0.0; v++) {
    row->s[v] = level + rng_normal(row->g);
    row->t[v] = -level + rng_normal(row->g);
  }
}

static void single(pair *row) {
  gaussian(row, 3.0, 3.0);
  int64_t keep = rng_between(row->g, 0, row->n - 1);
  int which = (int)rng_between(row->g, 0, 2);
  for (int64_t v = 0; v < row->n; v++) {
    if (v == keep) continue;
    if (which != 0) row->s[v] = -(double)INFINITY;
    if (which != 1) row->t[v] = -(double)INFINITY;
  }
}

const char *family_name(int family) {
  static const char *const names[FAMILIES] = {
      "gaussian",     "spiky",     "peaked",       "flat",       "correlated", "disagreeing", "mask student",
      "mask teacher", "mask both", "nearly equal", "two-valued", "ramp",       "outliers",    "distinct",
      "deep tail",    "huge",      "denormal",     "single",     "sizes",
  };
  return family >= 0 && family < FAMILIES ? names[family] : "?";
}

int64_t family_vocab(rng *g, int family) {
  if (family == FAMILY_SINGLE) return rng_chance(g, 0.5) ? 1 : rng_between(g, 2, 20);
  double large = family == FAMILY_OUTLIERS ? 0.1 : 0.01;
  return rng_chance(g, large) ? rng_between(g, 1000, 5000) : rng_size(g, 2, 300);
}

/* In C arguments are evaluated in any order, so no call has two random ones. */
static void fill(pair *row, int family) {
  rng *g = row->g;
  double width = rng_scale(g, 0.3, 8.0), other = rng_scale(g, 0.3, 8.0), noise = rng_scale(g, 1e-4, 3.0);
  switch (family) {
  case FAMILY_GAUSSIAN:
    gaussian(row, width, other);
    break;
  case FAMILY_SPIKY:
    spiky(row);
    break;
  case FAMILY_PEAKED:
    peaked(row);
    break;
  case FAMILY_FLAT:
    gaussian(row, 0.02, rng_scale(g, 0.001, 0.1));
    break;
  case FAMILY_DISAGREEING:
    disagreeing(row);
    break;
  case FAMILY_MASK_STUDENT:
    gaussian(row, 2.0, 2.0);
    mask(row, row->s);
    break;
  case FAMILY_MASK_TEACHER:
    correlated(row, 2.0, 1.0);
    if (rng_chance(g, 0.5)) {
      mask(row, row->t);
    } else {
      mask_rare(row);
    }
    break;
  case FAMILY_MASK_BOTH:
    correlated(row, 2.0, 1.0);
    mask(row, row->s);
    mask(row, row->t);
    break;
  case FAMILY_NEARLY_EQUAL:
    nearly_equal(row);
    break;
  case FAMILY_TWO_VALUED:
    two_valued(row);
    break;
  case FAMILY_RAMP:
    ramp(row);
    break;
  case FAMILY_OUTLIERS:
    outliers(row);
    break;
  case FAMILY_DISTINCT:
    distinct(row);
    break;
  case FAMILY_DEEP_TAIL:
    deep_tail(row);
    break;
  case FAMILY_HUGE:
    enormous(row);
    break;
  case FAMILY_DENORMAL:
    gaussian(row, 1e-40, rng_chance(g, 0.5) ? 1e-40 : 1.0);
    break;
  case FAMILY_SINGLE:
    single(row);
    break;
  default:
    correlated(row, width, noise);
    break;
  }
}

void family_fill(rng *g, int family, double *student, int64_t vocab_s, double *teacher, int64_t vocab_t) {
  pair row = {g, student, teacher, vocab_s < vocab_t ? vocab_s : vocab_t};
  fill(&row, family);
  for (int64_t v = row.n; v < vocab_s; v++) student[v] = (double)NAN;
  for (int64_t v = row.n; v < vocab_t; v++) teacher[v] = (double)NAN;
}
