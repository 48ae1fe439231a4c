#include "controller/job_events.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/controller.h"
#include "controller/number.h"
#include "controller/deployer.h"
#include "controller/row.h"
#include "controller/subscriber.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/pg.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

#define BATCH "200"
#define BATCH_ROWS 200
#define COUNT_MAX 1000

struct reader {
	struct subscriber sub;
	char app[FL_UUID_LEN + 1]; /* "" until it is known */
	int64_t last_id;	   /* event that was sent, or that the client has */
	bool counts;		   /* wants the last so many, of those behind last_id */
};

struct job_events {
	struct controller *c;
	struct subscribers readers;
};

static struct reader *
of(struct subscriber *s)
{
	return (struct reader *)s;
}

static void
reader_free(struct subscriber *s)
{
	free(s);
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
	of(s)->last_id = fl_pg_int(res, row, 0, of(s)->last_id);
	fl_buf_release(&b);
}

static void
on_events(struct subscriber *s, const PGresult *res)
{
	int n = 0;

	while (n < PQntuples(res) && subscriber_has_room(s))
		send_event(s, res, n++);
	if (n < PQntuples(res) || n == BATCH_ROWS)
		s->dirty = true;
	subscriber_pump(s);
}

static void
reader_look(struct subscriber *s)
{
	char last[24];

	snprintf(last, sizeof(last), "%lld", (long long)of(s)->last_id);
	subscriber_query(s, "SELECT event_id, job_id, app_id, release_id, type, state, exit_status, host_error,"
			    " micros(created_at) FROM job_events WHERE app_id = $1 AND event_id > $2"
			    " ORDER BY event_id LIMIT " BATCH,
	    (const char *[]){ of(s)->app, last }, 2, on_events);
}

static void
on_app(struct subscriber *s, const PGresult *res)
{
	struct reader *r = of(s);
	int64_t newest, from;

	if (PQntuples(res) == 0) {
		subscriber_not_found(s);
		return;
	}
	row_get_id(res, 0, 0, r->app);
	newest = fl_pg_int(res, 0, 1, 0);
	from = fl_pg_int(res, 0, 2, newest + 1) - 1; /* what ?count= asks for comes behind it */
	if (r->last_id > newest) /* of a database that was there before a restored one */
		r->last_id = newest;
	if (r->last_id == 0 || (r->counts && r->last_id < from))
		r->last_id = from;
	subscriber_start(s);
	subscriber_stir(s);
}

void
job_events_stream(struct fl_http_req *req, void *arg)
{
	static const struct subscriber_ops ops = { reader_look, reader_free };
	struct controller *c = arg;
	struct reader *r;
	int64_t last_id, count;
	char text[24];

	if (number_header(req, "Last-Event-Id", INT64_MAX, &last_id) == -1 ||
	    number_query(req, "count", COUNT_MAX, &count) == -1)
		return;
	r = fl_xcalloc(1, sizeof(*r));
	r->last_id = last_id;
	r->counts = count > 0;
	snprintf(text, sizeof(text), "%lld", (long long)count);
	subscriber_join(&r->sub, &c->job_events->readers, &ops, c->pg, req);
	subscriber_query(&r->sub, "SELECT a.app_id, (SELECT max(event_id) FROM job_events WHERE app_id = a.app_id),"
				  " (SELECT min(event_id) FROM (SELECT event_id FROM job_events WHERE app_id = a.app_id"
				  "  ORDER BY event_id DESC LIMIT $2) latest)"
				  " FROM apps a WHERE a.app_id = find_app($1)",
	    (const char *[]){ fl_http_param(req, "app"), text }, 2, on_app);
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
	TAILQ_FOREACH_SAFE(s, &je->readers, link, next)
		if (payload == NULL || !s->started || strcmp(of(s)->app, app) == 0)
			subscriber_stir(s);
}

struct job_events *
job_events_new(struct controller *c)
{
	struct job_events *je = fl_xcalloc(1, sizeof(*je));

	je->c = c;
	TAILQ_INIT(&je->readers);
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
	if (je == NULL)
		return;
	subscribers_free(&je->readers);
	free(je);
}
