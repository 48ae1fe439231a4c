#include "controller/query.h"

#include <stdlib.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/tx.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/pg.h"
#include "libflynn/xmalloc.h"

enum shape { ONE, ALL, PARTS };

struct query {
	struct fl_http_req *req;
	enum shape shape;
	row_writer write;
};

static void
write_array(struct fl_jsonw *w, const PGresult *res, row_writer write)
{
	fl_jsonw_open(w, NULL, '[');
	for (int i = 0; i < PQntuples(res); i++)
		if (!row_is_null(res, i, 0))
			write(w, NULL, res, i);
	fl_jsonw_close(w, ']');
}

static void
answer_rows(struct query *q, const PGresult *res)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (PQntuples(res) == 0 && q->shape != ALL) {
		answer_not_found(q->req);
		return;
	}
	if (q->shape == ONE)
		q->write(&w, NULL, res, 0);
	else
		write_array(&w, res, q->write);
	answer_json(q->req, &b);
}

static void
on_result(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct query *q = arg;

	if (err == NULL)
		answer_rows(q, res);
	else
		answer_err(q->req, NULL, err);
	free(q);
}

static void
query_start(struct controller *c, const struct query *q, const char *sql, const char *const *params, size_t n_params)
{
	fl_pg_query(c->pg, sql, params, n_params, on_result, fl_xmemdup(q, sizeof(*q)));
}

void
query_one(struct controller *c, struct fl_http_req *req, const char *sql,
    const char *const *params, size_t n_params, row_writer write)
{
	struct query q = { .req = req, .shape = ONE, .write = write };

	query_start(c, &q, sql, params, n_params);
}

struct put {
	struct tx_step step;
	row_writer write;
};

static enum tx_next
on_put(struct tx *tx, const PGresult *res)
{
	const struct put *p = tx->own;
	struct fl_jsonw w = fl_jsonw(&tx->answer);

	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such thing");
	p->write(&w, NULL, res, 0);
	return TX_GO_ON;
}

void
query_put(struct controller *c, struct fl_http_req *req, const char *sql,
    const char *const *params, size_t n_params, row_writer write,
    const char *(*explain)(struct fl_http_req *req, struct fl_err *err))
{
	struct put *p = fl_xcalloc(1, sizeof(*p));
	struct tx *tx = tx_new(c, req, &p->step, 1);

	*p = (struct put){ { .sql = sql, .n_params = n_params, .on_rows = on_put }, write };
	tx->own = p;
	tx->explain = explain;
	for (size_t i = 0; i < n_params; i++) {
		p->step.params[i] = (unsigned)i;
		tx_set(tx, i, params[i]);
	}
	tx_run(tx);
}

void
query_all(struct controller *c, struct fl_http_req *req, const char *sql,
    const char *const *params, size_t n_params, row_writer write)
{
	struct query q = { .req = req, .shape = ALL, .write = write };

	query_start(c, &q, sql, params, n_params);
}

void
query_parts(struct controller *c, struct fl_http_req *req, const char *sql,
    const char *const *params, size_t n_params, row_writer write)
{
	struct query q = { .req = req, .shape = PARTS, .write = write };

	query_start(c, &q, sql, params, n_params);
}
