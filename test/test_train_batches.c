/* test_train_batches.c - what must not matter to a training step: micro-batches, who answers for the teacher's rows,
 * threads; and steps with little or nothing to do. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"
#include "trainee.h"

enum { SEQUENCES = 9, VOCAB = 11, KINDS = 7 };

static int64_t bytes_of(int32_t dtype) {
  return dtype == TRB_F32 ? 4 : 2;
}

/* What is trained in the kinds of step that the tests run over. */
typedef struct choice {
  trb_loss_options loss;
  trb_divergence_options divergence;
  trb_term_options term;
  double weight[64];
} choice;

static bool counts(int64_t sequence) {
  return sequence != 2 && sequence != SEQUENCES - 1;
}

/* All element types and objectives are among the kinds. */
static step step_of_kind(int kind, choice *c, const trb_ends *ends) {
  rng g = {0x321 + (uint64_t)kind};
  step x = {.student = trainee_new(rng_next(&g), VOCAB, kind % 3),
            .teacher = scripted_new(rng_next(&g), VOCAB + kind % 2, (kind + 1) % 3)};
  x.student.model.temperature = 0.8f;
  x.r = trainee_texts(&g, SEQUENCES, 7, VOCAB, true, ends);
  ck_assert_int_le(x.r->n_tokens, 64);
  *c =
      (choice){.loss = {sizeof c->loss, TRB_FORM_TAIL_BUCKET, TRB_SUPPORT_STUDENT_TOP_K, 3, NULL},
               .divergence = {sizeof c->divergence, 0.0, kind == 3 ? TRB_DIVERGENCE_FORWARD_KL : TRB_DIVERGENCE_JSD, 0},
               .term = {sizeof c->term, 0, 1.1, 0, TRB_ESTIMATOR_ADVANTAGE, 0}};
  for (int64_t i = 0; i < SEQUENCES; i++)
    for (int64_t t = x.r->offset[i]; t < x.r->offset[i + 1]; t++)
      c->weight[t] = counts(i) ? 0.5 + (double)(t % 4) : 0.0;
  x.options = (trb_train_options){.size = sizeof x.options,
                                  .weight = c->weight,
                                  .grad_dtype = kind % 2 ? TRB_F32 : kind % 3,
                                  .norm = kind % 3,
                                  .bridge = kind == 4 ? 0.6 : 0.0};
  if (kind == 1) x.options.reverse_kl = &c->loss;
  if (kind == 2 || kind == 3) {
    x.options.objective = TRB_OBJECTIVE_DIVERGENCE;
    x.options.divergence = &c->divergence;
  }
  if (kind >= 5) x.options.objective = TRB_OBJECTIVE_TOKEN;
  if (kind == 5) x.options.token = &c->term;
  return x;
}

/* ---- Micro-batches ---- */

static int64_t longest(const trb_rollouts *r) {
  int64_t most = 0;
  for (int64_t i = 0; i < r->n; i++) {
    const int64_t rows = r->offset[i + 1] - r->offset[i];
    if (rows > most) most = rows;
  }
  return most;
}

/* Every limit from one byte to more than all: the same bits, and no call with more rows than fit, or than the longest
 * sequence has. */
START_TEST(test_any_batch_bytes) {
  static const int64_t end_student[1] = {3}, end_teacher[1] = {4};
  const trb_ends ends = {end_student, end_teacher, 1};
  choice c;
  step all = step_of_kind(_i, &c, &ends);
  ck_assert_int_eq(step_take(&all), TRB_OK);
  int64_t row = VOCAB * bytes_of(all.student.model.dtype) + all.teacher.vocab * bytes_of(all.teacher.dtype);
  if (all.options.grad_dtype != all.student.model.dtype) row += VOCAB * bytes_of(all.options.grad_dtype);
  if (all.options.bridge > 0.0) row += VOCAB * 4;
  int64_t most = 0;
  for (int64_t bytes = 1; bytes < row * (all.r->n_tokens + 2); bytes += row / 3) {
    step x = step_of_kind(_i, &c, &ends);
    x.options.batch_bytes = bytes;
    x.ctx = context_with(1 + bytes % 3, TRB_ISA_AUTO);
    ck_assert_int_eq(step_take(&x), TRB_OK);
    step_same(&all, &x, true, describe("kind %d, %d bytes", _i, (int)bytes));
    const int64_t fit = bytes / row, one = longest(x.r);
    ck_assert_int_le(x.student.most_rows, fit > one ? fit : one);
    ck_assert_int_eq(x.student.backwards, x.student.model.calls);
    ck_assert_int_eq(x.report.micro_batches, x.student.model.calls);
    if (x.report.micro_batches > most) most = x.report.micro_batches;
    trb_context_free(x.ctx);
    step_free(&x);
  }
  ck_assert_int_gt(most, all.report.micro_batches);
  step_free(&all);
}
END_TEST

