#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/engine.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"

static void
the_version_is_the_newest_that_both_speak(void **state)
{
	static const struct {
		const char *newest, *oldest;
		int want;
	} cases[] = {
		{ "1.41", "1.12", 41 }, /* Engine 20.10 */
		{ "1.40", "1.12", 40 },
		{ "1.47", "1.24", 47 },
		{ "1.51", "1.44", 47 }, /* refuses below 1.44 */
		{ "1.60", "1.50", 50 }, /* refuses all we know: the oldest it has is the nearest */
		{ "1.41", NULL, 41 },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(engine_negotiate(cases[i].newest, cases[i].oldest, NULL), cases[i].want);
}

static void
what_is_too_old_or_no_engine_is_refused(void **state)
{
	static const struct {
		const char *newest, *sentence;
	} cases[] = {
		{ "1.24", "use Docker 19.03 or newer" },
		{ NULL, "is it Docker?" },
		{ "", "is it Docker?" },
		{ "2.1", "is it Docker?" },
		{ "banana", "is it Docker?" },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_int_equal(engine_negotiate(cases[i].newest, NULL, &err), -1);
		assert_non_null(strstr(err.msg, cases[i].sentence));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_version_is_the_newest_that_both_speak),
		cmocka_unit_test(what_is_too_old_or_no_engine_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
