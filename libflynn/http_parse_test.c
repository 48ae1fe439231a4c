#include "libflynn/http_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"

#define HOST "Host: h\r\n"

static const char browser[] =
    "GET /apps/example?x=1 HTTP/1.1\r\n"
    "Host: example.localhost:8080\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml;q=0.9\r\n"
    "Accept-Language:en-US,en;q=0.5\r\n"
    "X-Empty:\r\n"
    "X-Spaces: \t a b \t \r\n"
    "Cookie: name=\xc3\xa4\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";

static bool
value_is(const struct fl_http_head *head, const char *name, const char *want)
{
	const struct fl_http_header *h = fl_http_head_find(head, name);

	return h != NULL && fl_span_eq(h->value, want);
}

static void
a_request_comes_apart(FL_UNUSED void **state)
{
	static struct fl_http_head head;

	assert_int_equal(fl_http_parse_request(browser, sizeof(browser) - 1, &head, NULL), FL_HTTP_PARSE_DONE);
	assert_int_equal(head.head_len, sizeof(browser) - 1);
	assert_true(fl_span_eq(head.method, "GET"));
	assert_true(fl_span_eq(head.target, "/apps/example?x=1"));
	assert_true(fl_span_eq(head.host, "example.localhost:8080"));
	assert_int_equal(head.minor, 1);
	assert_int_equal(head.n_headers, 8);
	assert_true(value_is(&head, "accept-language", "en-US,en;q=0.5"));
	assert_true(value_is(&head, "X-EMPTY", ""));
	assert_true(value_is(&head, "x-spaces", "a b"));
	assert_true(value_is(&head, "cookie", "name=\xc3\xa4"));
	assert_null(fl_http_head_find(&head, "cooki"));
	assert_null(fl_http_head_find(&head, "cookies"));
	assert_true(head.keep_alive);
	assert_false(head.chunked || head.upgrade || head.expect_continue);
	assert_true(head.content_length == -1);
}

/* Every prefix wants more, in a buffer of its exact size so that a sanitizer sees a read too far. */
static void
a_head_may_come_byte_by_byte(FL_UNUSED void **state)
{
	static struct fl_http_head head;

	for (size_t len = 0; len < sizeof(browser) - 1; len++) {
		char *data = malloc(len > 0 ? len : 1);
		struct fl_err err = { 0 };

		memcpy(data, browser, len);
		assert_int_equal(fl_http_parse_request(data, len, &head, &err), FL_HTTP_PARSE_MORE);
		free(data);
	}
}

static void
what_follows_the_head_is_left_alone(FL_UNUSED void **state)
{
	static const char two[] = "\r\n\r\nPOST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc\1\2GET";
	static struct fl_http_head head;

	assert_int_equal(fl_http_parse_request(two, sizeof(two) - 1, &head, NULL), FL_HTTP_PARSE_DONE);
	assert_memory_equal(two + head.head_len, "abc\1\2", 5);
	assert_int_equal(head.content_length, 3);
}

