#include "host/engine.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine_events.h"
#include "host/stream.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/retry.h"
#include "libflynn/xmalloc.h"

/* The API versions that we know, by their number behind "1.": Engine 20.10 speaks up to 41. */
#define API_OLDEST 40
#define API_NEWEST 47

#define CALL_TIMEOUT_MS 60000
/*
 * A container's answer has its job twice, as what it runs and as our label, and the engine writes each & of them as six
 * bytes: so a list may have twelve times what host remembers.
 */
#define MAX_ANSWER_BYTES ((size_t)12 * FL_JSON_MAX_BYTES)
#define PROBE_TIMEOUT_MS 2000

struct engine {
	struct event_base *base;
	struct fl_http_client *http;
	char *socket_path;
	char *version;	   /* of the engine */
	char *api_version; /* that we use with it */
	char *arch;
	struct engine_events *events;
	struct fl_retry retry;
	struct engine_probe *probe; /* before it */
	struct fl_http_call *call;  /* of the negotiation */
	const struct engine_ops *ops;
	void *arg;
	bool up, told_down;
};

struct engine_probe {
	struct stream *stream;
	void (*cb)(bool alive, void *arg);
	void *arg;
};

bool
engine_is_up(const struct engine *e)
{
	return e->up;
}

const char *
engine_version(const struct engine *e)
{
	return e->version != NULL ? e->version : "";
}

const char *
engine_api_version(const struct engine *e)
{
	return e->api_version != NULL ? e->api_version : "";
}

const char *
engine_arch(const struct engine *e)
{
	return e->arch != NULL ? e->arch : "";
}

const char *
engine_socket(const struct engine *e)
{
	return e->socket_path;
}

char *
engine_path(const struct engine *e, const char *path)
{
	if (e->api_version == NULL)
		return fl_xstrdup(path);
	return fl_xasprintf("/v%s%s", e->api_version, path);
}

/* ---- calls ---- */

const struct engine_call engine_get_containers = { .max_body = MAX_ANSWER_BYTES };

struct fl_http_call *
engine_start(struct engine *e, const struct engine_call *call, fl_http_client_cb cb, void *arg, const char *fmt, ...)
{
	static const struct engine_call plain_get = { 0 };
	struct fl_http_call_opts opts = { 0 };
	struct fl_http_call *started = NULL;
	char *path = NULL, *versioned = NULL, *url = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&path, fmt, ap) == -1)
		abort(); /* out of memory */
	va_end(ap);
	versioned = engine_path(e, path);
	url = fl_xasprintf("http://docker%s", versioned);
	if (call == NULL)
		call = &plain_get;
	opts.method = call->method;
	opts.url = url;
	opts.body = call->body;
	opts.body_len = call->body != NULL ? strlen(call->body) : 0;
	opts.unix_socket = e->socket_path;
	opts.timeout_ms = call->timeout_ms != 0 ? call->timeout_ms : CALL_TIMEOUT_MS;
	opts.idle_timeout_ms = call->idle_timeout_ms;
	opts.on_data = call->on_data;
	opts.max_body = call->max_body;
	started = fl_http_client_start(e->http, &opts, cb, arg);
	free(path);
	free(versioned);
	free(url);
	return started;
}

struct fl_http_call *
engine_inspect(struct engine *e, const char *container, fl_http_client_cb cb, void *arg)
{
	return engine_start(e, &engine_get_containers, cb, arg, "/containers/%s/json", container);
}

struct fl_json *
engine_parse(const struct fl_http_result *res, struct fl_err *err)
{
	return fl_json_parse_max(res->body, res->len, MAX_ANSWER_BYTES, err);
}

static void
on_forgotten(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct engine *e = arg;
	struct fl_err err = { 0 };

	if (engine_check(e, res, call_err, "tidy up", &err) == -1 && err.kind != FL_ERR_NOT_FOUND)
		fl_log_warn("the engine did not do as told", fl_str("err", err.msg));
}

