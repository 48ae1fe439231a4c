#include "libflynn/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"

static void
characters_have_their_length(FL_UNUSED void **state)
{
	static const struct {
		const char *bytes;
		size_t want;
	} cases[] = {
		{ "", 0 }, { "a", 1 }, { "\x7f", 1 }, { "\xc2\x80", 2 }, { "\xdf\xbf", 2 }, { "\xe0\xa0\x80", 3 },
		{ "\xed\x9f\xbf", 3 }, { "\xee\x80\x80", 3 }, { "\xef\xbf\xbf", 3 }, { "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		/* a continuation, overlong forms, a surrogate, beyond U+10FFFF, cut short, no continuation */
		{ "\x80", 0 }, { "\xc0\x80", 0 }, { "\xc1\xbf", 0 }, { "\xe0\x9f\xbf", 0 }, { "\xf0\x8f\xbf\xbf", 0 },
		{ "\xed\xa0\x80", 0 }, { "\xf4\x90\x80\x80", 0 }, { "\xf5\x80\x80\x80", 0 }, { "\xff", 0 },
		{ "\xc2", 0 }, { "\xe2\x82", 0 }, { "\xf0\x9f\x98", 0 }, { "\xc2" "a", 0 }, { "\xe2\x82" "a", 0 },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(fl_utf8_len(cases[i].bytes, strlen(cases[i].bytes)), cases[i].want);
}

static void
text_is_valid_as_a_whole(FL_UNUSED void **state)
{
	static const struct {
		const char *bytes;
		bool want;
	} cases[] = {
		{ "", true }, { "slug", true }, { "\xc3\xa4\xe2\x82\xac x", true },
		{ "\xc3", false }, { "x\xff", false }, { "\xe2\x82\xac\xe2\x82", false },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(fl_utf8_valid(cases[i].bytes, strlen(cases[i].bytes)), cases[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_have_their_length),
		cmocka_unit_test(text_is_valid_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
