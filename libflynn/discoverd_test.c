#include "libflynn/discoverd.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "libflynn/discoverd_internal.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/loop_test.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define KEY "sesame"

/* A discoverd of one service at a time: it remembers what it was told, and loses it when asked to. */
struct world {
	struct event_base *base;
	struct fl_http *http;
	struct fl_discoverd *d;
	char addr[32];
	struct fl_http_req *stream;
	char session[64];
	int life;	/* which of the session's */
	bool has_service, away; /* away: answers 503 to everything */
	bool holds_puts; /* of instances: the next is not answered, but held */
	struct fl_http_req *held;
	bool has_all;	/* the stream of all services */
	struct fl_buf log;	/* of what it was told */
	size_t n_streams;

	int changes; /* heard by a watch */
	bool unwatch, gone;
	struct fl_discoverd_service *s;
	char found[32];
	struct fl_err err;
	bool done;
};

static bool
refused(struct world *w, struct fl_http_req *req, enum fl_err_kind kind, bool is)
{
	struct fl_err err = { 0 };

	if (!w->away && !is)
		return false;
	fl_err_set(&err, w->away ? FL_ERR_UNAVAILABLE : kind, "no");
	fl_http_reply_err(req, &err);
	return true;
}

static void
ok(struct fl_http_req *req, int status)
{
	fl_http_reply(req, status, NULL, NULL, 0);
}

static void
put_session(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;
	const char *id = fl_http_param(req, "id");
	bool is_new = strcmp(w->session, id) != 0;
	struct fl_buf body = { 0 };

	if (refused(w, req, FL_ERR_NONE, false))
		return;
	snprintf(w->session, sizeof(w->session), "%s", id);
	if (is_new) {
		w->life++;
		fl_buf_addstr(&w->log, "session;");
	}
	fl_buf_addf(&body, "{\"life\":\"life%d\"}", w->life);
	fl_http_reply_json(req, is_new ? 201 : 200, &body);
	fl_buf_release(&body);
}

static bool
is_current(const struct world *w, struct fl_http_req *req)
{
	char life[32];

	snprintf(life, sizeof(life), "life%d", w->life);
	return strcmp(fl_http_query(req, "session"), w->session) == 0 && strcmp(fl_http_query(req, "life"), life) == 0;
}

static void
delete_session(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;

	fl_buf_addstr(&w->log, "goodbye;");
	ok(req, 200);
}

static void
put_service(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;

	if (refused(w, req, FL_ERR_CONFLICT, w->has_service))
		return;
	w->has_service = true;
	fl_buf_addf(&w->log, "service %s;", fl_http_param(req, "s"));
	ok(req, 200);
}

static void
put_instance(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;
	const struct fl_json *v = fl_http_json(req, NULL), *meta = fl_json_get(v, "meta");

	if (refused(w, req, FL_ERR_NOT_FOUND, !w->has_service || !is_current(w, req)))
		return;
	assert_string_equal(fl_json_text(v, "id"), fl_http_param(req, "id"));
	fl_buf_addf(&w->log, "+%s %s;", fl_json_text(v, "addr"), fl_json_str(fl_json_get(meta, "k"), "-"));
	if (w->holds_puts)
		w->held = req;
	else
		ok(req, 200);
}

static void
delete_instance(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;

	if (refused(w, req, FL_ERR_NONE, false))
		return;
	fl_buf_addstr(&w->log, "-;");
	ok(req, 200);
}

static void
on_stream_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct world *w = arg;

	w->stream = NULL;
	w->n_streams--;
}

static void
get_service(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;

	if (refused(w, req, FL_ERR_NONE, false))
		return;
	w->stream = req;
	w->n_streams++;
	fl_http_on_close(req, on_stream_close, w);
	fl_http_sse_start(req);
}

static void
get_services(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;

	if (!refused(w, req, FL_ERR_NOT_FOUND, !w->has_all))
		get_service(req, arg);
}

static const struct fl_http_route routes[] = {
	{ "GET", "/services", get_services, 0 },
	{ "PUT", "/sessions/:id", put_session, 0 },
	{ "DELETE", "/sessions/:id", delete_session, 0 },
	{ "PUT", "/services/:s", put_service, 0 },
	{ "GET", "/services/:s", get_service, 0 },
	{ "PUT", "/services/:s/instances/:id", put_instance, 0 },
	{ "DELETE", "/services/:s/instances/:id", delete_instance, 0 },
};

