/* suites.h - the Check suites of the demo's runner. */
#ifndef TEST_DISTILL_SUITES_H
#define TEST_DISTILL_SUITES_H

#include <check.h>

Suite *decoder_suite(void);
Suite *adamw_suite(void);
Suite *checkpoint_suite(void);
Suite *llama2_suite(void);
Suite *random_suite(void);
Suite *task_suite(void);
Suite *metrics_suite(void);
Suite *stats_suite(void);
Suite *report_suite(void);
Suite *lm_suite(void);
Suite *blocks_suite(void);
Suite *method_suite(void);
Suite *jobs_suite(void);

#endif
