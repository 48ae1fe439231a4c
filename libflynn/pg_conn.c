/*
 * pg_conn - one connection to Postgres: libpq's asynchronous interface driven by libevent.
 */
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/pg_internal.h"
#include "libflynn/xmalloc.h"

#define CONNECT_TIMEOUT_S 5
#define KEEPALIVE_IDLE_S 20
#define KEEPALIVE_INTERVAL_S 5
#define SETUP "SET client_encoding = 'UTF8'; SET statement_timeout = 30000"

/* What is asked again is parsed once a connection; what is asked rarely shall not take the server's memory. */
#define PREPARE_AT 3
#define MAX_STATEMENTS 256

/* A statement with parameters that this connection was asked for. */
struct statement {
	int uses; /* up to PREPARE_AT */
	bool prepared;
	char name[16];
};

enum conn_state { PG_CONNECTING, PG_IDLE, PG_BUSY, PG_LOST };

struct pg_conn {
	struct event_base *base;
	PGconn *pg;
	enum conn_state state;
	struct event *io;
	struct event *timer; /* of the connection until it is set up, then of the command */
	int answer_ms;
	bool set_up;
	struct event *deferred; /* from the loop: a send that failed; the end */
	short watched;
	struct pg_conn_ops ops;
	void *arg;
	struct fl_map *statements; /* by their text */
	struct statement *preparing; /* for the command, which comes next */
	const char *sql; /* the command, of who waits for it */
	const char *const *params;
	size_t n_params;
	PGresult *result; /* of the command, until it has ended */
	fl_pg_cb cb;
	void *cb_arg;
	bool in_event, closed;
};

static void
conn_release(struct pg_conn *c)
{
	if (c->io != NULL)
		event_free(c->io);
	event_free(c->timer);
	event_free(c->deferred);
	PQclear(c->result);
	PQfinish(c->pg);
	fl_map_free_with(c->statements, free);
	free(c);
}

/* The kind of an SQLSTATE (PostgreSQL's manual, appendix A): a whole code, or its class. */
static enum fl_err_kind
kind_of(const char *state)
{
	static const struct {
		const char *prefix;
		enum fl_err_kind kind;
	} kinds[] = {
		{ "23505", FL_ERR_CONFLICT },
		{ "23P01", FL_ERR_CONFLICT },
		{ "23", FL_ERR_INVALID },
		{ "22", FL_ERR_INVALID },
		{ "53100", FL_ERR_NO_SPACE },
		{ "53", FL_ERR_UNAVAILABLE },
		{ "40", FL_ERR_UNAVAILABLE },
		{ "57", FL_ERR_UNAVAILABLE },
		{ "08", FL_ERR_UNAVAILABLE },
		{ "25006", FL_ERR_UNAVAILABLE }, /* a standby */
	};

	for (size_t i = 0; i < fl_nitems(kinds); i++)
		if (strncmp(state, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return kinds[i].kind;
	return FL_ERR_SYSTEM;
}

/* libpq's sentence without its last line break. */
static void
conn_err(const struct pg_conn *c, struct fl_err *err)
{
	const char *text = PQerrorMessage(c->pg);
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == '\n')
		len--;
	fl_err_set(err, FL_ERR_UNAVAILABLE, "postgres: %.*s", (int)len, text);
}

static bool
result_err(const PGresult *res, struct fl_err *err)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	ExecStatusType status = PQresultStatus(res);

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY)
		return false;
	fl_err_set(err, state != NULL ? kind_of(state) : FL_ERR_UNAVAILABLE, "postgres: %s",
	    text != NULL ? text : PQresultErrorMessage(res));
	return true;
}

static void on_io(evutil_socket_t fd, short what, void *arg);

static void
watch(struct pg_conn *c, short what)
{
	int fd = PQsocket(c->pg);

	/* While it connects the socket may be a new one that has the old one's number: libpq's manual, PQconnectPoll(). */
	if (c->io != NULL && c->state != PG_CONNECTING && c->watched == what && event_get_fd(c->io) == fd)
		return;
	if (c->io != NULL)
		event_free(c->io);
	c->watched = what;
	c->io = event_new(c->base, fd, (short)(what | EV_PERSIST), on_io, c);
	event_add(c->io, NULL);
}

