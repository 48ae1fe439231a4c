/*
 * pg_listen - the connection that hears notifications: made anew whenever it breaks.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/pg_internal.h"
#include "libflynn/xmalloc.h"

#define MIN_RETRY_MS 100
#define MAX_RETRY_MS 1000

struct channel {
	TAILQ_ENTRY(channel) link;
	char *name;
	bool listening;
	void (*cb)(const char *payload, void *arg);
	void *arg;
};

struct pg_listen {
	struct fl_pg *pg;
	struct pg_conn *conn;
	struct channel *asking; /* its LISTEN is under way */
	bool ready;
	struct fl_retry retry;
	TAILQ_HEAD(, channel) channels;
};

static void listen_next(struct pg_listen *l);
static void on_lost(const struct fl_err *err, void *arg);

static bool
tell(struct pg_listen *l, const struct channel *ch, const char *payload)
{
	struct fl_pg *pg = l->pg;

	pg_enter(pg);
	ch->cb(payload, ch->arg);
	return pg_leave(pg);
}

static void
on_listening(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct pg_listen *l = arg;
	struct channel *ch = l->asking;

	l->asking = NULL;
	if (err != NULL) {
		fl_log_warn("cannot listen", fl_str("channel", ch->name), fl_str("err", err->msg));
		on_lost(err, l); /* also where it stands, as one to a standby does */
		return;
	}
	ch->listening = true;
	fl_retry_reset(&l->retry); /* only now: a standby lets us in and refuses this */
	if (tell(l, ch, NULL)) /* what happened before is not known */
		listen_next(l);
}

static void
listen_next(struct pg_listen *l)
{
	struct channel *ch;
	char *sql;

	if (!l->ready || l->asking != NULL)
		return;
	TAILQ_FOREACH(ch, &l->channels, link)
		if (!ch->listening)
			break;
	if (ch == NULL)
		return;
	l->asking = ch;
	sql = fl_xasprintf("LISTEN \"%s\"", ch->name);
	pg_conn_send(l->conn, sql, NULL, 0, on_listening, l);
	free(sql);
}

static void
on_ready(void *arg)
{
	struct pg_listen *l = arg;

	l->ready = true;
	listen_next(l);
}

static void
on_lost(const struct fl_err *err, void *arg)
{
	struct pg_listen *l = arg;
	struct channel *ch;

	fl_log_debug("listening connection lost", fl_str("err", err->msg));
	pg_conn_close(l->conn);
	l->conn = NULL;
	l->ready = false;
	l->asking = NULL;
	TAILQ_FOREACH(ch, &l->channels, link)
		ch->listening = false;
	fl_retry_wait(&l->retry);
}

static void
on_notify(const char *channel, const char *payload, void *arg)
{
	struct pg_listen *l = arg;
	struct channel *ch;

	TAILQ_FOREACH(ch, &l->channels, link)
		if (strcmp(ch->name, channel) == 0 && !tell(l, ch, payload))
			return;
}

static void
try(void *arg)
{
	static const struct pg_conn_ops ops = { on_ready, on_lost, on_notify };
	struct pg_listen *l = arg;
	char *conninfo = l->pg->opts.conninfo(l->pg->opts.arg);

	if (conninfo == NULL)
		fl_retry_wait(&l->retry);
	else
		l->conn = pg_conn_open(l->pg->base, conninfo, l->pg->opts.answer_ms, &ops, l);
	free(conninfo);
}

void
pg_listen_free(struct pg_listen *l)
{
	struct channel *ch;

	if (l == NULL)
		return;
	pg_conn_close(l->conn);
	fl_retry_release(&l->retry);
	while ((ch = TAILQ_FIRST(&l->channels)) != NULL) {
		TAILQ_REMOVE(&l->channels, ch, link);
		free(ch->name);
		free(ch);
	}
	free(l);
}

void
fl_pg_listen(struct fl_pg *pg, const char *channel, void (*cb)(const char *payload, void *arg), void *arg)
{
	struct channel *ch = fl_xcalloc(1, sizeof(*ch));
	struct pg_listen *l = pg->listen;

	*ch = (struct channel){ .name = fl_xstrdup(channel), .cb = cb, .arg = arg };
	if (l == NULL) {
		l = pg->listen = fl_xcalloc(1, sizeof(*l));
		l->pg = pg;
		TAILQ_INIT(&l->channels);
		fl_retry_init(&l->retry, pg->base, MIN_RETRY_MS, MAX_RETRY_MS, try, l);
		try(l);
	}
	TAILQ_INSERT_TAIL(&l->channels, ch, link);
	listen_next(l);
}
