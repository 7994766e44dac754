/* model.h - asking a caller's model. */
#ifndef TRBI_MODEL_H
#define TRBI_MODEL_H

#include "core.h"

/* A caller's model of any age, its temperature with the default. NULL is an error unless `optional`; then
 * known->forward is NULL. */
trb_status trbi_read_model(trb_context *ctx, const char *name, const trb_model *given, bool optional, trb_model *known);

static inline int64_t
trbi_row_bytes(const trb_model *model) { /* trbi_read_model sees to it that this does not overflow */
  return model->vocab * trbi_element_bytes(model->dtype);
}

/* Room for a model's answer. */
static inline trb_logits trbi_answer_view(const trb_model *model, void *data, int64_t rows) {
  return (trb_logits){data, rows, model->vocab, model->vocab, model->dtype, model->temperature};
}

/* The larger vocabulary; without limit where a model was not given, which then has no forward. */
static inline int64_t trbi_larger_vocab(const trb_model *student, const trb_model *teacher) {
  if (student->forward == NULL || teacher->forward == NULL) return INT64_MAX;
  return student->vocab > teacher->vocab ? student->vocab : teacher->vocab;
}

/* The first `vocab` tokens of its rows: what two models have in common. */
static inline trb_logits trbi_common_view(trb_logits view, int64_t vocab) {
  if (vocab < view.vocab) view.vocab = vocab;
  return view;
}

/* Sets out to NaN and has the model fill it. */
trb_status trbi_ask(trb_context *ctx, const char *name, const trb_model *model, const trb_query *queries, int64_t n,
                    const trb_logits *out);

/* Hands a gradient back. */
trb_status trbi_answer(trb_context *ctx, const char *name, const trb_model *model, const trb_query *queries, int64_t n,
                       const trb_logits *grad);

/* Tells the caller how far a call is; progress may be NULL. */
trb_status trbi_tell(trb_context *ctx, trb_progress_fn progress, void *user, int64_t done, int64_t total);

#endif
