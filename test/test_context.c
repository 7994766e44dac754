/* Contexts: options, allocators, the loop over rows, threads, fork(). */
#define _GNU_SOURCE /* setresuid */
#include <check.h>
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core.h"
#include "rows.h"
#include "suites.h"

/* ---- An allocator that counts, and fails when told ---- */

typedef struct counter {
  int64_t calls;
  int64_t live;
  int64_t fail_at; /* this call returns NULL; -1: none does */
} counter;

static void *counting_alloc(size_t bytes, void *user) {
  counter *count = user;
  if (count->calls++ == count->fail_at) return NULL;
  count->live++;
  return malloc(bytes);
}

static void counting_free(void *memory, void *user) {
  counter *count = user;
  ck_assert_ptr_nonnull(memory);
  count->live--;
  free(memory);
}

static trb_context_options counted(counter *count, int64_t threads) {
  *count = (counter){0, 0, -1};
  return (trb_context_options){.size = sizeof(trb_context_options),
                               .threads = threads,
                               .alloc = counting_alloc,
                               .free = counting_free,
                               .alloc_user = count};
}

static trb_context *new_context(int64_t threads) {
  trb_context_options options = {.size = sizeof options, .threads = threads};
  trb_context *ctx = NULL;
  ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_OK);
  ck_assert_ptr_nonnull(ctx);
  return ctx;
}

/* ---- Making and ending ---- */

START_TEST(defaults_make_a_context) {
  trb_context *ctx = NULL;
  ck_assert_int_eq(trb_context_new(NULL, &ctx), TRB_OK);
  ck_assert_ptr_nonnull(ctx);
  ck_assert_str_eq(trb_context_error(ctx), "");
  ck_assert_int_eq(trb_context_isa(ctx), trb_context_isa(NULL));
  trb_context_free(ctx);
  trb_context_free(NULL);
  ck_assert_str_eq(trb_context_error(NULL), "");
}
END_TEST

/* The options are refused, with a text that begins with `text`, and nothing is allocated. */
static void check_refused(const trb_context_options *options, counter *count, const char *text) {
  char error[200];
  trb_context_options told = *options;
  told.error = error;
  if (told.error_bytes == 0) told.error_bytes = sizeof error;
  memset(error, 'x', sizeof error);
  trb_context *ctx = (trb_context *)&told;
  ck_assert_int_eq(trb_context_new(&told, &ctx), TRB_EINVAL);
  ck_assert_ptr_null(ctx);
  ck_assert_int_eq(count->calls, 0);
  if (told.error_bytes > 0) {
    ck_assert_msg(strncmp(error, text, strlen(text)) == 0, "\"%s\" does not begin with \"%s\"", error, text);
  } else {
    ck_assert_int_eq(error[0], 'x');
  }
  ctx = (trb_context *)&told;
  ck_assert_int_eq(trb_context_new(options, &ctx), TRB_EINVAL);
  ck_assert_ptr_null(ctx);
}

START_TEST(options_are_checked) {
  counter count;
  trb_context_options options = counted(&count, -1);
  check_refused(&options, &count, "options->threads: expected 0 to 1024, got -1");
  options = counted(&count, 1025);
  check_refused(&options, &count, "options->threads: expected 0 to 1024, got 1025");
  options = counted(&count, INT64_MIN);
  check_refused(&options, &count, "options->threads:");
  options = counted(&count, 2);
  options.alloc = NULL;
  check_refused(&options, &count, "options->alloc: expected a function, because options->free is set");
  options = counted(&count, 2);
  options.free = NULL;
  check_refused(&options, &count, "options->free: expected a function, because options->alloc is set");
  options = counted(&count, 2);
  options.reserved = 1;
  check_refused(&options, &count, "options->reserved: expected 0, got 1");
  options = counted(&count, 2);
  options.isa = 5;
  check_refused(&options, &count, "options->isa: expected TRB_ISA_*, got 5");
  options.isa = -1;
  check_refused(&options, &count, "options->isa: expected TRB_ISA_*, got -1");
  options = counted(&count, 2);
  options.error_bytes = -1;
  check_refused(&options, &count, "");
}
END_TEST

