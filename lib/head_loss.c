/* head_loss.c - the reverse KL from hidden states, and its gradient through the student's head.
 *
 * The gradient of a chunk takes the place of the teacher's logits, since a soft cap's slope needs the student's. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "head.h"
#include "loss.h"

typedef struct head_loss {
  trbi_heads heads;
  trb_loss_options options;
  const double *weight;
  double *loss;
  trb_loss_row *rows;
  trb_head_grad grad;
  bool trains;
  trb_loss_row *record; /* [chunk] */
  float *hidden;        /* [chunk, width] without the rows that have no result */
  trbi_tally tally;
} head_loss;

/* ---- The gradient ---- */

typedef struct slope_job {
  const head_loss *of;
  const trbi_kernels *kernels;
} slope_job;

static void slope_row(void *data, int64_t row) {
  const slope_job *job = data;
  const trbi_heads *h = &job->of->heads;
  const int64_t at = row * h->stride;
  job->kernels->uncap(h->logits_student + at, h->student.vocab, h->student.soft_cap, h->logits_teacher + at);
}

/* What the weights' gradient is a product with. A row without a result has gradient 0, but a hidden state that is not
 * a number would make one of it. */
static const float *clean_hidden(const head_loss *x, int64_t first, int64_t n, int64_t *stride) {
  const trb_head *head = &x->heads.student;
  const float *from = head->hidden + first * head->hidden_stride;
  bool clean = true;
  for (int64_t r = 0; r < n; r++) clean &= x->record[r].status == TRB_ROW_OK;
  *stride = head->hidden_stride;
  if (clean) return from;
  const size_t bytes = (size_t)head->width * sizeof *from;
  for (int64_t r = 0; r < n; r++) {
    if (x->record[r].status == TRB_ROW_OK)
      memcpy(x->hidden + r * head->width, from + r * head->hidden_stride, bytes);
    else
      memset(x->hidden + r * head->width, 0, bytes);
  }
  *stride = head->width;
  return x->hidden;
}

static void add_bias(const head_loss *x, const float *g, int64_t n) {
  const trbi_heads *h = &x->heads;
  for (int64_t r = 0; r < n; r++)
    for (int64_t v = 0; v < h->student.vocab; v++) x->grad.bias[v] += h->student.scale * g[r * h->stride + v];
}

/* With G the gradient by the logits before their scale: that of the hidden states is scale G W, that of the weights
 * scale G^T hidden. */
static void go_back(const head_loss *x, int64_t first, int64_t n) {
  const trbi_heads *h = &x->heads;
  const trb_head *head = &h->student;
  const float *g = h->logits_teacher;
  const int32_t rows = (int32_t)n, width = (int32_t)head->width, apart = (int32_t)h->stride;
  slope_job slope = {x, trbi_kernels_of(h->ctx)};
  int64_t end, stride;
  if (head->soft_cap > 0.0f) trbi_each_row(h->ctx, n, slope_row, &slope);
  if (x->grad.bias != NULL) add_bias(x, g, n);
  for (int64_t v = 0; v < head->vocab && x->grad.hidden != NULL; v = end) {
    const float *weight = trbi_head_piece(h, head, v, &end, &stride);
    h->sgemm(TRBI_ROW_MAJOR, TRBI_PLAIN, TRBI_PLAIN, rows, width, (int32_t)(end - v), head->scale, g + v, apart, weight,
             (int32_t)stride, v > 0 ? 1.0f : 0.0f, x->grad.hidden + first * x->grad.hidden_stride,
             (int32_t)x->grad.hidden_stride);
  }
  if (x->grad.weight == NULL) return;
  const float *hidden = clean_hidden(x, first, n, &stride);
  h->sgemm(TRBI_ROW_MAJOR, TRBI_TRANSPOSED, TRBI_PLAIN, (int32_t)head->vocab, width, rows, head->scale, g, apart,
           hidden, (int32_t)stride, 1.0f, x->grad.weight, (int32_t)x->grad.weight_stride);
}

/* ---- A chunk ---- */

static trb_status take_chunk(head_loss *x, int64_t first, int64_t n) {
  trbi_heads *h = &x->heads;
  const trb_logits student = trbi_head_logits(h, false, first, n), teacher = trbi_head_logits(h, true, first, n);
  trb_logits grad = teacher;
  grad.vocab = student.vocab;
  trb_loss_options options = x->options;
  if (options.ids != NULL) options.ids += first * options.k;
  const trb_status status =
      trb_reverse_kl(h->ctx, &student, &teacher, x->weight != NULL ? x->weight + first : NULL, &options,
                     x->loss != NULL ? x->loss + first : NULL, x->trains ? &grad : NULL, x->record);
  if (status != TRB_OK && status != TRB_EROWS) return status;
  for (int64_t r = 0; r < n; r++)
    if (x->record[r].status < 0) trbi_tally_add(&x->tally, first + r, x->record[r].status);
  if (x->rows != NULL) memcpy(x->rows + first, x->record, (size_t)n * sizeof *x->rows);
  if (x->trains) go_back(x, first, n);
  return TRB_OK;
}

