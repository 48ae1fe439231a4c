#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "shelf/range.h"

#define ETAG "\"abc\""
static const struct range_stored stored = { ETAG, 784111777, 100 }; /* Sun, 06 Nov 1994 08:49:37 GMT */

static void
one_range_is_a_part(FL_UNUSED void **state)
{
	static const struct {
		const char *range;
		struct range want;
	} cases[] = {
		{ NULL, { 200, 0, 100 } },
		{ "bytes=0-9", { 206, 0, 10 } },
		{ "Bytes=0-9", { 206, 0, 10 } },
		{ "bytes=90-", { 206, 90, 10 } },
		{ "bytes=90-1000", { 206, 90, 10 } },
		{ "bytes=0-0", { 206, 0, 1 } },
		{ "bytes=99-99", { 206, 99, 1 } },
		{ "bytes=-10", { 206, 90, 10 } },
		{ "bytes=-1000", { 206, 0, 100 } },
		{ "bytes=0-99999999999999999999999999", { 206, 0, 100 } },
		{ "bytes=100-", { 416, 0, 0 } },
		{ "bytes=99999999999999999999999999-", { 416, 0, 0 } },
		{ "bytes=-0", { 416, 0, 0 } },
		{ "bytes=0-1,5-6", { 200, 0, 100 } }, /* several: all */
		{ "bytes=9-0", { 200, 0, 100 } },     /* malformed: all */
		{ "bytes=", { 200, 0, 100 } },
		{ "bytes=-", { 200, 0, 100 } },
		{ "bytes=a-b", { 200, 0, 100 } },
		{ "lines=0-9", { 200, 0, 100 } },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct range got = range_of(&(struct range_headers){ .range = cases[i].range }, &stored);

		if (got.status != cases[i].want.status || got.offset != cases[i].want.offset || got.length != cases[i].want.length)
			fail_msg("%s: %d %lld %lld", cases[i].range, got.status, (long long)got.offset, (long long)got.length);
	}
}

static void
an_empty_blob_has_no_parts(FL_UNUSED void **state)
{
	static const struct range_stored empty = { ETAG, 1, 0 };

	assert_int_equal(range_of(&(struct range_headers){ 0 }, &empty).status, 200);
	assert_int_equal(range_of(&(struct range_headers){ .range = "bytes=0-" }, &empty).status, 416);
	assert_int_equal(range_of(&(struct range_headers){ .range = "bytes=-5" }, &empty).status, 416);
}

static void
conditions_are_weighed(FL_UNUSED void **state)
{
	static const struct {
		struct range_headers headers;
		int want;
	} cases[] = {
		{ { .if_none_match = ETAG }, 304 },
		{ { .if_none_match = "W/" ETAG }, 304 },
		{ { .if_none_match = "\"x\", " ETAG }, 304 },
		{ { .if_none_match = "*" }, 304 },
		{ { .if_none_match = "\"x\"" }, 200 },
		{ { .if_none_match = "\"x, y\", \"z" }, 200 },
		{ { .if_none_match = "abc" }, 200 },
		{ { .if_none_match = "" }, 200 },
		{ { .if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT" }, 304 },
		{ { .if_modified_since = "Sun, 06 Nov 1994 08:49:38 GMT" }, 304 },
		{ { .if_modified_since = "Sun, 06 Nov 1994 08:49:36 GMT" }, 200 },
		{ { .if_modified_since = "yesterday" }, 200 },
		{ { .if_none_match = "\"x\"", .if_modified_since = "Sun, 06 Nov 1994 08:49:37 GMT" }, 200 },
		{ { .if_none_match = ETAG, .range = "bytes=0-1" }, 304 },
		{ { .if_range = ETAG, .range = "bytes=0-1" }, 206 },
		{ { .if_range = "W/" ETAG, .range = "bytes=0-1" }, 200 },
		{ { .if_range = "\"x\"", .range = "bytes=0-1" }, 200 },
		{ { .if_range = "Sun, 06 Nov 1994 08:49:37 GMT", .range = "bytes=0-1" }, 206 },
		{ { .if_range = "Sun, 06 Nov 1994 08:49:38 GMT", .range = "bytes=0-1" }, 200 },
		{ { .if_range = "\"x\"", .range = "bytes=100-" }, 200 },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		int got = range_of(&cases[i].headers, &stored).status;

		if (got != cases[i].want)
			fail_msg("case %zu: %d", i, got);
	}
}

static void
dates_are_written_and_read(FL_UNUSED void **state)
{
	char text[RANGE_DATE_LEN];
	int64_t seconds = 0;

	range_date(784111777, text);
	assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_int_equal(range_date_parse(text, &seconds), 0);
	assert_int_equal(seconds, 784111777);
	assert_int_equal(range_date_parse("Sun, 06 Nov 1994 08:49:37 GMT+1", &seconds), -1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_range_is_a_part),
		cmocka_unit_test(an_empty_blob_has_no_parts),
		cmocka_unit_test(conditions_are_weighed),
		cmocka_unit_test(dates_are_written_and_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
