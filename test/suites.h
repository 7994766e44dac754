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
Suite *reverse_kl_suite(void);
Suite *divergence_suite(void);
Suite *terms_suite(void);
Suite *invariance_suite(void);
Suite *einval_suite(void);
Suite *noalloc_suite(void);

/* Cases of a suite that stand in a file of their own. */
TCase *solve_table_case(void);      /* test_solve_table.c */
TCase *solve_properties_case(void); /* test_solve_properties.c */
TCase *sample_draws_case(void);     /* test_sample_draws.c */
TCase *sample_filters_case(void);   /* test_sample_filters.c */
TCase *reverse_kl_edges_case(void); /* test_reverse_kl_edges.c */
TCase *stores_case(void);           /* test_stores.c */

#endif
