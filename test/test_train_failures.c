/* test_train_failures.c - training steps that go wrong: rows without a result, callbacks that stop, no memory. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counting.h"
#include "suites.h"
#include "trainee.h"

enum { VOCAB = 8, SEQUENCES = 5, SETTINGS = 6 };

static const trb_divergence_options forward = {sizeof forward, 0.0, TRB_DIVERGENCE_FORWARD_KL, 0};
static const trb_term_options nll = {sizeof nll, 0, 0, 0, TRB_ESTIMATOR_NLL, 0};
static const trb_term_options k3 = {sizeof k3, 0, 0, 0, TRB_ESTIMATOR_K3, 0};

/* The gradient in the student's place and beside it, all objectives, a bridge; the last one has no teacher. */
static step step_of(int setting) {
  rng g = {0x3E1};
  step x = {.student = trainee_new(21, VOCAB, setting % 3), .teacher = scripted_new(22, VOCAB, (setting + 1) % 3)};
  x.r = trainee_texts(&g, SEQUENCES, 6, VOCAB, false, NULL);
  x.options = (trb_train_options){.size = sizeof x.options, .grad_dtype = setting == 1 ? TRB_BF16 : TRB_F32};
  if (setting == 2) x.options.bridge = 0.5;
  if (setting == 3) {
    x.options.objective = TRB_OBJECTIVE_DIVERGENCE;
    x.options.divergence = &forward;
  }
  if (setting >= 4) {
    x.options.objective = TRB_OBJECTIVE_TOKEN;
    x.options.token = setting == 4 ? &k3 : &nll;
  }
  x.alone = setting == 5;
  return x;
}

/* ---- Rows without a result ---- */

static int64_t length_of_prompt(const trb_rollouts *r, int64_t i) {
  return r->text_offset[i + 1] - r->text_offset[i] - (r->offset[i + 1] - r->offset[i]);
}

static int64_t sequence_of(const trb_rollouts *r, int64_t token) {
  int64_t i = 0;
  while (r->offset[i + 1] <= token) i++;
  return i;
}

/* Makes token t's row of a model bad. */
static scripted_fault fault_before(const trb_rollouts *r, int64_t t, int32_t kind) {
  const int64_t i = sequence_of(r, t);
  return (scripted_fault){i, length_of_prompt(r, i) + t - r->offset[i], kind};
}

static void check_text(const trb_context *ctx, const char *model, const scripted_fault *fault) {
  char place[80];
  snprintf(place, sizeof place, "sequence %d, position %d", (int)fault->sequence, (int)fault->position);
  const char *text = trb_context_error(ctx);
  ck_assert_msg(strncmp(text, model, strlen(model)) == 0, "\"%s\" does not begin with %s", text, model);
  ck_assert_msg(strstr(text, place) != NULL, "\"%s\" does not name %s", text, place);
}

/* Bad row `bad` of x, everything else as in the good step. */
static void check_but_one(const step *x, const step *good, int64_t bad, int32_t status) {
  long double loss = 0, objective = 0;
  const long double weight = 1.0L / (long double)x->r->n_tokens;
  for (int64_t t = 0; t < x->r->n_tokens; t++) {
    const bool rows = x->options.objective != TRB_OBJECTIVE_TOKEN;
    if (t == bad) {
      ck_assert(isnan(x->loss[t]));
      if (rows) ck_assert_int_eq(x->rows[t].status, status);
      for (int64_t v = 0; v < VOCAB; v++) ck_assert(matrix_get(&x->student.grad.view, t, v) == 0.0);
      continue;
    }
    ck_assert_mem_eq(&x->loss[t], &good->loss[t], sizeof(double));
    if (rows) ck_assert_mem_eq(&x->rows[t], &good->rows[t], sizeof x->rows[t]);
    assert_same_row(&x->student.grad.view, t, &good->student.grad.view, t, "good row");
    loss += (long double)x->loss[t];
    objective += weight * (long double)x->loss[t];
  }
  ck_assert_int_eq(x->report.tokens, x->r->n_tokens);
  ck_assert_int_eq(x->report.bad, 1);
  assert_near(x->report.loss, loss / (long double)(x->r->n_tokens - 1), 1e-12, "mean");
  assert_near(x->report.objective, objective, 1e-12, "sum");
}

