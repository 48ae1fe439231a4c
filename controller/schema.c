#include "controller/schema.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/migrations.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/retry.h"
#include "libflynn/xmalloc.h"

/* Any number that no other program of this database takes. */
#define LOCK "SELECT pg_advisory_xact_lock(732904817)"
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 2000
/* A statement may go over every row that there is, and wait for another controller's. */
#define STATEMENT_MS "3600000"
#define ANSWER_MS 3660000

/* What every migration starts with. */
static const char *const preamble[] = {
	"SET LOCAL statement_timeout = " STATEMENT_MS,
	LOCK,
	"CREATE TABLE IF NOT EXISTS schema_migrations (id bigint PRIMARY KEY)",
	"SELECT coalesce(max(id), 0) FROM schema_migrations",
};

struct schema {
	struct fl_pg *pg;
	struct fl_pg_tx *tx;
	struct fl_retry retry;
	struct event *done; /* frees the pool outside its own callbacks */
	size_t n_preamble;  /* statements of it that are done */
	long long version;  /* of the database when we came */
	size_t at;	    /* in migrations */
	struct fl_err err;
	bool ready;
	void (*on_ready)(void *arg);
	void *arg;
};

static void schema_go_on(struct schema *s);

static void
on_ended(const struct fl_err *err, void *arg)
{
	struct schema *s = arg;

	if (s->err.kind == FL_ERR_NONE && err != NULL)
		s->err = *err;
	if (s->err.kind != FL_ERR_NONE) {
		fl_log_warn("cannot make the schema yet", fl_str("err", s->err.msg));
		fl_retry_wait(&s->retry);
		return;
	}
	event_active(s->done, EV_TIMEOUT, 1);
}

static void
on_done(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct schema *s = arg;

	fl_pg_free(s->pg);
	s->pg = NULL;
	s->ready = true;
	fl_log_info("schema is ready", fl_int("from_version", s->version),
	    fl_int("version", migrations[n_migrations - 1].version));
	s->on_ready(s->arg);
}

static void
on_statement(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct schema *s = arg;

	if (err != NULL) {
		s->err = *err;
		fl_pg_tx_end(s->tx, 0, on_ended, s);
		return;
	}
	if (s->n_preamble < fl_nitems(preamble) && ++s->n_preamble == fl_nitems(preamble))
		s->version = fl_pg_int(res, 0, 0, 0);
	schema_go_on(s);
}

static void
schema_go_on(struct schema *s)
{
	if (s->n_preamble < fl_nitems(preamble)) {
		fl_pg_tx_query(s->tx, preamble[s->n_preamble], NULL, 0, on_statement, s);
		return;
	}
	while (s->at < n_migrations && migrations[s->at].version <= s->version)
		s->at++;
	if (s->at == n_migrations) {
		fl_pg_tx_end(s->tx, 1, on_ended, s);
		return;
	}
	fl_pg_tx_query(s->tx, migrations[s->at++].sql, NULL, 0, on_statement, s);
}

static void
on_begun(struct fl_pg_tx *tx, const struct fl_err *err, void *arg)
{
	struct schema *s = arg;

	if (err != NULL) {
		fl_log_warn("cannot make the schema yet", fl_str("err", err->msg));
		fl_retry_wait(&s->retry);
		return;
	}
	s->tx = tx;
	s->n_preamble = s->at = 0;
	s->err = (struct fl_err){ 0 };
	schema_go_on(s);
}

static void
schema_try(void *arg)
{
	struct schema *s = arg;

	fl_pg_begin(s->pg, on_begun, s);
}

struct schema *
schema_start(struct event_base *base, char *(*conninfo)(void *arg), void (*on_ready)(void *arg), void *arg)
{
	struct fl_pg_opts opts = { .conninfo = conninfo, .arg = arg, .max_conns = 1, .answer_ms = ANSWER_MS };
	struct schema *s = fl_xcalloc(1, sizeof(*s));

	s->on_ready = on_ready;
	s->arg = arg;
	s->done = event_new(base, -1, 0, on_done, s);
	s->pg = fl_pg_new(base, &opts);
	fl_retry_init(&s->retry, base, RETRY_MIN_MS, RETRY_MAX_MS, schema_try, s);
	schema_try(s);
	return s;
}

bool
schema_is_ready(const struct schema *s)
{
	return s != NULL && s->ready;
}

void
schema_free(struct schema *s)
{
	if (s == NULL)
		return;
	fl_retry_release(&s->retry);
	event_free(s->done);
	fl_pg_free(s->pg);
	free(s);
}