START_TEST(null_out_is_refused) {
  counter count;
  char error[100] = "";
  trb_context_options options = counted(&count, 2);
  options.error = error;
  options.error_bytes = sizeof error;
  ck_assert_int_eq(trb_context_new(&options, NULL), TRB_EINVAL);
  ck_assert_str_eq(error, "out: expected a pointer, got NULL");
  ck_assert_int_eq(trb_context_new(NULL, NULL), TRB_EINVAL);
  ck_assert_int_eq(count.calls, 0);
}
END_TEST

START_TEST(error_text_is_cut_to_fit) {
  static const char full[] = "options->threads: expected 0 to 1024, got -1";
  for (int64_t bytes = 0; bytes < (int64_t)sizeof full + 3; bytes++) {
    char error[sizeof full + 8];
    memset(error, 'x', sizeof error);
    trb_context_options options = {.size = sizeof options, .threads = -1, .error = error, .error_bytes = bytes};
    trb_context *ctx;
    ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_EINVAL);
    size_t kept = bytes == 0 ? 0 : (size_t)bytes - 1;
    if (kept > sizeof full - 1) kept = sizeof full - 1;
    ck_assert_mem_eq(error, full, kept);
    ck_assert_int_eq(error[kept], bytes == 0 ? 'x' : '\0');
    ck_assert_int_eq(error[kept + 1], 'x');
  }
}
END_TEST

START_TEST(structs_of_other_ages_are_read) {
  char error[100];
  struct {
    trb_context_options known;
    unsigned char later[16];
  } s = {.known = {.size = sizeof s, .threads = 2, .error = error, .error_bytes = sizeof error}};
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&s.known, &ctx), TRB_OK);
  trb_context_free(ctx);
  ck_assert_str_eq(error, "");
  s.later[15] = 1;
  ck_assert_int_eq(trb_context_new(&s.known, &ctx), TRB_EINVAL);
  ck_assert_ptr_null(ctx);
  ck_assert_int_eq(strncmp(error, "options: expected 0 beyond", 26), 0);
  static const size_t bad[] = {0, 8, sizeof(trb_context_options) - 1, SIZE_MAX};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    s.known.size = bad[i];
    ctx = (trb_context *)&s;
    ck_assert_int_eq(trb_context_new(&s.known, &ctx), TRB_EINVAL);
    ck_assert_ptr_null(ctx);
  }
}
END_TEST

START_TEST(instruction_sets_are_had_or_refused) {
  int best = TRB_ISA_AUTO;
  for (int32_t isa = TRB_ISA_AUTO; isa <= TRB_ISA_NEON; isa++) {
    char error[100] = "";
    trb_context_options options = {.size = sizeof options, .isa = isa, .error = error, .error_bytes = sizeof error};
    trb_context *ctx;
    if (trb_context_new(&options, &ctx) == TRB_OK) {
      if (isa != TRB_ISA_AUTO) {
        ck_assert_int_eq(trb_context_isa(ctx), isa);
        best = isa;
      }
      ck_assert_ptr_eq(trbi_kernels_of(ctx), trbi_kernels_find(isa));
      trb_context_free(ctx);
    } else {
      ck_assert_ptr_null(trbi_kernels_find(isa));
      ck_assert_int_eq(strncmp(error, "options->isa: expected one that this machine", 44), 0);
    }
  }
  ck_assert_int_eq(trb_context_isa(NULL), best); /* they are numbered upward on every architecture */
}
END_TEST