static void
world_open(struct world *w, struct event_base *base)
{
	*w = (struct world){ .base = base, .http = fl_http_new(base, KEY) };
	assert_int_equal(fl_http_listen(w->http, "127.0.0.1:0", routes, fl_nitems(routes), w, NULL), 0);
	snprintf(w->addr, sizeof(w->addr), "127.0.0.1:%d", fl_http_port(w->http));
	w->d = fl_discoverd_new(base, w->addr, KEY);
}

static void
world_close(struct world *w)
{
	fl_discoverd_abandon(w->d); /* a goodbye would be waited for, and we are who answers */
	fl_http_free(w->http);
	fl_buf_release(&w->log);
	loop_settle(w->base);
}

static void
await_log(struct world *w, const char *want)
{
	if (!loop_until_written(w->base, &w->log, want, LOOP_LIMIT_MS))
		fail_msg("told %s, wanted %s", fl_buf_cstr(&w->log), want);
}

static bool
has_stream(void *arg)
{
	const struct world *w = arg;

	return w->stream != NULL;
}

static void
send_event(struct world *w, const char *kind, const char *id, const char *addr, int index)
{
	char *text = fl_xasprintf("{\"service\":\"s\",\"kind\":\"%s\",\"instance\":{\"id\":\"%s\",\"addr\":\"%s\",\"proto\":\"tcp\",\"index\":%d,\"meta\":{\"k\":\"v\"}}}",
	    kind, id, addr, index);

	fl_http_sse_send(w->stream, NULL, NULL, text);
	free(text);
}

static void
on_change(struct fl_discoverd_service *s, void *arg)
{
	struct world *w = arg;

	w->changes++;
	if (w->unwatch) {
		fl_discoverd_unwatch(s);
		w->s = NULL;
	}
}

static bool
has_changed(void *arg)
{
	const struct world *w = arg;

	return w->changes > 0;
}

static void
await_change(struct world *w)
{
	assert_true(loop_until(w->base, has_changed, w));
	w->changes = 0;
}

static void
id_is_the_digest_of_proto_and_address(FL_UNUSED void **state)
{
	char *id = fl_instance_id("tcp", "10.0.0.1:80");

	assert_string_equal(id, "e15086afcc9b0dda9e8d8cb223ff8556");
	free(id);
}

static void
service_is_shown_once_it_is_whole(void **state)
{
	struct world w;

	world_open(&w, *state);
	w.s = fl_discoverd_watch(w.d, "s", on_change, &w);
	assert_true(loop_until(*state, has_stream, &w));
	send_event(&w, "up", "b", "10.0.0.2:80", 7);
	send_event(&w, "up", "a", "10.0.0.1:80", 3);
	send_event(&w, "leader", "a", "10.0.0.1:80", 3);
	loop_settle(*state);
	assert_false(fl_discoverd_service_known(w.s));
	assert_int_equal(fl_discoverd_service_count(w.s), 0);

	send_event(&w, "current", "", "", 0);
	await_change(&w);
	assert_true(fl_discoverd_service_known(w.s));
	assert_int_equal(fl_discoverd_service_count(w.s), 2);
	assert_string_equal(fl_discoverd_service_at(w.s, 0)->addr, "10.0.0.1:80"); /* by age */
	assert_string_equal(fl_map_get(fl_discoverd_service_at(w.s, 0)->meta, "k"), "v");
	assert_string_equal(fl_discoverd_service_leader(w.s)->id, "a");
	assert_null(fl_discoverd_service_at(w.s, 2));

	send_event(&w, "down", "a", "10.0.0.1:80", 3);
	await_change(&w);
	assert_string_equal(fl_discoverd_service_leader(w.s)->id, "b"); /* the oldest, until told otherwise */
	send_event(&w, "update", "b", "10.0.0.9:80", 7);
	await_change(&w);
	assert_int_equal(fl_discoverd_service_count(w.s), 1);
	assert_string_equal(fl_discoverd_service_at(w.s, 0)->addr, "10.0.0.9:80");
	fl_discoverd_unwatch(w.s);
	world_close(&w);
}

