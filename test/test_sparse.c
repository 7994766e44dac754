/* test_sparse.c - teachers known by lists: the solve, the draw and the loss against long double on the distribution
 * that the header says a list stands for, and against the full solve within the bounds of docs/math.md, section 20.
 *
 * Distributions are tested by chi-square at fixed seeds: a right library fails one of these tests by chance with
 * probability 1e-6, and as the seeds are fixed it either always does or never. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_solve.h"
#include "chi_square.h"
#include "common.h"
#include "suites.h"

static const double CHANCE = 1e-6;

/* ---- Lists ---- */

enum { SLACK = 8 };

/* One row of both models, a list of the teacher's, and the distributions that it stands for. */
typedef struct scene {
  models m;
  int64_t *ids, n;
  float *log_q;
  trb_sparse list;
  bool *in;
  oracle o;                   /* p and the completed q */
  long double rest_p, rest_q; /* logarithms */
  long double listed;         /* mass of the list as given */
} scene;

/* A random list of k tokens of the row: the teacher's likeliest or any; in random order. */
static void choose(scene *x, rng *g, int64_t k, bool likeliest) {
  const int64_t vocab = x->m.t.view.vocab;
  oracle dense = oracle_new(vocab);
  oracle_load(&dense, &x->m.t.view, NULL, 0);
  if (likeliest)
    oracle_top_k(dense.raw_s, vocab, k, x->in);
  else
    for (int64_t v = 0, left = k; v < vocab; v++) left -= x->in[v] = rng_between(g, 1, vocab - v) <= left;
  x->n = 0;
  for (int64_t v = 0; v < vocab; v++) {
    if (!x->in[v]) continue;
    x->ids[x->n] = v;
    x->log_q[x->n++] = (float)oracle_log_p(&dense, v);
  }
  for (int64_t i = x->n - 1; i > 0; i--) { /* shuffled */
    const int64_t j = rng_between(g, 0, i), id = x->ids[i];
    const float log_q = x->log_q[i];
    x->ids[i] = x->ids[j];
    x->log_q[i] = x->log_q[j];
    x->ids[j] = id;
    x->log_q[j] = log_q;
  }
  oracle_free(&dense);
}

/* Entries that change nothing: none, and repetitions of other probabilities. */
static void pad(scene *x, rng *g) {
  const int64_t n = x->n;
  for (int i = 0; i < SLACK; i++) {
    const bool repeat = n > 0 && i % 2;
    x->ids[x->n] = repeat ? x->ids[rng_between(g, 0, n - 1)] : -1;
    x->log_q[x->n++] = repeat ? -0.5f : 7.0f;
  }
}

/* The q of the header, in long double. Off the list the student's masked tokens get what no other can have. */
static void complete(scene *x) {
  const int64_t vocab = x->m.s.view.vocab;
  long double *s = malloc((size_t)vocab * sizeof *s), *t = malloc((size_t)vocab * sizeof *t);
  if (!s || !t) abort();
  oracle_load(&x->o, &x->m.s.view, NULL, 0);
  long double p_off = 0;
  bool whole = true;
  x->listed = 0;
  for (int64_t v = 0; v < vocab; v++) x->in[v] = false;
  for (int64_t i = 0; i < x->n; i++) {
    if (x->ids[i] < 0 || x->in[x->ids[i]]) continue;
    x->in[x->ids[i]] = true;
    t[x->ids[i]] = (long double)x->log_q[i];
    x->listed += expl((long double)x->log_q[i]);
  }
  for (int64_t v = 0; v < vocab; v++) whole &= x->in[v];
  const long double most = whole ? 1 : 1 - (long double)x->list.least_rest;
  const long double listed = whole || x->listed > most ? most : x->listed;
  bool first = true; /* what no allowed token can have goes to one that is masked */
  for (int64_t v = 0; v < vocab; v++) {
    if (x->in[v]) t[v] -= listed == most ? logl(x->listed / most) : 0;
    if (!x->in[v]) p_off += expl(oracle_log_p(&x->o, v));
  }
  x->rest_p = logl(p_off);
  x->rest_q = listed < 1 ? log1pl(-listed) : -(long double)INFINITY;
  for (int64_t v = 0; v < vocab; v++) {
    s[v] = x->o.s[v] + x->o.top_s;
    if (x->in[v]) continue;
    if (!(p_off > 0) && !first) {
      t[v] = -(long double)INFINITY;
      continue;
    }
    first = false;
    t[v] = p_off > 0 ? oracle_log_p(&x->o, v) + (x->rest_q - x->rest_p) : x->rest_q;
  }
  oracle_set(&x->o, s, t, vocab);
  for (int64_t v = 0; v < vocab; v++) x->o.raw_s[v] = matrix_get(&x->m.s.view, 0, v);
  free(s);
  free(t);
}