/* Tell whoever waits for a command's end. */
static void
command_end(struct pg_conn *c, const struct fl_err *lost)
{
	fl_pg_cb cb = c->cb;
	PGresult *res = c->result;
	struct fl_err err = { 0 };

	evtimer_del(c->timer);
	c->cb = NULL;
	c->preparing = NULL;
	c->result = NULL;
	if (lost != NULL)
		cb(NULL, lost, c->cb_arg);
	else if (res == NULL || result_err(res, &err))
		cb(NULL, &err, c->cb_arg);
	else
		cb(res, NULL, c->cb_arg);
	PQclear(res);
}

static void
lost(struct pg_conn *c, const struct fl_err *err)
{
	if (c->state == PG_LOST)
		return;
	c->state = PG_LOST;
	evtimer_del(c->timer);
	if (c->io != NULL) {
		event_free(c->io);
		c->io = NULL;
	}
	if (c->cb != NULL)
		command_end(c, err);
	if (!c->closed)
		c->ops.on_lost(err, c->arg);
}

static void
broken(struct pg_conn *c)
{
	struct fl_err err = { 0 };

	conn_err(c, &err);
	lost(c, &err);
}

static void
flush(struct pg_conn *c)
{
	int rc = PQflush(c->pg);

	if (rc == -1)
		broken(c);
	else
		watch(c, rc == 1 ? EV_READ | EV_WRITE : EV_READ);
}

static void
on_set_up(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct pg_conn *c = arg;

	if (c->state == PG_LOST || c->closed)
		return;
	c->set_up = err == NULL;
	if (err != NULL)
		lost(c, err);
	else
		c->ops.on_ready(c->arg);
}

/* What the server says beside its answers: libpq would print it on stderr. */
static void
on_notice(FL_UNUSED void *arg, const char *text)
{
	fl_log_debug("postgres says", fl_str("notice", text));
}

static void
connected(struct pg_conn *c)
{
	int fd = PQsocket(c->pg), on = 1, idle_s = KEEPALIVE_IDLE_S, interval_s = KEEPALIVE_INTERVAL_S;

	/* Refused on a Unix socket, where there is nothing to keep alive. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	PQsetnonblocking(c->pg, 1);
	PQsetNoticeProcessor(c->pg, on_notice, NULL);
	c->state = PG_IDLE;
	pg_conn_send(c, SETUP, NULL, 0, on_set_up, c);
}

static void
connect_step(struct pg_conn *c)
{
	switch (PQconnectPoll(c->pg)) {
	case PGRES_POLLING_READING:
		watch(c, EV_READ);
		break;
	case PGRES_POLLING_WRITING:
		watch(c, EV_WRITE);
		break;
	case PGRES_POLLING_OK:
		connected(c);
		break;
	case PGRES_POLLING_FAILED:
	case PGRES_POLLING_ACTIVE:
		broken(c);
		break;
	}
}

/* Of several results keep the first that failed, else the last. */
static void
keep_result(struct pg_conn *c, PGresult *res)
{
	if (c->result != NULL && result_err(c->result, NULL)) {
		PQclear(res);
		return;
	}
	PQclear(c->result);
	c->result = res;
}

/* Send what is under way; its outcome, and that of the sending, come from the loop. */
static void
sent(struct pg_conn *c, int ok)
{
	int rc = -1;

	if (ok)
		rc = PQflush(c->pg);
	if (rc == -1)
		event_active(c->deferred, EV_TIMEOUT, 1);
	else
		watch(c, rc == 1 ? EV_READ | EV_WRITE : EV_READ);
}

/* The command's statement, one time more; NULL: there are too many to keep count of. */
static struct statement *
use_statement(struct pg_conn *c)
{
	struct statement *st = fl_map_get(c->statements, c->sql);

	if (st == NULL && fl_map_count(c->statements) < MAX_STATEMENTS) {
		st = fl_xcalloc(1, sizeof(*st));
		snprintf(st->name, sizeof(st->name), "s%zu", fl_map_count(c->statements));
		fl_map_set(c->statements, c->sql, st);
	}
	if (st != NULL && st->uses < PREPARE_AT)
		st->uses++;
	return st;
}

static void
send_prepared(struct pg_conn *c, const struct statement *st)
{
	sent(c, PQsendQueryPrepared(c->pg, st->name, (int)c->n_params, c->params, NULL, NULL, 0));
}

static void
on_prepared(struct pg_conn *c)
{
	struct statement *st = c->preparing;

	st->prepared = true;
	c->preparing = NULL;
	PQclear(c->result);
	c->result = NULL;
	c->state = PG_BUSY;
	send_prepared(c, st);
}

static void
read_results(struct pg_conn *c)
{
	while (c->state == PG_BUSY && !PQisBusy(c->pg)) {
		PGresult *res = PQgetResult(c->pg);

		if (res != NULL) {
			keep_result(c, res);
		} else {
			c->state = PG_IDLE;
			if (PQstatus(c->pg) == CONNECTION_BAD)
				broken(c);
			else if (c->preparing != NULL && c->result != NULL && !result_err(c->result, NULL))
				on_prepared(c);
			else
				command_end(c, NULL);
		}
	}
}

static void
read_notifications(struct pg_conn *c)
{
	PGnotify *n;

	while (!c->closed && c->state != PG_LOST && (n = PQnotifies(c->pg)) != NULL) {
		if (c->ops.on_notify != NULL)
			c->ops.on_notify(n->relname, n->extra, c->arg);
		PQfreemem(n);
	}
}

static void
on_io(FL_UNUSED evutil_socket_t fd, short what, void *arg)
{
	struct pg_conn *c = arg;

	c->in_event = true;
	if (c->state == PG_CONNECTING) {
		connect_step(c);
	} else if ((what & EV_READ) != 0 && PQconsumeInput(c->pg) == 0) {
		broken(c);
	} else {
		if ((what & EV_WRITE) != 0)
			flush(c);
		read_results(c);
		read_notifications(c);
	}
	c->in_event = false;
	if (c->closed)
		conn_release(c);
}

static void
on_deferred(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct pg_conn *c = arg;

	c->in_event = true;
	broken(c);
	c->in_event = false;
	if (c->closed)
		conn_release(c);
}

static void
on_timeout(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct pg_conn *c = arg;
	struct fl_err err = { 0 };

	if (c->set_up)
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "postgres: no answer within %d ms", c->answer_ms);
	else
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "postgres: no connection within %d s", CONNECT_TIMEOUT_S);
	c->in_event = true;
	lost(c, &err);
	c->in_event = false;
	if (c->closed)
		conn_release(c);
}

