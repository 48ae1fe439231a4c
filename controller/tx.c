#include "controller/tx.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "libflynn/pg.h"
#include "libflynn/xmalloc.h"

static void tx_next_step(struct tx *tx);

struct tx *
tx_new(struct controller *c, struct fl_http_req *req, const struct tx_step *steps, size_t n_steps)
{
	struct tx *tx = fl_xcalloc(1, sizeof(*tx));

	tx->c = c;
	tx->req = req;
	tx->steps = steps;
	tx->n_steps = n_steps;
	return tx;
}

static void
tx_free(struct tx *tx)
{
	for (size_t i = 0; i < TX_MAX_PARAMS; i++)
		free(tx->params[i]);
	fl_buf_release(&tx->answer);
	free(tx);
}

void
tx_set(struct tx *tx, size_t param, const char *value)
{
	char *copy = fl_xstrdup_null(value);

	assert(param < TX_MAX_PARAMS);
	free(tx->params[param]);
	tx->params[param] = copy;
}

enum tx_next
tx_fail(struct tx *tx, enum fl_err_kind kind, const char *field, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(tx->err.msg, sizeof(tx->err.msg), fmt, ap);
	va_end(ap);
	tx->err.kind = kind;
	tx->field = field;
	return TX_FAIL;
}

static void
on_end(const struct fl_err *err, void *arg)
{
	struct tx *tx = arg;

	if (tx->err.kind == FL_ERR_NONE && err != NULL)
		tx->err = *err;
	if (tx->err.kind != FL_ERR_NONE)
		answer_err(tx->req, tx->field, &tx->err);
	else if (tx->on_commit != NULL)
		tx->on_commit(tx);
	else if (tx->answer.len > 0)
		answer_json(tx->req, &tx->answer);
	else
		answer_empty(tx->req);
	tx_free(tx);
}

static void
tx_end(struct tx *tx)
{
	fl_pg_tx_end(tx->pg, tx->err.kind == FL_ERR_NONE, on_end, tx);
}

static void
on_rows(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct tx *tx = arg;
	const struct tx_step *step = &tx->steps[tx->at++];
	enum tx_next next = TX_GO_ON;

	if (err != NULL) {
		tx->err = *err;
		next = TX_FAIL;
	} else if (step->on_rows != NULL) {
		next = step->on_rows(tx, res);
	}
	if (next == TX_GO_ON && tx->at < tx->n_steps)
		tx_next_step(tx);
	else
		tx_end(tx);
}

static void
tx_next_step(struct tx *tx)
{
	const struct tx_step *step = &tx->steps[tx->at];
	const char *params[TX_MAX_PARAMS];

	for (size_t i = 0; i < step->n_params; i++)
		params[i] = tx->params[step->params[i]];
	fl_pg_tx_query(tx->pg, step->sql, params, step->n_params, on_rows, tx);
}

static void
on_begun(struct fl_pg_tx *pg, const struct fl_err *err, void *arg)
{
	struct tx *tx = arg;

	if (err != NULL) {
		answer_err(tx->req, NULL, err);
		tx_free(tx);
		return;
	}
	tx->pg = pg;
	tx_next_step(tx);
}

void
tx_run(struct tx *tx)
{
	fl_pg_begin(tx->c->pg, on_begun, tx);
}
