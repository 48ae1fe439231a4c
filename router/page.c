#include "router/page.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/json.h"
#include "router/block.h"

static const struct status {
	int status;
	const char *reason;
	const char *code; /* in JSON */
} statuses[] = {
	{ 200, "OK", "ok" },
	{ 301, "Moved Permanently", "moved" },
	{ 308, "Permanent Redirect", "moved" },
	{ 400, "Bad Request", "invalid" },
	{ 404, "Not Found", "not_found" },
	{ 405, "Method Not Allowed", "invalid" },
	{ 408, "Request Timeout", "timeout" },
	{ 414, "URI Too Long", "too_big" },
	{ 417, "Expectation Failed", "invalid" },
	{ 431, "Request Header Fields Too Large", "too_big" },
	{ 502, "Bad Gateway", "bad_gateway" },
	{ 503, "Service Unavailable", "unavailable" },
	{ 504, "Gateway Timeout", "timeout" },
	{ 505, "HTTP Version Not Supported", "invalid" },
};

static const struct status *
find(int status)
{
	for (size_t i = 0; i < fl_nitems(statuses); i++)
		if (statuses[i].status == status)
			return &statuses[i];
	assert(!"a status without a row");
	return &statuses[0];
}

static void
write_body(struct fl_buf *b, const struct page *p, const struct status *s)
{
	struct fl_jsonw w = fl_jsonw(b);

	if (p->plain != NULL) {
		fl_buf_addstr(b, p->plain);
		return;
	}
	if (!p->is_json) {
		fl_buf_addf(b, "%d %s\n\n%s\n", s->status, s->reason, p->why);
		return;
	}
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "code", s->code);
	fl_jsonw_str(&w, "message", p->why);
	fl_jsonw_close(&w, '}');
}

static const char *
type_of(const struct page *p)
{
	if (p->plain != NULL)
		return "application/octet-stream";
	return p->is_json ? "application/json; charset=UTF-8" : "text/plain; charset=UTF-8";
}

struct block *
page_write(struct block_pool *pool, const struct page *p)
{
	const struct status *s = find(p->status);
	struct fl_buf body = { 0 }, out = { 0 };
	char date[FL_CLOCK_HTTP_LEN];
	struct block *b;

	write_body(&body, p, s);
	fl_clock_format_http(time(NULL), date);
	fl_buf_addf(&out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\nDate: %s\r\n",
	    s->status, s->reason, type_of(p), body.len, date);
	if (p->allow != NULL)
		fl_buf_addf(&out, "Allow: %s\r\n", p->allow);
	if (p->location != NULL)
		fl_buf_addf(&out, "Location: %s\r\n", p->location);
	if (p->retry_after_s > 0)
		fl_buf_addf(&out, "Retry-After: %d\r\n", p->retry_after_s);
	if (p->id.len > 0)
		fl_buf_addf(&out, "X-Request-Id: %.*s\r\n", (int)p->id.len, p->id.p);
	if (!p->keep_alive)
		fl_buf_addstr(&out, "Connection: close\r\n");
	else if (p->client_minor == 0)
		fl_buf_addstr(&out, "Connection: keep-alive\r\n");
	fl_buf_addstr(&out, "\r\n");
	if (!p->is_head)
		fl_buf_add(&out, body.data, body.len);
	b = block_append(pool, NULL, out.data, out.len);
	fl_buf_release(&body);
	fl_buf_release(&out);
	return b;
}
