/* floors_avx2.c - the floors for x86-64 with AVX2 and FMA. */
#if defined(__x86_64__)
#include <immintrin.h>

#define VECTOR         32
#define MAX            _mm256_max_ps
#define FUSED          _mm256_fmadd_ps
#define PUT(to, value) _mm256_stream_ps(to, value)
#include "floors_row.h"

const floor_kinds floors_avx2 = ALL_KINDS;
#else
typedef int bench_no_avx2; /* ISO C forbids an empty file */
#endif
