/* test_reverse_kl_edges.c - trb_reverse_kl where something is special: masks, infinities, lists of ids, weights, shared
 * buffers, missing outputs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_loss.h"
#include "suites.h"
#include "common.h"

static const double NO = -(double)INFINITY;

static const double first[6] = {1.0, -2.0, 0.5, 3.0, 0.0, 0.25};
static const double second[6] = {-1.0, 2.0, 0.25, -3.0, 1.0, 0.5};

/* All forms on all supports of a pair of rows, each against the oracle: statuses, losses and gradients. */
static void check_all(const double *s, const double *t, int64_t n, int32_t dtype, const char *where) {
  models m = models_new(1, n, dtype, dtype, 0.0f, 0.0f);
  matrix_set_row(&m.s, 0, s);
  matrix_set_row(&m.t, 0, t);
  int64_t ids[3] = {n - 1, 0, -1};
  for (int32_t form = 0; form < 5; form++) {
    for (int32_t support = 0; support < (form == TRB_FORM_FULL ? 1 : 4); support++) {
      if (form == TRB_FORM_RENORMALIZED && n < 2) continue;
      for (int64_t k = 2; k <= 3; k++) {
        trb_loss_options options = {sizeof options, form, support, support ? k : 0,
                                    support == TRB_SUPPORT_IDS ? ids : NULL};
        loss_case c = {&m.s.view, &m.t.view, NULL, &options, NULL, (int32_t)(k % 3), NULL};
        c.where = describe("%s: form %d support %d k %d n %d", where, form, support, (int)k, (int)n);
        loss_check(&c, NULL);
      }
    }
  }
  models_free(&m);
}

/* -inf, NaN and +inf at every position of either model and of both: named or finite, never a NaN gradient. */
START_TEST(test_special_values_at_every_position) {
  const double special[3] = {NO, (double)NAN, (double)INFINITY};
  for (int64_t n = 1; n <= 6; n++) {
    for (int what = 0; what < 3; what++) {
      for (int64_t v = 0; v < n; v++) {
        for (int who = 1; who <= 3; who++) {
          double s[6], t[6];
          memcpy(s, first, sizeof s);
          memcpy(t, second, sizeof t);
          if (who & 1) s[v] = special[what];
          if (who & 2) t[v] = special[what];
          char where[80];
          snprintf(where, sizeof where, "%g at %d of %d, who %d", special[what], (int)v, (int)n, who);
          check_all(s, t, n, _i, where);
        }
      }
    }
  }
}
END_TEST

/* Masks at two positions, and all masked. */
START_TEST(test_pairs_of_masks) {
  for (int64_t n = 2; n <= 5; n++) {
    for (int64_t v = 0; v < n * n; v++) {
      for (int how = 0; how < 4; how++) {
        double s[6], t[6];
        memcpy(s, first, sizeof s);
        memcpy(t, second, sizeof t);
        *(how & 1 ? &s[v / n] : &t[v / n]) = NO;
        *(how & 2 ? &s[v % n] : &t[v % n]) = NO;
        char where[80];
        snprintf(where, sizeof where, "masks %d %d of %d, how %d", (int)(v / n), (int)(v % n), (int)n, how);
        check_all(s, t, n, _i, where);
      }
    }
  }
  const double none[6] = {NO, NO, NO, NO, NO, NO};
  check_all(none, second, 5, _i, "student all masked");
  check_all(first, none, 5, _i, "teacher all masked");
  check_all(none, none, 5, _i, "all masked");
}
END_TEST

static trb_loss_row row_status(const double *s, const double *t, const trb_loss_options *options, double *loss) {
  models m = models_new(1, 4, TRB_F32, TRB_F32, 0.0f, 0.0f);
  matrix_set_row(&m.s, 0, s);
  matrix_set_row(&m.t, 0, t);
  trb_loss_row row;
  trb_status status = trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, options, loss, NULL, &row);
  ck_assert_int_eq(status, row.status < 0 ? TRB_EROWS : TRB_OK);
  models_free(&m);
  return row;
}

