/* test_verify.c - trb_verify against its distribution and its numbers in long double.
 *
 * Distributions are tested by chi-square at fixed seeds: a right library fails one of these tests by chance with
 * probability 1e-6, and as the seeds are fixed it either always does or never. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chi_square.h"
#include "common.h"
#include "oracle.h"
#include "suites.h"

enum { BATCH = 500 };
static const double CHANCE = 1e-6;

/* ---- What a row should come to ---- */

/* mu after the filters, and its excess over p. */
typedef struct wanted {
  oracle o;
  long double *log_mu, *mu, *excess; /* [n] mu and excess after the filters; log_mu before */
  bool *keep;
  oracle_filter filter;
  long double tv;
} wanted;

static wanted wanted_new(int64_t vocab) {
  const size_t n = (size_t)vocab;
  wanted w = {.o = oracle_new(vocab), .log_mu = malloc(n * sizeof *w.log_mu), .mu = malloc(n * sizeof *w.mu)};
  w.excess = malloc(n * sizeof *w.excess);
  w.keep = malloc(n * sizeof *w.keep);
  if (!w.log_mu || !w.mu || !w.excess || !w.keep) abort();
  return w;
}

static void wanted_free(wanted *w) {
  oracle_free(&w->o);
  free(w->log_mu);
  free(w->mu);
  free(w->excess);
  free(w->keep);
}

/* p (e^h - 1) with h = log mu - log p keeps its digits where both are nearly the same. */
static void wanted_load(wanted *w, const trb_logits *s, const trb_logits *t, int64_t row, double beta,
                        const trb_sampler *sampler) {
  oracle_load(&w->o, s, t, row);
  const oracle_blend blend = oracle_blend_at(&w->o, beta);
  for (int64_t v = 0; v < w->o.n; v++) w->log_mu[v] = oracle_log_mu(&w->o, beta, &blend, v);
  w->filter = oracle_keep(w->log_mu, w->o.n, sampler, w->keep);
  w->tv = 0;
  for (int64_t v = 0; v < w->o.n; v++) {
    w->mu[v] = w->keep[v] ? expl(w->log_mu[v] - w->filter.log_mass) : 0;
    w->excess[v] = 0;
    if (!w->keep[v]) continue;
    const long double h = w->log_mu[v] - w->filter.log_mass - oracle_log_p(&w->o, v);
    if (h > 0) w->excess[v] = w->o.p[v] > 0 ? w->o.p[v] * expm1l(h) : w->mu[v];
    w->tv += w->excess[v];
  }
}

/* log mu - log p of a token under the filters. */
static long double log_ratio(const wanted *w, int64_t v) {
  return w->keep[v] ? w->log_mu[v] - w->filter.log_mass - oracle_log_p(&w->o, v) : -(long double)INFINITY;
}

/* ---- Distributions ---- */

typedef struct setting {
  const char *name;
  int family;
  int64_t vocab;
  double value; /* a budget, or minus a beta */
  int64_t top_k;
  double top_p, min_p;
  int64_t draws;
  int32_t dtype, greedy;
  float temperature;
} setting;

