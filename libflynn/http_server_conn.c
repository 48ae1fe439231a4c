/*
 * http_server_conn - a connection: takes requests off it one after another, and closes it in good order.
 *
 * What a handler does to its connection from inside a callback takes effect from the loop, by the resume
 * event: nothing is freed under anyone's hands.
 */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/http_server_internal.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

/* An answered request's body is read to its end up to here; beyond, the connection closes instead. */
#define MAX_DISCARD ((uint64_t)256 << 10)
#define MAX_SINGLE_IO ((size_t)256 << 10)

static void
set_deadline(struct http_conn *c, int seconds)
{
	struct timeval tv = { seconds, 0 };

	if (seconds == 0)
		event_del(&c->timer);
	else
		event_add(&c->timer, &tv);
}

static void
conn_enter(struct http_conn *c, enum http_conn_state state)
{
	static const int deadline_s[HTTP_CONN_MAX] = {
		[HTTP_CONN_HEAD] = HTTP_IDLE_S,
		[HTTP_CONN_BODY] = HTTP_IDLE_S,
		[HTTP_CONN_DISCARD] = HTTP_IDLE_S,
		[HTTP_CONN_LINGER] = HTTP_LINGER_S,
	};

	if (c->state == HTTP_CONN_DEAD)
		return;
	c->state = state;
	c->head_begun = false;
	set_deadline(c, deadline_s[state]);
}

void
http_conn_resume(struct http_conn *c)
{
	event_active(&c->resume, EV_TIMEOUT, 1);
}

void
http_conn_kill(struct http_conn *c)
{
	conn_enter(c, HTTP_CONN_DEAD);
	bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	http_conn_resume(c);
}

void
http_conn_finish(struct http_conn *c)
{
	conn_enter(c, HTTP_CONN_FLUSH);
	http_conn_resume(c);
}

void
http_conn_free(struct http_conn *c)
{
	struct fl_http *h = c->http;

	c->state = HTTP_CONN_DEAD;
	if (c->req != NULL)
		http_req_abandon(c->req);
	event_del(&c->resume);
	event_del(&c->timer);
	TAILQ_REMOVE(&h->conns, c, link);
	if (c->bev != NULL)
		bufferevent_free(c->bev);
	free(c);
	http_check_drained(h);
}

struct bufferevent *
http_conn_detach(struct http_conn *c)
{
	struct bufferevent *bev = c->bev;

	bufferevent_disable(bev, EV_READ);
	bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
	bufferevent_set_timeouts(bev, NULL, NULL);
	bufferevent_setwatermark(bev, EV_WRITE, 0, 0);
	c->bev = NULL;
	c->req = NULL;
	conn_enter(c, HTTP_CONN_DEAD);
	http_conn_resume(c);
	return bev;
}

/* The next piece of the body in the input: 1 and its place (used bytes are to be drained), 0: not there yet, -1. */
static int
body_next(struct http_conn *c, struct fl_span *piece, size_t *used, struct fl_err *err)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_contiguous_space(in);
	const char *data = (const char *)evbuffer_pullup(in, (ev_ssize_t)len);
	int64_t n;

	*piece = (struct fl_span){ 0 };
	if (len == 0 || c->body.done)
		return 0;
	if (!c->body.chunked) {
		*used = len < c->body.left ? len : (size_t)c->body.left;
		*piece = (struct fl_span){ data, *used };
		c->body.left -= *used;
		c->body.done = c->body.left == 0;
		return 1;
	}
	n = fl_http_chunked_feed(&c->body.chunks, data, len, piece, &c->body.done, err);
	if (n == -1)
		return -1;
	*used = (size_t)n;
	return n > 0 || c->body.done;
}

/* The body is malformed or too big: its rest cannot be told from the next request. */
static void
refuse_body(struct http_conn *c, int status, const struct fl_err *err)
{
	c->close = true;
	conn_enter(c, HTTP_CONN_ACTIVE);
	http_refuse(c->req, status, err);
}

static void
run_handler(struct http_conn *c)
{
	conn_enter(c, HTTP_CONN_ACTIVE);
	c->req->handed = true;
	c->req->handler(c->req, c->req->arg);
}