static void
framing_is_read_from_the_headers(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		int64_t minor, content_length;
		bool chunked, keep_alive, upgrade, expect;
		const char *host;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n" HOST "\r\n", 1, -1, false, true, false, false, "h" },
		{ "GET / HTTP/1.0\r\n\r\n", 0, -1, false, false, false, false, NULL },
		{ "GET / HTTP/1.0\r\nHost:\r\n\r\n", 0, -1, false, false, false, false, "" },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 0, -1, false, true, false, false, NULL },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", 0, -1, false, false, false, false, NULL },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: x , CLOSE\r\n\r\n", 1, -1, false, false, false, false, "h" },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", 1, -1, false, true, false, false, "h" },
		{ "GET / HTTP/1.9\r\n" HOST "\r\n", 1, -1, false, true, false, false, "h" },
		{ "PUT / HTTP/1.1\r\n" HOST "content-LENGTH: 0\r\n\r\n", 1, 0, false, true, false, false, "h" },
		{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: 999999999999999999\r\n\r\n", 1, 999999999999999999, false, true, false, false, "h" },
		{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n", 1, -1, true, true, false, false, "h" },
		{ "PUT / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n\r\n", 1, -1, false, true, false, true, "h" },
		{ "PUT / HTTP/1.0\r\n" HOST "Expect: 100-continue\r\n\r\n", 0, -1, false, false, false, false, "h" },
		{ "PUT / HTTP/1.1\r\n" HOST "Expect: a miracle\r\n\r\n", 1, -1, false, true, false, false, "h" },
		{ "GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n", 1, -1, false, true, true, false, "h" },
		{ "GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n\r\n", 1, -1, false, true, false, false, "h" },
		{ "GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\n\r\n", 1, -1, false, true, false, false, "h" },
		{ "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 1, -1, false, true, false, false, "h" },
		{ "CONNECT a.b:443 HTTP/1.1\r\n" HOST "\r\n", 1, -1, false, true, false, false, "h" },
		{ "CONNECT /_goRPC_ HTTP/1.0\r\n\r\n", 0, -1, false, false, false, false, NULL },
		{ "GET http://other:80/x HTTP/1.1\r\n" HOST "\r\n", 1, -1, false, true, false, false, "other:80" },
		{ "GET HTTPS://other?x HTTP/1.1\r\n" HOST "\r\n", 1, -1, false, true, false, false, "other" },
		{ "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 1, -1, false, true, false, false, "[::1]:80" },
		{ "M-SEARCH /{a}|b%20\"<>^`\\ HTTP/1.1\r\n" HOST "\r\n", 1, -1, false, true, false, false, "h" },
	};
	static struct fl_http_head head;

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_int_equal(fl_http_parse_request(cases[i].text, strlen(cases[i].text), &head, &err), FL_HTTP_PARSE_DONE);
		assert_int_equal(head.head_len, strlen(cases[i].text));
		assert_int_equal(head.minor, cases[i].minor);
		assert_true(head.content_length == cases[i].content_length);
		assert_int_equal(head.chunked, cases[i].chunked);
		assert_int_equal(head.keep_alive, cases[i].keep_alive);
		assert_int_equal(head.upgrade, cases[i].upgrade);
		assert_int_equal(head.expect_continue, cases[i].expect);
		if (cases[i].host == NULL)
			assert_null(head.host.p);
		else
			assert_true(fl_span_eq(head.host, cases[i].host));
	}
}

static void
an_expectation_is_known_or_not(FL_UNUSED void **state)
{
	static const struct {
		const char *fields;
		bool expects_continue, expects_other;
	} cases[] = {
		{ "", false, false },
		{ "Expect:\r\n", false, false },
		{ "Expect: 100-CONTINUE , 100-continue\r\n", true, false },
		{ "Expect: 100-continue=1\r\n", false, true },
		{ "Expect: 100-continue, x\r\n", true, true },
		{ "Expect: x\r\nexpect: 100-continue\r\n", true, true },
	};
	static struct fl_http_head head;

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char text[200];
		int len = snprintf(text, sizeof(text), "PUT / HTTP/1.1\r\n" HOST "%s\r\n", cases[i].fields);

		assert_int_equal(fl_http_parse_request(text, (size_t)len, &head, NULL), FL_HTTP_PARSE_DONE);
		assert_int_equal(head.expect_continue, cases[i].expects_continue);
		assert_int_equal(head.expect_other, cases[i].expects_other);
	}
}