/* Every kind of fault in every row of either model. Loop tests run over settings, here over models as well. */
START_TEST(test_faults) {
  const int setting = _i / 2, of_teacher = _i % 2;
  step good = step_of(setting);
  ck_assert_int_eq(step_take(&good), TRB_OK);
  for (int64_t t = 0; t < good.r->n_tokens; t++)
    for (int32_t kind = SCRIPTED_NAN; kind <= SCRIPTED_SHORT; kind++) {
      step x = step_of(setting);
      x.ctx = context_with(2, TRB_ISA_AUTO);
      const scripted_fault fault = fault_before(x.r, t, kind);
      scripted *culprit = of_teacher ? &x.teacher : &x.student.model;
      culprit->faults = &fault;
      culprit->n_faults = 1;
      x.options.batch_bytes = kind % 2 ? 1 : 0;
      ck_assert_int_eq(step_take(&x), TRB_EROWS);
      check_text(x.ctx, of_teacher ? "teacher:" : "student:", &fault);
      check_but_one(&x, &good, t, kind == SCRIPTED_EMPTY ? TRB_ROW_EMPTY : TRB_ROW_NOT_A_NUMBER);
      trb_context_free(x.ctx);
      step_free(&x);
    }
  step_free(&good);
}
END_TEST

/* All rows bad, or all but the first: each is counted, the first of them is named. */
START_TEST(test_many_faults) {
  step x = step_of(_i);
  x.ctx = context_with(1, TRB_ISA_AUTO);
  x.options.batch_bytes = 1;
  scripted_fault faults[64];
  const int n = (int)x.r->n_tokens;
  ck_assert(n > 2 && n <= 64);
  for (int t = 0; t < n; t++) faults[t] = fault_before(x.r, t, t % 2 ? SCRIPTED_NAN : SCRIPTED_EMPTY);
  for (int good = 0; good < 2; good++) {
    x.student.model.faults = faults + good;
    x.student.model.n_faults = n - good;
    ck_assert_int_eq(step_take(&x), TRB_EROWS);
    ck_assert_int_eq(x.report.tokens, n);
    ck_assert_int_eq(x.report.bad, n - good);
    check_text(x.ctx, "student:", &faults[good]);
    ck_assert(good ? x.report.loss == x.loss[0] : isnan(x.report.loss) && x.report.objective == 0.0);
  }
  trb_context_free(x.ctx);
  step_free(&x);
}
END_TEST

/* A model masks what the other allows: the loss is to blame. */
START_TEST(test_infinite_losses) {
  step x = step_of(_i);
  x.ctx = context_with(1, TRB_ISA_AUTO);
  (_i == 3 ? &x.student.model : &x.teacher)->masked = _i == 4 ? 0.3 : 0.05;
  ck_assert_int_eq(step_take(&x), TRB_EROWS);
  matrix s = trainee_logits(&x.student.model, x.r, NULL), q = trainee_logits(&x.teacher, x.r, NULL);
  int64_t infinite = 0, first = -1;
  for (int64_t t = 0; t < x.r->n_tokens; t++) {
    bool bad = false;
    for (int64_t v = 0; v < VOCAB; v++) {
      const bool counts = _i != 4 || v == x.r->token[t];
      bad |= counts && (isinf(matrix_get(&s.view, t, v)) || isinf(matrix_get(&q.view, t, v)));
    }
    for (int64_t v = 0; v < VOCAB && bad; v++) ck_assert(matrix_get(&x.student.grad.view, t, v) == 0.0);
    ck_assert(bad ? !isfinite(x.loss[t]) : isfinite(x.loss[t]));
    if (bad && _i != 4) ck_assert(x.loss[t] == (double)INFINITY && x.rows[t].status == TRB_ROW_INFINITE);
    if (bad && infinite++ == 0) first = t;
  }
  ck_assert_int_gt(infinite, 0);
  ck_assert_int_lt(infinite, x.r->n_tokens);
  ck_assert_int_eq(x.report.bad, infinite);
  const scripted_fault place = fault_before(x.r, first, 0);
  check_text(x.ctx, "loss:", &place);
  matrix_free(&s);
  matrix_free(&q);
  trb_context_free(x.ctx);
  step_free(&x);
}
END_TEST

/* ---- Callbacks that stop ---- */

typedef struct interruption {
  int64_t calls, stop_at;
  int32_t value;
} interruption;

static int32_t interrupt(int64_t done, int64_t total, void *user) {
  interruption *i = user;
  ck_assert_int_le(done, total);
  return i->calls++ == i->stop_at ? i->value : TRB_CONTINUE;
}

enum { FORWARD, BACKWARD, TEACHER, PROGRESS, CALLBACKS };

