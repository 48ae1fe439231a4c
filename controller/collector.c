#include "controller/collector.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/apps.h"
#include "controller/controller.h"
#include "controller/disposal.h"
#include "controller/row.h"
#include "libflynn/attr.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/pg.h"
#include "libflynn/xmalloc.h"

#define EVERY_S 3600
#define RETRY_S 16
#define FIND_MS 5000
#define LIST_MS 60000

struct collector {
	struct controller *c;
	struct event *timer, *retry;
	struct fl_map *apps; /* ids of those to be looked at */
	bool looking;	     /* at one of them */
	bool disposing, dispose_again;
	char keep[16];
};

static void collector_pump(struct collector *co);
static void collector_dispose(struct collector *co);

/* ---- what is garbage: one piece after another ---- */

static void
retry_in(struct collector *co, long long s)
{
	const struct timeval tv = { s, 0 };

	evtimer_add(co->retry, &tv);
}

static void
on_next_due(const PGresult *res, const struct fl_err *err, void *arg)
{
	if (err == NULL && PQntuples(res) > 0)
		retry_in(arg, fl_pg_int(res, 0, 0, RETRY_S));
}

static void
on_disposed(const struct fl_err *err, void *arg)
{
	struct collector *co = arg;

	co->disposing = false;
	if (err == NULL || (err->kind == FL_ERR_NOT_FOUND && co->dispose_again)) {
		collector_dispose(co);
	} else if (err->kind != FL_ERR_NOT_FOUND) {
		fl_log_warn("what nobody needs could not be removed yet", fl_str("err", err->msg));
		retry_in(co, RETRY_S);
	} else { /* what is in use is due again in a while */
		fl_pg_query(co->c->pg, "SELECT greatest(1, ceil(extract(epoch FROM min(due_at) - now())))::integer FROM garbage HAVING count(*) > 0",
		    NULL, 0, on_next_due, co);
	}
}

static void
collector_dispose(struct collector *co)
{
	co->dispose_again = co->disposing;
	if (co->disposing)
		return;
	co->disposing = true;
	disposal_start(co->c, on_disposed, co);
}

static void
on_retry(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	collector_dispose(arg);
}

/* ---- apps ---- */

static void
on_looked(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct collector *co = arg;

	co->looking = false;
	if (err != NULL) /* looked at again within the hour */
		fl_log_warn("an app's old releases were not collected", fl_str("err", err->msg));
	collector_pump(co);
}

static void
collector_pump(struct collector *co)
{
	struct fl_map_entry *first = fl_map_first(co->apps);
	char *app;

	if (co->looking)
		return;
	if (first == NULL) {
		collector_dispose(co);
		return;
	}
	app = fl_xstrdup(fl_map_key(first));
	fl_map_remove(co->apps, app);
	co->looking = true;
	fl_pg_query(co->c->pg, "SELECT collect($1, $2, false)", (const char *[]){ app, co->keep }, 2, on_looked, co);
	free(app);
}

static void
on_apps(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct collector *co = arg;

	for (int i = 0; err == NULL && i < PQntuples(res); i++)
		fl_map_set(co->apps, fl_pg_str(res, i, 0, ""), co);
	collector_pump(co);
}

static void
on_ignored(FL_UNUSED const PGresult *res, const struct fl_err *err, FL_UNUSED void *arg)
{
	if (err != NULL)
		fl_log_warn("what nobody needs was not looked for", fl_str("err", err->msg));
}

/* ---- slugs without a release: of builds that broke off behind the upload ---- */

static void
on_slugs(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct collector *co = arg;
	struct fl_err err;

	if (call_err != NULL || fl_http_result_check(res, "list the slugs", &err) == -1) {
		fl_log_warn("shelf was not looked through", fl_str("err", call_err != NULL ? call_err->msg : err.msg));
		return;
	}
	/* A push may be about to make the release, so they are looked at again in a day. */
	fl_pg_query(co->c->pg, "SELECT dispose('blob', slug, now() + interval '1 day') FROM json_array_elements_text($1::json) AS s(slug)"
			       " WHERE NOT is_needed('blob', slug) AND NOT EXISTS (SELECT FROM garbage WHERE kind = 'blob' AND ref = slug)",
	    (const char *[]){ res->body }, 1, on_ignored, NULL);
}

static void
on_shelf(const char *addr, const struct fl_err *err, void *arg)
{
	struct collector *co = arg;
	char *url;

	if (err != NULL)
		return; /* a cluster without shelf has no slugs */
	url = fl_xasprintf("http://%s/?dir=/slugs", addr);
	fl_http_client_start(co->c->client, &(struct fl_http_call_opts){ .url = url, .timeout_ms = LIST_MS }, on_slugs, co);
	free(url);
}

/* ---- when ---- */

static void
collector_look_at_all(struct collector *co)
{
	fl_pg_query(co->c->pg, "SELECT delete_releases(ARRAY (SELECT stray_releases()))", NULL, 0, on_ignored, NULL);
	fl_pg_query(co->c->pg, "SELECT DISTINCT l.app_id FROM app_releases l JOIN releases r USING (release_id) WHERE r.deleted_at IS NULL",
	    NULL, 0, on_apps, co);
	if (co->c->discoverd != NULL)
		fl_discoverd_find(co->c->discoverd, DISPOSAL_SHELF, FIND_MS, on_shelf, co);
}

static void
on_timer(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	collector_look_at_all(arg);
}

/* payload is an app's id, or empty: something has become garbage; NULL: the connection is a new one. */
static void
on_notify(const char *payload, void *arg)
{
	struct collector *co = arg;
	char id[FL_UUID_LEN + 1];

	if (payload == NULL) {
		collector_look_at_all(co);
	} else {
		if (fl_uuid_parse(payload, id))
			fl_map_set(co->apps, id, co);
		collector_pump(co);
	}
}

struct collector *
collector_start(struct controller *c)
{
	static const struct timeval every = { EVERY_S, 0 };
	struct collector *co = fl_xcalloc(1, sizeof(*co));

	co->c = c;
	co->apps = fl_map_new();
	snprintf(co->keep, sizeof(co->keep), "%d", c->cfg->keep_releases);
	co->timer = event_new(c->base, -1, EV_PERSIST, on_timer, co);
	event_add(co->timer, &every);
	co->retry = evtimer_new(c->base, on_retry, co);
	fl_pg_listen(c->pg, "garbage", on_notify, co);
	return co;
}

void
collector_free(struct collector *co)
{
	if (co == NULL)
		return;
	event_free(co->timer);
	event_free(co->retry);
	fl_map_free(co->apps);
	free(co);
}

/* ---- when asked ---- */

struct asked {
	struct controller *c;
	struct fl_http_req *req;
};

static void
on_collected(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct asked *a = arg;

	if (err != NULL) {
		answer_err(a->req, NULL, err);
	} else {
		answer_empty(a->req);
		if (a->c->collector != NULL)
			collector_dispose(a->c->collector);
	}
	free(a);
}

static void
on_app(const struct app *app, void *arg)
{
	struct asked *a = arg;
	char keep[16];

	if (app == NULL) { /* answered */
		free(a);
		return;
	}
	snprintf(keep, sizeof(keep), "%d", a->c->cfg->keep_releases);
	fl_pg_query(a->c->pg, "SELECT collect($1, $2, true)", (const char *[]){ app->id, keep }, 2, on_collected, a);
}

void
collector_collect(struct fl_http_req *req, void *arg)
{
	struct asked *a = fl_xcalloc(1, sizeof(*a));

	*a = (struct asked){ arg, req };
	apps_find(arg, req, on_app, a);
}
