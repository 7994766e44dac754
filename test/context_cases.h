/* context_cases.h - cases of the context suite that stand in files of their own. */
#ifndef TEST_CONTEXT_CASES_H
#define TEST_CONTEXT_CASES_H

#include <check.h>

TCase *rows_case(void); /* test_threads.c */
TCase *fork_case(void); /* test_fork.c */

#endif