static const struct {
	const char *text;
	enum fl_err_kind kind;
	const char *why;
} bad_requests[] = {
	/* the request line */
	{ " GET / HTTP/1.1\r\n", FL_ERR_INVALID, "the request line does not start with a method" },
	{ "G(T / HTTP/1.1\r\n", FL_ERR_INVALID, "the request line does not start with a method" },
	{ "GET\t/ HTTP/1.1\r\n", FL_ERR_INVALID, "the request line does not start with a method" },
	{ "\x16\x03\x01\x02", FL_ERR_INVALID, "the request line does not start with a method" },
	{ "\nGET / HTTP/1.1\r\n", FL_ERR_INVALID, "the request line does not start with a method" },
	{ "GET  / HTTP/1.1\r\n", FL_ERR_INVALID, "the request line has no valid target" },
	{ "GET /\r\n", FL_ERR_INVALID, "the request line has no valid target" },
	{ "GET /\x7f HTTP/1.1\r\n", FL_ERR_INVALID, "the request line has no valid target" },
	{ "GET /\xc3\xa4 HTTP/1.1\r\n", FL_ERR_INVALID, "the request line has no valid target" },
	{ "GET /a#b HTTP/1.1\r\n", FL_ERR_INVALID, "the request line has no valid target" },
	{ "GET a HTTP/1.1\r\n", FL_ERR_INVALID, "the request line has no valid target" },
	{ "GET * HTTP/1.1\r\n", FL_ERR_INVALID, "the request line has no valid target" },
	{ "GET ftp://h/ HTTP/1.1\r\n", FL_ERR_INVALID, "the request line has no valid target" },
	{ "GET http:///x HTTP/1.1\r\n", FL_ERR_INVALID, "the request line has no valid target" },
	{ "GET http://u@h/x HTTP/1.1\r\n", FL_ERR_INVALID, "the request line has no valid target" },
	{ "CONNECT /x HTTP/1.1\r\n", FL_ERR_INVALID, "the request line has no valid target" },
	{ "GET / http/1.1\r\n", FL_ERR_INVALID, "no HTTP version in the first line" },
	{ "GET / HTTP/11\r\n", FL_ERR_INVALID, "no HTTP version in the first line" },
	{ "GET /  HTTP/1.1\r\n", FL_ERR_INVALID, "no HTTP version in the first line" },
	{ "GET / x HTTP/1.1\r\n", FL_ERR_INVALID, "no HTTP version in the first line" },
	{ "GET / HTTP/2.0\r\n", FL_ERR_UNAVAILABLE, "HTTP/2.0 is not spoken here" },
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", FL_ERR_INVALID, "the request line has no valid target" },
	{ "GET / HTTP/1.1 \r\n", FL_ERR_INVALID, "the request line does not end behind its version" },
	{ "GET / HTTP/1.10\r\n", FL_ERR_INVALID, "the request line does not end behind its version" },
	{ "GET / HTTP/1.1\n", FL_ERR_INVALID, "the request line does not end behind its version" },
	{ "GET / HTTP/1.1\rX", FL_ERR_INVALID, "a bare CR in the head" },
	{ "\rGET / HTTP/1.1\r\n", FL_ERR_INVALID, "a bare CR in the head" },
	/* header lines */
	{ "GET / HTTP/1.1\r\n" HOST " folded: x\r\n\r\n", FL_ERR_INVALID, "a folded header line" },
	{ "GET / HTTP/1.1\r\n" HOST "\tfolded\r\n\r\n", FL_ERR_INVALID, "a folded header line" },
	{ "GET / HTTP/1.1\r\n" HOST "A : x\r\n\r\n", FL_ERR_INVALID, "whitespace before a header's colon" },
	{ "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", FL_ERR_INVALID, "a header without a name" },
	{ "GET / HTTP/1.1\r\n" HOST "A\r\n\r\n", FL_ERR_INVALID, "a byte that no header name may have" },
	{ "GET / HTTP/1.1\r\n" HOST "A\xc3: x\r\n\r\n", FL_ERR_INVALID, "a byte that no header name may have" },
	{ "GET / HTTP/1.1\r\n" HOST "A(: x\r\n\r\n", FL_ERR_INVALID, "a byte that no header name may have" },
	{ "GET / HTTP/1.1\r\n" HOST "A: x\n\r\n", FL_ERR_INVALID, "a control byte in a header's value" },
	{ "GET / HTTP/1.1\r\n" HOST "A: x\x01y\r\n\r\n", FL_ERR_INVALID, "a control byte in a header's value" },
	{ "GET / HTTP/1.1\r\n" HOST "A: 0123456789abcdef\x7fghijklmnopq\r\n\r\n", FL_ERR_INVALID, "a control byte in a header's value" },
	{ "GET / HTTP/1.1\r\n" HOST "A: x\ry\r\n\r\n", FL_ERR_INVALID, "a bare CR in the head" },
	{ "GET / HTTP/1.1\r\n" HOST "A: x\r\r\n\r\n", FL_ERR_INVALID, "a bare CR in the head" },
	{ "GET / HTTP/1.1\r\n" HOST "\n", FL_ERR_INVALID, "a header without a name" },
	{ "GET / HTTP/1.1\r\n" HOST "\rX", FL_ERR_INVALID, "a bare CR in the head" },
	/* framing */
	{ "GET / HTTP/1.1\r\n\r\n", FL_ERR_INVALID, "no Host" },
	{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", FL_ERR_INVALID, "an empty Host" },
	{ "GET http://h/ HTTP/1.1\r\n\r\n", FL_ERR_INVALID, "no Host" },
	{ "GET / HTTP/1.1\r\n" HOST HOST "\r\n", FL_ERR_INVALID, "Host is there twice" },
	{ "GET / HTTP/1.0\r\nHost:\r\nHost:\r\n\r\n", FL_ERR_INVALID, "Host is there twice" },
	{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", FL_ERR_INVALID, "a bad Host" },
	{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", FL_ERR_INVALID, "a bad Host" },
	{ "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", FL_ERR_INVALID, "a bad Host" },
	{ "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", FL_ERR_INVALID, "a bad Host" },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", FL_ERR_INVALID, "a bad Content-Length" },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", FL_ERR_INVALID, "a bad Content-Length" },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", FL_ERR_INVALID, "a bad Content-Length" },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", FL_ERR_INVALID, "a bad Content-Length" },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: 1 1\r\n\r\n", FL_ERR_INVALID, "a bad Content-Length" },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", FL_ERR_INVALID, "a bad Content-Length" },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: 9999999999999999999\r\n\r\n", FL_ERR_INVALID, "a bad Content-Length" },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", FL_ERR_INVALID, "Content-Length is there twice" },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", FL_ERR_INVALID, "a Transfer-Encoding other than \"chunked\"" },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", FL_ERR_INVALID, "a Transfer-Encoding other than \"chunked\"" },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", FL_ERR_INVALID, "a Transfer-Encoding other than \"chunked\"" },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n", FL_ERR_INVALID, "a Transfer-Encoding other than \"chunked\"" },
	{ "PUT / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", FL_ERR_INVALID, "Transfer-Encoding in HTTP/1.0" },
	{ "PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", FL_ERR_INVALID, "both Content-Length and Transfer-Encoding" },
	{ "PUT / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", FL_ERR_INVALID, "both Content-Length and Transfer-Encoding" },
};

