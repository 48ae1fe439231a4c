/*
 * pg - the pool: requests wait for a connection, oldest first, and no longer than wait_ms.
 */
#include "libflynn/pg.h"

#include <event2/event.h>
#include <stdlib.h>

#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/pg_internal.h"
#include "libflynn/xmalloc.h"

#define DEFAULT_CONNS 4
#define DEFAULT_WAIT_MS 5000
#define DEFAULT_WAITING 1000
#define DEFAULT_ANSWER_MS 40000 /* more than a server that is there lets a statement take */
#define MIN_RETRY_MS 100
#define MAX_RETRY_MS 1000

static void dispatch(struct fl_pg *pg);

void
pg_request_free(struct pg_request *r)
{
	for (size_t i = 0; i < r->n_params; i++)
		free(r->params[i]);
	free(r->params);
	free(r->sql);
	free(r);
}

static void
free_all(struct pg_requests *list)
{
	struct pg_request *r;

	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, link);
		pg_request_free(r);
	}
}

static void
slot_free(struct pg_slot *slot)
{
	struct fl_pg *pg = slot->pg;

	TAILQ_REMOVE(&pg->slots, slot, link);
	pg->n_slots--;
	if (!slot->ready)
		pg->n_connecting--;
	pg_conn_close(slot->conn);
	if (slot->req != NULL)
		pg_request_free(slot->req);
	free(slot);
}

static void
pg_release(struct fl_pg *pg)
{
	struct fl_pg_tx *tx, *next_tx;
	struct pg_slot *slot, *next_slot;

	pg_listen_free(pg->listen);
	TAILQ_FOREACH_SAFE(tx, &pg->txs, link, next_tx)
		pg_tx_free(tx);
	TAILQ_FOREACH_SAFE(slot, &pg->slots, link, next_slot)
		slot_free(slot);
	free_all(&pg->waiting);
	free_all(&pg->failed);
	event_free(pg->deadline);
	event_free(pg->deferred);
	fl_retry_release(&pg->retry);
	free(pg);
}

void
pg_enter(struct fl_pg *pg)
{
	pg->depth++;
}

bool
pg_leave(struct fl_pg *pg)
{
	if (--pg->depth > 0 || !pg->freed)
		return !pg->freed;
	pg_release(pg);
	return false;
}

/* A request has ended: tell its owner. Returns false when pg was freed meanwhile. */
static bool
request_end(struct pg_request *r, const PGresult *res, const struct fl_err *err)
{
	struct fl_pg *pg = r->pg;

	pg_enter(pg);
	if (r->tx != NULL)
		pg_tx_done(r->tx, r, res, err);
	else
		r->cb(res, err, r->arg);
	pg_request_free(r);
	return pg_leave(pg);
}

static void
on_deferred(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_pg *pg = arg;
	struct pg_request *r;

	while ((r = TAILQ_FIRST(&pg->failed)) != NULL) {
		TAILQ_REMOVE(&pg->failed, r, link);
		if (!request_end(r, NULL, &r->err))
			return;
	}
}

void
pg_request_fail(struct pg_request *r, const struct fl_err *err)
{
	r->err = *err;
	TAILQ_INSERT_TAIL(&r->pg->failed, r, link);
	event_active(r->pg->deferred, EV_TIMEOUT, 1);
}

static void
on_result(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct pg_slot *slot = arg;
	struct fl_pg *pg = slot->pg;
	struct pg_request *r = slot->req;

	slot->req = NULL;
	if (pg_conn_is_lost(slot->conn)) { /* on_lost() comes next; nobody may use it until then */
		slot->broken = true;
		if (slot->tx != NULL)
			pg_tx_lost(slot->tx, err);
	}
	if (request_end(r, res, err))
		dispatch(pg);
}

void
pg_slot_run(struct pg_slot *slot, struct pg_request *r)
{
	slot->req = r;
	pg_conn_send(slot->conn, r->sql, (const char *const *)r->params, r->n_params, on_result, slot);
}

static void
on_ready(void *arg)
{
	struct pg_slot *slot = arg;
	struct fl_pg *pg = slot->pg;

	slot->ready = true;
	pg->n_connecting--;
	if (pg->last.kind != FL_ERR_NONE)
		fl_log_info("postgres is there");
	pg->last = (struct fl_err){ 0 };
	pg->backing_off = false;
	fl_retry_reset(&pg->retry);
	dispatch(pg);
}

static void
back_off(struct fl_pg *pg, const struct fl_err *err)
{
	if (pg->last.kind == FL_ERR_NONE)
		fl_log_warn("postgres is away", fl_str("err", err->msg));
	pg->last = *err;
	if (pg->backing_off)
		return;
	pg->backing_off = true;
	fl_retry_wait(&pg->retry);
}

static void
on_lost(const struct fl_err *err, void *arg)
{
	struct pg_slot *slot = arg;
	struct fl_pg *pg = slot->pg;

	if (slot->tx != NULL)
		pg_tx_lost(slot->tx, err);
	if (!slot->ready)
		back_off(pg, err);
	slot_free(slot);
	dispatch(pg);
}

static void
open_slot(struct fl_pg *pg)
{
	static const struct pg_conn_ops ops = { on_ready, on_lost, NULL };
	struct pg_slot *slot;
	struct fl_err err = { 0 };
	char *conninfo = pg->opts.conninfo(pg->opts.arg);

	if (conninfo == NULL) {
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "the address of postgres is not known yet");
		back_off(pg, &err);
		return;
	}
	slot = fl_xcalloc(1, sizeof(*slot));
	slot->pg = pg;
	slot->conn = pg_conn_open(pg->base, conninfo, pg->opts.answer_ms, &ops, slot);
	TAILQ_INSERT_TAIL(&pg->slots, slot, link);
	pg->n_slots++;
	pg->n_connecting++;
	free(conninfo);
}

