/* decoder_cases.h - the cases of the suite "decoder" that stand in files of their own. */
#ifndef TEST_DISTILL_DECODER_CASES_H
#define TEST_DISTILL_DECODER_CASES_H

#include <check.h>

TCase *decoder_gradient_case(void); /* test_gradient.c */
TCase *decoder_cache_case(void);    /* test_cache.c */

#endif
