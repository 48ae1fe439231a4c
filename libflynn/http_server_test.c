#include "libflynn/http_server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/loop_test.h"
#include "libflynn/sign.h"
#include "libflynn/xmalloc.h"

#define KEY "sesame"
#define AUTH "Authorization: Basic OnNlc2FtZQ==\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n"

/* A server with every kind of handler, and what they saw. */
struct site {
	struct event_base *base;
	struct fl_http *http;
	struct fl_http_req *req; /* held by a handler that answers later */
	struct fl_buf body;	 /* streamed */
	struct fl_err body_err;
	bool body_ended, closed, drained, taken;
	int drains;
	struct bufferevent *hijacked;
};

static void
hello(struct fl_http_req *req, FL_UNUSED void *arg)
{
	fl_http_add_header(req, "X-Note", "one\r\ntwo");
	fl_http_reply(req, 200, "text/plain", "hello", 5);
}

static void
show(struct fl_http_req *req, FL_UNUSED void *arg)
{
	struct fl_buf b = { 0 };
	const char *q = fl_http_query(req, "q");

	fl_buf_addf(&b, "app=%s rest=%s q=%s path=%s peer=%s", fl_http_param(req, "app"), fl_http_param(req, "*"),
	    q != NULL ? q : "-", fl_http_path(req), fl_http_peer(req));
	fl_http_reply(req, 200, "text/plain", b.data, b.len);
	fl_buf_release(&b);
}

static void
echo(struct fl_http_req *req, FL_UNUSED void *arg)
{
	size_t len;
	const char *body = fl_http_body(req, &len);

	fl_http_reply(req, 200, "text/plain", body, len);
}

static void
member(struct fl_http_req *req, FL_UNUSED void *arg)
{
	struct fl_err err = { 0 };
	const struct fl_json *v = fl_http_json(req, &err);
	const char *name = fl_json_text(v, "name");

	if (v == NULL)
		fl_http_reply_err(req, &err);
	else
		fl_http_reply(req, 200, "text/plain", name, strlen(name));
}

static void
on_close(struct fl_http_req *req, void *arg)
{
	struct site *s = arg;

	s->closed = true;
	assert_true(fl_http_gone(req));
}

static void
hold(struct fl_http_req *req, void *arg)
{
	struct site *s = arg;

	s->req = req;
	s->taken = true;
	fl_http_on_close(req, on_close, s);
}

static void
on_data(FL_UNUSED struct fl_http_req *req, const char *data, size_t len, void *arg)
{
	struct site *s = arg;

	fl_buf_add(&s->body, data, len);
}

static void
on_end(struct fl_http_req *req, const struct fl_err *err, void *arg)
{
	struct site *s = arg;

	s->body_ended = true;
	if (err != NULL)
		s->body_err = *err;
	fl_http_reply(req, 200, "text/plain", "stored", 6);
}

static void
upload(struct fl_http_req *req, void *arg)
{
	fl_http_body_read(req, on_data, on_end, arg);
}

/* Refuses before it has read anything. */
static void
full(struct fl_http_req *req, FL_UNUSED void *arg)
{
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_NO_SPACE, "the disk is full");
	fl_http_reply_err(req, &err);
}

static void
stream(struct fl_http_req *req, void *arg)
{
	hold(req, arg);
	fl_http_stream_start(req, 200, "text/plain");
}

static void
events(struct fl_http_req *req, void *arg)
{
	hold(req, arg);
	fl_http_sse_start(req);
}

static void
file(struct fl_http_req *req, FL_UNUSED void *arg)
{
	FILE *f = tmpfile();
	int fd;

	fputs("0123456789", f);
	fflush(f);
	fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 0);
	fclose(f);
	fl_http_reply_file(req, 206, "application/octet-stream", fd, 2, 5);
}