static void
picture_stays_while_discoverd_is_away_or_knows_nothing(void **state)
{
	struct world w;

	world_open(&w, *state);
	w.s = fl_discoverd_watch(w.d, "s", on_change, &w);
	assert_true(loop_until(*state, has_stream, &w));
	send_event(&w, "up", "a", "10.0.0.1:80", 3);
	send_event(&w, "current", "", "", 0);
	await_change(&w);

	fl_http_stream_end(w.stream);
	w.stream = NULL;
	assert_true(loop_until(*state, has_stream, &w)); /* again, and it says nothing at first */
	loop_settle(*state);
	assert_int_equal(fl_discoverd_service_count(w.s), 1);
	assert_int_equal(w.changes, 0);
	send_event(&w, "up", "b", "10.0.0.2:80", 4);
	send_event(&w, "current", "", "", 0);
	await_change(&w);
	assert_int_equal(fl_discoverd_service_count(w.s), 1);
	assert_string_equal(fl_discoverd_service_at(w.s, 0)->id, "b");
	fl_discoverd_unwatch(w.s);
	world_close(&w);
}

static void
watch_may_be_ended_by_its_own_callback(void **state)
{
	struct world w;

	world_open(&w, *state);
	w.unwatch = true;
	w.s = fl_discoverd_watch(w.d, "s", on_change, &w);
	assert_true(loop_until(*state, has_stream, &w));
	send_event(&w, "current", "", "", 0);
	send_event(&w, "up", "a", "10.0.0.1:80", 3);
	await_change(&w);
	loop_settle(*state);
	assert_int_equal(w.changes, 0);
	world_close(&w);
}

static void
send_event_of(struct world *w, const char *service, const char *kind, const char *id)
{
	char *text = fl_xasprintf("{\"service\":\"%s\",\"kind\":\"%s\",\"instance\":{\"id\":\"%s\",\"addr\":\"10.0.0.1:80\"}}",
	    service, kind, id);

	fl_http_sse_send(w->stream, NULL, NULL, text);
	free(text);
}

/* A client that follows all services by one stream. */
static void
world_share(struct world *w, struct event_base *base)
{
	world_open(w, base);
	w->has_all = true;
	fl_discoverd_share(w->d);
}

/* The same, to whom discoverd has told that there is nothing. */
static void
world_share_nothing(struct world *w, struct event_base *base)
{
	world_share(w, base);
	assert_true(loop_until(base, has_stream, w));
	send_event_of(w, "", "current", "");
	loop_settle(base);
}

/* Watch s, for which there is a stream of its own then, that of w. Returns the shared one. */
static struct fl_http_req *
watch_beside(struct world *w)
{
	struct fl_http_req *shared = w->stream;

	w->stream = NULL;
	w->s = fl_discoverd_watch(w->d, "s", on_change, w);
	assert_true(loop_until(w->base, has_stream, w));
	return shared;
}

static void
services_share_a_stream(void **state)
{
	struct world w;
	struct fl_discoverd_service *t;

	world_share(&w, *state);
	w.s = fl_discoverd_watch(w.d, "s", on_change, &w);
	assert_true(loop_until(*state, has_stream, &w));
	send_event_of(&w, "s", "up", "a");
	send_event_of(&w, "t", "up", "b");
	loop_settle(*state);
	assert_false(fl_discoverd_service_known(w.s));
	send_event_of(&w, "", "current", "");
	await_change(&w);
	assert_int_equal(fl_discoverd_service_count(w.s), 1);

	/* What begins later is known at once, but not before the watch has returned. */
	t = fl_discoverd_watch(w.d, "t", on_change, &w);
	assert_int_equal(w.changes, 0);
	await_change(&w);
	assert_string_equal(fl_discoverd_service_leader(t)->id, "b");
	send_event_of(&w, "t", "down", "b");
	await_change(&w);
	assert_int_equal(fl_discoverd_service_count(t), 0);
	assert_int_equal(fl_discoverd_service_count(w.s), 1);
	assert_int_equal(w.n_streams, 1);

	/* Another stream that does not know yet changes nothing. */
	fl_http_stream_end(w.stream);
	w.stream = NULL;
	assert_true(loop_until(*state, has_stream, &w));
	send_event_of(&w, "t", "up", "c");
	loop_settle(*state);
	assert_int_equal(w.changes, 0);
	assert_int_equal(fl_discoverd_service_count(w.s), 1);
	send_event_of(&w, "", "current", "");
	await_change(&w);
	assert_int_equal(fl_discoverd_service_count(w.s), 0);
	fl_discoverd_unwatch(t);
	fl_discoverd_unwatch(w.s);
	world_close(&w);
}

