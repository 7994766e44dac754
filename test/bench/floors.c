/* floors.c - the floors for any machine, and the choice between all. */
#define VECTOR 16
#if defined(__aarch64__)
#include <arm_neon.h>
#define MAX            vmaxq_f32
#define FUSED(a, b, c) vfmaq_f32(c, a, b)
#define PUT(to, value) vst1q_f32(to, value)
#elif defined(__x86_64__)
#include <xmmintrin.h>
#define MAX            _mm_max_ps
#define FUSED(a, b, c) ((a) * (b) + (c))
#define PUT(to, value) _mm_stream_ps(to, value)
#endif
#include "floors_row.h"

const floor_kinds floors_baseline = ALL_KINDS;

const floors *floors_available(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return floors_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return floors_avx2;
#endif
  return floors_baseline;
}