static scene scene_new(rng *g, int family, int64_t vocab, int64_t k, int32_t dtype, float temperature) {
  const size_t n = (size_t)(vocab + SLACK);
  scene x = {.m = models_new(1, vocab, dtype, TRB_F32, temperature, 0.0f), .ids = calloc(n, sizeof *x.ids)};
  x.log_q = calloc(n, sizeof *x.log_q);
  x.in = calloc(n, sizeof *x.in);
  if (!x.ids || !x.log_q || !x.in) abort();
  models_fill_row(&x.m, 0, g, family);
  x.o = oracle_new(vocab);
  choose(&x, g, k, rng_chance(g, 0.7));
  if (rng_chance(g, 0.5)) pad(&x, g);
  x.list = (trb_sparse){.ids = x.ids, .log_q = x.log_q, .k = x.n, .least_rest = rng_chance(g, 0.3) ? 1e-3 : 0.0};
  return x;
}

static void scene_free(scene *x) {
  models_free(&x->m);
  oracle_free(&x->o);
  free(x->ids);
  free(x->log_q);
  free(x->in);
}

/* What the seeded rows are, once in a while with rows of many blocks. */
static scene random_scene(rng *g, int family, int64_t i) {
  static const float temperatures[] = {0.0f, 0.7f, 1.5f};
  const int64_t vocab = i == 7 ? 36000 : family_vocab(g, family);
  const int64_t k = rng_chance(g, 0.1) && vocab < 1000 ? vocab
                    : rng_chance(g, 0.1)               ? 0
                                                       : rng_size(g, 1, vocab < 200 ? vocab : 200);
  scene x = scene_new(g, family, vocab, k, (int32_t)rng_between(g, 0, 2), temperatures[i % 3]);
  complete(&x);
  return x;
}

/* Whether what the list leaves over is little more than the rounding of its sum, or of its floats. */
static bool fragile(const scene *x, long double rounding) {
  int64_t listed = 0;
  for (int64_t v = 0; v < x->o.n; v++) listed += x->in[v];
  return listed < x->o.n && fabsl(1 - (long double)x->list.least_rest - x->listed) < rounding;
}

static bool suits(int family) {
  return family != FAMILY_SIZES && family != FAMILY_HUGE;
}

/* ---- The solve ---- */

START_TEST(test_solve) {
  if (!suits(_i)) return;
  rng g = {0x59A + (uint64_t)_i};
  solve_worst worst = {0};
  for (int64_t i = 0; i < scaled(200); i++) {
    scene x = random_scene(&g, _i, i);
    if (fragile(&x, 1e-8L)) {
      scene_free(&x);
      continue;
    }
    const double budget = rng_scale(&g, 1e-6, 10.0);
    const trb_solve_options bisection = {sizeof bisection, 0, TRB_METHOD_BISECTION, 0};
    trb_sparse_blend b;
    char where[100];
    snprintf(where, sizeof where, "%s, %d of %d tokens, number %d", family_name(_i), (int)x.n, (int)x.o.n, (int)i);
    ck_assert_msg(trb_solve_sparse(NULL, &x.m.s.view, &x.list, &budget, 1, i % 5 ? NULL : &bisection, &b) == TRB_OK,
                  "%s", where);
    const solve_problem problem = {&x.o, budget, 0.0, where};
    solve_check(&problem, &b.blend, &worst);
    if (i % 5) ck_assert_int_eq(b.blend.passes, 1);
    assert_near(b.log_rest_student, x.rest_p, isinf(x.rest_p) ? 0 : 2e-6 + 1e-6 * fabs(b.log_rest_student), "P, %s",
                where);
    const bool none = isinf(x.rest_q);
    assert_near(b.log_rest_teacher, x.rest_q, none ? 0 : 1e-13 / exp(b.log_rest_teacher), "Q, %s", where);
    scene_free(&x);
  }
  solve_report(family_name(_i), &worst);
}
END_TEST

