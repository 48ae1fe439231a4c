#include "controller/events.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/number.h"
#include "controller/query.h"
#include "controller/subscriber.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/retry.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

#define BATCH "200"
#define BATCH_BYTES "262144"
#define LIST_BYTES "8388608"
#define COUNT_MAX 1000
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000

#define COLUMNS "event_id, app_id, object_type, object_id, data, micros(created_at)"
/*
 * The first of the chosen events in the order of their numbers: no more than rows, and, for an event may have a whole
 * release in it, than bytes, but one at least.
 */
#define FIRST(where, order, rows, bytes)                                                                      \
	"SELECT " COLUMNS " FROM (SELECT *, row_number() OVER sofar AS n, sum(length(data::text)) OVER sofar AS size" \
	" FROM (SELECT * FROM events WHERE " where " ORDER BY event_id " order " LIMIT " rows ") chosen"              \
	" WINDOW sofar AS (ORDER BY event_id " order ")) sized"                                                   \
	" WHERE n = 1 OR size <= " bytes " ORDER BY event_id " order
/* $1 an app's id, $2 types with commas between them, $3 an object's id; NULL: any. */
#define CHOSEN                                                                            \
	"($1::uuid IS NULL OR app_id = $1) AND ($2::text IS NULL OR object_type = ANY (string_to_array($2, ',')))" \
	" AND ($3::text IS NULL OR object_id = $3)"

/* What a reader wants. */
struct wanted {
	char app[FL_UUID_LEN + 1]; /* "": of all */
	char *types, *object;	   /* NULL: any */
	int64_t last_id;	   /* after this one */
	int64_t before_id;	   /* 0: none */
	int64_t count;		   /* 0: not limited */
	bool past;
};

struct reader {
	struct subscriber sub;
	struct wanted wanted; /* last_id: that was sent */
};

struct events {
	struct controller *c;
	struct subscribers readers;
	bool numbering, more; /* the outbox is being emptied; it may have got more since */
	struct fl_retry retry;
};

static void
wanted_release(struct wanted *w)
{
	free(w->types);
	free(w->object);
}

/* Object ids that are UUIDs come in both forms. */
static char *
object_id(const char *given)
{
	char id[FL_UUID_LEN + 1];

	if (given == NULL || *given == '\0')
		return NULL;
	return fl_xstrdup(fl_uuid_parse(given, id) ? id : given);
}

/* -1: answered. */
static int
wanted_read(struct fl_http_req *req, struct wanted *w)
{
	const char *types = fl_http_query(req, "object_types"), *past = fl_http_query(req, "past");
	int64_t since_id;

	*w = (struct wanted){ .past = past != NULL && strcmp(past, "true") == 0 };
	if (number_header(req, "Last-Event-Id", INT64_MAX, &w->last_id) == -1 ||
	    number_query(req, "before_id", INT64_MAX, &w->before_id) == -1 ||
	    number_query(req, "since_id", INT64_MAX, &since_id) == -1 ||
	    number_query(req, "count", COUNT_MAX, &w->count) == -1)
		return -1;
	if (since_id > w->last_id)
		w->last_id = since_id;
	w->types = types != NULL && *types != '\0' ? fl_xstrdup(types) : NULL;
	w->object = object_id(fl_http_query(req, "object_id"));
	return 0;
}

static void
write_event(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	fl_jsonw_open(w, key, '{');
	row_int(w, "id", res, row, 0);
	row_id(w, "app", res, row, 1);
	row_str(w, "object_type", res, row, 2);
	row_str(w, "object_id", res, row, 3);
	row_json(w, "data", res, row, 4);
	row_time(w, "created_at", res, row, 5);
	fl_jsonw_close(w, '}');
}

/* ---- numbers ---- */

static void number(struct events *e);

static void
on_numbered(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct events *e = arg;

	e->numbering = false;
	if (err != NULL) { /* who waits for the last change of a quiet cluster would wait for ever */
		fl_log_warn("events wait for their numbers", fl_str("err", err->msg));
		fl_retry_wait(&e->retry);
		return;
	}
	fl_retry_reset(&e->retry);
	if (e->more)
		number(e);
}

static void
on_retry(void *arg)
{
	number(arg);
}

static void
number(struct events *e)
{
	e->more = e->numbering;
	if (e->numbering)
		return;
	e->numbering = true;
	fl_pg_query(e->c->pg, "SELECT number_events()", NULL, 0, on_numbered, e);
}

/* ---- the stream ---- */

static struct reader *
of(struct subscriber *s)
{
	return (struct reader *)s;
}

static void
reader_free(struct subscriber *s)
{
	wanted_release(&of(s)->wanted);
	free(s);
}

static void
on_events(struct subscriber *s, const PGresult *res)
{
	struct wanted *w = &of(s)->wanted;

	if (PQntuples(res) > 0) /* there may be more than a batch */
		s->dirty = true;
	for (int i = 0; i < PQntuples(res) && subscriber_has_room(s); i++) {
		struct fl_buf b = { 0 };
		struct fl_jsonw out = fl_jsonw(&b);

		write_event(&out, NULL, res, i);
		fl_http_sse_send(s->req, NULL, fl_pg_str(res, i, 0, ""), b.data);
		w->last_id = fl_pg_int(res, i, 0, w->last_id);
		fl_buf_release(&b);
	}
	subscriber_pump(s);
}

