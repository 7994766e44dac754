/* check.c - the contracts of arguments: options of any age, views, and memory that must not be shared. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core.h"

enum { LARGEST_OPTIONS = 4096 }; /* no options struct will ever be larger: a bigger size was never set */

/* ---- Options ---- */

static trb_status read_size(trb_context *ctx, const char *name, const void *given, size_t oldest, size_t *size) {
  memcpy(size, given, sizeof *size);
  if (*size >= oldest && *size <= LARGEST_OPTIONS) return TRB_OK;
  return trbi_fail(ctx, TRB_EINVAL, "%s->size: expected sizeof the struct, %zu to %d, got %zu", name, oldest,
                   (int)LARGEST_OPTIONS, *size);
}

trb_status trbi_read_options(trb_context *ctx, const char *name, const void *given, void *known, size_t known_size,
                             size_t oldest) {
  memset(known, 0, known_size);
  if (!given) return TRB_OK;
  size_t size;
  const trb_status status = read_size(ctx, name, given, oldest, &size);
  if (status != TRB_OK) return status;
  memcpy(known, given, size < known_size ? size : known_size);
  const unsigned char *bytes = given;
  for (size_t i = known_size; i < size; i++) {
    if (bytes[i] != 0) {
      return trbi_fail(ctx, TRB_EINVAL, "%s: expected 0 beyond the %zu bytes this version knows, got %d at byte %zu",
                       name, known_size, bytes[i], i);
    }
  }
  return TRB_OK;
}

trb_status trbi_check_record(trb_context *ctx, const char *name, const void *out, size_t oldest) {
  size_t size;
  if (out == NULL) return trbi_fail(ctx, TRB_EINVAL, "%s: expected a struct, got NULL", name);
  return read_size(ctx, name, out, oldest, &size);
}

void trbi_fill_record(void *out, void *known, size_t known_size) {
  size_t size;
  memcpy(&size, out, sizeof size);
  memcpy(known, out, sizeof size); /* the caller's size stays */
  memcpy(out, known, size < known_size ? size : known_size);
  if (size > known_size) memset((char *)out + known_size, 0, size - known_size);
}

/* ---- One view ---- */

int64_t trbi_element_bytes(int32_t dtype) {
  switch (dtype) {
  case TRB_F32:
    return 4;
  case TRB_F16:
  case TRB_BF16:
    return 2;
  default:
    return 0;
  }
}

/* Bytes from the first to the end of the last element; false if they, or their end, do not fit an address. */
static bool measure(const trb_logits *view, ptrdiff_t *bytes) {
  uintptr_t end;
  *bytes = 0;
  if (view->rows == 0) return true;
  return !(__builtin_mul_overflow(view->rows - 1, view->stride, bytes) ||
           __builtin_add_overflow(*bytes, view->vocab, bytes) ||
           __builtin_mul_overflow(*bytes, trbi_element_bytes(view->dtype), bytes) ||
           __builtin_add_overflow((uintptr_t)view->data, (uintptr_t)*bytes, &end));
}

/* The contract of a view but for its temperature, which outputs ignore. */
static trb_status check_shape(trb_context *ctx, const char *name, const trb_logits *view) {
  if (!view) return trbi_fail(ctx, TRB_EINVAL, "%s: expected a view, got NULL", name);
  if (view->rows < 0) {
    return trbi_fail(ctx, TRB_EINVAL, "%s->rows: expected at least 0, got %" PRId64, name, view->rows);
  }
  if (view->vocab < 1) {
    return trbi_fail(ctx, TRB_EINVAL, "%s->vocab: expected at least 1, got %" PRId64, name, view->vocab);
  }
  if (view->stride < view->vocab) {
    return trbi_fail(ctx, TRB_EINVAL, "%s->stride: expected at least vocab (%" PRId64 "), got %" PRId64, name,
                     view->vocab, view->stride);
  }
  int64_t element = trbi_element_bytes(view->dtype);
  if (element == 0) {
    return trbi_fail(ctx, TRB_EINVAL, "%s->dtype: expected TRB_F32, TRB_F16 or TRB_BF16, got %" PRId32, name,
                     view->dtype);
  }
  if (!view->data && view->rows > 0) {
    return trbi_fail(ctx, TRB_EINVAL, "%s->data: expected %" PRId64 " rows, got NULL", name, view->rows);
  }
  if ((uintptr_t)view->data % (uintptr_t)element != 0) {
    return trbi_fail(ctx, TRB_EINVAL, "%s->data: expected an address aligned to %" PRId64 " bytes, got %p", name,
                     element, view->data);
  }
  ptrdiff_t bytes;
  if (!measure(view, &bytes)) {
    return trbi_fail(ctx, TRB_EINVAL, "%s: expected a size that fits memory, got %" PRId64 " rows of stride %" PRId64,
                     name, view->rows, view->stride);
  }
  return TRB_OK;
}