static bool names_two(const scene *x) {
  int64_t n = 0;
  for (int64_t v = 0; v < x->o.n; v++) n += x->in[v];
  return n >= 2;
}

/* Logits beyond any scale: statuses and finite numbers, and the budget in the blend's own terms. */
START_TEST(test_huge) {
  rng g = {0x5A0};
  for (int64_t i = 0; i < scaled(200); i++) {
    scene x = scene_new(&g, FAMILY_HUGE, 60, rng_between(&g, 0, 60), TRB_F32, 0.0f);
    const double budget = rng_scale(&g, 1e-6, 10.0);
    trb_sparse_blend b;
    trb_draw draw;
    ck_assert_int_eq(trb_solve_sparse(NULL, &x.m.s.view, &x.list, &budget, 1, NULL, &b), TRB_OK);
    ck_assert(b.blend.status >= 0 && b.blend.kl_student >= 0.0 && b.blend.kl_student <= budget * (1 + 1e-6));
    ck_assert_int_eq(trb_sample_sparse(NULL, &x.m.s.view, &x.list, &b, NULL, &draw), TRB_OK);
    ck_assert(draw.token >= 0 && draw.token < 60);
    for (int32_t form = TRB_FORM_FULL; form <= TRB_FORM_GENERALIZED; form++) {
      const trb_loss_options options = {sizeof options, form, 0, 0, NULL};
      if (form == TRB_FORM_RENORMALIZED && !names_two(&x)) continue;
      matrix grad = matrix_new(1, 60, 0, TRB_F32, 0.0f);
      double loss;
      trb_loss_row row;
      const trb_status status =
          trb_reverse_kl_sparse(NULL, &x.m.s.view, &x.list, NULL, &options, &loss, &grad.view, &row);
      ck_assert_msg(status == TRB_OK ? isfinite(loss) : row.status == TRB_ROW_EMPTY || row.status == TRB_ROW_INFINITE,
                    "form %d: loss %g, status %d", form, loss, row.status);
      for (int64_t v = 0; v < 60; v++) ck_assert(isfinite(matrix_get(&grad.view, 0, v)));
      matrix_free(&grad);
    }
    scene_free(&x);
  }
}
END_TEST

/* Against the solve with all of the teacher: the mu of a list meets the same budget, comes no nearer to the whole
 * teacher than the best, and by no more than mu(rest) KL(p_rest||q_rest) farther away; that also bounds KL(mu||best).
 */