/* Query for s; the SQL's $1 to $3 are of CHOSEN, $4 is the last event he has. */
static void
reader_query(struct subscriber *s, const char *sql, const char *count, void (*on_rows)(struct subscriber *s, const PGresult *res))
{
	const struct wanted *w = &of(s)->wanted;
	char last[24];

	snprintf(last, sizeof(last), "%lld", (long long)w->last_id);
	subscriber_query(s, sql, (const char *[]){ *w->app != '\0' ? w->app : NULL, w->types, w->object, last, count },
	    count == NULL ? 4 : 5, on_rows);
}

static void
reader_look(struct subscriber *s)
{
	reader_query(s, FIRST(CHOSEN " AND event_id > $4", "", BATCH, BATCH_BYTES), NULL, on_events);
}

static void
on_start(struct subscriber *s, const PGresult *res)
{
	struct wanted *w = &of(s)->wanted;
	int64_t newest = fl_pg_int(res, 0, 0, 0);

	if (w->last_id > newest || (!w->past && w->last_id == 0)) /* of a database that was there before a restored one */
		w->last_id = newest;
	else if (w->count > 0) /* there may be none of the last so many */
		w->last_id = fl_pg_int(res, 0, 1, newest > w->last_id ? newest + 1 : w->last_id + 1) - 1;
	subscriber_start(s);
	subscriber_stir(s);
}

/* All that was committed until now has its number: from now on is from here. */
static void
on_now(struct subscriber *s, FL_UNUSED const PGresult *res)
{
	char count[24];

	snprintf(count, sizeof(count), "%lld", (long long)of(s)->wanted.count);
	reader_query(s, "SELECT (SELECT max(event_id) FROM events), (SELECT min(event_id) FROM (SELECT event_id FROM events"
			" WHERE " CHOSEN " AND event_id > $4 ORDER BY event_id DESC LIMIT $5) latest)", count, on_start);
}

static void
stream(struct events *e, struct fl_http_req *req, const struct wanted *w)
{
	static const struct subscriber_ops ops = { reader_look, reader_free };
	struct reader *r = fl_xcalloc(1, sizeof(*r));

	r->wanted = *w;
	subscriber_join(&r->sub, &e->readers, &ops, e->c->pg, req);
	subscriber_query(&r->sub, "SELECT number_events()", NULL, 0, on_now);
}

/* ---- the list ---- */

static void
list(struct events *e, struct fl_http_req *req, const struct wanted *w)
{
	char last[24], before[24], count[24];

	snprintf(last, sizeof(last), "%lld", (long long)w->last_id);
	snprintf(before, sizeof(before), "%lld", (long long)w->before_id);
	snprintf(count, sizeof(count), "%lld", (long long)(w->count > 0 ? w->count : COUNT_MAX));
	query_all(e->c, req, FIRST(CHOSEN " AND event_id > $4 AND ($5 = '0' OR event_id < $5::bigint)", "DESC", "$6::bigint", LIST_BYTES),
	    (const char *[]){ *w->app != '\0' ? w->app : NULL, w->types, w->object, last, before, count }, 6, write_event);
}

static bool
wants_list(const struct fl_http_req *req)
{
	const char *accept = fl_http_header(req, "Accept");

	return accept != NULL && strcmp(accept, "application/json") == 0;
}

/* A reader whose app is looked up, and the outbox emptied. */
struct start {
	struct events *events;
	struct fl_http_req *req;
	struct wanted wanted;
};

static void
on_app(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct start *st = arg;

	if (err != NULL) {
		answer_err(st->req, NULL, err);
	} else if (row_is_null(res, 0, 0) && row_bool(res, 0, 1)) {
		answer_not_found(st->req);
	} else {
		row_get_id(res, 0, 0, st->wanted.app);
		if (wants_list(st->req)) {
			list(st->events, st->req, &st->wanted);
		} else {
			stream(st->events, st->req, &st->wanted);
			st->wanted.types = st->wanted.object = NULL; /* the reader's now */
		}
	}
	wanted_release(&st->wanted);
	free(st);
}

void
events_read(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	const char *app = fl_http_query(req, "app_id");
	struct wanted w;
	struct start *st;

	if (wanted_read(req, &w) == -1)
		return;
	st = fl_xcalloc(1, sizeof(*st));
	*st = (struct start){ c->events, req, w };
	fl_pg_query(c->pg, "SELECT find_app($1), $1 <> '', number_events()", (const char *[]){ app != NULL ? app : "" }, 1, on_app, st);
}

void
events_get(struct fl_http_req *req, void *arg)
{
	int64_t id;

	if (number_read(fl_http_param(req, "event"), INT64_MAX, &id) == -1)
		answer_not_found(req);
	else
		query_one(arg, req, "SELECT " COLUMNS " FROM events WHERE event_id = $1",
		    (const char *[]){ fl_http_param(req, "event") }, 1, write_event);
}

/* ---- what the database says ---- */

static void
on_outbox(FL_UNUSED const char *payload, void *arg)
{
	number(arg);
}

static void
on_notify(FL_UNUSED const char *payload, void *arg)
{
	struct events *e = arg;

	subscribers_stir(&e->readers);
}

struct events *
events_new(struct controller *c)
{
	struct events *e = fl_xcalloc(1, sizeof(*e));

	e->c = c;
	TAILQ_INIT(&e->readers);
	fl_retry_init(&e->retry, c->base, RETRY_MIN_MS, RETRY_MAX_MS, on_retry, e);
	return e;
}

void
events_listen(struct events *e)
{
	fl_pg_listen(e->c->pg, "events_outbox", on_outbox, e);
	fl_pg_listen(e->c->pg, "events", on_notify, e);
}

void
events_free(struct events *e)
{
	if (e == NULL)
		return;
	subscribers_free(&e->readers);
	fl_retry_release(&e->retry);
	free(e);
}
