#include "libflynn/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/assert_test.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"

static void
urls_come_apart(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		struct fl_url want;
	} cases[] = {
		{ "http://shelf", { (char *)"http", NULL, (char *)"shelf", 80, (char *)"/" } },
		{ "HTTPS://Example.COM/A?b=C", { (char *)"https", NULL, (char *)"example.com", 443, (char *)"/A?b=C" } },
		{ "http://10.0.0.1:1113/host/jobs", { (char *)"http", NULL, (char *)"10.0.0.1", 1113, (char *)"/host/jobs" } },
		{ "http://[::1]:80?x", { (char *)"http", NULL, (char *)"::1", 80, (char *)"/?x" } },
		{ "http://[fe80::1]/", { (char *)"http", NULL, (char *)"fe80::1", 80, (char *)"/" } },
		{ "ssh://git@host:2222/app.git", { (char *)"ssh", (char *)"git", (char *)"host", 2222, (char *)"/app.git" } },
		{ "http://:key@host/", { (char *)"http", (char *)":key", (char *)"host", 80, (char *)"/" } },
		{ "http://host/a%20b#part", { (char *)"http", NULL, (char *)"host", 80, (char *)"/a%20b" } },
		{ "tcp://a_b.c-d:1/", { (char *)"tcp", NULL, (char *)"a_b.c-d", 1, (char *)"/" } },
		{ "x+y.z-1://h", { (char *)"x+y.z-1", NULL, (char *)"h", 0, (char *)"/" } },
		{ "http://h:/x", { (char *)"http", NULL, (char *)"h", 80, (char *)"/x" } },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_url url;

		assert_int_equal(fl_url_parse(cases[i].text, &url, NULL), 0);
		assert_same(url.scheme, cases[i].want.scheme);
		assert_same(url.user, cases[i].want.user);
		assert_same(url.host, cases[i].want.host);
		assert_int_equal(url.port, cases[i].want.port);
		assert_same(url.path, cases[i].want.path);
		fl_url_release(&url);
		assert_null(url.host);
	}
}

static void
other_text_is_no_url(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"", "host", "/path", "http:/host", "http//host", "://host", "1http://host", "ht tp://host", "http://",
		"http:///path", "http://:80/", "http://a b/", "http://a/b c", "http://a/\n", "http://a/%", "http://a/%2",
		"http://a/%zz", "http://a/\xc3\xa4", "http://a\"b/", "http://a:b/", "http://a:99999/", "http://a:0/",
		"http://a:-1/", "http://a:80:80/", "http://::1/", "http://[::1/", "http://[::1]x/", "http://[1.2.3.4]/",
		"http://[]/", "http://a/<b>", "http://a@b@c/", "http://us er@h/", "http://a%2eb/", "http://a/^",
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };
		struct fl_url url;

		assert_int_equal(fl_url_parse(cases[i], &url, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_null(url.host);
	}
}

static void
addresses_come_apart(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *host;
		int port;
	} cases[] = {
		{ "127.0.0.1:1111", "127.0.0.1", 1111 },
		{ "[::1]:80", "::1", 80 },
		{ ":2222", "", 2222 },
		{ "localhost:0", "localhost", 0 },
		{ "host:65535", "host", 65535 },
	};
	static const char *const bad[] = {
		"", "host", "host:", ":", "host:65536", "host:x", "host:-1", "host: 1", "::1:80", "[::1]", "[::1]80",
		"ho st:1", "http://h:80", "host:80/", "host:000080",
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *host = NULL;
		int port = -1;

		assert_int_equal(fl_url_hostport(cases[i].text, &host, &port, NULL), 0);
		assert_string_equal(host, cases[i].host);
		assert_int_equal(port, cases[i].port);
		free(host);
	}
	for (size_t i = 0; i < fl_nitems(bad); i++) {
		struct fl_err err = { 0 };
		char *host = NULL;
		int port = -1;

		assert_int_equal(fl_url_hostport(bad[i], &host, &port, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_null(host);
	}
}

static void
percent_coding_goes_both_ways(FL_UNUSED void **state)
{
	static const struct {
		const char *plain, *encoded;
	} cases[] = {
		{ "", "" }, { "a-b_c.d~e", "a-b_c.d~e" }, { "a b", "a%20b" }, { "a/b?c=d&e", "a%2Fb%3Fc%3Dd%26e" },
		{ "\xc3\xa4+", "%C3%A4%2B" }, { "100%", "100%25" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *encoded = fl_url_encode(cases[i].plain);
		char *plain = fl_url_decode(encoded, strlen(encoded), 1);

		assert_string_equal(encoded, cases[i].encoded);
		assert_string_equal(plain, cases[i].plain);
		free(plain);
		free(encoded);
	}
}

static void
queries_grow_by_encoded_values(FL_UNUSED void **state)
{
	struct fl_buf b = { 0 };

	fl_url_add_query(&b, "a", "x&y=z");
	fl_url_add_query(&b, "none", NULL);
	fl_url_add_query(&b, "b", "");
	assert_string_equal(fl_buf_cstr(&b), "&a=x%26y%3Dz&b=");
	fl_buf_release(&b);
}

static void
decoding_is_strict(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		int form;
		const char *want;
	} cases[] = {
		{ "a+b", 0, "a+b" }, { "a+b", 1, "a b" }, { "%2f%2F", 0, "//" }, { "%41", 0, "A" },
		{ "%", 0, NULL }, { "%4", 0, NULL }, { "%4g", 0, NULL }, { "%g4", 0, NULL }, { "%00", 0, NULL }, { "a%00b", 1, NULL },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *got = fl_url_decode(cases[i].text, strlen(cases[i].text), cases[i].form);

		assert_same(got, cases[i].want);
		free(got);
	}
	assert_null(fl_url_decode("a\0b", 3, 0));
}

static void
queries_give_the_first_value(FL_UNUSED void **state)
{
	static const struct {
		const char *query, *name, *want;
	} cases[] = {
		{ "a=1&b=2", "a", "1" }, { "a=1&b=2", "b", "2" }, { "a=1&a=2", "a", "1" }, { "a=1", "b", NULL },
		{ "", "a", NULL }, { "a", "a", "" }, { "a=", "a", "" }, { "a&b=2", "b", "2" }, { "&&b=2", "b", "2" },
		{ "a%20b=x%3dy+z", "a b", "x=y z" }, { "a=b=c", "a", "b=c" }, { "ab=1", "a", NULL }, { "a=%zz", "a", NULL },
		{ "%zz=1&a=2", "a", "2" }, { "=x", "", "x" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *got = fl_url_query(cases[i].query, cases[i].name);

		assert_same(got, cases[i].want);
		free(got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_come_apart),
		cmocka_unit_test(other_text_is_no_url),
		cmocka_unit_test(addresses_come_apart),
		cmocka_unit_test(percent_coding_goes_both_ways),
		cmocka_unit_test(decoding_is_strict),
		cmocka_unit_test(queries_give_the_first_value),
		cmocka_unit_test(queries_grow_by_encoded_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
