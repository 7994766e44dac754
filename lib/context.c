/* context.c - settings, and the loop over rows that every call runs through. */
#include <fenv.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "core.h"
#include "rows.h"

enum { MOST_THREADS = 1024, SLICES_PER_THREAD = 8 };
/* Tokens from which on a row is worth several threads. */
enum { LONG = 16384 };

const char *trb_context_error(const trb_context *ctx) {
  return ctx ? ctx->error : "";
}

/* ---- Making and ending ---- */

static const char *isa_name(int32_t isa) {
  static const char *const names[] = {"TRB_ISA_AUTO", "TRB_ISA_SCALAR", "TRB_ISA_AVX2", "TRB_ISA_AVX512",
                                      "TRB_ISA_NEON"};
  return isa >= TRB_ISA_AUTO && isa <= TRB_ISA_NEON ? names[isa] : NULL;
}

static trb_status find_kernels(trb_context *draft, int32_t isa) {
  const char *name = isa_name(isa);
  if (!name) return trbi_fail(draft, TRB_EINVAL, "options->isa: expected TRB_ISA_*, got %" PRId32, isa);
  draft->kernels = trbi_kernels_find(isa);
  if (draft->kernels) return TRB_OK;
  return trbi_fail(draft, TRB_EINVAL, "options->isa: expected one that this machine and build have, got %s", name);
}

/* Settings of a context that has neither memory nor threads yet. */
static trb_status read_settings(trb_context *draft, const trb_context_options *options, trb_context **out) {
  if (!out) return trbi_fail(draft, TRB_EINVAL, "out: expected a pointer, got NULL");
  if (options->threads < 0 || options->threads > MOST_THREADS) {
    return trbi_fail(draft, TRB_EINVAL, "options->threads: expected 0 to %d, got %" PRId64, (int)MOST_THREADS,
                     options->threads);
  }
  if (!options->alloc != !options->free) {
    return trbi_fail(draft, TRB_EINVAL, "options->%s: expected a function, because options->%s is set, got NULL",
                     options->alloc ? "free" : "alloc", options->alloc ? "alloc" : "free");
  }
  if (options->reserved != 0) {
    return trbi_fail(draft, TRB_EINVAL, "options->reserved: expected 0, got %" PRId32, options->reserved);
  }
  if (options->error_bytes < 0) {
    return trbi_fail(draft, TRB_EINVAL, "options->error_bytes: expected at least 0, got %" PRId64,
                     options->error_bytes);
  }
  draft->threads = options->threads == 0 ? 1 : options->threads;
  draft->parallel_for = options->parallel_for;
  draft->parallel_user = options->parallel_user;
  draft->memory =
      options->alloc ? (trbi_allocator){options->alloc, options->free, options->alloc_user} : trbi_allocator_of(NULL);
  return find_kernels(draft, options->isa);
}

static trb_status build(trb_context *draft, trb_context **out) {
  trb_context *ctx = draft->memory.alloc(sizeof *ctx, draft->memory.user);
  if (!ctx) return trbi_fail(draft, TRB_ENOMEM, "alloc: no %zu bytes for a context", sizeof *ctx);
  if (draft->threads > 1 && !draft->parallel_for) {
    draft->pool = trbi_pool_new(draft, draft->threads - 1);
    if (!draft->pool) {
      draft->memory.free(ctx, draft->memory.user);
      return TRB_ENOMEM;
    }
  }
  *ctx = *draft;
  *out = ctx;
  return TRB_OK;
}

/* Hands a text to the caller, cut to what fits. */
static void copy_error(const trb_context_options *options, const char *text) {
  if (!options->error || options->error_bytes <= 0) return;
  size_t length = strlen(text);
  size_t most = (size_t)options->error_bytes - 1;
  if (length > most) length = most;
  memcpy(options->error, text, length);
  options->error[length] = '\0';
}

trb_status trb_context_new(const trb_context_options *options, trb_context **out) {
  trb_context draft = {0};
  trb_context_options known;
  if (out) *out = NULL;
  trb_status status = trbi_read_options(&draft, "options", options, &known, sizeof known,
                                        TRBI_SIZE_TO(trb_context_options, error_bytes));
  if (status == TRB_OK) status = read_settings(&draft, &known, out);
  if (status == TRB_OK) status = build(&draft, out);
  copy_error(&known, draft.error);
  return status;
}

void trb_context_free(trb_context *ctx) {
  if (!ctx) return;
  if (ctx->pool) trbi_pool_free(ctx, ctx->pool);
  ctx->memory.free(ctx, ctx->memory.user);
}

const struct trbi_kernels *trbi_kernels_of(const trb_context *ctx) {
  return ctx ? ctx->kernels : trbi_kernels_find(TRB_ISA_AUTO);
}

int32_t trb_context_isa(const trb_context *ctx) {
  return trbi_kernels_of(ctx)->isa;
}

/* ---- Rows ---- */

/* A batch, of rows or of the parts of one, in contiguous slices whose lengths differ by one at most. */
typedef struct batch {
  trbi_row_fn fn;
  void *job;
  int64_t rows;
  int64_t slices;
} batch;

/* Runs in the default floating-point environment: rounding, flushing of subnormal numbers and traps belong to a thread,
 * and must not let the number of threads into the results. The caller's modes and flags come back untouched. */
static void run_slice(void *task, int64_t index) {
  const batch *all = task;
  int64_t least = all->rows / all->slices, longer = all->rows % all->slices;
  int64_t begin = index * least + (index < longer ? index : longer);
  int64_t end = begin + least + (index < longer);
  fenv_t callers;
  fegetenv(&callers);
  fesetenv(FE_DFL_ENV);
  for (int64_t row = begin; row < end; row++) all->fn(all->job, row);
  fesetenv(&callers);
}

static trb_status be_ready(trb_context *ctx) {
  if (ctx->pool == NULL || trbi_pool_ready(ctx->pool)) return TRB_OK;
  return trbi_fail(ctx, TRB_ENOMEM, "ctx: its %" PRId64 " threads, lost in fork(), could not be started again",
                   ctx->threads - 1);
}

trb_status trbi_each_row(trb_context *ctx, int64_t rows, trbi_row_fn fn, void *job) {
  batch all = {fn, job, rows, 1};
  if (rows == 0) return TRB_OK;
  if (!ctx || ctx->threads == 1 || rows == 1) {
    run_slice(&all, 0);
    return TRB_OK;
  }
  int64_t most = SLICES_PER_THREAD * ctx->threads;
  all.slices = rows < most ? rows : most;
  if (ctx->parallel_for) {
    ctx->parallel_for(all.slices, run_slice, &all, ctx->parallel_user);
    return TRB_OK;
  }
  const trb_status status = be_ready(ctx);
  if (status == TRB_OK) trbi_pool_run(ctx->pool, all.slices, run_slice, &all);
  return status;
}

trbi_crew trbi_crew_of(trb_context *ctx, int64_t rows, int64_t vocab) {
  const bool few = ctx != NULL && ctx->threads > 1 && 2 * rows <= ctx->threads && vocab >= LONG;
  return (trbi_crew){trbi_kernels_of(ctx), few ? NULL : ctx, few ? ctx : NULL};
}

trb_status trbi_crew_rows(trb_context *ctx, const trbi_crew *crew, int64_t rows, trbi_row_fn fn, void *job) {
  const trb_status status = crew->parts != NULL ? be_ready(ctx) : TRB_OK;
  return status == TRB_OK ? trbi_each_row(crew->rows, rows, fn, job) : status;
}
