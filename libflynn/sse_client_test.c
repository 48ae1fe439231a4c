#include "libflynn/sse_client.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/http_server.h"
#include "libflynn/loop_test.h"
#include "libflynn/xmalloc.h"

/* A source of events, and what its follower heard. */
struct world {
	struct event_base *base;
	struct fl_http *http;
	struct fl_http_client *client;
	struct fl_sse_client *sse;
	struct fl_http_req *req; /* the stream that stands */
	int streams;
	char last_id[16];
	bool refuses, unknown; /* the server answers 503; the URL is not known */
	bool free_at_event;
	int asked, opens, events, errors;
	struct fl_buf heard;
	struct fl_err err;
	int want; /* for the predicates */
};

static void
on_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct world *w = arg;

	w->req = NULL;
}

static void
events(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;
	const char *id = fl_http_header(req, "Last-Event-Id");
	struct fl_err err = { 0 };

	snprintf(w->last_id, sizeof(w->last_id), "%s", id != NULL ? id : "-");
	w->streams++;
	if (w->refuses) {
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "not now");
		fl_http_reply_err(req, &err);
		return;
	}
	w->req = req;
	fl_http_on_close(req, on_close, w);
	fl_http_sse_start(req);
}

static const struct fl_http_route routes[] = { { "GET", "/events", events, FL_HTTP_OPEN } };

static char *
url(void *arg)
{
	struct world *w = arg;

	w->asked++;
	return w->unknown ? NULL : fl_xasprintf("http://127.0.0.1:%d/events", fl_http_port(w->http));
}

static void
on_open(void *arg)
{
	struct world *w = arg;

	w->opens++;
}

static void
on_event(const char *event, const char *id, const char *data, size_t len, void *arg)
{
	struct world *w = arg;

	w->events++;
	fl_buf_addf(&w->heard, "%s/%s/%.*s ", event, id, (int)len, data);
	if (w->free_at_event) {
		fl_sse_client_free(w->sse);
		w->sse = NULL;
	}
}

static void
on_error(const struct fl_err *err, void *arg)
{
	struct world *w = arg;

	w->errors++;
	w->err = *err;
}

static const struct fl_sse_client_ops ops = { url, on_open, on_event, on_error, NULL };

static bool
has_events(void *arg)
{
	const struct world *w = arg;

	return w->events >= w->want;
}

static bool
has_opens(void *arg)
{
	const struct world *w = arg;

	return w->opens >= w->want && w->req != NULL;
}

static bool
has_errors(void *arg)
{
	const struct world *w = arg;

	return w->errors >= w->want;
}

static bool
was_asked(void *arg)
{
	const struct world *w = arg;

	return w->asked >= w->want;
}

static bool
stream_has_gone(void *arg)
{
	const struct world *w = arg;

	return w->req == NULL;
}

static bool
await(struct world *w, bool (*what)(void *), int n)
{
	w->want = n;
	return loop_until(w->base, what, w);
}

static void
world_open(struct world *w, struct event_base *base)
{
	*w = (struct world){ .base = base, .http = fl_http_new(base, NULL), .client = fl_http_client_new(base, NULL) };
	assert_int_equal(fl_http_listen(w->http, "127.0.0.1:0", routes, fl_nitems(routes), w, NULL), 0);
}

static void
world_close(struct world *w)
{
	fl_sse_client_free(w->sse);
	fl_http_client_free(w->client);
	fl_http_free(w->http);
	fl_buf_release(&w->heard);
	loop_settle(w->base);
}

static void
events_are_heard_and_the_stream_is_taken_up_again(void **state)
{
	struct world w;

	world_open(&w, *state);
	w.sse = fl_sse_client_start(w.client, &ops, &w);
	assert_int_equal(w.asked, 0); /* nothing inside start */
	assert_true(await(&w, has_opens, 1));
	assert_string_equal(w.last_id, "-");
	fl_http_sse_send(w.req, "up", "41", "one");
	fl_http_sse_send(w.req, NULL, NULL, "two");
	assert_true(await(&w, has_events, 2));
	assert_string_equal(w.heard.data, "up/41/one //two ");

	fl_http_stream_end(w.req);
	w.req = NULL;
	assert_true(await(&w, has_opens, 2));
	assert_int_equal(w.errors, 1);
	assert_string_equal(w.err.msg, "the event stream ended");
	assert_string_equal(w.last_id, "41");
	world_close(&w);
}

static void
refusal_is_reported_and_tried_again(void **state)
{
	struct world w;

	world_open(&w, *state);
	w.refuses = true;
	w.sse = fl_sse_client_start(w.client, &ops, &w);
	assert_true(await(&w, has_errors, 2));
	assert_int_equal(w.err.kind, FL_ERR_UNAVAILABLE);
	assert_string_equal(w.err.msg, "event stream: not now");
	assert_int_equal(w.opens, 0);
	w.refuses = false;
	assert_true(await(&w, has_opens, 1));
	world_close(&w);
}

static void
url_is_asked_for_until_it_is_known(void **state)
{
	struct world w;

	world_open(&w, *state);
	w.unknown = true;
	w.sse = fl_sse_client_start(w.client, &ops, &w);
	assert_true(await(&w, was_asked, 2));
	assert_int_equal(w.streams, 0);
	w.unknown = false;
	assert_true(await(&w, has_opens, 1));
	world_close(&w);
}

static void
restart_connects_anew_at_once(void **state)
{
	struct world w;

	world_open(&w, *state);
	w.sse = fl_sse_client_start(w.client, &ops, &w);
	assert_true(await(&w, has_opens, 1));
	fl_sse_client_restart(w.sse);
	assert_true(await(&w, has_opens, 2));
	assert_int_equal(w.errors, 0);
	world_close(&w);
}

static void
free_from_an_event_ends_it_there(void **state)
{
	struct world w;

	world_open(&w, *state);
	w.free_at_event = true;
	w.sse = fl_sse_client_start(w.client, &ops, &w);
	assert_true(await(&w, has_opens, 1));
	fl_http_sse_send(w.req, NULL, NULL, "one");
	fl_http_sse_send(w.req, NULL, NULL, "two"); /* in the same piece */
	assert_true(await(&w, stream_has_gone, 0));
	assert_int_equal(w.events, 1);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_heard_and_the_stream_is_taken_up_again),
		cmocka_unit_test(refusal_is_reported_and_tried_again),
		cmocka_unit_test(url_is_asked_for_until_it_is_known),
		cmocka_unit_test(restart_connects_anew_at_once),
		cmocka_unit_test(free_from_an_event_ends_it_there),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, loop_set_up, loop_tear_down);
}