static struct pg_slot *
idle_slot(struct fl_pg *pg)
{
	struct pg_slot *slot;

	TAILQ_FOREACH(slot, &pg->slots, link)
		if (slot->ready && !slot->broken && slot->req == NULL && slot->tx == NULL)
			return slot;
	return NULL;
}

static struct pg_request *
take_waiting(struct fl_pg *pg)
{
	struct pg_request *r = TAILQ_FIRST(&pg->waiting);

	TAILQ_REMOVE(&pg->waiting, r, link);
	pg->n_waiting--;
	return r;
}

/* One timer for all: the oldest of those that wait runs out first. */
static void
set_deadline(struct fl_pg *pg)
{
	const struct pg_request *first = TAILQ_FIRST(&pg->waiting);
	int64_t left_ms = first != NULL ? first->deadline_ms - fl_clock_ms() : 0;
	struct timeval tv = { 0 };

	if (first == NULL) {
		evtimer_del(pg->deadline);
		return;
	}
	if (left_ms > 0)
		tv = (struct timeval){ left_ms / 1000, left_ms % 1000 * 1000 };
	evtimer_add(pg->deadline, &tv);
}

/* Give connections to those that wait. */
static void
dispatch(struct fl_pg *pg)
{
	struct pg_slot *slot;

	if (pg->freed)
		return;
	while (pg->n_waiting > 0 && (slot = idle_slot(pg)) != NULL) {
		struct pg_request *r = take_waiting(pg);

		if (r->begin)
			pg_tx_begin(r->tx, slot, r);
		else
			pg_slot_run(slot, r);
	}
	while (!pg->backing_off && pg->n_slots < (size_t)pg->opts.max_conns && pg->n_connecting < pg->n_waiting)
		open_slot(pg);
	set_deadline(pg);
}

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_pg *pg = arg;
	int64_t now_ms = fl_clock_ms();
	struct fl_err err = { 0 };

	if (pg->last.kind != FL_ERR_NONE)
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "waited %d ms for a database connection: %s", pg->opts.wait_ms, pg->last.msg);
	else
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "waited %d ms for a database connection: all are busy", pg->opts.wait_ms);
	while (pg->n_waiting > 0 && TAILQ_FIRST(&pg->waiting)->deadline_ms <= now_ms)
		pg_request_fail(take_waiting(pg), &err);
	set_deadline(pg);
}

static void
on_retry(void *arg)
{
	struct fl_pg *pg = arg;

	pg->backing_off = false;
	dispatch(pg);
}

struct fl_pg *
fl_pg_new(struct event_base *base, const struct fl_pg_opts *opts)
{
	struct fl_pg *pg = fl_xcalloc(1, sizeof(*pg));

	pg->base = base;
	pg->opts = *opts;
	if (pg->opts.max_conns <= 0)
		pg->opts.max_conns = DEFAULT_CONNS;
	if (pg->opts.wait_ms <= 0)
		pg->opts.wait_ms = DEFAULT_WAIT_MS;
	if (pg->opts.max_waiting <= 0)
		pg->opts.max_waiting = DEFAULT_WAITING;
	if (pg->opts.answer_ms <= 0)
		pg->opts.answer_ms = DEFAULT_ANSWER_MS;
	TAILQ_INIT(&pg->slots);
	TAILQ_INIT(&pg->waiting);
	TAILQ_INIT(&pg->failed);
	TAILQ_INIT(&pg->txs);
	pg->deadline = evtimer_new(base, on_deadline, pg);
	pg->deferred = event_new(base, -1, 0, on_deferred, pg);
	fl_retry_init(&pg->retry, base, MIN_RETRY_MS, MAX_RETRY_MS, on_retry, pg);
	return pg;
}

void
fl_pg_free(struct fl_pg *pg)
{
	if (pg == NULL)
		return;
	pg->freed = true;
	if (pg->depth == 0)
		pg_release(pg);
}

struct pg_request *
pg_request_new(struct fl_pg *pg, const char *sql, const char *const *params, size_t n_params, fl_pg_cb cb, void *arg)
{
	struct pg_request *r = fl_xcalloc(1, sizeof(*r));

	*r = (struct pg_request){ .pg = pg, .sql = fl_xstrdup(sql), .n_params = n_params, .cb = cb, .arg = arg };
	if (n_params > 0)
		r->params = fl_xcalloc(n_params, sizeof(char *));
	for (size_t i = 0; i < n_params; i++)
		r->params[i] = fl_xstrdup_null(params[i]);
	return r;
}

void
pg_request_wait(struct pg_request *r)
{
	struct fl_pg *pg = r->pg;
	struct fl_err err = { 0 };

	if (pg->n_waiting >= (size_t)pg->opts.max_waiting) {
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "%zu queries wait for the database already", pg->n_waiting);
		pg_request_fail(r, &err);
		return;
	}
	r->deadline_ms = fl_clock_ms() + pg->opts.wait_ms;
	TAILQ_INSERT_TAIL(&pg->waiting, r, link);
	pg->n_waiting++;
	dispatch(pg);
}

void
fl_pg_query(struct fl_pg *pg, const char *sql, const char *const *params, size_t n_params, fl_pg_cb cb, void *arg)
{
	pg_request_wait(pg_request_new(pg, sql, params, n_params, cb, arg));
}

const char *
fl_pg_str(const PGresult *res, int row, int col, const char *def)
{
	return PQgetisnull(res, row, col) ? def : PQgetvalue(res, row, col);
}

long long
fl_pg_int(const PGresult *res, int row, int col, long long def)
{
	return PQgetisnull(res, row, col) ? def : strtoll(PQgetvalue(res, row, col), NULL, 10);
}
