/* Header lists of HTTP/2 become heads of HTTP/1.1, and the reverse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "router/block.h"
#include "router/h2_head.h"

static struct fl_span
span(const char *text)
{
	return (struct fl_span){ text, strlen(text) };
}

/* Add "name value" lines; the value is what is behind the first space. */
static void
add_all(struct h2_head *h, struct block_pool *pool, const char *lines)
{
	while (*lines != '\0') {
		const char *sep = strchr(lines, ' '), *end = strchr(lines, '\n');

		h2_head_add(h, pool, (struct fl_span){ lines, (size_t)(sep - lines) },
		    (struct fl_span){ sep + 1, (size_t)(end - sep - 1) });
		lines = end + 1;
	}
}

#define GET ":method GET\n:scheme https\n:authority a.example.com\n:path /x?y\n"

static void
requests_are_written_as_heads(void **state)
{
	static const struct {
		const char *fields;
		bool has_body;
		const char *want; /* NULL: refused */
	} cases[] = {
		{ GET, false, "GET /x?y HTTP/1.1\r\nhost: a.example.com\r\n\r\n" },
		{ ":path /\n:authority a\n:scheme http\n:method HEAD\n", false, "HEAD / HTTP/1.1\r\nhost: a\r\n\r\n" },
		{ GET "x-y z\n", true, "GET /x?y HTTP/1.1\r\nhost: a.example.com\r\nx-y: z\r\ntransfer-encoding: chunked\r\n\r\n" },
		{ GET "content-length 5\n", true, "GET /x?y HTTP/1.1\r\nhost: a.example.com\r\ncontent-length: 5\r\n\r\n" },
		{ GET "cookie a=1\nx 1\ncookie b=2\ny 2\ncookie c=3\n", false,
		    "GET /x?y HTTP/1.1\r\nhost: a.example.com\r\ncookie: a=1; b=2; c=3\r\nx: 1\r\ny: 2\r\n\r\n" },
		{ GET "host A.example.com\nx 1\n", false, "GET /x?y HTTP/1.1\r\nhost: a.example.com\r\nx: 1\r\n\r\n" },
		{ ":method GET\n:scheme http\n:path /\nhost b\n", false, "GET / HTTP/1.1\r\nhost: b\r\n\r\n" },
		{ GET "host b.example.com\n", false, NULL },
		{ ":method GET\n:scheme http\n:path /\n", false, NULL },
		{ ":scheme http\n:authority a\n:path /\n", false, NULL },
		{ ":method GET\n:scheme http\n:authority a\n", false, NULL },
		{ ":method GET\n:scheme ftp\n:authority a\n:path /\n", false, NULL },
		{ ":method GET / HTTP/1.1\n:scheme http\n:authority a\n:path /\n", false, NULL },
		{ ":method GET\n:scheme http\n:authority a\n:path / HTTP/1.1\r\n", false, NULL },
		{ GET "x y\r\n", false, NULL },
		{ GET "x\r y\n", false, NULL },
		{ GET "transfer-encoding chunked\ncontent-length 5\n", true, NULL },
	};
	struct block_pool pool = { 0 };

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct h2_head h = { 0 };
		struct fl_http_head head;
		struct fl_err err = { 0 };
		int ret;

		add_all(&h, &pool, cases[i].fields);
		ret = h2_head_parse(&h, &pool, cases[i].has_body, &head, &err);
		assert_int_equal(ret, cases[i].want != NULL ? 0 : -1);
		if (ret == 0) {
			assert_int_equal(head.head_len, strlen(cases[i].want));
			assert_memory_equal(head.method.p, cases[i].want, head.head_len);
		} else {
			assert_int_equal(err.kind, FL_ERR_INVALID);
		}
		h2_head_release(&h, &pool);
	}
	block_pool_release(&pool);
}

