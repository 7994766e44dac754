/* runner.h - runs Check suites by their names. */
#ifndef TEST_RUNNER_H
#define TEST_RUNNER_H

#include <check.h>

typedef struct named_suite {
  const char *name;
  Suite *(*make)(void);
} named_suite;

/* All of them, or those named on the command line. What main returns. */
int run_suites(const named_suite *suites, int n, int argc, char **argv);

#endif