static void
hijack(struct fl_http_req *req, void *arg)
{
	struct site *s = arg;

	s->hijacked = fl_http_hijack(req, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
}

static const struct fl_http_route routes[] = {
	{ "GET", "/hello", hello, 0 },
	{ "GET", "/open", hello, FL_HTTP_OPEN },
	{ "GET", "/signed/blob", hello, FL_HTTP_SIGNED },
	{ "GET", "/apps/:app/files/*", show, 0 },
	{ "GET", "/apps/:app", show, 0 },
	{ "POST", "/echo", echo, 0 },
	{ "POST", "/json", member, 0 },
	{ "GET", "/hold", hold, 0 },
	{ "PUT", "/upload", upload, FL_HTTP_STREAM_BODY },
	{ "PUT", "/held", hold, FL_HTTP_STREAM_BODY },
	{ "PUT", "/full", full, FL_HTTP_STREAM_BODY },
	{ "GET", "/stream", stream, 0 },
	{ "GET", "/events", events, 0 },
	{ "GET", "/file", file, 0 },
	{ "POST", "/hijack", hijack, 0 },
};

static void
site_open(struct site *s, struct event_base *base)
{
	*s = (struct site){ .base = base, .http = fl_http_new(base, KEY) };
	assert_int_equal(fl_http_listen(s->http, "127.0.0.1:0", routes, fl_nitems(routes), s, NULL), 0);
}

static void
site_close(struct site *s)
{
	fl_http_free(s->http);
	fl_buf_release(&s->body);
	loop_settle(s->base);
}

static void
visit(struct site *s, struct talk *t)
{
	talk_start(t, s->base, fl_http_port(s->http));
}

static void
answers(void **state)
{
	static const struct {
		const char *say, *hear;
	} cases[] = {
		{ GET("/hello"), "HTTP/1.1 200 OK\r\n" },
		{ GET("/hello"), "Content-Length: 5\r\n" },
		{ GET("/hello"), "\r\n\r\nhello" },
		{ GET("/hello"), "X-Note: one  two\r\n" }, /* no header is smuggled in */
		{ GET("http://h/hello"), "\r\n\r\nhello" },
		{ GET("/apps/a%20b?q=%26+c"), "app=a b rest=(null) q=& c path=/apps/a b peer=127.0.0.1" },
		{ GET("/apps/a/files/x/y%2fz"), "app=a rest=x/y/z q=-" },
		{ GET("/apps/a%2fb"), "app=a/b" },
		{ GET("/apps/"), "404 Not Found" },
		{ GET("/nothing"), "{\"code\":\"not_found\",\"message\":\"there is nothing at /nothing\"}" },
		{ GET("/apps/%zz"), "400 Bad Request" },
		{ GET("hello"), "400 Bad Request" },
		{ "DELETE /hello HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n", "405 Method Not Allowed" },
		{ "DELETE /hello HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n", "Allow: GET\r\n" },
		{ "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", "401 Unauthorized" },
		{ "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n", "Content-Length: 0\r\n" },
		{ "GET /hello HTTP/1.1\r\nHost: h\r\nAuthorization: Basic eDp5\r\n\r\n", "401 Unauthorized" },
		{ "GET /open HTTP/1.1\r\nHost: h\r\n\r\n", "\r\n\r\nhello" },
		{ "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n", "200 OK" },
		{ "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", "401 Unauthorized" },
		{ GET("/metrics"), "http_requests_total{class=\"2xx\"}" },
		{ GET("/metrics"), "\n# EOF\n" },
		{ GET("/file"), "206 Partial Content" },
		{ GET("/file"), "\r\n\r\n23456" },
		{ "GET /hello HTTP/1.1\r\nHost: h\r\nX-Request-Id: abc-1\r\n" AUTH "\r\n", "X-Request-Id: abc-1\r\n" },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 3\r\n\r\nabc", "\r\n\r\nabc" },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 0\r\n\r\n", "Content-Length: 0\r\n" },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\n" AUTH "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", "\r\n\r\nabc" },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\n" AUTH "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "400 Bad Request" },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 2000000\r\n\r\n", "413 Content Too Large" },
		{ "POST /json HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 12\r\n\r\n{\"name\":\"a\"}", "\r\n\r\na" },
		{ "POST /json HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 1\r\n\r\n{", "the body is not valid JSON" },
		{ "PUT /full HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 900000000\r\n\r\nxx", "507 Insufficient Storage" },
		{ "PUT /upload HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n", "100 Continue" },
		{ "GET /hello HTTP/1.0\r\n" AUTH "\r\n", "Connection: close\r\n" },
		{ "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n" AUTH "\r\n", "Connection: keep-alive\r\n" },
		{ "GET /hello HTTP/1.1\r\n\r\n", "400 Bad Request" }, /* no Host */
		{ "\x16\x03\x01\x02\r\n\r\n", "400 Bad Request" },    /* TLS */
		{ "GET /hello HTTP/2.7\r\nHost: h\r\n\r\n", "505 HTTP Version Not Supported" },
	};
	struct site s;

	site_open(&s, *state);
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct talk t;

		visit(&s, &t);
		talk_say(&t, cases[i].say);
		if (!talk_hear(&t, cases[i].hear))
			fail_msg("case %zu: %s\nis answered\n%s", i, cases[i].say, fl_buf_cstr(&t.got));
		talk_end(&t);
	}
	site_close(&s);
}

