/* The loop over rows, on the context's own threads and on the caller's. */
#include <check.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "context_cases.h"
#include "core.h"
#include "counting.h"
#include "common.h"

static void check_rows_once(trb_context *ctx) {
  static const int64_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 16, 17, 63, 64, 65, 999, MOST_ROWS};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    tally all = {{0}, 0};
    ck_assert_int_eq(trbi_each_row(ctx, sizes[i], visit, &all), TRB_OK);
    ck_assert_int_eq(wrong_visits(&all, sizes[i]), 0);
    ck_assert_int_eq(atomic_load(&all.total), sizes[i]);
  }
}

static const int64_t thread_counts[] = {0, 1, 2, 3, 8};

START_TEST(pool_visits_each_row_once) {
  check_rows_once(NULL);
  counter count;
  trb_context_options options = counted(&count, thread_counts[_i]);
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_OK);
  int64_t calls = count.calls;
  for (int again = 0; again < 20; again++) check_rows_once(ctx);
  ck_assert_int_eq(count.calls, calls);
  trb_context_free(ctx);
  ck_assert_int_eq(count.live, 0);
}
END_TEST

/* Threads of the caller, or an order of its own. */
typedef struct caller {
  int64_t threads;
  bool reverse;
  int64_t runs;
} caller;

static void in_order(int64_t n, trb_task_fn fn, void *task, void *user) {
  caller *self = user;
  self->runs++;
  ck_assert_int_ge(n, 1);
  ck_assert_int_le(n, 8 * self->threads);
  for (int64_t i = 0; i < n; i++) fn(task, self->reverse ? n - 1 - i : i);
}

typedef struct piece {
  trb_task_fn fn;
  void *task;
  int64_t index;
} piece;

static void *run_piece(void *argument) {
  const piece *one = argument;
  one->fn(one->task, one->index);
  return NULL;
}

static void on_threads(int64_t n, trb_task_fn fn, void *task, void *user) {
  caller *self = user;
  self->runs++;
  ck_assert_int_le(n, 8 * self->threads);
  pthread_t threads[64];
  piece pieces[64];
  for (int64_t i = 0; i < n; i++) {
    pieces[i] = (piece){fn, task, i};
    if (pthread_create(&threads[i], NULL, run_piece, &pieces[i]) != 0) ck_abort_msg("no thread");
  }
  for (int64_t i = 0; i < n; i++) pthread_join(threads[i], NULL);
}

static void check_parallel_for(trb_parallel_for_fn parallel_for, int64_t threads, bool reverse) {
  caller self = {threads, reverse, 0};
  counter count;
  trb_context_options options = counted(&count, threads);
  options.parallel_for = parallel_for;
  options.parallel_user = &self;
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_OK);
  ck_assert_int_eq(count.calls, 1); /* no pool */
  check_rows_once(ctx);
  ck_assert_int_eq(self.runs > 0, threads > 1);
  trb_context_free(ctx);
  ck_assert_int_eq(count.live, 0);
}

START_TEST(parallel_for_visits_each_row_once) {
  int64_t threads = thread_counts[_i] == 0 ? 1 : thread_counts[_i];
  check_parallel_for(in_order, threads, false);
  check_parallel_for(in_order, threads, true);
  check_parallel_for(on_threads, threads, false);
}
END_TEST

static void *own_context(void *argument) {
  (void)argument;
  trb_context *ctx = context_with(3, TRB_ISA_AUTO);
  for (int again = 0; again < 10; again++) {
    tally all = {{0}, 0};
    trbi_each_row(ctx, MOST_ROWS, visit, &all);
    trbi_each_row(NULL, MOST_ROWS, visit, &all);
    for (int64_t r = 0; r < MOST_ROWS; r++) all.visits[r]--;
    if (wrong_visits(&all, MOST_ROWS) != 0) return "a row was not visited twice";
  }
  trb_context_free(ctx);
  return NULL;
}

START_TEST(contexts_are_independent) {
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, own_context, NULL), 0);
  for (int i = 0; i < 3; i++) {
    void *failure;
    pthread_join(threads[i], &failure);
    ck_assert_ptr_null(failure);
  }
}
END_TEST

/* ---- What the threads are like ---- */

typedef struct survey {
  pthread_t caller;
  meeting pair;
  _Atomic int64_t deaf;        /* helpers that block SIGINT, SIGTERM, SIGUSR1 and SIGCHLD but not SIGSEGV */
  _Atomic int64_t odd_modes;   /* rows that saw other than the default floating-point environment */
  _Atomic int64_t stack_bytes; /* what was touched of every stack */
} survey;

