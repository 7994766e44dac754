/* replay.c - runs a fuzz target on the inputs that a fuzzer found worth keeping: one a line, in hexadecimal. */
#include <stdio.h>

#include "target.h"

int main(int argc, char **argv) {
  static char line[8192];
  static uint8_t bytes[sizeof line / 2];
  int inputs = 0;
  FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
  if (file == NULL) {
    fprintf(stderr, "usage: %s inputs.txt\n", argv[0]);
    return 2;
  }
  for (; fgets(line, sizeof line, file) != NULL; inputs++) {
    size_t size = 0;
    for (unsigned byte; sscanf(line + 2 * size, "%2x", &byte) == 1; size++) bytes[size] = (uint8_t)byte;
    LLVMFuzzerTestOneInput(bytes, size);
  }
  fclose(file);
  printf("%d inputs replayed\n", inputs);
  return inputs > 0 ? 0 : 1;
}
