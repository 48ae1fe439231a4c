/*
 * http_client - libcurl's multi handle driven by libevent: its sockets are our events, its timer is ours.
 *
 * libcurl forbids adding and removing handles from inside its callbacks, so what a streaming callback starts
 * or cancels is done when libcurl is off the stack again.
 */
#include "libflynn/http_client.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_client_internal.h"
#include "libflynn/list.h"
#include "libflynn/xmalloc.h"

#define MAX_IDLE_CONNS 8L

struct pin {
	SLIST_ENTRY(pin) link;
	char *text;
};

struct fl_http_client {
	struct event_base *base;
	char *key;
	CURLM *multi;
	struct event *timer;
	TAILQ_HEAD(, fl_http_call) calls;
	SLIST_HEAD(, pin) pins;	 /* connections refer to them */
	const char *shared_pin;	 /* of the https connections that are kept */
	bool shares_https;	 /* shared_pin is decided */
	bool in_curl, in_cb;	 /* on the stack */
	bool freed;
};

static void client_release(struct fl_http_client *c);

static void
call_release(struct fl_http_call *call)
{
	struct fl_http_client *c = call->client;

	TAILQ_REMOVE(&c->calls, call, link);
	if (call->added)
		curl_multi_remove_handle(c->multi, call->easy);
	if (call->idle != NULL)
		event_free(call->idle);
	http_call_free(call);
}

static void
call_finish(struct fl_http_call *call, CURLcode code)
{
	struct fl_http_client *c = call->client;
	struct fl_http_result res = { .body = "", .content_type = "" };
	struct fl_err err = { 0 };
	int rc = http_call_outcome(call, code, &res, &err);

	if (!call->cancelled) {
		bool outer = c->in_cb;

		c->in_cb = true;
		call->cancelled = true; /* a cancel from inside cb comes too late and does nothing */
		call->cb(rc == 0 ? &res : NULL, rc == 0 ? NULL : &err, call->arg);
		c->in_cb = outer;
	}
	call_release(call);
}

static void
call_add(struct fl_http_call *call)
{
	call->added = true;
	if (curl_multi_add_handle(call->client->multi, call->easy) != CURLM_OK)
		call->added = false;
}

/*
 * libcurl 7.88 may keep the end of an HTTP/2 stream, read with the last of its bytes, until an event that never comes: it
 * is made to look again after each read, by the end of a pause.
 */
static void
look_again(struct fl_http_call *call)
{
	call->has_read = false;
	curl_easy_pause(call->easy, CURLPAUSE_RECV);
	curl_easy_pause(call->easy, CURLPAUSE_CONT);
}

/* Do what had to wait for libcurl to be off the stack. */
static void
catch_up(struct fl_http_client *c)
{
	struct fl_http_call *call, *next;

	TAILQ_FOREACH_SAFE(call, &c->calls, link, next) {
		if (call->cancelled)
			call_release(call);
		else if (!call->added)
			call_add(call);
		else if (call->http2 && call->has_read)
			look_again(call);
	}
}

static void
collect(struct fl_http_client *c)
{
	struct fl_http_call *call = NULL;
	CURLMsg *msg;
	int left;

	while (!c->freed && (msg = curl_multi_info_read(c->multi, &left)) != NULL) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		call_finish(call, msg->data.result);
	}
}

static void
act(struct fl_http_client *c, curl_socket_t fd, int what)
{
	int running;

	c->in_curl = true;
	curl_multi_socket_action(c->multi, fd, what, &running);
	c->in_curl = false;
	collect(c);
	if (c->freed)
		client_release(c);
	else
		catch_up(c);
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	act(arg, fd, ((what & EV_READ) ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) ? CURL_CSELECT_OUT : 0));
}

static void
on_timer(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_want_timer(FL_UNUSED CURLM *multi, long timeout_ms, void *arg)
{
	struct fl_http_client *c = arg;
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };

	if (timeout_ms < 0)
		evtimer_del(c->timer);
	else
		evtimer_add(c->timer, &tv);
	return 0;
}

static int
on_want_socket(FL_UNUSED CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct fl_http_client *c = arg;
	struct event *ev = socket_arg;
	short events = EV_PERSIST;

	if (ev != NULL)
		event_free(ev);
	curl_multi_assign(c->multi, fd, NULL);
	if (what == CURL_POLL_REMOVE)
		return 0;
	if (what & CURL_POLL_IN)
		events |= EV_READ;
	if (what & CURL_POLL_OUT)
		events |= EV_WRITE;
	ev = event_new(c->base, fd, events, on_ready, c);
	event_add(ev, NULL);
	curl_multi_assign(c->multi, fd, ev);
	return 0;
}

