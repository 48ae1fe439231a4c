#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/identify.h"
#include "host/pull.h"
#include "libflynn/attr.h"

static void
a_host_id_has_no_dash(void **state)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{ "debian", "debian" }, { "Web-01.example.com", "web01examplecom" }, { "", "host" }, { "---", "host" },
		{ "\xc3\xbcml", "ml" }, { "a23456789012345678901234567890123456789", "a2345678901234567890123456789012" },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *id = identify_id(cases[i].name);

		assert_string_equal(id, cases[i].want);
		free(id);
	}
}

static void
the_bridge_has_its_subnets_first_address(void **state)
{
	static const struct {
		const char *subnet, *want;
	} cases[] = { { "172.17.0.0/16", "172.17.0.1" }, { "10.199.1.0/24", "10.199.1.1" }, { "fd00::/64", NULL }, { "", NULL } };

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *ip = identify_first_address(cases[i].subnet);

		if (cases[i].want == NULL)
			assert_null(ip);
		else
			assert_string_equal(ip, cases[i].want);
		free(ip);
	}
}

static void
the_complaint_in_a_pulls_report_is_found(void **state)
{
	static const struct {
		const char *report, *want;
	} cases[] = {
		{ "", NULL },
		{ "{\"status\":\"Pulling\"}\r\n{\"status\":\"Done\"}\r\n", NULL },
		{ "{\"status\":\"Pulling\"}\n{\"errorDetail\":{\"message\":\"no\"},\"error\":\"no such tag\"}\n", "no such tag" },
		{ "rubbish\n{\"error\":\"x\"}", "x" },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *got = pull_complaint(cases[i].report);

		if (cases[i].want == NULL)
			assert_null(got);
		else
			assert_string_equal(got, cases[i].want);
		free(got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_id_has_no_dash),
		cmocka_unit_test(the_bridge_has_its_subnets_first_address),
		cmocka_unit_test(the_complaint_in_a_pulls_report_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
