#include "controller/formation_events.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/expanded_formation.h"
#include "controller/subscriber.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/map.h"
#include "libflynn/pg.h"
#include "libflynn/xmalloc.h"

/* A transaction that commits last may have written an earlier time: it lives at most this long. */
#define SLACK_US (60 * INT64_C(1000000))
/* Go's zero time: what clients take for "none". */
#define ZERO_TIME "0001-01-01T00:00:00Z"

struct reader {
	struct subscriber sub;
	struct fl_map *todo; /* "app:release", to be read and sent, in order */
	size_t untold;	     /* of todo, before the sign that all were told */
	bool told;	     /* the sign */
	bool look_again;     /* notifications may have been missed */
	int64_t since_us;    /* 0: all live ones */
	int64_t newest_us;   /* change that was sent */
};

struct formation_events {
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
	fl_map_free(of(s)->todo);
	free(s);
}

static void
on_formation(struct subscriber *s, const PGresult *res)
{
	struct reader *r = of(s);

	for (int i = 0; i < PQntuples(res); i++) {
		struct fl_buf b = { 0 };
		struct fl_jsonw w = fl_jsonw(&b);
		int64_t updated_us = fl_pg_int(res, i, EXPANDED_UPDATED_COL, 0);

		expanded_formation_write(&w, NULL, res, i);
		r->newest_us = updated_us > r->newest_us ? updated_us : r->newest_us;
		subscriber_send(s, b.data);
		fl_buf_release(&b);
	}
	subscriber_stir(s);
}

/*
 * One that has ended is told of behind what its app has instead, however late either is looked at: who knew of none would end
 * all jobs.
 */
static void
read_formation(struct subscriber *s, const char *key)
{
	char *app = fl_xstrndup(key, strcspn(key, ":")), *release = fl_xstrdup(key + strcspn(key, ":") + 1);

	subscriber_query(s, "SELECT " EXPANDED_COLUMNS " FROM " EXPANDED_TABLES
			    " JOIN formations asked ON asked.app_id = f.app_id AND asked.release_id = $2"
			    " WHERE f.app_id = $1 AND (f.release_id = $2 OR (asked.deleted_at IS NOT NULL AND f.deleted_at IS NULL))"
			    " ORDER BY f.release_id = $2",
	    (const char *[]){ app, release }, 2, on_formation);
	free(app);
	free(release);
}

static void
on_keys(struct subscriber *s, const PGresult *res)
{
	struct reader *r = of(s);

	for (int i = 0; i < PQntuples(res); i++)
		fl_map_set(r->todo, fl_pg_str(res, i, 0, ""), s);
	if (!s->started) {
		r->untold = fl_map_count(r->todo);
		subscriber_start(s);
	}
	subscriber_stir(s);
}

/*
 * Which formations changed since then, by what they say of jobs and volumes, too: at first those asked for, later those that may
 * have been missed.
 */
static void
list_formations(struct subscriber *s)
{
	struct reader *r = of(s);
	int64_t since_us = r->newest_us > r->since_us ? r->newest_us : r->since_us;
	char text[24];

	r->look_again = false;
	if (since_us == 0) {
		subscriber_query(s, "SELECT app_id || ':' || release_id FROM formations WHERE deleted_at IS NULL"
				    " ORDER BY updated_at DESC", NULL, 0, on_keys);
		return;
	}
	snprintf(text, sizeof(text), "%lld", (long long)(since_us - SLACK_US));
	subscriber_query(s, "SELECT app_id || ':' || release_id FROM formations,"
			    "  (SELECT 'epoch'::timestamptz + $1 * interval '1 microsecond' AS time) since"
			    " WHERE updated_at >= since.time OR replaced_jobs(app_id, release_id) IS NOT NULL OR (deleted_at IS NULL AND app_id IN"
			    "  (SELECT app_id FROM volumes v WHERE v.created_at >= since.time OR v.decommissioned_at >= since.time))"
			    " ORDER BY updated_at DESC",
	    (const char *[]){ text }, 1, on_keys);
}

static void
reader_look(struct subscriber *s)
{
	struct reader *r = of(s);
	struct fl_map_entry *first = fl_map_first(r->todo);
	char *key;

	if (r->untold == 0 && !r->told) {
		r->told = true;
		subscriber_send(s, "{\"updated_at\":\"" ZERO_TIME "\"}");
	}
	if (first != NULL) {
		key = fl_xstrdup(fl_map_key(first));
		fl_map_remove(r->todo, key);
		if (r->untold > 0)
			r->untold--;
		read_formation(s, key);
		free(key);
	} else if (r->look_again) {
		list_formations(s);
	}
}

static const struct subscriber_ops ops = { reader_look, reader_free };

static struct reader *
reader_new(int64_t since_us)
{
	struct reader *r = fl_xcalloc(1, sizeof(*r));

	r->todo = fl_map_new();
	r->since_us = since_us;
	return r;
}

void
formation_events_stream(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	const char *since = fl_http_query(req, "since");
	struct reader *r;
	int64_t since_us = 0;

	if (since != NULL && *since != '\0' && strcmp(since, ZERO_TIME) != 0 && fl_clock_parse(since, &since_us) == -1) {
		answer_invalid(req, "since", "\"%.80s\" is no time: it has the form 2014-08-02T01:02:03Z", since);
		return;
	}
	r = reader_new(since_us);
	subscriber_join(&r->sub, &c->formation_events->readers, &ops, c->pg, req);
	list_formations(&r->sub);
}

struct subscriber *
formation_events_follow(struct formation_events *fe, int64_t since_us, const struct subscriber_sink *sink, void *arg)
{
	struct reader *r = reader_new(since_us > 0 ? since_us : 0);

	subscriber_join_sink(&r->sub, &fe->readers, &ops, fe->c->pg, sink, arg);
	list_formations(&r->sub);
	return &r->sub;
}

/* payload is "app:release"; NULL: the connection is a new one. */
static void
on_notify(const char *payload, void *arg)
{
	struct formation_events *fe = arg;
	struct subscriber *s, *next;

	TAILQ_FOREACH_SAFE(s, &fe->readers, link, next) {
		if (payload == NULL)
			of(s)->look_again = true;
		else if (strchr(payload, ':') != NULL)
			fl_map_set(of(s)->todo, payload, s);
		subscriber_stir(s);
	}
}

struct formation_events *
formation_events_new(struct controller *c)
{
	struct formation_events *fe = fl_xcalloc(1, sizeof(*fe));

	fe->c = c;
	TAILQ_INIT(&fe->readers);
	return fe;
}

void
formation_events_listen(struct formation_events *fe)
{
	fl_pg_listen(fe->c->pg, "formations", on_notify, fe);
}

void
formation_events_free(struct formation_events *fe)
{
	if (fe == NULL)
		return;
	subscribers_free(&fe->readers);
	free(fe);
}
