#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/number.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"

static void
a_number_is_nothing_else(void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ "0", 0 }, { "7", 7 }, { "99", 99 }, { "100", -1 }, { "", -1 }, { "-1", -1 }, { "+1", -1 }, { " 1", -1 }, { "1 ", -1 },
		{ "1x", -1 }, { "x", -1 }, { "99999999999999999999", -1 },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(number_read(cases[i].text, 99), cases[i].want);
}

static void
a_time_has_a_unit_or_none(void **state)
{
	static const struct {
		const char *text;
		int want; /* 0: refused */
	} cases[] = {
		{ "30s", 30 }, { "30", 30 }, { "2m", 120 }, { "60m", 3600 }, { "3600", 3600 }, { "61m", 0 }, { "3601s", 0 }, { "0s", 0 },
		{ "", 0 }, { "s", 0 }, { "m", 0 }, { "30 s", 0 }, { "1h", 0 }, { "-5s", 0 }, { "99999999999999999999m", 0 },
	};
	struct fl_err err;

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		int s = 0;

		assert_int_equal(number_read_time("timeout", cases[i].text, 3600, &s, &err), cases[i].want == 0 ? -1 : 0);
		assert_int_equal(s, cases[i].want);
	}
	assert_string_equal(err.msg, "timeout: write, say, 30s or 2m, and no more than 3600 s");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_nothing_else),
		cmocka_unit_test(a_time_has_a_unit_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
