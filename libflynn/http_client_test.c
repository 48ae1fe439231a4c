#include "libflynn/http_client.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/loop_test.h"
#include "libflynn/tls_test.h"
#include "libflynn/xmalloc.h"

#define KEY "sesame"
#define BYTES(s) s, sizeof(s) - 1

/* A server that shows what reached it, and a client of it. */
struct world {
	struct event_base *base;
	struct fl_http *http;
	struct fl_http_client *client;
	struct fl_http_req *held;
	bool taken, closed;
	int connections;
};

/* How a call ended. */
struct result {
	bool done;
	int calls, status;
	struct fl_buf body, pieces;
	char type[64];
	struct fl_err err;
	struct fl_http_call *cancel; /* by a piece */
	bool give_up;		     /* at the first piece */
};

static void
show(struct fl_http_req *req, FL_UNUSED void *arg)
{
	static const char *const headers[] = { "Content-Type", "Content-Length", "Expect", "X-A", "Accept-Encoding" };
	struct fl_buf b = { 0 };
	size_t len;
	const char *body = fl_http_body(req, &len);

	fl_buf_addf(&b, "%s %s body=%s", fl_http_method(req), fl_http_path(req), len < 100 ? body : "big");
	for (size_t i = 0; i < fl_nitems(headers); i++) {
		const char *value = fl_http_header(req, headers[i]);

		if (value != NULL)
			fl_buf_addf(&b, " %s=%s", headers[i], value);
	}
	fl_http_reply(req, 200, "text/plain", b.data, b.len);
	fl_buf_release(&b);
}

static void
refuse(struct fl_http_req *req, FL_UNUSED void *arg)
{
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_CONFLICT, "it exists");
	fl_http_reply_err(req, &err);
}

static void
on_close(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;

	w->closed = true;
	fl_http_stream_end(req);
}

static void
hold(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;

	w->held = req;
	w->taken = true;
	fl_http_on_close(req, on_close, w);
	fl_http_stream_start(req, strcmp(fl_http_path(req), "/bad-stream") == 0 ? 500 : 200, "text/plain");
}

static void
big(struct fl_http_req *req, FL_UNUSED void *arg)
{
	char *data = fl_xcalloc(1, 100000);

	memset(data, 'x', 100000);
	fl_http_reply(req, 200, NULL, data, 100000);
	free(data);
}

static void
empty(struct fl_http_req *req, FL_UNUSED void *arg)
{
	fl_http_reply(req, 200, NULL, NULL, 0);
}

static const struct fl_http_route routes[] = {
	{ "GET", "/show", show, 0 },
	{ "PUT", "/show", show, 0 },
	{ "POST", "/show", show, 0 },
	{ "DELETE", "/show", show, 0 },
	{ "POST", "/refuse", refuse, 0 },
	{ "GET", "/stream", hold, 0 },
	{ "GET", "/bad-stream", hold, 0 },
	{ "GET", "/big", big, 0 },
	{ "GET", "/empty", empty, 0 },
};

static void
world_open(struct world *w, struct event_base *base)
{
	*w = (struct world){ .base = base, .http = fl_http_new(base, KEY), .client = fl_http_client_new(base, KEY) };
	assert_int_equal(fl_http_listen(w->http, "127.0.0.1:0", routes, fl_nitems(routes), w, NULL), 0);
}

static void
world_close(struct world *w)
{
	fl_http_client_free(w->client);
	fl_http_free(w->http);
	loop_settle(w->base);
}

static char *
url(const struct world *w, const char *path)
{
	return fl_xasprintf("http://127.0.0.1:%d%s", fl_http_port(w->http), path);
}

static void
record(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct result *r = arg;

	r->done = true;
	r->calls++;
	if (err != NULL) {
		assert_null(res);
		r->err = *err;
		return;
	}
	r->status = res->status;
	fl_buf_add(&r->body, res->body, res->len);
	snprintf(r->type, sizeof(r->type), "%s", res->content_type);
	assert_null(fl_http_result_header(res, "x-nobody-sends"));
	assert_true(*r->type == '\0' || strcmp(fl_http_result_header(res, "CONTENT-type"), r->type) == 0);
	assert_int_equal(res->body[res->len], '\0');
}