static void
head_is_answered_without_a_body(void **state)
{
	struct site s;
	struct talk t;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, "HEAD /hello HTTP/1.1\r\nHost: h\r\n" AUTH "\r\nHEAD /file HTTP/1.1\r\nHost: h\r\n" AUTH "Connection: close\r\n\r\n");
	assert_true(talk_hear_end(&t));
	assert_non_null(strstr(t.got.data, "Content-Length: 5\r\n"));
	assert_null(strstr(t.got.data, "hello"));
	assert_null(strstr(t.got.data, "23456"));
	talk_end(&t);
	site_close(&s);
}

static void
pipelined_requests_are_answered_in_order(void **state)
{
	struct site s;
	struct talk t;
	const char *first;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, GET("/hold") GET("/hello") "GET /nothing HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" AUTH "\r\n");
	assert_true(loop_until(*state, loop_is_set, &s.taken));
	loop_settle(*state);
	assert_int_equal(t.got.len, 0); /* the second waits for the first */
	fl_http_reply(s.req, 200, "text/plain", "first", 5);
	assert_true(talk_hear_end(&t));
	first = strstr(t.got.data, "first");
	assert_non_null(first);
	assert_non_null(strstr(first, "hello"));
	assert_non_null(strstr(strstr(first, "hello"), "404"));
	talk_end(&t);
	site_close(&s);
}

static void
client_that_has_said_all_gets_its_answer(void **state)
{
	struct site s;
	struct talk t;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, GET("/hold"));
	assert_true(loop_until(*state, loop_is_set, &s.taken));
	talk_half_close(&t);
	loop_settle(*state);
	assert_false(s.closed);
	fl_http_reply(s.req, 200, "text/plain", "late", 4);
	assert_true(talk_hear_end(&t));
	assert_non_null(strstr(t.got.data, "late"));
	talk_end(&t);
	site_close(&s);
}

static void
answer_to_a_client_that_has_gone_is_dropped(void **state)
{
	struct site s;
	struct talk t;
	struct linger reset = { 1, 0 };

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, GET("/hold"));
	assert_true(loop_until(*state, loop_is_set, &s.taken));
	setsockopt(bufferevent_getfd(t.bev), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	talk_end(&t);
	assert_true(loop_until(*state, loop_is_set, &s.closed));
	loop_settle(*state);
	assert_true(fl_http_gone(s.req)); /* still valid */
	fl_http_reply(s.req, 200, NULL, NULL, 0);
	site_close(&s);
}

static void
take_answer(struct fl_http_req *req, int status, const char *type, const void *data, size_t len, void *arg)
{
	struct site *s = arg;

	assert_ptr_equal(req, s->req);
	assert_int_equal(status, 409);
	assert_string_equal(type, "application/json; charset=UTF-8");
	fl_buf_add(&s->body, data, len);
}