/* A sequence without a token that counts is neither asked about nor answered. */
START_TEST(test_sequences_that_do_not_count) {
  choice c;
  step x = step_of_kind(_i, &c, NULL);
  ck_assert_int_eq(step_take(&x), TRB_OK);
  for (int64_t i = 0; i < SEQUENCES; i++) {
    const int64_t rows = counts(i) ? x.r->offset[i + 1] - x.r->offset[i] : 0;
    ck_assert_int_eq(scripted_rows_of(&x.student.model, i), rows);
    ck_assert_int_eq(scripted_rows_of(&x.teacher, i), rows);
    for (int64_t t = x.r->offset[i]; t < x.r->offset[i + 1]; t++) {
      ck_assert(trainee_handed(&x.student, t) == counts(i));
      if (counts(i)) continue;
      ck_assert(x.loss[t] == 0.0);
      if (x.options.objective != TRB_OBJECTIVE_TOKEN) ck_assert_int_eq(x.rows[t].status, TRB_ROW_SKIPPED);
    }
  }
  step_free(&x);
}
END_TEST

/* ---- The teacher's rows ---- */

/* Kept rows are not asked for again; how many there are changes no bit. */
START_TEST(test_kept_rows) {
  choice c;
  step all = step_of_kind(_i, &c, NULL);
  ck_assert_int_eq(step_take(&all), TRB_OK);
  for (int64_t keep = 0; keep <= all.r->n_tokens; keep++) {
    step x = step_of_kind(_i, &c, NULL);
    trb_model teacher = scripted_model(&x.teacher);
    const trb_score_options o = {.size = sizeof o, .keep_bytes = keep * x.teacher.vocab * bytes_of(x.teacher.dtype)};
    ck_assert_int_eq(trb_score(NULL, NULL, &teacher, &o, x.r), TRB_OK);
    ck_assert_int_eq(x.r->kept, keep);
    int64_t wanted = 0;
    for (int64_t i = 0; i < SEQUENCES; i++) /* the first `keep` tokens are kept */
      for (int64_t t = x.r->offset[i]; t < x.r->offset[i + 1]; t++) wanted += counts(i) && t >= keep;
    if (wanted == 0) x.teacher.stop_at = 0; /* it is not there any more */
    x.options.batch_bytes = keep % 2 ? 700 : 0;
    ck_assert_int_eq(step_take(&x), TRB_OK);
    step_same(&all, &x, true, describe("kind %d, %d rows kept", _i, (int)keep));
    ck_assert_int_eq(x.report.teacher_rows, wanted);
    ck_assert_int_eq(x.teacher.rows, wanted);
    for (int64_t i = 0; i < SEQUENCES; i++) {
      int64_t rows = 0;
      for (int64_t t = x.r->offset[i]; t < x.r->offset[i + 1]; t++) rows += counts(i) && t >= keep;
      ck_assert_int_eq(scripted_rows_of(&x.teacher, i), rows);
    }
    step_free(&x);
  }
  step_free(&all);
}
END_TEST

