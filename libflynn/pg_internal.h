/*
 * pg_internal - what the files of the Postgres client share.
 *
 * pg_conn.c is one asynchronous libpq connection, pg.c the pool and its queue, pg_tx.c transactions,
 * pg_listen.c the connection that listens.
 */
#ifndef FL_PG_INTERNAL_H
#define FL_PG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/err.h"
#include "libflynn/list.h"
#include "libflynn/pg.h"
#include "libflynn/retry.h"

struct event_base;
struct pg_conn;
struct pg_listen;

struct pg_conn_ops {
	void (*on_ready)(void *arg);
	/* Could not connect, or broke; a command under way has been told. Close it. Called at most once. */
	void (*on_lost)(const struct fl_err *err, void *arg);
	void (*on_notify)(const char *channel, const char *payload, void *arg); /* may be NULL */
};

/* Connect; all callbacks come from the loop. A command that has no answer for answer_ms ends the connection. */
struct pg_conn *pg_conn_open(struct event_base *base, const char *conninfo, int answer_ms, const struct pg_conn_ops *ops,
    void *arg);
/*
 * One command at a time, on a ready connection. Without parameters sql may be several statements; with some it is prepared
 * when it comes again and again. sql and params must live until cb, which comes once, from the loop.
 */
void pg_conn_send(struct pg_conn *c, const char *sql, const char *const *params, size_t n_params, fl_pg_cb cb, void *arg);
/* Whether the command that is being reported failed because the connection broke. */
bool pg_conn_is_lost(const struct pg_conn *c);
/* No callbacks any more. NULL is fine. */
void pg_conn_close(struct pg_conn *c);

/* A statement, or a wish for a connection to run a transaction on. */
struct pg_request {
	TAILQ_ENTRY(pg_request) link;
	struct fl_pg *pg;
	struct fl_pg_tx *tx; /* of a transaction: its queries, and what asks for its beginning */
	bool begin;
	char *sql;
	char **params;
	size_t n_params;
	fl_pg_cb cb;
	void *arg;
	int64_t deadline_ms;
	struct fl_err err; /* to be reported from the loop */
};
TAILQ_HEAD(pg_requests, pg_request);

/* A connection of the pool and who has it. */
struct pg_slot {
	TAILQ_ENTRY(pg_slot) link;
	struct fl_pg *pg;
	struct pg_conn *conn;
	struct pg_request *req; /* under way */
	struct fl_pg_tx *tx;	/* has it for itself */
	bool ready, broken;
};

struct fl_pg {
	struct event_base *base;
	struct fl_pg_opts opts;
	TAILQ_HEAD(, pg_slot) slots;
	size_t n_slots, n_connecting, n_waiting;
	struct pg_requests waiting; /* for a connection, oldest first */
	struct pg_requests failed;  /* their err is to be reported */
	TAILQ_HEAD(, fl_pg_tx) txs;
	struct pg_listen *listen;
	struct event *deadline, *deferred;
	struct fl_retry retry;
	bool backing_off;
	struct fl_err last; /* why there is no connection */
	int depth;	    /* of our callbacks on the stack */
	bool freed;
};

struct fl_pg_tx {
	TAILQ_ENTRY(fl_pg_tx) link;
	struct fl_pg *pg;
	struct pg_slot *slot; /* NULL: not yet, or lost */
	struct pg_requests queue;
	struct fl_err failed; /* the first failure: the end is a rollback */
	bool ending, commit;
	void (*on_begin)(struct fl_pg_tx *tx, const struct fl_err *err, void *arg);
	void *begin_arg;
	void (*on_end)(const struct fl_err *err, void *arg);
	void *end_arg;
};

/* pg.c */
/* Around every callback to the user: leave returns false when pg was freed meanwhile. */
void pg_enter(struct fl_pg *pg);
bool pg_leave(struct fl_pg *pg);
struct pg_request *pg_request_new(struct fl_pg *pg, const char *sql, const char *const *params, size_t n_params, fl_pg_cb cb, void *arg);
void pg_request_free(struct pg_request *r);
/* Queue it for a connection. */
void pg_request_wait(struct pg_request *r);
/* Report its failure from the loop. */
void pg_request_fail(struct pg_request *r, const struct fl_err *err);
/* Send it. */
void pg_slot_run(struct pg_slot *slot, struct pg_request *r);

/* pg_tx.c */
/* The transaction got its connection, or will not get one. */
void pg_tx_begin(struct fl_pg_tx *tx, struct pg_slot *slot, struct pg_request *r);
/* One of its requests is over; r is freed by the caller. */
void pg_tx_done(struct fl_pg_tx *tx, struct pg_request *r, const PGresult *res, const struct fl_err *err);
/* Its connection broke. */
void pg_tx_lost(struct fl_pg_tx *tx, const struct fl_err *err);
void pg_tx_free(struct fl_pg_tx *tx);

/* pg_listen.c */
void pg_listen_free(struct pg_listen *l);

#endif
