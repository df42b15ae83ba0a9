/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Comes before hmm-tests.c (gcc -include). kselftest_harness.h gives each test 30 seconds of the guest's clock,
 * which says nothing of a guest that is emulated, on a busy host, with KASAN and lockdep. The limit is an
 * expression that is evaluated when a test is registered, so the environment can set it.
 */
#ifndef HMMDIFF_TEST_LIMIT_H
#define HMMDIFF_TEST_LIMIT_H

#include <stdlib.h>
#include "kselftest_harness.h"

enum { TEST_LIMIT_OF_HARNESS = TEST_TIMEOUT_DEFAULT };

/* Seconds for each test: HMMDIFF_TEST_SECONDS, or what the harness gives. */
static inline int test_limit(void)
{
	const char *seconds = getenv("HMMDIFF_TEST_SECONDS");

	return seconds ? atoi(seconds) : TEST_LIMIT_OF_HARNESS;
}

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT test_limit()

#endif