void
engine_forget(struct engine *e, const struct engine_call *call, const char *fmt, ...)
{
	char *path = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&path, fmt, ap) == -1)
		abort(); /* out of memory */
	va_end(ap);
	engine_start(e, call, on_forgotten, e, "%s", path);
	free(path);
}

int
engine_check(const struct engine *e, const struct fl_http_result *res, const struct fl_err *call_err, const char *what,
    struct fl_err *err)
{
	struct fl_err why = { 0 };

	if (call_err != NULL)
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "%s: the Docker engine at %s does not answer: %s", what,
		    e->socket_path, call_err->msg);
	if (res->status == 304 || fl_http_result_check(res, what, &why) == 0)
		return 0;
	/* A refusal of the engine's is an answer: only silence is UNAVAILABLE. */
	if (why.kind == FL_ERR_UNAVAILABLE || why.kind == FL_ERR_TIMEOUT)
		why.kind = FL_ERR_SYSTEM;
	return fl_err_set(err, why.kind, "%s", why.msg);
}

/* ---- being there ---- */

static void engine_connect(void *arg);

/* Called for a failed try as for a lost connection; told once until it is back. */
static void
engine_lost(struct engine *e, const struct fl_err *err)
{
	bool was_up = e->up;

	e->up = false;
	if (!e->told_down)
		fl_log_warn("the Docker engine does not answer: containers go on, new work waits until it is back",
		    fl_str("socket", e->socket_path), fl_str("err", err->msg));
	e->told_down = true;
	fl_retry_wait(&e->retry);
	if (was_up)
		e->ops->on_down(e->arg);
}

void
engine_give_up(struct engine *e)
{
	struct fl_err err = { 0 };

	if (!e->up)
		return;
	engine_events_free(e->events);
	e->events = NULL;
	fl_err_set(&err, FL_ERR_UNAVAILABLE, "it takes no new connections");
	engine_lost(e, &err);
}

static void
on_events_end(const struct fl_err *err, void *arg)
{
	struct engine *e = arg;
	struct fl_err why = { 0 };

	engine_events_free(e->events);
	e->events = NULL;
	if (err == NULL)
		fl_err_set(&why, FL_ERR_UNAVAILABLE, "it closed its stream of events");
	engine_lost(e, err != NULL ? err : &why);
}

static void
on_event(const struct engine_event *ev, void *arg)
{
	struct engine *e = arg;

	e->ops->on_event(ev, e->arg);
}

static int
parse_minor(const char *version)
{
	int major = 0, minor = -1;

	if (version == NULL || sscanf(version, "%d.%d", &major, &minor) != 2 || major != 1)
		return -1;
	return minor;
}

int
engine_negotiate(const char *newest, const char *oldest, struct fl_err *err)
{
	int theirs = parse_minor(newest), least = parse_minor(oldest);

	if (theirs == -1)
		return fl_err_set(err, FL_ERR_INVALID, "it names no API version: is it Docker?");
	if (theirs < API_OLDEST)
		return fl_err_set(err, FL_ERR_INVALID, "it speaks API 1.%d at most, we need 1.%d: use Docker 19.03 or newer",
		    theirs, API_OLDEST);
	if (theirs <= API_NEWEST)
		return theirs;
	/* What came after our newest is refused less often than what it dropped: take the oldest it still has. */
	return least > API_NEWEST ? least : API_NEWEST;
}

static int
engine_take_version(struct engine *e, const struct fl_http_result *res, struct fl_err *err)
{
	struct fl_json *v = fl_json_parse(res->body, res->len, err);
	int minor = -1, status = -1;

	if (v == NULL)
		goto out;
	minor = engine_negotiate(fl_json_str(fl_json_get(v, "ApiVersion"), NULL),
	    fl_json_str(fl_json_get(v, "MinAPIVersion"), NULL), err);
	if (minor == -1)
		goto out;
	free(e->version);
	free(e->api_version);
	free(e->arch);
	e->arch = fl_xstrdup(fl_json_text(v, "Arch"));
	e->version = fl_xstrdup(fl_json_str(fl_json_get(v, "Version"), "unknown"));
	e->api_version = fl_xasprintf("1.%d", minor);
	status = 0;
out:
	fl_json_free(v);
	return status;
}

