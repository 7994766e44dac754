/* machine.c - what the figures were measured on. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "machine.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "trb.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static int64_t usable_processors(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? n : 1;
}

/* The value of the first line "key : value", without quotes, which would end a string of JSON. */
static void find(FILE *in, const char *key, char *value, int capacity) {
  char line[256];
  const size_t length = strlen(key);
  rewind(in);
  while (fgets(line, sizeof line, in)) {
    const char *colon = strstr(line, ": ");
    if (!colon || strncmp(line, key, length) != 0 || !strchr("\t ", line[length])) continue;
    snprintf(value, (size_t)capacity, "%.*s", (int)strcspn(colon + 2, "\n\"\\"), colon + 2);
    return;
  }
}

machine machine_here(void) {
  static const char *const names[] = {"automatic", "baseline", "AVX2", "AVX-512", "NEON"};
  machine m = {"unknown processor", names[trb_context_isa(NULL)], COMPILER, usable_processors()};
  FILE *in = fopen("/proc/cpuinfo", "r");
  if (!in) return m;
  char name[64] = "", family[16] = "", model[16] = "";
  find(in, "model name", name, sizeof name);
  find(in, "cpu family", family, sizeof family);
  find(in, "model", model, sizeof model);
  fclose(in);
  if (name[0]) snprintf(m.processor, sizeof m.processor, "%s, family %s, model %s", name, family, model);
  return m;
}