/* Whatever nghttp2 lets through: behind it there would be a line, or a request, that nobody sent. */
static void
line_ends_in_values_are_refused(void **state)
{
	static const char *const values[] = { "a\r\ny: b", "a\nb", "a\rb", "a\r\n\r\nGET / HTTP/1.1\r\n" };
	struct block_pool pool = { 0 };

	(void)state;
	for (size_t i = 0; i < fl_nitems(values); i++) {
		struct h2_head h = { 0 };
		struct fl_http_head head;
		struct fl_err err = { 0 };

		add_all(&h, &pool, GET);
		h2_head_add(&h, &pool, span("x"), span(values[i]));
		assert_int_equal(h2_head_parse(&h, &pool, false, &head, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		h2_head_release(&h, &pool);
		/* Nor do trailers have it. */
		h.is_trailer = true;
		h2_head_add(&h, &pool, span("x"), span(values[i]));
		assert_null(h2_head_take_trailers(&h));
		h2_head_release(&h, &pool);
	}
	block_pool_release(&pool);
}

static void
large_lists_are_refused_and_not_kept(void **state)
{
	struct block_pool pool = { 0 };
	struct h2_head h = { 0 };
	struct fl_http_head head;
	struct fl_err err = { 0 };
	char *value = calloc(1, 4001);

	(void)state;
	memset(value, 'x', 4000);
	add_all(&h, &pool, GET);
	for (int i = 0; i < 10000; i++)
		h2_head_add(&h, &pool, span("x"), span(value));
	assert_true(h.text->len <= H2_HEAD_LIST_MAX + 256);
	assert_int_equal(h2_head_parse(&h, &pool, false, &head, &err), -1);
	assert_int_equal(err.kind, FL_ERR_TOO_BIG);
	h2_head_release(&h, &pool);
	/* Crumbs of nothing count, too. */
	add_all(&h, &pool, GET);
	for (int i = 0; i < 10000; i++)
		h2_head_add(&h, &pool, span("cookie"), span(""));
	assert_int_equal(h2_head_parse(&h, &pool, false, &head, &err), -1);
	h2_head_release(&h, &pool);
	block_pool_release(&pool);
	free(value);
}

static void
answers_lose_what_is_about_the_connection(void **state)
{
	static const char text[] = "HTTP/1.1 203 Odd\r\nX-One: 1\r\nConnection: X-Two, close\r\nX-Two: 2\r\nKeep-Alive: x\r\n"
				   "Transfer-Encoding: chunked\r\nUpgrade: h2c\r\nSET-COOKIE: A=B\r\n\r\n";
	static const char *const want[][2] = { { ":status", "203" }, { "x-one", "1" }, { "set-cookie", "A=B" },
		{ "x-request-id", "abc" }, { "date", "noon" } };
	struct fl_http_head head;
	nghttp2_nv nv[H2_HEAD_NV_MAX];
	char *names = malloc(FL_HTTP_MAX_HEAD + 16);
	size_t n;

	(void)state;
	assert_int_equal(fl_http_parse_response(text, sizeof(text) - 1, &head, NULL), FL_HTTP_PARSE_DONE);
	n = h2_head_answer(&head, span("abc"), span("noon"), names, nv);
	assert_int_equal(n, fl_nitems(want));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(nv[i].namelen, strlen(want[i][0]));
		assert_memory_equal(nv[i].name, want[i][0], nv[i].namelen);
		assert_int_equal(nv[i].valuelen, strlen(want[i][1]));
		assert_memory_equal(nv[i].value, want[i][1], nv[i].valuelen);
	}
	free(names);
}

static void
lengths_are_told_but_with_204(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 2 },
		{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 2 },
		{ "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 1 },
		{ "HTTP/1.1 200 OK\r\nX-Request-Id: kept\r\n\r\n", 2 },
		{ "HTTP/1.1 200 OK\r\ndate: kept\r\n\r\n", 2 },
	};
	char *names = malloc(FL_HTTP_MAX_HEAD + 16);

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_http_head head;
		nghttp2_nv nv[H2_HEAD_NV_MAX];

		assert_int_equal(fl_http_parse_response(cases[i].text, strlen(cases[i].text), &head, NULL), FL_HTTP_PARSE_DONE);
		assert_int_equal(h2_head_answer(&head, i == 3 ? span("abc") : span(""), i == 4 ? span("noon") : span(""), names, nv), cases[i].n);
	}
	free(names);
}

static void
trailers_are_taken_apart(void **state)
{
	static const char lines[] = "X-One:  a b \r\ny:\r\nZ:1:2\r\n\r\n";
	static const char *const want[][2] = { { "X-One", "a b" }, { "y", "" }, { "Z", "1:2" } };
	nghttp2_nv nv[H2_HEAD_TRAILERS_MAX];
	char many[(H2_HEAD_TRAILERS_MAX + 5) * 4 + 3] = "";

	(void)state;
	assert_int_equal(h2_head_trailers("\r\n", 2, nv), 0);
	assert_int_equal(h2_head_trailers(lines, sizeof(lines) - 1, nv), fl_nitems(want));
	for (size_t i = 0; i < fl_nitems(want); i++) {
		assert_int_equal(nv[i].namelen, strlen(want[i][0]));
		assert_memory_equal(nv[i].name, want[i][0], nv[i].namelen);
		assert_int_equal(nv[i].valuelen, strlen(want[i][1]));
		assert_memory_equal(nv[i].value, want[i][1], nv[i].valuelen);
	}
	for (int i = 0; i < H2_HEAD_TRAILERS_MAX + 5; i++)
		strcat(many, "a:\r\n");
	strcat(many, "\r\n");
	assert_int_equal(h2_head_trailers(many, strlen(many), nv), H2_HEAD_TRAILERS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_written_as_heads),
		cmocka_unit_test(line_ends_in_values_are_refused),
		cmocka_unit_test(large_lists_are_refused_and_not_kept),
		cmocka_unit_test(answers_lose_what_is_about_the_connection),
		cmocka_unit_test(lengths_are_told_but_with_204),
		cmocka_unit_test(trailers_are_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
