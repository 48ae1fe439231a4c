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

static bool
is_there(const struct subscriber *s)
{
	return s->req != NULL || s->sink != NULL;
}

static void
on_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	subscriber_leave(arg);
}

static void
on_drain(FL_UNUSED struct fl_http_req *req, void *arg)
{
	subscriber_pump(arg);
}

static void
join(struct subscriber *s, struct subscribers *all, const struct subscriber_ops *ops, struct fl_pg *pg)
{
	s->all = all;
	s->ops = ops;
	s->pg = pg;
	TAILQ_INSERT_TAIL(all, s, link);
}

void
subscriber_join(struct subscriber *s, struct subscribers *all, const struct subscriber_ops *ops, struct fl_pg *pg,
    struct fl_http_req *req)
{
	join(s, all, ops, pg);
	s->req = req;
	fl_http_on_close(req, on_close, s);
	fl_http_stream_on_drain(req, on_drain, s);
}

void
subscriber_join_sink(struct subscriber *s, struct subscribers *all, const struct subscriber_ops *ops, struct fl_pg *pg,
    const struct subscriber_sink *sink, void *arg)
{
	join(s, all, ops, pg);
	s->sink = sink;
	s->sink_arg = arg;
}

void
subscriber_leave(struct subscriber *s)
{
	s->req = NULL;
	s->sink = NULL;
	if (!s->busy)
		subscriber_free(s);
}

/* He gives his request up, which the caller answers or ends. */
static struct fl_http_req *
detach(struct subscriber *s)
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
	answer_not_found(detach(s));
}

static void
end_sink(struct subscriber *s, const struct fl_err *err)
{
	const struct subscriber_sink *sink = s->sink;
	void *arg = s->sink_arg;

	subscriber_free(s);
	sink->end(err, arg);
}

void
subscriber_end(struct subscriber *s)
{
	if (s->sink != NULL)
		end_sink(s, NULL);
	else
		fl_http_stream_end(detach(s));
}

static void
on_result(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct subscriber *s = arg;

	s->busy = false;
	if (!is_there(s))
		subscriber_free(s);
	else if (err == NULL)
		s->on_rows(s, res);
	else if (s->sink != NULL)
		end_sink(s, err);
	else if (s->started)
		subscriber_end(s);
	else
		answer_err(detach(s), NULL, err);
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
	if (s->req != NULL)
		fl_http_sse_start(s->req);
}

void
subscriber_send(struct subscriber *s, const char *data)
{
	if (s->sink != NULL)
		s->sink->send(data, s->sink_arg);
	else
		fl_http_sse_send(s->req, NULL, NULL, data);
}

bool
subscriber_has_room(const struct subscriber *s)
{
	return s->sink != NULL ? s->sink->has_room(s->sink_arg) : fl_http_stream_pending(s->req) <= MAX_PENDING;
}

void
subscriber_pump(struct subscriber *s)
{
	if (!s->started || !s->dirty || s->busy || !is_there(s) || !subscriber_has_room(s))
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
