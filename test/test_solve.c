/* test_solve.c - the accuracy contract of trb_solve over random rows of every family, checked in long double from the
 * returned beta and the given logits alone.
 *
 * Tolerances of the reported fields. A term of a sum carries up to 3e-7 relative error from its f32 exponential, and all
 * terms are positive, so a log-sum-exp is off by at most 3e-7, and the log-normaliser of the blend, a mean of two of
 * them plus log Z, by 6e-7. Logits over temperature are rounded in double: 4e-16 of the largest. KL(mu||p) is a sum of
 * non-negative terms, each a product of up to three factors with that error: 1e-6, relative, so that small divergences
 * count. KL(mu||q) and KL(p||q) are differences of means of two such sums: 6e-7 (1 + value). */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"
#include "suites.h"
#include "support.h"

/* ---- The worst that was seen, as a share of what is allowed ---- */

typedef struct worst {
  double over;   /* KL / budget - 1 */
  double under;  /* 1 - KL / budget where blended */
  double fields[6]; /* error / tolerance */
  int64_t rows, blended, steep, unreachable, teacher;
  double passes;
} worst;

static const char *const field_names[6] = {"kl_student", "kl_teacher", "reverse_kl", "log_norm", "lse_student",
                                           "lse_teacher"};

static void raise_to(double *most, double x) {
  if (x > *most) *most = x;
}

static void report(const char *what, const worst *w) {
  if (!verbose()) return;
  printf("%-13s rows %6d (blended %d, teacher %d, unreachable %d, steep %d) passes %.2f over %+.2g under %.2g", what,
         (int)w->rows, (int)w->blended, (int)w->teacher, (int)w->unreachable, (int)w->steep,
         w->passes / (double)(w->rows ? w->rows : 1), w->over, w->under);
  for (int i = 0; i < 6; i++) printf(" %s %.2g", field_names[i], w->fields[i]);
  printf("\n");
  fflush(stdout);
}

/* ---- One row ---- */

typedef struct problem {
  const oracle *o;
  double budget;
  const char *where;
} problem;

/* Both ends of the last place of beta: where a KL is so steep that one step of beta moves it, any value between is
 * as good. Huge logits only. */
static void check_field(const problem *x, int field, double got, long double want, long double below, long double above,
                        double tolerance, worst *w) {
  double error = distance(want, got);
  if (!(error <= tolerance)) {
    double lo = (double)fminl(below, above), hi = (double)fmaxl(below, above);
    int huge = x->o->top_s > 1e3L || x->o->top_t > 1e3L || x->o->top_s < -1e3L || x->o->top_t < -1e3L;
    if (huge && got >= lo - tolerance && got <= hi + tolerance) return;
    ck_abort_msg("%s: %s is %.17g, expected %.20Lg +- %.3g (budget %.17g)", x->where, field_names[field], got, want,
                 tolerance, x->budget);
  }
  if (tolerance > 0.0) raise_to(&w->fields[field], error / tolerance);
}

static void check_fields(const problem *x, const trb_blend *b, worst *w) {
  const oracle *o = x->o;
  oracle_blend e = oracle_blend_at(o, b->beta), below = e, above = e;
  double magnitude = (double)(fabsl(o->top_s) + (o->has_teacher ? fabsl(o->top_t) : 0));
  if (b->beta > 0.0 && magnitude > 1e3) {
    below = oracle_blend_at(o, nextafter(b->beta, 0.0));
    above = oracle_blend_at(o, nextafter(b->beta, 2.0) > 1.0 ? 1.0 : nextafter(b->beta, 2.0));
  }
  double lse = 3e-7 + 4e-16 * magnitude;
  check_field(x, 0, b->kl_student, e.kl_student, below.kl_student, above.kl_student,
              1e-6 * (double)e.kl_student + 1e-15, w);
  check_field(x, 3, b->log_norm, e.log_norm, below.log_norm, above.log_norm, 2 * lse, w);
  check_field(x, 4, b->lse_student, e.lse_student, e.lse_student, e.lse_student, lse, w);
  ck_assert_msg(b->multiplier >= 0.0 && distance((1 - (long double)b->beta) / (long double)b->beta, b->multiplier) <=
                                            4e-16 * b->multiplier, "%s: beta %.17g multiplier %.17g", x->where, b->beta,
                b->multiplier);
  ck_assert_msg(b->passes >= 1 && b->passes <= 200, "%s: %d passes", x->where, b->passes);
  ck_assert_msg(b->kl_student >= 0.0 && b->kl_student <= x->budget * (1 + 1e-6), "%s: kl_student %.17g, budget %.17g",
                x->where, b->kl_student, x->budget);
  if (!o->has_teacher) {
    ck_assert_msg(isnan(b->kl_teacher) && isnan(b->reverse_kl) && isnan(b->lse_teacher), "%s: no teacher", x->where);
    return;
  }
  check_field(x, 1, b->kl_teacher, e.kl_teacher, below.kl_teacher, above.kl_teacher,
              6e-7 * (1 + (double)e.kl_teacher), w);
  check_field(x, 2, b->reverse_kl, e.reverse_kl, e.reverse_kl, e.reverse_kl, 6e-7 * (1 + (double)e.reverse_kl), w);
  check_field(x, 5, b->lse_teacher, e.lse_teacher, e.lse_teacher, e.lse_teacher, lse, w);
}

