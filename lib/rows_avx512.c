/* rows_avx512.c - the row kernels for TRB_ISA_AVX512: the specification, compiled for that instruction set. */
#if defined(__x86_64__)
#define TRBI_TABLE     trbi_kernels_avx512
#define TRBI_TABLE_ISA TRB_ISA_AVX512
#include "rows_scalar.c"
#else
typedef int trbi_no_avx512; /* ISO C forbids an empty file */
#endif
