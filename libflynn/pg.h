/*
 * pg - PostgreSQL from the event loop: a small pool of asynchronous libpq connections.
 *
 * Values go as parameters, never into SQL text. While the server is away, queries fail with
 * UNAVAILABLE after wait_ms and connections are tried again with back-off; nothing is sent twice.
 */
#ifndef FL_PG_H
#define FL_PG_H

#include <libpq-fe.h>
#include <stddef.h>

struct event_base;
struct fl_err;
struct fl_pg;
struct fl_pg_tx;

/* res is borrowed for the call; NULL with err: kinds CONFLICT (unique), INVALID (check, foreign key, syntax of a
 * value), UNAVAILABLE, SYSTEM. */
typedef void (*fl_pg_cb)(const PGresult *res, const struct fl_err *err, void *arg);

struct fl_pg_opts {
	/* The conninfo to connect with now, asked before each try (the leader moves); freed by pg. NULL: not known yet. */
	char *(*conninfo)(void *arg);
	void *arg;
	int max_conns;	 /* default 4; one more for LISTEN */
	int wait_ms;	 /* a query may wait so long for a connection; default 5000 */
	int max_waiting; /* default 1000; beyond: UNAVAILABLE at once */
	int answer_ms;	 /* a statement may go without its answer so long, then the connection counts as lost; default 40000 */
};

struct fl_pg *fl_pg_new(struct event_base *base, const struct fl_pg_opts *opts);
void fl_pg_free(struct fl_pg *pg);

/* One statement; params are text (NULL: SQL NULL), copied. cb comes from the loop. */
void fl_pg_query(struct fl_pg *pg, const char *sql, const char *const *params, size_t n_params, fl_pg_cb cb, void *arg);

/*
 * A transaction: begin hands over a connection; queries on it run one after another; end commits or rolls back
 * and calls back with the outcome. A failed query makes the end a rollback. One statement time limit of 30 s applies.
 */
void fl_pg_begin(struct fl_pg *pg, void (*cb)(struct fl_pg_tx *tx, const struct fl_err *err, void *arg), void *arg);
void fl_pg_tx_query(struct fl_pg_tx *tx, const char *sql, const char *const *params, size_t n_params, fl_pg_cb cb, void *arg);
void fl_pg_tx_end(struct fl_pg_tx *tx, int commit, void (*cb)(const struct fl_err *err, void *arg), void *arg);

/*
 * LISTEN on channel; cb per notification. payload NULL: the connection was made anew and notifications may
 * have been missed, so look again (also called once when first connected).
 */
void fl_pg_listen(struct fl_pg *pg, const char *channel, void (*cb)(const char *payload, void *arg), void *arg);

/* Column by number as text, or def when SQL NULL. Borrowed. */
const char *fl_pg_str(const PGresult *res, int row, int col, const char *def);
long long fl_pg_int(const PGresult *res, int row, int col, long long def);

#endif
