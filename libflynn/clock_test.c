#include "libflynn/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "libflynn/attr.h"

static void
times_are_written_without_needless_zeros(FL_UNUSED void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1406941323123456, "2014-08-02T01:02:03.123456Z" },
		{ 1406941323120000, "2014-08-02T01:02:03.12Z" },
		{ 1406941323000001, "2014-08-02T01:02:03.000001Z" },
		{ -1, "1969-12-31T23:59:59.999999Z" },
		{ -62167219200000000, "0000-01-01T00:00:00Z" },
		{ 951782400000000, "2000-02-29T00:00:00Z" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char text[FL_CLOCK_RFC3339_LEN];
		int64_t us = 0;

		fl_clock_format(cases[i].us, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(fl_clock_parse(text, &us), 0);
		assert_int_equal(us, cases[i].us);
	}
}

static void
time_is_written_for_http(FL_UNUSED void **state)
{
	char text[FL_CLOCK_HTTP_LEN];

	fl_clock_format_http(784111777, text);
	assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
}

static void
extreme_times_fit(FL_UNUSED void **state)
{
	char text[FL_CLOCK_RFC3339_LEN];

	fl_clock_format(INT64_MAX, text);
	assert_string_equal(text, "294247-01-10T04:00:54.775807Z");
	fl_clock_format(INT64_MIN, text);
	assert_string_equal(text, "-290308-12-21T19:59:05.224192Z");
}

static void
any_offset_and_fraction_is_read(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} cases[] = {
		{ "2014-08-02T01:02:03.123456789Z", 1406941323123456 },
		{ "2014-08-02t01:02:03z", 1406941323000000 },
		{ "2014-08-02T03:02:03.5+02:00", 1406941323500000 },
		{ "2014-08-01T20:32:03-04:30", 1406941323000000 },
		{ "2016-12-31T23:59:60Z", 1483228800000000 },
		{ "0000-03-01T00:00:00Z", -62162035200000000 },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		int64_t us = 0;

		assert_int_equal(fl_clock_parse(cases[i].text, &us), 0);
		assert_int_equal(us, cases[i].us);
	}
}

static void
other_text_is_no_time(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"", "2014", "2014-08-02", "2014-08-02T01:02:03", "2014-08-02 01:02:03Z", "2014-8-02T01:02:03Z",
		"2014-13-02T01:02:03Z", "2014-00-02T01:02:03Z", "2014-02-29T01:02:03Z", "1900-02-29T01:02:03Z",
		"2014-04-31T00:00:00Z", "2014-08-00T00:00:00Z", "2014-08-02T24:00:00Z", "2014-08-02T23:60:00Z",
		"2014-08-02T23:00:61Z", "2014-08-02T01:02:03.Z", "2014-08-02T01:02:03,5Z", "2014-08-02T01:02:03ZZ",
		"2014-08-02T01:02:03+0200", "2014-08-02T01:02:03+24:00", "2014-08-02T01:02:03+02:60",
		"-2014-08-02T01:02:03Z", "2014-08-02T01:02:0xZ",
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		int64_t us = 42;

		assert_int_equal(fl_clock_parse(cases[i], &us), -1);
		assert_int_equal(us, 42);
	}
}

/* Against the C library's own calendar, a day at a time over 400 years. */
static void
the_calendar_is_the_c_librarys(FL_UNUSED void **state)
{
	for (int64_t day = -73048; day < 73049; day++) {
		char text[FL_CLOCK_RFC3339_LEN], want[FL_CLOCK_RFC3339_LEN];
		time_t s = (time_t)(day * 86400);
		int64_t us = 0;
		struct tm tm;

		gmtime_r(&s, &tm);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
		fl_clock_format(day * 86400000000, text);
		assert_string_equal(text, want);
		assert_int_equal(fl_clock_parse(want, &us), 0);
		assert_int_equal(us, day * 86400000000);
	}
}

static void
the_monotonic_clock_goes_on(FL_UNUSED void **state)
{
	int64_t us = fl_clock_us(), ms = fl_clock_ms();

	assert_true(fl_clock_us() >= us);
	assert_true(fl_clock_ms() >= ms);
	assert_in_range(ms, us / 1000, us / 1000 + 1000);
	assert_true(fl_clock_wall_us() > 1406941323000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_without_needless_zeros),
		cmocka_unit_test(time_is_written_for_http),
		cmocka_unit_test(extreme_times_fit),
		cmocka_unit_test(any_offset_and_fraction_is_read),
		cmocka_unit_test(other_text_is_no_time),
		cmocka_unit_test(the_calendar_is_the_c_librarys),
		cmocka_unit_test(the_monotonic_clock_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
