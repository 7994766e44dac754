/* Methods: how they are written, and what they ask of libtrb in each step. */
#include <math.h>
#include <string.h>

#include "method.h"
#include "suites.h"

static method parse(const char *text) {
  method m;
  char why[256] = "";
  ck_assert_msg(method_parse(text, &m, why), "%s: %s", text, why);
  ck_assert_str_eq(m.id, text);
  ck_assert(m.label[0] != '\0');
  return m;
}

/* What a method asks for in a step. */
typedef struct wish {
  trb_rollout_options rollout;
  trb_train_options train;
  trb_term_options room;
} wish;

static wish *at(const char *text, int64_t k) {
  static wish w;
  const method m = parse(text);
  w = (wish){.rollout = {.size = sizeof w.rollout}, .train = {.size = sizeof w.train}};
  method_at(&m, k, &w.rollout, &w.train, &w.room);
  return &w;
}

static void check_plain(const wish *w) {
  ck_assert_int_eq(w->train.objective, TRB_OBJECTIVE_REVERSE_KL);
  ck_assert_ptr_null(w->train.token);
}

START_TEST(bad_names_are_refused) {
  static const char *const bad[] = {"",
                                    "OPD",
                                    "opd-1",
                                    "trb",
                                    "trb-0.05",
                                    "trb-0.05-",
                                    "trb-x-25",
                                    "trb--1-25",
                                    "trb-inf-25",
                                    "trb-nan-25",
                                    "trb-0.05-0",
                                    "trb-0.05-2.5",
                                    "trb-0.05-25-1",
                                    "fixed",
                                    "fixed-",
                                    "fixed--0.1",
                                    "skd-0",
                                    "skd-2.5",
                                    "skd",
                                    "temperature-0-5",
                                    "temperature-1",
                                    "teacher-1",
                                    "sft-0",
                                    "sft-1.5",
                                    "sft-",
                                    "veto-0-25",
                                    "veto-1.1-25",
                                    "veto-0.5",
                                    "opd ",
                                    "trb-0.05-1e10",
                                    "trb-0.05-25,opd",
                                    "trb-0.0500000000000000000000000000000000000000000000000000000000000-25"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    method m;
    char why[256] = "";
    ck_assert_msg(!method_parse(bad[i], &m, why), "%s is taken", bad[i]);
    ck_assert_ptr_nonnull(strstr(why, "expected"));
  }
}
END_TEST

/* arXiv 2605.31159: budget0 (1 - k/K) up to step K, then exactly 0. */
START_TEST(budgets_anneal_or_stay) {
  for (int64_t k = 0; k <= 30; k++) {
    const wish *w = at("trb-0.05-25", k);
    const double budget = k < 25 ? 0.05 * (double)(25 - k) / 25.0 : 0.0;
    ck_assert_int_eq(w->rollout.behavior, TRB_BEHAVIOR_BUDGET);
    ck_assert(fabs(w->rollout.budget - budget) < 1e-15);
    ck_assert(k < 25 || w->rollout.budget == 0.0);
    check_plain(w);
    ck_assert(at("fixed-0.2", k)->rollout.budget == 0.2);
    ck_assert(at("opd", k)->rollout.budget == 0.0);
  }
  check_plain(at("opd", 0));
  check_plain(at("fixed-0.2", 0));
  ck_assert(at("fixed-0.2", 1000000)->rollout.budget == 0.2);
}
END_TEST

START_TEST(others_ask_for_their_behavior) {
  wish *w = at("skd-3", 7);
  ck_assert_int_eq(w->rollout.behavior, TRB_BEHAVIOR_SKD);
  ck_assert_int_eq(w->rollout.top_k, 3);
  check_plain(w);
  for (int64_t k = 0; k <= 30; k++) {
    w = at("temperature-0.8-20", k);
    ck_assert_int_eq(w->rollout.behavior, TRB_BEHAVIOR_STUDENT);
    ck_assert(fabs(w->rollout.temperature - (k < 20 ? 0.8 + 0.2 * (double)k / 20.0 : 1.0)) < 1e-15);
    check_plain(w);
  }
  w = at("teacher", 99);
  ck_assert_int_eq(w->rollout.behavior, TRB_BEHAVIOR_TEACHER);
  check_plain(w);
}
END_TEST

START_TEST(imitation_ends_where_it_says) {
  for (int64_t k = 0; k < 20; k++) {
    const wish *w = at("sft-15", k), keep = *w;
    ck_assert_int_eq(keep.rollout.behavior, k < 15 ? TRB_BEHAVIOR_TEACHER : TRB_BEHAVIOR_BUDGET);
    ck_assert_int_eq(keep.train.objective, k < 15 ? TRB_OBJECTIVE_TOKEN : TRB_OBJECTIVE_REVERSE_KL);
    if (k < 15) {
      ck_assert_ptr_eq(w->train.token, &w->room);
      ck_assert_int_eq(w->room.estimator, TRB_ESTIMATOR_NLL);
      ck_assert_uint_eq(w->room.size, sizeof w->room);
    } else {
      check_plain(w);
    }
  }
  ck_assert_int_eq(at("sft", 1000000)->train.objective, TRB_OBJECTIVE_TOKEN);
}
END_TEST

START_TEST(bridges_rise_to_the_teacher) {
  for (int64_t k = 0; k <= 30; k++) {
    const wish *w = at("veto-0.4-25", k);
    ck_assert_int_eq(w->rollout.behavior, TRB_BEHAVIOR_BUDGET);
    ck_assert(w->rollout.budget == 0.0);
    ck_assert(fabs(w->train.bridge - (k < 25 ? 0.4 + 0.6 * (double)k / 25.0 : 1.0)) < 1e-15);
    check_plain(w);
  }
}
END_TEST

Suite *method_suite(void) {
  Suite *suite = suite_create("method");
  TCase *tc = tcase_create("method");
  tcase_add_test(tc, bad_names_are_refused);
  tcase_add_test(tc, budgets_anneal_or_stay);
  tcase_add_test(tc, others_ask_for_their_behavior);
  tcase_add_test(tc, imitation_ends_where_it_says);
  tcase_add_test(tc, bridges_rise_to_the_teacher);
  suite_add_tcase(suite, tc);
  return suite;
}