/* The documented infinities by name, without the oracle. */
START_TEST(test_infinite) {
  const double s[4] = {2.0, 1.0, 0.0, -1.0}, t_off[4] = {0.0, 1.0, NO, 0.0}, s_off[4] = {2.0, 1.0, NO, -1.0};
  const double t_rest[4] = {0.0, 1.0, NO, NO}, flat[4] = {0.0, 0.0, 0.0, 0.0};
  int64_t two[2] = {0, 1}, three[3] = {2, 3, -1};
  double loss;
  trb_loss_options all = {sizeof all, TRB_FORM_FULL, TRB_SUPPORT_ALL, 0, NULL};
  ck_assert_int_eq(row_status(s, t_off, &all, &loss).status, TRB_ROW_INFINITE);
  ck_assert(isinf(loss) && loss > 0);
  ck_assert_int_eq(row_status(s_off, t_off, &all, &loss).status, TRB_ROW_OK);
  ck_assert_int_eq(row_status(s_off, flat, &all, &loss).status, TRB_ROW_OK);
  for (int32_t form = 1; form < 5; form++) {
    trb_loss_options in = {sizeof in, form, TRB_SUPPORT_IDS, 2, two},
                     off = {sizeof off, form, TRB_SUPPORT_IDS, 3, three};
    trb_loss_options best = {sizeof best, form, TRB_SUPPORT_STUDENT_TOP_K, 3, NULL};
    trb_loss_options teacher = {sizeof best, form, TRB_SUPPORT_TEACHER_TOP_K, 4, NULL};
    ck_assert_int_eq(row_status(s, t_off, &in, &loss).status, TRB_ROW_OK); /* the mask is outside S */
    ck_assert_int_eq(row_status(s, t_off, &best, &loss).status, TRB_ROW_INFINITE);
    ck_assert_int_eq(row_status(s, t_off, &off, &loss).status, TRB_ROW_INFINITE);
    ck_assert_int_eq(row_status(s, t_off, &teacher, &loss).status,
                     form == TRB_FORM_TAIL_BUCKET ? TRB_ROW_INFINITE : TRB_ROW_OK); /* S is all but token 2 */
    ck_assert_int_eq(row_status(s, t_rest, &in, &loss).status,
                     form == TRB_FORM_TAIL_BUCKET ? TRB_ROW_INFINITE : TRB_ROW_OK);
  }
}
END_TEST

/* Masked is not the same as improbable: a rest that the student hardly ever draws and the teacher masks is infinite,
 * one that the teacher hardly ever draws is not. */
START_TEST(test_tail_below_the_range_of_floats) {
  const double s[4] = {0.0, -300.0, -300.0, NO}, masked[4] = {0.0, NO, NO, 0.0}, deep[4] = {0.0, -900.0, -900.0, NO};
  int64_t zero[1] = {0};
  double loss;
  trb_loss_options tail = {sizeof tail, TRB_FORM_TAIL_BUCKET, TRB_SUPPORT_IDS, 1, zero};
  ck_assert_int_eq(row_status(s, deep, &tail, &loss).status, TRB_ROW_OK);
  ck_assert(loss >= 0.0 && loss < 1e-30);
  const double top[4] = {0.0, NO, NO, NO};
  ck_assert_int_eq(row_status(s, top, &tail, &loss).status, TRB_ROW_INFINITE);
  ck_assert_int_eq(row_status(s, masked, &tail, &loss).status, TRB_ROW_OK); /* the rest holds token 3 */
}
END_TEST

/* Extreme numbers: as the mathematics says. */
START_TEST(test_extreme_magnitudes) {
  static const double sizes[] = {1e30, 1e10, 60000.0, 1e-40, 100.0};
  for (int i = 0; i < 5; i++) {
    double x = sizes[i];
    const double s[4] = {x, -x, 0.0, 0.5 * x}, t[4] = {-x, x, 0.25 * x, 0.0};
    check_all(s, t, 4, _i, "extreme");
    check_all(s, s, 4, _i, "extreme and equal");
  }
}
END_TEST

/* ---- Lists ---- */

/* A repeated id counts once, -1 not at all, the order does not matter; an empty list is TRB_ROW_EMPTY. */
START_TEST(test_lists_of_ids) {
  rng g = {0x401};
  models m = models_random(&g, FAMILY_GAUSSIAN, 1, 3000, TRB_F32);
  int64_t plain[6] = {5, 1500, 2999, -1, -1, -1}, same[6] = {2999, 5, 1500, 5, -1, 2999};
  int64_t none[6] = {-1, -1, -1, -1, -1, -1};
  for (int32_t form = 1; form < 5; form++) {
    trb_loss_options a = {sizeof a, form, TRB_SUPPORT_IDS, 6, plain}, b = a;
    b.ids = same;
    double loss[2];
    trb_loss_row row[2];
    matrix ga = matrix_new(1, 3000, 0, TRB_F32, 0.0f), gb = matrix_new(1, 3000, 0, TRB_F32, 0.0f);
    ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &a, &loss[0], &ga.view, &row[0]), TRB_OK);
    ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &b, &loss[1], &gb.view, &row[1]), TRB_OK);
    ck_assert(loss[0] == loss[1] && row[0].support == 3);
    ck_assert_mem_eq(&row[0], &row[1], sizeof row[0]);
    ck_assert_mem_eq(ga.block, gb.block, ga.bytes);
    if (form != TRB_FORM_RENORMALIZED) {
      b.ids = none;
      ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &b, &loss[1], &gb.view, &row[1]), TRB_EROWS);
      ck_assert(row[1].status == TRB_ROW_EMPTY && isnan(loss[1]));
    }
    matrix_free(&ga);
    matrix_free(&gb);
  }
  models_free(&m);
}
END_TEST

