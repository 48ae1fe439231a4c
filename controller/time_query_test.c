#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "controller/time_query.h"
#include "libflynn/attr.h"

#define NOW INT64_C(1800000000000000)
#define SECOND INT64_C(1000000)

static void
a_span_is_before_now(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		int64_t ago_s;
	} cases[] = { { "0s", 0 }, { "90s", 90 }, { "10m", 600 }, { "2h", 7200 }, { "1d", 86400 }, { "007m", 420 } };

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		int64_t us = 0;

		assert_int_equal(time_query_parse(cases[i].text, NOW, &us), 0);
		assert_int_equal(us, NOW - cases[i].ago_s * SECOND);
	}
}

static void
a_span_longer_than_all_time_is_all(FL_UNUSED void **state)
{
	int64_t us = 0;

	assert_int_equal(time_query_parse("999999999d", NOW, &us), 0);
	assert_int_equal(us, 1);
}

static void
a_time_is_itself(FL_UNUSED void **state)
{
	int64_t us = 0;

	assert_int_equal(time_query_parse("1970-01-01T00:00:02.5Z", NOW, &us), 0);
	assert_int_equal(us, 2500000);
	assert_int_equal(time_query_parse("1970-01-01T01:00:02+01:00", NOW, &us), 0);
	assert_int_equal(us, 2000000);
}

static void
all_else_is_refused(FL_UNUSED void **state)
{
	static const char *const texts[] = {
		"", "10", "m", "10x", "10mm", "-10m", "1.5h", " 10m", "10m ", "1234567890s", "yesterday", "2014-13-01T00:00:00Z", "1970-01-01T00:00:00Z",
	};

	for (size_t i = 0; i < fl_nitems(texts); i++) {
		int64_t us = 7;

		assert_int_equal(time_query_parse(texts[i], NOW, &us), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_span_is_before_now),
		cmocka_unit_test(a_span_longer_than_all_time_is_all),
		cmocka_unit_test(a_time_is_itself),
		cmocka_unit_test(all_else_is_refused),
	};

	return cmocka_run_group_tests_name("time_query", tests, NULL, NULL);
}