trb_status trbi_check_view(trb_context *ctx, const char *name, const trb_logits *view) {
  trb_status status = check_shape(ctx, name, view);
  if (status != TRB_OK) return status;
  if (!(view->temperature >= 0.0f) || isinf(view->temperature)) {
    return trbi_fail(ctx, TRB_EINVAL, "%s->temperature: expected a finite number >= 0, got %g", name,
                     (double)view->temperature);
  }
  return TRB_OK;
}

/* ---- Views together ---- */

static trb_status check_rows(trb_context *ctx, const char *name, const trb_logits *view, const trb_logits *student) {
  if (view->rows == student->rows) return TRB_OK;
  return trbi_fail(ctx, TRB_EINVAL, "%s->rows: expected student->rows (%" PRId64 "), got %" PRId64, name, student->rows,
                   view->rows);
}

trb_status trbi_check_models(trb_context *ctx, const trb_logits *student, const trb_logits *teacher,
                             bool lone_student) {
  trb_status status = trbi_check_view(ctx, "student", student);
  if (status != TRB_OK) return status;
  if (!teacher && lone_student) return TRB_OK;
  status = trbi_check_view(ctx, "teacher", teacher);
  return status == TRB_OK ? check_rows(ctx, "teacher", teacher, student) : status;
}

/* Whether spans share a byte. Addresses that differ by less than the lower one's size do. */
static bool spans_meet(const trbi_span *a, const trbi_span *b) {
  uintptr_t at = (uintptr_t)a->data, bt = (uintptr_t)b->data;
  if (a->bytes == 0 || b->bytes == 0) return false;
  return at < bt ? bt - at < a->bytes : at - bt < b->bytes;
}

/* Whether two views of equally many rows share an element, `low` at the lower address.
 *
 * Let their rows begin `step` bytes apart, and row 0 of `high` lie d bytes into some step. Because the spans meet, that
 * step begins with a row of `low`: `high` meets it, or else can only meet the next, where it runs past the end of the
 * step. */
static bool elements_meet(const trb_logits *low, const trb_logits *high) {
  trbi_span a = trbi_view_span("", low), b = trbi_view_span("", high);
  if (!spans_meet(&a, &b)) return false;
  if (low->rows == 1) return true;
  uintptr_t step = (uintptr_t)(low->stride * trbi_element_bytes(low->dtype));
  if (step != (uintptr_t)(high->stride * trbi_element_bytes(high->dtype))) return true;
  uintptr_t low_width = (uintptr_t)(low->vocab * trbi_element_bytes(low->dtype));
  uintptr_t high_width = (uintptr_t)(high->vocab * trbi_element_bytes(high->dtype));
  uintptr_t lead = (uintptr_t)high->data - (uintptr_t)low->data;
  return lead % step < low_width || lead % step + high_width > step;
}

static bool same_buffer(const trb_logits *a, const trb_logits *b) {
  return a->data == b->data && a->stride == b->stride && a->dtype == b->dtype;
}

static trb_status check_apart(trb_context *ctx, const char *name, const trb_logits *out, const char *input_name,
                              const trb_logits *input) {
  if (same_buffer(out, input)) return TRB_OK;
  bool below = (uintptr_t)out->data < (uintptr_t)input->data;
  if (!elements_meet(below ? out : input, below ? input : out)) return TRB_OK;
  return trbi_fail(ctx, TRB_EINVAL,
                   "%s: expected memory of its own or %s's data, stride and dtype, got a view that overlaps %s", name,
                   input_name, input_name);
}

trb_status trbi_check_output(trb_context *ctx, const char *name, const trb_logits *out, int64_t least_vocab,
                             const trb_logits *student, const trb_logits *teacher) {
  trb_status status = check_shape(ctx, name, out);
  if (status == TRB_OK) status = check_rows(ctx, name, out, student);
  if (status != TRB_OK) return status;
  if (out->vocab < least_vocab) {
    return trbi_fail(ctx, TRB_EINVAL, "%s->vocab: expected at least %" PRId64 ", got %" PRId64, name, least_vocab,
                     out->vocab);
  }
  status = check_apart(ctx, name, out, "student", student);
  return status == TRB_OK && teacher ? check_apart(ctx, name, out, "teacher", teacher) : status;
}

/* ---- Spans ---- */

trb_status trbi_check_spans(trb_context *ctx, const trbi_span *spans, int n, int written) {
  for (int i = 0; i < written; i++) {
    for (int j = i + 1; j < n; j++) {
      if (spans_meet(&spans[i], &spans[j])) {
        return trbi_fail(ctx, TRB_EINVAL, "%s: expected memory of its own, got some of %s's", spans[i].name,
                         spans[j].name);
      }
    }
  }
  return TRB_OK;
}

trbi_span trbi_view_span(const char *name, const trb_logits *view) {
  ptrdiff_t bytes;
  measure(view, &bytes);
  return (trbi_span){name, view->data, (size_t)bytes};
}

trbi_span trbi_array_span(const char *name, const void *data, int64_t rows, size_t size) {
  size_t bytes;
  if (!data || rows < 0) return (trbi_span){name, data, 0};
  if (__builtin_mul_overflow(rows, size, &bytes)) bytes = SIZE_MAX; /* to the end of memory */
  return (trbi_span){name, data, bytes};
}