static void
what_could_smuggle_is_refused(FL_UNUSED void **state)
{
	static struct fl_http_head head;

	for (size_t i = 0; i < fl_nitems(bad_requests); i++) {
		struct fl_err err = { 0 };

		assert_int_equal(fl_http_parse_request(bad_requests[i].text, strlen(bad_requests[i].text), &head, &err), FL_HTTP_PARSE_ERROR);
		assert_string_equal(err.msg, bad_requests[i].why);
		assert_int_equal(err.kind, bad_requests[i].kind);
	}
	assert_int_equal(fl_http_parse_request("GET /\0 HTTP/1.1\r\n", 17, &head, NULL), FL_HTTP_PARSE_ERROR);
	assert_int_equal(fl_http_parse_request("GET / HTTP/1.1\r\nA: \0\r\n", 22, &head, NULL), FL_HTTP_PARSE_ERROR);
}

/* At each place of a vector and its rest, each byte on its own. */
static void
each_control_byte_is_found_wherever_it_is(FL_UNUSED void **state)
{
	static struct fl_http_head head;

	for (int c = 0; c < 256; c++) {
		for (int at = 0; at < 40; at++) {
			char text[] = "GET / HTTP/1.0\r\nA: 0123456789012345678901234567890123456789\r\n\r\n";
			bool ok = c == '\t' || (c >= ' ' && c != 0x7f);

			text[19 + at] = (char)c;
			assert_int_equal(fl_http_parse_request(text, sizeof(text) - 1, &head, NULL),
			    ok ? FL_HTTP_PARSE_DONE : FL_HTTP_PARSE_ERROR);
		}
	}
}

/* A request of one line and header lines of line_len bytes each, CR LF included; the caller frees. */
static char *
request_of(size_t n_lines, size_t line_len, size_t *len)
{
	struct fl_buf b = { 0 };

	fl_buf_addstr(&b, "GET / HTTP/1.0\r\n");
	for (size_t i = 0; i < n_lines; i++) {
		fl_buf_addstr(&b, "A:");
		for (size_t k = 0; k < line_len - 4; k++)
			fl_buf_addc(&b, 'x');
		fl_buf_addstr(&b, "\r\n");
	}
	fl_buf_addstr(&b, "\r\n");
	*len = b.len;
	return fl_buf_detach(&b);
}

static void
a_head_is_bounded(FL_UNUSED void **state)
{
	static const struct {
		size_t n_lines, line_len;
		enum fl_http_parse_result want;
	} cases[] = {
		{ FL_HTTP_MAX_HEADERS, 8, FL_HTTP_PARSE_DONE },
		{ FL_HTTP_MAX_HEADERS + 1, 8, FL_HTTP_PARSE_ERROR },
		{ 1, FL_HTTP_MAX_LINE, FL_HTTP_PARSE_DONE },
		{ 1, FL_HTTP_MAX_LINE + 1, FL_HTTP_PARSE_ERROR },
		{ 3, FL_HTTP_MAX_LINE, FL_HTTP_PARSE_DONE },
		{ 4, FL_HTTP_MAX_LINE, FL_HTTP_PARSE_ERROR },
	};
	static struct fl_http_head head;

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };
		size_t len;
		char *text = request_of(cases[i].n_lines, cases[i].line_len, &len);

		assert_int_equal(fl_http_parse_request(text, len, &head, &err), cases[i].want);
		assert_int_equal(err.kind, cases[i].want == FL_HTTP_PARSE_DONE ? FL_ERR_NONE : FL_ERR_TOO_BIG);
		free(text);
	}
}

