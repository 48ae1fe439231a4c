#include "libflynn/attach.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/http_server.h"
#include "libflynn/loop_test.h"
#include "libflynn/tls_test.h"
#include "libflynn/xmalloc.h"

#define KEY "sesame"

/* A host that says what it is told to, and an attachment to it. */
struct world {
	struct event_base *base;
	struct fl_http *http;
	struct bufferevent *job; /* the host's end */
	struct talk heard;	 /* by it */
	bool attached;
	const char *say; /* right after the upgrade */
	size_t say_len;
	char body[64];

	struct fl_attach *a;
	int opens, waits, ends, drains;
	bool ended, opened, free_at_frame, detach_at_open;
	struct fl_buf log;
	struct fl_err err;
	struct bufferevent *raw;
	size_t want;
};

static void
attach(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;

	assert_string_equal(fl_http_header(req, "Upgrade"), "flynn-attach/0");
	snprintf(w->body, sizeof(w->body), "%s", fl_http_body(req, NULL));
	w->job = fl_http_hijack(req, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: flynn-attach/0\r\n\r\n");
	w->heard = (struct talk){ .bev = w->job };
	bufferevent_setcb(w->job, talk_on_read, NULL, talk_on_event, &w->heard);
	bufferevent_enable(w->job, EV_READ);
	if (w->say_len > 0)
		bufferevent_write(w->job, w->say, w->say_len);
	w->attached = true;
}

static void
refuse(struct fl_http_req *req, FL_UNUSED void *arg)
{
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_NOT_FOUND, "no such job");
	fl_http_reply_err(req, &err);
}

static const struct fl_http_route routes[] = {
	{ "POST", "/attach", attach, 0 },
	{ "POST", "/refuse", refuse, 0 },
};

static void
on_open(struct fl_attach *a, void *arg)
{
	struct world *w = arg;

	w->opens++;
	w->opened = true;
	if (w->detach_at_open) {
		w->raw = fl_attach_detach(a);
		w->a = NULL;
	}
}

static void
on_frame(struct fl_attach *a, const struct fl_frame *f, void *arg)
{
	struct world *w = arg;

	if (f->type == FL_FRAME_EXIT)
		fl_buf_addf(&w->log, "exit %u;", f->value);
	else if (f->eof)
		fl_buf_addf(&w->log, "eof %d;", f->stream);
	else
		fl_buf_addf(&w->log, "%d %.*s;", f->stream, (int)f->len, (const char *)f->data);
	if (w->free_at_frame) {
		w->a = NULL;
		fl_attach_free(a);
	}
}

static void
on_end(FL_UNUSED struct fl_attach *a, const struct fl_err *err, void *arg)
{
	struct world *w = arg;

	w->ends++;
	w->ended = true;
	if (err != NULL)
		w->err = *err;
}

static void
on_drain(FL_UNUSED struct fl_attach *a, void *arg)
{
	struct world *w = arg;

	w->drains++;
}

static void
on_waiting(FL_UNUSED struct fl_attach *a, void *arg)
{
	struct world *w = arg;

	w->waits++;
}

static const struct fl_attach_ops ops = { on_open, on_frame, on_end, on_drain, on_waiting };

static void
world_open(struct world *w, struct event_base *base)
{
	*w = (struct world){ .base = base, .http = fl_http_new(base, KEY) };
	assert_int_equal(fl_http_listen(w->http, "127.0.0.1:0", routes, fl_nitems(routes), w, NULL), 0);
}

static void
start(struct world *w, const char *path, const char *key, int state_byte, int timeout_ms)
{
	char *url = fl_xasprintf("http://127.0.0.1:%d%s", fl_http_port(w->http), path);
	const struct fl_attach_opts opts = {
		.url = url, .key = key, .body = "{\"job_id\":\"x\"}", .state_byte = state_byte, .connect_timeout_ms = timeout_ms
	};

	w->a = fl_attach_start(w->base, &opts, &ops, w);
	assert_int_equal(w->opens + w->ends, 0); /* nothing inside start */
	free(url);
}

static void
world_close(struct world *w)
{
	fl_attach_free(w->a);
	if (w->job != NULL)
		talk_end(&w->heard);
	if (w->raw != NULL)
		bufferevent_free(w->raw);
	fl_http_free(w->http);
	fl_buf_release(&w->log);
	loop_settle(w->base);
}

#define BYTES(s) s, sizeof(s) - 1

