/* head.h - the cost of the functions on heads beside that of the matrix products that anyone must pay. */
#ifndef BENCH_HEAD_H
#define BENCH_HEAD_H

#include <stdbool.h>
#include <stdint.h>

/* 1024 rows of width 1024 and heads of `vocab` tokens, by OpenBLAS; medians of so many repeats. Prints what it finds.
 * false: no memory, a failed call, more memory taken than allowed, or other threads of OpenBLAS than before. */
bool head_measure(int64_t vocab, int repeats, int json);

#endif
