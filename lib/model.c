/* model.c - calls of a caller's model, and what is said if they fail. */
#include "model.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The bytes of four rows can be counted: a training step has no more buffers. */
static const int64_t LARGEST_VOCAB = INT64_MAX / 16;

trb_status trbi_read_model(trb_context *ctx, const char *name, const trb_model *given, bool optional,
                           trb_model *known) {
  if (given == NULL && !optional) return trbi_fail(ctx, TRB_EINVAL, "%s: expected a model, got NULL", name);
  const trb_status status =
      trbi_read_options(ctx, name, given, known, sizeof *known, TRBI_SIZE_TO(trb_model, temperature));
  if (status != TRB_OK || given == NULL) return status;
  if (known->forward == NULL) return trbi_fail(ctx, TRB_EINVAL, "%s->forward: expected a function, got NULL", name);
  if (known->vocab < 1 || known->vocab > LARGEST_VOCAB)
    return trbi_fail(ctx, TRB_EINVAL, "%s->vocab: expected 1 to %" PRId64 ", got %" PRId64, name, LARGEST_VOCAB,
                     known->vocab);
  if (trbi_element_bytes(known->dtype) == 0)
    return trbi_fail(ctx, TRB_EINVAL, "%s->dtype: expected TRB_F32, TRB_F16 or TRB_BF16, got %" PRId32, name,
                     known->dtype);
  if (!(known->temperature >= 0.0f) || isinf(known->temperature))
    return trbi_fail(ctx, TRB_EINVAL, "%s->temperature: expected a finite number >= 0, got %g", name,
                     (double)known->temperature);
  if (known->temperature == 0.0f) known->temperature = 1.0f;
  return TRB_OK;
}

static trb_status stopped(trb_context *ctx, const char *name, const char *function, int32_t returned,
                          const trb_query *queries, int64_t n) {
  return trbi_fail(ctx, TRB_ECALLBACK,
                   "%s->%s: expected TRB_CONTINUE, got %" PRId32 "; it had %" PRId64
                   " sequences, the first of them %" PRId64 " at position %" PRId64,
                   name, function, returned, n, queries[0].sequence, queries[0].length);
}

/* All bits set are a NaN in every dtype. */
trb_status trbi_ask(trb_context *ctx, const char *name, const trb_model *model, const trb_query *queries, int64_t n,
                    const trb_logits *out) {
  memset(out->data, 0xFF, (size_t)(out->rows * trbi_row_bytes(model)));
  const int32_t returned = model->forward(queries, n, out, model->user);
  return returned == TRB_CONTINUE ? TRB_OK : stopped(ctx, name, "forward", returned, queries, n);
}

trb_status trbi_answer(trb_context *ctx, const char *name, const trb_model *model, const trb_query *queries, int64_t n,
                       const trb_logits *grad) {
  const int32_t returned = model->backward(queries, n, grad, model->user);
  return returned == TRB_CONTINUE ? TRB_OK : stopped(ctx, name, "backward", returned, queries, n);
}

trb_status trbi_tell(trb_context *ctx, trb_progress_fn progress, void *user, int64_t done, int64_t total) {
  const int32_t returned = progress != NULL ? progress(done, total, user) : TRB_CONTINUE;
  if (returned == TRB_CONTINUE) return TRB_OK;
  return trbi_fail(ctx, TRB_ECALLBACK,
                   "progress: expected TRB_CONTINUE, got %" PRId32 " with %" PRId64 " of %" PRId64 " sequences done",
                   returned, done, total);
}
