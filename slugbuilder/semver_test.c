#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "slugbuilder/semver.h"

static void
whole_versions_are_read_and_others_refused(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ "1.2.3", 0 }, { "v1.2.3", 0 }, { "0.0.0", 0 }, { "1.2.3-rc.1", 0 },
		{ "1.2.3-rc.1+build.5", 0 }, { "1.2.3+build", 0 }, { "9007199254740991.0.0", 0 },
		{ "", -1 }, { "1", -1 }, { "1.2", -1 }, { "1.2.x", -1 }, { "1.2.3.4", -1 },
		{ "1.2.3-", -1 }, { "1.2.3+", -1 }, { "a.b.c", -1 }, { "1.2.3 ", -1 },
		{ "99999999999999999999.0.0", -1 }, { "-1.0.0", -1 },
		{ "1.0.0-0123456789012345678901234567890123456789012345678901234567890123456789", -1 },
	};
	struct semver v;

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(semver_parse(cases[i].text, &v), cases[i].want);
}

static void
precedence_is_that_of_the_specification(FL_UNUSED void **state)
{
	static const char *const rising[] = {
		"0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
		"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0",
	};

	for (size_t i = 0; i < fl_nitems(rising); i++) {
		for (size_t j = 0; j < fl_nitems(rising); j++) {
			struct semver a, b;
			int diff;

			assert_int_equal(semver_parse(rising[i], &a), 0);
			assert_int_equal(semver_parse(rising[j], &b), 0);
			diff = semver_cmp(&a, &b);
			assert_int_equal((diff > 0) - (diff < 0), (i > j) - (i < j));
		}
	}
}

static void
ranges_admit_what_npm_admits(FL_UNUSED void **state)
{
	static const struct {
		const char *range, *version;
		int want;
	} cases[] = {
		{ "", "1.2.3", 1 }, { "*", "1.2.3", 1 }, { "x", "0.0.1", 1 }, { "*", "1.0.0-rc.1", 0 },
		{ "20", "20.11.0", 1 }, { "20", "21.0.0", 0 }, { "20.x", "20.0.0", 1 }, { "20.x.x", "20.9.9", 1 },
		{ "20.11.x", "20.11.4", 1 }, { "20.11.x", "20.12.0", 0 }, { "v20", "20.1.0", 1 },
		{ "=20.11.0", "20.11.0", 1 }, { "20.11.0", "20.11.1", 0 }, { "= 20.11.0", "20.11.0", 1 },
		{ "^1.2.3", "1.9.0", 1 }, { "^1.2.3", "1.2.2", 0 }, { "^1.2.3", "2.0.0", 0 },
		{ "^0.2.3", "0.2.9", 1 }, { "^0.2.3", "0.3.0", 0 }, { "^0.0.3", "0.0.3", 1 },
		{ "^0.0.3", "0.0.4", 0 }, { "^0", "0.9.0", 1 }, { "^0.0", "0.0.9", 1 }, { "^0.0", "0.1.0", 0 },
		{ "^20", "20.5.0", 1 }, { "^1.2.3", "2.0.0-rc.1", 0 }, { "^1.2.3-rc.1", "1.2.3-rc.2", 1 },
		{ "^1.2.3-rc.1", "1.2.4-rc.2", 0 },
		{ "~1.2.3", "1.2.9", 1 }, { "~1.2.3", "1.3.0", 0 }, { "~1.2", "1.2.0", 1 }, { "~1", "1.9.0", 1 },
		{ "~1", "2.0.0", 0 }, { "~>1.2", "1.2.7", 1 },
		{ ">=18", "26.0.0", 1 }, { ">= 18", "17.9.0", 0 }, { ">18", "18.9.9", 0 }, { ">18", "19.0.0", 1 },
		{ ">18.1", "18.1.5", 0 }, { ">18.1", "18.2.0", 1 }, { ">1.2.3", "1.2.3", 0 }, { ">1.2.3", "1.2.4", 1 },
		{ "<18", "17.9.9", 1 }, { "<18", "18.0.0", 0 }, { "<18", "18.0.0-rc.1", 0 }, { "<=18", "18.9.0", 1 },
		{ "<=18", "19.0.0", 0 }, { "<=18.1", "18.1.9", 1 }, { "<=1.2.3", "1.2.3", 1 }, { "<*", "1.0.0", 0 },
		{ ">*", "1.0.0", 0 }, { ">=*", "1.0.0", 1 }, { ">=1.2.3 <2", "1.9.9", 1 }, { ">=1.2.3 <2", "2.0.0", 0 },
		{ ">=16 <19 || >=20", "19.5.0", 0 }, { ">=16 <19 || >=20", "20.0.0", 1 },
		{ "14 || 16||18", "16.2.0", 1 }, { "14 || 16 || 18", "17.0.0", 0 }, { "|| 99", "1.0.0", 1 },
		{ "1.2.3 - 2.3.4", "2.3.4", 1 }, { "1.2.3 - 2.3.4", "2.3.5", 0 }, { "1.2 - 2.3", "2.3.9", 1 },
		{ "1.2 - 2", "2.9.9", 1 }, { "1.2 - 2", "3.0.0", 0 }, { "1.2 - 2", "1.1.9", 0 },
		{ "^12.13.0 || ^14.15.0 || >=16", "14.15.0", 1 }, { "6 >=6.2.0 || 8 || >=9.3.0", "6.1.0", 0 },
		{ "6 >=6.2.0 || 8 || >=9.3.0", "6.2.0", 1 }, { "\t20\t", "20.0.0", 1 },
		{ "lts/*", "20.0.0", -1 }, { "latest", "20.0.0", -1 }, { "20 |", "20.0.0", -1 },
		{ ">>1", "1.0.0", -1 }, { "1.2.3.4", "1.2.3", -1 }, { "^", "1.0.0", -1 }, { "1 - ", "1.0.0", -1 },
		{ "99999999999999999999", "1.0.0", -1 },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };
		struct semver v;

		assert_int_equal(semver_parse(cases[i].version, &v), 0);
		if (semver_admits(cases[i].range, &v, &err) != cases[i].want)
			fail_msg("\"%s\" with %s is not %d", cases[i].range, cases[i].version, cases[i].want);
		if (cases[i].want == -1)
			assert_int_equal(err.kind, FL_ERR_INVALID);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_versions_are_read_and_others_refused),
		cmocka_unit_test(precedence_is_that_of_the_specification),
		cmocka_unit_test(ranges_admit_what_npm_admits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