static void
on_version(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct engine *e = arg;
	struct fl_err err = { 0 };

	e->call = NULL;
	if (call_err != NULL) {
		engine_lost(e, call_err);
		return;
	}
	if (fl_http_result_check(res, "GET /version", &err) == -1 || engine_take_version(e, res, &err) == -1) {
		engine_lost(e, &err);
		return;
	}
	fl_retry_reset(&e->retry);
	e->up = true;
	e->told_down = false;
	/* From now on, so that nothing falls between this moment and the stream's beginning. */
	e->events = engine_events_start(e, fl_clock_wall_us(), on_event, on_events_end, e);
	fl_log_info("engine found", fl_str("version", e->version), fl_str("api", e->api_version));
	e->ops->on_up(e->arg);
}

static void
on_probed(bool alive, void *arg)
{
	struct engine *e = arg;
	struct fl_http_call_opts opts = {
		.url = "http://docker/version", .unix_socket = e->socket_path, .timeout_ms = 10000
	};
	struct fl_err err = { 0 };

	e->probe = NULL;
	if (alive) {
		e->call = fl_http_client_start(e->http, &opts, on_version, e);
		return;
	}
	fl_err_set(&err, FL_ERR_UNAVAILABLE, "it takes no connections: is it running, and is its socket here?");
	engine_lost(e, &err);
}

static void
engine_connect(void *arg)
{
	struct engine *e = arg;

	e->probe = engine_probe_start(e, on_probed, e);
}

struct engine *
engine_new(struct event_base *base, const char *socket_path, const struct engine_ops *ops, void *arg)
{
	struct engine *e = fl_xcalloc(1, sizeof(*e));

	e->base = base;
	e->http = fl_http_client_new(base, NULL);
	e->socket_path = fl_xstrdup(socket_path);
	e->ops = ops;
	e->arg = arg;
	fl_retry_init(&e->retry, base, 100, 2000, engine_connect, e);
	engine_connect(e);
	return e;
}

void
engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	engine_events_free(e->events);
	engine_probe_cancel(e->probe);
	fl_http_client_free(e->http);
	fl_retry_release(&e->retry);
	free(e->socket_path);
	free(e->version);
	free(e->api_version);
	free(e->arch);
	free(e);
}

/* ---- probe ---- */

static void
probe_end(struct engine_probe *p, bool alive)
{
	void (*cb)(bool, void *) = p->cb;
	void *arg = p->arg;

	engine_probe_cancel(p);
	cb(alive, arg);
}

static void
on_probe_open(FL_UNUSED struct stream *s, void *arg)
{
	probe_end(arg, true);
}

static void
on_probe_end(FL_UNUSED struct stream *s, FL_UNUSED const struct fl_err *err, void *arg)
{
	probe_end(arg, false);
}

struct engine_probe *
engine_probe_start(struct engine *e, void (*cb)(bool alive, void *arg), void *arg)
{
	static const struct stream_ops ops = { .on_open = on_probe_open, .on_end = on_probe_end };
	struct engine_probe *p = fl_xcalloc(1, sizeof(*p));
	struct stream_opts opts = { .method = "GET", .path = "/_ping", .open_timeout_ms = PROBE_TIMEOUT_MS };

	p->cb = cb;
	p->arg = arg;
	p->stream = stream_start(e->base, e, &opts, &ops, p);
	return p;
}

void
engine_probe_cancel(struct engine_probe *p)
{
	if (p == NULL)
		return;
	stream_free(p->stream);
	free(p);
}