struct fl_http_client *
fl_http_client_new(struct event_base *base, const char *key)
{
	struct fl_http_client *c = fl_xcalloc(1, sizeof(*c));

	c->base = base;
	c->key = fl_xstrdup_null(key);
	TAILQ_INIT(&c->calls);
	SLIST_INIT(&c->pins);
	c->timer = evtimer_new(base, on_timer, c);
	c->multi = curl_multi_init();
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_want_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_want_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, MAX_IDLE_CONNS);
	return c;
}

struct event_base *
fl_http_client_base(const struct fl_http_client *c)
{
	return c->base;
}

static void
client_release(struct fl_http_client *c)
{
	struct fl_http_call *call;
	struct pin *pin;

	while ((call = TAILQ_FIRST(&c->calls)) != NULL)
		call_release(call);
	curl_multi_cleanup(c->multi);
	event_free(c->timer);
	while ((pin = SLIST_FIRST(&c->pins)) != NULL) {
		SLIST_REMOVE_HEAD(&c->pins, link);
		free(pin->text);
		free(pin);
	}
	free(c->key);
	free(c);
}

void
fl_http_client_free(struct fl_http_client *c)
{
	struct fl_http_call *call;

	if (c == NULL)
		return;
	TAILQ_FOREACH(call, &c->calls, link)
		call->cancelled = true;
	if (c->in_curl || c->in_cb)
		c->freed = true; /* whoever is on the stack frees it */
	else
		client_release(c);
}

/* No byte for too long? The clock is read on each, the timer only set again when it has run out. */
static void
on_idle(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_http_call *call = arg;
	struct fl_http_client *c = call->client;
	int64_t left_ms = call->last_ms + call->idle_timeout_ms - fl_clock_ms();
	struct timeval tv = { left_ms / 1000, left_ms % 1000 * 1000 };

	if (left_ms > 0) {
		evtimer_add(call->idle, &tv);
		return;
	}
	call->idle_out = true;
	call_finish(call, CURLE_OPERATION_TIMEDOUT);
	if (c->freed)
		client_release(c);
}

static const char *
keep_pin(struct fl_http_client *c, const char *text)
{
	struct pin *pin;

	SLIST_FOREACH(pin, &c->pins, link)
		if (strcmp(pin->text, text) == 0)
			return pin->text;
	pin = fl_xcalloc(1, sizeof(*pin));
	pin->text = fl_xstrdup(text);
	SLIST_INSERT_HEAD(&c->pins, pin, link);
	return pin->text;
}

/*
 * libcurl would reuse a connection that was accepted by another pin, or by none. The client's first https call
 * decides whose connections are kept; calls that trust something else make their own.
 */
static void
set_trust(struct fl_http_call *call)
{
	struct fl_http_client *c = call->client;
	const char *pin = call->pin != NULL ? keep_pin(c, call->pin) : NULL;

	if (strncmp(call->url, "https:", 6) != 0)
		return;
	if (pin != NULL)
		curl_easy_setopt(call->easy, CURLOPT_SSL_CTX_DATA, pin);
	if (!c->shares_https) {
		c->shares_https = true;
		c->shared_pin = pin;
	} else if (pin != c->shared_pin) {
		curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, 1L);
		curl_easy_setopt(call->easy, CURLOPT_FORBID_REUSE, 1L);
	}
}

struct fl_http_call *
fl_http_client_start(struct fl_http_client *c, const struct fl_http_call_opts *opts, fl_http_client_cb cb,
    void *arg)
{
	struct fl_http_call *call = http_call_new(opts, c->key, arg);
	struct timeval tv = { opts->idle_timeout_ms / 1000, opts->idle_timeout_ms % 1000 * 1000 };

	call->client = c;
	call->cb = cb;
	TAILQ_INSERT_TAIL(&c->calls, call, link);
	set_trust(call);
	if (opts->idle_timeout_ms > 0) {
		call->idle = evtimer_new(c->base, on_idle, call);
		evtimer_add(call->idle, &tv);
	}
	if (!c->in_curl)
		call_add(call); /* libcurl asks for its timer, so what happens next comes from the loop */
	return call;
}

void
fl_http_call_cancel(struct fl_http_call *call)
{
	if (call == NULL || call->cancelled)
		return;
	call->cancelled = true;
	if (!call->client->in_curl)
		call_release(call);
}
