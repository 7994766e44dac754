/* Contexts after fork(), and where the system refuses threads. */
#define _GNU_SOURCE /* setresuid */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "context_cases.h"
#include "core.h"
#include "counting.h"
#include "common.h"

/* gcc's ThreadSanitizer stops with "dup thread with used id" where a forked child starts threads. */
#if defined(__SANITIZE_THREAD__)
enum { CHILD_MAY_START_THREADS = 0 };
#else
enum { CHILD_MAY_START_THREADS = 1 };
#endif

/* A child must find no text to print when it ends. */
static pid_t fork_test(void) {
  fflush(NULL);
  return fork();
}

/* With exit() its share of a coverage measurement is kept; but a leak checker would look for the parent's threads. */
static _Noreturn void leave(int status) {
#if defined(__SANITIZE_ADDRESS__)
  _exit(status);
#else
  exit(status);
#endif
}

static int wait_for(pid_t child) {
  int status = -1;
  ck_assert_int_gt(child, 0);
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void meet_only(void *job, int64_t row) {
  (void)row;
  meet(job);
}

/* 0, or what is wrong with a context. Makes no assertion: a child reports by its exit status. */
static int use(trb_context *ctx) {
  meeting pair = {0, 0};
  if (trbi_each_row(ctx, 2, meet_only, &pair) != TRB_OK || atomic_load(&pair.alone) != 0) return 5;
  for (int again = 0; again < 5; again++) {
    tally all = {{0}, 0};
    if (trbi_each_row(ctx, MOST_ROWS, visit, &all) != TRB_OK) return 1;
    if (wrong_visits(&all, MOST_ROWS) != 0) return 2;
  }
  return 0;
}

START_TEST(child_goes_on_with_its_copy) {
  counter count;
  trb_context_options options = counted(&count, 4);
  trb_context *ctx;
  ck_assert_int_eq(trb_context_new(&options, &ctx), TRB_OK);
  ck_assert_int_eq(use(ctx), 0);
  pid_t child = fork_test();
  if (child == 0) {
    int wrong = use(ctx);
    pid_t grandchild = fork_test();
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
  pid_t child = fork_test();
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
  trb_context *ctx = context_with(4, TRB_ISA_AUTO);
  for (int then_use = 0; then_use < 2; then_use++) {
    pid_t child = fork_test();
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

TCase *fork_case(void) {
  TCase *forks = tcase_create("fork");
  tcase_add_test(forks, child_may_free_its_copy_unused);
  if (CHILD_MAY_START_THREADS) tcase_add_test(forks, child_goes_on_with_its_copy);
#if defined(__linux__)
  tcase_add_test(forks, every_thread_may_fail_to_start);
  if (CHILD_MAY_START_THREADS) tcase_add_test(forks, child_without_threads_runs_nothing);
#endif
  return forks;
}
