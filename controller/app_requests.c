#include "controller/app_requests.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/app_routes.h"
#include "controller/apps.h"
#include "controller/controller.h"
#include "controller/router_client.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/sse_client.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define FIND_MS 2000
#define CALL_MS 5000
/* Without a limit, and at most. */
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000

/* One router of those that are asked. */
struct tap {
	LIST_ENTRY(tap) link;
	struct asking *a;
	char *addr;
	struct fl_http_call *call;	/* a list that is under way */
	struct fl_json *list;		/* what came of it; NULL: nothing */
	size_t at;			/* of list: the next one to be told */
	struct fl_sse_client *stream;
	bool is_known; /* discoverd still tells of it */
	bool was_open; /* its stream stood once, and began with what was before */
};

struct asking {
	LIST_ENTRY(asking) link;
	struct controller *c;
	struct fl_http_req *req;
	char *filter; /* of the query: "&status=5xx", "" */
	char *parent_ref;
	size_t limit;
	bool is_stream, is_started;
	size_t n_calls; /* under way */
	LIST_HEAD(, tap) taps;
	struct fl_err err; /* the first router's that failed */
};

static void
tap_free(struct tap *t)
{
	if (t->call != NULL)
		fl_http_call_cancel(t->call);
	fl_sse_client_free(t->stream);
	fl_json_free(t->list);
	LIST_REMOVE(t, link);
	free(t->addr);
	free(t);
}

static void
asking_free(struct asking *a)
{
	struct tap *t, *next;

	LIST_FOREACH_SAFE(t, &a->taps, link, next)
		tap_free(t);
	LIST_REMOVE(a, link);
	free(a->filter);
	free(a->parent_ref);
	free(a);
}

void
app_requests_free_all(struct controller *c)
{
	struct asking *a, *next;

	LIST_FOREACH_SAFE(a, &c->askings, link, next)
		asking_free(a);
}

static struct tap *
tap_new(struct asking *a, const char *addr)
{
	struct tap *t = fl_xcalloc(1, sizeof(*t));

	t->a = a;
	t->addr = fl_xstrdup(addr);
	t->is_known = true;
	LIST_INSERT_HEAD(&a->taps, t, link);
	return t;
}

static struct tap *
tap_find(const struct asking *a, const char *addr)
{
	struct tap *t;

	LIST_FOREACH(t, &a->taps, link)
		if (strcmp(t->addr, addr) == 0)
			break;
	return t;
}

static char *
url_of(const struct tap *t, size_t limit)
{
	return fl_xasprintf("http://%s/requests?parent_ref=%s%s&limit=%zu", t->addr, t->a->parent_ref, t->a->filter, limit);
}

/* ---- a list ---- */

/* When the one that a router tells next began; INT64_MIN: it has no more. */
static int64_t
time_of_next(const struct tap *t)
{
	const char *text = fl_json_text(fl_json_at(t->list, t->at), "time");
	int64_t us = 0;

	if (t->at >= fl_json_len(t->list))
		return INT64_MIN;
	return fl_clock_parse(text, &us) == 0 ? us : 0;
}

static struct tap *
newest(const struct asking *a)
{
	struct tap *t, *best = NULL;
	int64_t best_us = INT64_MIN;

	LIST_FOREACH(t, &a->taps, link) {
		int64_t us = time_of_next(t);

		if (us > best_us) {
			best = t;
			best_us = us;
		}
	}
	return best;
}

/* Each router's list is in order. */
static void
answer_list(struct asking *a)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);
	struct tap *t;

	fl_jsonw_open(&w, NULL, '[');
	for (size_t n = 0; n < a->limit && (t = newest(a)) != NULL; n++)
		fl_jsonw_value(&w, NULL, fl_json_at(t->list, t->at++));
	fl_jsonw_close(&w, ']');
	answer_json(a->req, &b);
}

/* All have answered: what some told is told, even if others failed. */
static void
lists_end(struct asking *a)
{
	const struct tap *t;

	LIST_FOREACH(t, &a->taps, link)
		if (t->list != NULL)
			break;
	if (t != NULL)
		answer_list(a);
	else
		answer_err(a->req, NULL, &a->err);
	asking_free(a);
}

/* Why a router did not do it, in words for the client; false: it did. */
static bool
has_failed(const struct fl_http_result *res, const struct fl_err *err, struct fl_err *why)
{
	struct fl_json *body;
	const char *message;

	if (err != NULL) {
		*why = *err;
		why->kind = FL_ERR_UNAVAILABLE;
		fl_err_wrap(why, "the router does not answer");
		return true;
	}
	if (fl_http_result_check(res, "the router", why) == 0)
		return false;
	body = fl_json_parse(res->body, res->len, NULL);
	if ((message = fl_json_str(fl_json_get(body, "message"), NULL)) != NULL)
		fl_err_set(why, why->kind, "%s", message);
	fl_json_free(body);
	return true;
}

static void
on_list(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct tap *t = arg;
	struct asking *a = t->a;
	struct fl_err why = { 0 };

	t->call = NULL;
	if (!has_failed(res, err, &why))
		t->list = fl_json_parse(res->body, res->len, &why);
	if (t->list == NULL && a->err.kind == FL_ERR_NONE)
		a->err = why;
	if (--a->n_calls == 0)
		lists_end(a);
}

