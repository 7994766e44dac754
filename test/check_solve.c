/* check_solve.c - the contract of one solved row.
 *
 * Tolerances of the reported fields. A term of a sum carries up to 3e-7 relative error from its f32 exponential, and
 * all terms are positive, so a log-sum-exp is off by at most 3e-7, and the log-normalizer of the blend, a mean of two
 * of them plus log Z, by 6e-7. Logits over temperature are rounded in double: 4e-16 of the largest. KL(mu||p) is a sum
 * of non-negative terms, each a product of up to three factors with that error: 1e-6, relative, so that small
 * divergences count. KL(p||q) is a mean of log-ratios, 6e-7 (1 + value) as E|log p/q| <= KL + 1;
 * KL(mu||q) = (beta-1) A' - A likewise, where |A'| and |A| are at most KL(mu||p) + KL(mu||q). */
#include "check_solve.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common.h"

static const char *const field_names[SOLVE_FIELDS] = {"kl_student",  "kl_teacher",  "reverse_kl", "log_norm",
                                                      "lse_student", "lse_teacher", "mass"};

static void raise_to(double *most, double x) {
  if (x > *most) *most = x;
}

void solve_report(const char *what, const solve_worst *w) {
  if (!verbose()) return;
  printf("%-13s rows %6d (blended %d, teacher %d, unreachable %d, steep %d) passes %.2f over %+.2g under %.2g", what,
         (int)w->rows, (int)w->blended, (int)w->teacher, (int)w->unreachable, (int)w->steep,
         w->passes / (double)(w->rows ? w->rows : 1), w->over, w->under);
  for (int i = 0; i < SOLVE_FIELDS; i++) printf(" %s %.2g", field_names[i], w->fields[i]);
  printf("\n");
  fflush(stdout);
}

/* ---- One row ---- */

/* The header's uncertainty of beta where logits over temperature are huge, in doubles: any value that a KL takes within
 * it is as good. */
enum { STEEP = 64 };

/* The double n places above or below one in [0, 1], in [0, 1]. */
static double places(double beta, int n) {
  int64_t bits;
  memcpy(&bits, &beta, sizeof bits);
  bits = bits + n < 0 ? 0 : bits + n;
  memcpy(&beta, &bits, sizeof beta);
  return beta > 1.0 ? 1.0 : beta;
}

