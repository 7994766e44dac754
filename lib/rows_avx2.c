/* rows_avx2.c - the row kernels for TRB_ISA_AVX2: the specification, compiled for that instruction set. */
#if defined(__x86_64__)
#define TRBI_TABLE     trbi_kernels_avx2
#define TRBI_TABLE_ISA TRB_ISA_AVX2
#include "rows_scalar.c"
#else
typedef int trbi_no_avx2; /* ISO C forbids an empty file */
#endif