static void
answer_may_be_taken_and_sent_later(void **state)
{
	struct fl_err err = { 0 };
	struct site s;
	struct talk t;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, GET("/hold"));
	assert_true(loop_until(*state, loop_is_set, &s.taken));
	fl_http_on_reply(s.req, take_answer, &s);
	fl_err_set(&err, FL_ERR_CONFLICT, "not now");
	fl_http_reply_err(s.req, &err);
	loop_settle(*state);
	assert_int_equal(t.got.len, 0);
	assert_non_null(strstr(fl_buf_cstr(&s.body), "not now"));
	fl_http_reply(s.req, 200, "text/plain", "later", 5);
	assert_true(talk_hear(&t, "\r\n\r\nlater"));
	talk_end(&t);
	site_close(&s);
}

static void
request_outlives_the_server(void **state)
{
	struct site s;
	struct talk t;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, GET("/hold"));
	assert_true(loop_until(*state, loop_is_set, &s.taken));
	fl_http_free(s.http);
	assert_true(s.closed);
	fl_http_reply(s.req, 200, NULL, NULL, 0);
	talk_end(&t);
}

static void
refused_body_does_not_destroy_the_answer(void **state)
{
	static char block[1 << 16];
	struct site s;
	struct talk t;

	memset(block, 'x', sizeof(block) - 1);
	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, "PUT /full HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 3000000\r\n\r\n");
	for (int i = 0; i < 40; i++)
		talk_say(&t, block);
	assert_true(talk_hear(&t, "the disk is full"));
	assert_non_null(strstr(t.got.data, "Connection: close"));
	talk_end(&t);
	site_close(&s);
}

static void
small_unread_body_keeps_the_connection(void **state)
{
	struct site s;
	struct talk t;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
	assert_true(talk_hear(&t, "401"));
	talk_say(&t, "12345" GET("/hello"));
	assert_true(talk_hear(&t, "\r\n\r\nhello"));
	talk_end(&t);
	site_close(&s);
}

static void
body_is_streamed_with_back_pressure(void **state)
{
	static char block[1 << 16];
	struct site s;
	struct talk t;

	memset(block, 'x', sizeof(block) - 1);
	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, "PUT /held HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 13107000\r\n\r\n");
	for (int i = 0; i < 200; i++)
		talk_say(&t, block);
	assert_true(loop_until(*state, loop_is_set, &s.taken));
	loop_settle(*state);
	assert_int_equal(fl_http_body_length(s.req), 13107000);
	/* Nobody reads it here, so most of it has to be with the client still. */
	assert_true(evbuffer_get_length(bufferevent_get_output(t.bev)) > (1 << 20));
	fl_http_body_read(s.req, on_data, on_end, &s);
	assert_true(loop_until(*state, loop_is_set, &s.body_ended));
	assert_int_equal(s.body.len, 13107000);
	assert_int_equal(s.body_err.kind, FL_ERR_NONE);
	assert_true(talk_hear(&t, "stored"));
	talk_end(&t);
	site_close(&s);
}

static void
chunked_body_waits_for_its_reader(void **state)
{
	struct site s;
	struct talk t;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, "PUT /held HTTP/1.1\r\nHost: h\r\n" AUTH "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	assert_true(loop_until(*state, loop_is_set, &s.taken));
	assert_int_equal(fl_http_body_length(s.req), -1);
	loop_settle(*state);
	fl_http_body_read(s.req, on_data, on_end, &s);
	assert_true(loop_until(*state, loop_is_set, &s.body_ended));
	assert_string_equal(fl_buf_cstr(&s.body), "abc");
	talk_end(&t);
	site_close(&s);
}

static void
body_that_breaks_off_is_reported(void **state)
{
	struct site s;
	struct talk t;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, "PUT /upload HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 10\r\n\r\nabc");
	talk_half_close(&t);
	assert_true(loop_until(*state, loop_is_set, &s.body_ended));
	assert_int_equal(s.body_err.kind, FL_ERR_UNAVAILABLE);
	assert_string_equal(fl_buf_cstr(&s.body), "abc");
	talk_end(&t);
	site_close(&s);
}

