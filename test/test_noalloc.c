/* test_noalloc.c - once a context exists, no call allocates, and none uses more than 64 KiB of stack.
 *
 * Allocations are counted in three ways: by the context's own allocator, by wrappers around the process's allocator
 * that are defined here, and, where a sanitizer owns the allocator, by the sanitizer's hooks. TRB_TEST_NO_WRAPPERS
 * leaves the wrappers out, for static linking. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* RTLD_NEXT */
#endif
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"
#include "common.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

static _Atomic int64_t allocations;

#if defined(SANITIZED)

enum { WARM_UP = 1 }; /* a sanitizer allocates when a thread starts */

int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));

static void count_malloc(const volatile void *memory, size_t bytes) {
  (void)memory;
  (void)bytes;
  allocations++;
}

static void count_free(const volatile void *memory) {
  (void)memory;
}

static void start_counting(void) {
  static bool started;
  if (!started) ck_assert_int_ne(__sanitizer_install_malloc_and_free_hooks(count_malloc, count_free), 0);
  started = true;
}

#elif defined(__linux__) && !defined(TRB_TEST_NO_WRAPPERS)

#include <dlfcn.h>

/* dlsym may itself ask for memory before the real allocator is known: a few bytes from here, never given back. */
static _Alignas(64) char early[4096];
static size_t early_used;

static void *early_memory(size_t bytes) {
  size_t from = (early_used + 63) / 64 * 64;
  if (bytes > sizeof early - from) abort();
  early_used = from + bytes;
  return early + from;
}

static bool is_early(const void *memory) {
  return (const char *)memory >= early && (const char *)memory < early + sizeof early;
}

/* The next definition of a function after this one. */
static void *next(const char *name) {
  static _Thread_local bool looking;
  if (looking) return NULL;
  looking = true;
  void *symbol = dlsym(RTLD_NEXT, name);
  looking = false;
  return symbol;
}

#define NEXT(type, variable, name)                                                                                     \
  static _Atomic(void *) variable;                                                                                     \
  if (!variable) variable = next(name);                                                                                \
  type function;                                                                                                       \
  void *found = variable;                                                                                              \
  memcpy(&function, &found, sizeof function)

void *malloc(size_t bytes) {
  typedef void *(*malloc_fn)(size_t);
  NEXT(malloc_fn, real, "malloc");
  allocations++;
  return function ? function(bytes) : early_memory(bytes);
}

void *calloc(size_t n, size_t bytes) {
  typedef void *(*calloc_fn)(size_t, size_t);
  NEXT(calloc_fn, real, "calloc");
  allocations++;
  return function ? function(n, bytes) : early_memory(n * bytes);
}