static void
what_the_host_says_is_understood(void **state)
{
	static const struct {
		const char *say;
		size_t len;
		int state_byte, waits;
		const char *log;
		enum fl_err_kind kind;
		const char *why;
	} cases[] = {
		{ BYTES("\0\3\1\0\0\0\2hi\5\0\0\0\7"), 1, 0, "1 hi;exit 7;", FL_ERR_NONE, "" },
		{ BYTES("\3\2\0\0\0\2hi\3\1\0\0\0\0\5\0\0\0\0"), 0, 0, "2 hi;eof 1;exit 0;", FL_ERR_NONE, "" },
		{ BYTES("\1\0\5\0\0\0\1"), 1, 1, "exit 1;", FL_ERR_NONE, "" },
		{ BYTES("\2\0\0\0\13no such job"), 1, 0, "", FL_ERR_UNAVAILABLE, "no such job" },
		{ BYTES("\1\2\0\0\0\5never"), 1, 1, "", FL_ERR_UNAVAILABLE, "never" },
		{ BYTES("\11"), 1, 0, "", FL_ERR_INVALID, "attach: 9 is no state" },
		{ BYTES("\0\11"), 1, 0, "", FL_ERR_INVALID, "attach: " },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct world w;

		world_open(&w, *state);
		w.say = cases[i].say;
		w.say_len = cases[i].len;
		start(&w, "/attach", KEY, cases[i].state_byte, 0);
		assert_true(loop_until(*state, loop_is_set, &w.ended));
		assert_string_equal(fl_buf_cstr(&w.log), cases[i].log);
		assert_int_equal(w.waits, cases[i].waits);
		assert_int_equal(w.err.kind, cases[i].kind);
		assert_non_null(strstr(w.err.msg, cases[i].why));
		assert_string_equal(w.body, "{\"job_id\":\"x\"}");
		assert_int_equal(w.ends, 1);
		world_close(&w);
	}
}

static void
end_of_the_stream_counts_by_where_it_comes(void **state)
{
	static const struct {
		const char *say;
		size_t len;
		enum fl_err_kind kind;
	} cases[] = {
		{ BYTES("\0"), FL_ERR_NONE },
		{ BYTES("\0\3\1\0\0\0\2hi"), FL_ERR_NONE },
		{ BYTES("\0\3\1\0\0\0\2h"), FL_ERR_UNAVAILABLE }, /* in a frame */
		{ BYTES("\1"), FL_ERR_UNAVAILABLE },		     /* before it was attached */
		{ BYTES(""), FL_ERR_UNAVAILABLE },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct world w;

		world_open(&w, *state);
		w.say = cases[i].say;
		w.say_len = cases[i].len;
		start(&w, "/attach", KEY, 1, 0);
		assert_true(loop_until(*state, loop_is_set, &w.attached));
		talk_half_close(&w.heard);
		assert_true(loop_until(*state, loop_is_set, &w.ended));
		assert_int_equal(w.err.kind, cases[i].kind);
		world_close(&w);
	}
}