static void
stream_is_chunked_for_http_1_1_only(void **state)
{
	static const struct {
		const char *say, *hear;
	} cases[] = {
		{ GET("/stream"), "\r\n\r\n3\r\nabc\r\n0\r\n\r\n" },
		{ "GET /stream HTTP/1.0\r\n" AUTH "\r\n", "Connection: close\r\n\r\nabc" },
		{ "HEAD /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" AUTH "\r\n", "Connection: close\r\n\r\n" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct site s;
		struct talk t;

		site_open(&s, *state);
		visit(&s, &t);
		talk_say(&t, cases[i].say);
		assert_true(loop_until(*state, loop_is_set, &s.taken));
		assert_true(fl_http_stream_write(s.req, "abc", 3));
		fl_http_stream_end(s.req);
		assert_true(talk_hear(&t, cases[i].hear));
		assert_false(s.closed);
		talk_end(&t);
		site_close(&s);
	}
}

static void
on_drain(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct site *s = arg;

	s->drains++;
}

static bool
has_drained(void *arg)
{
	const struct site *s = arg;

	return s->drains > 0;
}

static void
slow_reader_is_cut_off(void **state)
{
	static char block[1 << 16];
	struct site s;
	struct talk t;
	size_t written = 0;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, GET("/stream"));
	assert_true(loop_until(*state, loop_is_set, &s.taken));
	fl_http_stream_on_drain(s.req, on_drain, &s);
	for (int i = 0; i < 8; i++)
		assert_true(fl_http_stream_write(s.req, block, sizeof(block)));
	assert_true(fl_http_stream_pending(s.req) >= 8 * sizeof(block));
	assert_true(loop_until(*state, has_drained, &s));
	assert_int_equal(s.drains, 1);
	assert_true(fl_http_stream_pending(s.req) < 64 << 10);

	bufferevent_disable(t.bev, EV_READ);
	while (fl_http_stream_write(s.req, block, sizeof(block)) && written < 64 << 20)
		written += sizeof(block);
	assert_in_range(written, 1 << 20, 1 << 21);
	assert_false(s.closed); /* only from the loop */
	assert_true(loop_until(*state, loop_is_set, &s.closed));
	assert_false(fl_http_stream_write(s.req, "x", 1));
	fl_http_stream_end(s.req);
	talk_end(&t);
	site_close(&s);
}

static void
write_much(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	static char block[1 << 16];
	struct site *s = arg;

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 64; i++)
		assert_true(fl_http_stream_write(s->req, block, sizeof(block)));
	s->taken = true;
}

static void
what_is_written_at_once_may_be_of_any_length(void **state)
{
	static char block[1 << 16];
	struct site s;
	struct talk t;
	size_t written = 0;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, GET("/stream"));
	assert_true(loop_until(*state, loop_is_set, &s.taken));
	s.taken = false;
	bufferevent_disable(t.bev, EV_READ);
	event_base_once(*state, -1, EV_TIMEOUT, write_much, &s, NULL);
	assert_true(loop_until(*state, loop_is_set, &s.taken));
	loop_settle(*state);
	assert_true(fl_http_stream_pending(s.req) > 1 << 20);
	assert_true(fl_http_stream_write(s.req, "and on", 6)); /* and he may still be at it */
	bufferevent_enable(t.bev, EV_READ);
	assert_true(talk_hear(&t, "and on"));

	/* He is given that once. */
	bufferevent_disable(t.bev, EV_READ);
	while (fl_http_stream_write(s.req, block, sizeof(block)) && written < 64 << 20)
		written += sizeof(block);
	assert_in_range(written, 1 << 20, 1 << 21);
	fl_http_stream_end(s.req);
	talk_end(&t);
	site_close(&s);
}

static void
events_go_out_until_the_client_goes(void **state)
{
	struct site s;
	struct talk t;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, GET("/events"));
	assert_true(talk_hear(&t, "Content-Type: text/event-stream"));
	assert_true(talk_hear(&t, "\r\n:\n\r\n")); /* at once, so that the client knows it stands */
	assert_true(fl_http_sse_send(s.req, "up", "7", "{}"));
	assert_true(talk_hear(&t, "data: {}\n\n"));
	talk_end(&t);
	assert_true(loop_until(*state, loop_is_set, &s.closed));
	site_close(&s);
}

static void
end_stream_on_close(struct fl_http_req *req, void *arg)
{
	struct site *s = arg;

	s->closed = true;
	fl_http_stream_end(req);
}