void *realloc(void *memory, size_t bytes) {
  typedef void *(*realloc_fn)(void *, size_t);
  NEXT(realloc_fn, real, "realloc");
  allocations++;
  return function ? function(memory, bytes) : early_memory(bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
  typedef void *(*aligned_fn)(size_t, size_t);
  NEXT(aligned_fn, real, "aligned_alloc");
  allocations++;
  return function ? function(alignment, bytes) : NULL;
}

int posix_memalign(void **memory, size_t alignment, size_t bytes) {
  typedef int (*memalign_fn)(void **, size_t, size_t);
  NEXT(memalign_fn, real, "posix_memalign");
  allocations++;
  return function ? function(memory, alignment, bytes) : 12;
}

void free(void *memory) {
  typedef void (*free_fn)(void *);
  NEXT(free_fn, real, "free");
  if (function && !is_early(memory)) function(memory);
}

static void start_counting(void) {}

#else
#define NO_WRAPPERS 1
static void start_counting(void) {}
#endif

#if !defined(SANITIZED)
enum { WARM_UP = 0 };
#endif

/* ---- Everything that computes ---- */

enum { ROWS = 12, VOCAB = 3000, K = 16, CALLS = 20 };

typedef struct world {
  models m;
  matrix out;
  double budget[ROWS], loss[ROWS];
  trb_blend blend[ROWS];
  trb_draw draw[ROWS];
  trb_loss_row row[ROWS];
  trb_term term[ROWS];
  trb_verdict verdict[ROWS];
  trb_sparse_blend listed[ROWS];
  float log_q[ROWS * K];
  int64_t token[ROWS], offset[ROWS + 1], ids[ROWS * K];
} world;

static void world_make(world *w, int32_t dtype) {
  rng g = {0xA110C};
  w->m = models_random(&g, FAMILY_CORRELATED, ROWS, VOCAB, dtype);
  w->offset[0] = 0;
  matrix_set(&w->m.s, 5, 7, (double)NAN); /* a bad row has its text */
  w->out = matrix_new(ROWS, VOCAB, 0, dtype, 0.0f);
  for (int64_t r = 0; r < ROWS; r++) {
    w->budget[r] = 0.01;
    w->token[r] = r;
    w->offset[r + 1] = r + 1;
    for (int64_t i = 0; i < K; i++) w->ids[r * K + i] = i * 100 + r;
    for (int64_t i = 0; i < K; i++) w->log_q[r * K + i] = -3.5f;
  }
}

static void world_free(world *w) {
  models_free(&w->m);
  matrix_free(&w->out);
}

static trb_status call_number(int i, trb_context *ctx, world *w) {
  const trb_logits *s = &w->m.s.view, *t = &w->m.t.view, *out = &w->out.view;
  trb_solve_options bisection = {sizeof bisection, 0, TRB_METHOD_BISECTION, 0};
  trb_sampler sampler = {sizeof sampler, 1, NULL, NULL, i % 2 ? 100 : 0, 0.9, 0.001, 0, 0};
  trb_loss_options loss = {sizeof loss, i - 4, i - 5, i > 5 ? K : 0, i == 8 ? w->ids : NULL};
  trb_divergence_options divergence = {sizeof divergence, 0, i - 9, 0};
  const trb_texts proposals = {w->token, w->offset, ROWS};
  trb_verify_options verify = {sizeof verify, NULL, i == 15 ? &sampler : NULL, 0, 0};
  const trb_sparse lists = {w->ids, w->log_q, NULL, K, 0.0};
  trb_term_options nll = {sizeof nll, 0, 0, 0, TRB_ESTIMATOR_NLL, 0};
  switch (i) {
  case 0:
    return trb_solve(ctx, s, t, w->budget, ROWS, &bisection, w->blend);
  case 1:
    return trb_solve(ctx, s, t, w->budget, ROWS, NULL, w->blend);
  case 2:
    return trb_write_blend(ctx, s, t, w->blend, out);
  case 3:
    return trb_sample(ctx, s, t, w->blend, &sampler, w->draw);
  case 4:
    return trb_sample(ctx, s, t, w->blend, &sampler, w->draw);
  case 9:
  case 10:
    return trb_divergence(ctx, s, t, NULL, &divergence, w->loss, out, w->row);
  case 11:
    return trb_token_terms(ctx, s, t, w->token, NULL, NULL, NULL, w->term, out);
  case 12:
    return trb_token_terms(ctx, s, NULL, w->token, NULL, NULL, &nll, w->term, out);
  case 13:
    return trb_entropy(ctx, s, w->loss);
  case 14:
  case 15:
    return trb_verify(ctx, s, t, &proposals, w->budget, ROWS, &verify, w->blend, w->verdict);
  case 16:
    return trb_solve_sparse(ctx, s, &lists, w->budget, ROWS, NULL, w->listed);
  case 17:
  case 18:
    return trb_sample_sparse(ctx, s, &lists, w->listed, i == 17 ? NULL : &sampler, w->draw);
  case 19:
    return trb_reverse_kl_sparse(ctx, s, &lists, NULL, NULL, w->loss, out, w->row);
  default:
    return trb_reverse_kl(ctx, s, t, NULL, &loss, w->loss, out, w->row);
  }
}

/* ---- Allocations ---- */

static _Atomic int64_t own_allocations;

static void *own_alloc(size_t bytes, void *user) {
  (void)user;
  own_allocations++;
  return malloc(bytes);
}

static void own_free(void *memory, void *user) {
  (void)user;
  free(memory);
}

static trb_context *counting_context(int64_t threads) {
  trb_context_options o = {0};
  o.size = sizeof o;
  o.threads = threads;
  o.alloc = own_alloc;
  o.free = own_free;
  trb_context *ctx = NULL;
  ck_assert_int_eq(trb_context_new(&o, &ctx), TRB_OK);
  return ctx;
}

START_TEST(test_counters_count) {
  start_counting();
  int64_t before = allocations;
  void *volatile memory = malloc(10);
  free(memory);
#if !defined(NO_WRAPPERS)
  ck_assert_int_gt(allocations, before);
#endif
  before = own_allocations;
  trb_context_free(counting_context(1));
  ck_assert_int_gt(own_allocations, before);
}
END_TEST

/* Loop test over the element types: no context, one thread, three threads. */
START_TEST(test_no_allocation) {
  start_counting();
  world *w = malloc(sizeof *w);
  if (!w) abort();
  world_make(w, _i);
  for (int64_t threads = 0; threads <= 3; threads += threads ? 2 : 1) {
    trb_context *ctx = threads ? counting_context(threads) : NULL;
    for (int round = 0; round < 2 + WARM_UP; round++) {
      for (int i = 0; i < CALLS; i++) {
        int64_t before = allocations, own_before = own_allocations;
        trb_status status = call_number(i, ctx, w);
        int64_t after = allocations, own_after = own_allocations;
        ck_assert_msg(status == TRB_EROWS, "call %d: status %d", i, status);
        ck_assert_msg(round < WARM_UP || (after == before && own_after == own_before),
                      "call %d with %d threads allocated %d times", i, (int)threads,
                      (int)(after - before + own_after - own_before));
      }
    }
    trb_context_free(ctx);
  }
  world_free(w);
  free(w);
}
END_TEST

/* An error allocates nothing either. */
START_TEST(test_errors_do_not_allocate) {
  start_counting();
  world *w = malloc(sizeof *w);
  if (!w) abort();
  world_make(w, TRB_F32);
  trb_context *ctx = counting_context(1);
  w->budget[3] = -1.0;
  int64_t before = allocations;
  trb_status status = trb_solve(ctx, &w->m.s.view, &w->m.t.view, w->budget, ROWS, NULL, w->blend);
  int64_t after = allocations;
  ck_assert_int_eq(status, TRB_EINVAL);
  ck_assert_int_eq(after, before);
  ck_assert_str_ne(trb_context_error(ctx), "");
  trb_context_free(ctx);
  world_free(w);
  free(w);
}
END_TEST

/* ---- Stack ---- */

#if !defined(SANITIZED) /* sanitizers put their own frames and shadows there */

enum { STACK = 1 << 20, PAINT = 0xC3, ALLOWED = 64 * 1024 };

typedef struct errand {
  world *w;
  trb_context *ctx;
  int call;
} errand;

static void *run_errand(void *p) {
  errand *e = p;
  if (e->call >= 0) (void)call_number(e->call, e->ctx, e->w);
  return NULL;
}

/* Bytes of a painted stack that a thread changed. */
static int64_t stack_used(errand *e) {
  void *memory = NULL;
  if (posix_memalign(&memory, 4096, STACK) != 0) abort();
  unsigned char *stack = memory;
  memset(stack, PAINT, STACK);
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  ck_assert_int_eq(pthread_attr_setstack(&attributes, stack, STACK), 0);
  ck_assert_int_eq(pthread_create(&thread, &attributes, run_errand, e), 0);
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
  int64_t untouched = 0;
  while (untouched < STACK && stack[untouched] == PAINT) untouched++;
  free(memory);
  return STACK - untouched;
}

START_TEST(test_stack) {
  world *w = malloc(sizeof *w);
  if (!w) abort();
  world_make(w, _i);
  for (int32_t isa = TRB_ISA_AUTO; isa <= TRB_ISA_NEON; isa++) {
    trb_context *ctx = context_with(1, isa);
    if (!ctx) continue;
    errand nothing = {w, ctx, -1};
    int64_t empty = stack_used(&nothing);
    for (int i = 0; i < CALLS; i++) {
      errand e = {w, ctx, i};
      int64_t used = stack_used(&e) - empty;
      ck_assert_msg(used <= ALLOWED, "call %d, ISA %d: %d bytes of stack", i, isa, (int)used);
    }
    trb_context_free(ctx);
  }
  world_free(w);
  free(w);
}
END_TEST

#endif

Suite *noalloc_suite(void) {
  Suite *suite = suite_create("noalloc");
  TCase *tc = long_case("noalloc");
  tcase_add_test(tc, test_counters_count);
  tcase_add_loop_test(tc, test_no_allocation, 0, 3);
  tcase_add_test(tc, test_errors_do_not_allocate);
#if !defined(SANITIZED)
  tcase_add_loop_test(tc, test_stack, 0, 3);
#endif
  suite_add_tcase(suite, tc);
  return suite;
}