static void
refusal_and_failure_say_why(void **state)
{
	static const struct {
		const char *path, *key;
		enum fl_err_kind kind;
		const char *why;
	} cases[] = {
		{ "/refuse", KEY, FL_ERR_NOT_FOUND, "attach: no such job" },
		{ "/attach", "wrong", FL_ERR_DENIED, "attach: status 401" },
		{ "/nowhere", KEY, FL_ERR_NOT_FOUND, "attach: there is nothing at /nowhere" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct world w;

		world_open(&w, *state);
		start(&w, cases[i].path, cases[i].key, 1, 0);
		assert_true(loop_until(*state, loop_is_set, &w.ended));
		assert_int_equal(w.err.kind, cases[i].kind);
		assert_string_equal(w.err.msg, cases[i].why);
		world_close(&w);
	}
}

static void
nobody_there_is_told_from_the_loop(void **state)
{
	char *refused = fl_xasprintf("http://127.0.0.1:%d/attach", loop_free_port());
	const struct {
		const char *url, *why;
	} cases[] = {
		{ refused, "Connection refused" },
		{ "http://name.invalid/attach", "resolve name.invalid" },
		{ "nonsense", "attach: " },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct world w;

		world_open(&w, *state);
		w.a = fl_attach_start(*state, &(struct fl_attach_opts){ .url = cases[i].url }, &ops, &w);
		assert_int_equal(w.ends, 0);
		assert_true(loop_until(*state, loop_is_set, &w.ended));
		if (strstr(w.err.msg, cases[i].why) == NULL)
			fail_msg("%s", w.err.msg);
		world_close(&w);
	}
	free(refused);
}

static void
wait_for_a_state_has_an_end(void **state)
{
	struct world w;

	world_open(&w, *state);
	start(&w, "/attach", KEY, 1, 50); /* the host says nothing */
	assert_true(loop_until(*state, loop_is_set, &w.ended));
	assert_int_equal(w.err.kind, FL_ERR_TIMEOUT);
	assert_string_equal(w.err.msg, "attach: waited too long for the job's state");
	world_close(&w);
}

static bool
has_heard(void *arg)
{
	const struct world *w = arg;

	return w->heard.got.len >= w->want;
}

static void
frames_reach_the_job(void **state)
{
	static const char want[] = "\3\0\0\0\0\2hi\3\0\0\0\0\0\4\0\0\0\17\6\0\30\0\120";
	struct world w;

	world_open(&w, *state);
	w.say = "\0";
	w.say_len = 1;
	start(&w, "/attach", KEY, 1, 0);
	assert_true(loop_until(*state, loop_is_set, &w.opened));
	fl_attach_send(w.a, "hi", 2);
	fl_attach_send_eof(w.a);
	fl_attach_signal(w.a, 15);
	fl_attach_resize(w.a, 24, 80);
	w.want = sizeof(want) - 1;
	assert_true(loop_until(*state, has_heard, &w));
	assert_memory_equal(w.heard.got.data, want, sizeof(want) - 1);
	world_close(&w);
}

static void
much_input_drains_and_is_told_once(void **state)
{
	struct world w;
	char *data = fl_xcalloc(1, 1 << 20);

	world_open(&w, *state);
	w.say = "\0";
	w.say_len = 1;
	start(&w, "/attach", KEY, 1, 0);
	assert_true(loop_until(*state, loop_is_set, &w.opened));
	fl_attach_send(w.a, data, 1 << 20);
	assert_true(fl_attach_pending(w.a) >= 1 << 20);
	w.want = (1 << 20) + 16 * 6; /* as frames of 64 KiB */
	assert_true(loop_until(*state, has_heard, &w));
	loop_settle(*state);
	assert_int_equal(w.drains, 1);
	free(data);
	world_close(&w);
}

static void
pause_keeps_frames_back(void **state)
{
	struct world w;

	world_open(&w, *state);
	w.say = "\0";
	w.say_len = 1;
	start(&w, "/attach", KEY, 1, 0);
	assert_true(loop_until(*state, loop_is_set, &w.opened));
	fl_attach_pause(w.a, 1);
	bufferevent_write(w.job, BYTES("\5\0\0\0\0"));
	loop_settle(*state);
	assert_int_equal(w.log.len, 0);
	fl_attach_pause(w.a, 0);
	assert_true(loop_until(*state, loop_is_set, &w.ended));
	assert_string_equal(fl_buf_cstr(&w.log), "exit 0;");
	world_close(&w);
}

static bool
was_freed(void *arg)
{
	const struct world *w = arg;

	return w->a == NULL && w->heard.ended;
}

static void
free_from_a_frame_ends_it_there(void **state)
{
	struct world w;

	world_open(&w, *state);
	w.free_at_frame = true;
	w.say = "\0\3\1\0\0\0\1a\3\1\0\0\0\1b\5\0\0\0\0";
	w.say_len = 20;
	start(&w, "/attach", KEY, 1, 0);
	assert_true(loop_until(*state, was_freed, &w));
	assert_string_equal(fl_buf_cstr(&w.log), "1 a;");
	assert_int_equal(w.ends, 0);
	world_close(&w);
}

static void
detached_connection_has_all_that_came_behind(void **state)
{
	struct world w;
	char data[8];

	world_open(&w, *state);
	w.detach_at_open = true;
	w.say = "\0\5\0\0\0\7";
	w.say_len = 6;
	start(&w, "/attach", KEY, 1, 0);
	assert_true(loop_until(*state, loop_is_set, &w.opened));
	loop_settle(*state);
	assert_int_equal(evbuffer_remove(bufferevent_get_input(w.raw), data, sizeof(data)), 5);
	assert_int_equal(w.log.len + (size_t)w.ends, 0);
	world_close(&w);
}

static void
pin_alone_decides_whom_to_trust(void **state)
{
	static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n\0\5\0\0\0\7";
	struct tls tls;
	char *url = fl_xasprintf("https://127.0.0.1:%d/attach", tls_open(&tls, *state, BYTES(answer)));
	const struct {
		const char *pin, *log;
		enum fl_err_kind kind;
		const char *why;
	} cases[] = {
		{ tls.pin, "exit 7;", FL_ERR_NONE, "" },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "", FL_ERR_DENIED, "attach: the server's certificate is not trusted" },
		{ NULL, "", FL_ERR_DENIED, "attach: the server's certificate is not trusted" }, /* by the system's authorities */
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		const struct fl_attach_opts opts = { .url = url, .pin = cases[i].pin, .state_byte = 1 };
		struct world w;

		world_open(&w, *state);
		w.a = fl_attach_start(*state, &opts, &ops, &w);
		assert_true(loop_until(*state, loop_is_set, &w.ended));
		assert_string_equal(fl_buf_cstr(&w.log), cases[i].log);
		assert_int_equal(w.err.kind, cases[i].kind);
		assert_string_equal(w.err.msg, cases[i].why);
		world_close(&w);
	}
	tls_close(&tls);
	free(url);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_host_says_is_understood),
		cmocka_unit_test(end_of_the_stream_counts_by_where_it_comes),
		cmocka_unit_test(refusal_and_failure_say_why),
		cmocka_unit_test(nobody_there_is_told_from_the_loop),
		cmocka_unit_test(pin_alone_decides_whom_to_trust),
		cmocka_unit_test(wait_for_a_state_has_an_end),
		cmocka_unit_test(frames_reach_the_job),
		cmocka_unit_test(much_input_drains_and_is_told_once),
		cmocka_unit_test(pause_keeps_frames_back),
		cmocka_unit_test(free_from_a_frame_ends_it_there),
		cmocka_unit_test(detached_connection_has_all_that_came_behind),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, loop_set_up, loop_tear_down);
}