static const setting settings[] = {
    {"5 tokens", FAMILY_GAUSSIAN, 5, 0.1, 0, 0, 0, 60000, TRB_F32, 0, 0},
    {"50 tokens", FAMILY_GAUSSIAN, 50, 0.02, 0, 0, 0, 60000, TRB_F32, 0, 0.8f},
    {"beta", FAMILY_CORRELATED, 40, -0.6, 0, 0, 0, 60000, TRB_BF16, 0, 1.3f},
    {"q", FAMILY_DISAGREEING, 30, INFINITY, 0, 0, 0, 60000, TRB_F16, 0, 0},
    {"p", FAMILY_GAUSSIAN, 30, 0.0, 0, 0, 0, 40000, TRB_F32, 0, 0},
    {"masked", FAMILY_MASK_BOTH, 50, -0.5, 0, 0, 0, 40000, TRB_F32, 0, 0},
    {"masked by the student", FAMILY_MASK_STUDENT, 50, 0.2, 0, 0, 0, 40000, TRB_F32, 0, 0},
    {"masked by the teacher", FAMILY_MASK_TEACHER, 50, -0.3, 0, 0, 0, 40000, TRB_F32, 0, 0},
    {"flat", FAMILY_FLAT, 33, -0.5, 0, 0, 0, 40000, TRB_F16, 0, 0},
    {"top-k", FAMILY_GAUSSIAN, 50, 0.1, 7, 0, 0, 40000, TRB_F32, 0, 0},
    {"top-k of p", FAMILY_GAUSSIAN, 50, 0.0, 7, 0, 0, 40000, TRB_F32, 0, 0},
    {"all filters", FAMILY_GAUSSIAN, 50, 0.3, 20, 0.9, 0.05, 40000, TRB_F32, 0, 0},
    {"greedy", FAMILY_GAUSSIAN, 50, 0.3, 0, 0, 0, 5000, TRB_F32, 1, 0},
    {"several blocks", FAMILY_SPIKY, 5000, 0.05, 0, 0, 0, 12000, TRB_F32, 0, 0},
    {"several blocks, all filters", FAMILY_GAUSSIAN, 5000, -0.5, 2000, 0.9, 0.001, 4000, TRB_F32, 0, 0},
    {"several blocks, masked", FAMILY_MASK_BOTH, 5000, -0.5, 0, 0, 0, 8000, TRB_F32, 0, 0},
    {"many parts", FAMILY_GAUSSIAN, 40000, 0.5, 0, 0, 0, 3000, TRB_F32, 0, 0},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

/* A model whose single row stands n times in it. */
static models repeated(const setting *c, int64_t n, rng *g) {
  models m = models_new(n, c->vocab, c->dtype, c->dtype, c->temperature, c->temperature);
  models_fill_row(&m, 0, g, c->family);
  for (int i = 0; i < 2; i++) {
    const matrix *x = i ? &m.t : &m.s;
    const size_t bytes = (size_t)x->view.stride * (x->view.dtype == TRB_F32 ? 4 : 2);
    for (int64_t r = 1; r < n; r++) memcpy((char *)x->view.data + (size_t)r * bytes, x->view.data, bytes);
  }
  return m;
}

/* Proposals of the student and what became of them, both with one sampler, whose numbers have two halves. */
typedef struct counts {
  int64_t *token, *corrected, n_corrected;
  double accepted; /* sum of what was to be expected */
} counts;

static void draw_and_verify(const setting *c, const models *m, const double *value, int64_t round, int64_t rows,
                            counts *to) {
  static trb_blend plain[BATCH];
  static trb_draw draw[BATCH];
  static trb_verdict verdict[BATCH];
  int64_t index[BATCH], token[BATCH], offset[BATCH + 1];
  const double zero = 0.0;
  trb_sampler propose = {sizeof propose, 0xACCE, NULL, index, 0, 0, 0, 0, 5}, sampler = propose;
  sampler.top_k = c->top_k;
  sampler.top_p = c->top_p;
  sampler.min_p = c->min_p;
  sampler.greedy = c->greedy;
  trb_verify_options options = {sizeof options, NULL, &sampler, c->value < 0.0, 0};
  for (int64_t r = 0; r < rows; r++) index[r] = round;
  ck_assert_int_eq(trb_blend_at(NULL, &m->s.view, NULL, &zero, 1, plain), TRB_OK);
  ck_assert_int_eq(trb_sample(NULL, &m->s.view, NULL, plain, &propose, draw), TRB_OK);
  for (int64_t r = 0; r <= rows; r++) offset[r] = r;
  for (int64_t r = 0; r < rows; r++) token[r] = draw[r].token;
  const trb_texts proposals = {token, offset, rows};
  ck_assert_int_eq(trb_verify(NULL, &m->s.view, &m->t.view, &proposals, value, 1, &options, NULL, verdict), TRB_OK);
  for (int64_t r = 0; r < rows; r++) {
    const trb_verdict *x = &verdict[r];
    ck_assert(x->draw.token >= 0 && x->draw.token < c->vocab);
    if (x->verdict == TRB_VERDICT_ACCEPTED) ck_assert_int_eq(x->draw.token, token[r]);
    to->token[x->draw.token]++;
    to->n_corrected += x->verdict == TRB_VERDICT_CORRECTED;
    if (x->verdict == TRB_VERDICT_CORRECTED) to->corrected[x->draw.token]++;
  }
}

START_TEST(test_distribution) {
  const setting *c = &settings[_i];
  rng g = {0x7E51F + (uint64_t)_i};
  const int64_t rows = c->vocab > 1000 ? 50 : BATCH;
  models m = repeated(c, rows, &g);
  const double value = fabs(c->value);
  trb_blend blend;
  const trb_logits s = matrix_rows(&m.s.view, 0, 1), t = matrix_rows(&m.t.view, 0, 1);
  ck_assert_int_eq(c->value < 0.0 ? trb_blend_at(NULL, &s, &t, &value, 1, &blend)
                                  : trb_solve(NULL, &s, &t, &value, 1, NULL, &blend),
                   TRB_OK);
  const trb_sampler filters = {sizeof filters, 0, NULL, NULL, c->greedy ? 1 : c->top_k, c->top_p, c->min_p, 0, 0};
  wanted w = wanted_new(c->vocab);
  wanted_load(&w, &s, &t, 0, blend.beta, &filters);
  ck_assert_msg(w.filter.margin > 1e-5L, "%s: the filters decide by %Lg; choose other rows", c->name, w.filter.margin);
  counts n = {.token = calloc((size_t)c->vocab, sizeof *n.token)};
  n.corrected = calloc((size_t)c->vocab, sizeof *n.corrected);
  if (!n.token || !n.corrected) abort();
  const int64_t rounds = (scaled(c->draws) + rows - 1) / rows, all = rounds * rows;
  for (int64_t i = 0; i < rounds; i++) draw_and_verify(c, &m, &value, i, rows, &n);
  const double of_mu = chi_square_p_value(n.token, w.mu, c->vocab, all);
  for (int64_t v = 0; v < c->vocab; v++) w.excess[v] = w.tv > 0 ? w.excess[v] / w.tv : 0;
  const double of_excess = chi_square_p_value(n.corrected, w.excess, c->vocab, n.n_corrected);
  const int64_t events[] = {n.n_corrected, all - n.n_corrected};
  const long double chance[] = {w.tv, 1 - w.tv};
  const double of_events = chi_square_p_value(events, chance, 2, all);
  if (verbose())
    printf("%s: TV %.4Lf, p-values %.3g of mu, %.3g of the excess, %.3g of the verdicts\n", c->name, w.tv, of_mu,
           of_excess, of_events);
  ck_assert_msg(of_mu > CHANCE && of_excess > CHANCE && of_events > CHANCE,
                "%s: TV %.4Lf, p-values %.3g of mu, %.3g of the excess, %.3g of the verdicts", c->name, w.tv, of_mu,
                of_excess, of_events);
  free(n.token);
  free(n.corrected);
  wanted_free(&w);
  models_free(&m);
}
END_TEST

/* ---- Numbers ---- */

/* A token that the student allows. */
static int64_t propose(const oracle *o, rng *g) {
  int64_t v = rng_between(g, 0, o->n - 1);
  for (int64_t i = 0; i < o->n && isinf(o->s[v]); i++) v = (v + 1) % o->n;
  return v;
}

/* Logits of 1e30 over a temperature leave no digits of a log-probability. */
static double size_of_logits(const oracle *o) {
  return 1.0 + fabs((double)o->top_s) + fabs((double)o->top_t);
}

static void check_numbers(const wanted *w, const trb_verdict *x, int64_t proposal, const char *what) {
  const bool is_long = w->o.n > LONG_ROW;
  const double loose = (is_long ? 8e-6 : 2e-6) + 1e-14 * size_of_logits(&w->o);
  const long double ratio = log_ratio(w, proposal), acceptance = ratio >= 0 ? 1 : expl(ratio);
  assert_near(x->acceptance, acceptance, loose, "acceptance, %s", what);
  assert_near(x->tv, w->tv, loose, "tv, %s", what);
  ck_assert_int_eq(x->draw.status, TRB_ROW_OK);
  ck_assert(x->verdict == TRB_VERDICT_ACCEPTED || x->verdict == TRB_VERDICT_CORRECTED);
  const int64_t token = x->draw.token;
  ck_assert(token >= 0 && token < w->o.n && x->reserved == 0 && x->draw.reserved == 0);
  const double size = loose + (is_long ? 4e-6 : 2e-7) * fabs((double)w->log_mu[token]);
  assert_near(x->draw.log_behavior, w->log_mu[token], size, "log mu, %s", what);
  assert_near(x->draw.log_sampled, w->log_mu[token] - w->filter.log_mass, size, "log sampled, %s", what);
  assert_near(x->draw.log_student, oracle_log_p(&w->o, token), size, "log p, %s", what);
  assert_near(x->draw.log_teacher, oracle_log_q(&w->o, token), size, "log q, %s", what);
  ck_assert_int_eq(x->draw.kept, w->filter.kept);
  int64_t argmax = 0;
  for (int64_t v = 1; v < w->o.n; v++) argmax = w->o.raw_t[v] > w->o.raw_t[argmax] ? v : argmax;
  ck_assert_int_eq(x->argmax_teacher, argmax);
}

/* Random rows of every family: the numbers, and the blend of trb_solve or trb_blend_at to the bit. */
START_TEST(test_numbers) {
  if (_i == FAMILY_HUGE) return; /* test_huge */
  rng g = {0x7E521 + (uint64_t)_i};
  const int64_t n = scaled(150);
  for (int64_t i = 0; i < n; i++) {
    const int64_t vocab = i == 7 ? 9000 : family_vocab(&g, _i);
    models m = models_varied(&g, 1, vocab, _i == FAMILY_SIZES ? rng_between(&g, -9, 9) : 0);
    models_fill_row(&m, 0, &g, _i);
    const trb_logits *s = &m.s.view, *t = &m.t.view;
    const int32_t behavior = (int32_t)(i % 2);
    const double value = behavior ? rng_uniform(&g) : rng_scale(&g, 1e-6, 10.0);
    trb_blend want, blend;
    trb_status status =
        behavior ? trb_blend_at(NULL, s, t, &value, 1, &want) : trb_solve(NULL, s, t, &value, 1, NULL, &want);
    ck_assert_int_eq(status, TRB_OK);
    const trb_sampler sampler = {sizeof sampler, rng_next(&g), NULL, NULL, 0, 0, 0, 0, 0};
    const trb_verify_options options = {sizeof options, NULL, &sampler, behavior, 0};
    wanted w = wanted_new(vocab + 9);
    wanted_load(&w, s, t, 0, want.beta, NULL);
    const int64_t token = propose(&w.o, &g), offset[] = {0, 1};
    const trb_texts proposals = {&token, offset, 1};
    trb_verdict x;
    ck_assert_int_eq(trb_verify(NULL, s, t, &proposals, &value, 1, &options, &blend, &x), TRB_OK);
    ck_assert(memcmp(&blend, &want, sizeof want) == 0);
    check_numbers(&w, &x, token, describe("%s, %d of %d tokens", family_name(_i), (int)i, (int)w.o.n));
    wanted_free(&w);
    models_free(&m);
  }
}
END_TEST

/* One token is all there is of either model: the student's stands if it is the teacher's, too, and else becomes it. */
START_TEST(test_huge) {
  rng g = {0x7E522};
  for (int64_t i = 0; i < scaled(200); i++) {
    models m = models_new(1, 50, TRB_F32, TRB_F32, 0.0f, 0.0f);
    models_fill_row(&m, 0, &g, FAMILY_HUGE);
    wanted w = wanted_new(50);
    const double beta = 1.0;
    wanted_load(&w, &m.s.view, &m.t.view, 0, beta, NULL);
    int64_t token = 0;
    for (int64_t v = 1; v < 50; v++) token = w.o.p[v] > w.o.p[token] ? v : token;
    const int64_t offset[] = {0, 1};
    const trb_texts proposals = {&token, offset, 1};
    const trb_verify_options options = {sizeof options, NULL, NULL, TRB_BEHAVIOR_BETA, 0};
    trb_verdict x;
    ck_assert_int_eq(trb_verify(NULL, &m.s.view, &m.t.view, &proposals, &beta, 1, &options, NULL, &x), TRB_OK);
    assert_near(x.tv, w.tv, 2e-6, "tv of huge logits");
    ck_assert_msg(w.mu[x.draw.token] > 0, "token %d has no mass", (int)x.draw.token);
    wanted_free(&w);
    models_free(&m);
  }
}
END_TEST

/* A teacher that hardly differs: TV keeps its digits down to 1e-9. */
START_TEST(test_small_variation) {
  rng g = {0x7E523};
  double worst = 0.0;
  for (int64_t i = 0; i < scaled(300); i++) {
    const int64_t vocab = i % 10 == 9 ? 6000 : rng_size(&g, 2, 300);
    models m = models_new(1, vocab, TRB_F32, TRB_F32, 0.0f, 0.0f);
    const double noise = rng_scale(&g, 1e-6, 1e-2);
    for (int64_t v = 0; v < vocab; v++) {
      const double x = 2.0 * rng_normal(&g);
      matrix_set(&m.s, 0, v, x);
      matrix_set(&m.t, 0, v, x + noise * rng_normal(&g));
    }
    const double beta = rng_scale(&g, 1e-3, 1.0);
    const int64_t token = rng_between(&g, 0, vocab - 1), offset[] = {0, 1};
    const trb_texts proposals = {&token, offset, 1};
    const trb_verify_options options = {sizeof options, NULL, NULL, TRB_BEHAVIOR_BETA, 0};
    trb_blend blend;
    trb_verdict x;
    wanted w = wanted_new(vocab);
    ck_assert_int_eq(trb_verify(NULL, &m.s.view, &m.t.view, &proposals, &beta, 1, &options, &blend, &x), TRB_OK);
    wanted_load(&w, &m.s.view, &m.t.view, 0, blend.beta, NULL);
    const double error = fabs(x.tv / (double)w.tv - 1.0);
    if (w.tv > 1e-12L && error > worst) worst = error;
    wanted_free(&w);
    models_free(&m);
  }
  if (verbose()) printf("smallest variations: relative error %.3g\n", worst);
  ck_assert_msg(worst < 4e-6, "relative error of small variations %g", worst);
}
END_TEST

/* ---- Blocks ---- */

enum { ROWS = 12, VOCAB = 40 };

/* Twelve rows that neither model finds odd, and proposals, each the student's likeliest token. */
typedef struct scene {
  models m;
  int64_t token[ROWS];
} scene;

static scene scene_new(uint64_t seed) {
  rng g = {seed};
  scene x = {.m = models_random(&g, FAMILY_CORRELATED, ROWS, VOCAB, TRB_F32)};
  for (int64_t r = 0; r < ROWS; r++)
    for (int64_t v = 1; v < VOCAB; v++)
      if (matrix_get(&x.m.s.view, r, v) > matrix_get(&x.m.s.view, r, x.token[r])) x.token[r] = v;
  return x;
}

static void assert_dropped(const trb_verdict *x, const trb_blend *blend) {
  ck_assert_int_eq(x->verdict, TRB_VERDICT_DROPPED);
  ck_assert_int_eq(x->draw.token, -1);
  ck_assert_int_eq(x->draw.status, TRB_ROW_SKIPPED);
  ck_assert_int_eq(x->argmax_teacher, -1);
  ck_assert_int_eq(blend->status, TRB_ROW_SKIPPED);
  ck_assert(isnan(x->tv) && isnan(x->acceptance) && isnan(x->draw.log_behavior) && isnan(blend->beta));
}

/* Every row as it is alone, up to the first one that is not accepted; nothing behind it is read. */
START_TEST(test_blocks) {
  int64_t seen[4] = {0};
  for (int64_t i = 0; i < scaled(200); i++) {
    rng g = {0x7E524 + (uint64_t)i};
    scene x = scene_new(rng_next(&g));
    int64_t offset[ROWS + 3] = {0}, blocks = 0;
    for (int64_t at = 0; at < ROWS; blocks++) {
      const int64_t length = rng_between(&g, 0, 5);
      at = at + length < ROWS ? at + length : ROWS;
      if (blocks == ROWS) at = ROWS;
      offset[blocks + 1] = at;
      if (length > 1 && rng_chance(&g, 0.5)) x.token[at - 1] = -1;
    }
    const double budget = rng_scale(&g, 1e-3, 1.0);
    const trb_sampler sampler = {sizeof sampler, rng_next(&g), NULL, NULL, i % 5 ? 0 : 8, 0, 0, 0, 1};
    const trb_verify_options options = {sizeof options, NULL, &sampler, 0, 0};
    trb_verdict alone[ROWS], together[ROWS];
    trb_blend blend_alone[ROWS], blend[ROWS];
    int64_t each[ROWS + 1];
    for (int64_t r = 0; r <= ROWS; r++) each[r] = r;
    const trb_texts rows = {x.token, each, ROWS}, proposals = {x.token, offset, blocks};
    ck_assert_int_eq(trb_verify(NULL, &x.m.s.view, &x.m.t.view, &rows, &budget, 1, &options, blend_alone, alone),
                     TRB_OK);
    for (int64_t b = 0; b < blocks; b++) { /* rows that may not be read */
      bool dropped = false;
      for (int64_t r = offset[b]; r < offset[b + 1]; r++) {
        if (dropped) matrix_set(i % 2 ? &x.m.s : &x.m.t, r, 3, (double)NAN);
        dropped |= alone[r].verdict != TRB_VERDICT_ACCEPTED;
      }
    }
    ck_assert_int_eq(trb_verify(NULL, &x.m.s.view, &x.m.t.view, &proposals, &budget, 1, &options, blend, together),
                     TRB_OK);
    for (int64_t b = 0; b < blocks; b++) {
      bool dropped = false;
      for (int64_t r = offset[b]; r < offset[b + 1]; r++) {
        seen[together[r].verdict]++;
        if (dropped) {
          assert_dropped(&together[r], &blend[r]);
        } else {
          ck_assert(memcmp(&together[r], &alone[r], sizeof alone[r]) == 0);
          ck_assert(memcmp(&blend[r], &blend_alone[r], sizeof blend[r]) == 0);
        }
        dropped |= alone[r].verdict != TRB_VERDICT_ACCEPTED;
      }
    }
    models_free(&x.m);
  }
  for (int v = 0; v < 4; v++) ck_assert_int_gt(seen[v], 0);
}
END_TEST

/* A row without a proposal is trb_sample's. */
START_TEST(test_bonus) {
  scene x = scene_new(0x7E525);
  int64_t none[ROWS + 5], each[ROWS + 1], index[ROWS];
  for (int64_t r = 0; r < ROWS + 5; r++) none[r] = -1;
  for (int64_t r = 0; r < ROWS; r++) index[r] = 3 * r;
  for (int64_t r = 0; r <= ROWS; r++) each[r] = r + 5; /* lists need not begin at 0 */
  const trb_texts proposals = {none, each, ROWS};
  const double budget = 0.05;
  for (int filtered = 0; filtered < 2; filtered++) {
    const trb_sampler sampler = {sizeof sampler, 77, NULL, index, filtered ? 5 : 0, 0, 0, 0, 9};
    const trb_verify_options options = {sizeof options, NULL, &sampler, 0, 0};
    trb_verdict got[ROWS];
    trb_blend blend[ROWS];
    trb_draw want[ROWS];
    ck_assert_int_eq(trb_verify(NULL, &x.m.s.view, &x.m.t.view, &proposals, &budget, 1, &options, blend, got), TRB_OK);
    ck_assert_int_eq(trb_sample(NULL, &x.m.s.view, &x.m.t.view, blend, &sampler, want), TRB_OK);
    for (int64_t r = 0; r < ROWS; r++) {
      ck_assert(memcmp(&got[r].draw, &want[r], sizeof want[r]) == 0);
      ck_assert_int_eq(got[r].verdict, TRB_VERDICT_DRAWN);
      ck_assert(isnan(got[r].tv) && isnan(got[r].acceptance));
    }
  }
  models_free(&x.m);
}
END_TEST

/* A bad row is named and ends its block; the other blocks go on. */
START_TEST(test_bad_rows) {
  static const int32_t status[] = {TRB_ROW_NOT_A_NUMBER, TRB_ROW_NOT_A_NUMBER, TRB_ROW_EMPTY,
                                   TRB_ROW_EMPTY,        TRB_ROW_IMPOSSIBLE,   TRB_ROW_NOT_A_NUMBER};
  for (int kind = 0; kind < 6; kind++) {
    scene x = scene_new(0x7E526);
    trb_context *ctx = context_with(1, TRB_ISA_AUTO);
    const matrix *m = kind % 2 ? &x.m.t : &x.m.s;
    if (kind < 2) matrix_set(m, 4, 7, (double)NAN);
    for (int64_t v = 0; v < VOCAB && kind / 2 == 1; v++) matrix_set(m, 4, v, -(double)INFINITY);
    if (kind == 4) matrix_set(&x.m.s, 4, x.token[4], -(double)INFINITY);
    if (kind == 5) x.token[4] = -1, matrix_set(&x.m.s, 4, 7, (double)NAN);
    const int64_t offset[] = {0, 3, kind == 5 ? 5 : 8, kind == 5 ? 8 : 8, ROWS};
    const trb_texts proposals = {x.token, offset, 4};
    const double budget = INFINITY; /* the teacher: likely tokens of the student are often accepted */
    trb_verdict got[ROWS];
    trb_blend blend[ROWS];
    trb_sampler sampler = {sizeof sampler, 0, NULL, NULL, 0, 0, 0, 0, 0};
    trb_verify_options options = {sizeof options, NULL, &sampler, 0, 0};
    trb_status result = TRB_OK;
    for (; sampler.seed < 1000; sampler.seed++) { /* until row 3 is accepted */
      result = trb_verify(ctx, &x.m.s.view, &x.m.t.view, &proposals, &budget, 1, &options, blend, got);
      if (got[3].verdict == TRB_VERDICT_ACCEPTED) break;
      ck_assert_int_eq(result, TRB_OK);
      ck_assert_int_eq(got[4].draw.status, TRB_ROW_SKIPPED);
    }
    ck_assert_int_eq(result, TRB_EROWS);
    ck_assert_ptr_nonnull(strstr(trb_context_error(ctx), "row 4"));
    ck_assert_int_eq(got[4].draw.status, status[kind]);
    ck_assert_int_eq(got[4].draw.token, -1);
    ck_assert_int_eq(got[4].verdict, TRB_VERDICT_DROPPED);
    if (kind != 4) ck_assert_int_eq(blend[4].status, status[kind]);
    if (kind != 5) assert_dropped(&got[5], &blend[5]);
    ck_assert(got[0].draw.token >= 0 && got[8].draw.token >= 0);
    trb_context_free(ctx);
    models_free(&x.m);
  }
}
END_TEST

/* Where mu is p, every proposal stands and nothing varies: budget 0 with and without a teacher, a teacher that is the
 * student, supports that do not meet. */
START_TEST(test_mu_is_p) {
  scene x = scene_new(0x7E527);
  const int64_t offset[] = {0, ROWS};
  const trb_texts proposals = {x.token, offset, 1};
  matrix apart = matrix_copy(&x.m.t);
  for (int64_t r = 0; r < ROWS; r++)
    for (int64_t v = 0; v < VOCAB; v++)
      matrix_set(v % 2 ? &x.m.s : &apart, r, v, v == x.token[r] && v % 2 ? 1.0 : -(double)INFINITY);
  for (int64_t r = 0; r < ROWS; r++) x.token[r] = 0;
  for (int64_t r = 0; r < ROWS; r++) matrix_set(&x.m.s, r, 0, 1.0), matrix_set(&apart, r, 0, -(double)INFINITY);
  for (int64_t r = 0; r < ROWS; r++) matrix_set(&apart, r, 1, 0.5), matrix_set(&x.m.s, r, 1, -(double)INFINITY);
  const trb_logits *teachers[] = {NULL, &x.m.t.view, &x.m.s.view, &apart.view};
  const double budgets[] = {0.0, 0.0, 0.02, 0.02};
  for (int i = 0; i < 4; i++) {
    trb_verdict got[ROWS];
    trb_blend blend[ROWS];
    ck_assert_int_eq(trb_verify(NULL, &x.m.s.view, teachers[i], &proposals, &budgets[i], 1, NULL, blend, got), TRB_OK);
    for (int64_t r = 0; r < ROWS; r++) {
      ck_assert_int_eq(got[r].verdict, TRB_VERDICT_ACCEPTED);
      ck_assert_int_eq(got[r].draw.token, x.token[r]);
      ck_assert(got[r].tv == 0.0 && got[r].acceptance == 1.0);
      ck_assert(got[r].draw.log_sampled == got[r].draw.log_behavior);
      if (i == 0) ck_assert(got[r].argmax_teacher == -1 && isnan(got[r].draw.log_teacher));
      if (i == 3) ck_assert_int_eq(blend[r].status, TRB_ROW_UNREACHABLE);
    }
  }
  matrix_free(&apart);
  models_free(&x.m);
}
END_TEST

/* Nothing to do is done well. */
START_TEST(test_nothing) {
  const trb_logits none = {.vocab = 4, .stride = 4};
  const double budget = 0.1;
  const int64_t offset[] = {3, 3, 3}, token = 0;
  const trb_texts empty = {&token, offset, 2}, no_blocks = {NULL, NULL, 0};
  ck_assert_int_eq(trb_verify(NULL, &none, &none, &empty, &budget, 1, NULL, NULL, NULL), TRB_OK);
  ck_assert_int_eq(trb_verify(NULL, &none, &none, &no_blocks, &budget, 1, NULL, NULL, NULL), TRB_OK);
}
END_TEST

Suite *verify_suite(void) {
  Suite *suite = suite_create("verify");
  TCase *tc = long_case("verify");
  tcase_add_loop_test(tc, test_distribution, 0, SETTINGS);
  tcase_add_loop_test(tc, test_numbers, 0, FAMILIES);
  tcase_add_test(tc, test_huge);
  tcase_add_test(tc, test_small_variation);
  tcase_add_test(tc, test_blocks);
  tcase_add_test(tc, test_bonus);
  tcase_add_test(tc, test_bad_rows);
  tcase_add_test(tc, test_mu_is_p);
  tcase_add_test(tc, test_nothing);
  suite_add_tcase(suite, tc);
  return suite;
}