START_TEST(every_allocation_may_fail) {
  int64_t failures = 0;
  for (trb_status status = TRB_ENOMEM; status == TRB_ENOMEM; failures++) {
    counter count;
    char error[100] = "";
    trb_context_options options = counted(&count, 4);
    options.error = error;
    options.error_bytes = sizeof error;
    count.fail_at = failures;
    trb_context *ctx = (trb_context *)&options;
    status = trb_context_new(&options, &ctx);
    if (status == TRB_OK) {
      ck_assert_int_eq(count.calls, failures);
      ck_assert_int_eq(count.live, failures);
      trb_context_free(ctx);
    } else {
      ck_assert_int_eq(status, TRB_ENOMEM);
      ck_assert_ptr_null(ctx);
      ck_assert_int_eq(strncmp(error, "alloc: no ", 10), 0);
    }
    ck_assert_int_eq(count.live, 0);
  }
  ck_assert_int_eq(failures - 1, 2); /* the context and its pool */
}
END_TEST

START_TEST(errors_are_noted_and_cut) {
  trb_context *ctx = new_context(1);
  ck_assert_int_eq(trbi_fail(ctx, TRB_EROWS, "row %d", 7), TRB_EROWS);
  ck_assert_str_eq(trb_context_error(ctx), "row 7");
  ck_assert_int_eq(trbi_fail(ctx, TRB_EINVAL, "%1000d", 1), TRB_EINVAL);
  ck_assert_uint_eq(strlen(trb_context_error(ctx)), sizeof ctx->error - 1);
  ck_assert_int_eq(trbi_fail(NULL, TRB_EINVAL, "nobody reads this"), TRB_EINVAL);
  trb_context_free(ctx);
}
END_TEST

/* ---- Rows ---- */

enum { MOST_ROWS = 1000 };

typedef struct tally {
  int visits[MOST_ROWS];
  _Atomic int64_t total;
} tally;

static void visit(void *job, int64_t row) {
  tally *all = job;
  all->visits[row]++; /* not atomic: a row that two threads visit is a race for ThreadSanitizer to see */
  atomic_fetch_add(&all->total, 1);
}

static void check_rows_once(trb_context *ctx) {
  static const int64_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 16, 17, 63, 64, 65, 999, MOST_ROWS};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    tally all = {{0}, 0};
    ck_assert_int_eq(trbi_each_row(ctx, sizes[i], visit, &all), TRB_OK);
    for (int64_t r = 0; r < MOST_ROWS; r++) ck_assert_int_eq(all.visits[r], r < sizes[i]);
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
    ck_assert_int_eq(pthread_create(&threads[i], NULL, run_piece, &pieces[i]), 0);
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
  trb_context *ctx = new_context(3);
  for (int again = 0; again < 10; again++) {
    tally all = {{0}, 0};
    trbi_each_row(ctx, MOST_ROWS, visit, &all);
    trbi_each_row(NULL, MOST_ROWS, visit, &all);
    for (int64_t r = 0; r < MOST_ROWS; r++) {
      if (all.visits[r] != 2) return "a row was not visited twice";
    }
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
  _Atomic int64_t waiting;
  _Atomic int64_t deaf;        /* helpers that block SIGINT, SIGTERM, SIGUSR1 and SIGPROF but not SIGSEGV */
  _Atomic int64_t odd_modes;   /* rows that saw other than the default floating-point environment */
  _Atomic int64_t stack_bytes; /* what was touched of every stack */
} survey;

/* Waits until two threads are in, so that a helper is known to take part. */
static void meet(survey *all) {
  atomic_fetch_add(&all->waiting, 1);
  while (atomic_load(&all->waiting) < 2) sched_yield();
}

static void look_at_signals(void *job, int64_t row) {
  (void)row;
  survey *all = job;
  meet(all);
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
  trb_context *ctx = new_context(2);
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
  meet(all);
  for (size_t i = 0; i < sizeof stack; i += 512) stack[i] = (unsigned char)row;
  atomic_fetch_add(&all->stack_bytes, (int64_t)sizeof stack + stack[512] - (unsigned char)row);
}

