/* kernels.c - every row kernel of every instruction set against the scalar one, bit for bit.
 *
 *     kernels [TOKENS]
 *
 * Each kernel sees TOKENS (10^7) random tokens: logits of many sizes, denormals, zeros of both signs, masks, huge
 * values, arbitrary bits where a kernel takes them, blocks that end anywhere. A NaN is as good as another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fmath.h"
#include "rows.h"

enum { B = TRBI_BLOCK };

/* One block as callers would hand it over. */
typedef struct scene {
  int64_t tokens, n;                 /* before and after padding */
  float s[B], t[B];                  /* anything but NaN and +inf */
  float tame_s[B], tame_t[B], reach; /* what lean kernels may see, and the largest |d| in it */
  float bits[B];                     /* anything at all */
  uint8_t in[B];
  trbi_scale student, teacher;
  trbi_lean lean;
  double beta, center;
} scene;

/* All that a kernel gives. */
typedef struct output {
  double number[32];
  float x[2][B];
  uint16_t half[B];
  trbi_peak peak;
} output;

/* ---- Random numbers ---- */

static uint64_t state = 20;

static uint64_t next(void) { /* splitmix64 */
  uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static double uniform(double low, double high) {
  return low + (high - low) * (double)(next() >> 11) * 0x1p-53;
}

static float wild(double size) {
  const double moderate = uniform(-size, size);
  switch (next() % 32) {
  case 0:
    return -INFINITY;
  case 1:
    return trbi_bits_float((int32_t)(next() >> 41)); /* denormal */
  case 2:
    return next() % 2 ? 0.0f : -0.0f;
  case 3:
    return (float)(moderate * 1e30);
  case 4:
    return (float)(moderate * 1e3);
  default:
    return (float)moderate;
  }
}

/* ---- A scene ---- */

static double largest(const float *x, int64_t n) {
  float most = -INFINITY;
  for (int64_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
  return most > -INFINITY ? (double)most : 0.0;
}

static trbi_lean lean_of(const trbi_scale *s, const trbi_scale *t) {
  return (trbi_lean){.k_student = (float)s->k,
                     .k_teacher = (float)t->k,
                     .ref_student = (float)s->max,
                     .ref_teacher = (float)t->max,
                     .ratio = (float)(s->k / t->k),
                     .floor_student = (float)(-64.0 / s->k),
                     .floor_teacher = (float)(-64.0 / t->k),
                     .zero_student = (float)(-120.0 / s->k),
                     .low_student = (float)(s->max - 128.0 / s->k),
                     .low_teacher = (float)(t->max - 128.0 / t->k)};
}

/* Logits from 48 bits above the reference to far below it, some tokens low in both models. */
static void fill_tame(scene *x) {
  const double near = uniform(0.0, 1.0) < 0.5 ? 0.05 : 30.0;
  const trbi_scale *a = &x->student, *b = &x->teacher;
  x->reach = 0.0f;
  for (int64_t i = 0; i < x->n; i++) {
    const bool low = i >= x->tokens || next() % 16 == 0;
    const double bits = uniform(next() % 8 ? -40.0 : -200.0, 48.0), other = bits + uniform(-near, near);
    x->tame_s[i] = low ? x->lean.low_student : (float)(a->max + bits / a->k);
    x->tame_t[i] = low ? x->lean.low_teacher : (float)(b->max + (other < 48.0 ? other : 48.0) / b->k);
    const float d = fmaf(-x->lean.ratio, x->tame_s[i] - x->lean.ref_student, x->tame_t[i] - x->lean.ref_teacher);
    if (fabsf(d) > x->reach) x->reach = fabsf(d);
  }
}

static void fill(scene *x) {
  const double size = exp(uniform(-3.0, 4.0));
  const bool same = next() % 2;
  x->tokens = next() % 3 ? B - (int64_t)(next() % 128) : 1 + (int64_t)(next() % B);
  x->n = (x->tokens + TRBI_LANES - 1) / TRBI_LANES * TRBI_LANES;
  for (int64_t i = 0; i < x->n; i++) {
    x->s[i] = i < x->tokens ? wild(size) : -INFINITY;
    x->t[i] = i >= x->tokens ? -INFINITY : next() % 2 ? wild(size) : x->s[i] + (float)uniform(-1.0, 1.0);
    if (!(x->t[i] < INFINITY)) x->t[i] = 0.0f;
    x->bits[i] = trbi_bits_float((int32_t)(next() >> 32));
    x->in[i] = next() % 3 == 0;
  }
  const double k = 1.4426950408889634;
  x->student = (trbi_scale){k / uniform(0.3, 3.0), largest(x->s, x->n), uniform(0.0, 4.0)};
  x->teacher = (trbi_scale){same ? x->student.k : k / uniform(0.3, 3.0), largest(x->t, x->n), uniform(0.0, 4.0)};
  x->beta = uniform(0.0, 1.0);
  x->center = uniform(-0.5, 0.5);
  const trbi_scale a = {x->student.k, uniform(-50.0, 50.0), 0.0}, b = {x->teacher.k, uniform(-50.0, 50.0), 0.0};
  const trbi_scale before_s = x->student, before_t = x->teacher;
  x->lean = lean_of(&a, &b);
  x->student = a;
  x->teacher = b;
  fill_tame(x);
  x->student = before_s;
  x->teacher = before_t;
}

/* ---- Kernels ---- */

static void run_load(const trbi_kernels *k, const scene *x, output *o) {
  k->load(x->bits, TRB_F16, o->x[0], x->tokens);
  k->load(x->bits, TRB_BF16, o->x[1], x->tokens);
}

static void run_store(const trbi_kernels *k, const scene *x, output *o) {
  k->store(x->bits, o->half, TRB_F16, x->tokens);
}

/* Near the range of halves: ties, overflow, denormals. */
static void run_store_near(const trbi_kernels *k, const scene *x, output *o) {
  k->store(x->s, o->half, TRB_F16, x->tokens);
}

static void run_store_bfloat(const trbi_kernels *k, const scene *x, output *o) {
  k->store(x->bits, o->half, TRB_BF16, x->tokens);
}

static void run_peak(const trbi_kernels *k, const scene *x, output *o) {
  k->peak(x->s, x->n, &o->peak);
}

/* With NaN or +inf only the verdict counts. */
static void run_peak_bad(const trbi_kernels *k, const scene *x, output *o) {
  float spoiled[B];
  trbi_peak peak;
  memcpy(spoiled, x->s, sizeof spoiled);
  spoiled[x->tokens / 2] = x->in[0] ? NAN : INFINITY;
  k->peak(x->in[1] ? x->bits : spoiled, x->n, &peak);
  o->number[0] = peak.bad;
}

static void run_survey(const trbi_kernels *k, const scene *x, output *o) {
  const trbi_survey sum = k->survey(x->s, x->t, x->n, x->student, x->teacher);
  memcpy(o->number, &sum, sizeof sum);
}

static void run_wide(const trbi_kernels *k, const scene *x, output *o) {
  const trbi_wide sum = k->wide(x->s, x->n, x->student.k, x->student.max);
  memcpy(o->number, &sum, sizeof sum);
}

static void run_tilt(const trbi_kernels *k, const scene *x, output *o) {
  const trbi_tilt sum = k->tilt(x->s, x->t, x->n, x->student, x->teacher, x->beta, x->center);
  memcpy(o->number, &sum, sizeof sum);
}

static void run_count(const trbi_kernels *k, const scene *x, output *o) {
  const trbi_tokens sum = k->count(x->s, x->t, x->n);
  memcpy(o->number, &sum, sizeof sum);
}

static void run_alone(const trbi_kernels *k, const scene *x, output *o) {
  float other[B];
  for (int64_t i = 0; i < x->n; i++) other[i] = x->in[i] ? -INFINITY : x->tame_t[i];
  const trbi_alone sum = k->alone(x->tame_s, other, x->n, x->lean.k_student, x->lean.ref_student);
  memcpy(o->number, &sum, sizeof sum);
}

static void run_mend(const trbi_kernels *k, const scene *x, output *o) {
  memcpy(o->x, x->s, sizeof x->s); /* in place for one row */
  k->mend(o->x[0], x->t, x->n, &x->lean, o->x[0], o->x[1]);
}

static void run_moments(const trbi_kernels *k, const scene *x, output *o) {
  const trbi_moments blend = k->moments(x->tame_s, x->tame_t, x->n, &x->lean, true);
  const trbi_moments summary = k->moments(x->tame_s, x->tame_t, x->n, &x->lean, false);
  memcpy(o->number, &blend, sizeof blend);
  memcpy(o->number + 16, &summary, sizeof summary);
}

static void run_lean_tilt(const trbi_kernels *k, const scene *x, output *o) {
  const trbi_lean_tilt sum =
      k->lean_tilt(x->tame_s, x->tame_t, x->n, &x->lean, (float)(0.7 * x->beta), (float)x->center, false);
  memcpy(o->number, &sum, sizeof sum);
}

static void run_calm_tilt(const trbi_kernels *k, const scene *x, output *o) {
  const trbi_lean_tilt sum = k->lean_tilt(x->tame_s, x->tame_t, x->n, &x->lean, (float)x->beta * 0.5f / x->reach,
                                          (float)x->center * 0.9f, true);
  memcpy(o->number, &sum, sizeof sum);
}

static void run_lean_excess(const trbi_kernels *k, const scene *x, output *o) {
  const trbi_lean_excess any =
      k->lean_excess(x->tame_s, x->tame_t, x->n, &x->lean, (float)(0.7 * x->beta), (float)x->center, false);
  const trbi_lean_excess calm = k->lean_excess(x->tame_s, x->tame_t, x->n, &x->lean, (float)x->beta * 0.5f / x->reach,
                                               (float)x->center * 0.9f, true);
  memcpy(o->number, &any, sizeof any);
  memcpy(o->number + 2, &calm, sizeof calm);
}

static void lean_loss(const trbi_kernels *k, const scene *x, int32_t terms, output *o) {
  trbi_lean_loss form = {terms, (float)(0.7 * x->lean.k_teacher), (float)x->center, (float)exp(x->center), 0.3f, -0.1f};
  if (terms == TRBI_TERMS_CALM) form.slope = 0.5f / x->reach;
  memcpy(o->x, x->tame_s, sizeof x->tame_s); /* the gradient takes the place of a row */
  o->number[0] = k->lean_loss(o->x[0], x->tame_t, x->n, &x->lean, &form, o->x[0]);
  if (terms == TRBI_TERMS_ANY) o->number[1] = k->lean_loss(x->tame_s, x->tame_t, x->n, &x->lean, &form, NULL);
}

static void run_lean_gradient(const trbi_kernels *k, const scene *x, output *o) {
  lean_loss(k, x, TRBI_TERMS_NONE, o);
}

static void run_calm_loss(const trbi_kernels *k, const scene *x, output *o) {
  lean_loss(k, x, TRBI_TERMS_CALM, o);
}

static void run_lean_loss(const trbi_kernels *k, const scene *x, output *o) {
  lean_loss(k, x, TRBI_TERMS_ANY, o);
}

static void run_blend(const trbi_kernels *k, const scene *x, output *o) {
  k->blend(x->s, x->t, x->n, x->student, x->teacher, x->beta, x->center, o->x[0]);
}

static void run_blend_mass(const trbi_kernels *k, const scene *x, output *o) {
  k->blend_mass(x->s, x->t, x->n, x->student, x->teacher, x->beta, &o->number[0], &o->number[1]);
}

static void run_excess(const trbi_kernels *k, const scene *x, output *o) {
  o->number[0] = k->excess(x->s, x->t, x->n, x->student, x->teacher, x->beta, x->center, 0.3, o->x[0]);
}

static void run_mass(const trbi_kernels *k, const scene *x, output *o) {
  o->number[0] = k->mass(x->s, x->n);
}

static void run_reverse_kl(const trbi_kernels *k, const scene *x, output *o) {
  const trbi_loss_sums sum = k->reverse_kl(x->s, x->t, x->in, x->n, x->student, x->teacher);
  memcpy(o->number, &sum, sizeof sum);
}

static void run_reverse_kl_gradient(const trbi_kernels *k, const scene *x, output *o) {
  k->reverse_kl_gradient(x->s, x->t, x->in, x->n, x->student, x->teacher, (trbi_gradient){0.9, -0.3, 0.2}, x->center,
                         o->x[0]);
}

static void run_forward_kl(const trbi_kernels *k, const scene *x, output *o) {
  o->number[0] = k->forward_kl(x->s, x->t, x->n, x->student, x->teacher);
}

static void run_forward_kl_gradient(const trbi_kernels *k, const scene *x, output *o) {
  k->forward_kl_gradient(x->s, x->t, x->n, x->student, x->teacher, x->center, o->x[0]);
}

static void run_jsd(const trbi_kernels *k, const scene *x, output *o) {
  k->jsd(x->s, x->t, x->n, x->student, x->teacher, x->beta, &o->number[0], &o->number[1]);
}

static void run_jsd_gradient(const trbi_kernels *k, const scene *x, output *o) {
  k->jsd_gradient(x->s, x->t, x->n, x->student, x->teacher, x->beta, 0.1, x->center, o->x[0]);
}

static void run_cap(const trbi_kernels *k, const scene *x, output *o) {
  memcpy(o->x[0], x->s, (size_t)x->n * sizeof *x->s);
  k->cap(o->x[0], x->n, 30.0f);
}

static void run_uncap(const trbi_kernels *k, const scene *x, output *o) {
  memcpy(o->x[0], x->t, (size_t)x->n * sizeof *x->t);
  k->uncap(x->s, x->n, 50.0f, o->x[0]);
}

typedef struct kernel {
  const char *name;
  void (*run)(const trbi_kernels *, const scene *, output *);
} kernel;

static const kernel kernels[] = {
    {"load", run_load},
    {"store f16", run_store},
    {"store f16, near", run_store_near},
    {"store bf16", run_store_bfloat},
    {"peak", run_peak},
    {"peak, bad", run_peak_bad},
    {"survey", run_survey},
    {"wide", run_wide},
    {"tilt", run_tilt},
    {"count", run_count},
    {"alone", run_alone},
    {"mend", run_mend},
    {"moments", run_moments},
    {"lean tilt", run_lean_tilt},
    {"lean tilt, calm", run_calm_tilt},
    {"lean excess", run_lean_excess},
    {"lean gradient", run_lean_gradient},
    {"lean loss, calm", run_calm_loss},
    {"lean loss", run_lean_loss},
    {"blend", run_blend},
    {"blend mass", run_blend_mass},
    {"excess", run_excess},
    {"mass", run_mass},
    {"reverse KL", run_reverse_kl},
    {"reverse KL gradient", run_reverse_kl_gradient},
    {"forward KL", run_forward_kl},
    {"forward KL gradient", run_forward_kl_gradient},
    {"cap", run_cap},
    {"uncap", run_uncap},
    {"JSD", run_jsd},
    {"JSD gradient", run_jsd_gradient},
};

enum { KERNELS = sizeof kernels / sizeof *kernels };

/* ---- Comparison ---- */

static bool same_floats(const float *a, const float *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (trbi_float_bits(a[i]) != trbi_float_bits(b[i]) && !(a[i] != a[i] && b[i] != b[i])) return false;
  return true;
}

static bool same(const output *a, const output *b) {
  if (memcmp(a, b, sizeof *a) == 0) return true;
  for (int i = 0; i < 32; i++)
    if (memcmp(&a->number[i], &b->number[i], sizeof a->number[i]) != 0 &&
        !(a->number[i] != a->number[i] && b->number[i] != b->number[i]))
      return false;
  return same_floats(a->x[0], b->x[0], 2 * B) && memcmp(a->half, b->half, sizeof a->half) == 0 &&
         memcmp(&a->peak, &b->peak, sizeof a->peak) == 0;
}

static void show(const output *a, const output *b) {
  for (int i = 0; i < 32; i++)
    if (memcmp(&a->number[i], &b->number[i], sizeof a->number[i]) != 0)
      printf("  number %d: scalar %a, got %a\n", i, a->number[i], b->number[i]);
  for (int i = 0, shown = 0; i < 2 * B && shown < 3; i++) {
    const float x = a->x[i / B][i % B], y = b->x[i / B][i % B];
    if (same_floats(&x, &y, 1)) continue;
    printf("  float %d: scalar %a, got %a\n", i, (double)x, (double)y);
    shown++;
  }
  for (int i = 0, shown = 0; i < B && shown < 3; i++) {
    if (a->half[i] == b->half[i]) continue;
    printf("  half %d: scalar %04x, got %04x\n", i, (unsigned)a->half[i], (unsigned)b->half[i]);
    shown++;
  }
}

/* Scenes until so many tokens were seen. */
static bool compare(const kernel *one, const trbi_kernels *set, int64_t tokens) {
  static scene x;
  static output expected, got;
  const trbi_kernels *scalar = trbi_kernels_find(TRB_ISA_SCALAR);
  state = 20;
  for (int64_t seen = 0; seen < tokens; seen += x.tokens) {
    fill(&x);
    memset(&expected, 0, sizeof expected);
    memset(&got, 0, sizeof got);
    one->run(scalar, &x, &expected);
    one->run(set, &x, &got);
    if (same(&expected, &got)) continue;
    printf("instruction set %d: %s differs after %lld tokens, in a block of %lld\n", (int)set->isa, one->name,
           (long long)seen, (long long)x.tokens);
    show(&expected, &got);
    return false;
  }
  return true;
}

int main(int argc, char **argv) {
  const int64_t tokens = argc > 1 ? atoll(argv[1]) : 10000000;
  int passed = 0, failed = 0;
  for (int32_t isa = TRB_ISA_AVX2; isa <= TRB_ISA_NEON; isa++) {
    const trbi_kernels *set = trbi_kernels_find(isa);
    if (set == NULL) {
      printf("instruction set %d: not on this machine\n", (int)isa);
      continue;
    }
    for (int i = 0; i < KERNELS; i++) {
      const bool good = compare(&kernels[i], set, tokens);
      if (good)
        printf("instruction set %d: %-20s same bits, %lld tokens\n", (int)isa, kernels[i].name, (long long)tokens);
      passed += good;
      failed += !good;
    }
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
