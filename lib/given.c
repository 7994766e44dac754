/* given.c - rollouts of sequences that come from elsewhere. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ends.h"
#include "rollouts.h"

static trb_status check_given(trb_context *ctx, const trb_texts *texts, const int64_t *prompt_length) {
  const trb_status status = trbi_check_texts(ctx, "texts", texts, 1);
  if (status != TRB_OK || texts->n == 0) return status;
  if (prompt_length == NULL) return trbi_fail(ctx, TRB_EINVAL, "prompt_length: expected one per text, got NULL");
  for (int64_t i = 0; i < texts->n; i++) {
    const int64_t length = texts->offset[i + 1] - texts->offset[i];
    if (prompt_length[i] < 1 || prompt_length[i] > length)
      return trbi_fail(ctx, TRB_EINVAL, "prompt_length[%" PRId64 "]: expected 1 to %" PRId64 ", got %" PRId64, i,
                       length, prompt_length[i]);
  }
  return trbi_check_ids(ctx, "texts->tokens", texts->tokens + texts->offset[0],
                        texts->offset[texts->n] - texts->offset[0], INT64_MAX);
}

/* Log-probabilities in the range that trb_token_terms takes. */
static trb_status check_log_sampled(trb_context *ctx, const double *log_sampled, int64_t n) {
  for (int64_t t = 0; log_sampled != NULL && t < n; t++)
    if (!(log_sampled[t] > -INFINITY && log_sampled[t] <= 1e-3))
      return trbi_fail(ctx, TRB_EINVAL, "log_sampled[%" PRId64 "]: expected a finite number up to 0, got %g", t,
                       log_sampled[t]);
  return TRB_OK;
}

/* The event that a token stands for: end tokens of the teacher are the student's. */
static int64_t event(const trb_ends *ends, int64_t id) {
  for (int64_t i = 0; i < ends->n; i++)
    if (ends->teacher[i] == id) id = ends->student[i];
  return id;
}

static void copy_given(trbi_rollouts *r, const trb_texts *texts, const double *log_sampled) {
  trbi_token token = {.argmax_teacher = -1, .status = TRB_ROW_GIVEN};
  for (int c = 0; c < TRBI_COLUMNS; c++) token.number[c] = NAN;
  for (int64_t i = 0; i < texts->n; i++) {
    const int64_t *text = texts->tokens + texts->offset[i];
    const int64_t length = trbi_length(r, i), prompt = length - trbi_sampled(r, i);
    memcpy(r->text + r->text_offset[i], text, (size_t)length * sizeof *text);
    for (int64_t t = r->offset[i]; t < r->offset[i + 1]; t++) {
      token.id = event(&r->ends, text[prompt + t - r->offset[i]]);
      if (log_sampled != NULL) token.number[TRBI_LOG_SAMPLED] = log_sampled[t];
      trbi_rollouts_put(r, t, &token);
    }
  }
}

trb_status trb_rollouts_new(trb_context *ctx, const trb_texts *texts, const int64_t *prompt_length,
                            const double *log_sampled, const trb_ends *ends, trb_rollouts **out) {
  if (out == NULL) return trbi_fail(ctx, TRB_EINVAL, "out: expected a pointer, got NULL");
  *out = NULL;
  trb_status status = check_given(ctx, texts, prompt_length);
  if (status == TRB_OK) status = trbi_check_ends(ctx, "ends", ends, INT64_MAX, INT64_MAX);
  if (status != TRB_OK) return status;
  const trbi_allocator memory = trbi_allocator_of(ctx);
  int64_t *room, tokens = 0;
  const trbi_array array = {&room, texts->n, sizeof *room};
  void *block = trbi_take_arrays(ctx, &memory, &array, 1);
  if (block == NULL) return TRB_ENOMEM;
  for (int64_t i = 0; i < texts->n; i++) {
    room[i] = texts->offset[i + 1] - texts->offset[i] - prompt_length[i];
    tokens += room[i];
  }
  trbi_rollouts *r;
  status = check_log_sampled(ctx, log_sampled, tokens);
  if (status == TRB_OK) status = trbi_rollouts_make(ctx, texts->n, prompt_length, room, ends, TRB_STOP_GIVEN, &r);
  memory.free(block, memory.user);
  if (status != TRB_OK) return status;
  copy_given(r, texts, log_sampled);
  *out = &r->shown;
  return TRB_OK;
}
