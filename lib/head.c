/* head.c - logits made from hidden states, by the caller's matrix product. */
#include "head.h"

#include <inttypes.h>
#include <math.h>

#include "rows.h"

static const int64_t DEFAULT_BYTES = INT64_C(256) << 20;

/* Floats of a piece of weights: 4 MiB, or one row. */
enum { PIECE = 1 << 20 };

/* ---- Arguments ---- */

static trb_status check_size(trb_context *ctx, const char *name, const char *field, int64_t value, int64_t least) {
  if (value >= least && value <= INT32_MAX) return TRB_OK;
  return trbi_fail(ctx, TRB_EINVAL, "%s->%s: expected %" PRId64 " to 2147483647, got %" PRId64, name, field, least,
                   value);
}

static trb_status check_number(trb_context *ctx, const char *name, const char *field, float value, float least) {
  if (value >= least && value <= 3.402823466e38f) return TRB_OK;
  return trbi_fail(ctx, TRB_EINVAL, "%s->%s: expected a finite number%s, got %g", name, field,
                   least == 0.0f ? " >= 0" : "", (double)value);
}

static bool aligned(const void *data, int64_t bytes) {
  return (uintptr_t)data % (uintptr_t)bytes == 0;
}

static trb_status read_head(trb_context *ctx, const char *name, const trb_head *given, int64_t rows, trb_head *out) {
  if (given == NULL) return trbi_fail(ctx, TRB_EINVAL, "%s: expected a head, got NULL", name);
  const trb_head *h = out;
  const float any = -3.402823466e38f;
  trb_status status = trbi_read_options(ctx, name, given, out, sizeof *out, TRBI_SIZE_TO(trb_head, temperature));
  if (status == TRB_OK) status = check_size(ctx, name, "vocab", h->vocab, 1);
  if (status == TRB_OK) status = check_size(ctx, name, "width", h->width, 1);
  if (status == TRB_OK) status = check_size(ctx, name, "hidden_stride", h->hidden_stride, h->width);
  if (status == TRB_OK) status = check_size(ctx, name, "weight_stride", h->weight_stride, h->width);
  if (status == TRB_OK) status = check_number(ctx, name, "scale", h->scale, any);
  if (status == TRB_OK) status = check_number(ctx, name, "soft_cap", h->soft_cap, 0.0f);
  if (status == TRB_OK) status = check_number(ctx, name, "temperature", h->temperature, 0.0f);
  if (status != TRB_OK) return status;
  if (trbi_element_bytes(h->dtype) == 0)
    return trbi_fail(ctx, TRB_EINVAL, "%s->dtype: expected TRB_F32, TRB_F16 or TRB_BF16, got %" PRId32, name, h->dtype);
  if (rows > 0 && (h->hidden == NULL || h->weight == NULL))
    return trbi_fail(ctx, TRB_EINVAL, "%s->%s: expected floats, got NULL", name,
                     h->hidden == NULL ? "hidden" : "weight");
  if (!aligned(h->hidden, sizeof(float)) || !aligned(h->weight, trbi_element_bytes(h->dtype)) ||
      !aligned(h->bias, sizeof(float)))
    return trbi_fail(ctx, TRB_EINVAL, "%s: expected hidden, weight and bias at multiples of their elements", name);
  if (out->scale == 0.0f) out->scale = 1.0f;
  return TRB_OK;
}

/* Rows of a chunk: both models' logits within the bytes. */
static void plan(trbi_heads *h, int64_t logits_bytes) {
  const int64_t models = h->lone ? 1 : 2, s = h->student.vocab, t = h->teacher.vocab;
  h->stride = s > t ? s : t;
  const int64_t fit = (logits_bytes > 0 ? logits_bytes : DEFAULT_BYTES) / (models * h->stride * (int64_t)sizeof(float));
  h->chunk = fit < 1 ? 1 : fit < h->rows ? fit : h->rows;
}

trb_status trbi_read_heads(trb_context *ctx, int64_t rows, const trb_head *student, const trb_head *teacher, bool lone,
                           const trb_head_options *how, trbi_heads *out) {
  trb_head_options known;
  *out = (trbi_heads){.ctx = ctx, .rows = rows, .lone = teacher == NULL && lone};
  if (rows < 0 || rows > INT32_MAX)
    return trbi_fail(ctx, TRB_EINVAL, "rows: expected 0 to 2147483647, got %" PRId64, rows);
  trb_status status = read_head(ctx, "student", student, rows, &out->student);
  if (status == TRB_OK) status = read_head(ctx, "teacher", out->lone ? student : teacher, rows, &out->teacher);
  if (status == TRB_OK)
    status = trbi_read_options(ctx, "how", how, &known, sizeof known, TRBI_SIZE_TO(trb_head_options, logits_bytes));
  if (status != TRB_OK) return status;
  if (known.sgemm == NULL) return trbi_fail(ctx, TRB_EINVAL, "how->sgemm: expected a function, got NULL");
  if (known.logits_bytes < 0)
    return trbi_fail(ctx, TRB_EINVAL, "how->logits_bytes: expected at least 0, got %" PRId64, known.logits_bytes);
  out->sgemm = known.sgemm;
  plan(out, known.logits_bytes);
  return TRB_OK;
}