/* Add what has come of a whole body. Returns false when no more can be done now. */
static bool
collect_body(struct http_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct fl_err err = { 0 };
	struct fl_span piece;
	size_t used = 0;
	int rc = body_next(c, &piece, &used, &err);

	if (rc == -1) {
		refuse_body(c, 400, &err);
		return true;
	}
	if (c->req->body.len + piece.len > c->http->max_body) {
		fl_err_set(&err, FL_ERR_TOO_BIG, "the body is larger than %zu bytes", c->http->max_body);
		refuse_body(c, 413, &err);
		return true;
	}
	fl_buf_add(&c->req->body, piece.p, piece.len);
	if (rc == 1)
		evbuffer_drain(in, used);
	if (c->body.done)
		run_handler(c);
	else if (rc == 0 && c->eof)
		http_conn_kill(c);
	else if (rc == 1)
		set_deadline(c, HTTP_IDLE_S);
	return rc == 1 || c->body.done;
}

/* Hand on what has come of a streamed body. Returns false when no more can be done now. */
static bool
stream_body(struct http_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct fl_http_req *req = c->req;
	struct fl_err err = { 0 };
	struct fl_span piece;
	size_t used = 0;
	int rc;

	if (req->on_end == NULL) {
		set_deadline(c, 0);
		return false;
	}
	rc = body_next(c, &piece, &used, &err);
	if (rc == 0 && c->eof && !c->body.done)
		rc = fl_err_set(&err, FL_ERR_UNAVAILABLE, "the client broke off in the middle of the body");
	if (rc == -1) {
		c->close = true;
		set_deadline(c, 0);
		http_req_end_body(req, &err);
		return true;
	}
	if (piece.len > 0)
		req->on_data(req, piece.p, piece.len, req->body_arg);
	if (rc == 1)
		evbuffer_drain(in, used);
	if (c->state == HTTP_CONN_ACTIVE && c->req == req)
		set_deadline(c, c->body.done ? 0 : HTTP_IDLE_S);
	if (c->body.done && c->req == req && req->on_end != NULL)
		http_req_end_body(req, NULL);
	return rc == 1 || c->body.done;
}

static bool
discard_body(struct http_conn *c)
{
	struct fl_span piece;
	size_t used = 0;
	int rc = body_next(c, &piece, &used, NULL);

	if (rc == 1)
		evbuffer_drain(bufferevent_get_input(c->bev), used);
	if (c->body.done)
		conn_enter(c, HTTP_CONN_HEAD);
	else if (rc == -1 || c->eof)
		conn_enter(c, HTTP_CONN_FLUSH);
	return rc == 1 || c->state != HTTP_CONN_DISCARD;
}

void
http_conn_invite_body(struct http_conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (c->req->expects_continue)
		bufferevent_write(c->bev, go_on, sizeof(go_on) - 1);
	c->req->expects_continue = false;
}

static void
begin_body(struct http_conn *c, const struct fl_http_head *head)
{
	c->body = (struct http_body){ .chunked = head->chunked, .length = head->content_length };
	if (head->chunked) {
		c->body.length = -1;
		fl_http_chunked_init(&c->body.chunks);
	} else if (head->content_length > 0) {
		c->body.left = (uint64_t)head->content_length;
	} else {
		c->body.length = 0;
		c->body.done = true;
	}
}

/* The request stands; run its handler or go for its body first. */
static void
dispatch(struct http_conn *c)
{
	struct fl_http_req *req = c->req;
	struct fl_err err = { 0 };

	conn_enter(c, HTTP_CONN_ACTIVE);
	if (http_route(req, c->listener) == -1)
		return;
	if (c->body.done || (req->route->flags & FL_HTTP_STREAM_BODY) != 0) {
		run_handler(c);
	} else if (c->body.length > 0 && (uint64_t)c->body.length > c->http->max_body) {
		fl_err_set(&err, FL_ERR_TOO_BIG, "the body is larger than %zu bytes", c->http->max_body);
		refuse_body(c, 413, &err);
	} else {
		http_conn_invite_body(c);
		conn_enter(c, HTTP_CONN_BODY);
	}
}