struct pg_conn *
pg_conn_open(struct event_base *base, const char *conninfo, int answer_ms, const struct pg_conn_ops *ops, void *arg)
{
	static const struct timeval timeout = { CONNECT_TIMEOUT_S, 0 };
	struct pg_conn *c = fl_xcalloc(1, sizeof(*c));

	c->base = base;
	c->answer_ms = answer_ms;
	c->statements = fl_map_new();
	c->ops = *ops;
	c->arg = arg;
	c->timer = evtimer_new(base, on_timeout, c);
	c->deferred = event_new(base, -1, 0, on_deferred, c);
	evtimer_add(c->timer, &timeout);
	c->pg = PQconnectStart(conninfo);
	if (PQstatus(c->pg) == CONNECTION_BAD)
		event_active(c->deferred, EV_TIMEOUT, 1);
	else
		watch(c, EV_WRITE); /* as if PQconnectPoll() had said so: libpq's manual */
	return c;
}

void
pg_conn_send(struct pg_conn *c, const char *sql, const char *const *params, size_t n_params, fl_pg_cb cb, void *arg)
{
	const struct timeval wait = { c->answer_ms / 1000, c->answer_ms % 1000 * 1000 };
	struct statement *st;

	if (c->set_up)
		evtimer_add(c->timer, &wait);
	c->cb = cb;
	c->cb_arg = arg;
	c->state = PG_BUSY;
	c->sql = sql;
	c->params = params;
	c->n_params = n_params;
	if (n_params == 0) {
		sent(c, PQsendQuery(c->pg, sql));
		return;
	}
	st = use_statement(c);
	if (st != NULL && st->prepared) {
		send_prepared(c, st);
	} else if (st != NULL && st->uses == PREPARE_AT) {
		c->preparing = st;
		sent(c, PQsendPrepare(c->pg, st->name, sql, (int)n_params, NULL));
	} else {
		sent(c, PQsendQueryParams(c->pg, sql, (int)n_params, NULL, params, NULL, NULL, 0));
	}
}

bool
pg_conn_is_lost(const struct pg_conn *c)
{
	return c->state == PG_LOST;
}

void
pg_conn_close(struct pg_conn *c)
{
	if (c == NULL)
		return;
	c->closed = true;
	c->cb = NULL;
	c->state = PG_LOST;
	if (!c->in_event)
		conn_release(c);
}
