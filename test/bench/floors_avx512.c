/* floors_avx512.c - the floors for x86-64 with AVX-512. */
#if defined(__x86_64__)
#include <immintrin.h>

#define VECTOR         64
#define MAX            _mm512_max_ps
#define FUSED          _mm512_fmadd_ps
#define PUT(to, value) _mm512_stream_ps(to, value)
#include "floors_row.h"

const floor_kinds floors_avx512 = ALL_KINDS;
#else
typedef int bench_no_avx512; /* ISO C forbids an empty file */
#endif
