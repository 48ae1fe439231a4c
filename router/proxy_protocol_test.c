/* PROXY headers: what is one, what is none, and that each byte of them counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "router/proxy_protocol.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define ADDRESSES4 "\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb"
#define ADDRESSES6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xdc\x04\x01\xbb"
#define TEXT(s) (s), sizeof(s) - 1

struct good {
	const char *data;
	size_t len;
	const char *peer; /* NULL: none */
	int port;
};

static const struct good goods[] = {
	{ TEXT("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"), "::ffff:192.0.2.7", 443 },
	{ TEXT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "::ffff:255.255.255.255", 65535 },
	{ TEXT("PROXY TCP6 2001:db8::7 2001:db8::1 56324 0\r\n"), "2001:db8::7", 0 },
	{ TEXT("PROXY UNKNOWN\r\n"), NULL, 0 },
	{ TEXT("PROXY UNKNOWN whatever it says here\r\n"), NULL, 0 },
	{ TEXT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"), NULL, 0 },
	{ TEXT(SIGNATURE "\x21\x11\0\x0c" ADDRESSES4), "::ffff:192.0.2.7", 443 },
	{ TEXT(SIGNATURE "\x21\x21\0\x24" ADDRESSES6), "2001:db8::7", 443 },
	{ TEXT(SIGNATURE "\x21\x11\0\x1d" ADDRESSES4 "\x02\0\x0b" "example.com" "\x04\0\0"), "::ffff:192.0.2.7", 443 },
	{ TEXT(SIGNATURE "\x20\0\0\0"), NULL, 0 },
	{ TEXT(SIGNATURE "\x20\x11\0\x0c" ADDRESSES4), NULL, 0 },
	{ TEXT(SIGNATURE "\x21\0\0\x03" "abc"), NULL, 0 },
};

static void
good_ones_are_understood_when_whole_and_not_before(FL_UNUSED void **state)
{
	for (size_t i = 0; i < fl_nitems(goods); i++) {
		const struct good *g = &goods[i];
		struct proxy_header h;
		struct fl_err err = { 0 };
		char more[512];

		for (size_t n = 0; n < g->len; n++)
			if (proxy_parse(g->data, n, &h, &err) != PROXY_MORE)
				fail_msg("%zu: %zu bytes are not enough", i, n);
		memcpy(more, g->data, g->len);
		memcpy(more + g->len, "GET / HTTP/1.1\r\n", 16);
		for (size_t extra = 0; extra <= 16; extra += 16) {
			if (proxy_parse(more, g->len + extra, &h, &err) != PROXY_DONE)
				fail_msg("%zu: %s", i, err.msg);
			assert_int_equal(h.len, g->len);
			assert_int_equal(h.has_address, g->peer != NULL);
			assert_int_equal(h.port, g->port);
			if (g->peer != NULL) {
				struct in6_addr want;

				assert_int_equal(inet_pton(AF_INET6, g->peer, &want), 1);
				assert_memory_equal(&h.peer, &want, sizeof(want));
			}
		}
	}
}

static void
bad_ones_are_refused(FL_UNUSED void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *why;
	} cases[] = {
		{ TEXT("GET / HTTP/1.1\r\n"), "there is none" },
		{ TEXT("\x16\x03\x01"), "there is none" },
		{ TEXT("PROXX"), "there is none" },
		{ TEXT("proxy TCP4"), "there is none" },
		{ TEXT("\r\n\r\nX"), "there is none" },
		{ TEXT("PROXY \r\n"), "TCP4" },
		{ TEXT("PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n"), "TCP4" },
		{ TEXT("PROXY UNKNOWNX\r\n"), "TCP4" },
		{ TEXT("PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n"), "TCP4" },
		{ TEXT("PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n"), "address" },
		{ TEXT("PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"), "address" },
		{ TEXT("PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n"), "address" },
		{ TEXT("PROXY TCP4 ::1 ::1 1 2\r\n"), "address" },
		{ TEXT("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"), "address" },
		{ TEXT("PROXY TCP4 1.2.3.4\r\n"), "address" },
		{ TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), "port" },
		{ TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"), "port" },
		{ TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"), "port" },
		{ TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"), "port" },
		{ TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"), "words" },
		{ TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"), "byte" },
		{ TEXT("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX"), "CR" },
		{ TEXT("PROXY UNKNOWN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"), "end" },
		{ TEXT(SIGNATURE "\x11"), "version" },
		{ TEXT(SIGNATURE "\x22"), "version" },
		{ TEXT(SIGNATURE "\x21\x11\xff\xff"), "4096" },
		{ TEXT(SIGNATURE "\x21\x12\0\x0c" ADDRESSES4), "stream" },
		{ TEXT(SIGNATURE "\x21\x41\0\0"), "stream" },
		{ TEXT(SIGNATURE "\x21\x11\0\x0b" ADDRESSES4), "shorter" },
		{ TEXT(SIGNATURE "\x21\x21\0\x0c" ADDRESSES4), "shorter" },
		{ TEXT(SIGNATURE "\x21\x11\0\x0f" ADDRESSES4 "\x02\0\x01"), "cut off" },
		{ TEXT(SIGNATURE "\x21\x11\0\x0d" ADDRESSES4 "\x02"), "cut off" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct proxy_header h;
		struct fl_err err = { 0 };

		if (proxy_parse(cases[i].data, cases[i].len, &h, &err) != PROXY_ERROR || strstr(err.msg, cases[i].why) == NULL)
			fail_msg("%zu: %s instead of %s", i, err.msg, cases[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_are_understood_when_whole_and_not_before),
		cmocka_unit_test(bad_ones_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
