/* test_sample.c - trb_sample against the exact distribution: chi-square at fixed seeds. A correct sampler fails one of
 * these tests by chance with probability 1e-6; as the seeds are fixed, it either always does or never. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chi_square.h"
#include "oracle.h"
#include "suites.h"
#include "common.h"

enum { BATCH = 500 };
static const double CHANCE = 1e-6;

typedef struct setting {
  const char *name;
  int family;
  int64_t vocab;
  double beta; /* negative: solve for budget -beta */
  int64_t top_k;
  double top_p, min_p;
  int64_t draws;
  int32_t dtype;
  float temperature;
  bool no_teacher;
} setting;

static const setting settings[] = {
    {"mu, 5 tokens", FAMILY_GAUSSIAN, 5, 0.4, 0, 0, 0, 60000, TRB_F32, 0, false},
    {"mu, 50 tokens", FAMILY_GAUSSIAN, 50, 0.7, 0, 0, 0, 60000, TRB_F32, 0.8f, false},
    {"solved mu", FAMILY_CORRELATED, 40, -0.02, 0, 0, 0, 60000, TRB_BF16, 1.3f, false},
    {"p alone", FAMILY_GAUSSIAN, 20, 0.0, 0, 0, 0, 60000, TRB_F16, 0, true},
    {"p beside a teacher that masks", FAMILY_MASK_TEACHER, 20, 0.0, 0, 0, 0, 60000, TRB_F32, 0, false},
    {"q", FAMILY_DISAGREEING, 30, 1.0, 0, 0, 0, 60000, TRB_F32, 0, false},
    {"masked", FAMILY_MASK_BOTH, 50, 0.5, 0, 0, 0, 40000, TRB_F32, 0, false},
    {"flat", FAMILY_FLAT, 33, 0.5, 0, 0, 0, 40000, TRB_F16, 0, false},
    {"top-k", FAMILY_GAUSSIAN, 50, 0.5, 7, 0, 0, 40000, TRB_F32, 0, false},
    {"top-k of p", FAMILY_GAUSSIAN, 50, 0.0, 7, 0, 0, 40000, TRB_F32, 0, true},
    {"top-k beyond the vocabulary", FAMILY_GAUSSIAN, 9, 0.5, 100, 0, 0, 40000, TRB_F32, 0, false},
    {"top-k over masks", FAMILY_MASK_BOTH, 50, 0.5, 40, 0, 0, 40000, TRB_BF16, 0, false},
    {"top-p", FAMILY_GAUSSIAN, 50, 0.5, 0, 0.8, 0, 40000, TRB_F32, 0, false},
    {"top-p of q", FAMILY_CORRELATED, 50, 1.0, 0, 0.95, 0, 40000, TRB_F32, 0.5f, false},
    {"min-p", FAMILY_GAUSSIAN, 50, 0.5, 0, 0, 0.1, 40000, TRB_F32, 0, false},
    {"top-k, top-p", FAMILY_GAUSSIAN, 50, 0.5, 10, 0.7, 0, 40000, TRB_F32, 0, false},
    {"top-k, min-p", FAMILY_GAUSSIAN, 50, 0.5, 10, 0, 0.2, 40000, TRB_F32, 0, false},
    {"top-p, min-p", FAMILY_GAUSSIAN, 50, 0.3, 0, 0.9, 0.15, 40000, TRB_F32, 0, false},
    {"all three", FAMILY_GAUSSIAN, 50, -0.3, 20, 0.9, 0.05, 40000, TRB_F32, 0, false},
    {"several blocks", FAMILY_SPIKY, 5000, -0.05, 0, 0, 0, 12000, TRB_F32, 0, false},
    {"several blocks, flat", FAMILY_FLAT, 5000, 0.5, 0, 0, 0, 8000, TRB_F32, 0, false},
    {"several blocks, p alone", FAMILY_GAUSSIAN, 5000, 0.0, 0, 0, 0, 12000, TRB_F16, 0, true},
    {"several blocks, top-k", FAMILY_GAUSSIAN, 5000, 0.5, 300, 0, 0, 8000, TRB_F32, 0, false},
    {"several blocks, top-p", FAMILY_SPIKY, 5000, 0.5, 0, 0.9, 0, 8000, TRB_F32, 0, false},
    {"several blocks, min-p", FAMILY_GAUSSIAN, 5000, 0.5, 0, 0, 0.05, 8000, TRB_F32, 0, false},
    {"several blocks, all three", FAMILY_GAUSSIAN, 5000, 0.5, 2000, 0.9, 0.001, 8000, TRB_F32, 0, false},
    {"several blocks, many masks", FAMILY_MASK_BOTH, 5000, 0.5, 0, 0, 0, 8000, TRB_F32, 0, false},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

/* A model whose single row stands BATCH times in it, and what should come of it. */
typedef struct scene {
  models m;
  const trb_logits *teacher;
  trb_blend blend[BATCH];
  oracle o;
  oracle_blend exact;
  oracle_filter filter;
  bool *keep;
  long double *log_mu, *probability;
} scene;

static void repeat_first_row(const matrix *m) {
  size_t bytes = (size_t)m->view.stride * (m->view.dtype == TRB_F32 ? 4 : 2);
  for (int64_t r = 1; r < m->view.rows; r++) memcpy((char *)m->view.data + (size_t)r * bytes, m->view.data, bytes);
}

static void prepare(scene *x, const setting *c, uint64_t seed, const trb_sampler *sampler) {
  rng g = {seed};
  x->m = models_new(BATCH, c->vocab, c->dtype, c->dtype, c->temperature, c->temperature);
  models_fill_row(&x->m, 0, &g, c->family);
  repeat_first_row(&x->m.s);
  repeat_first_row(&x->m.t);
  x->teacher = c->no_teacher ? NULL : &x->m.t.view;
  double beta = c->beta, budget = -c->beta;
  if (beta >= 0.0) {
    ck_assert_int_eq(trb_blend_at(NULL, &x->m.s.view, x->teacher, &beta, 1, x->blend), TRB_OK);
  } else {
    ck_assert_int_eq(trb_solve(NULL, &x->m.s.view, x->teacher, &budget, 1, NULL, x->blend), TRB_OK);
    ck_assert_int_eq(x->blend[0].status, TRB_ROW_BLENDED);
  }
  x->o = oracle_new(c->vocab);
  oracle_load(&x->o, &x->m.s.view, x->teacher, 0);
  x->exact = oracle_blend_at(&x->o, x->blend[0].beta);
  x->keep = malloc((size_t)c->vocab * sizeof *x->keep);
  x->log_mu = malloc((size_t)c->vocab * sizeof *x->log_mu);
  x->probability = malloc((size_t)c->vocab * sizeof *x->probability);
  if (!x->keep || !x->log_mu || !x->probability) abort();
  for (int64_t v = 0; v < c->vocab; v++) x->log_mu[v] = oracle_log_mu(&x->o, x->blend[0].beta, &x->exact, v);
  x->filter = oracle_keep(x->log_mu, c->vocab, sampler, x->keep);
  for (int64_t v = 0; v < c->vocab; v++) {
    x->probability[v] = x->keep[v] ? expl(x->log_mu[v] - x->filter.log_mass) : 0;
  }
}

static void dismiss(scene *x) {
  free(x->keep);
  free(x->log_mu);
  free(x->probability);
  oracle_free(&x->o);
  models_free(&x->m);
}

/* The logarithms of a draw: a log-probability is a double apart from the f32 terms of its normalizer, 3e-7 each. */
static void check_draw(const scene *x, const trb_draw *d, const char *name) {
  ck_assert_msg(d->status == TRB_ROW_OK && d->token >= 0 && d->token < x->o.n && d->reserved == 0,
                "%s: status %d token %d", name, d->status, (int)d->token);
  ck_assert_msg(x->keep[d->token], "%s: token %d should have been dropped", name, (int)d->token);
  ck_assert_int_eq(d->kept, x->filter.kept);
  double size = 1e-6 + 1e-7 * fabs(d->log_behavior);
  assert_near(d->log_behavior, x->log_mu[d->token], size, "%s", name);
  assert_near(d->log_sampled, x->log_mu[d->token] - x->filter.log_mass, size + 3e-7, "%s", name);
  assert_near(d->log_student, oracle_log_p(&x->o, d->token), 1e-6 + 1e-7 * fabs(d->log_student), "%s", name);
  long double log_q = x->o.has_teacher ? oracle_log_q(&x->o, d->token) : (long double)NAN;
  assert_near(d->log_teacher, log_q, isfinite(log_q) ? 1e-6 + 1e-7 * fabs(d->log_teacher) : 0.0, "%s", name);
}

START_TEST(test_distribution) {
  const setting *c = &settings[_i];
  trb_sampler sampler = {sizeof sampler, 0x5EED + (uint64_t)_i, NULL, NULL, c->top_k, c->top_p, c->min_p, 0, 3};
  scene x;
  prepare(&x, c, 0xD1CE + (uint64_t)_i, &sampler);
  ck_assert_msg(x.filter.margin > 1e-5L, "%s: the filters decide by %Lg; choose other rows", c->name, x.filter.margin);
  int64_t *counts = calloc((size_t)c->vocab, sizeof *counts), index[BATCH];
  if (!counts) abort();
  trb_draw draw[BATCH];
  int64_t n = (scaled(c->draws) + BATCH - 1) / BATCH;
  sampler.index = index;
  for (int64_t i = 0; i < n; i++) {
    for (int64_t r = 0; r < BATCH; r++) index[r] = i;
    ck_assert_int_eq(trb_sample(NULL, &x.m.s.view, x.teacher, x.blend, &sampler, draw), TRB_OK);
    for (int64_t r = 0; r < BATCH; r++) {
      check_draw(&x, &draw[r], c->name);
      counts[draw[r].token]++;
    }
  }
  double p = chi_square_p_value(counts, x.probability, c->vocab, n * BATCH);
  ck_assert_msg(p > CHANCE, "%s: p-value %g", c->name, p);
  free(counts);
  dismiss(&x);
}
END_TEST

/* The statistic itself: known values, and a distribution that is off by 2% in one of 20 outcomes is noticed. */
START_TEST(test_chi_square) {
  assert_near(chi_square_tail(1, 3.841458820694124), 0.05L, 1e-12, "5%%");
  assert_near(chi_square_tail(10, 18.307038053275146), 0.05L, 1e-12, "5%%");
  assert_near(chi_square_tail(100, 60.0), 0.99945L, 1e-4, "100");
  long double even[20];
  int64_t counts[20];
  for (int i = 0; i < 20; i++) {
    even[i] = 0.05L;
    counts[i] = 10000 + (i % 2 ? 70 : -70);
  }
  ck_assert_double_gt(chi_square_p_value(counts, even, 20, 200000), 0.9 * 0.9 * 0.9);
  counts[3] += 600;
  counts[4] -= 600;
  ck_assert_double_lt(chi_square_p_value(counts, even, 20, 200000), CHANCE);
}
END_TEST

/* Successive draws of one sequence, and draws of neighboring sequences, are independent: pairs fill a table evenly. */
START_TEST(test_pairs_are_independent) {
  enum { V = 8, ROUNDS = 200 };
  matrix s = matrix_new(BATCH, V, 0, TRB_F32, 0.0f);
  matrix_fill(&s, 1.0);
  double beta = 0.0;
  static trb_blend blend[BATCH];
  static trb_draw draw[2][BATCH];
  ck_assert_int_eq(trb_blend_at(NULL, &s.view, NULL, &beta, 1, blend), TRB_OK);
  int64_t in_sequence[V * V] = {0}, across[V * V] = {0}, purposes[V * V] = {0}, seeds[V * V] = {0}, index[BATCH];
  long double even[V * V];
  for (int i = 0; i < V * V; i++) even[i] = 1.0L / (V * V);
  for (int i = 0; i < ROUNDS; i++) {
    for (int what = 0; what < 4; what++) {
      for (int k = 0; k < 2; k++) {
        trb_sampler o = {sizeof o, 9, NULL, index, 0, 0, 0, 0, 0};
        for (int r = 0; r < BATCH; r++) index[r] = 2 * i + (what == 0 ? k : 0);
        if (what == 2) o.purpose = 1 + k;
        if (what == 3) o.seed = 100 + (uint64_t)k;
        ck_assert_int_eq(trb_sample(NULL, &s.view, NULL, blend, &o, draw[k]), TRB_OK);
      }
      int64_t *table = what == 0 ? in_sequence : what == 1 ? across : what == 2 ? purposes : seeds;
      for (int r = 0; r < BATCH; r++) {
        int64_t other = what == 1 ? draw[0][(r + 1) % BATCH].token : draw[1][r].token;
        table[draw[0][r].token * V + other]++;
      }
    }
  }
  ck_assert_double_gt(chi_square_p_value(in_sequence, even, V * V, ROUNDS * BATCH), CHANCE);
  ck_assert_double_gt(chi_square_p_value(across, even, V * V, ROUNDS * BATCH), CHANCE);
  ck_assert_double_gt(chi_square_p_value(purposes, even, V * V, ROUNDS * BATCH), CHANCE);
  ck_assert_double_gt(chi_square_p_value(seeds, even, V * V, ROUNDS * BATCH), CHANCE);
  matrix_free(&s);
}
END_TEST

Suite *sample_suite(void) {
  Suite *suite = suite_create("sample");
  suite_add_tcase(suite, sample_draws_case());
  suite_add_tcase(suite, sample_filters_case());
  TCase *tc = long_case("distribution");
  tcase_add_test(tc, test_chi_square);
  tcase_add_loop_test(tc, test_distribution, 0, SETTINGS);
  tcase_add_test(tc, test_pairs_are_independent);
  suite_add_tcase(suite, tc);
  return suite;
}
