/* runner.c - runs Check suites by their names. Check's variables (CK_FORK, CK_VERBOSITY, CK_RUN_SUITE, CK_RUN_CASE,
 * ...) work as ever. */
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int find(const named_suite *suites, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (strcmp(suites[i].name, name) == 0) return i;
  return -1;
}

static int usage(const named_suite *suites, int n, const char *program) {
  fprintf(stderr, "usage: %s [suite...]\nsuites:", program);
  for (int i = 0; i < n; i++) fprintf(stderr, " %s", suites[i].name);
  fputc('\n', stderr);
  return EXIT_FAILURE;
}

int run_suites(const named_suite *suites, int n, int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    if (find(suites, n, argv[i]) < 0) return usage(suites, n, argv[0]);
  SRunner *runner = srunner_create(NULL);
  for (int i = 1; i < argc; i++) srunner_add_suite(runner, suites[find(suites, n, argv[i])].make());
  for (int i = 0; argc < 2 && i < n; i++) srunner_add_suite(runner, suites[i].make());
  srunner_run_all(runner, CK_ENV);
  const int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