/* k beyond the vocabulary is the whole of it; ties go to the lower id; the top-k of a row equals the list of its ids.
 */
START_TEST(test_top_k) {
  rng g = {0x402 + (uint64_t)_i};
  for (int64_t i = 0; i < scaled(100); i++) {
    int64_t vocab = rng_size(&g, 2, 3000);
    models m = models_random(&g, FAMILY_GAUSSIAN, 1, vocab, _i);
    if (i % 2) { /* few values: many ties */
      for (int64_t v = 0; v < vocab; v++) {
        matrix_set(&m.s, 0, v, floor(matrix_get(&m.s.view, 0, v)));
        matrix_set(&m.t, 0, v, floor(matrix_get(&m.t.view, 0, v)));
      }
    }
    oracle o = oracle_new(vocab);
    oracle_load(&o, &m.s.view, &m.t.view, 0);
    bool *in = malloc((size_t)vocab);
    int64_t *ids = malloc((size_t)vocab * sizeof *ids), k = i % 5 ? rng_size(&g, 2, vocab) : vocab + i;
    if (!in || !ids) abort();
    for (int32_t support = TRB_SUPPORT_STUDENT_TOP_K; support <= TRB_SUPPORT_TEACHER_TOP_K; support++) {
      oracle_support(&o, support, k, NULL, in);
      int64_t n = 0;
      for (int64_t v = 0; v < vocab; v++) {
        if (in[v]) ids[n++] = v;
      }
      ck_assert_int_eq(n, k < vocab ? k : vocab);
      trb_loss_options top = {sizeof top, TRB_FORM_TAIL_BUCKET, support, k, NULL}, list = top;
      list.support = TRB_SUPPORT_IDS;
      list.ids = ids;
      list.k = n;
      double loss[2];
      trb_loss_row row[2];
      ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &top, &loss[0], NULL, &row[0]), TRB_OK);
      ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &list, &loss[1], NULL, &row[1]), TRB_OK);
      ck_assert_msg(loss[0] == loss[1] && row[0].support == row[1].support &&
                        row[0].mass_student == row[1].mass_student,
                    "support %d k %d of %d", support, (int)k, (int)vocab);
      ck_assert(row[0].overlap >= 0 && row[1].overlap == -1);
    }
    free(in);
    free(ids);
    oracle_free(&o);
    models_free(&m);
  }
}
END_TEST

/* ---- Weights and buffers ---- */

/* A row of weight 0 may hold anything. */
START_TEST(test_weight_zero_is_not_read) {
  rng g = {0x403};
  models m = models_random(&g, FAMILY_GAUSSIAN, 3, 50, _i);
  for (int64_t v = 0; v < 50; v++) {
    matrix_set(&m.s, 1, v, (double)NAN);
    matrix_set(&m.t, 1, v, (double)INFINITY);
  }
  for (int sign = 0; sign < 2; sign++) {
    double weight[3] = {2.0, sign ? -0.0 : 0.0, -3.0};
    loss_case c = {&m.s.view, &m.t.view, weight, NULL, NULL, TRB_F32, "weight 0"};
    loss_check(&c, NULL);
  }
  models_free(&m);
}
END_TEST