/* Whoever of them stops, in whatever order, the others go on hearing. */
static void
many_may_follow_one_service(void **state)
{
	enum { N = 3 };

	for (int stays = 0; stays < N; stays++) {
		struct fl_discoverd_service *s[N];
		struct world w;

		world_share(&w, *state);
		for (size_t k = 0; k < N; k++)
			s[k] = fl_discoverd_watch(w.d, "s", on_change, &w);
		assert_true(loop_until(*state, has_stream, &w));
		send_event_of(&w, "", "current", "");
		loop_settle(*state);
		assert_int_equal(w.changes, N);
		for (int k = 0, left = N - 1; k < N; k++) {
			if (k == stays)
				continue;
			fl_discoverd_unwatch(s[k]);
			w.changes = 0;
			send_event_of(&w, "s", "up", k == 0 ? "a" : k == 1 ? "b" : "c");
			loop_settle(*state);
			assert_int_equal(w.changes, left--);
		}
		fl_discoverd_unwatch(s[stays]);
		world_close(&w);
	}
}

/* It lost its data: those whom it forgot register again, one after the other. */
static void
discoverd_that_comes_back_empty_is_not_believed_at_once(void **state)
{
	struct world w;
	struct fl_discoverd_service *t;

	world_share(&w, *state);
	w.s = fl_discoverd_watch(w.d, "s", on_change, &w);
	t = fl_discoverd_watch(w.d, "t", NULL, NULL);
	assert_true(loop_until(*state, has_stream, &w));
	send_event_of(&w, "s", "up", "a");
	send_event_of(&w, "s", "up", "b");
	send_event_of(&w, "t", "up", "c");
	send_event_of(&w, "", "current", "");
	await_change(&w);
	for (int i = 0; i < 2; i++) { /* it may come back more than once */
		fl_http_stream_end(w.stream);
		w.stream = NULL;
		assert_true(loop_until(*state, has_stream, &w));
		send_event_of(&w, "", "current", "");
		await_change(&w);
		assert_int_equal(fl_discoverd_service_count(w.s), 2);
		assert_int_equal(fl_discoverd_service_count(t), 1);
	}
	assert_true(fl_discoverd_service_at(w.s, 0)->is_doubtful);
	send_event_of(&w, "s", "up", "a");
	await_change(&w);
	assert_int_equal(fl_discoverd_service_count(w.s), 2);
	send_event_of(&w, "t", "down", "c");
	loop_settle(*state);
	assert_int_equal(fl_discoverd_service_count(t), 0);
	doubt_end(w.d);
	await_change(&w);
	assert_int_equal(fl_discoverd_service_count(w.s), 1);
	assert_string_equal(fl_discoverd_service_at(w.s, 0)->id, "a");
	fl_discoverd_unwatch(t);
	fl_discoverd_unwatch(w.s);
	world_close(&w);
}

/* All events here have one address: what another service's instance has by now is nobody else's. */
static void
address_that_another_has_got_is_not_kept(void **state)
{
	struct world w;

	world_share(&w, *state);
	w.s = fl_discoverd_watch(w.d, "s", on_change, &w);
	assert_true(loop_until(*state, has_stream, &w));
	send_event_of(&w, "s", "up", "a");
	send_event_of(&w, "s", "up", "b");
	send_event_of(&w, "", "current", "");
	await_change(&w);
	assert_int_equal(fl_discoverd_service_count(w.s), 2);
	fl_http_stream_end(w.stream);
	w.stream = NULL;
	assert_true(loop_until(*state, has_stream, &w));
	send_event_of(&w, "t", "up", "c");
	send_event_of(&w, "", "current", "");
	await_change(&w);
	assert_int_equal(fl_discoverd_service_count(w.s), 0);
	fl_discoverd_unwatch(w.s);
	world_close(&w);
}

