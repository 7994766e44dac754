/* rows.c - which row kernels this machine runs, and single elements. Compiled for the baseline. */
#include "rows.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

extern const trbi_kernels trbi_kernels_scalar, trbi_kernels_avx2, trbi_kernels_avx512;

#if defined(__x86_64__)
static bool converts_halves(void) { /* compilers differ in whether __builtin_cpu_supports knows "f16c" */
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

/* The best ones come first. */
const trbi_kernels *trbi_kernels_find(int32_t isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && converts_halves();
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const trbi_kernels *const built[] = {&trbi_kernels_avx512, &trbi_kernels_avx2, &trbi_kernels_scalar};
  const bool runs[] = {avx512, avx2, true};
#else
  const trbi_kernels *const built[] = {&trbi_kernels_scalar};
  const bool runs[] = {true};
#endif
  for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
    if (runs[i] && (isa == TRB_ISA_AUTO || isa == built[i]->isa)) return built[i];
  return NULL;
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
