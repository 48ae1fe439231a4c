/*
 * tx - requests that take several SQL statements, all or none: a table of steps.
 *
 * A request that has an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) is carried out once: its answer is
 * kept with what it changed, for a day, and whoever sends it again is given that answer.
 */
#ifndef CONTROLLER_TX_H
#define CONTROLLER_TX_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"

#define TX_MAX_PARAMS 12

struct controller;
struct fl_http_req;
struct fl_pg_tx;
struct tx;

enum tx_next {
	TX_FAIL = -1, /* roll back and answer tx->err */
	TX_GO_ON = 0,
	TX_DONE = 1, /* leave out the steps that follow and commit */
};

struct tx_step {
	const char *sql;
	size_t n_params;
	unsigned params[TX_MAX_PARAMS]; /* $1, $2, ... are these of tx->params */
	/* Looks at the rows, may change parameters of later steps and write the answer. NULL: go on. */
	enum tx_next (*on_rows)(struct tx *tx, const PGresult *res);
};

struct tx {
	struct controller *c;
	struct fl_http_req *req;
	const struct tx_step *steps;
	size_t n_steps, at;
	char *params[TX_MAX_PARAMS]; /* NULL: SQL NULL */
	struct fl_buf answer;	     /* sent after the commit; empty: an empty 200 */
	struct fl_err err;	     /* why it failed */
	const char *field;	     /* what was wrong, when err is INVALID; static text */
	struct fl_pg_tx *pg;
	const char *once;  /* the request's Idempotency-Key; NULL: none */
	bool was_answered; /* before: nothing was done now */
	void *own;	   /* freed with it */
	/* Makes a sentence of an error, given the request, and returns the field that was wrong, or NULL. */
	const char *(*explain)(struct fl_http_req *req, struct fl_err *err);
	/* Called instead of sending the answer, which is still in tx->answer; tx is freed after it. */
	void (*on_commit)(struct tx *tx);
	/* Called before the answer when nothing has changed, for tx->err; not when nobody knows whether it was committed. */
	void (*on_fail)(struct tx *tx);
};

/* steps must outlive it. */
struct tx *tx_new(struct controller *c, struct fl_http_req *req, const struct tx_step *steps, size_t n_steps);
/* Copies value; NULL is SQL NULL. */
void tx_set(struct tx *tx, size_t param, const char *value);
/* The same with the uuid in a column of a row. */
void tx_set_id(struct tx *tx, size_t param, const PGresult *res, int row, int col);
/* Runs the steps and answers; tx is freed by it. */
void tx_run(struct tx *tx);
/* The same at once, with the request's :app and :release as the first two parameters; what is no id is not found. */
void tx_run_for_release(struct controller *c, struct fl_http_req *req, const struct tx_step *steps, size_t n_steps);
/* For on_rows: the next step is this one of the table. */
enum tx_next tx_go_to(struct tx *tx, size_t step);
/* For on_rows: fail with a sentence. */
enum tx_next tx_fail(struct tx *tx, enum fl_err_kind kind, const char *field, const char *fmt, ...) FL_PRINTF(4, 5);

#endif
