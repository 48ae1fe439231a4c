/*
 * pg_tx - transactions: a connection of the pool for oneself, and queries on it one after another.
 */
#include <stdlib.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/pg_internal.h"
#include "libflynn/xmalloc.h"

void
pg_tx_free(struct fl_pg_tx *tx)
{
	struct pg_request *r;

	TAILQ_REMOVE(&tx->pg->txs, tx, link);
	if (tx->slot != NULL)
		tx->slot->tx = NULL;
	while ((r = TAILQ_FIRST(&tx->queue)) != NULL) {
		TAILQ_REMOVE(&tx->queue, r, link);
		pg_request_free(r);
	}
	free(tx);
}

/* The end's outcome: what failed first, or what became of COMMIT. */
static void
tx_ended(struct fl_pg_tx *tx, const struct fl_err *err)
{
	struct fl_err failed = tx->failed;
	void (*on_end)(const struct fl_err *, void *) = tx->on_end;
	void *arg = tx->end_arg;

	if (!tx->commit)
		err = NULL; /* without its connection it is rolled back too */
	else if (err == NULL && failed.kind != FL_ERR_NONE)
		err = &failed;
	pg_tx_free(tx);
	if (on_end != NULL)
		on_end(err, arg);
}

/* The next query, or the end once all have run. */
static void
tx_next(struct fl_pg_tx *tx)
{
	struct pg_request *r = TAILQ_FIRST(&tx->queue);
	bool commit = tx->commit && tx->failed.kind == FL_ERR_NONE;

	if (tx->slot != NULL && tx->slot->req != NULL)
		return;
	if (r != NULL) {
		TAILQ_REMOVE(&tx->queue, r, link);
	} else if (tx->ending) {
		r = pg_request_new(tx->pg, commit ? "COMMIT" : "ROLLBACK", NULL, 0, NULL, NULL);
		r->tx = tx;
		tx->ending = false;
	} else {
		return;
	}
	if (tx->slot != NULL)
		pg_slot_run(tx->slot, r);
	else
		pg_request_fail(r, &tx->failed);
}

void
pg_tx_begin(struct fl_pg_tx *tx, struct pg_slot *slot, struct pg_request *r)
{
	tx->slot = slot;
	slot->tx = tx;
	pg_slot_run(slot, r);
}

/* BEGIN has run, or could not. */
static void
tx_began(struct fl_pg_tx *tx, const struct fl_err *err)
{
	void (*on_begin)(struct fl_pg_tx *, const struct fl_err *, void *) = tx->on_begin;
	void *arg = tx->begin_arg;

	if (err != NULL) {
		pg_tx_free(tx);
		on_begin(NULL, err, arg);
	} else {
		on_begin(tx, NULL, arg);
	}
}

void
pg_tx_done(struct fl_pg_tx *tx, struct pg_request *r, const PGresult *res, const struct fl_err *err)
{
	struct fl_pg *pg = tx->pg;

	if (r->begin) {
		tx_began(tx, err);
		return;
	}
	if (r->cb == NULL) { /* COMMIT or ROLLBACK */
		tx_ended(tx, err);
		return;
	}
	if (err != NULL && tx->failed.kind == FL_ERR_NONE)
		tx->failed = *err;
	pg_enter(pg);
	r->cb(res, err, r->arg);
	if (pg_leave(pg))
		tx_next(tx);
}

void
pg_tx_lost(struct fl_pg_tx *tx, const struct fl_err *err)
{
	struct pg_request *r;

	tx->slot->tx = NULL;
	tx->slot = NULL;
	tx->failed = *err;
	while ((r = TAILQ_FIRST(&tx->queue)) != NULL) {
		TAILQ_REMOVE(&tx->queue, r, link);
		pg_request_fail(r, err);
	}
	tx_next(tx);
}

void
fl_pg_begin(struct fl_pg *pg, void (*cb)(struct fl_pg_tx *tx, const struct fl_err *err, void *arg), void *arg)
{
	struct fl_pg_tx *tx = fl_xcalloc(1, sizeof(*tx));
	struct pg_request *r = pg_request_new(pg, "BEGIN", NULL, 0, NULL, NULL);

	*tx = (struct fl_pg_tx){ .pg = pg, .on_begin = cb, .begin_arg = arg };
	TAILQ_INIT(&tx->queue);
	TAILQ_INSERT_TAIL(&pg->txs, tx, link);
	r->tx = tx;
	r->begin = true;
	pg_request_wait(r);
}

void
fl_pg_tx_query(struct fl_pg_tx *tx, const char *sql, const char *const *params, size_t n_params, fl_pg_cb cb, void *arg)
{
	struct pg_request *r = pg_request_new(tx->pg, sql, params, n_params, cb, arg);

	r->tx = tx;
	TAILQ_INSERT_TAIL(&tx->queue, r, link);
	tx_next(tx);
}

void
fl_pg_tx_end(struct fl_pg_tx *tx, int commit, void (*cb)(const struct fl_err *err, void *arg), void *arg)
{
	tx->ending = true;
	tx->commit = commit != 0;
	tx->on_end = cb;
	tx->end_arg = arg;
	tx_next(tx);
}
