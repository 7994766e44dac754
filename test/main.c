/* main.c - the library's suites. TRB_TEST_SCALE multiplies the number of random rows; TRB_TEST_VERBOSE prints the worst
 * errors that were seen. */
#include "runner.h"
#include "suites.h"

static const named_suite suites[] = {
    {"status", status_suite},
    {"context", context_suite},
    {"check", check_suite},
    {"align", align_suite},
    {"schedule", schedule_suite},
    {"math", math_suite},
    {"oracle", oracle_suite},
    {"solve", solve_suite},
    {"blend", blend_suite},
    {"sample", sample_suite},
    {"reverse_kl", reverse_kl_suite},
    {"divergence", divergence_suite},
    {"terms", terms_suite},
    {"verify", verify_suite},
    {"sparse", sparse_suite},
    {"head", head_suite},
    {"invariance", invariance_suite},
    {"einval", einval_suite},
    {"noalloc", noalloc_suite},
    {"rollout", rollout_suite},
    {"score", score_suite},
    {"train", train_suite},
    {"diagnostics", diagnostics_suite},
};

int main(int argc, char **argv) {
  return run_suites(suites, sizeof suites / sizeof suites[0], argc, argv);
}