static int
on_piece(const char *data, size_t len, void *arg)
{
	struct result *r = arg;

	fl_buf_add(&r->pieces, data, len);
	if (r->cancel != NULL)
		fl_http_call_cancel(r->cancel);
	return r->give_up ? -1 : 0;
}

static void
release(struct result *r)
{
	fl_buf_release(&r->body);
	fl_buf_release(&r->pieces);
}

static struct result
run(struct world *w, const struct fl_http_call_opts *opts)
{
	struct result r = { 0 };

	fl_http_client_start(w->client, opts, record, &r);
	assert_int_equal(r.calls, 0); /* never inside start */
	assert_true(loop_until(w->base, loop_is_set, &r.done));
	assert_int_equal(r.calls, 1);
	return r;
}

static void
requests_go_out_as_asked(void **state)
{
	static const char *const headers[] = { "X-A: 1", NULL };
	static const struct {
		struct fl_http_call_opts opts;
		const char *want;
	} cases[] = {
		{ { .method = NULL }, "GET /show body=" },
		{ { .method = "DELETE" }, "DELETE /show body=" },
		{ { .method = "POST" }, "POST /show body= Content-Length=0" },
		{ { .method = "PUT", .body = "{}", .body_len = 2 }, "PUT /show body={} Content-Type=application/json Content-Length=2" },
		{ { .method = "POST", .body = "a", .body_len = 1, .content_type = "text/x" }, "POST /show body=a Content-Type=text/x Content-Length=1" },
		{ { .headers = headers }, "GET /show body= X-A=1" },
	};
	struct world w;

	world_open(&w, *state);
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_http_call_opts opts = cases[i].opts;
		char *to = url(&w, "/show");
		struct result r;

		opts.url = to;
		r = run(&w, &opts);
		assert_int_equal(r.err.kind, FL_ERR_NONE);
		assert_int_equal(r.status, 200);
		assert_string_equal(fl_buf_cstr(&r.body), cases[i].want);
		assert_string_equal(r.type, "text/plain");
		release(&r);
		free(to);
	}
	world_close(&w);
}

static void
key_of_the_call_comes_before_the_clients(void **state)
{
	static const struct {
		const char *key;
		int want;
	} cases[] = { { NULL, 200 }, { "wrong", 401 }, { "", 401 } };
	struct world w;

	world_open(&w, *state);
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *to = url(&w, "/show");
		struct result r = run(&w, &(struct fl_http_call_opts){ .url = to, .key = cases[i].key });

		assert_int_equal(r.status, cases[i].want);
		release(&r);
		free(to);
	}
	world_close(&w);
}

static void
file_is_sent_from_its_offset(void **state)
{
	struct world w;
	FILE *f = tmpfile();
	struct result r;
	char *to;

	world_open(&w, *state);
	to = url(&w, "/show");
	fputs("0123456789", f);
	fflush(f);
	lseek(fileno(f), 4, SEEK_SET);
	r = run(&w, &(struct fl_http_call_opts){ .method = "PUT", .url = to, .body_fd = fileno(f), .body_len = 3 });
	assert_non_null(strstr(fl_buf_cstr(&r.body), "PUT /show body=456"));
	release(&r);
	/* Shorter than was promised: no answer, and no hanging. */
	r = run(&w, &(struct fl_http_call_opts){ .method = "PUT", .url = to, .body_fd = fileno(f), .body_len = 30 });
	assert_int_equal(r.err.kind, FL_ERR_UNAVAILABLE);
	release(&r);
	free(to);
	fclose(f);
	world_close(&w);
}