/* The contract: at most budget (1 + 1e-6), at least budget (1 - 1e-4) unless the next beta exceeds the budget. */
static void check_budget(const problem *x, const trb_blend *b, worst *w) {
  long double kl = oracle_kl_student(x->o, b->beta);
  ck_assert_msg(kl <= (long double)x->budget * (1 + 1e-6L), "%s: beta %.17g gives KL %.20Lg over budget %.17g (%+.3Lg)",
                x->where, b->beta, kl, x->budget, kl / (long double)x->budget - 1);
  if (b->status != TRB_ROW_BLENDED) return;
  w->blended++;
  ck_assert_msg(b->beta > 0.0 && b->beta <= 1.0, "%s: beta %.17g", x->where, b->beta);
  raise_to(&w->over, (double)(kl / (long double)x->budget - 1));
  if (kl >= (long double)x->budget * (1 - 1e-4L)) {
    raise_to(&w->under, (double)(1 - kl / (long double)x->budget));
    return;
  }
  double next = nextafter(b->beta, 1.0);
  ck_assert_msg(oracle_kl_student(x->o, next) > (long double)x->budget,
                "%s: beta %.17g gives KL %.20Lg below budget %.17g (%.3Lg)", x->where, b->beta, kl, x->budget,
                1 - kl / (long double)x->budget);
  w->steep++;
}

/* The status that section 2 of the paper and the header give to a row; rounding may decide at the very edge. */
static void check_status(const problem *x, const trb_blend *b) {
  if (x->budget == 0.0) {
    ck_assert_msg(b->status == TRB_ROW_STUDENT && b->beta == 0.0, "%s: status %d, budget 0", x->where, b->status);
    return;
  }
  long double cost = oracle_support_cost(x->o);
  bool masked_out = isinf(cost) || cost > (long double)x->budget * (1 + 1e-6L);
  ck_assert_msg(b->status >= TRB_ROW_BLENDED && b->status <= TRB_ROW_UNREACHABLE && b->status != TRB_ROW_STUDENT,
                "%s: status %d", x->where, b->status);
  ck_assert_msg(!masked_out || b->status == TRB_ROW_UNREACHABLE, "%s: status %d, but the support alone costs %.20Lg > %g",
                x->where, b->status, cost, x->budget);
  if (b->status == TRB_ROW_UNREACHABLE) {
    ck_assert_msg(b->beta == 0.0, "%s: unreachable with beta %g", x->where, b->beta);
    bool near = cost > (long double)x->budget * (1 - 1e-6L);
    ck_assert_msg(near || oracle_kl_student(x->o, DBL_MIN) > (long double)x->budget,
                  "%s: unreachable, but the least beta gives %.20Lg (support %.20Lg) within %g", x->where,
                  oracle_kl_student(x->o, DBL_MIN), cost, x->budget);
  }
  if (b->status == TRB_ROW_TEACHER) ck_assert_msg(b->beta == 1.0, "%s: teacher with beta %.17g", x->where, b->beta);
}

static void check_row(const problem *x, const trb_blend *b, worst *w) {
  w->rows++;
  w->passes += b->passes;
  if (x->o->bad) {
    ck_assert_msg(b->status == x->o->bad, "%s: status %d, expected %d", x->where, b->status, x->o->bad);
    ck_assert(isnan(b->beta) && isnan(b->multiplier) && isnan(b->kl_student) && isnan(b->kl_teacher));
    ck_assert(isnan(b->reverse_kl) && isnan(b->log_norm) && isnan(b->lse_student) && isnan(b->lse_teacher));
    return;
  }
  check_status(x, b);
  w->unreachable += b->status == TRB_ROW_UNREACHABLE;
  w->teacher += b->status == TRB_ROW_TEACHER;
  if (b->status != TRB_ROW_STUDENT && b->status != TRB_ROW_UNREACHABLE) check_budget(x, b, w);
  check_fields(x, b, w);
}

