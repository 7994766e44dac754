/* machine.h - what the figures were measured on. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdint.h>

typedef struct machine {
  char processor[160]; /* with family and model where there are such; clouds shorten the name */
  const char *isa;     /* of the library's kernels */
  const char *compiler;
  int64_t processors; /* that this process may use */
} machine;

machine machine_here(void);

#endif