START_TEST(test_against_the_full_solve) {
  static const int families[] = {FAMILY_GAUSSIAN, FAMILY_SPIKY, FAMILY_CORRELATED, FAMILY_DISAGREEING, FAMILY_PEAKED};
  rng g = {0x5A1 + (uint64_t)_i};
  double tightest = INFINITY;
  for (int64_t i = 0; i < scaled(150); i++) {
    const int64_t vocab = rng_size(&g, 4, 400), k = rng_between(&g, 1, vocab - 2);
    scene x = scene_new(&g, families[_i], vocab, k, TRB_F32, 0.0f);
    x.list.least_rest = 0.0;
    complete(&x);
    if (fragile(&x, 1e-5L)) {
      scene_free(&x);
      continue;
    }
    const double budget = rng_scale(&g, 1e-4, 1.0);
    trb_sparse_blend sparse;
    trb_blend full;
    ck_assert_int_eq(trb_solve_sparse(NULL, &x.m.s.view, &x.list, &budget, 1, NULL, &sparse), TRB_OK);
    ck_assert_int_eq(trb_solve(NULL, &x.m.s.view, &x.m.t.view, &budget, 1, NULL, &full), TRB_OK);
    oracle whole = oracle_new(vocab);
    oracle_load(&whole, &x.m.s.view, &x.m.t.view, 0);
    const oracle_blend of_list = oracle_blend_at(&x.o, sparse.blend.beta), best = oracle_blend_at(&whole, full.beta);
    long double to_student = 0, to_teacher = 0, to_best = 0, mu_rest = 0, kl_rest = 0, p_rest = 0, q_rest = 0;
    for (int64_t v = 0; v < vocab; v++) {
      const long double log_mu = oracle_log_mu(&x.o, sparse.blend.beta, &of_list, v);
      to_student += oracle_kl_term(log_mu, oracle_log_p(&whole, v));
      to_teacher += oracle_kl_term(log_mu, oracle_log_q(&whole, v));
      to_best += oracle_kl_term(log_mu, oracle_log_mu(&whole, full.beta, &best, v));
      if (x.in[v]) continue;
      mu_rest += expl(log_mu);
      p_rest += whole.p[v];
      q_rest += whole.q[v];
    }
    for (int64_t v = 0; v < vocab; v++)
      if (!x.in[v])
        kl_rest += oracle_kl_term(oracle_log_p(&whole, v) - logl(p_rest), oracle_log_q(&whole, v) - logl(q_rest));
    const long double bound = mu_rest * kl_rest, gap = to_teacher - best.kl_teacher, room = 1e-6L + 1e-4L * budget;
    ck_assert_msg(to_student <= (long double)budget * (1 + 1e-6L), "KL(mu||p) %Lg, budget %g", to_student, budget);
    ck_assert_msg(gap >= -room * (1 + best.kl_teacher), "nearer than the best by %Lg", -gap);
    ck_assert_msg(gap <= bound + room * (1 + best.kl_teacher), "farther by %Lg, bound %Lg", gap, bound);
    if (full.status == TRB_ROW_BLENDED)
      ck_assert_msg(to_best <= bound + 10 * room * (1 + bound), "KL(mu||best) %Lg, bound %Lg", to_best, bound);
    /* what is said of the list itself bounds the whole teacher from below */
    ck_assert_msg((long double)sparse.blend.kl_teacher <= best.kl_teacher + room * (1 + best.kl_teacher),
                  "KL(mu||q) of the list %g, of the whole %Lg", sparse.blend.kl_teacher, best.kl_teacher);
    if (gap > 1e-3L && (double)(bound / gap) < tightest) tightest = (double)(bound / gap);
    oracle_free(&whole);
    scene_free(&x);
  }
  if (verbose()) printf("%s: bound over gap at least %.3g\n", family_name(families[_i]), tightest);
}
END_TEST

/* ---- Draws ---- */

enum { BATCH = 500 };

typedef struct setting {
  const char *name;
  int family;
  int64_t vocab, k, draws;
  double budget;
  int64_t top_k;
  double top_p, min_p;
} setting;

