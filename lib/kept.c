/* kept.c - teacher logits that are kept with rollouts, and whether models fit the rollouts that they are asked about.
 */
#include "kept.h"

#include <inttypes.h>
#include <string.h>

#include "ends.h"
#include "model.h"
#include "rows.h"

static trb_status check_kept(trb_context *ctx, const trbi_kept *kept, const trb_model *teacher) {
  if (kept->rows == 0) return TRB_OK;
  if (teacher->vocab != kept->vocab)
    return trbi_fail(ctx, TRB_EINVAL, "teacher->vocab: expected that of the kept logits, %" PRId64 ", got %" PRId64,
                     kept->vocab, teacher->vocab);
  if (teacher->dtype != kept->dtype)
    return trbi_fail(ctx, TRB_EINVAL, "teacher->dtype: expected that of the kept logits, %" PRId32 ", got %" PRId32,
                     kept->dtype, teacher->dtype);
  if (teacher->temperature != kept->temperature)
    return trbi_fail(ctx, TRB_EINVAL, "teacher->temperature: expected that of the kept logits, %g, got %g",
                     (double)kept->temperature, (double)teacher->temperature);
  return TRB_OK;
}

/* The ids of the texts. The last one is never shown to a model: there the token counts, which may stand for an end of
 * the other model. */
static trb_status check_text_ids(trb_context *ctx, const trbi_rollouts *r, const char *name, int64_t vocab) {
  for (int64_t i = 0; i < r->shown.n; i++) {
    const int64_t length = trbi_length(r, i), last = trbi_sampled(r, i) > 0 ? length - 1 : length;
    for (int64_t k = 0; k < length; k++) {
      const int64_t id = k < last ? r->text[r->text_offset[i] + k] : r->token[r->offset[i + 1] - 1];
      if (id >= vocab)
        return trbi_fail(ctx, TRB_EINVAL,
                         "%s->vocab: expected more than token %" PRId64 " of sequence %" PRId64 ", %" PRId64
                         ", got %" PRId64,
                         name, k, i, id, vocab);
    }
  }
  return TRB_OK;
}

trb_status trbi_check_fit(trb_context *ctx, const trbi_rollouts *r, const trb_model *student, const trb_model *teacher,
                          int64_t *vocab) {
  const trb_model *models[] = {student, teacher};
  *vocab = r->vocab;
  for (int m = 0; m < 2; m++) {
    if (models[m]->forward == NULL) continue;
    const trb_status status = check_text_ids(ctx, r, m == 0 ? "student" : "teacher", models[m]->vocab);
    if (status != TRB_OK) return status;
    if (models[m]->vocab < *vocab) *vocab = models[m]->vocab;
  }
  const trb_status status = trbi_check_ends(ctx, "ends", &r->ends, *vocab, trbi_larger_vocab(student, teacher));
  return status == TRB_OK && teacher->forward != NULL ? check_kept(ctx, &r->kept, teacher) : status;
}

trb_status trbi_keep(trb_context *ctx, trbi_rollouts *r, const trb_model *teacher, int64_t bytes, int64_t tokens) {
  const int64_t row_bytes = trbi_row_bytes(teacher), fit = bytes / row_bytes;
  const int64_t capacity = fit < tokens ? fit : tokens;
  trbi_kept *kept = &r->kept;
  if (capacity <= kept->rows) {
    kept->capacity = kept->rows;
    return TRB_OK;
  }
  unsigned char *data;
  const trbi_array array = {&data, capacity, (size_t)row_bytes};
  void *block = trbi_take_arrays(ctx, &r->memory, &array, 1);
  if (block == NULL) return TRB_ENOMEM;
  if (kept->rows > 0) memcpy(data, kept->data, (size_t)(kept->rows * row_bytes));
  if (kept->block != NULL) r->memory.free(kept->block, r->memory.user);
  *kept = (trbi_kept){block, data, kept->rows, capacity, teacher->vocab, teacher->dtype, teacher->temperature};
  return TRB_OK;
}

void trbi_keep_row(trbi_rollouts *r, int64_t t, const trb_logits *rows, int64_t row) {
  trbi_kept *kept = &r->kept;
  if (kept->rows == kept->capacity) return;
  const size_t row_bytes = (size_t)(rows->vocab * trbi_element_bytes(rows->dtype));
  memcpy(kept->data + (size_t)kept->rows * row_bytes, trbi_element(rows, row, 0), row_bytes);
  r->slot[t] = kept->rows++;
  r->shown.kept = kept->rows;
}
