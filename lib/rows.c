/* rows.c - which row kernels this machine runs, and single elements. Compiled for the baseline. */
#include "rows.h"

extern const trbi_kernels trbi_kernels_scalar;
#if defined(__x86_64__)
extern const trbi_kernels trbi_kernels_avx2, trbi_kernels_avx512;
#endif

const trbi_kernels *trbi_kernels_find(int32_t isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && (isa == TRB_ISA_AUTO || isa == TRB_ISA_AVX512)) return &trbi_kernels_avx512;
  if (avx2 && (isa == TRB_ISA_AUTO || isa == TRB_ISA_AVX2)) return &trbi_kernels_avx2;
#endif
  return isa == TRB_ISA_AUTO || isa == TRB_ISA_SCALAR ? &trbi_kernels_scalar : NULL;
}

void *trbi_element(const trb_logits *view, int64_t row, int64_t v) {
  const int64_t bytes = view->dtype == TRB_F32 ? 4 : 2;
  return (char *)view->data + (row * view->stride + v) * bytes;
}

float trbi_load(const trb_logits *view, int64_t row, int64_t v) {
  float x;
  trbi_kernels_scalar.load(trbi_element(view, row, v), view->dtype, &x, 1);
  return x;
}

void trbi_store(const trb_logits *view, int64_t row, int64_t v, float x) {
  trbi_kernels_scalar.store(&x, trbi_element(view, row, v), view->dtype, 1);
}
