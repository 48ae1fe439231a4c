#include "controller/formation_events.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/expanded_formation.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/map.h"
#include "libflynn/pg.h"
#include "libflynn/xmalloc.h"

/* Above this a subscriber has to read before he gets more. */
#define MAX_PENDING ((size_t)256 << 10)
/* A transaction that commits last may have written an earlier time: it lives at most this long. */
#define SLACK_US (60 * INT64_C(1000000))
/* Go's zero time: what clients take for "none". */
#define ZERO_TIME "0001-01-01T00:00:00Z"

struct subscriber {
	TAILQ_ENTRY(subscriber) link;
	struct formation_events *events;
	struct fl_http_req *req; /* NULL: gone, freed when its query ends */
	struct fl_map *todo;	 /* "app:release", to be read and sent, in order */
	size_t untold;		 /* of todo, before the sign that all were told */
	bool started, told;	 /* the stream; the sign */
	bool busy;		 /* a query is under way */
	bool look_again;	 /* notifications may have been missed */
	int64_t since_us;	 /* 0: all live ones */
	int64_t newest_us;	 /* change that was sent */
};

struct formation_events {
	struct controller *c;
	TAILQ_HEAD(, subscriber) subscribers;
};

static void subscriber_pump(struct subscriber *s);

static void
subscriber_free(struct subscriber *s)
{
	TAILQ_REMOVE(&s->events->subscribers, s, link);
	fl_map_free(s->todo);
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

/* End the stream: the client comes again, when the database does. */
static void
subscriber_end(struct subscriber *s, const struct fl_err *err)
{
	struct fl_http_req *req = s->req;
	bool started = s->started;

	subscriber_free(s);
	fl_http_on_close(req, NULL, NULL);
	if (started)
		fl_http_stream_end(req);
	else
		answer_err(req, NULL, err);
}

/* The result of a query of s, which may be gone. Whether there are rows to look at. */
static bool
subscriber_got(struct subscriber *s, const struct fl_err *err)
{
	s->busy = false;
	if (s->req == NULL) {
		subscriber_free(s);
		return false;
	}
	if (err != NULL) {
		subscriber_end(s, err);
		return false;
	}
	return true;
}

static void
on_formation(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct subscriber *s = arg;
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);
	int64_t updated_us;

	if (!subscriber_got(s, err))
		return;
	if (PQntuples(res) > 0) {
		expanded_formation_write(&w, NULL, res, 0);
		updated_us = fl_pg_int(res, 0, EXPANDED_UPDATED_COL, 0);
		s->newest_us = updated_us > s->newest_us ? updated_us : s->newest_us;
		fl_http_sse_send(s->req, NULL, NULL, b.data);
	}
	fl_buf_release(&b);
	subscriber_pump(s);
}

static void
read_formation(struct subscriber *s, const char *key)
{
	char *app = fl_xstrndup(key, strcspn(key, ":")), *release = fl_xstrdup(key + strcspn(key, ":") + 1);

	s->busy = true;
	fl_pg_query(s->events->c->pg, "SELECT " EXPANDED_COLUMNS " FROM " EXPANDED_TABLES
				      " WHERE f.app_id = $1 AND f.release_id = $2",
	    (const char *[]){ app, release }, 2, on_formation, s);
	free(app);
	free(release);
}

static void
on_keys(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct subscriber *s = arg;

	if (!subscriber_got(s, err))
		return;
	for (int i = 0; i < PQntuples(res); i++)
		fl_map_set(s->todo, fl_pg_str(res, i, 0, ""), s);
	if (!s->started) {
		s->started = true;
		s->untold = fl_map_count(s->todo);
		fl_http_sse_start(s->req);
	}
	subscriber_pump(s);
}

/* Which formations changed since then: at first those asked for, later those that may have been missed. */
static void
list_formations(struct subscriber *s)
{
	int64_t since_us = s->newest_us > s->since_us ? s->newest_us : s->since_us;
	char text[24];

	s->busy = true;
	s->look_again = false;
	if (since_us == 0) {
		fl_pg_query(s->events->c->pg, "SELECT app_id || ':' || release_id FROM formations WHERE deleted_at IS NULL"
					      " ORDER BY updated_at DESC",
		    NULL, 0, on_keys, s);
		return;
	}
	snprintf(text, sizeof(text), "%lld", (long long)(since_us - SLACK_US));
	fl_pg_query(s->events->c->pg, "SELECT app_id || ':' || release_id FROM formations"
				      " WHERE updated_at >= 'epoch'::timestamptz + $1 * interval '1 microsecond' ORDER BY updated_at DESC",
	    (const char *[]){ text }, 1, on_keys, s);
}

/* Go on with s, unless it waits for the database or for its reader. */
static void
subscriber_pump(struct subscriber *s)
{
	struct fl_map_entry *first;
	char *key;

	if (s->busy || s->req == NULL || fl_http_stream_pending(s->req) > MAX_PENDING)
		return;
	if (s->untold == 0 && !s->told) {
		s->told = true;
		fl_http_sse_send(s->req, NULL, NULL, "{\"updated_at\":\"" ZERO_TIME "\"}");
	}
	first = fl_map_first(s->todo);
	if (first != NULL) {
		key = fl_xstrdup(fl_map_key(first));
		fl_map_remove(s->todo, key);
		if (s->untold > 0)
			s->untold--;
		read_formation(s, key);
		free(key);
	} else if (s->look_again) {
		list_formations(s);
	}
}

static void
on_drain(FL_UNUSED struct fl_http_req *req, void *arg)
{
	subscriber_pump(arg);
}

void
formation_events_stream(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	const char *since = fl_http_query(req, "since");
	struct subscriber *s;
	int64_t since_us = 0;

	if (since != NULL && *since != '\0' && strcmp(since, ZERO_TIME) != 0 && fl_clock_parse(since, &since_us) == -1) {
		answer_invalid(req, "since", "\"%.80s\" is no time: it has the form 2014-08-02T01:02:03Z", since);
		return;
	}
	s = fl_xcalloc(1, sizeof(*s));
	*s = (struct subscriber){ .events = c->formation_events, .req = req, .todo = fl_map_new(), .since_us = since_us };
	TAILQ_INSERT_TAIL(&s->events->subscribers, s, link);
	fl_http_on_close(req, on_close, s);
	fl_http_stream_on_drain(req, on_drain, s);
	list_formations(s);
}

/* payload is "app:release"; NULL: the connection is a new one. */
static void
on_notify(const char *payload, void *arg)
{
	struct formation_events *fe = arg;
	struct subscriber *s, *next;

	TAILQ_FOREACH_SAFE(s, &fe->subscribers, link, next) {
		if (payload == NULL)
			s->look_again = true;
		else if (strchr(payload, ':') != NULL)
			fl_map_set(s->todo, payload, s);
		if (s->started)
			subscriber_pump(s);
	}
}

struct formation_events *
formation_events_new(struct controller *c)
{
	struct formation_events *fe = fl_xcalloc(1, sizeof(*fe));

	fe->c = c;
	TAILQ_INIT(&fe->subscribers);
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
	struct subscriber *s, *next;

	if (fe == NULL)
		return;
	TAILQ_FOREACH_SAFE(s, &fe->subscribers, link, next)
		subscriber_free(s);
	free(fe);
}