static void
failures_have_a_kind_and_a_sentence(void **state)
{
	char *refused = fl_xasprintf("http://127.0.0.1:%d/x?sig=secret", loop_free_port());
	struct world w;
	char *large, *stream;

	world_open(&w, *state);
	large = url(&w, "/big");
	stream = url(&w, "/stream");
	{
		const struct {
			struct fl_http_call_opts opts;
			enum fl_err_kind kind;
			const char *says;
		} cases[] = {
			{ { .url = refused }, FL_ERR_UNAVAILABLE, "/x: Failed to connect" },
			{ { .url = large, .max_body = 99999 }, FL_ERR_TOO_BIG, "the answer is larger than 99999 bytes" },
			{ { .url = stream, .timeout_ms = 50 }, FL_ERR_TIMEOUT, "timed out" },
			{ { .url = stream, .timeout_ms = -1, .idle_timeout_ms = 50 }, FL_ERR_TIMEOUT, "nothing came for 50 ms" },
			{ { .url = "file:///etc/passwd" }, FL_ERR_INVALID, "GET file:///etc/passwd" },
			{ { .url = "http://[" }, FL_ERR_INVALID, "GET http://[" },
			{ { .url = large, .unix_socket = "/nowhere" }, FL_ERR_UNAVAILABLE, "/big" },
		};

		for (size_t i = 0; i < fl_nitems(cases); i++) {
			struct result r = run(&w, &cases[i].opts);

			assert_int_equal(r.err.kind, cases[i].kind);
			if (strstr(r.err.msg, cases[i].says) == NULL)
				fail_msg("case %zu says: %s", i, r.err.msg);
			assert_null(strstr(r.err.msg, "secret"));
			release(&r);
		}
	}
	free(refused);
	free(large);
	free(stream);
	world_close(&w);
}

