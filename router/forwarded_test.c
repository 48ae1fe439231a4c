/* What an instance is told of the way of a request, by what the client says and whether it is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "router/forwarded.h"
#include "router/head.h"

#define OURS "X-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\nX-Request-Start: 1400000000123\r\n"
#define MINE "for=192.0.2.7;proto=http\r\n"

static void
write_and_compare(const char *headers, const struct head_origin *from, const char *want)
{
	char text[2048], out[4096];
	struct fl_http_head h;
	struct fl_err err = { 0 };
	int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);

	if (fl_http_parse_request(text, (size_t)len, &h, &err) != FL_HTTP_PARSE_DONE)
		fail_msg("%s: %s", text, err.msg);
	*forwarded_write(out, &h, from, *headers != '\0') = '\0';
	assert_string_equal(out, want);
}

static void
client_is_believed_as_far_as_it_is_trusted(FL_UNUSED void **state)
{
	static const char told[] = "X-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\nX-Forwarded-Proto: https\r\n"
				   "X-Forwarded-Port: 8443\r\nX-Request-Start: t=1399999999.5\r\n";
	static const struct {
		enum forwarded_trust trust;
		const char *headers, *want;
	} cases[] = {
		{ FORWARDED_APPEND, "", "X-Forwarded-For: 192.0.2.7\r\nForwarded: " MINE OURS },
		{ FORWARDED_APPEND, told, "X-Forwarded-For: 10.0.0.1, 192.0.2.7\r\nForwarded: for=10.0.0.1, " MINE OURS },
		{ FORWARDED_REPLACE, told, "X-Forwarded-For: 192.0.2.7\r\nForwarded: " MINE OURS },
		{ FORWARDED_KEEP, told,
		    "X-Forwarded-For: 10.0.0.1, 192.0.2.7\r\nForwarded: for=10.0.0.1, " MINE
		    "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 8443\r\nX-Request-Start: t=1399999999.5\r\n" },
		/* Several headers are one list. */
		{ FORWARDED_APPEND, "X-Forwarded-For: a\r\nx-forwarded-for: \r\nx-forwarded-for: b, c\r\nForwarded: for=a\r\nforwarded: for=b\r\n",
		    "X-Forwarded-For: a, b, c, 192.0.2.7\r\nForwarded: for=a, for=b, " MINE OURS },
		/* A quote that does not end would swallow our entry. */
		{ FORWARDED_KEEP, "Forwarded: for=a\r\nForwarded: for=\"b\r\n", "X-Forwarded-For: 192.0.2.7\r\nForwarded: " MINE OURS },
		/* What is not valid or contradicts itself is not kept, even from the trusted. */
		{ FORWARDED_KEEP, "X-Forwarded-Proto: gopher\r\nX-Forwarded-Port: 0\r\nX-Request-Start: soon\r\n",
		    "X-Forwarded-For: 192.0.2.7\r\nForwarded: " MINE OURS },
		{ FORWARDED_KEEP, "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 65536\r\nX-Request-Start: .5\r\n",
		    "X-Forwarded-For: 192.0.2.7\r\nForwarded: " MINE OURS },
		/* Our own port is none of another protocol's. */
		{ FORWARDED_KEEP, "X-Forwarded-Proto: HTTPS\r\n",
		    "X-Forwarded-For: 192.0.2.7\r\nForwarded: " MINE
		    "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Request-Start: 1400000000123\r\n" },
		{ FORWARDED_KEEP, "X-Forwarded-Proto: http\r\n", "X-Forwarded-For: 192.0.2.7\r\nForwarded: " MINE OURS },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct head_origin from = { .peer = "192.0.2.7", .port = 80, .start_ms = 1400000000123, .trust = cases[i].trust };

		write_and_compare(cases[i].headers, &from, cases[i].want);
	}
}

static void
ipv6_is_quoted(FL_UNUSED void **state)
{
	struct head_origin from = { .peer = "2001:db8::7", .is_tls = true, .port = 443, .start_ms = 1 };

	write_and_compare("", &from, "X-Forwarded-For: 2001:db8::7\r\nForwarded: for=\"[2001:db8::7]\";proto=https\r\n"
				     "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Request-Start: 1\r\n");
}

static void
lists_are_judged_by_the_rfc(FL_UNUSED void **state)
{
	static const struct {
		const char *list;
		bool is_valid;
	} cases[] = {
		{ "", true },
		{ "for=192.0.2.43", true },
		{ "For=\"[2001:db8:cafe::17]:4711\"", true },
		{ "for=192.0.2.60;proto=http;by=203.0.113.43", true },
		{ "for=192.0.2.43, for=198.51.100.17", true },
		{ "for=_gazonk;host=\"a\\\"b\"", true },
		{ ",, for=a ;; by=b,", true },
		{ "for=\"\"", true },
		{ "for", false },
		{ "for=", false },
		{ "=a", false },
		{ "for=\"a", false },
		{ "for=\"a\\\"", false },
		{ "for=\"a\"b", false },
		{ "for=a b", false },
		{ "for=[::1]", false },
		{ "for=a:80", false },
		{ "\"", false },
		{ "for =a", false },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_span list = { cases[i].list, strlen(cases[i].list) };

		if (forwarded_is_valid(list) != cases[i].is_valid)
			fail_msg("%s", cases[i].list);
	}
}

static void
https_is_what_the_trusted_say(FL_UNUSED void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n";
	struct fl_http_head h;

	assert_int_equal(fl_http_parse_request(text, sizeof(text) - 1, &h, NULL), FL_HTTP_PARSE_DONE);
	assert_true(forwarded_is_https(&h, false, FORWARDED_KEEP));
	assert_false(forwarded_is_https(&h, false, FORWARDED_APPEND));
	assert_true(forwarded_is_https(&h, true, FORWARDED_REPLACE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_is_believed_as_far_as_it_is_trusted),
		cmocka_unit_test(ipv6_is_quoted),
		cmocka_unit_test(lists_are_judged_by_the_rfc),
		cmocka_unit_test(https_is_what_the_trusted_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