/* Rows kept by the rollout itself: the first tokens of all sequences before the second ones. */
START_TEST(test_rows_kept_by_a_rollout) {
  static const int64_t tokens[] = {1, 2, 3, 4, 5, 6}, offset[] = {0, 1, 3, 6}, stop[] = {0};
  static const int64_t end_student[] = {2}, end_teacher[] = {7};
  const trb_ends ends = {end_student, end_teacher, 1};
  const trb_texts prompts = {tokens, offset, 3};
  step reference = {.student = trainee_new(15, 9, TRB_BF16), .teacher = scripted_new(16, 8, TRB_F16)};
  for (int64_t keep = 0; keep < 40; keep++) {
    step x = {.student = trainee_new(15, 9, TRB_BF16), .teacher = scripted_new(16, 8, TRB_F16)};
    const trb_model student = scripted_model(&x.student.model), teacher = scripted_model(&x.teacher);
    const trb_rollout_options o = {.size = sizeof o,
                                   .budget = 0.1,
                                   .stop = stop,
                                   .n_stop = 1,
                                   .ends = &ends,
                                   .max_tokens = 12,
                                   .repeats = 2,
                                   .batch = 1 + keep % 4,
                                   .keep_bytes = keep * 16};
    ck_assert_int_eq(trb_rollout(NULL, &student, &teacher, &prompts, &o, &x.r), TRB_OK);
    ck_assert_int_ge(x.r->n_tokens, 12);
    x.options = (trb_train_options){.size = sizeof x.options, .batch_bytes = 1 + 50 * keep};
    ck_assert_int_eq(step_take(&x), TRB_OK);
    ck_assert_int_eq(x.report.teacher_rows, x.teacher.rows);
    ck_assert_int_eq(x.report.teacher_rows, x.r->n_tokens - x.r->kept);
    if (keep > 0) {
      step_same(&reference, &x, true, describe("%d rows kept", (int)keep));
      step_free(&x);
    } else {
      reference = x;
    }
  }
  step_free(&reference);
}
END_TEST

/* ---- Little to do ---- */

/* The loss alone: the same bits, and backward is not called, nor need it be there. */
START_TEST(test_evaluation) {
  choice c;
  step all = step_of_kind(_i, &c, NULL), x = step_of_kind(_i, &c, NULL);
  ck_assert_int_eq(step_take(&all), TRB_OK);
  x.options.evaluate = 1;
  x.options.batch_bytes = 100;
  ck_assert_int_eq(step_take(&x), TRB_OK);
  step_same(&all, &x, false, "evaluation");
  ck_assert_int_eq(x.student.backwards, 0);
  trb_model student = trainee_model(&x.student, x.r, x.options.grad_dtype);
  const trb_model teacher = scripted_model(&x.teacher);
  student.backward = NULL;
  trb_train_report report = {.size = sizeof report};
  ck_assert_int_eq(trb_train_step(NULL, &student, &teacher, x.r, &x.options, NULL, NULL, &report), TRB_OK);
  ck_assert_mem_eq(&report, &x.report, sizeof report);
  step_free(&all);
  step_free(&x);
}
END_TEST

static void check_nothing(const trb_train_report *report) {
  ck_assert(report->tokens == 0 && report->bad == 0 && report->clipped == 0);
  ck_assert(report->micro_batches == 0 && report->teacher_rows == 0 && report->objective == 0.0);
  ck_assert(isnan(report->loss) && isnan(report->entropy_student) && isnan(report->entropy_teacher));
  ck_assert(isnan(report->mass_student) && isnan(report->mass_teacher) && isnan(report->agreement));
}

/* No sequence, no response, no weight: nobody is asked. */
START_TEST(test_nothing_to_do) {
  for (int what = 0; what < 3; what++) {
    rng g = {0x341};
    double none[64] = {0.0};
    step x = {.student = trainee_new(1, VOCAB, TRB_F32), .teacher = scripted_new(2, VOCAB, TRB_F32)};
    x.r = trainee_texts(&g, what == 0 ? 0 : SEQUENCES, what == 1 ? 0 : 7, VOCAB, true, NULL);
    x.options = (trb_train_options){.size = sizeof x.options, .weight = what == 2 ? none : NULL, .norm = _i % 3};
    x.options.objective = _i / 3;
    ck_assert_int_eq(step_take(&x), TRB_OK);
    ck_assert(x.student.model.calls == 0 && x.student.backwards == 0 && x.teacher.calls == 0);
    check_nothing(&x.report);
    for (int64_t t = 0; t < x.r->n_tokens; t++) ck_assert(x.loss[t] == 0.0);
    step_free(&x);
  }
}
END_TEST

