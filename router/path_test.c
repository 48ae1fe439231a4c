/* The readings of a path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "router/path.h"

static struct fl_span
span(const char *text)
{
	return (struct fl_span){ text, strlen(text) };
}

static void
path_is_read_in_four_ways(FL_UNUSED void **state)
{
	static const struct {
		const char *path, *decoded, *resolved, *loose, *loose_resolved;
	} cases[] = {
		{ "/", "/", "/", "/", "/" },
		{ "/a/b", "/a/b", "/a/b", "/a/b", "/a/b" },
		{ "/a/b/", "/a/b/", "/a/b/", "/a/b/", "/a/b/" },
		{ "/%61%2e%7E", "/a.~", "/a.~", "/a.~", "/a.~" },
		{ "/a/./b", "/a/./b", "/a/b", "/a/./b", "/a/b" },
		{ "/a/../b", "/a/../b", "/b", "/a/../b", "/b" },
		{ "/a/%2e%2E/b", "/a/../b", "/b", "/a/../b", "/b" },
		{ "/a/.%2e", "/a/..", "/", "/a/..", "/" },
		{ "/a/.", "/a/.", "/a/", "/a/.", "/a/" },
		{ "/../../a", "/../../a", "/a", "/../../a", "/a" },
		{ "/a//b", "/a//b", "/a//b", "/a/b", "/a/b" },
		{ "//a", "//a", "//a", "/a", "/a" },
		{ "/a//../b", "/a//../b", "/a/b", "/a/../b", "/b" },
		{ "/a%2Fb", "/a%2Fb", "/a%2Fb", "/a/b", "/a/b" },
		{ "/a%2f%2e%2e%2fb", "/a%2f..%2fb", "/a%2f..%2fb", "/a/../b", "/b" },
		{ "/a\\b", "/a\\b", "/a\\b", "/a/b", "/a/b" },
		{ "/a%5cb", "/a%5cb", "/a%5cb", "/a/b", "/a/b" },
		{ "/a;x=1/b", "/a;x=1/b", "/a;x=1/b", "/a/b", "/a/b" },
		{ "/a/..;/b", "/a/..;/b", "/a/..;/b", "/a/../b", "/b" },
		{ "/%2561", "/%61", "/%61", "/a", "/a" },
		{ "/%252e%252e/b", "/%2e%2e/b", "/%2e%2e/b", "/../b", "/b" },
		{ "/%", "/%", "/%", "/%", "/%" },
		{ "/%4", "/%4", "/%4", "/%4", "/%4" },
		{ "/%zz%4g", "/%zz%4g", "/%zz%4g", "/%zz%4g", "/%zz%4g" },
		{ "/...", "/...", "/...", "/...", "/..." },
		{ "/.a", "/.a", "/.a", "/.a", "/.a" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		const char *want[PATH_READINGS] = { cases[i].decoded, cases[i].resolved, cases[i].loose, cases[i].loose_resolved };
		bool same = true;

		for (int r = 0; r < PATH_READINGS; r++) {
			char out[64];
			size_t n = path_read(out, span(cases[i].path), (enum path_reading)r);

			out[n] = '\0';
			assert_string_equal(out, want[r]);
			same = same && strcmp(out, cases[i].path) == 0;
		}
		if (path_is_plain(span(cases[i].path)))
			assert_true(same);
		else if (strcmp(cases[i].path, "/.a") != 0 && strcmp(cases[i].path, "/...") != 0 && cases[i].path[1] != '%')
			assert_false(same);
	}
}

static void
nul_ends_the_loose_reading(FL_UNUSED void **state)
{
	char out[16];

	assert_int_equal(path_read(out, span("/a%00b"), PATH_DECODED), 4);
	assert_int_equal(path_read(out, span("/a%00b"), PATH_LOOSE), 2);
	assert_int_equal(path_read(out, span("/a%2500b"), PATH_LOOSE), 2);
}

static void
prefix_ends_at_a_segment(FL_UNUSED void **state)
{
	static const struct {
		const char *path, *prefix;
		bool want;
	} cases[] = {
		{ "/api", "/api", true }, { "/api/", "/api", true }, { "/api/x", "/api", true }, { "/apix", "/api", false },
		{ "/ap", "/api", false }, { "/", "/api", false }, { "/x/api", "/api", false }, { "/API", "/api", false },
		{ "/", "", true }, { "/x", "", true }, { "/a/b/c", "/a/b", true }, { "/a/bc", "/a/b", false },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(path_is_below(span(cases[i].path), cases[i].prefix, strlen(cases[i].prefix)), cases[i].want);
}

static void
route_has_one_reading(FL_UNUSED void **state)
{
	static const char *const good[] = { "/api", "/api/v1", "/\xc3\xbc", "/a.b", "/.well-known", "/a..b", "/~x:y@z,!$&'()*+=" };
	static const char *const bad[] = { "", "/", "api", "/api/", "//api", "/a//b", "/a/./b", "/a/..", "/.", "/a%20b", "/a b", "/a?b", "/a#b",
		"/a;b", "/a\\b", "/a\tb", "/a\x7f", "/a\"b" };
	char big[PATH_MAX_ROUTE + 2];

	for (size_t i = 0; i < fl_nitems(good); i++) {
		char out[64];

		assert_true(path_is_routable(good[i]));
		for (int r = 0; r < PATH_READINGS; r++) {
			assert_int_equal(path_read(out, span(good[i]), (enum path_reading)r), strlen(good[i]));
			assert_memory_equal(out, good[i], strlen(good[i]));
		}
	}
	for (size_t i = 0; i < fl_nitems(bad); i++)
		assert_false(path_is_routable(bad[i]));
	memset(big, 'a', sizeof(big));
	big[0] = '/';
	big[sizeof(big) - 1] = '\0';
	assert_false(path_is_routable(big + 0) && strlen(big) > PATH_MAX_ROUTE);
	big[PATH_MAX_ROUTE] = '\0';
	assert_true(path_is_routable(big));
}

static void
path_of_each_form_of_target(FL_UNUSED void **state)
{
	static const struct {
		const char *target, *want;
	} cases[] = {
		{ "/a/b?c=/d", "/a/b" }, { "/?x", "/" }, { "*", "/" }, { "http://example.com", "/" },
		{ "http://example.com?x=1", "/" }, { "http://example.com/a?b", "/a" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_http_head h;
		char text[128];
		struct fl_span got;

		strcpy(text, cases[i].target[0] == '*' ? "OPTIONS " : "GET ");
		strcat(text, cases[i].target);
		strcat(text, " HTTP/1.1\r\nHost: example.com\r\n\r\n");
		assert_int_equal(fl_http_parse_request(text, strlen(text), &h, NULL), FL_HTTP_PARSE_DONE);
		got = path_of(&h);
		assert_int_equal(got.len, strlen(cases[i].want));
		assert_memory_equal(got.p, cases[i].want, got.len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_is_read_in_four_ways),
		cmocka_unit_test(nul_ends_the_loose_reading),
		cmocka_unit_test(prefix_ends_at_a_segment),
		cmocka_unit_test(route_has_one_reading),
		cmocka_unit_test(path_of_each_form_of_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
