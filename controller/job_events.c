#include "controller/job_events.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/number.h"
#include "controller/deployer.h"
#include "controller/row.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/pg.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

/* Above this a subscriber has to read before he gets more. */
#define MAX_PENDING ((size_t)256 << 10)
#define BATCH "200"
#define BATCH_ROWS 200
#define COUNT_MAX 1000

struct subscriber {
	TAILQ_ENTRY(subscriber) link;
	struct job_events *events;
	struct fl_http_req *req; /* NULL: gone, freed when its query ends */
	char app[FL_UUID_LEN + 1]; /* "" until it is known */
	int64_t last_id;	   /* event that was sent, or that the client has */
	bool counts;		   /* wants the last so many, of those behind last_id */
	bool started;
	bool busy;  /* a query is under way */
	bool dirty; /* there may be events behind last_id */
};

struct job_events {
	struct controller *c;
	TAILQ_HEAD(, subscriber) subscribers;
};

static void subscriber_pump(struct subscriber *s);

static void
subscriber_free(struct subscriber *s)
{
	TAILQ_REMOVE(&s->events->subscribers, s, link);
	free(s);
}

static void
on_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct subscriber *s = arg;

	s->req = NULL;
	if (!s->busy)
		subscriber_free(s);
}

/* s gives its request up, which the caller answers or ends. */
static struct fl_http_req *
subscriber_leave(struct subscriber *s)
{
	struct fl_http_req *req = s->req;

	fl_http_on_close(req, NULL, NULL);
	fl_http_stream_on_drain(req, NULL, NULL);
	subscriber_free(s);
	return req;
}

static void
write_event(struct fl_jsonw *w, const PGresult *res, int row)
{
	fl_jsonw_open(w, NULL, '{');
	row_int(w, "id", res, row, 0);
	row_str(w, "job_id", res, row, 1);
	row_id(w, "app", res, row, 2);
	row_id(w, "release", res, row, 3);
	row_str(w, "type", res, row, 4);
	row_str(w, "state", res, row, 5);
	row_int(w, "exit_status", res, row, 6);
	row_str(w, "host_error", res, row, 7);
	row_time(w, "created_at", res, row, 8);
	fl_jsonw_close(w, '}');
}

static void
send_event(struct subscriber *s, const PGresult *res, int row)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	write_event(&w, res, row);
	fl_http_sse_send(s->req, fl_pg_str(res, row, 5, ""), fl_pg_str(res, row, 0, ""), b.data);
	s->last_id = fl_pg_int(res, row, 0, s->last_id);
	fl_buf_release(&b);
}

static void
on_events(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct subscriber *s = arg;

	s->busy = false;
	if (s->req == NULL) {
		subscriber_free(s);
		return;
	}
	if (err != NULL) { /* the client comes again with the last id */
		fl_http_stream_end(subscriber_leave(s));
		return;
	}
	if (PQntuples(res) == BATCH_ROWS)
		s->dirty = true;
	for (int i = 0; i < PQntuples(res); i++) {
		if (fl_http_stream_pending(s->req) > MAX_PENDING) { /* the rest when these are taken */
			s->dirty = true;
			break;
		}
		send_event(s, res, i);
	}
	subscriber_pump(s);
}

/* Go on with s, unless it waits for the database or for its reader. */
static void
subscriber_pump(struct subscriber *s)
{
	char last[24];

	if (!s->started || !s->dirty || s->busy || s->req == NULL || fl_http_stream_pending(s->req) > MAX_PENDING)
		return;
	s->dirty = false;
	s->busy = true;
	snprintf(last, sizeof(last), "%lld", (long long)s->last_id);
	fl_pg_query(s->events->c->pg, "SELECT event_id, job_id, app_id, release_id, type, state, exit_status, host_error,"
				      " micros(created_at) FROM job_events WHERE app_id = $1 AND event_id > $2"
				      " ORDER BY event_id LIMIT " BATCH,
	    (const char *[]){ s->app, last }, 2, on_events, s);
}

static void
on_drain(FL_UNUSED struct fl_http_req *req, void *arg)
{
	subscriber_pump(arg);
}

static void
on_app(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct subscriber *s = arg;
	int64_t newest, from;

	s->busy = false;
	if (s->req == NULL) {
		subscriber_free(s);
		return;
	}
	if (err != NULL) {
		answer_err(subscriber_leave(s), NULL, err);
		return;
	}
	if (PQntuples(res) == 0) {
		answer_not_found(subscriber_leave(s));
		return;
	}
	row_get_id(res, 0, 0, s->app);
	newest = fl_pg_int(res, 0, 1, 0);
	from = fl_pg_int(res, 0, 2, newest + 1) - 1; /* what ?count= asks for comes behind it */
	if (s->last_id == 0 || (s->counts && s->last_id < from))
		s->last_id = from;
	s->dirty = true;
	s->started = true;
	fl_http_sse_start(s->req);
	subscriber_pump(s);
}

void
job_events_stream(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	struct subscriber *s;
	int64_t last_id, count;
	char text[24];

	if (number_header(req, "Last-Event-Id", INT64_MAX, &last_id) == -1 ||
	    number_query(req, "count", COUNT_MAX, &count) == -1)
		return;
	s = fl_xcalloc(1, sizeof(*s));
	*s = (struct subscriber){ .events = c->job_events, .req = req, .last_id = last_id,
		.counts = count > 0, .busy = true };
	TAILQ_INSERT_TAIL(&s->events->subscribers, s, link);
	fl_http_on_close(req, on_close, s);
	fl_http_stream_on_drain(req, on_drain, s);
	snprintf(text, sizeof(text), "%lld", (long long)count);
	fl_pg_query(c->pg, "SELECT a.app_id, (SELECT max(event_id) FROM job_events WHERE app_id = a.app_id),"
			   " (SELECT min(event_id) FROM (SELECT event_id FROM job_events WHERE app_id = a.app_id"
			   "  ORDER BY event_id DESC LIMIT $2) latest)"
			   " FROM apps a WHERE a.app_id = find_app($1)",
	    (const char *[]){ fl_http_param(req, "app"), text }, 2, on_app, s);
}

/* payload is the app's id; NULL: the connection is a new one. */
static void
on_notify(const char *payload, void *arg)
{
	struct job_events *je = arg;
	struct subscriber *s, *next;
	char app[FL_UUID_LEN + 1];

	if (payload != NULL && !fl_uuid_parse(payload, app))
		return;
	deployer_job_changed(je->c->deployer, payload != NULL ? app : NULL);
	TAILQ_FOREACH_SAFE(s, &je->subscribers, link, next) {
		if (payload != NULL && s->started && strcmp(s->app, app) != 0)
			continue;
		s->dirty = true;
		subscriber_pump(s);
	}
}

struct job_events *
job_events_new(struct controller *c)
{
	struct job_events *je = fl_xcalloc(1, sizeof(*je));

	je->c = c;
	TAILQ_INIT(&je->subscribers);
	return je;
}

void
job_events_listen(struct job_events *je)
{
	fl_pg_listen(je->c->pg, "job_events", on_notify, je);
}

void
job_events_free(struct job_events *je)
{
	struct subscriber *s, *next;

	if (je == NULL)
		return;
	TAILQ_FOREACH_SAFE(s, &je->subscribers, link, next)
		subscriber_free(s);
	free(je);
}