static void
bad_status_becomes_an_error_when_checked(FL_UNUSED void **state)
{
	static const struct {
		struct fl_http_result res;
		enum fl_err_kind kind;
		const char *says;
	} cases[] = {
		{ { .status = 204, .body = "" }, FL_ERR_NONE, "" },
		{ { .status = 404, .body = "" }, FL_ERR_NOT_FOUND, "find it: status 404" },
		{ { .status = 409, .body = "{\"message\":\"it exists\"}", .len = 23 }, FL_ERR_CONFLICT, "find it: it exists" },
		{ { .status = 503, .body = "<html>", .len = 6 }, FL_ERR_UNAVAILABLE, "find it: status 503" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_int_equal(fl_http_result_check(&cases[i].res, "find it", &err), cases[i].kind == FL_ERR_NONE ? 0 : -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_string_equal(err.msg, cases[i].says);
	}
}

static bool
has_pieces(void *arg)
{
	const struct result *r = arg;

	return r->pieces.len > 0;
}

static void
answer_is_handed_on_in_pieces(void **state)
{
	struct world w;
	struct result r = { 0 };
	char *to;

	world_open(&w, *state);
	to = url(&w, "/stream");
	fl_http_client_start(w.client, &(struct fl_http_call_opts){ .url = to, .timeout_ms = -1, .on_data = on_piece }, record, &r);
	assert_true(loop_until(*state, loop_is_set, &w.taken));
	fl_http_stream_write(w.held, "one", 3);
	assert_true(loop_until(*state, has_pieces, &r));
	assert_string_equal(fl_buf_cstr(&r.pieces), "one");
	assert_false(r.done);
	fl_http_stream_end(w.held);
	assert_true(loop_until(*state, loop_is_set, &r.done));
	assert_int_equal(r.status, 200);
	assert_int_equal(r.body.len, 0);
	release(&r);
	free(to);
	world_close(&w);
}

static void
bad_answer_is_not_handed_on_in_pieces(void **state)
{
	struct world w;
	struct result r = { 0 };
	char *to;

	world_open(&w, *state);
	to = url(&w, "/bad-stream");
	fl_http_client_start(w.client, &(struct fl_http_call_opts){ .url = to, .on_data = on_piece }, record, &r);
	assert_true(loop_until(*state, loop_is_set, &w.taken));
	fl_http_stream_write(w.held, "why", 3);
	fl_http_stream_end(w.held);
	assert_true(loop_until(*state, loop_is_set, &r.done));
	assert_int_equal(r.status, 500);
	assert_string_equal(fl_buf_cstr(&r.body), "why");
	assert_int_equal(r.pieces.len, 0);
	release(&r);
	free(to);
	world_close(&w);
}

static void
cancelled_call_says_nothing_and_leaves_the_server(void **state)
{
	static const struct {
		bool from_piece;
	} cases[] = { { false }, { true } };

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct world w;
		struct result r = { 0 };
		struct fl_http_call *call;
		char *to;

		world_open(&w, *state);
		to = url(&w, "/stream");
		call = fl_http_client_start(w.client, &(struct fl_http_call_opts){ .url = to, .timeout_ms = -1, .on_data = on_piece }, record, &r);
		assert_true(loop_until(*state, loop_is_set, &w.taken));
		if (cases[i].from_piece) {
			r.cancel = call;
			fl_http_stream_write(w.held, "x", 1);
		} else {
			fl_http_call_cancel(call);
		}
		assert_true(loop_until(*state, loop_is_set, &w.closed));
		assert_int_equal(r.calls, 0);
		release(&r);
		free(to);
		world_close(&w);
	}
}

static void
reader_may_give_up(void **state)
{
	struct world w;
	struct result r = { .give_up = true };
	char *to;

	world_open(&w, *state);
	to = url(&w, "/stream");
	fl_http_client_start(w.client, &(struct fl_http_call_opts){ .url = to, .on_data = on_piece }, record, &r);
	assert_true(loop_until(*state, loop_is_set, &w.taken));
	fl_http_stream_write(w.held, "x", 1);
	assert_true(loop_until(*state, loop_is_set, &r.done));
	assert_int_equal(r.err.kind, FL_ERR_SYSTEM);
	assert_true(loop_until(*state, loop_is_set, &w.closed));
	release(&r);
	free(to);
	world_close(&w);
}

struct chain {
	struct world *w;
	char *to;
	int left;
	bool done;
};

/* From inside a callback: start the next, and at the end free the client. */
static void
on_link(FL_UNUSED const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct chain *c = arg;

	assert_null(err);
	if (--c->left > 0) {
		fl_http_client_start(c->w->client, &(struct fl_http_call_opts){ .url = c->to }, on_link, c);
		return;
	}
	fl_http_client_free(c->w->client);
	c->w->client = NULL;
	c->done = true;
}

static void
callback_may_start_calls_and_free_the_client(void **state)
{
	struct world w;
	struct chain c = { .w = &w, .left = 3 };

	world_open(&w, *state);
	c.to = url(&w, "/empty");
	fl_http_client_start(w.client, &(struct fl_http_call_opts){ .url = c.to }, on_link, &c);
	assert_true(loop_until(*state, loop_is_set, &c.done));
	free(c.to);
	world_close(&w);
}

static void
free_cancels_what_is_under_way(void **state)
{
	struct world w;
	struct result r = { 0 };
	char *to;

	world_open(&w, *state);
	to = url(&w, "/stream");
	fl_http_client_start(w.client, &(struct fl_http_call_opts){ .url = to }, record, &r);
	assert_true(loop_until(*state, loop_is_set, &w.taken));
	fl_http_client_free(w.client);
	w.client = NULL;
	assert_true(loop_until(*state, loop_is_set, &w.closed));
	assert_int_equal(r.calls, 0);
	free(to);
	world_close(&w);
}

static void
pin_alone_decides_whom_to_trust(void **state)
{
	struct tls tls;
	struct world w;
	char *to = fl_xasprintf("https://127.0.0.1:%d/", tls_open(&tls, *state, BYTES("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")));
	const struct {
		const char *pin;
		enum fl_err_kind kind;
		const char *says;
	} cases[] = {
		{ tls.pin, FL_ERR_NONE, "" },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", FL_ERR_DENIED, "the server's certificate is not the pinned one" },
		{ NULL, FL_ERR_DENIED, "certificate" }, /* though a trusted connection is kept */
		{ tls.pin, FL_ERR_NONE, "" },
	};

	world_open(&w, *state);
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct result r = run(&w, &(struct fl_http_call_opts){ .url = to, .pin = cases[i].pin });

		assert_int_equal(r.err.kind, cases[i].kind);
		assert_non_null(strstr(r.err.msg, cases[i].says));
		release(&r);
	}
	assert_int_equal(tls.connections, 3); /* the last call reused the first's */
	free(to);
	world_close(&w);
	tls_close(&tls);
}

