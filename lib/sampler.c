/* sampler.c - a caller's sampler: its fields and its random numbers. */
#include "sampler.h"

#include <inttypes.h>

#include <Random123/philox.h>

double trbi_uniform(const trb_sampler *sampler, int64_t row, trbi_half half) {
  const uint64_t stream = sampler->stream != NULL ? sampler->stream[row] : (uint64_t)row;
  const uint64_t index = sampler->index != NULL ? (uint64_t)sampler->index[row] : 0;
  const philox4x32_ctr_t counter = {{(uint32_t)stream, (uint32_t)(stream >> 32), (uint32_t)index,
                                     (uint32_t)(index >> 32) | (uint32_t)sampler->purpose << 24}};
  const philox4x32_key_t key = {{(uint32_t)sampler->seed, (uint32_t)(sampler->seed >> 32)}};
  const philox4x32_ctr_t random = philox4x32_R(10, counter, key);
  return (double)(((uint64_t)random.v[2 * half] << 32 | random.v[2 * half + 1]) >> 11) * 0x1p-53;
}

bool trbi_has_filter(const trb_sampler *sampler) {
  return sampler->top_k > 0 || sampler->top_p > 0.0 || sampler->min_p > 0.0 || sampler->greedy;
}

static trb_status fail(trb_context *ctx, const char *name, const char *field, const char *expected, double got) {
  return trbi_fail(ctx, TRB_EINVAL, "%s->%s: expected %s, got %g", name, field, expected, got);
}

trb_status trbi_read_sampler(trb_context *ctx, const char *name, const trb_sampler *given, int64_t rows,
                             trb_sampler *out) {
  const trb_status status = trbi_read_options(ctx, name, given, out, sizeof *out, TRBI_SIZE_TO(trb_sampler, purpose));
  if (status != TRB_OK) return status;
  if (out->top_k < 0) return fail(ctx, name, "top_k", "0 or more", (double)out->top_k);
  if (!(out->top_p >= 0.0 && out->top_p <= 1.0)) return fail(ctx, name, "top_p", "a number in [0, 1]", out->top_p);
  if (!(out->min_p >= 0.0 && out->min_p <= 1.0)) return fail(ctx, name, "min_p", "a number in [0, 1]", out->min_p);
  if (out->greedy != 0 && out->greedy != 1) return fail(ctx, name, "greedy", "0 or 1", (double)out->greedy);
  if (out->purpose < 0 || out->purpose > 255) return fail(ctx, name, "purpose", "0 to 255", (double)out->purpose);
  for (int64_t r = 0; out->index != NULL && r < rows; r++)
    if (out->index[r] < 0 || out->index[r] >= INT64_C(1) << 56)
      return trbi_fail(ctx, TRB_EINVAL, "%s->index[%" PRId64 "]: expected 0 to 2^56 - 1, got %" PRId64, name, r,
                       out->index[r]);
  return TRB_OK;
}
