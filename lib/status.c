/* status.c - what the numbers that calls return mean, the text that goes with an error, and the version. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core.h"

trb_status trbi_fail(trb_context *ctx, trb_status status, const char *format, ...) {
  if (!ctx) return status;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(ctx->error, sizeof ctx->error, format, arguments);
  va_end(arguments);
  return status;
}

trbi_text trbi_save_text(const trb_context *ctx) {
  trbi_text saved = {""};
  if (ctx != NULL) memcpy(saved.text, ctx->error, sizeof saved.text);
  return saved;
}

void trbi_restore_text(trb_context *ctx, const trbi_text *text) {
  if (ctx != NULL) memcpy(ctx->error, text->text, sizeof ctx->error);
}

trb_status trbi_fail_within(trb_context *ctx, trb_status status, const char *place) {
  if (ctx == NULL || status == TRB_OK) return status;
  char text[sizeof ctx->error];
  memcpy(text, ctx->error, sizeof text);
  return trbi_fail(ctx, status, "%s: %s", place, text);
}

const char *trb_strerror(trb_status status) {
  switch (status) {
  case TRB_OK:
    return "TRB_OK: success";
  case TRB_EINVAL:
    return "TRB_EINVAL: an argument breaks its contract";
  case TRB_ENOMEM:
    return "TRB_ENOMEM: memory or a thread could not be had";
  case TRB_EROWS:
    return "TRB_EROWS: some rows hold no result";
  case TRB_ECALLBACK:
    return "TRB_ECALLBACK: a callback did not return TRB_CONTINUE";
  case TRB_ECOMM:
    return "TRB_ECOMM: a reduction across shards failed";
  default:
    return "unknown status";
  }
}

const char *trb_row_strerror(int32_t row_status) {
  switch (row_status) {
  case TRB_ROW_BLENDED:
    return "TRB_ROW_BLENDED: the KL budget is active";
  case TRB_ROW_TEACHER:
    return "TRB_ROW_TEACHER: the teacher is inside the budget";
  case TRB_ROW_STUDENT:
    return "TRB_ROW_STUDENT: the budget is zero";
  case TRB_ROW_UNREACHABLE:
    return "TRB_ROW_UNREACHABLE: the teacher masks too much student mass for the budget";
  case TRB_ROW_GIVEN:
    return "TRB_ROW_GIVEN: the caller gave beta";
  case TRB_ROW_OK:
    return "TRB_ROW_OK: computed";
  case TRB_ROW_SKIPPED:
    return "TRB_ROW_SKIPPED: not read, because of weight 0 or behind the end of its block";
  case TRB_ROW_EMPTY:
    return "TRB_ROW_EMPTY: every token is masked";
  case TRB_ROW_NOT_A_NUMBER:
    return "TRB_ROW_NOT_A_NUMBER: NaN or +inf in the input";
  case TRB_ROW_INFINITE:
    return "TRB_ROW_INFINITE: the divergence is infinite";
  case TRB_ROW_IMPOSSIBLE:
    return "TRB_ROW_IMPOSSIBLE: the proposed token has probability 0 under the student";
  case TRB_ROW_EXCESS:
    return "TRB_ROW_EXCESS: listed probabilities add up to more than 1.001";
  default:
    return "unknown row status";
  }
}

uint32_t trb_version(void) {
  return (uint32_t)TRB_VERSION_MAJOR << 16 | (uint32_t)TRB_VERSION_MINOR << 8 | (uint32_t)TRB_VERSION_PATCH;
}
