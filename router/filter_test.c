#include "router/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"

static bool
matches(const char *host, const char *status, const char *slow)
{
	struct record r = { .status = 503, .total_us = 500000, .host = { "www.example.com", 15 } };
	struct filter f = { 0 };

	assert_int_equal(filter_parse(&f, host, status, slow, NULL), 0);
	return filter_matches(&f, &r);
}

static void
each_condition_must_hold(FL_UNUSED void **state)
{
	static const struct {
		const char *host, *status, *slow;
		bool want;
	} cases[] = {
		{ NULL, NULL, NULL, true },
		{ "", "", "", true },
		{ "www.example.com", NULL, NULL, true },
		{ "WWW.example.com:443", NULL, NULL, true },
		{ "www.example.co", NULL, NULL, false },
		{ "example.com", NULL, NULL, false },
		{ ":2222", NULL, NULL, false },
		{ NULL, "503", NULL, true },
		{ NULL, "5xx", NULL, true },
		{ NULL, "502", NULL, false },
		{ NULL, "4xx", NULL, false },
		{ NULL, NULL, "500ms", true },
		{ NULL, NULL, "0.5s", true },
		{ NULL, NULL, "501ms", false },
		{ "www.example.com", "5xx", "1ms", true },
		{ "www.example.com", "5xx", "1s", false },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(matches(cases[i].host, cases[i].status, cases[i].slow), cases[i].want);
}

static void
class_has_its_hundred(FL_UNUSED void **state)
{
	static const int other[] = { 0, 399, 500 }, own[] = { 400, 404, 499 };
	struct filter f = { 0 };

	assert_int_equal(filter_parse(&f, NULL, "4xx", NULL, NULL), 0);
	for (size_t i = 0; i < fl_nitems(own); i++)
		assert_true(filter_matches(&f, &(struct record){ .status = (uint16_t)own[i] }));
	for (size_t i = 0; i < fl_nitems(other); i++)
		assert_false(filter_matches(&f, &(struct record){ .status = (uint16_t)other[i] }));
}

/* A record has as much of a host as fits it: it is found by the whole name. */
static void
long_host_is_found_as_it_was_noted(FL_UNUSED void **state)
{
	char host[2 * 63 + sizeof(".example.com")];
	struct filter f = { 0 };

	memset(host, 'a', sizeof(host));
	host[63] = '.';
	strcpy(host + 2 * 63, ".example.com");
	assert_true(strlen(host) > RECORD_HOST);
	assert_int_equal(filter_parse(&f, host, NULL, NULL, NULL), 0);
	assert_true(filter_matches(&f, &(struct record){ .host = { host, RECORD_HOST } }));
	assert_false(filter_matches(&f, &(struct record){ .host = { host, RECORD_HOST - 1 } }));
}

static void
nonsense_is_refused_by_name(FL_UNUSED void **state)
{
	static const struct {
		const char *host, *status, *slow, *name;
	} cases[] = {
		{ "a b", NULL, NULL, "host" }, { ":1234567", NULL, NULL, "host" }, { "[::1", NULL, NULL, "host" },
		{ NULL, "6xx", NULL, "status" }, { NULL, "0xx", NULL, "status" }, { NULL, "5x", NULL, "status" },
		{ NULL, "-12", NULL, "status" }, { NULL, "012", NULL, "status" }, { NULL, "2000", NULL, "status" },
		{ NULL, NULL, "500", "slow" }, { NULL, NULL, "ms", "slow" }, { NULL, NULL, "0s", "slow" },
		{ NULL, NULL, "-1s", "slow" }, { NULL, NULL, "nans", "slow" }, { NULL, NULL, "infs", "slow" }, { NULL, NULL, "1e300s", "slow" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct filter f = { 0 };
		struct fl_err err = { 0 };

		assert_int_equal(filter_parse(&f, cases[i].host, cases[i].status, cases[i].slow, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_int_equal(strncmp(err.msg, cases[i].name, strlen(cases[i].name)), 0);
	}
}

static void
routes_are_those_that_were_added(FL_UNUSED void **state)
{
	struct filter f = { 0 };

	filter_clear_routes(&f);
	assert_false(filter_matches(&f, &(struct record){ .route = 7 }));
	for (uint32_t i = 100; i > 0; i--)
		filter_add_route(&f, i * 2);
	filter_sort_routes(&f);
	for (uint32_t i = 0; i < 203; i++)
		assert_int_equal(filter_matches(&f, &(struct record){ .route = i }), i > 0 && i <= 200 && i % 2 == 0);
	filter_clear_routes(&f);
	assert_false(filter_matches(&f, &(struct record){ .route = 2 }));
	filter_release(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_condition_must_hold),
		cmocka_unit_test(class_has_its_hundred),
		cmocka_unit_test(long_host_is_found_as_it_was_noted),
		cmocka_unit_test(nonsense_is_refused_by_name),
		cmocka_unit_test(routes_are_those_that_were_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