START_TEST(helpers_have_stack) {
  trb_context *ctx = new_context(2);
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
  if (all->waiting < 2) meet(all);
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
  trb_context *ctx = new_context(2);
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

/* ---- fork() ---- */

/* Ends a child of a test: none of the parent's exit handlers, but its share of a coverage measurement. */
#if defined(__ELF__)
extern void __gcov_dump(void) __attribute__((weak));
#endif
static void leave(int status) {
#if defined(__ELF__)
  if (__gcov_dump) __gcov_dump();
#endif
  _exit(status);
}

static int wait_for(pid_t child) {
  int status = -1;
  ck_assert_int_gt(child, 0);
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

/* 0, or what is wrong with a context. Makes no assertion: a child reports by its exit status. */
static int use(trb_context *ctx) {
  for (int again = 0; again < 5; again++) {
    tally all = {{0}, 0};
    if (trbi_each_row(ctx, MOST_ROWS, visit, &all) != TRB_OK) return 1;
    for (int64_t r = 0; r < MOST_ROWS; r++) {
      if (all.visits[r] != 1) return 2;
    }
  }
  return 0;
}

START_TEST(child_goes_on_with_its_copy) {
  counter count;
  trb_context_options options = counted(&count, 4);
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_OK);
  ck_assert_int_eq(use(ctx), 0);
  pid_t child = fork();
  if (child == 0) {
    int wrong = use(ctx);
    pid_t grandchild = fork();
    if (grandchild == 0) leave(use(ctx));
    int status;
    waitpid(grandchild, &status, 0);
    if (status != 0) wrong = 3;
    if (wrong == 0) wrong = use(ctx);
    if (count.calls != 2) wrong = 4; /* handles lie in the memory that was there */
    trb_context_free(ctx);
    leave(wrong != 0 ? wrong : (int)count.live);
  }
  ck_assert_int_eq(use(ctx), 0);
  ck_assert_int_eq(wait_for(child), 0);
  ck_assert_int_eq(use(ctx), 0);
  trb_context_free(ctx);
  ck_assert_int_eq(count.live, 0);
}
END_TEST

START_TEST(child_may_free_its_copy_unused) {
  counter count;
  trb_context_options options = counted(&count, 4);
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_OK);
  pid_t child = fork();
  if (child == 0) {
    trb_context_free(ctx);
    leave((int)count.live);
  }
  ck_assert_int_eq(wait_for(child), 0);
  ck_assert_int_eq(use(ctx), 0);
  trb_context_free(ctx);
  ck_assert_int_eq(count.live, 0);
}
END_TEST

/* ---- A system that refuses threads ---- */

#if defined(__linux__)

/* The user may have `most` threads; root, who is exempt, becomes a user that has this process only. Whether it could be
 * done; undone by allow_threads. */
static struct rlimit allowed;
static bool limit_threads(rlim_t most) {
  bool root = geteuid() == 0;
  if (getrlimit(RLIMIT_NPROC, &allowed) != 0) return false;
  if (root && setresuid(64321, 64321, 0) != 0) return false;
  struct rlimit few = {most, allowed.rlim_max};
  return setrlimit(RLIMIT_NPROC, &few) == 0;
}

static void allow_threads(void) {
  setrlimit(RLIMIT_NPROC, &allowed);
  uid_t real, effective, saved;
  if (getresuid(&real, &effective, &saved) == 0 && saved == 0) ck_assert_int_eq(setresuid(0, 0, 0), 0);
}

