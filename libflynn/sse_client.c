/*
 * sse_client - see sse_client.h.
 */
#include "libflynn/sse_client.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/retry.h"
#include "libflynn/sse.h"
#include "libflynn/xmalloc.h"

#define MIN_WAIT_MS 100
#define MAX_WAIT_MS 5000
#define SILENCE_MS 75000 /* two keep-alives of the server lost, and a bit */
#define MAX_EVENT ((size_t)16 << 20)

struct fl_sse_client {
	struct fl_http_client *http;
	struct fl_sse_client_ops ops;
	void *arg;
	struct fl_http_call *call;
	struct fl_sse *parser;
	struct fl_retry retry;
	struct event *deferred; /* frees, once no callback of ours is on the stack */
	char *last_id;
	struct fl_err bad; /* why the parser gave up */
	bool open, in_callback, freed, restarted;
};

static void try(void *arg);

static void
client_release(struct fl_sse_client *s)
{
	fl_http_call_cancel(s->call);
	fl_sse_free(s->parser);
	fl_retry_release(&s->retry);
	event_free(s->deferred);
	free(s->last_id);
	free(s);
}

/* What a callback asked for while the parser or libcurl was on the stack. */
static void
on_deferred(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_sse_client *s = arg;

	if (s->freed) {
		client_release(s);
		return;
	}
	fl_http_call_cancel(s->call);
	s->call = NULL;
	s->restarted = false;
	fl_retry_reset(&s->retry);
	try(s);
}

static void
on_event(const char *event, const char *id, const char *data, size_t len, void *arg)
{
	struct fl_sse_client *s = arg;

	if (s->freed || s->restarted)
		return;
	if (*id != '\0') {
		free(s->last_id);
		s->last_id = fl_xstrdup(id);
	}
	s->ops.on_event(event, id, data, len, s->arg);
}

static int
on_data(const char *data, size_t len, void *arg)
{
	struct fl_sse_client *s = arg;
	int rc = 0;

	if (s->freed || s->restarted)
		return 0;
	s->in_callback = true;
	if (!s->open) {
		s->open = true;
		fl_retry_reset(&s->retry);
		if (s->ops.on_open != NULL)
			s->ops.on_open(s->arg);
	}
	if (!s->freed && !s->restarted)
		rc = fl_sse_feed(s->parser, data, len, &s->bad);
	s->in_callback = false;
	return rc;
}

static void
again(struct fl_sse_client *s, const struct fl_err *err)
{
	s->in_callback = true;
	if (s->ops.on_error != NULL)
		s->ops.on_error(err, s->arg);
	s->in_callback = false;
	if (!s->freed && !s->restarted)
		fl_retry_wait(&s->retry);
}

static void
on_done(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct fl_sse_client *s = arg;
	struct fl_err why = { 0 };

	s->call = NULL;
	if (s->freed || s->restarted)
		return;
	if (s->bad.kind != FL_ERR_NONE)
		why = s->bad;
	else if (err != NULL)
		why = *err;
	else if (fl_http_result_check(res, "event stream", &why) == 0)
		fl_err_set(&why, FL_ERR_UNAVAILABLE, "the event stream ended");
	again(s, &why);
}

static void
try(void *arg)
{
	struct fl_sse_client *s = arg;
	char *url = s->ops.url(s->arg), *last = NULL;
	const char *headers[] = { "Accept: text/event-stream", NULL, NULL };
	struct fl_http_call_opts opts = {
		.url = url, .pin = s->ops.pin, .headers = headers, .timeout_ms = -1, .idle_timeout_ms = SILENCE_MS, .on_data = on_data
	};

	if (url == NULL) {
		fl_retry_wait(&s->retry);
		return;
	}
	if (s->last_id != NULL)
		headers[1] = last = fl_xasprintf("Last-Event-Id: %s", s->last_id);
	fl_sse_free(s->parser);
	s->parser = fl_sse_new(MAX_EVENT, on_event, s);
	s->bad = (struct fl_err){ 0 };
	s->open = false;
	s->call = fl_http_client_start(s->http, &opts, on_done, s);
	free(url);
	free(last);
}

struct fl_sse_client *
fl_sse_client_start(struct fl_http_client *c, const struct fl_sse_client_ops *ops, void *arg)
{
	struct fl_sse_client *s = fl_xcalloc(1, sizeof(*s));
	struct event_base *base = fl_http_client_base(c);

	s->http = c;
	s->ops = *ops;
	s->arg = arg;
	fl_retry_init(&s->retry, base, MIN_WAIT_MS, MAX_WAIT_MS, try, s);
	s->deferred = event_new(base, -1, 0, on_deferred, s);
	fl_sse_client_restart(s);
	return s;
}

void
fl_sse_client_restart(struct fl_sse_client *s)
{
	s->restarted = true;
	event_active(s->deferred, EV_TIMEOUT, 1);
}

void
fl_sse_client_free(struct fl_sse_client *s)
{
	if (s == NULL || s->freed)
		return;
	s->freed = true;
	if (!s->in_callback)
		client_release(s);
	else
		event_active(s->deferred, EV_TIMEOUT, 1);
}