static void look_at_signals(void *job, int64_t row) {
  (void)row;
  survey *all = job;
  meet(&all->pair);
  if (pthread_equal(pthread_self(), all->caller)) return;
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  if (sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM) && sigismember(&mask, SIGUSR1) &&
      sigismember(&mask, SIGCHLD) && !sigismember(&mask, SIGSEGV)) {
    atomic_fetch_add(&all->deaf, 1);
  }
}

START_TEST(helpers_leave_signals_alone) {
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  trb_context *ctx = context_with(2, TRB_ISA_AUTO);
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  for (int signal = 1; signal < 32; signal++) {
    ck_assert_int_eq(sigismember(&before, signal), sigismember(&after, signal));
  }
  survey all = {.caller = pthread_self()};
  ck_assert_int_eq(trbi_each_row(ctx, 2, look_at_signals, &all), TRB_OK);
  ck_assert_int_eq(atomic_load(&all.deaf), 1);
  trb_context_free(ctx);
}
END_TEST

static void use_stack(void *job, int64_t row) {
  survey *all = job;
  volatile unsigned char stack[192 * 1024];
  meet(&all->pair);
  for (size_t i = 0; i < sizeof stack; i += 512) stack[i] = (unsigned char)row;
  atomic_fetch_add(&all->stack_bytes, (int64_t)sizeof stack + stack[512] - (unsigned char)row);
}

START_TEST(helpers_have_stack) {
  trb_context *ctx = context_with(2, TRB_ISA_AUTO);
  survey all = {.caller = pthread_self()};
  ck_assert_int_eq(trbi_each_row(ctx, 2, use_stack, &all), TRB_OK);
  ck_assert_int_eq(atomic_load(&all.stack_bytes), 2 * 192 * 1024);
  trb_context_free(ctx);
}
END_TEST

/* The smallest subnormal doubled: 0 where such numbers are flushed. */
static double subnormal(void) {
  volatile double tiny = 0x1p-1074;
  return tiny * 2.0;
}

static double third(void) {
  volatile double one = 1.0, three = 3.0;
  return one / three;
}

static void look_at_modes(void *job, int64_t row) {
  (void)row;
  survey *all = job;
  if (all->pair.waiting < 2) meet(&all->pair);
  if (fegetround() != FE_TONEAREST || third() != 1.0 / 3.0 || subnormal() != 0x1p-1073) {
    atomic_fetch_add(&all->odd_modes, 1);
  }
}

static void flush_subnormals(void) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040u);
#endif
}

START_TEST(modes_of_the_caller_do_not_reach_rows) {
  trb_context *ctx = context_with(2, TRB_ISA_AUTO);
  survey all = {.caller = pthread_self()};
  fenv_t before;
  fegetenv(&before);
  fesetround(FE_UPWARD);
  flush_subnormals();
  feclearexcept(FE_ALL_EXCEPT);
  double outside = subnormal();
  feclearexcept(FE_ALL_EXCEPT);
  trb_status status = trbi_each_row(ctx, 20, look_at_modes, &all);
  if (status == TRB_OK) status = trbi_each_row(NULL, 1, look_at_modes, &all);
  int round = fegetround(), flags = fetestexcept(FE_ALL_EXCEPT);
  double still = subnormal();
  fesetenv(&before);
  ck_assert_int_eq(status, TRB_OK);
  ck_assert_int_eq(atomic_load(&all.odd_modes), 0);
  ck_assert_int_eq(round, FE_UPWARD);
  ck_assert_int_eq(flags, 0);
  ck_assert(still == outside);
  trb_context_free(ctx);
}
END_TEST

TCase *rows_case(void) {
  TCase *rows = tcase_create("rows");
  const int counts = (int)(sizeof thread_counts / sizeof thread_counts[0]);
  tcase_add_loop_test(rows, pool_visits_each_row_once, 0, counts);
  tcase_add_loop_test(rows, parallel_for_visits_each_row_once, 0, counts);
  tcase_add_test(rows, contexts_are_independent);
  tcase_add_test(rows, helpers_leave_signals_alone);
  tcase_add_test(rows, helpers_have_stack);
  tcase_add_test(rows, modes_of_the_caller_do_not_reach_rows);
  return rows;
}
