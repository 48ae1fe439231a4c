/*
 * expect - for fuzzers: what has to be true, whatever the input.
 */
#ifndef TEST_FUZZ_EXPECT_H
#define TEST_FUZZ_EXPECT_H

#include <stdbool.h>
#include <stdlib.h>

static inline void
expect(bool truth)
{
	if (!truth)
		abort();
}

#endif
