/*
 * router_head_fuzz - heads that the router passes on. What it writes fits the room it asked for,
 * parses again, and is framed as what came: else a backend would see another request than we did.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/http_parse.h"
#include "libflynn/xmalloc.h"
#include "router/head.h"
#include "router/table.h"
#include "test/fuzz/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct head_origin origin = { .peer = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", .is_tls = true, .port = 65535,
	.start_ms = INT64_MAX, .new_id = "0123456789abcdef0123456789abcdef" };

static int
same(struct fl_span a, struct fl_span b)
{
	return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

static size_t
count(const struct fl_http_head *h, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_headers; i++)
		n += fl_span_ieq(h->headers[i].name, name);
	return n;
}

static void
check_request(const char *data, size_t len)
{
	static struct fl_http_head in, out;
	char host[TABLE_MAX_KEY + 1], *text;
	struct fl_span id;
	size_t room, n;

	if (fl_http_parse_request(data, len, &in, NULL) != FL_HTTP_PARSE_DONE || fl_span_eq(in.method, "CONNECT"))
		return;
	table_normalise_host(in.host.p, in.host.len, host);
	origin.trust = (enum forwarded_trust)(len % 3);
	room = head_request_room(&in, &origin);
	text = fl_xmalloc(room);
	n = head_write_request(text, &in, &origin, &id);
	expect(n <= room && id.p > text && id.p + id.len < text + n && id.len >= 20 && id.len <= 200);
	/* Seven headers are added, so that a few heads at the bounds exceed them: they are the backend's to refuse. */
	if (in.n_headers <= FL_HTTP_MAX_HEADERS - 9 && n < FL_HTTP_MAX_HEAD && in.host.len > 0 && n - in.head_len < 600) {
		enum fl_http_parse_result r = fl_http_parse_request(text, n, &out, NULL);

		if (r == FL_HTTP_PARSE_ERROR) { /* lists, joined, may exceed the bound of a line */
			expect(count(&in, "X-Forwarded-For") + count(&in, "Forwarded") > 0);
		} else {
			expect(r == FL_HTTP_PARSE_DONE && out.head_len == n && same(in.method, out.method) && same(in.host, out.host));
			expect(in.chunked == out.chunked && in.content_length == out.content_length && out.minor == 1);
			expect(out.upgrade == head_wants_upgrade(&in) && out.keep_alive);
			expect(count(&out, "X-Request-Id") == 1 && count(&out, "X-Forwarded-For") == 1 && count(&out, "Forwarded") == 1 &&
			    count(&out, "X-Forwarded-Proto") == 1 && count(&out, "X-Request-Start") == 1 && count(&out, "Host") == 1);
			expect(*out.target.p == '/' || fl_span_eq(out.target, "*"));
		}
	}
	free(text);
}

static void
check_answer(const char *data, size_t len)
{
	static struct fl_http_head in, out;
	struct head_answer to = { .client_minor = 1, .keep_alive = len % 2 == 0, .has_body = true,
		.id = { origin.new_id, HEAD_ID_LEN }, .date = { "Sun, 06 Nov 1994 08:49:37 GMT", 29 } };
	size_t room, n;
	char *text;

	if (fl_http_parse_response(data, len, &in, NULL) != FL_HTTP_PARSE_DONE)
		return;
	room = head_answer_room(&in);
	text = fl_xmalloc(room);
	n = in.status < 200 ? head_write_interim(text, &in) : head_write_answer(text, &in, &to);
	expect(n <= room);
	if (in.n_headers <= FL_HTTP_MAX_HEADERS - 5 && n < FL_HTTP_MAX_HEAD) {
		expect(fl_http_parse_response(text, n, &out, NULL) == FL_HTTP_PARSE_DONE && out.head_len == n);
		expect(out.status == in.status && out.minor == 1);
		if (in.status >= 200)
			expect(count(&out, "Date") == (count(&in, "Date") > 0 ? count(&in, "Date") : 1));
		if (in.status >= 200 && in.status != 204)
			expect(in.chunked == out.chunked && in.content_length == out.content_length && out.keep_alive == to.keep_alive);
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_request((const char *)data, size);
	check_answer((const char *)data, size);
	return 0;
}