/* It may have been registered a moment ago. */
static void
service_that_no_stream_has_told_of_is_asked_for(void **state)
{
	struct world w;
	struct fl_http_req *shared;

	world_share_nothing(&w, *state);
	shared = watch_beside(&w);
	assert_int_equal(w.n_streams, 2);
	send_event_of(&w, "s", "up", "a");
	send_event_of(&w, "s", "current", "");
	await_change(&w);
	assert_int_equal(fl_discoverd_service_count(w.s), 1);
	w.stream = shared;
	send_event_of(&w, "s", "up", "a");
	send_event_of(&w, "s", "up", "b");
	await_change(&w);
	loop_settle(*state);
	assert_int_equal(fl_discoverd_service_count(w.s), 2);
	assert_int_equal(w.n_streams, 1);
	fl_discoverd_unwatch(w.s);
	world_close(&w);
}

/* What either stream says last counts, whichever is read first. */
static void
nothing_is_lost_between_the_two_streams(void **state)
{
	static const struct {
		const char *own; /* is up, when the service is asked for */
		const char *kind; /* of a, told by the shared stream before that answer is read */
		size_t want;
	} cases[] = { { NULL, "up", 1 }, { "a", "down", 0 } };

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct world w;
		struct fl_http_req *shared, *own;

		world_share_nothing(&w, *state);
		shared = watch_beside(&w);
		own = w.stream;
		w.stream = shared;
		send_event_of(&w, "s", cases[i].kind, "a");
		loop_settle(*state);
		w.stream = own;
		if (cases[i].own != NULL)
			send_event_of(&w, "s", "up", cases[i].own);
		send_event_of(&w, "s", "current", "");
		await_change(&w);

		/* It is asked again, and tells what is so now. */
		w.stream = NULL;
		assert_true(loop_until(*state, has_stream, &w));
		if (cases[i].want > 0)
			send_event_of(&w, "s", "up", "a");
		send_event_of(&w, "s", "current", "");
		await_change(&w);
		loop_settle(*state);
		assert_int_equal(fl_discoverd_service_count(w.s), cases[i].want);
		assert_int_equal(w.n_streams, 1);
		fl_discoverd_unwatch(w.s);
		world_close(&w);
	}
}

static void
who_is_content_with_the_shared_stream_asks_for_nothing(void **state)
{
	struct world w;

	world_share_nothing(&w, *state);
	w.s = fl_discoverd_watch_shared(w.d, "s", on_change, &w);
	assert_int_equal(w.changes, 0); /* not before the watch has returned */
	await_change(&w);
	assert_true(fl_discoverd_service_known(w.s));
	assert_int_equal(fl_discoverd_service_count(w.s), 0);
	send_event_of(&w, "s", "up", "a");
	await_change(&w);
	assert_int_equal(fl_discoverd_service_count(w.s), 1);
	assert_int_equal(w.n_streams, 1);
	fl_discoverd_unwatch(w.s);
	world_close(&w);
}

static void
services_have_their_own_streams_where_none_is_shared(void **state)
{
	struct world w;

	world_open(&w, *state);
	fl_discoverd_share(w.d);
	w.s = fl_discoverd_watch(w.d, "s", on_change, &w);
	assert_true(loop_until(*state, has_stream, &w));
	send_event(&w, "up", "a", "10.0.0.1:80", 3);
	send_event(&w, "current", "", "", 0);
	await_change(&w);
	assert_int_equal(fl_discoverd_service_count(w.s), 1);
	fl_discoverd_unwatch(w.s);
	world_close(&w);
}

static void
on_found(const char *addr, const struct fl_err *err, void *arg)
{
	struct world *w = arg;

	assert_false(w->done);
	w->done = true;
	snprintf(w->found, sizeof(w->found), "%s", addr != NULL ? addr : "");
	if (err != NULL)
		w->err = *err;
}

static void
leader_is_found_or_the_wait_ends(void **state)
{
	struct world w;

	world_open(&w, *state);
	fl_discoverd_find(w.d, "s", 5000, on_found, &w);
	assert_true(loop_until(*state, has_stream, &w));
	send_event(&w, "current", "", "", 0);
	loop_settle(*state);
	assert_false(w.done);
	send_event(&w, "up", "a", "10.0.0.1:80", 3);
	assert_true(loop_until(*state, loop_is_set, &w.done));
	assert_string_equal(w.found, "10.0.0.1:80");

	w.done = false;
	fl_discoverd_find(w.d, "s", 50, on_found, &w);
	assert_true(loop_until(*state, loop_is_set, &w.done));
	assert_int_equal(w.err.kind, FL_ERR_TIMEOUT);
	assert_string_equal(w.err.msg, "waited 50 ms for service s: discoverd did not answer");
	world_close(&w);
}