/* Into the student's buffer, the teacher's, or one of another type: as into a third one. */
START_TEST(test_in_place) {
  static const int64_t sizes[] = {3, 100, 1024, 1025, 3000, 5000};
  rng g = {0x404};
  for (int i = 0; i < 5 * 6; i++) {
    int32_t form = i / 6;
    models m = models_random(&g, FAMILY_MASK_STUDENT, 2, sizes[i % 6], _i);
    matrix out = matrix_new(2, sizes[i % 6], 0, _i, 0.0f);
    double weight[2] = {1.5, -0.25}, loss[2], own_loss[2];
    trb_loss_row rows[2], own_rows[2];
    trb_loss_options options = {sizeof options, form, form ? i % 3 : 0, form && i % 3 ? 3 : 0, NULL};
    trb_status status = trb_reverse_kl(NULL, &m.s.view, &m.t.view, weight, &options, loss, &out.view, rows);
    ck_assert(status == TRB_OK || status == TRB_EROWS); /* a support may be masked */
    for (int who = 0; who < 2; who++) {
      models n = {matrix_copy(&m.s), matrix_copy(&m.t)};
      matrix *own = who ? &n.t : &n.s;
      ck_assert_int_eq(trb_reverse_kl(NULL, &n.s.view, &n.t.view, weight, &options, own_loss, &own->view, own_rows),
                       status);
      ck_assert_mem_eq(own->block, out.block, out.bytes);
      ck_assert_mem_eq(loss, own_loss, sizeof loss);
      ck_assert_mem_eq(rows, own_rows, sizeof rows);
      models_free(&n);
    }
    matrix_free(&out);
    models_free(&m);
  }
}
END_TEST

/* Each output by itself says what it says in company. */
START_TEST(test_outputs_are_optional) {
  const int64_t vocab = _i == 0 ? 1500 : 5000;
  rng g = {0x405};
  models m = models_random(&g, FAMILY_CORRELATED, 3, vocab, TRB_F32);
  matrix grad = matrix_new(3, vocab, 0, TRB_F32, 0.0f), only = matrix_new(3, vocab, 0, TRB_F32, 0.0f);
  double loss[3], only_loss[3];
  trb_loss_row rows[3], only_rows[3];
  for (int32_t form = 0; form < 5; form++) {
    trb_loss_options o = {sizeof o, form, form ? TRB_SUPPORT_TEACHER_TOP_K : 0, form ? 16 : 0, NULL};
    ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &o, loss, &grad.view, rows), TRB_OK);
    ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &o, only_loss, NULL, NULL), TRB_OK);
    ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &o, NULL, &only.view, NULL), TRB_OK);
    ck_assert_int_eq(trb_reverse_kl(NULL, &m.s.view, &m.t.view, NULL, &o, NULL, NULL, only_rows), TRB_OK);
    ck_assert_mem_eq(loss, only_loss, sizeof loss);
    ck_assert_mem_eq(rows, only_rows, sizeof rows);
    ck_assert_mem_eq(grad.block, only.block, grad.bytes);
  }
  trb_logits none = {NULL, 0, 5, 5, TRB_F32, 0.0f};
  ck_assert_int_eq(trb_reverse_kl(NULL, &none, &none, NULL, NULL, loss, NULL, NULL), TRB_OK);
  matrix_free(&grad);
  matrix_free(&only);
  models_free(&m);
}
END_TEST

/* The error text of bad rows counts them. */
START_TEST(test_error_text_counts_rows) {
  models m = models_new(3, 4, TRB_F32, TRB_F32, 0.0f, 0.0f);
  matrix_fill(&m.s, 0.0);
  matrix_fill(&m.t, 0.0);
  matrix_set(&m.t, 0, 1, NO);
  matrix_set(&m.s, 1, 1, (double)NAN);
  double loss[3];
  trb_context *ctx = context_with(1, TRB_ISA_AUTO);
  ck_assert_int_eq(trb_reverse_kl(ctx, &m.s.view, &m.t.view, NULL, NULL, loss, NULL, NULL), TRB_EROWS);
  ck_assert_msg(strstr(trb_context_error(ctx), "2") != NULL, "%s", trb_context_error(ctx));
  ck_assert(isinf(loss[0]) && isnan(loss[1]) && loss[2] == 0.0);
  trb_context_free(ctx);
  models_free(&m);
}
END_TEST

TCase *reverse_kl_edges_case(void) {
  TCase *tc = long_case("edges");
  tcase_add_loop_test(tc, test_special_values_at_every_position, 0, 3);
  tcase_add_loop_test(tc, test_pairs_of_masks, 0, 3);
  tcase_add_test(tc, test_infinite);
  tcase_add_test(tc, test_tail_below_the_range_of_floats);
  tcase_add_loop_test(tc, test_extreme_magnitudes, 0, 3);
  tcase_add_test(tc, test_lists_of_ids);
  tcase_add_loop_test(tc, test_top_k, 0, 3);
  tcase_add_loop_test(tc, test_weight_zero_is_not_read, 0, 3);
  tcase_add_loop_test(tc, test_in_place, 0, 3);
  tcase_add_loop_test(tc, test_outputs_are_optional, 0, 2);
  tcase_add_test(tc, test_error_text_counts_rows);
  return tc;
}