/* ---- Random problems ---- */

enum { BATCH = 8 };

static double random_budget(rng *g) {
  static const double corners[] = {1e-6, 10.0, 0.02, 0.0, (double)INFINITY, 1e-3, 1.0};
  if (rng_chance(g, 0.1)) return corners[rng_next(g) % (sizeof corners / sizeof corners[0])];
  return rng_scale(g, 1e-6, 10.0);
}

static float random_temperature(rng *g) {
  static const float common[] = {0.0f, 0.5f, 1.3f};
  if (rng_chance(g, 0.02)) return 1e-3f;
  if (rng_chance(g, 0.02)) return 1e3f;
  return common[rng_next(g) % 3];
}

static void check_batch(rng *g, int family, int64_t vocab, int32_t method, worst *w) {
  uint64_t seed = g->state;
  int64_t rows = vocab > 10000 ? 1 : BATCH;
  int64_t more = family == FAMILY_SIZES ? rng_between(g, 0, 70) - 35 : 0;
  models m = {matrix_new(rows, vocab + (more > 0 ? more : 0), 0, (int32_t)rng_between(g, 0, 2), random_temperature(g)),
              matrix_new(rows, vocab - (more < 0 ? more : 0), 0, (int32_t)rng_between(g, 0, 2), random_temperature(g))};
  if (rng_chance(g, 0.7)) m.t.view.temperature = m.s.view.temperature;
  double budget[BATCH];
  trb_blend out[BATCH];
  for (int64_t r = 0; r < rows; r++) {
    models_fill_row(&m, r, g, family);
    budget[r] = random_budget(g);
  }
  trb_solve_options options = {sizeof options, 0.0, method, 0};
  trb_status status = trb_solve(NULL, &m.s.view, &m.t.view, budget, rows, &options, out);
  oracle o = oracle_new(vocab);
  int64_t bad = 0;
  for (int64_t r = 0; r < rows; r++) {
    oracle_load(&o, &m.s.view, &m.t.view, r);
    bad += o.bad != 0;
    char where[200];
    snprintf(where, sizeof where, "%s seed %#llx row %d vocab %d/%d dtypes %d %d temperatures %g %g method %d",
             family_name(family), (unsigned long long)seed, (int)r, (int)m.s.view.vocab, (int)m.t.view.vocab,
             m.s.view.dtype, m.t.view.dtype, (double)m.s.view.temperature, (double)m.t.view.temperature, method);
    check_row(&(problem){&o, budget[r], where}, &out[r], w);
  }
  ck_assert_int_eq(status, bad ? TRB_EROWS : TRB_OK);
  oracle_free(&o);
  models_free(&m);
}

/* Loop test: one family each; 19 families of 6,000 rows, of which a tenth again by bisection. */
START_TEST(test_accuracy) {
  int family = _i;
  rng g = {0xACC0 + (uint64_t)family};
  worst newton = {0}, bisection = {0};
  newton.over = bisection.over = -1.0;
  int64_t batches = scaled(6000) / BATCH + 1;
  for (int64_t i = 0; i < batches; i++) {
    int64_t vocab = family_vocab(&g, family);
    check_batch(&g, family, vocab, TRB_METHOD_NEWTON, &newton);
    if (i % 10 == 0) check_batch(&g, family, vocab, TRB_METHOD_BISECTION, &bisection);
  }
  report(family_name(family), &newton);
  report("  bisection", &bisection);
}
END_TEST

/* Vocabularies of real models. */
START_TEST(test_large_vocabularies) {
  rng g = {0x1A36E + (uint64_t)_i};
  worst newton = {0}, bisection = {0};
  newton.over = bisection.over = -1.0;
  int64_t rows = scaled(6);
  for (int64_t i = 0; i < rows; i++) check_batch(&g, _i, 32000, TRB_METHOD_NEWTON, &newton);
  check_batch(&g, _i, 151936, TRB_METHOD_NEWTON, &newton);
  check_batch(&g, _i, 32000, TRB_METHOD_BISECTION, &bisection);
  report(family_name(_i), &newton);
}
END_TEST

Suite *solve_suite(void) {
  Suite *suite = suite_create("solve");
  suite_add_tcase(suite, solve_table_case());
  suite_add_tcase(suite, solve_properties_case());
  TCase *tc = long_case("accuracy");
  tcase_add_loop_test(tc, test_accuracy, 0, FAMILIES);
  tcase_add_loop_test(tc, test_large_vocabularies, 0, FAMILIES);
  suite_add_tcase(suite, tc);
  return suite;
}