/* A child that serves, for the calls that block. Returns its port. */
static int
serve(pid_t *pid)
{
	int fds[2], port = 0;

	assert_int_equal(pipe(fds), 0);
	if ((*pid = fork()) == 0) {
		struct world w;

		world_open(&w, event_base_new());
		port = fl_http_port(w.http);
		if (write(fds[1], &port, sizeof(port)) == sizeof(port))
			event_base_dispatch(w.base);
		_exit(0);
	}
	assert_int_equal(read(fds[0], &port, sizeof(port)), sizeof(port));
	close(fds[0]);
	close(fds[1]);
	return port;
}

static void
fetch_waits_for_the_answer(FL_UNUSED void **state)
{
	pid_t pid;
	int port = serve(&pid), status = 0;
	char *to = fl_xasprintf("http://127.0.0.1:%d/show", port), *nowhere = fl_xasprintf("http://127.0.0.1:%d/nowhere", port);
	char *empty = fl_xasprintf("http://127.0.0.1:%d/empty", port);
	struct fl_err err = { 0 };
	struct result r = { 0 };
	struct fl_json *v;
	size_t len = 0;
	char *body = fl_http_fetch(&(struct fl_http_call_opts){ .url = to, .key = KEY }, NULL, &status, &len, &err);

	assert_non_null(body);
	assert_int_equal(status, 200);
	assert_string_equal(body, "GET /show body=");
	assert_int_equal(len, strlen(body));
	free(body);
	free(fl_http_fetch(&(struct fl_http_call_opts){ .url = to, .key = KEY, .on_data = on_piece }, &r, &status, NULL, &err));
	assert_string_equal(fl_buf_cstr(&r.pieces), "GET /show body=");
	release(&r);
	assert_null(fl_http_fetch_json(&(struct fl_http_call_opts){ .url = nowhere, .key = KEY }, "look", &err));
	assert_int_equal(err.kind, FL_ERR_NOT_FOUND);
	assert_string_equal(err.msg, "look: there is nothing at /nowhere");
	assert_null(fl_http_fetch_json(&(struct fl_http_call_opts){ .url = to, .key = KEY }, "look", &err));
	assert_int_equal(err.kind, FL_ERR_INVALID);
	v = fl_http_fetch_json(&(struct fl_http_call_opts){ .url = empty, .key = KEY }, "look", &err);
	assert_non_null(v);
	assert_true(fl_json_is_null(v));
	fl_json_free(v);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	free(to);
	free(nowhere);
	free(empty);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_go_out_as_asked),
		cmocka_unit_test(key_of_the_call_comes_before_the_clients),
		cmocka_unit_test(file_is_sent_from_its_offset),
		cmocka_unit_test(failures_have_a_kind_and_a_sentence),
		cmocka_unit_test(bad_status_becomes_an_error_when_checked),
		cmocka_unit_test(answer_is_handed_on_in_pieces),
		cmocka_unit_test(bad_answer_is_not_handed_on_in_pieces),
		cmocka_unit_test(cancelled_call_says_nothing_and_leaves_the_server),
		cmocka_unit_test(reader_may_give_up),
		cmocka_unit_test(callback_may_start_calls_and_free_the_client),
		cmocka_unit_test(free_cancels_what_is_under_way),
		cmocka_unit_test(pin_alone_decides_whom_to_trust),
		cmocka_unit_test(fetch_waits_for_the_answer),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, loop_set_up, loop_tear_down);
}