static void
event_stream_may_be_ended_by_its_own_close(void **state)
{
	struct site s;
	struct talk t;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, GET("/events"));
	assert_true(loop_until(*state, loop_is_set, &s.taken));
	fl_http_on_close(s.req, end_stream_on_close, &s);
	talk_end(&t);
	assert_true(loop_until(*state, loop_is_set, &s.closed));
	site_close(&s);
}

static void
hijacked_connection_keeps_what_was_sent_behind(void **state)
{
	struct site s;
	struct talk t;
	char text[8] = "";

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, "POST /hijack HTTP/1.1\r\nHost: h\r\n" AUTH "\r\nbehind");
	assert_true(talk_hear(&t, "101 Switching Protocols"));
	assert_int_equal(evbuffer_remove(bufferevent_get_input(s.hijacked), text, sizeof(text)), 6);
	assert_string_equal(text, "behind");
	bufferevent_write(s.hijacked, "raw", 3);
	assert_true(talk_hear(&t, "\r\n\r\nraw"));
	bufferevent_free(s.hijacked);
	assert_true(talk_hear_end(&t));
	talk_end(&t);
	site_close(&s);
}

static void
signed_url_opens_one_path(void **state)
{
	struct site s;
	struct talk t;
	char *url = fl_sign_url(KEY, "", "/signed/blob", FL_SIGN_READ);
	char *good = fl_xasprintf("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", url);
	char *bad = fl_xasprintf("GET /hello?%s HTTP/1.1\r\nHost: h\r\n\r\n", strchr(url, '?') + 1);

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, good);
	assert_true(talk_hear(&t, "\r\n\r\nhello"));
	talk_say(&t, bad);
	assert_true(talk_hear(&t, "401 Unauthorized"));
	talk_end(&t);
	site_close(&s);
	free(url);
	free(good);
	free(bad);
}

static void
set_drained(void *arg)
{
	struct site *s = arg;

	s->drained = true;
}

static void
drain_waits_for_requests_and_ends_streams(void **state)
{
	struct site s;
	struct talk idle, held, listener;
	struct fl_http_req *req;

	site_open(&s, *state);
	visit(&s, &idle);
	visit(&s, &held);
	visit(&s, &listener);
	talk_say(&idle, GET("/hello"));
	assert_true(talk_hear(&idle, "hello"));
	talk_say(&held, GET("/hold"));
	assert_true(loop_until(*state, loop_is_set, &s.taken));
	req = s.req;
	talk_say(&listener, GET("/events"));
	assert_true(talk_hear(&listener, "\r\n:\n"));

	fl_http_drain(s.http, set_drained, &s);
	assert_true(talk_hear_end(&idle));
	assert_true(talk_hear_end(&listener));
	assert_true(s.closed);
	assert_false(s.drained);
	fl_http_reply(req, 200, "text/plain", "last", 4);
	assert_true(loop_until(*state, loop_is_set, &s.drained));
	assert_true(talk_hear_end(&held));
	assert_non_null(strstr(held.got.data, "last"));
	talk_end(&idle);
	talk_end(&held);
	talk_end(&listener);
	site_close(&s);
}

static void
refuse_nicely(struct fl_http_req *req, const struct fl_err *err)
{
	fl_http_reply(req, 418, "text/plain", fl_err_code(err->kind), strlen(fl_err_code(err->kind)));
}

static bool
authorize_x(struct fl_http_req *req, FL_UNUSED void *arg)
{
	return fl_http_header(req, "X-Pass") != NULL;
}

static void
hooks_replace_refusals_and_the_key(void **state)
{
	static const struct {
		const char *say, *hear;
	} cases[] = {
		{ GET("/hello"), "\r\n\r\ndenied" },
		{ "GET /hello HTTP/1.1\r\nHost: h\r\nX-Pass: 1\r\n\r\n", "\r\n\r\nhello" },
		{ GET("/nothing"), "\r\n\r\ndenied" },
		{ "GET /nothing HTTP/1.1\r\nHost: h\r\nX-Pass: 1\r\n\r\n", "\r\n\r\nnot_found" },
		{ "POST /echo HTTP/1.1\r\nHost: h\r\nX-Pass: 1\r\nContent-Length: 2000000\r\n\r\n", "\r\n\r\ntoo_big" },
	};
	struct site s;

	site_open(&s, *state);
	fl_http_set_refuse(s.http, refuse_nicely);
	fl_http_set_authorize(s.http, authorize_x);
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct talk t;

		visit(&s, &t);
		talk_say(&t, cases[i].say);
		assert_true(talk_hear(&t, cases[i].hear));
		talk_end(&t);
	}
	site_close(&s);
}