/* Tells call number `at` of a callback, or none, to stop. */
static void stop_at(step *x, interruption *progress, int callback, int64_t at, int32_t value) {
  x->student.model.stop_at = callback == FORWARD ? at : -1;
  x->student.stop_at = callback == BACKWARD ? at : -1;
  x->teacher.stop_at = callback == TEACHER ? at : -1;
  *progress = (interruption){0, callback == PROGRESS ? at : -1, value};
  x->student.model.stop_value = x->student.stop_value = x->teacher.stop_value = value;
}

/* Every callback stops at every call once, with every value but the one that goes on: a text, no output, no leak; then
 * the same context and rollouts give what they would have given. */
START_TEST(test_callbacks_stop) {
  static const char *const names[] = {"student->forward", "student->backward", "teacher->forward", "progress"};
  static const int32_t values[] = {0, -1, 2, INT32_MIN};
  counter count;
  const trb_context_options o = counted(&count, 2);
  step good = step_of(_i);
  good.options.batch_bytes = 1;
  ck_assert_int_eq(step_take(&good), TRB_OK);
  step x = step_of(_i);
  interruption progress;
  x.options.batch_bytes = 1;
  x.options.progress = interrupt;
  x.options.progress_user = &progress;
  ck_assert_int_eq(trb_context_new(&o, &x.ctx), TRB_OK);
  const int64_t live = count.live;
  for (int callback = 0; callback < CALLBACKS; callback++)
    for (int64_t at = 0; at < good.report.micro_batches; at++) {
      if (callback == TEACHER && x.alone) continue;
      char got[40];
      const int32_t value = values[at % 4];
      stop_at(&x, &progress, callback, at, value);
      ck_assert_int_eq(step_take(&x), TRB_ECALLBACK);
      ck_assert(step_untouched(&x));
      ck_assert_int_eq(count.live, live);
      snprintf(got, sizeof got, "%s: expected TRB_CONTINUE, got %d", names[callback], (int)value);
      const char *text = trb_context_error(x.ctx);
      ck_assert_msg(strncmp(text, got, strlen(got)) == 0, "\"%s\" does not begin with \"%s\"", text, got);
      ck_assert_int_eq(x.student.model.calls, at + 1);
      ck_assert_int_eq(x.teacher.calls, x.alone ? 0 : callback == FORWARD ? at : at + 1);
      ck_assert_int_eq(x.student.backwards, callback == FORWARD || callback == TEACHER ? at : at + 1);
      stop_at(&x, &progress, CALLBACKS, 0, 0);
      ck_assert_int_eq(step_take(&x), TRB_OK);
      step_same(&good, &x, true, "after a stop");
    }
  trb_context_free(x.ctx);
  step_free(&x);
  step_free(&good);
  ck_assert_int_eq(count.live, 0);
}
END_TEST

/* ---- No memory ---- */

START_TEST(test_allocations_fail) {
  counter count;
  const trb_context_options o = counted(&count, 1);
  step good = step_of(_i);
  ck_assert_int_eq(step_take(&good), TRB_OK);
  step x = step_of(_i);
  ck_assert_int_eq(trb_context_new(&o, &x.ctx), TRB_OK);
  const int64_t live = count.live;
  int64_t failures = 0;
  for (;; failures++) {
    count.fail_at = count.calls + failures;
    const trb_status status = step_take(&x);
    ck_assert_int_eq(count.live, live);
    if (status == TRB_OK) break;
    ck_assert_int_eq(status, TRB_ENOMEM);
    ck_assert(x.student.model.calls == 0 && x.teacher.calls == 0 && step_untouched(&x));
    ck_assert_ptr_nonnull(strstr(trb_context_error(x.ctx), "alloc"));
  }
  ck_assert_int_ge(failures, 1);
  step_same(&good, &x, true, "after failures");
  trb_context_free(x.ctx);
  step_free(&x);
  step_free(&good);
}
END_TEST

TCase *train_failures_case(void) {
  TCase *tc = long_case("failures");
  tcase_add_loop_test(tc, test_faults, 0, 2 * SETTINGS - 1);
  tcase_add_loop_test(tc, test_many_faults, 0, SETTINGS);
  tcase_add_loop_test(tc, test_infinite_losses, 0, SETTINGS - 1);
  tcase_add_loop_test(tc, test_callbacks_stop, 0, SETTINGS);
  tcase_add_loop_test(tc, test_allocations_fail, 0, SETTINGS);
  return tc;
}
