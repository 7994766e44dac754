/* core.h - what every file of the library shares: the context, errors, argument checks, one loop over rows.
 *
 * Names that begin with trbi_ are internal: hidden in the shared library, out of the way in the static one. */
#ifndef TRBI_CORE_H
#define TRBI_CORE_H

#include <stdbool.h>

#include "trb.h"

struct trbi_kernels; /* rows.h */
struct trbi_pool;    /* threads.c */

/* Where memory comes from; what outlives a context keeps a copy. */
typedef struct trbi_allocator {
  trb_alloc_fn alloc;
  trb_free_fn free;
  void *user;
} trbi_allocator;

enum { TRBI_TEXT = 320 };

struct trb_context {
  const struct trbi_kernels *kernels;
  int64_t threads; /* >= 1 */
  trb_parallel_for_fn parallel_for;
  void *parallel_user;
  struct trbi_pool *pool; /* NULL with one thread or the caller's parallel_for */
  trbi_allocator memory;
  char error[TRBI_TEXT];
};

/* ---- Errors ---- */

/* Notes the text in the context, if there is one, and returns the status. */
trb_status trbi_fail(trb_context *ctx, trb_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The text of an error, to be put back: for calls within a call whose failures are not the caller's. NULL has none. */
typedef struct trbi_text {
  char text[TRBI_TEXT];
} trbi_text;

trbi_text trbi_save_text(const trb_context *ctx);
void trbi_restore_text(trb_context *ctx, const trbi_text *text);

/* The size of a struct that ends with this field: what an options struct was when its last first-version field was new.
 */
#define TRBI_SIZE_TO(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

/* Copies a caller's options struct of any age into `known`, which is zeroed first. `given` may be NULL. `oldest` is the
 * size of the first published version. */
trb_status trbi_read_options(trb_context *ctx, const char *name, const void *given, void *known, size_t known_size,
                             size_t oldest);

/* A struct of the caller's, of any age, that a call fills: checks its size; fills what the caller knows of it. */
trb_status trbi_check_record(trb_context *ctx, const char *name, const void *out, size_t oldest);
void trbi_fill_record(void *out, void *known, size_t known_size);

/* Puts the place of an options struct in front of the text of an error in it. Returns the status. */
trb_status trbi_fail_within(trb_context *ctx, trb_status status, const char *place);

/* ---- Memory (memory.c) ---- */

/* The context's allocator; malloc for NULL. */
trbi_allocator trbi_allocator_of(const trb_context *ctx);

/* An array that wants memory: `at` is the address of the pointer to it. */
typedef struct trbi_array {
  void *at;
  int64_t count; /* >= 0 */
  size_t size;   /* of one element */
} trbi_array;

/* Takes one block for all of the arrays, each aligned to 64 bytes, and sets their pointers. Returns the block, for
 * memory->free, or NULL with TRB_ENOMEM noted; sizes that overflow are memory that there is not. */
void *trbi_take_arrays(trb_context *ctx, const trbi_allocator *memory, const trbi_array *arrays, int n);

/* ---- Arguments ---- */

/* A block of memory that a call writes or reads, for the overlap check. */
typedef struct trbi_span {
  const char *name;
  const void *data;
  size_t bytes; /* 0: nothing there */
} trbi_span;

int64_t trbi_element_bytes(int32_t dtype);

/* The contract of one view alone, as trb_logits states it. NULL is an error. */
trb_status trbi_check_view(trb_context *ctx, const char *name, const trb_logits *view);

/* Both models' views and their row counts. *teacher NULL is an error unless `lone_student`. */
trb_status trbi_check_models(trb_context *ctx, const trb_logits *student, const trb_logits *teacher, bool lone_student);

/* An output view against the row count and the models: same buffer or no shared element. The teacher may be NULL. */
trb_status trbi_check_output(trb_context *ctx, const char *name, const trb_logits *out, int64_t least_vocab,
                             const trb_logits *student, const trb_logits *teacher);

/* No span that is written (the first `written` ones) shares a byte with any other span. */
trb_status trbi_check_spans(trb_context *ctx, const trbi_span *spans, int n, int written);

/* The bytes between the first and the last element of a view. */
trbi_span trbi_view_span(const char *name, const trb_logits *view);

/* rows * size bytes at data; 0 bytes if data is NULL. */
trbi_span trbi_array_span(const char *name, const void *data, int64_t rows, size_t size);

/* Tokens that both models have. */
static inline int64_t trbi_common_vocab(const trb_logits *student, const trb_logits *teacher) {
  return student->vocab < teacher->vocab ? student->vocab : teacher->vocab;
}

/* Temperature with its default. */
static inline double trbi_temperature(const trb_logits *view) {
  return view->temperature == 0.0f ? 1.0 : (double)view->temperature;
}

/* ---- Rows ---- */

typedef void (*trbi_row_fn)(void *job, int64_t row);

/* Runs fn(job, row) for every row, on the context's threads. TRB_ENOMEM if threads lost in a fork cannot be restarted;
 * then nothing ran. */
trb_status trbi_each_row(trb_context *ctx, int64_t rows, trbi_row_fn fn, void *job);

/* The row kernels of a context or of NULL. */
const struct trbi_kernels *trbi_kernels_of(const trb_context *ctx);

/* Who works on a call: the context's threads take rows, or, where rows are few and long, parts of each row. */
typedef struct trbi_crew {
  const struct trbi_kernels *kernels;
  trb_context *rows, *parts; /* whose threads; NULL: the thread that is there does it all */
} trbi_crew;

trbi_crew trbi_crew_of(trb_context *ctx, int64_t rows, int64_t vocab);

/* trbi_each_row as the crew has it. */
trb_status trbi_crew_rows(trb_context *ctx, const trbi_crew *crew, int64_t rows, trbi_row_fn fn, void *job);

/* ---- Threads (threads.c) ---- */

struct trbi_pool *trbi_pool_new(trb_context *ctx, int64_t helpers); /* NULL: no memory or no thread */
void trbi_pool_free(trb_context *ctx, struct trbi_pool *pool);
/* Restarts threads that a fork left behind; false if the system refuses. */
bool trbi_pool_ready(struct trbi_pool *pool);
/* A trb_parallel_for_fn, for a pool that is ready. */
void trbi_pool_run(struct trbi_pool *pool, int64_t n, trb_task_fn fn, void *task);

#endif
