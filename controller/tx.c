#include "controller/tx.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/once.h"
#include "controller/path_id.h"
#include "controller/row.h"
#include "libflynn/http_server.h"
#include "libflynn/pg.h"
#include "libflynn/uuid.h"
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
	free(tx->own);
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

void
tx_set_id(struct tx *tx, size_t param, const PGresult *res, int row, int col)
{
	char id[FL_UUID_LEN + 1];

	row_get_id(res, row, col, id);
	tx_set(tx, param, id);
}

enum tx_next
tx_go_to(struct tx *tx, size_t step)
{
	assert(step < tx->n_steps);
	tx->at = step;
	return TX_GO_ON;
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

/* It failed, and nothing has changed. */
static void
undone(struct tx *tx)
{
	if (tx->on_fail != NULL)
		tx->on_fail(tx);
}

static void
on_end(const struct fl_err *err, void *arg)
{
	struct tx *tx = arg;

	if (tx->err.kind != FL_ERR_NONE)
		undone(tx);
	else if (err != NULL)
		tx->err = *err;
	if (tx->err.kind != FL_ERR_NONE && tx->field == NULL && tx->explain != NULL)
		tx->field = tx->explain(tx->req, &tx->err);
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

/* ---- once ---- */

static void
on_kept(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct tx *tx = arg;

	if (err != NULL)
		tx->err = *err;
	tx_end(tx);
}

/* All steps are done, or one failed, which leaves no trace. */
static void
tx_finish(struct tx *tx)
{
	const char *params[] = { tx->once, fl_buf_cstr(&tx->answer) };

	if (tx->once != NULL && tx->err.kind == FL_ERR_NONE)
		fl_pg_tx_query(tx->pg, "UPDATE answered SET answer = $2 WHERE key = $1", params, fl_nitems(params), on_kept, tx);
	else
		tx_end(tx);
}

/* The row is ours when it has no answer: another one's is seen with it, after a wait for its commit. */
static void
on_once(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct tx *tx = arg;

	if (err != NULL) {
		tx->err = *err;
	} else if (*PQgetvalue(res, 0, 0) != 't') {
		tx_fail(tx, FL_ERR_INVALID, ONCE_HEADER, ONCE_NOT_THIS);
	} else if (PQgetisnull(res, 0, 1)) {
		tx_next_step(tx);
		return;
	} else {
		tx->was_answered = true;
		fl_buf_addstr(&tx->answer, PQgetvalue(res, 0, 1));
	}
	tx_end(tx);
}

static void
tx_once(struct tx *tx)
{
	char *request = once_request(tx->req);

	fl_pg_tx_query(tx->pg, ONCE_NOTE, (const char *[]){ tx->once, request }, 2, on_once, tx);
	free(request);
}

/* ---- steps ---- */

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
		tx_finish(tx);
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
		tx->err = *err;
		undone(tx);
		answer_err(tx->req, NULL, err);
		tx_free(tx);
		return;
	}
	tx->pg = pg;
	if (tx->once != NULL)
		tx_once(tx);
	else
		tx_next_step(tx);
}

void
tx_run(struct tx *tx)
{
	if (once_key(tx->req, &tx->once) == -1)
		tx_free(tx);
	else
		fl_pg_begin(tx->c->pg, on_begun, tx);
}

void
tx_run_for_release(struct controller *c, struct fl_http_req *req, const struct tx_step *steps, size_t n_steps)
{
	char release[FL_UUID_LEN + 1];
	struct tx *tx;

	if (path_id(req, "release", release) == -1)
		return;
	tx = tx_new(c, req, steps, n_steps);
	tx_set(tx, 0, fl_http_param(req, "app"));
	tx_set(tx, 1, release);
	tx_run(tx);
}
