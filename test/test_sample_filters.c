/* test_sample_filters.c - the filters of trb_sample at their ends: ties, one token left, greedy, what `kept` counts. */
#include <math.h>
#include <string.h>

#include "draw.h"
#include "oracle.h"
#include "suites.h"
#include "common.h"

static const double NO = -(double)INFINITY;

static const double flat10[10] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

START_TEST(test_ties) {
  models m = row_of(flat10, flat10, 10, _i);
  bool seen[10] = {false};
  for (int64_t i = 0; i < 400; i++) {
    trb_sampler o = {sizeof o, 1, NULL, &i, 3, 0, 0, 0, 0};
    trb_draw d = draw_one(&m, 0.5, &o);
    ck_assert(d.token < 3 && d.kept == 3);
    assert_near(d.log_sampled, -logl(3), 1e-6, "top-k");
    assert_near(d.log_behavior, -logl(10), 1e-6, "top-k");
    o.top_k = 0;
    o.top_p = 0.35; /* three reach 0.3, four 0.4 */
    d = draw_one(&m, 0.5, &o);
    ck_assert(d.token < 4 && d.kept == 4);
    seen[d.token] = true;
    o.top_p = 0.0;
    o.min_p = 1.0; /* nothing is less probable than the most probable */
    ck_assert_int_eq(draw_one(&m, 0.5, &o).kept, 10);
    o.min_p = 0.0;
    o.greedy = 1;
    d = draw_one(&m, 0.5, &o);
    ck_assert(d.token == 0 && d.log_sampled == 0.0 && d.kept == 10);
  }
  ck_assert(seen[0] && seen[1] && seen[2] && seen[3]);
  models_free(&m);
}
END_TEST

START_TEST(test_filters_that_leave_one) {
  rng g = {83};
  for (int64_t i = 0; i < 100; i++) {
    models m = models_random(&g, FAMILY_GAUSSIAN, 1, rng_size(&g, 2, 3000), _i);
    trb_sampler greedy = {sizeof greedy, 0, NULL, NULL, 0, 0, 0, 1, 0};
    trb_sampler one[3] = {{sizeof greedy, 1, NULL, &i, 1, 0, 0, 0, 0},
                          {sizeof greedy, 1, NULL, &i, 0, 1e-300, 0, 0, 0},
                          {sizeof greedy, 1, NULL, &i, 0, 0, 1.0, 0, 0}};
    trb_draw best = draw_one(&m, 0.3, &greedy);
    for (int k = 0; k < 3; k++) {
      trb_draw d = draw_one(&m, 0.3, &one[k]);
      if (k == 2 && d.kept > 1) continue; /* ties */
      ck_assert_msg(d.token == best.token && d.kept == 1, "filter %d: token %d, best %d, kept %d", k, (int)d.token,
                    (int)best.token, (int)d.kept);
      assert_near(d.log_sampled, 0.0L, 1e-6, "filter %d", k);
      assert_near(d.log_behavior, (long double)best.log_behavior, 1e-12, "filter %d", k);
    }
    models_free(&m);
  }
}
END_TEST

/* Greedy takes the most probable token, of equal ones the lowest id; filters change only `kept`. */
START_TEST(test_greedy) {
  rng g = {84};
  for (int64_t i = 0; i < scaled(300); i++) {
    int64_t n = rng_size(&g, 2, 3000);
    models m = models_random(&g, i % 2 ? FAMILY_GAUSSIAN : FAMILY_MASK_STUDENT, 1, n, _i);
    oracle o = oracle_new(n);
    oracle_load(&o, &m.s.view, &m.t.view, 0);
    double beta = i % 3 ? rng_uniform(&g) : (double)(i % 2);
    oracle_blend exact = oracle_blend_at(&o, beta);
    int64_t best = 0;
    long double second = -(long double)INFINITY;
    for (int64_t v = 1; v < n; v++) {
      if (oracle_log_mu(&o, beta, &exact, v) > oracle_log_mu(&o, beta, &exact, best)) best = v;
    }
    for (int64_t v = 0; v < n; v++) {
      if (v != best) second = fmaxl(second, oracle_log_mu(&o, beta, &exact, v));
    }
    trb_sampler sampler = {sizeof sampler, 5, NULL, NULL, 2, 0, 0, 1, 0};
    trb_draw d = draw_one(&m, beta, &sampler);
    long double top = oracle_log_mu(&o, beta, &exact, best);
    if (second == top || top - second > 1e-6L) ck_assert_int_eq(d.token, best);
    ck_assert(d.log_sampled == 0.0 && d.kept <= 2);
    assert_near(d.log_behavior, oracle_log_mu(&o, beta, &exact, d.token), 1e-6, "greedy");
    oracle_free(&o);
    models_free(&m);
  }
}
END_TEST

/* One last place of a logit is a difference, however small the probabilities are. */
START_TEST(test_greedy_tells_last_places_apart) {
  enum { N = 3000 };
  models m = models_new(1, N, TRB_F32, TRB_F32, 0.0f, 0.0f);
  matrix_fill(&m.s, 1.0);
  matrix_fill(&m.t, 1.0);
  matrix_set(&m.s, 0, 2222, (double)nextafterf(1.0f, 2.0f));
  matrix_set(&m.t, 0, 1111, (double)nextafterf(1.0f, 2.0f));
  trb_sampler greedy = {sizeof greedy, 0, NULL, NULL, 0, 0, 0, 1, 0}, top = {sizeof top, 0, NULL, NULL, 1, 0, 0, 0, 0};
  ck_assert_int_eq(draw_one(&m, 0.0, &greedy).token, 2222);
  ck_assert_int_eq(draw_one(&m, 1.0, &greedy).token, 1111);
  ck_assert_int_eq(draw_one(&m, 0.0, &top).token, 2222);
  models_free(&m);
}
END_TEST

/* Every token that is not masked has positive probability, however far down. */
START_TEST(test_kept_counts_positive_probabilities) {
  const double s[6] = {0.0, -50.0, NO, -80.0, -300.0, -5000.0}, t[6] = {0.0, -50.0, 1.0, -80.0, -300.0, NO};
  models m = row_of(s, t, 6, _i);
  trb_sampler o = {sizeof o, 0, NULL, NULL, 0, 0, 0, 0, 0};
  ck_assert_int_eq(draw_one(&m, 0.5, &o).kept, 4);
  ck_assert_int_eq(draw_one(&m, 0.0, &o).kept, 5);
  o.top_k = 3;
  ck_assert_int_eq(draw_one(&m, 0.5, &o).kept, 3);
  models_free(&m);
}
END_TEST

TCase *sample_filters_case(void) {
  TCase *tc = long_case("filters");
  tcase_add_loop_test(tc, test_ties, 0, 3);
  tcase_add_loop_test(tc, test_filters_that_leave_one, 0, 3);
  tcase_add_loop_test(tc, test_greedy, 0, 3);
  tcase_add_test(tc, test_greedy_tells_last_places_apart);
  tcase_add_loop_test(tc, test_kept_counts_positive_probabilities, 0, 3);
  return tc;
}