/* Empty responses between others, and a batch of a single token: the sum is that of the parts. */
START_TEST(test_empty_responses) {
  static const int64_t tokens[] = {1, 2, 3, 4, 5, 6, 7, 8}, offset[] = {0, 1, 3, 4, 5, 7, 8};
  static const int64_t prompt[] = {1, 1, 1, 1, 1, 1};
  for (int only = 0; only < 3; only++) {
    const trb_texts texts = {tokens, offset + (only == 2), only == 2 ? 1 : 6}; /* responses of 0 1 0 0 1 0, or 1 */
    step x = {.student = trainee_new(3, VOCAB, TRB_F32), .teacher = scripted_new(4, VOCAB, TRB_F32)};
    ck_assert_int_eq(trb_rollouts_new(NULL, &texts, prompt, NULL, NULL, &x.r), TRB_OK);
    x.options = (trb_train_options){.size = sizeof x.options, .batch_bytes = only == 1 ? 1 : 0};
    ck_assert_int_eq(step_take(&x), TRB_OK);
    ck_assert_int_eq(x.report.tokens, only == 2 ? 1 : 2);
    ck_assert_int_eq(x.student.model.rows, only == 2 ? 1 : 2);
    oracle o = oracle_new(VOCAB);
    bool all[VOCAB];
    long double grad[VOCAB];
    for (int64_t t = 0; t < x.r->n_tokens; t++) {
      scripted_load(&o, &x.student.model, &x.teacher, NULL, only == 2 || t == 0 ? tokens + 1 : tokens + 5, 1);
      oracle_support(&o, TRB_SUPPORT_ALL, 0, NULL, all);
      assert_near(x.loss[t], oracle_reverse_kl(&o, TRB_FORM_FULL, all, grad).loss, 3e-6, "token %d", (int)t);
      for (int64_t v = 0; v < VOCAB; v++)
        assert_near(matrix_get(&x.student.grad.view, t, v), grad[v] / (long double)x.report.tokens, 3e-6, "gradient");
    }
    oracle_free(&o);
    step_free(&x);
  }
}
END_TEST

/* ---- Progress ---- */

typedef struct log {
  int64_t calls, done, total;
} log_of_progress;

static int32_t note_progress(int64_t done, int64_t total, void *user) {
  log_of_progress *log = user;
  ck_assert_int_gt(done, log->done);
  log->calls++;
  log->done = done;
  log->total = total;
  return TRB_CONTINUE;
}

/* Told after every micro-batch; at the end all are done, those that did not count among them. */
START_TEST(test_progress) {
  for (int64_t bytes = 1; bytes < 3000; bytes += 200) {
    choice c;
    log_of_progress log = {0, 0, 0};
    step x = step_of_kind(0, &c, NULL);
    x.options.batch_bytes = bytes;
    x.options.progress = note_progress;
    x.options.progress_user = &log;
    ck_assert_int_eq(step_take(&x), TRB_OK);
    ck_assert_int_eq(log.calls, x.report.micro_batches);
    ck_assert_int_eq(log.done, SEQUENCES);
    ck_assert_int_eq(log.total, SEQUENCES);
    step_free(&x);
  }
}
END_TEST

TCase *train_batches_case(void) {
  TCase *tc = long_case("batches");
  tcase_add_loop_test(tc, test_any_batch_bytes, 0, KINDS);
  tcase_add_loop_test(tc, test_sequences_that_do_not_count, 0, KINDS);
  tcase_add_loop_test(tc, test_kept_rows, 0, KINDS);
  tcase_add_test(tc, test_rows_kept_by_a_rollout);
  tcase_add_loop_test(tc, test_evaluation, 0, KINDS);
  tcase_add_loop_test(tc, test_nothing_to_do, 0, 9);
  tcase_add_test(tc, test_empty_responses);
  tcase_add_test(tc, test_progress);
  return tc;
}