static void
a_head_without_end_is_refused_in_time(FL_UNUSED void **state)
{
	static char text[FL_HTTP_MAX_HEAD + 1];
	static struct fl_http_head head;
	struct fl_err err = { 0 };

	memset(text, 'x', sizeof(text));
	assert_int_equal(fl_http_parse_request(text, FL_HTTP_MAX_LINE, &head, &err), FL_HTTP_PARSE_MORE);
	assert_int_equal(fl_http_parse_request(text, FL_HTTP_MAX_LINE + 1, &head, &err), FL_HTTP_PARSE_ERROR);
	assert_int_equal(err.kind, FL_ERR_TOO_BIG);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "\r\n"[i % 2];
	assert_int_equal(fl_http_parse_request(text, 16, &head, &err), FL_HTTP_PARSE_MORE);
	assert_int_equal(fl_http_parse_request(text, 17, &head, &err), FL_HTTP_PARSE_ERROR);
}

static void
an_answer_comes_apart(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		int64_t status;
		const char *reason;
		int64_t content_length;
		bool chunked, keep_alive;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\n\r\n", 200, "OK", -1, false, true },
		{ "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found", 404, "Not Found", 9, false, true },
		{ "HTTP/1.1 200 \r\n\r\n", 200, "", -1, false, true },
		{ "HTTP/1.1 200\r\n\r\n", 200, "", -1, false, true },
		{ "HTTP/1.0 503 Gone \xc3\xa4 away\r\n\r\n", 503, "Gone \xc3\xa4 away", -1, false, false },
		{ "HTTP/1.1 101 Switching\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", 101, "Switching", -1, true, false },
	};
	static struct fl_http_head head;

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		assert_int_equal(fl_http_parse_response(cases[i].text, strlen(cases[i].text), &head, NULL), FL_HTTP_PARSE_DONE);
		assert_int_equal(head.status, cases[i].status);
		assert_true(fl_span_eq(head.reason, cases[i].reason));
		assert_true(head.content_length == cases[i].content_length);
		assert_int_equal(head.chunked, cases[i].chunked);
		assert_int_equal(head.keep_alive, cases[i].keep_alive);
	}
}

static void
a_bad_answer_is_refused(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1-200 OK\r\n\r\n", "HTTP/1.1 200 O\x01K\r\n\r\n", "HTTP/1.1 200 OK\n\n     ",
		"HTTP/2.0 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
	};
	static struct fl_http_head head;

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(fl_http_parse_response(cases[i], strlen(cases[i]), &head, NULL), FL_HTTP_PARSE_ERROR);
}

static void
tokens_are_found_in_any_list(FL_UNUSED void **state)
{
	static const char text[] = "GET / HTTP/1.0\r\nAccept: text/html, , text/event-stream ,\r\nX: a\r\naccept: b\r\n\r\n";
	static struct fl_http_head head;

	assert_int_equal(fl_http_parse_request(text, sizeof(text) - 1, &head, NULL), FL_HTTP_PARSE_DONE);
	assert_true(fl_http_head_has_token(&head, "accept", "Text/Event-Stream"));
	assert_true(fl_http_head_has_token(&head, "ACCEPT", "b"));
	assert_false(fl_http_head_has_token(&head, "accept", "a"));
	assert_false(fl_http_head_has_token(&head, "accept", "text"));
	assert_false(fl_http_head_has_token(&head, "accept", ""));
}

/* Feeds text in pieces of step bytes; returns the payload, or NULL when malformed. The caller frees. */
static char *
decode(const char *text, size_t step, bool *done, size_t *used)
{
	struct fl_http_chunked c;
	struct fl_buf body = { 0 };
	size_t len = strlen(text);

	fl_http_chunked_init(&c);
	*done = false;
	*used = 0;
	while (*used < len && !*done) {
		size_t n = len - *used < step ? len - *used : step;
		struct fl_span out;
		int64_t took = fl_http_chunked_feed(&c, text + *used, n, &out, done, NULL);

		if (took == -1) {
			fl_buf_release(&body);
			return NULL;
		}
		fl_buf_add(&body, out.p, out.len);
		*used += (size_t)took;
	}
	return fl_buf_detach(&body);
}