/* Each limit lets one more helper start before the system refuses. Some kernels and emulators know no such limit. */
START_TEST(every_thread_may_fail_to_start) {
  int64_t failures = 0, most = 12;
  trb_status status = TRB_ENOMEM;
  for (rlim_t limit = 1; status == TRB_ENOMEM && limit <= (rlim_t)most; limit++) {
    counter count;
    char error[100] = "";
    trb_context_options options = counted(&count, 5);
    options.error = error;
    options.error_bytes = sizeof error;
    trb_context *ctx = (trb_context *)&options;
    bool limited = limit_threads(limit);
    status = limited ? trb_context_new(&options, &ctx) : TRB_OK;
    allow_threads();
    if (!limited) return;
    if (status == TRB_OK) {
      trb_context_free(ctx);
    } else {
      failures++;
      ck_assert_int_eq(status, TRB_ENOMEM);
      ck_assert_ptr_null(ctx);
      ck_assert_int_eq(count.calls, 2);
      ck_assert_str_eq(error, "options->threads: the system refused to start 4 of them");
    }
    ck_assert_int_eq(count.live, 0);
  }
  ck_assert(failures == 0 || failures == most || failures >= 3);
}
END_TEST

static int use_without_threads(trb_context *ctx) {
  tally all = {{0}, 0};
  if (!limit_threads(1)) return 0;
  trb_status status = trbi_each_row(ctx, MOST_ROWS, visit, &all);
  trb_status again = trbi_each_row(ctx, MOST_ROWS, visit, &all);
  int64_t ran = atomic_load(&all.total);
  trb_status one = trbi_each_row(ctx, 1, visit, &all);
  allow_threads();
  if (status == TRB_OK && again == TRB_OK) return 0; /* no such limit here */
  if (status != TRB_ENOMEM || again != TRB_ENOMEM || ran != 0) return 10;
  if (one != TRB_OK || atomic_load(&all.total) != 1) return 11; /* what needs no thread still works */
  return strncmp(trb_context_error(ctx), "ctx: its 3 threads, lost in fork()", 34) == 0 ? 0 : 12;
}

START_TEST(child_without_threads_runs_nothing) {
  trb_context *ctx = new_context(4);
  for (int then_use = 0; then_use < 2; then_use++) {
    pid_t child = fork();
    if (child == 0) {
      int wrong = use_without_threads(ctx);
      if (wrong == 0 && then_use) wrong = use(ctx); /* they can be had again */
      trb_context_free(ctx);
      leave(wrong);
    }
    ck_assert_int_eq(wait_for(child), 0);
  }
  ck_assert_int_eq(use(ctx), 0);
  trb_context_free(ctx);
}
END_TEST

#endif

static void add_fork_tests(Suite *suite) {
  TCase *forks = tcase_create("fork");
  tcase_add_test(forks, child_goes_on_with_its_copy);
  tcase_add_test(forks, child_may_free_its_copy_unused);
#if defined(__linux__)
  tcase_add_test(forks, every_thread_may_fail_to_start);
  tcase_add_test(forks, child_without_threads_runs_nothing);
#endif
  suite_add_tcase(suite, forks);
}

Suite *context_suite(void) {
  Suite *suite = suite_create("context");
  TCase *making = tcase_create("making");
  tcase_add_test(making, defaults_make_a_context);
  tcase_add_test(making, options_are_checked);
  tcase_add_test(making, null_out_is_refused);
  tcase_add_test(making, error_text_is_cut_to_fit);
  tcase_add_test(making, structs_of_other_ages_are_read);
  tcase_add_test(making, instruction_sets_are_had_or_refused);
  tcase_add_test(making, every_allocation_may_fail);
  tcase_add_test(making, errors_are_noted_and_cut);
  suite_add_tcase(suite, making);
  TCase *rows = tcase_create("rows");
  const int counts = (int)(sizeof thread_counts / sizeof thread_counts[0]);
  tcase_add_loop_test(rows, pool_visits_each_row_once, 0, counts);
  tcase_add_loop_test(rows, parallel_for_visits_each_row_once, 0, counts);
  tcase_add_test(rows, contexts_are_independent);
  tcase_add_test(rows, helpers_leave_signals_alone);
  tcase_add_test(rows, helpers_have_stack);
  tcase_add_test(rows, modes_of_the_caller_do_not_reach_rows);
  suite_add_tcase(suite, rows);
  add_fork_tests(suite);
  return suite;
}
