/* memory.c - where memory comes from, and several arrays in one block. */
#include <stdlib.h>
#include <string.h>

#include "core.h"

enum { ALIGNMENT = 64 };

static void *default_alloc(size_t bytes, void *user) {
  (void)user;
  return malloc(bytes);
}

static void default_free(void *memory, void *user) {
  (void)user;
  free(memory);
}

trbi_allocator trbi_allocator_of(const trb_context *ctx) {
  return ctx != NULL ? ctx->memory : (trbi_allocator){default_alloc, default_free, NULL};
}

/* Bytes from one array's begin to the next one's; false if they overflow. */
static bool measure(const trbi_array *array, size_t *bytes) {
  if (__builtin_mul_overflow((size_t)array->count, array->size, bytes)) return false;
  if (__builtin_add_overflow(*bytes, ALIGNMENT - 1, bytes)) return false;
  *bytes = *bytes / ALIGNMENT * ALIGNMENT;
  return true;
}

void *trbi_take_arrays(trb_context *ctx, const trbi_allocator *memory, const trbi_array *arrays, int n) {
  size_t total = ALIGNMENT; /* an allocator aligns to less */
  for (int i = 0; i < n; i++) {
    size_t bytes;
    if (!measure(&arrays[i], &bytes) || __builtin_add_overflow(total, bytes, &total)) {
      trbi_fail(ctx, TRB_ENOMEM, "alloc: expected sizes that fit an address, got %lld elements of %zu bytes",
                (long long)arrays[i].count, arrays[i].size);
      return NULL;
    }
  }
  unsigned char *block = memory->alloc(total, memory->user);
  if (block == NULL) {
    trbi_fail(ctx, TRB_ENOMEM, "alloc: no %zu bytes", total);
    return NULL;
  }
  unsigned char *next = block + (ALIGNMENT - (uintptr_t)block % ALIGNMENT) % ALIGNMENT;
  for (int i = 0; i < n; i++) {
    size_t bytes;
    measure(&arrays[i], &bytes);
    memcpy(arrays[i].at, &next, sizeof next);
    next += bytes;
  }
  return block;
}
