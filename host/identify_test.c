#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "host/engine.h"
#include "host/fixture.h"
#include "host/identify.h"
#include "host/pull.h"
#include "libflynn/attr.h"
#include "libflynn/loop_test.h"

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

static bool is_identified;

static void
on_identified(FL_UNUSED struct host *h)
{
	is_identified = true;
}

/* With an id that is not ours all that runs would look like another host's. */
static void
nothing_is_guessed_while_the_engine_is_silent(void **state)
{
	static const struct engine_ops ops = { 0 };
	struct fixture *f = *state;
	struct host *h = &f->host;
	struct identify *i;

	free(h->id);
	h->id = NULL;
	h->engine = engine_new(h->base, "/nonexistent/docker.sock", &ops, h);
	i = identify_start(h, on_identified);
	assert_false(loop_until_ms(h->base, loop_is_set, &is_identified, 500));
	assert_null(h->id);
	assert_non_null(h->bridge_ip);
	identify_cancel(i);
	engine_free(h->engine);
	h->engine = NULL;
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
		cmocka_unit_test_setup_teardown(nothing_is_guessed_while_the_engine_is_silent, fixture_setup, fixture_teardown),
		cmocka_unit_test(the_complaint_in_a_pulls_report_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