static void
chunks_become_their_body(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *body, *behind;
	} cases[] = {
		{ "0\r\n\r\n", "", "" },
		{ "3\r\nabc\r\n0\r\n\r\nGET", "abc", "GET" },
		{ "3\r\nabc\r\n00000000000A\r\n0123456789\r\n0\r\n\r\n", "abc0123456789", "" },
		{ "1;x=\"y z\"\r\na\r\n1 ;q\r\nb\r\n0;end\r\n\r\n", "ab", "" },
		{ "1;a;b=c;d=\"\\\"\\\\;, \" ; e = f\t;g\r\na\r\n0\r\n\r\n", "a", "" },
		{ "0\r\nHosts: 1\r\nHos: 1\r\nX-Host: 1\r\nX-Forwarded: 1\r\nTe-: 1\r\n\r\n", "", "" },
		{ "2\r\n\r\n\r\n0\r\nX-Sum: 1 2\r\nY:\r\n\r\nrest", "\r\n", "rest" },
		{ "a\r\n0123456789\r\n0\r\n\r\n", "0123456789", "" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		for (size_t step = 1; step < 40; step++) {
			bool done;
			size_t used;
			char *body = decode(cases[i].text, step, &done, &used);

			assert_non_null(body);
			assert_string_equal(body, cases[i].body);
			assert_true(done);
			assert_string_equal(cases[i].text + used, cases[i].behind);
			free(body);
		}
	}
}

static void
malformed_chunks_are_refused(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"\r\n", "x\r\n", " 1\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", "1\n", "1\ra", "1 \r\n", "1 a\r\n", "1;\n", "1;\x01\r\n",
		"g\r\n", "1\r\nab\r\n", "1\r\na\n", "1\r\na\rb", "1\r\na0\r\n", "fffffffffffffffff\r\n", "0000000000000001\r\n",
		"0\r\n\n", "0\r\n\rx", "0\r\n: x\r\n\r\n", "0\r\nA\r\n\r\n", "0\r\n A: x\r\n", "0\r\nA : x\r\n", "0\r\nA: \x01\r\n", "0\r\nA: x\n",
		"0\r\nA(: x\r\n", "0\r\nHost: x\r\n", "0\r\ncontent-LENGTH: 1\r\n", "0\r\nContent_Length: 1\r\n", "0\r\nTransfer-Encoding:\r\n",
		"0\r\nX: 1\r\nTE: x\r\n", "0\r\nX-Forwarded-For: 1\r\n", "0\r\nx-forwarded-: 1\r\n",
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		bool done;
		size_t used;

		assert_null(decode(cases[i], 100, &done, &used));
		assert_null(decode(cases[i], 1, &done, &used));
	}
}

static void
extensions_and_trailers_are_bounded(FL_UNUSED void **state)
{
	static char long_extension[1000] = "1;";
	struct fl_buf trailers = { 0 };
	bool done;
	size_t used;

	memset(long_extension + 2, 'x', sizeof(long_extension) - 3);
	assert_null(decode(long_extension, 100, &done, &used));
	fl_buf_addstr(&trailers, "0\r\n");
	for (int i = 0; i < 4000; i++)
		fl_buf_addstr(&trailers, "A:b\r\n");
	assert_null(decode(trailers.data, 100, &done, &used));
	fl_buf_release(&trailers);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_comes_apart),
		cmocka_unit_test(a_head_may_come_byte_by_byte),
		cmocka_unit_test(what_follows_the_head_is_left_alone),
		cmocka_unit_test(framing_is_read_from_the_headers),
		cmocka_unit_test(an_expectation_is_known_or_not),
		cmocka_unit_test(what_could_smuggle_is_refused),
		cmocka_unit_test(each_control_byte_is_found_wherever_it_is),
		cmocka_unit_test(a_head_is_bounded),
		cmocka_unit_test(a_head_without_end_is_refused_in_time),
		cmocka_unit_test(an_answer_comes_apart),
		cmocka_unit_test(a_bad_answer_is_refused),
		cmocka_unit_test(tokens_are_found_in_any_list),
		cmocka_unit_test(chunks_become_their_body),
		cmocka_unit_test(malformed_chunks_are_refused),
		cmocka_unit_test(extensions_and_trailers_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