void trbi_name_head(const char *const *names, const trb_head *head, int64_t rows, trbi_span *spans) {
  const int64_t element = trbi_element_bytes(head->dtype);
  const int64_t hidden = rows > 0 ? ((rows - 1) * head->hidden_stride + head->width) : 0;
  const int64_t weight = rows > 0 ? ((head->vocab - 1) * head->weight_stride + head->width) : 0;
  spans[0] = trbi_array_span(names[0], hidden > 0 ? head->hidden : NULL, hidden, sizeof(float));
  spans[1] = trbi_array_span(names[1], weight > 0 ? head->weight : NULL, weight, (size_t)element);
  spans[2] = trbi_array_span(names[2], head->bias, head->vocab, sizeof(float));
}

/* ---- Room ---- */

static bool is_float(const trb_head *head) {
  return head->dtype == TRB_F32;
}

void trbi_head_arrays(trbi_heads *h, trbi_array *arrays) {
  const int64_t width = h->student.width > h->teacher.width ? h->student.width : h->teacher.width;
  const int64_t piece = width > PIECE ? width : PIECE;
  const size_t row = (size_t)h->stride * sizeof(float);
  arrays[0] = (trbi_array){&h->logits_student, h->chunk, row};
  arrays[1] = (trbi_array){&h->logits_teacher, h->lone ? 0 : h->chunk, row};
  arrays[2] = (trbi_array){&h->piece, is_float(&h->student) && is_float(&h->teacher) ? 0 : piece, sizeof(float)};
}

/* ---- Logits ---- */

const float *trbi_head_piece(const trbi_heads *h, const trb_head *head, int64_t first, int64_t *end, int64_t *stride) {
  const unsigned char *weight = head->weight;
  *end = head->vocab;
  *stride = head->weight_stride;
  if (is_float(head)) return head->weight;
  const int64_t rows = PIECE / head->width > 1 ? PIECE / head->width : 1;
  if (first + rows < *end) *end = first + rows;
  *stride = head->width;
  for (int64_t v = first; v < *end; v++)
    trbi_kernels_of(h->ctx)->load(weight + v * head->weight_stride * trbi_element_bytes(head->dtype), head->dtype,
                                  h->piece + (v - first) * head->width, head->width);
  return h->piece;
}

typedef struct finish_job {
  const trbi_kernels *kernels;
  const trb_head *head;
  float *logits;
  int64_t stride;
} finish_job;

/* The bias, to which the product is added. */
static void start_row(void *data, int64_t row) {
  const finish_job *job = data;
  const trb_head *head = job->head;
  float *to = job->logits + row * job->stride;
  for (int64_t v = 0; v < head->vocab; v++) to[v] = head->bias[v] * head->scale;
}

static void cap_row(void *data, int64_t row) {
  const finish_job *job = data;
  job->kernels->cap(job->logits + row * job->stride, job->head->vocab, job->head->soft_cap);
}

trb_logits trbi_head_logits(const trbi_heads *h, bool teacher, int64_t first, int64_t n) {
  const trb_head *head = teacher ? &h->teacher : &h->student;
  finish_job job = {trbi_kernels_of(h->ctx), head, teacher ? h->logits_teacher : h->logits_student, h->stride};
  const float *hidden = head->hidden + first * head->hidden_stride;
  if (head->bias != NULL) trbi_each_row(h->ctx, n, start_row, &job);
  int64_t end, stride;
  for (int64_t v = 0; v < head->vocab; v = end) {
    const float *weight = trbi_head_piece(h, head, v, &end, &stride);
    h->sgemm(TRBI_ROW_MAJOR, TRBI_PLAIN, TRBI_TRANSPOSED, (int32_t)n, (int32_t)(end - v), (int32_t)head->width,
             head->scale, hidden, (int32_t)head->hidden_stride, weight, (int32_t)stride,
             head->bias != NULL ? 1.0f : 0.0f, job.logits + v, (int32_t)h->stride);
  }
  if (head->soft_cap > 0.0f) trbi_each_row(h->ctx, n, cap_row, &job);
  return (trb_logits){job.logits, n, head->vocab, h->stride, TRB_F32, head->temperature};
}