static const setting settings[] = {
    {"few", FAMILY_GAUSSIAN, 12, 3, 60000, 0.05, 0, 0, 0},
    {"many", FAMILY_SPIKY, 200, 20, 40000, 0.5, 0, 0, 0},
    {"p", FAMILY_GAUSSIAN, 50, 8, 40000, 0.0, 0, 0, 0},
    {"q", FAMILY_DISAGREEING, 50, 8, 40000, INFINITY, 0, 0, 0},
    {"no list", FAMILY_GAUSSIAN, 50, 0, 40000, 0.1, 0, 0, 0},
    {"all listed", FAMILY_GAUSSIAN, 50, 50, 40000, 0.1, 0, 0, 0},
    {"masked", FAMILY_MASK_BOTH, 60, 10, 40000, 0.3, 0, 0, 0},
    {"top-k", FAMILY_GAUSSIAN, 60, 10, 40000, 0.3, 9, 0, 0},
    {"all filters", FAMILY_GAUSSIAN, 60, 10, 40000, 0.3, 40, 0.9, 0.02},
    {"several blocks", FAMILY_SPIKY, 5000, 60, 8000, 0.3, 0, 0, 0},
    {"several blocks, top-p", FAMILY_SPIKY, 5000, 60, 1500, 0.3, 0, 0.8, 0},
    {"many parts", FAMILY_SPIKY, 40000, 60, 4000, 0.3, 0, 0, 0},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

START_TEST(test_draws) {
  const setting *c = &settings[_i];
  rng g = {0x5A3 + (uint64_t)_i};
  scene x = scene_new(&g, c->family, c->vocab, c->k, TRB_F32, 0.0f);
  complete(&x);
  trb_sparse_blend one;
  ck_assert_int_eq(trb_solve_sparse(NULL, &x.m.s.view, &x.list, &c->budget, 1, NULL, &one), TRB_OK);
  const size_t n = (size_t)c->vocab;
  long double *log_mu = malloc(n * sizeof *log_mu), *mu = malloc(n * sizeof *mu);
  bool *keep = malloc(n * sizeof *keep);
  int64_t *counts = calloc(n, sizeof *counts);
  if (!log_mu || !mu || !keep || !counts) abort();
  const oracle_blend blend = oracle_blend_at(&x.o, one.blend.beta);
  trb_sampler sampler = {sizeof sampler, 0x5EED, NULL, NULL, c->top_k, c->top_p, c->min_p, 0, 0};
  for (int64_t v = 0; v < c->vocab; v++) log_mu[v] = oracle_log_mu(&x.o, one.blend.beta, &blend, v);
  const oracle_filter filter = oracle_keep(log_mu, c->vocab, &sampler, keep);
  ck_assert_msg(filter.margin > 1e-5L, "%s: the filters decide by %Lg; choose other rows", c->name, filter.margin);
  for (int64_t v = 0; v < c->vocab; v++) mu[v] = keep[v] ? expl(log_mu[v] - filter.log_mass) : 0;
  const int64_t draws = scaled(c->draws);
  for (int64_t i = 0; i < draws; i++) {
    trb_draw d;
    sampler.index = &i;
    ck_assert_int_eq(trb_sample_sparse(NULL, &x.m.s.view, &x.list, &one, &sampler, &d), TRB_OK);
    const int64_t v = d.token;
    ck_assert(v >= 0 && v < c->vocab && d.status == TRB_ROW_OK && d.reserved == 0);
    ck_assert_int_eq(d.kept, filter.kept);
    const double size = 2e-6 + 1e-6 * fabs(d.log_behavior);
    assert_near(d.log_behavior, log_mu[v], size, "log mu, %s", c->name);
    assert_near(d.log_sampled, log_mu[v] - filter.log_mass, size, "log sampled, %s", c->name);
    assert_near(d.log_student, oracle_log_p(&x.o, v), size, "log p, %s", c->name);
    const long double log_q = oracle_log_q(&x.o, v);
    assert_near(d.log_teacher, log_q, isinf(log_q) ? 0 : 2e-6 + 1e-6 * fabs(d.log_teacher), "log q, %s", c->name);
    counts[v]++;
  }
  const double p = chi_square_p_value(counts, mu, c->vocab, draws);
  if (verbose()) printf("%s: p-value %.3g\n", c->name, p);
  ck_assert_msg(p > CHANCE, "%s: p-value %.3g", c->name, p);
  sampler.greedy = 1; /* the largest, and of equal ones the first */
  sampler.index = NULL;
  trb_draw d;
  ck_assert_int_eq(trb_sample_sparse(NULL, &x.m.s.view, &x.list, &one, &sampler, &d), TRB_OK);
  for (int64_t v = 0; v < c->vocab; v++) ck_assert(log_mu[v] <= log_mu[d.token] + 1e-6L);
  ck_assert(d.log_sampled == 0.0);
  free(log_mu);
  free(mu);
  free(keep);
  free(counts);
  scene_free(&x);
}
END_TEST

/* ---- The loss ---- */

static const char *const form_names[] = {"full", "truncated", "renormalized", "tail bucket", "generalized"};

static void check_record(const scene *x, const trb_loss_row *row, const oracle_loss *want, const char *where) {
  long double p = 0, q = 0, entropy_p = 0, entropy_q = 0;
  int64_t support = 0, best_s = 0, best_t = 0;
  for (int64_t v = 0; v < x->o.n; v++) {
    const long double log_p = oracle_log_p(&x->o, v), log_q = oracle_log_q(&x->o, v);
    if (x->in[v]) p += x->o.p[v];
    if (x->in[v]) q += x->o.q[v];
    support += x->in[v] && !isinf(log_p);
    entropy_p -= isinf(log_p) ? 0 : x->o.p[v] * log_p;
    entropy_q -= isinf(log_q) ? 0 : x->o.q[v] * log_q;
    if (x->o.raw_s[v] > x->o.raw_s[best_s]) best_s = v;
    if (log_q > oracle_log_q(&x->o, best_t)) best_t = v;
  }
  (void)want;
  assert_near(row->mass_student, p, 2e-6, "P, %s", where);
  assert_near(row->mass_teacher, q, 2e-6, "Q, %s", where);
  assert_near(row->entropy_student, entropy_p, 4e-6 * (1 + fabs(row->entropy_student)), "H(p), %s", where);
  assert_near(row->entropy_teacher, entropy_q, 4e-6 * (1 + fabs(row->entropy_teacher)), "H(q), %s", where);
  ck_assert_int_eq(row->support, support);
  ck_assert_int_eq(row->overlap, -1);
  ck_assert_int_eq(row->argmax_student, best_s);
  if (isinf(x->rest_p)) return; /* no token has what is left over */
  ck_assert_msg(oracle_log_q(&x->o, row->argmax_teacher) >= oracle_log_q(&x->o, best_t) - 1e-6L, "%s: argmax", where);
}

/* Loop test over the families, all forms. */
START_TEST(test_loss) {
  if (!suits(_i)) return;
  rng g = {0x5B0 + (uint64_t)_i};
  int64_t good = 0;
  for (int64_t i = 0; i < scaled(200); i++) {
    scene x = random_scene(&g, _i, i);
    if (fragile(&x, 1e-8L)) {
      scene_free(&x);
      continue;
    }
    const int32_t form = (int32_t)(i % 5), dtype = (int32_t)rng_between(&g, 0, 2);
    const bool whole = form == TRB_FORM_FULL || form == TRB_FORM_TAIL_BUCKET;
    const double weight = random_weight(&g);
    trb_loss_options options = {sizeof options, form, 0, 0, NULL};
    matrix grad = matrix_new(1, x.o.n, 0, dtype, 0.0f);
    long double *want_grad = calloc((size_t)x.o.n, sizeof *want_grad);
    if (!want_grad) abort();
    double loss;
    trb_loss_row row;
    char where[200];
    snprintf(where, sizeof where, "%s, %s, %d of %d tokens, number %d", form_names[form], family_name(_i), (int)x.n,
             (int)x.o.n, (int)i);
    const trb_status status =
        trb_reverse_kl_sparse(NULL, &x.m.s.view, &x.list, &weight, &options, &loss, &grad.view, &row);
    if (form == TRB_FORM_RENORMALIZED && !names_two(&x)) {
      ck_assert_int_eq(status, TRB_EINVAL);
    } else if (weight == 0.0) {
      ck_assert(status == TRB_OK && loss == 0.0 && row.status == TRB_ROW_SKIPPED);
    } else {
      bool *all = malloc((size_t)x.o.n * sizeof *all);
      if (!all) abort();
      for (int64_t v = 0; v < x.o.n; v++) all[v] = true;
      const oracle_loss want = oracle_reverse_kl(&x.o, whole ? TRB_FORM_FULL : form, whole ? all : x.in, want_grad);
      ck_assert_msg(row.status == want.status && (status == TRB_OK) == (want.status == TRB_ROW_OK),
                    "%s: status %d, expected %d", where, row.status, want.status);
      if (want.status == TRB_ROW_OK) {
        good++;
        const double size = 3e-6 * (1e-3 + fabs((double)want.loss)) + 1e-6;
        assert_near(loss, want.loss, whole ? 4e-6 * (double)want.loss + 4e-7 : size, "%s", where);
        check_record(&x, &row, &want, where);
        const long double temperature = x.m.s.view.temperature == 0.0f ? 1.0L : (long double)x.m.s.view.temperature;
        for (int64_t v = 0; v < x.o.n; v++) {
          const long double gradient = (long double)weight * want_grad[v] / temperature;
          const double got = matrix_get(&grad.view, 0, v);
          assert_near(got, gradient,
                      4e-6 * fabs(weight) / (double)temperature * (1 + fabs((double)want.loss)) +
                          2 * dtype_rounding(dtype, (double)gradient),
                      "gradient %d, %s", (int)v, where);
        }
      } else {
        for (int64_t v = 0; v < x.o.n; v++) ck_assert(matrix_get(&grad.view, 0, v) == 0.0);
        ck_assert(want.status == TRB_ROW_INFINITE ? isinf(loss) : isnan(loss));
      }
      free(all);
    }
    free(want_grad);
    matrix_free(&grad);
    scene_free(&x);
  }
  ck_assert_int_gt(good, 0);
}
END_TEST

/* ---- Edges ---- */

/* The same lists as offsets and as rows of one length give the same bits, wherever the arrays begin; a gradient may
 * take the student's place. */
START_TEST(test_layouts) {
  enum { ROWS = 4, VOCAB = 50, K = 6 };
  rng g = {0x5C0};
  models m = models_random(&g, FAMILY_GAUSSIAN, ROWS, VOCAB, TRB_F32);
  int64_t ids[ROWS * K + 3], ragged_ids[ROWS * K + 3], offset[ROWS + 1] = {3};
  float log_q[ROWS * K + 3], ragged_q[ROWS * K + 3];
  for (int r = 0; r < ROWS; r++) {
    offset[r + 1] = offset[r] + r;
    for (int i = 0; i < K; i++) {
      ids[r * K + i] = i < r ? (11 * i + r) % VOCAB : -1;
      log_q[r * K + i] = i < r ? -1.5f - (float)i : NAN;
      if (i < r) ragged_ids[offset[r] + i] = ids[r * K + i];
      if (i < r) ragged_q[offset[r] + i] = log_q[r * K + i];
    }
  }
  const trb_sparse flat = {.ids = ids, .log_q = log_q, .k = K};
  const trb_sparse ragged = {.ids = ragged_ids, .log_q = ragged_q, .offset = offset};
  const double budget = 0.1;
  trb_sparse_blend a[ROWS], b[ROWS];
  trb_draw drawn_a[ROWS], drawn_b[ROWS];
  double loss_a[ROWS], loss_b[ROWS];
  matrix grad = matrix_new(ROWS, VOCAB, 0, TRB_F32, 0.0f);
  ck_assert_int_eq(trb_solve_sparse(NULL, &m.s.view, &flat, &budget, 1, NULL, a), TRB_OK);
  ck_assert_int_eq(trb_solve_sparse(NULL, &m.s.view, &ragged, &budget, 1, NULL, b), TRB_OK);
  ck_assert(memcmp(a, b, sizeof a) == 0);
  ck_assert_int_eq(trb_sample_sparse(NULL, &m.s.view, &flat, a, NULL, drawn_a), TRB_OK);
  ck_assert_int_eq(trb_sample_sparse(NULL, &m.s.view, &ragged, b, NULL, drawn_b), TRB_OK);
  ck_assert(memcmp(drawn_a, drawn_b, sizeof drawn_a) == 0);
  ck_assert_int_eq(trb_reverse_kl_sparse(NULL, &m.s.view, &flat, NULL, NULL, loss_a, &grad.view, NULL), TRB_OK);
  ck_assert_int_eq(trb_reverse_kl_sparse(NULL, &m.s.view, &ragged, NULL, NULL, loss_b, &m.s.view, NULL), TRB_OK);
  ck_assert(memcmp(loss_a, loss_b, sizeof loss_a) == 0);
  ck_assert(memcmp(grad.view.data, m.s.view.data, ROWS * VOCAB * sizeof(float)) == 0);
  ck_assert(a[0].blend.status == TRB_ROW_TEACHER && a[0].blend.kl_student == 0.0 && loss_a[0] == 0.0);
  ck_assert(a[0].log_rest_student == 0.0 && a[0].log_rest_teacher == 0.0);
  matrix_free(&grad);
  models_free(&m);
}
END_TEST

/* Bad rows are named, the others computed. */
START_TEST(test_bad_rows) {
  enum { ROWS = 7, VOCAB = 20, K = 2 };
  static const int32_t want[ROWS] = {0,
                                     TRB_ROW_NOT_A_NUMBER,
                                     TRB_ROW_EMPTY,
                                     TRB_ROW_NOT_A_NUMBER,
                                     TRB_ROW_EXCESS,
                                     TRB_ROW_EXCESS,
                                     TRB_ROW_NOT_A_NUMBER};
  rng g = {0x5C1};
  models m = models_random(&g, FAMILY_GAUSSIAN, ROWS, VOCAB, TRB_F32);
  int64_t ids[ROWS * K];
  float log_q[ROWS * K];
  for (int i = 0; i < ROWS * K; i++) ids[i] = i % 3 + 4, log_q[i] = -1.0f;
  matrix_set(&m.s, 1, 4, (double)NAN);
  for (int64_t v = 0; v < VOCAB; v++) matrix_set(&m.s, 2, v, -(double)INFINITY);
  log_q[3 * K] = (float)NAN;
  log_q[4 * K] = -0.4f;
  log_q[5 * K] = 60.0f;
  log_q[6 * K + 1] = (float)INFINITY;
  const trb_sparse list = {.ids = ids, .log_q = log_q, .k = K};
  const double budget = 0.1;
  trb_sparse_blend blend[ROWS];
  trb_draw draw[ROWS];
  trb_loss_row rows[ROWS];
  double loss[ROWS];
  ck_assert_int_eq(trb_solve_sparse(NULL, &m.s.view, &list, &budget, 1, NULL, blend), TRB_EROWS);
  ck_assert_int_eq(trb_sample_sparse(NULL, &m.s.view, &list, blend, NULL, draw), TRB_EROWS);
  ck_assert_int_eq(trb_reverse_kl_sparse(NULL, &m.s.view, &list, NULL, NULL, loss, NULL, rows), TRB_EROWS);
  for (int r = 0; r < ROWS; r++) {
    ck_assert_int_eq(want[r] ? blend[r].blend.status : 0, want[r]);
    ck_assert_int_eq(want[r] ? draw[r].status : 0, want[r]);
    ck_assert_int_eq(want[r] ? rows[r].status : 0, want[r]);
    if (want[r]) ck_assert(isnan(blend[r].log2_z) && isnan(blend[r].log_rest_student) && draw[r].token == -1);
  }
  ck_assert(draw[0].token >= 0 && isfinite(loss[0]));
  models_free(&m);
}
END_TEST

/* A list that adds up to a little more than 1 masks all else, unless it must leave something over. */
START_TEST(test_rounding) {
  enum { VOCAB = 30 };
  rng g = {0x5C2};
  models m = models_random(&g, FAMILY_GAUSSIAN, 1, VOCAB, TRB_F32);
  const int64_t ids[] = {3, 9};
  const float log_q[] = {-0.693147f, -0.6930f};
  trb_sparse list = {.ids = ids, .log_q = log_q, .k = 2};
  const double budget = 20.0;
  trb_sparse_blend b;
  double loss;
  ck_assert_int_eq(trb_solve_sparse(NULL, &m.s.view, &list, &budget, 1, NULL, &b), TRB_OK);
  ck_assert(isinf(b.log_rest_teacher) && b.blend.status == TRB_ROW_TEACHER && b.blend.support == 2);
  ck_assert_int_eq(trb_reverse_kl_sparse(NULL, &m.s.view, &list, NULL, NULL, &loss, NULL, NULL), TRB_EROWS);
  ck_assert(isinf(loss));
  list.least_rest = 1e-4;
  ck_assert_int_eq(trb_solve_sparse(NULL, &m.s.view, &list, &budget, 1, NULL, &b), TRB_OK);
  assert_near(b.log_rest_teacher, logl(1e-4L), 1e-12, "rest");
  ck_assert_int_eq(b.blend.support, VOCAB);
  ck_assert_int_eq(trb_reverse_kl_sparse(NULL, &m.s.view, &list, NULL, NULL, &loss, NULL, NULL), TRB_OK);
  ck_assert(isfinite(loss) && loss > 0.0);
  models_free(&m);
}
END_TEST

Suite *sparse_suite(void) {
  Suite *suite = suite_create("sparse");
  suite_add_tcase(suite, sparse_einval_case());
  TCase *tc = long_case("sparse");
  tcase_add_loop_test(tc, test_solve, 0, FAMILIES);
  tcase_add_test(tc, test_huge);
  tcase_add_loop_test(tc, test_against_the_full_solve, 0, 5);
  tcase_add_loop_test(tc, test_draws, 0, SETTINGS);
  tcase_add_loop_test(tc, test_loss, 0, FAMILIES);
  tcase_add_test(tc, test_layouts);
  tcase_add_test(tc, test_bad_rows);
  tcase_add_test(tc, test_rounding);
  suite_add_tcase(suite, tc);
  return suite;
}
