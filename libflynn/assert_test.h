/*
 * assert_test - for tests, behind cmocka.h: what its own assertions do not say in one line.
 */
#ifndef FL_ASSERT_TEST_H
#define FL_ASSERT_TEST_H

#include "libflynn/attr.h"
#include "libflynn/buf.h"

/* Two strings, or NULL twice. */
FL_UNUSED static void
assert_same(const char *got, const char *want)
{
	if (want == NULL)
		assert_null(got);
	else
		assert_string_equal(got, want);
}

/* All that was written, which is released. */
FL_UNUSED static void
assert_wrote(struct fl_buf *got, const char *want, size_t len)
{
	assert_int_equal(got->len, len);
	assert_memory_equal(got->data, want, len);
	fl_buf_release(got);
}

#endif
