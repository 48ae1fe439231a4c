/* What becomes of heads on their way through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "router/head.h"

#define NEW_ID "0123456789abcdef0123456789abcdef"
#define ADDED(for_) ADDED_TO("1.1", for_)
#define ADDED_TO(version, for_) \
	"Via: " version " flynn\r\nX-Forwarded-For: " for_ "\r\nForwarded: for=192.0.2.7;proto=http\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\nX-Request-Start: 1400000000123\r\n"
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define LONGEST_ID FIFTY FIFTY FIFTY FIFTY
#define ID(id) "X-Request-Id: " id "\r\n\r\n"

static const struct head_origin origin = { .peer = "192.0.2.7", .port = 80, .start_ms = 1400000000123, .new_id = NEW_ID };

static char *
rewrite(const char *text, const struct head_origin *from)
{
	struct fl_http_head h;
	struct fl_err err = { 0 };
	struct fl_span id;
	size_t room, len;
	char *out;

	if (fl_http_parse_request(text, strlen(text), &h, &err) != FL_HTTP_PARSE_DONE)
		fail_msg("%s: %s", text, err.msg);
	room = head_request_room(&h, from);
	out = calloc(1, room + 1);
	len = head_write_request(out, &h, from, &id);
	assert_true(len <= room);
	assert_true(id.p > out && id.p + id.len < out + len);
	return out;
}

static void
request_is_rewritten(FL_UNUSED void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		/* Another version; headers about the client's connection; those that it names. */
		{ "GET /x?y HTTP/1.0\r\nHost: a:81\r\nConnection: keep-alive, X-Gone\r\nKeep-Alive: 5\r\nX-Gone: 1\r\n"
		  "Proxy-Connection: x\r\nTE: trailers\r\nX-Kept: 2\r\n\r\n",
		    "GET /x?y HTTP/1.1\r\nHost: a:81\r\nX-Kept: 2\r\n" ADDED_TO("1.0", "192.0.2.7") ID(NEW_ID) },
		/* Framing survives being named, whoever names it. */
		{ "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, Content-Length, Host\r\nContent-Length: 3\r\n\r\n",
		    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nExpect: 100-continue\r\n\r\n",
		    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		/* What the client says of itself is kept where it is a list, and not believed elsewhere. */
		{ "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\n"
		  "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Request-Start: 0\r\n\r\n",
		    "GET / HTTP/1.1\r\nHost: a\r\n" ADDED("10.0.0.1, 10.0.0.2, 192.0.2.7") ID(NEW_ID) },
		/* About one connection by their nature, named or not. */
		{ "GET / HTTP/1.1\r\nHost: a\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nHTTP2-Settings: x\r\n\r\n",
		    "GET / HTTP/1.1\r\nHost: a\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		/* However many are named, and in however many lists. */
		{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: a1, a2, a3, a4, a5, a6, a7, a8\r\n"
		  "Connection: b1, b2, b3, b4, b5, b6, b7, b8, X-Gone\r\nConnection: X-Gone-Too\r\nX-Gone: 1\r\nX-Gone-Too: 1\r\nX-Kept: 2\r\n\r\n",
		    "GET / HTTP/1.1\r\nHost: a\r\nX-Kept: 2\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		/* An app that is run by way of CGI reads "_" as "-". */
		{ "GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 10.0.0.1\r\nx-request_id: x\r\nContent_Length: 5\r\nX_Kept: 2\r\n\r\n",
		    "GET / HTTP/1.1\r\nHost: a\r\nX_Kept: 2\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		/* An upgrade is passed on; h2c would carry requests that we do not see. */
		{ "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
		    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
		    "GET / HTTP/1.1\r\nHost: a\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		{ "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
		    "GET / HTTP/1.1\r\nHost: a\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		/* absolute-form: its authority is the host. */
		{ "GET http://b.example:8080/x HTTP/1.1\r\nHost: a\r\n\r\n",
		    "GET /x HTTP/1.1\r\nHost: b.example:8080\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		{ "GET http://b.example?q HTTP/1.1\r\nHost: a\r\n\r\n",
		    "GET /?q HTTP/1.1\r\nHost: b.example\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		{ "OPTIONS http://b.example HTTP/1.1\r\nHost: a\r\n\r\n",
		    "OPTIONS * HTTP/1.1\r\nHost: b.example\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		/* Who was here before is told, too; what counts the hops is less by one, for the methods that it is for. */
		{ "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 b\r\nMax-Forwards: 3\r\n\r\n",
		    "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.0 b\r\nMax-Forwards: 3\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		{ "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 10\r\n\r\n",
		    "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 9\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		{ "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: -1\r\nmax-forwards: 1234567890\r\n\r\n",
		    "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: -1\r\nmax-forwards: 1234567890\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
		{ "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n" ADDED("192.0.2.7") ID(NEW_ID) },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *out = rewrite(cases[i].in, &origin);

		assert_string_equal(out, cases[i].out);
		free(out);
	}
}

static void
valid_request_id_is_passed_on(FL_UNUSED void **state)
{
	static const struct {
		const char *lines, *id;
	} cases[] = {
		{ "X-Request-Id: abcdefghij0123456789\r\n", "abcdefghij0123456789" },
		{ "X-Request-Id: " LONGEST_ID "\r\n", LONGEST_ID },
		{ "X-Request-Id: " LONGEST_ID "0\r\n", NEW_ID },
		{ "X-Request-Id: short\r\n", NEW_ID },
		{ "X-Request-Id: not_allowed_in_an_id_\r\n", NEW_ID },
		/* Which of two is meant, nobody knows. */
		{ "X-Request-Id: abcdefghij0123456789\r\nX-Request-Id: abcdefghij9876543210\r\n", NEW_ID },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char in[512], want[1024], *out;

		snprintf(in, sizeof(in), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", cases[i].lines);
		snprintf(want, sizeof(want), "GET / HTTP/1.1\r\nHost: a\r\n" ADDED("192.0.2.7") ID("%s"), cases[i].id);
		out = rewrite(in, &origin);
		assert_string_equal(out, want);
		free(out);
	}
}

static void
longest_head_fits_its_room(FL_UNUSED void **state)
{
	struct head_origin from = { .peer = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", .is_tls = true, .port = 65535,
		.start_ms = INT64_MAX, .new_id = NEW_ID };
	char *text = calloc(1, FL_HTTP_MAX_HEAD + 1), *at = text;

	/* As many headers as may be, each without the space that is written behind its colon. */
	at = stpcpy(at, "GET http://b HTTP/1.1\r\nHost:b\r\nTransfer-Encoding:chunked\r\nUpgrade:x\r\nConnection:upgrade\r\n");
	for (int i = 0; i < FL_HTTP_MAX_HEADERS - 4; i++)
		at = stpcpy(at, i % 2 == 0 ? "a:b\r\n" : "X-Forwarded-For:c\r\n");
	stpcpy(at, "\r\n");
	free(rewrite(text, &from)); /* asserts it */
	free(text);
}

static void
request_that_may_go_no_further_is_ours(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		bool is_ours;
	} cases[] = {
		{ "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", true },
		{ "TRACE / HTTP/1.1\r\nHost: a\r\nmax-forwards: 000\r\n\r\n", true },
		{ "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\n\r\n", false },
		{ "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards:\r\n\r\n", false },
		{ "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0x\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", false },
		{ "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n", false },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_http_head h;

		assert_int_equal(fl_http_parse_request(cases[i].text, strlen(cases[i].text), &h, NULL), FL_HTTP_PARSE_DONE);
		if (head_is_for_us(&h) != cases[i].is_ours)
			fail_msg("%s", cases[i].text);
	}
}

static char *
answer(const char *text, const struct head_answer *to)
{
	struct fl_http_head h;
	struct fl_err err = { 0 };
	size_t room, len;
	char *out;

	if (fl_http_parse_response(text, strlen(text), &h, &err) != FL_HTTP_PARSE_DONE)
		fail_msg("%s: %s", text, err.msg);
	room = head_answer_room(&h);
	out = calloc(1, room + 1);
	len = h.status < 200 ? head_write_interim(out, &h) : head_write_answer(out, &h, to);
	assert_true(len <= room);
	return out;
}

static void
answer_is_rewritten(FL_UNUSED void **state)
{
	static const struct head_answer keep = { 1, true, true, { NULL, 0 }, { NULL, 0 } },
		close_it = { 1, false, true, { NULL, 0 }, { NULL, 0 } }, old = { 0, true, true, { NULL, 0 }, { NULL, 0 } },
		with_id = { 1, true, true, { NEW_ID, sizeof(NEW_ID) - 1 }, { NULL, 0 } },
		at_noon = { 1, true, true, { NULL, 0 }, { "noon", 4 } };
	static const struct {
		const struct head_answer *to;
		const char *in, *out;
	} cases[] = {
		{ &keep, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: x\r\n\r\n",
		    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: x\r\n\r\n" },
		{ &keep, "HTTP/1.0 200 OK\r\nConnection: keep-alive, X-Gone\r\nKeep-Alive: 5\r\nX-Gone: 1\r\nContent-Length: 2\r\n\r\n",
		    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" },
		{ &at_noon, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: noon\r\n\r\n" },
		{ &at_noon, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\ndate: night\r\n\r\n",
		    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\ndate: night\r\n\r\n" },
		{ &close_it, "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" },
		{ &keep, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n",
		    "HTTP/1.1 200 OK\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ &old, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
		    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n" },
		{ &keep, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n" },
		{ &keep, "HTTP/1.1 200 OK\r\nUpgrade: h2c\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n" },
		{ &with_id, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Request-Id: " NEW_ID "\r\n\r\n" },
		{ &with_id, "HTTP/1.1 200 OK\r\nX-Request-Id: its-own\r\n\r\n", "HTTP/1.1 200 OK\r\nX-Request-Id: its-own\r\n\r\n" },
		{ NULL, "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" },
		{ NULL, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" },
		{ NULL, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" },
		/* What the original's controller answered an attach. */
		{ NULL, "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n",
		    "HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *out = answer(cases[i].in, cases[i].to);

		assert_string_equal(out, cases[i].out);
		free(out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_rewritten),
		cmocka_unit_test(request_that_may_go_no_further_is_ours),
		cmocka_unit_test(valid_request_id_is_passed_on),
		cmocka_unit_test(longest_head_fits_its_room),
		cmocka_unit_test(answer_is_rewritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
