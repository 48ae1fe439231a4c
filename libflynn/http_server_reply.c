/*
 * http_server_reply - answers: whole, from a file, streamed, as events, and connections handed over.
 */
#include <ctype.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/http_server_internal.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/sse.h"

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 100, "Continue" },
	{ 101, "Switching Protocols" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};

static const char *
reason_of(int status)
{
	for (size_t i = 0; i < fl_nitems(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

/* RFC 9110, 6.4.1: these have no content, whatever the method. */
static bool
has_content(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

void
fl_http_add_header(struct fl_http_req *req, const char *name, const char *value)
{
	fl_buf_addf(&req->extra, "%s: ", name);
	for (const char *p = value; *p != '\0'; p++) /* a line break here would be another header */
		fl_buf_addc(&req->extra, iscntrl((unsigned char)*p) && *p != '\t' ? ' ' : *p);
	fl_buf_addstr(&req->extra, "\r\n");
}

static void
add_date(struct fl_buf *b)
{
	char text[FL_CLOCK_HTTP_LEN];

	fl_clock_format_http(time(NULL), text);
	fl_buf_addf(b, "Date: %s\r\n", text);
}

/* length -1: chunked, or up to the end of the connection for HTTP/1.0. */
static void
send_head(struct fl_http_req *req, int status, const char *content_type, int64_t length)
{
	struct fl_buf b = { 0 };

	req->status = status;
	req->chunked_out = length == -1 && !req->http_1_0;
	if (length == -1 && req->http_1_0)
		req->keep_alive = false;
	http_conn_settle(req->conn);
	fl_buf_addf(&b, "HTTP/1.1 %d %s\r\nX-Request-Id: %s\r\n", status, reason_of(status), req->id);
	add_date(&b);
	if (content_type != NULL)
		fl_buf_addf(&b, "Content-Type: %s\r\n", content_type);
	if (req->chunked_out)
		fl_buf_addstr(&b, "Transfer-Encoding: chunked\r\n");
	else if (length != -1 && has_content(status))
		fl_buf_addf(&b, "Content-Length: %lld\r\n", (long long)length);
	if (req->conn->close)
		fl_buf_addstr(&b, "Connection: close\r\n");
	else if (req->http_1_0)
		fl_buf_addstr(&b, "Connection: keep-alive\r\n");
	fl_buf_addstr(&b, fl_buf_cstr(&req->extra));
	fl_buf_addstr(&b, "\r\n");
	bufferevent_write(req->conn->bev, b.data, b.len);
	fl_buf_release(&b);
}

/* The answer has ended: count it, and let the connection go on. */
static void
finish(struct fl_http_req *req)
{
	struct fl_http *h = req->http;
	struct http_conn *c = req->conn;
	int class = req->status / 100;

	if (h != NULL && class > 0 && class < (int)fl_nitems(h->answered))
		h->answered[class]++;
	if (h != NULL && req->answer == HTTP_ANSWER_EVENTS)
		h->n_events--;
	fl_log_debug("request", fl_str("method", req->method), fl_str("path", req->path),
	    fl_int("status", req->status), fl_int("us", fl_clock_us() - req->started_us),
	    fl_str("peer", req->peer), fl_str("request_id", req->id));
	http_req_free(req);
	if (c != NULL)
		http_conn_answered(c);
}

void
fl_http_on_reply(struct fl_http_req *req,
    void (*cb)(struct fl_http_req *req, int status, const char *content_type, const void *data, size_t len, void *arg), void *arg)
{
	req->on_reply = cb;
	req->reply_arg = arg;
}

static bool
is_taken(struct fl_http_req *req, int status, const char *content_type, const void *data, size_t len)
{
	void (*cb)(struct fl_http_req *, int, const char *, const void *, size_t, void *) = req->on_reply;

	if (cb == NULL)
		return false;
	req->on_reply = NULL;
	cb(req, status, content_type, data, len, req->reply_arg);
	return true;
}

void
fl_http_reply(struct fl_http_req *req, int status, const char *content_type, const void *data, size_t len)
{
	if (is_taken(req, status, content_type, data, len))
		return;
	if (!fl_http_gone(req)) {
		send_head(req, status, content_type, (int64_t)len);
		if (len > 0 && !req->is_head && has_content(status))
			bufferevent_write(req->conn->bev, data, len);
	}
	req->status = status;
	finish(req);
}

void
fl_http_reply_json(struct fl_http_req *req, int status, const struct fl_buf *body)
{
	fl_http_reply(req, status, "application/json; charset=UTF-8", body->data, body->len);
}

void
fl_http_reply_err(struct fl_http_req *req, const struct fl_err *err)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (err->kind == FL_ERR_SYSTEM)
		fl_log_error("request failed", fl_str("method", req->method), fl_str("path", req->path),
		    fl_str("err", err->msg), fl_str("request_id", req->id));
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "code", fl_err_code(err->kind));
	fl_jsonw_str(&w, "message", err->msg);
	fl_jsonw_close(&w, '}');
	fl_http_reply_json(req, fl_err_status(err->kind), &b);
	fl_buf_release(&b);
}

void
fl_http_reply_file(struct fl_http_req *req, int status, const char *content_type, int fd, int64_t offset,
    int64_t length)
{
	struct evbuffer_file_segment *segment = NULL;

	req->status = status;
	if (fl_http_gone(req) || req->is_head || length == 0) {
		if (!fl_http_gone(req))
			send_head(req, status, content_type, length);
		close(fd);
		finish(req);
		return;
	}
	segment = evbuffer_file_segment_new(fd, offset, length, EVBUF_FS_CLOSE_ON_FREE);
	if (segment == NULL) {
		struct fl_err err = { 0 };

		close(fd);
		fl_err_sys(&err, "read the file");
		fl_http_reply_err(req, &err);
		return;
	}
	send_head(req, status, content_type, length);
	evbuffer_add_file_segment(bufferevent_get_output(req->conn->bev), segment, 0, length);
	evbuffer_file_segment_free(segment); /* the buffer holds it now */
	finish(req);
}

void
fl_http_stream_start(struct fl_http_req *req, int status, const char *content_type)
{
	req->answer = HTTP_ANSWER_STREAM;
	req->status = status;
	if (!fl_http_gone(req))
		send_head(req, status, content_type, -1);
}

/* The reader is too slow, or the stream cannot go on: its owner hears of it from the loop. */
static bool
cut_off(struct fl_http_req *req)
{
	fl_log_warn("client does not read, cut off", fl_str("path", req->path), fl_str("peer", req->peer),
	    fl_int("pending", fl_http_stream_pending(req)));
	http_conn_kill(req->conn);
	return false;
}

/*
 * Whether the reader had no chance yet to take what is queued, pending bytes, as all came in this turn of the loop: the
 * first picture of a long list does, of whatever length it is.
 */
static bool
is_burst(struct fl_http_req *req, size_t pending)
{
	struct timeval now;

	event_base_gettimeofday_cached(req->base, &now); /* the same throughout a turn */
	if (pending < HTTP_LOW_WATER) {
		req->burst_at = now;
		req->burst = pending;
	}
	return timercmp(&now, &req->burst_at, ==);
}

bool
fl_http_stream_write(struct fl_http_req *req, const void *data, size_t len)
{
	struct evbuffer *out;
	bool burst;

	if (fl_http_gone(req))
		return false;
	if (len == 0 || req->is_head)
		return true;
	out = bufferevent_get_output(req->conn->bev);
	burst = is_burst(req, evbuffer_get_length(out));
	if (evbuffer_get_length(out) >= HTTP_HIGH_WATER + req->burst)
		return cut_off(req);
	if (req->chunked_out)
		evbuffer_add_printf(out, "%zx\r\n", len);
	evbuffer_add(out, data, len);
	if (req->chunked_out)
		evbuffer_add(out, "\r\n", 2);
	if (burst)
		req->burst = evbuffer_get_length(out);
	if (evbuffer_get_length(out) >= HTTP_LOW_WATER)
		req->above = true;
	return true;
}

size_t
fl_http_stream_pending(const struct fl_http_req *req)
{
	return fl_http_gone(req) ? 0 : evbuffer_get_length(bufferevent_get_output(req->conn->bev));
}

void
fl_http_stream_on_drain(struct fl_http_req *req, void (*cb)(struct fl_http_req *req, void *arg), void *arg)
{
	req->on_drain = cb;
	req->drain_arg = arg;
}

void
fl_http_stream_end(struct fl_http_req *req)
{
	if (req->closing) { /* by its own on_close, whose caller frees it */
		req->ended = true;
		return;
	}
	if (!fl_http_gone(req) && req->chunked_out && !req->is_head)
		bufferevent_write(req->conn->bev, "0\r\n\r\n", 5);
	finish(req);
}

void
fl_http_sse_start(struct fl_http_req *req)
{
	static const struct timeval period = { HTTP_KEEP_ALIVE_S, 0 };
	struct fl_http *h = req->http;

	fl_http_add_header(req, "Cache-Control", "no-cache");
	fl_http_stream_start(req, 200, "text/event-stream; charset=utf-8");
	req->answer = HTTP_ANSWER_EVENTS;
	if (h != NULL && h->n_events++ == 0)
		evtimer_add(h->tick, &period);
	fl_http_stream_write(req, ":\n", 2); /* the client sees at once that the stream stands */
	if (req->conn != NULL && (req->conn->eof || req->is_head))
		http_conn_finish(req->conn); /* nobody listens */
}

bool
fl_http_sse_send(struct fl_http_req *req, const char *event, const char *id, const char *data)
{
	struct fl_buf b = { 0 };
	bool ok;

	fl_sse_write(&b, event, id, data);
	ok = fl_http_stream_write(req, b.data, b.len);
	fl_buf_release(&b);
	return ok;
}

void
http_req_keep_alive(struct fl_http_req *req)
{
	if (req->answer == HTTP_ANSWER_EVENTS)
		fl_http_stream_write(req, ":\n", 2);
}

void
http_req_abandon(struct fl_http_req *req)
{
	struct http_conn *c = req->conn;
	struct fl_err err = { 0 };

	if (req->on_end != NULL) {
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "the client broke off in the middle of the body");
		http_req_end_body(req, &err);
		if (c->req != req) /* answered by its reader */
			return;
	}
	if (!req->handed) { /* nobody waits for it */
		c->req = NULL;
		http_req_free(req);
		return;
	}
	req->closing = true;
	if (req->on_close != NULL)
		req->on_close(req, req->close_arg);
	if (c->req != req)
		return; /* answered by its owner, who knows no better */
	req->closing = false;
	req->on_close = NULL;
	req->on_drain = NULL;
	req->conn = NULL;
	c->req = NULL;
	if (req->ended || req->answer == HTTP_ANSWER_EVENTS)
		finish(req);
}

struct bufferevent *
fl_http_hijack(struct fl_http_req *req, const char *head)
{
	struct http_conn *c = req->conn;
	struct bufferevent *bev = NULL;

	if (!fl_http_gone(req)) {
		bufferevent_write(c->bev, head, strlen(head));
		bev = http_conn_detach(c);
		req->conn = NULL;
	}
	req->status = bev != NULL ? 101 : 0;
	finish(req);
	return bev;
}