static void
catch_all_takes_all_but_ping_and_metrics(void **state)
{
	static const struct fl_http_route all[] = { { "GET", "/*", show, 0 } };
	static const struct {
		const char *say, *hear;
	} cases[] = {
		{ GET("/a/b"), "rest=a/b" },
		{ GET("/metrics"), "# EOF" },
		{ GET("/ping"), "\r\n\r\nok" },
	};
	struct site s = { .base = *state, .http = fl_http_new(*state, KEY) };

	assert_int_equal(fl_http_listen(s.http, "127.0.0.1:0", all, fl_nitems(all), &s, NULL), 0);
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct talk t;

		visit(&s, &t);
		talk_say(&t, cases[i].say);
		assert_true(talk_hear(&t, cases[i].hear));
		talk_end(&t);
	}
	site_close(&s);
}

static void
huge_head_is_refused(void **state)
{
	struct site s;
	struct talk t;

	site_open(&s, *state);
	visit(&s, &t);
	talk_say(&t, "GET /hello HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < 10; i++) {
		char line[4000];

		snprintf(line, sizeof(line), "X-%d: %03900d\r\n", i, 0);
		talk_say(&t, line);
	}
	assert_true(talk_hear(&t, "431 Request Header Fields Too Large"));
	talk_end(&t);
	site_close(&s);
}

static void
taken_address_is_an_error(void **state)
{
	struct site s;
	char addr[32];
	struct fl_err err = { 0 };
	struct fl_http *h = fl_http_new(*state, NULL);

	site_open(&s, *state);
	snprintf(addr, sizeof(addr), "127.0.0.1:%d", fl_http_port(s.http));
	assert_int_equal(fl_http_listen(h, addr, routes, fl_nitems(routes), NULL, &err), -1);
	assert_int_equal(err.kind, FL_ERR_SYSTEM);
	assert_non_null(strstr(err.msg, "Address already in use"));
	fl_http_free(h);
	site_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(head_is_answered_without_a_body),
		cmocka_unit_test(pipelined_requests_are_answered_in_order),
		cmocka_unit_test(client_that_has_said_all_gets_its_answer),
		cmocka_unit_test(answer_to_a_client_that_has_gone_is_dropped),
		cmocka_unit_test(answer_may_be_taken_and_sent_later),
		cmocka_unit_test(request_outlives_the_server),
		cmocka_unit_test(refused_body_does_not_destroy_the_answer),
		cmocka_unit_test(small_unread_body_keeps_the_connection),
		cmocka_unit_test(body_is_streamed_with_back_pressure),
		cmocka_unit_test(chunked_body_waits_for_its_reader),
		cmocka_unit_test(body_that_breaks_off_is_reported),
		cmocka_unit_test(stream_is_chunked_for_http_1_1_only),
		cmocka_unit_test(slow_reader_is_cut_off),
		cmocka_unit_test(what_is_written_at_once_may_be_of_any_length),
		cmocka_unit_test(events_go_out_until_the_client_goes),
		cmocka_unit_test(event_stream_may_be_ended_by_its_own_close),
		cmocka_unit_test(hijacked_connection_keeps_what_was_sent_behind),
		cmocka_unit_test(signed_url_opens_one_path),
		cmocka_unit_test(drain_waits_for_requests_and_ends_streams),
		cmocka_unit_test(hooks_replace_refusals_and_the_key),
		cmocka_unit_test(catch_all_takes_all_but_ping_and_metrics),
		cmocka_unit_test(huge_head_is_refused),
		cmocka_unit_test(taken_address_is_an_error),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, loop_set_up, loop_tear_down);
}
