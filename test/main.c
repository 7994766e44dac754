/* main.c - runs the suites: all of them, or those named on the command line. Check's variables (CK_FORK, CK_VERBOSITY,
 * CK_RUN_SUITE, CK_RUN_CASE, ...) work as ever. TRB_TEST_SCALE multiplies the number of random rows; TRB_TEST_VERBOSE
 * prints the worst errors that were seen. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

static const struct {
  const char *name;
  Suite *(*make)(void);
} suites[] = {
    {"status", status_suite},   {"context", context_suite},       {"check", check_suite},
    {"align", align_suite},     {"schedule", schedule_suite},     {"math", math_suite},
    {"oracle", oracle_suite},   {"solve", solve_suite},           {"blend", blend_suite},
    {"sample", sample_suite},   {"reverse_kl", reverse_kl_suite}, {"divergence", divergence_suite},
    {"terms", terms_suite},     {"invariance", invariance_suite}, {"einval", einval_suite},
    {"noalloc", noalloc_suite},
};

enum { SUITES = sizeof suites / sizeof suites[0] };

static int find(const char *name) {
  for (int i = 0; i < SUITES; i++) {
    if (strcmp(suites[i].name, name) == 0) return i;
  }
  return -1;
}

int main(int argc, char **argv) {
  SRunner *runner = srunner_create(NULL);
  for (int i = 1; i < argc; i++) {
    int suite = find(argv[i]);
    if (suite < 0) {
      fprintf(stderr, "usage: %s [suite...]\nsuites:", argv[0]);
      for (int k = 0; k < SUITES; k++) fprintf(stderr, " %s", suites[k].name);
      fputc('\n', stderr);
      srunner_free(runner);
      return EXIT_FAILURE;
    }
    srunner_add_suite(runner, suites[suite].make());
  }
  for (int i = 0; argc < 2 && i < SUITES; i++) srunner_add_suite(runner, suites[i].make());
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
