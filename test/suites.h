/* suites.h - the Check suites of the runner. */
#ifndef TEST_SUITES_H
#define TEST_SUITES_H

#include <check.h>

Suite *status_suite(void);
Suite *context_suite(void);
Suite *check_suite(void);
Suite *align_suite(void);
Suite *schedule_suite(void);
Suite *math_suite(void);
Suite *oracle_suite(void);
Suite *solve_suite(void);
Suite *blend_suite(void);
Suite *sample_suite(void);
Suite *verify_suite(void);
Suite *sparse_suite(void);
Suite *head_suite(void);
Suite *reverse_kl_suite(void);
Suite *divergence_suite(void);
Suite *terms_suite(void);
Suite *invariance_suite(void);
Suite *einval_suite(void);
Suite *noalloc_suite(void);
Suite *train_suite(void);
Suite *rollout_suite(void);
Suite *score_suite(void);
Suite *diagnostics_suite(void);

/* Cases of a suite that stand in a file of their own. */
TCase *solve_table_case(void);          /* test_solve_table.c */
TCase *solve_properties_case(void);     /* test_solve_properties.c */
TCase *sample_draws_case(void);         /* test_sample_draws.c */
TCase *sample_filters_case(void);       /* test_sample_filters.c */
TCase *reverse_kl_edges_case(void);     /* test_reverse_kl_edges.c */
TCase *sparse_einval_case(void);        /* test_sparse_einval.c */
TCase *stores_case(void);               /* test_stores.c */
TCase *nll_case(void);                  /* test_nll.c */
TCase *train_batches_case(void);        /* test_train_batches.c */
TCase *train_bridge_case(void);         /* test_train_bridge.c */
TCase *train_ends_case(void);           /* test_train_ends.c */
TCase *train_failures_case(void);       /* test_train_failures.c */
TCase *train_einval_case(void);         /* test_train_einval.c */
TCase *train_descent_case(void);        /* test_train_descent.c */
TCase *train_routed_case(void);         /* test_train_routed.c */
TCase *entropy_case(void);              /* test_diagnostics_entropy.c */
TCase *scores_case(void);               /* test_diagnostics_scores.c */
TCase *gain_case(void);                 /* test_diagnostics_gain.c */
TCase *gain_failures_case(void);        /* test_diagnostics_gain_failures.c */
TCase *rollout_exact_case(void);        /* test_rollout_exact.c */
TCase *rollout_blocks_case(void);       /* test_rollout_blocks.c */
TCase *rollout_numbers_case(void);      /* test_rollout_numbers.c */
TCase *rollout_independence_case(void); /* test_rollout_independence.c */
TCase *rollout_failures_case(void);     /* test_rollout_failures.c */
TCase *rollout_einval_case(void);       /* test_rollout_einval.c */
TCase *rollouts_new_case(void);         /* test_rollouts_new.c */
TCase *score_kept_case(void);           /* test_score_kept.c */
TCase *score_failures_case(void);       /* test_score_failures.c */

#endif
