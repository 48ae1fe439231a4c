#include "controller/subscriber.h"

#include "controller/answer.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/pg.h"

/* Above this he has to read before he gets more. The server tells of room again once less than 64 KiB wait. */
#define MAX_PENDING ((size_t)64 << 10)

static void
subscriber_free(struct subscriber *s)
{
	TAILQ_REMOVE(s->all, s, link);
	s->ops->free(s);
}

static void
on_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct subscriber *s = arg;

	s->req = NULL;
	if (!s->busy)
		subscriber_free(s);
}

static void
on_drain(FL_UNUSED struct fl_http_req *req, void *arg)
{
	subscriber_pump(arg);
}

void
subscriber_join(struct subscriber *s, struct subscribers *all, const struct subscriber_ops *ops, struct fl_pg *pg,
    struct fl_http_req *req)
{
	s->all = all;
	s->ops = ops;
	s->pg = pg;
	s->req = req;
	TAILQ_INSERT_TAIL(all, s, link);
	fl_http_on_close(req, on_close, s);
	fl_http_stream_on_drain(req, on_drain, s);
}

/* He gives his request up, which the caller answers or ends. */
static struct fl_http_req *
subscriber_leave(struct subscriber *s)
{
	struct fl_http_req *req = s->req;

	fl_http_on_close(req, NULL, NULL);
	fl_http_stream_on_drain(req, NULL, NULL);
	subscriber_free(s);
	return req;
}

void
subscriber_not_found(struct subscriber *s)
{
	answer_not_found(subscriber_leave(s));
}

void
subscriber_end(struct subscriber *s)
{
	fl_http_stream_end(subscriber_leave(s));
}

static void
on_result(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct subscriber *s = arg;

	s->busy = false;
	if (s->req == NULL)
		subscriber_free(s);
	else if (err == NULL)
		s->on_rows(s, res);
	else if (s->started)
		subscriber_end(s);
	else
		answer_err(subscriber_leave(s), NULL, err);
}

void
subscriber_query(struct subscriber *s, const char *sql, const char *const *params, size_t n_params,
    void (*on_rows)(struct subscriber *s, const PGresult *res))
{
	s->busy = true;
	s->on_rows = on_rows;
	fl_pg_query(s->pg, sql, params, n_params, on_result, s);
}

void
subscriber_start(struct subscriber *s)
{
	s->started = true;
	fl_http_sse_start(s->req);
}

bool
subscriber_has_room(const struct subscriber *s)
{
	return fl_http_stream_pending(s->req) <= MAX_PENDING;
}

void
subscriber_pump(struct subscriber *s)
{
	if (!s->started || !s->dirty || s->busy || s->req == NULL || !subscriber_has_room(s))
		return;
	s->dirty = false;
	s->ops->look(s);
}

void
subscriber_stir(struct subscriber *s)
{
	s->dirty = true;
	subscriber_pump(s);
}

void
subscribers_stir(struct subscribers *all)
{
	struct subscriber *s, *next;

	TAILQ_FOREACH_SAFE(s, all, link, next)
		subscriber_stir(s);
}

void
subscribers_free(struct subscribers *all)
{
	struct subscriber *s, *next;

	TAILQ_FOREACH_SAFE(s, all, link, next)
		subscriber_free(s);
}