static const char *const meta_a[] = { "k", "a", NULL }, *const meta_b[] = { "k", "b", NULL };

static void
registration_is_made_changed_and_taken_out(void **state)
{
	struct world w;

	world_open(&w, *state);
	fl_discoverd_register(w.d, "s", "10.0.0.1:80", meta_a);
	await_log(&w, "session;service s;+10.0.0.1:80 a;");
	fl_discoverd_register(w.d, "s", "10.0.0.1:80", meta_b);
	await_log(&w, "+10.0.0.1:80 b;");
	fl_discoverd_register(w.d, "s", "10.0.0.2:80", NULL);
	await_log(&w, "+10.0.0.2:80 -;"); /* under the same session */
	world_close(&w);
}

static void
set(void *arg)
{
	*(bool *)arg = true;
}

static void
unregistering_says_when_it_is_gone(void **state)
{
	struct world w;

	world_open(&w, *state);
	fl_discoverd_register(w.d, "s", "10.0.0.1:80", NULL);
	await_log(&w, "session;service s;+10.0.0.1:80 -;");
	fl_discoverd_unregister(w.d, "s", "10.0.0.1:80", set, &w.gone);
	assert_false(w.gone);
	assert_true(loop_until(*state, loop_is_set, &w.gone));
	await_log(&w, "-;");
	/* One that never was: told too, and from the loop. */
	w.gone = false;
	fl_discoverd_unregister(w.d, "s", "10.0.0.7:80", set, &w.gone);
	assert_false(w.gone);
	assert_true(loop_until(*state, loop_is_set, &w.gone));
	assert_int_equal(w.log.len, 0);
	world_close(&w);
}

static void
unregistering_does_not_wait_for_a_discoverd_that_is_away(void **state)
{
	struct world w;

	world_open(&w, *state);
	fl_discoverd_register(w.d, "s", "10.0.0.1:80", NULL);
	await_log(&w, "session;service s;+10.0.0.1:80 -;");
	w.away = true;
	fl_discoverd_unregister(w.d, "s", "10.0.0.1:80", set, &w.gone);
	assert_true(loop_until_ms(*state, loop_is_set, &w.gone, 3000));
	assert_int_equal(w.log.len, 0);
	w.away = false;
	await_log(&w, "-;"); /* but it is not forgotten */
	world_close(&w);
}

static void
registered_while_it_is_taken_out_it_is_in_again(void **state)
{
	struct world w;

	world_open(&w, *state);
	fl_discoverd_register(w.d, "s", "10.0.0.1:80", NULL);
	await_log(&w, "session;service s;+10.0.0.1:80 -;");
	loop_settle(*state); /* the answer comes too */
	fl_discoverd_unregister(w.d, "s", "10.0.0.1:80", set, &w.gone);
	fl_discoverd_register(w.d, "s", "10.0.0.1:80", meta_a);
	await_log(&w, "-;+10.0.0.1:80 a;");
	assert_true(loop_until(*state, loop_is_set, &w.gone));
	world_close(&w);
}

static void
registrations_are_made_again_after_a_loss(void **state)
{
	struct world w;

	world_open(&w, *state);
	fl_discoverd_register(w.d, "s", "10.0.0.1:80", meta_a);
	await_log(&w, "session;service s;+10.0.0.1:80 a;");
	w.session[0] = '\0';
	await_log(&w, "session;+10.0.0.1:80 a;"); /* with the next heartbeat */
	world_close(&w);
}

/* Heartbeats that we gave up reach a discoverd that stood still, and one of them, answered to nobody, begins the session anew. */
static void
registrations_are_made_again_in_a_life_that_a_late_heartbeat_began(void **state)
{
	struct world w;

	world_open(&w, *state);
	fl_discoverd_register(w.d, "s", "10.0.0.1:80", meta_a);
	fl_discoverd_register(w.d, "s", "10.0.0.2:80", NULL);
	await_log(&w, "session;service s;+10.0.0.1:80 a;+10.0.0.2:80 -;");
	w.life++;
	await_log(&w, "+10.0.0.1:80 a;+10.0.0.2:80 -;");
	world_close(&w);
}

