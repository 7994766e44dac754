/* main.c - the suites of the demo. */
#include <cblas.h>

#include "runner.h"
#include "suites.h"

static const named_suite suites[] = {
    {"random", random_suite}, {"decoder", decoder_suite}, {"adamw", adamw_suite},     {"checkpoint", checkpoint_suite},
    {"llama2", llama2_suite}, {"task", task_suite},       {"metrics", metrics_suite}, {"stats", stats_suite},
    {"report", report_suite}, {"lm", lm_suite},           {"blocks", blocks_suite},   {"method", method_suite},
    {"jobs", jobs_suite},
};

int main(int argc, char **argv) {
  openblas_set_num_threads(1);
  return run_suites(suites, sizeof suites / sizeof suites[0], argc, argv);
}