/* ---- The call ---- */

static trb_status check_stride(trb_context *ctx, const char *name, const float *data, int64_t stride, int64_t width) {
  if (data == NULL || (stride >= width && stride <= INT32_MAX)) return TRB_OK;
  return trbi_fail(ctx, TRB_EINVAL, "grad->%s: expected %" PRId64 " to 2147483647, got %" PRId64, name, width, stride);
}

static trb_status check_outputs(const head_loss *x) {
  static const char *const of_student[] = {"student->hidden", "student->weight", "student->bias"};
  static const char *const of_teacher[] = {"teacher->hidden", "teacher->weight", "teacher->bias"};
  const trbi_heads *h = &x->heads;
  const trb_head_grad *g = &x->grad;
  const int64_t rows = h->rows, width = h->student.width, vocab = h->student.vocab;
  trb_status status = check_stride(h->ctx, "hidden_stride", g->hidden, g->hidden_stride, width);
  if (status == TRB_OK) status = check_stride(h->ctx, "weight_stride", g->weight, g->weight_stride, width);
  if (status != TRB_OK) return status;
  if (x->loss == NULL && x->rows == NULL && !x->trains)
    return trbi_fail(h->ctx, TRB_EINVAL, "loss, grad, loss_rows: expected at least one output, got NULL for all");
  const int64_t listed = x->options.support == TRB_SUPPORT_IDS ? rows * x->options.k : 0;
  trbi_span spans[7 + 2 * TRBI_HEAD_SPANS] = {
      trbi_array_span("loss", x->loss, rows, sizeof *x->loss),
      trbi_array_span("loss_rows", x->rows, rows, sizeof *x->rows),
      trbi_array_span("grad->hidden", g->hidden, rows > 0 ? (rows - 1) * g->hidden_stride + width : 0, sizeof(float)),
      trbi_array_span("grad->weight", g->weight, (vocab - 1) * g->weight_stride + width, sizeof(float)),
      trbi_array_span("grad->bias", g->bias, vocab, sizeof(float)),
      trbi_array_span("weight", x->weight, rows, sizeof *x->weight),
      trbi_array_span("options->ids", x->options.ids, listed, sizeof(int64_t))};
  trbi_name_head(of_student, &h->student, rows, spans + 7);
  trbi_name_head(of_teacher, &h->teacher, rows, spans + 7 + TRBI_HEAD_SPANS);
  return trbi_check_spans(h->ctx, spans, sizeof spans / sizeof spans[0], 5);
}

static trb_status run(head_loss *x) {
  trbi_heads *h = &x->heads;
  const trbi_allocator memory = trbi_allocator_of(h->ctx);
  trbi_array arrays[TRBI_HEAD_ARRAYS + 2] = {{&x->record, h->chunk, sizeof *x->record},
                                             {&x->hidden, h->chunk, (size_t)h->student.width * sizeof(float)}};
  trbi_head_arrays(h, arrays + 2);
  void *block = trbi_take_arrays(h->ctx, &memory, arrays, sizeof arrays / sizeof arrays[0]);
  if (block == NULL) return TRB_ENOMEM;
  trb_status status = TRB_OK;
  for (int64_t first = 0; first < h->rows && status == TRB_OK; first += h->chunk)
    status = take_chunk(x, first, h->rows - first < h->chunk ? h->rows - first : h->chunk);
  memory.free(block, memory.user);
  return status == TRB_OK ? trbi_tally_tell(h->ctx, &x->tally, h->rows) : status;
}

trb_status trb_head_reverse_kl(trb_context *ctx, int64_t rows, const trb_head *student, const trb_head *teacher,
                               const double *weight, const trb_loss_options *options, const trb_head_options *how,
                               double *loss, const trb_head_grad *grad, trb_loss_row *loss_rows) {
  head_loss x = {.weight = weight, .loss = loss, .rows = loss_rows};
  trb_status status = trbi_read_heads(ctx, rows, student, teacher, false, how, &x.heads);
  if (status != TRB_OK) return status;
  const int64_t s = x.heads.student.vocab, t = x.heads.teacher.vocab;
  status = trbi_read_loss_options(ctx, options, rows, s < t ? s : t, &x.options);
  x.options.size = sizeof x.options;
  if (status == TRB_OK) status = trbi_check_weights(ctx, weight, rows);
  if (status == TRB_OK)
    status = trbi_read_options(ctx, "grad", grad, &x.grad, sizeof x.grad, TRBI_SIZE_TO(trb_head_grad, bias));
  x.trains = x.grad.hidden != NULL || x.grad.weight != NULL || x.grad.bias != NULL;
  if (status == TRB_OK) status = check_outputs(&x);
  return status == TRB_OK ? run(&x) : status;
}