static void
ask_list(struct tap *t, size_t limit, fl_http_client_cb cb)
{
	char *url = url_of(t, limit);
	struct fl_http_call_opts opts = { .url = url, .timeout_ms = CALL_MS };

	t->a->n_calls++;
	t->call = fl_http_client_start(t->a->c->client, &opts, cb, t);
	free(url);
}

/* ---- a stream ---- */

static char *
stream_url(void *arg)
{
	const struct tap *t = arg;

	return url_of(t, t->was_open ? 0 : t->a->limit);
}

static void
on_stream_open(void *arg)
{
	struct tap *t = arg;

	t->was_open = true;
}

static void
on_stream_event(const char *event, FL_UNUSED const char *id, const char *data, FL_UNUSED size_t len, void *arg)
{
	const struct tap *t = arg;

	fl_http_sse_send(t->a->req, *event != '\0' ? event : NULL, NULL, data);
}

static void
open_stream(struct tap *t)
{
	static const struct fl_sse_client_ops ops = { stream_url, on_stream_open, on_stream_event, NULL, NULL };

	t->stream = fl_sse_client_start(t->a->c->client, &ops, t);
}

/* Listen to those that discoverd tells of, and to no others. */
static void
update_taps(struct asking *a)
{
	const struct fl_discoverd_service *routers = a->c->routers;
	struct tap *t, *next;

	LIST_FOREACH(t, &a->taps, link)
		t->is_known = false;
	for (size_t i = 0; i < fl_discoverd_service_count(routers); i++) {
		const char *addr = fl_discoverd_service_at(routers, i)->addr;

		if ((t = tap_find(a, addr)) == NULL)
			t = tap_new(a, addr);
		t->is_known = true;
	}
	LIST_FOREACH_SAFE(t, &a->taps, link, next) {
		if (!t->is_known)
			tap_free(t);
		else if (a->is_started && t->stream == NULL)
			open_stream(t);
	}
}

void
app_requests_routers_changed(FL_UNUSED struct fl_discoverd_service *routers, void *arg)
{
	struct controller *c = arg;
	struct asking *a;

	LIST_FOREACH(a, &c->askings, link)
		if (a->is_started)
			update_taps(a);
}

static void
on_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	asking_free(arg);
}

/* One router finds nothing wrong with the question: go on with all of them. */
static void
on_checked(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct tap *t = arg;
	struct asking *a = t->a;
	struct fl_err why = { 0 };

	t->call = NULL;
	if (has_failed(res, err, &why)) {
		answer_err(a->req, NULL, &why);
		asking_free(a);
		return;
	}
	a->is_started = true;
	fl_http_on_close(a->req, on_close, a);
	fl_http_sse_start(a->req);
	if (fl_discoverd_service_count(a->c->routers) > 0)
		update_taps(a);
	else
		open_stream(t);
}

/* ---- both ---- */

static void
on_found(const char *addr, const struct fl_err *err, void *arg)
{
	struct asking *a = arg;
	struct fl_err why = { 0 };
	struct tap *t;

	if (err != NULL) {
		fl_err_set(&why, FL_ERR_UNAVAILABLE, "no router is there: %s", err->msg);
		answer_err(a->req, NULL, &why);
		asking_free(a);
		return;
	}
	if (a->is_stream) {
		ask_list(tap_new(a, addr), 0, on_checked);
		return;
	}
	update_taps(a);
	if (LIST_EMPTY(&a->taps))
		tap_new(a, addr);
	LIST_FOREACH(t, &a->taps, link)
		ask_list(t, a->limit, on_list);
}

static void
on_app(const struct app *app, void *arg)
{
	struct asking *a = arg;

	if (app == NULL) {
		asking_free(a);
		return;
	}
	a->parent_ref = fl_xasprintf(APP_ROUTES_PARENT "%s", app->id);
	fl_discoverd_find(a->c->discoverd, ROUTER_SERVICE, FIND_MS, on_found, a);
}

/* What the routers are to look for. */
static char *
filter_of(struct fl_http_req *req)
{
	static const char *const names[] = { "host", "status", "slow" };
	struct fl_buf b = { 0 };

	for (size_t i = 0; i < fl_nitems(names); i++) {
		const char *value = fl_http_query(req, names[i]);

		if (value != NULL && *value != '\0')
			fl_url_add_query(&b, names[i], value);
	}
	return fl_buf_detach(&b);
}

void
app_requests(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	const char *limit = fl_http_query(req, "limit");
	bool is_stream = fl_http_accepts(req, "text/event-stream");
	size_t n = is_stream ? 0 : LIMIT_DEFAULT;
	struct asking *a;

	if (limit != NULL && *limit != '\0')
		n = strspn(limit, "0123456789") == strlen(limit) && strlen(limit) < 8 ? strtoul(limit, NULL, 10) : LIMIT_MAX + 1;
	if (n > LIMIT_MAX) {
		answer_invalid(req, "limit", "\"%.20s\" is no number up to %d", limit, LIMIT_MAX);
		return;
	}
	a = fl_xcalloc(1, sizeof(*a));
	a->c = c;
	a->req = req;
	a->limit = n;
	a->is_stream = is_stream;
	a->filter = filter_of(req);
	LIST_INIT(&a->taps);
	LIST_INSERT_HEAD(&c->askings, a, link);
	apps_find(c, req, on_app, a);
}