static void check_field(const solve_problem *x, int field, double got, long double want, long double below,
                        long double above, double tolerance, solve_worst *w) {
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

enum { PARTS = sizeof((trb_blend *)0)->mass / sizeof(float) };

/* mu by the parts that the header names. */
static void part_masses(const oracle *o, double beta, const oracle_blend *e, long double *mass) {
  const int64_t width = 1024 * ((o->n + 32767) / 32768);
  for (int i = 0; i < PARTS; i++) mass[i] = 0;
  for (int64_t v = 0; v < o->n; v++) mass[v / width] += expl(oracle_log_mu(o, beta, e, v));
}

static void check_masses(const solve_problem *x, const trb_blend *b, const oracle_blend *e, const oracle_blend *below,
                         const oracle_blend *above, solve_worst *w) {
  const oracle *o = x->o;
  long double want[PARTS], lo[PARTS], hi[PARTS];
  int64_t support = 0;
  part_masses(o, b->beta, e, want);
  part_masses(o, below == e ? b->beta : places(b->beta, -STEEP), below, lo);
  part_masses(o, above == e ? b->beta : places(b->beta, STEEP), above, hi);
  for (int i = 0; i < PARTS; i++)
    check_field(x, 6, (double)b->mass[i], want[i], lo[i], hi[i], 4e-6 * (double)want[i] + 1e-10, w);
  for (int64_t v = 0; v < o->n; v++) support += !isinf(o->s[v]) && !(b->beta > 0.0 && isinf(o->t[v]));
  ck_assert_msg(b->support == support, "%s: support %lld, expected %lld", x->where, (long long)b->support,
                (long long)support);
}

void solve_check_fields(const solve_problem *x, const trb_blend *b, solve_worst *worst) {
  solve_worst none = {0}, *w = worst ? worst : &none;
  const oracle *o = x->o;
  oracle_blend e = oracle_blend_at(o, b->beta), below = e, above = e;
  bool steep = false;
  double magnitude = (double)(fabsl(o->top_s) + (o->has_teacher ? fabsl(o->top_t) : 0));
  if (b->beta > 0.0 && magnitude > 1e3) {
    steep = true;
    below = oracle_blend_at(o, places(b->beta, -STEEP));
    above = oracle_blend_at(o, places(b->beta, STEEP));
  }
  const double unit = o->n > LONG_ROW ? 2e-6 : 3e-7, ratio = 2 * unit;
  double lse = unit + 4e-16 * magnitude;
  check_field(x, 0, b->kl_student, e.kl_student, below.kl_student, above.kl_student,
              o->n > LONG_ROW ? 4e-6 * (double)e.kl_student + 3e-11 : 1e-6 * (double)e.kl_student + 1e-15, w);
  check_field(x, 3, b->log_norm, e.log_norm, below.log_norm, above.log_norm, 2 * lse, w);
  check_field(x, 4, b->lse_student, e.lse_student, e.lse_student, e.lse_student, lse, w);
  check_masses(x, b, &e, steep ? &below : &e, steep ? &above : &e, w);
  ck_assert_msg(b->multiplier >= 0.0 &&
                    distance((1 - (long double)b->beta) / (long double)b->beta, b->multiplier) <= 4e-16 * b->multiplier,
                "%s: beta %.17g multiplier %.17g", x->where, b->beta, b->multiplier);
  ck_assert_msg(b->passes >= 1 && b->passes <= 200, "%s: %d passes", x->where, b->passes);
  ck_assert_msg(b->kl_student >= 0.0 && b->kl_student <= x->budget * (1 + 1e-6), "%s: kl_student %.17g, budget %.17g",
                x->where, b->kl_student, x->budget);
  if (!o->has_teacher) {
    ck_assert_msg(isnan(b->kl_teacher) && isnan(b->reverse_kl) && isnan(b->lse_teacher), "%s: no teacher", x->where);
    return;
  }
  check_field(x, 1, b->kl_teacher, e.kl_teacher, below.kl_teacher, above.kl_teacher,
              ratio * (2 + (double)e.kl_student + (double)e.kl_teacher), w);
  check_field(x, 2, b->reverse_kl, e.reverse_kl, e.reverse_kl, e.reverse_kl, ratio * (1 + (double)e.reverse_kl), w);
  check_field(x, 5, b->lse_teacher, e.lse_teacher, e.lse_teacher, e.lse_teacher, lse, w);
}

/* The contract: at most budget (1 + 1e-6), at least budget (1 - 1e-4); where logits are 1e8 apart, unless the budget is
 * passed within 64 doubles. */
static void check_budget(const solve_problem *x, const trb_blend *b, solve_worst *w) {
  long double kl = oracle_kl_student(x->o, b->beta);
  ck_assert_msg(kl <= (long double)x->budget * (1 + 1e-6L), "%s: beta %.17g gives KL %.20Lg over budget %.17g (%+.3Lg)",
                x->where, b->beta, kl, x->budget, kl / (long double)x->budget - 1);
  if (b->status != TRB_ROW_BLENDED) return;
  w->blended++;
  ck_assert_msg(b->beta > 0.0 && b->beta <= 1.0, "%s: beta %.17g", x->where, b->beta);
  raise_to(&w->over, (double)(kl / (long double)x->budget - 1));
  /* 1e-4 for the default tolerance of 2e-5; as much beyond it for any other. */
  long double least = (long double)x->budget * (1 - (x->tolerance > 0.0 ? (long double)x->tolerance + 8e-5L : 1e-4L));
  if (kl >= least) {
    raise_to(&w->under, (double)(1 - kl / (long double)x->budget));
    return;
  }
  ck_assert_msg(oracle_kl_student(x->o, places(b->beta, STEEP)) > (long double)x->budget,
                "%s: beta %.17g gives KL %.20Lg below budget %.17g (%.3Lg)", x->where, b->beta, kl, x->budget,
                1 - kl / (long double)x->budget);
  w->steep++;
}

/* The status that section 2 of the paper and the header give to a row; rounding may decide at the very edge. */
static void check_status(const solve_problem *x, const trb_blend *b) {
  if (x->budget == 0.0) {
    ck_assert_msg(b->status == TRB_ROW_STUDENT && b->beta == 0.0, "%s: status %d, budget 0", x->where, b->status);
    return;
  }
  long double cost = oracle_support_cost(x->o);
  bool masked_out = isinf(cost) || cost > (long double)x->budget * (1 + 1e-6L);
  ck_assert_msg(b->status >= TRB_ROW_BLENDED && b->status <= TRB_ROW_UNREACHABLE && b->status != TRB_ROW_STUDENT,
                "%s: status %d", x->where, b->status);
  ck_assert_msg(!masked_out || b->status == TRB_ROW_UNREACHABLE,
                "%s: status %d, but the support alone costs %.20Lg > %g", x->where, b->status, cost, x->budget);
  if (b->status == TRB_ROW_UNREACHABLE) {
    ck_assert_msg(b->beta == 0.0, "%s: unreachable with beta %g", x->where, b->beta);
    bool near = isinf(cost) || cost > (long double)x->budget * (1 - 1e-6L);
    ck_assert_msg(near || oracle_kl_student(x->o, DBL_MIN) > (long double)x->budget,
                  "%s: unreachable, but the least beta gives %.20Lg (support %.20Lg) within %g", x->where,
                  oracle_kl_student(x->o, DBL_MIN), cost, x->budget);
  }
  if (b->status == TRB_ROW_TEACHER) ck_assert_msg(b->beta == 1.0, "%s: teacher with beta %.17g", x->where, b->beta);
}

void solve_check(const solve_problem *x, const trb_blend *b, solve_worst *worst) {
  solve_worst none = {0}, *w = worst ? worst : &none;
  w->rows++;
  w->passes += b->passes;
  if (x->o->bad) {
    ck_assert_msg(b->status == x->o->bad, "%s: status %d, expected %d", x->where, b->status, x->o->bad);
    ck_assert(isnan(b->beta) && isnan(b->multiplier) && isnan(b->kl_student) && isnan(b->kl_teacher));
    ck_assert(isnan(b->reverse_kl) && isnan(b->log_norm) && isnan(b->lse_student) && isnan(b->lse_teacher));
    for (int i = 0; i < PARTS; i++) ck_assert(isnan(b->mass[i]));
    ck_assert_int_eq(b->support, 0);
    return;
  }
  check_status(x, b);
  w->unreachable += b->status == TRB_ROW_UNREACHABLE;
  w->teacher += b->status == TRB_ROW_TEACHER;
  if (b->status != TRB_ROW_STUDENT && b->status != TRB_ROW_UNREACHABLE) check_budget(x, b, w);
  solve_check_fields(x, b, w);
}