/* The instance is answered in the old life, and its answer comes once we know of the new one. */
static void
answer_of_an_earlier_life_counts_for_nothing(void **state)
{
	struct world w;

	world_open(&w, *state);
	fl_discoverd_register(w.d, "s", "10.0.0.1:80", NULL);
	await_log(&w, "session;service s;+10.0.0.1:80 -;");
	w.holds_puts = true;
	fl_discoverd_register(w.d, "s", "10.0.0.1:80", meta_a);
	await_log(&w, "+10.0.0.1:80 a;");
	w.holds_puts = false;
	w.session[0] = '\0';
	fl_discoverd_register(w.d, "s", "10.0.0.2:80", NULL); /* refused, which leads to a heartbeat */
	await_log(&w, "session;+10.0.0.2:80 -;");
	ok(w.held, 200);
	await_log(&w, "+10.0.0.1:80 a;");
	world_close(&w);
}

static void
registration_waits_for_discoverd_and_tries_the_next_address(void **state)
{
	struct world w;
	char *addrs;

	world_open(&w, *state);
	fl_discoverd_abandon(w.d);
	addrs = fl_xasprintf("http://127.0.0.1:%d,http://%s/", loop_free_port(), w.addr);
	w.d = fl_discoverd_new(*state, addrs, KEY);
	w.away = true;
	fl_discoverd_register(w.d, "s", "10.0.0.1:80", NULL);
	loop_settle(*state);
	assert_int_equal(w.log.len, 0);
	w.away = false;
	await_log(&w, "session;service s;+10.0.0.1:80 -;");
	free(addrs);
	world_close(&w);
}

/* In a child, for a goodbye is waited for. */
static void
free_says_goodbye(void **state)
{
	struct world w;
	pid_t pid;
	int status = -1;

	world_open(&w, *state);
	pid = fork();
	if (pid == 0) {
		struct event_base *base = event_base_new();
		struct fl_discoverd *d = fl_discoverd_new(base, w.addr, KEY);

		fl_discoverd_register(d, "s", "10.0.0.1:80", NULL);
		loop_until_ms(base, has_stream, &w, 300); /* which never comes: time enough to register */
		fl_discoverd_free(d);
		_exit(0);
	}
	await_log(&w, "session;service s;+10.0.0.1:80 -;goodbye;");
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(id_is_the_digest_of_proto_and_address),
		cmocka_unit_test(services_share_a_stream),
		cmocka_unit_test(many_may_follow_one_service),
		cmocka_unit_test(discoverd_that_comes_back_empty_is_not_believed_at_once),
		cmocka_unit_test(address_that_another_has_got_is_not_kept),
		cmocka_unit_test(service_that_no_stream_has_told_of_is_asked_for),
		cmocka_unit_test(nothing_is_lost_between_the_two_streams),
		cmocka_unit_test(who_is_content_with_the_shared_stream_asks_for_nothing),
		cmocka_unit_test(services_have_their_own_streams_where_none_is_shared),
		cmocka_unit_test(service_is_shown_once_it_is_whole),
		cmocka_unit_test(picture_stays_while_discoverd_is_away_or_knows_nothing),
		cmocka_unit_test(watch_may_be_ended_by_its_own_callback),
		cmocka_unit_test(leader_is_found_or_the_wait_ends),
		cmocka_unit_test(registration_is_made_changed_and_taken_out),
		cmocka_unit_test(unregistering_says_when_it_is_gone),
		cmocka_unit_test(unregistering_does_not_wait_for_a_discoverd_that_is_away),
		cmocka_unit_test(registered_while_it_is_taken_out_it_is_in_again),
		cmocka_unit_test(registrations_are_made_again_after_a_loss),
		cmocka_unit_test(registrations_are_made_again_in_a_life_that_a_late_heartbeat_began),
		cmocka_unit_test(answer_of_an_earlier_life_counts_for_nothing),
		cmocka_unit_test(registration_waits_for_discoverd_and_tries_the_next_address),
		cmocka_unit_test(free_says_goodbye),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, loop_set_up, loop_tear_down);
}