/* Bytes that are no request: answer in the default shape, for no hook can make sense of them. */
static void
refuse_head(struct http_conn *c, const struct fl_err *err)
{
	int status = err->kind == FL_ERR_TOO_BIG ? 431 : err->kind == FL_ERR_UNAVAILABLE ? 505 : 400;

	c->close = true;
	c->body = (struct http_body){ .done = true };
	if (c->req == NULL)
		c->req = http_req_new(c);
	conn_enter(c, HTTP_CONN_ACTIVE);
	fl_http_reply(c->req, status, "text/plain; charset=utf-8", err->msg, strlen(err->msg));
}

static bool
nothing_more(struct http_conn *c, size_t len)
{
	if (c->eof || (c->close && len == 0)) {
		conn_enter(c, HTTP_CONN_FLUSH);
		return true;
	}
	if (len > 0 && !c->head_begun) {
		c->head_begun = true;
		set_deadline(c, HTTP_HEAD_S);
	}
	return false;
}

/* Take the next head. Returns false when no more can be done now. */
static bool
read_head(struct http_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_length(in), look = len < FL_HTTP_MAX_HEAD + 1 ? len : FL_HTTP_MAX_HEAD + 1;
	enum fl_http_parse_result rc = FL_HTTP_PARSE_MORE;
	struct fl_http_head head = { 0 };
	struct fl_err err = { 0 };
	const char *data = NULL;

	if (evbuffer_get_length(bufferevent_get_output(c->bev)) > HTTP_LOW_WATER)
		return false; /* the client does not read its answers: no more of them */
	if (look > 0) {
		data = (const char *)evbuffer_pullup(in, (ev_ssize_t)look);
		rc = fl_http_parse_request(data, look, &head, &err);
	}
	if (rc == FL_HTTP_PARSE_MORE && look > FL_HTTP_MAX_HEAD)
		rc = fl_err_set(&err, FL_ERR_TOO_BIG, "the head is larger than %u bytes", FL_HTTP_MAX_HEAD);
	if (rc == FL_HTTP_PARSE_MORE)
		return nothing_more(c, len);
	if (rc == FL_HTTP_PARSE_DONE) {
		c->req = http_req_new(c);
		rc = http_req_parse(c->req, &head, data, &err) == -1 ? FL_HTTP_PARSE_ERROR : rc;
	}
	if (rc == FL_HTTP_PARSE_ERROR) {
		refuse_head(c, &err);
		return true;
	}
	begin_body(c, &head);
	evbuffer_drain(in, head.head_len);
	dispatch(c);
	return true;
}

