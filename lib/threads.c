/* threads.c - the context's own threads: helpers that sleep until a job comes, and the caller, who works too.
 *
 * One mutex guards everything. A job is `next < n`: whoever holds the mutex takes the next index. fork() leaves the
 * helpers behind, so each run compares the process id and starts them anew in the child. */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core.h"

/* Some twenty microseconds. */
enum { SPINS = 500 };

#define STACK_BYTES ((size_t)1024 * 1024) /* a call uses 64 KiB; thread-local data of every library lies there too */

struct trbi_pool {
  pthread_mutex_t lock;
  pthread_cond_t work; /* a job came, or the end */
  pthread_cond_t done; /* the last index of a job was worked */
  pid_t owner;         /* the process that has the helpers; 0: none has */
  bool quit;
  trb_task_fn fn;
  void *task;
  int64_t n;
  int64_t next;         /* the first index that nobody took */
  _Atomic int64_t left; /* indices not worked yet */
  _Atomic int64_t jobs; /* that came so far */
  int64_t helpers;
  int64_t running; /* helpers that were started */
  pthread_t threads[];
};

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Takes indices until none is left. Called and left with the lock held. */
static void work_off(struct trbi_pool *pool) {
  while (pool->next < pool->n) {
    trb_task_fn fn = pool->fn;
    void *task = pool->task;
    int64_t index = pool->next++;
    pthread_mutex_unlock(&pool->lock);
    fn(task, index);
    pthread_mutex_lock(&pool->lock);
    if (atomic_fetch_sub(&pool->left, 1) == 1) pthread_cond_signal(&pool->done);
  }
}

/* Looks out for another job for a while, without the lock: one follows another where parts of a row are worked, and to
 * fall asleep and be woken takes as long as a part does. */
static void await_job(struct trbi_pool *pool) {
  const int64_t seen = atomic_load(&pool->jobs);
  pthread_mutex_unlock(&pool->lock);
  for (int i = 0; i < SPINS && atomic_load(&pool->jobs) == seen; i++) relax();
  pthread_mutex_lock(&pool->lock);
}

static void *help(void *argument) {
  struct trbi_pool *pool = argument;
  pthread_mutex_lock(&pool->lock);
  while (!pool->quit) {
    if (pool->next < pool->n) {
      work_off(pool);
      await_job(pool);
    } else {
      pthread_cond_wait(&pool->work, &pool->lock);
    }
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

/* Starts helpers until there are enough or the system refuses. They inherit a mask that leaves the process's signals
 * to its own threads; faults of their own still reach the handlers of crash reporters. */
static void start_helpers(struct trbi_pool *pool) {
  static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) sigdelset(&blocked, faults[i]);

  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return;
  pthread_attr_setstacksize(&attributes, STACK_BYTES); /* where this is refused the default is larger */
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  while (pool->running < pool->helpers && pthread_create(&pool->threads[pool->running], &attributes, help, pool) == 0) {
    pool->running++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
}

/* Ends the helpers of this process. Those of a parent are not there, and what they left in the mutex says nothing. */
static void stop(struct trbi_pool *pool) {
  if (pool->owner != getpid()) return;
  pthread_mutex_lock(&pool->lock);
  pool->quit = true;
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->lock);
  while (pool->running > 0) pthread_join(pool->threads[--pool->running], NULL);
  pthread_cond_destroy(&pool->done);
  pthread_cond_destroy(&pool->work);
  pthread_mutex_destroy(&pool->lock);
  pool->owner = 0;
}

/* Makes a pool without helpers, whatever was in it before, and starts them: all or none. */
static bool start(struct trbi_pool *pool) {
  pool->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
  pool->work = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
  pool->done = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
  pool->owner = getpid();
  pool->quit = false;
  pool->n = pool->next = 0;
  atomic_store(&pool->left, 0);
  atomic_store(&pool->jobs, 0);
  pool->running = 0;
  start_helpers(pool);
  if (pool->running == pool->helpers) return true;
  stop(pool);
  return false;
}

struct trbi_pool *trbi_pool_new(trb_context *ctx, int64_t helpers) {
  size_t bytes = sizeof(struct trbi_pool) + (size_t)helpers * sizeof(pthread_t);
  struct trbi_pool *pool = ctx->memory.alloc(bytes, ctx->memory.user);
  if (!pool) {
    trbi_fail(ctx, TRB_ENOMEM, "alloc: no %zu bytes for %" PRId64 " threads", bytes, helpers);
    return NULL;
  }
  pool->helpers = helpers;
  if (start(pool)) return pool;
  trbi_fail(ctx, TRB_ENOMEM, "options->threads: the system refused to start %" PRId64 " of them", helpers);
  ctx->memory.free(pool, ctx->memory.user);
  return NULL;
}

void trbi_pool_free(trb_context *ctx, struct trbi_pool *pool) {
  stop(pool);
  ctx->memory.free(pool, ctx->memory.user);
}

bool trbi_pool_ready(struct trbi_pool *pool) {
  return pool->owner == getpid() || start(pool);
}

void trbi_pool_run(struct trbi_pool *pool, int64_t n, trb_task_fn fn, void *task) {
  pthread_mutex_lock(&pool->lock);
  pool->fn = fn;
  pool->task = task;
  pool->n = n;
  atomic_store(&pool->left, n);
  pool->next = 0;
  atomic_fetch_add(&pool->jobs, 1);
  for (int64_t i = 0; i < pool->helpers && i < n - 1; i++) pthread_cond_signal(&pool->work);
  work_off(pool);
  if (atomic_load(&pool->left) > 0) {
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < SPINS && atomic_load(&pool->left) > 0; i++) relax();
    pthread_mutex_lock(&pool->lock);
  }
  while (atomic_load(&pool->left) > 0) pthread_cond_wait(&pool->done, &pool->lock);
  pthread_mutex_unlock(&pool->lock);
}
