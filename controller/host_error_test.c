#include "controller/host_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "libflynn/attr.h"

static void
only_text_is_left(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		size_t max;
		const char *want;
	} cases[] = {
		{ "", 10, "" },
		{ "web exited 1:\n\tno\r\n", 100, "web exited 1:\n\tno\r\n" },
		{ "\x1b[31mError\x1b[0m: \x1b[1;38;5;12mno\x1b[m", 100, "Error: no" },
		{ "\x1b]0;title\x07" "a\x1b]8;;http://x\x1b\\b", 100, "ab" },
		{ "a\x01\x7f\x08" "b\x1b" "c", 100, "abc" },
		{ "a\x1b", 100, "a" },
		{ "a\x1b[", 100, "a" },
		{ "a\x1b[1;3", 100, "a" },
		{ "a\x1b[1\nb", 100, "a\nb" },
		{ "a\x1b]0;no end", 100, "a" },
		{ "a\xc3\xa9\xe2\x82\xac", 100, "a\xc3\xa9\xe2\x82\xac" },
		{ "a\xc3\xa9\xe2\x82\xac", 6, "a\xc3\xa9\xe2\x82\xac" },
		{ "a\xc3\xa9\xe2\x82\xac", 5, "a\xc3\xa9" },
		{ "a\xc3\xa9\xe2\x82\xac", 2, "a" },
		{ "\xe2\x82\xac", 2, "" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *got = host_error_plain(cases[i].text, cases[i].max);

		assert_string_equal(got, cases[i].want);
		free(got);
	}
	assert_null(host_error_plain(NULL, 10));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_text_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