/* Everything is sent: close our side, and wait for the client to close his. */
static bool
flush(struct http_conn *c)
{
	if (evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
		return false;
	if (c->eof || c->http->draining || shutdown(bufferevent_getfd(c->bev), SHUT_WR) == -1)
		http_conn_kill(c);
	else
		conn_enter(c, HTTP_CONN_LINGER);
	return c->state == HTTP_CONN_LINGER;
}

static bool
linger(struct http_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	evbuffer_drain(in, evbuffer_get_length(in));
	if (c->eof)
		http_conn_kill(c);
	return false;
}

static bool
nothing(FL_UNUSED struct http_conn *c)
{
	return false;
}

/*
 * Stop reading while much is waiting to be consumed. Not by a high water mark: libevent 2.1 calls the read callback
 * again and again for as long as the input is over it.
 */
static void
set_reading(struct http_conn *c)
{
	bool want;

	if (c->state == HTTP_CONN_DEAD)
		return;
	want = evbuffer_get_length(bufferevent_get_input(c->bev)) < HTTP_READ_AHEAD;
	if (want == c->reading || c->eof)
		return;
	c->reading = want;
	if (want)
		bufferevent_enable(c->bev, EV_READ);
	else
		bufferevent_disable(c->bev, EV_READ);
}

static void
process(struct http_conn *c)
{
	static bool (*const steps[HTTP_CONN_MAX])(struct http_conn *) = {
		[HTTP_CONN_HEAD] = read_head,
		[HTTP_CONN_BODY] = collect_body,
		[HTTP_CONN_ACTIVE] = stream_body,
		[HTTP_CONN_DISCARD] = discard_body,
		[HTTP_CONN_FLUSH] = flush,
		[HTTP_CONN_LINGER] = linger,
		[HTTP_CONN_DEAD] = nothing,
	};

	if (c->processing)
		return;
	c->processing = true;
	while (steps[c->state](c))
		;
	c->processing = false;
	set_reading(c);
}

static void
on_resume(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct http_conn *c = arg;

	if (c->state == HTTP_CONN_DEAD)
		http_conn_free(c);
	else
		process(c);
}

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct http_conn *c = arg;
	struct fl_err err = { 0 };

	if (c->state == HTTP_CONN_ACTIVE && c->req != NULL && c->req->on_end != NULL) {
		fl_err_set(&err, FL_ERR_TIMEOUT, "no byte of the body came for %d s", HTTP_IDLE_S);
		c->close = true;
		http_req_end_body(c->req, &err);
		return;
	}
	if (evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
		conn_enter(c, c->state); /* still sending an answer: whether that goes on is the write timeout's matter */
	else
		http_conn_kill(c);
}

static void
on_read(FL_UNUSED struct bufferevent *bev, void *arg)
{
	process(arg);
}

static void
on_written(FL_UNUSED struct bufferevent *bev, void *arg)
{
	struct http_conn *c = arg;
	struct fl_http_req *req = c->req;

	if (req != NULL && req->above) {
		req->above = false;
		if (req->on_drain != NULL)
			req->on_drain(req, req->drain_arg);
	}
	if (c->state == HTTP_CONN_HEAD || c->state == HTTP_CONN_FLUSH)
		process(c);
}

static void
on_event(FL_UNUSED struct bufferevent *bev, short what, void *arg)
{
	struct http_conn *c = arg;
	bool streaming = c->req != NULL && c->req->answer != HTTP_ANSWER_NONE;

	if ((what & BEV_EVENT_EOF) != 0 && !streaming) {
		c->eof = true; /* perhaps only of its sending side: the answer is still due */
		process(c);
		return;
	}
	if ((what & BEV_EVENT_TIMEOUT) != 0)
		fl_log_warn("client does not read, cut off", fl_str("path", c->req != NULL ? c->req->path : ""),
		    fl_str("peer", c->req != NULL ? c->req->peer : ""), fl_int("pending", evbuffer_get_length(bufferevent_get_output(c->bev))));
	http_conn_kill(c);
}

void
http_conn_new(struct http_listener *l, int fd, const struct in6_addr *peer)
{
	const struct timeval write_timeout = { l->http->read_timeout_s, 0 };
	struct http_conn *c = fl_xcalloc(1, sizeof(*c));
	int on = 1;

	c->http = l->http;
	c->listener = l;
	c->peer = *peer;
	c->bev = bufferevent_socket_new(l->http->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL) {
		close(fd);
		free(c);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	event_assign(&c->resume, l->http->base, -1, 0, on_resume, c);
	event_assign(&c->timer, l->http->base, -1, 0, on_deadline, c);
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	bufferevent_set_timeouts(c->bev, NULL, &write_timeout);
	c->reading = true;
	bufferevent_setwatermark(c->bev, EV_WRITE, HTTP_LOW_WATER, 0);
	bufferevent_set_max_single_write(c->bev, MAX_SINGLE_IO);
	TAILQ_INSERT_TAIL(&l->http->conns, c, link);
	conn_enter(c, HTTP_CONN_HEAD);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

void
http_conn_settle(struct http_conn *c)
{
	const struct http_body *b = &c->body;

	if (!b->done && (b->length == -1 || b->left > MAX_DISCARD || c->req->expects_continue))
		c->close = true;
	if (!c->req->keep_alive || c->http->draining)
		c->close = true;
}

void
http_conn_answered(struct http_conn *c)
{
	c->req = NULL;
	if (c->state == HTTP_CONN_DEAD)
		return;
	if (c->close)
		conn_enter(c, HTTP_CONN_FLUSH);
	else
		conn_enter(c, c->body.done ? HTTP_CONN_HEAD : HTTP_CONN_DISCARD);
	if (!c->processing)
		http_conn_resume(c);
}
