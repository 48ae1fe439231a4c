#include "controller/formations.h"

#include <stdlib.h>
#include <string.h>

#include "controller/body.h"
#include "controller/deployments.h"
#include "controller/expanded_formation.h"
#include "controller/formation_events.h"
#include "controller/path_id.h"
#include "controller/process_type.h"
#include "controller/query.h"
#include "controller/tx.h"
#include "libflynn/attr.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/pg.h"

#define WHERE_MINE " WHERE f.app_id = find_app($1) AND f.release_id = $2 AND f.deleted_at IS NULL"
#define COLUMNS "f.app_id, f.release_id, f.processes, micros(f.created_at), micros(f.updated_at)"

void
formations_write_counts(struct fl_jsonw *w, const PGresult *res, int row, int col)
{
	const char *text = fl_pg_str(res, row, col, "null");
	struct fl_json *counts = fl_json_parse(text, strlen(text), NULL);
	bool open = false;

	for (size_t i = 0; i < fl_json_len(counts); i++) {
		int64_t n = fl_json_int(fl_json_at(counts, i), 0);

		if (n == 0)
			continue;
		if (!open)
			fl_jsonw_open(w, "processes", '{');
		open = true;
		fl_jsonw_int(w, fl_json_key_at(counts, i), n);
	}
	if (open)
		fl_jsonw_close(w, '}');
	fl_json_free(counts);
}

/* counts: what a client sent, which he gets back as it is; NULL: the column's, without zeros. */
static void
write_formation(struct fl_jsonw *w, const char *key, const PGresult *res, int row, const struct fl_json *counts)
{
	fl_jsonw_open(w, key, '{');
	row_id(w, "app", res, row, 0);
	row_id(w, "release", res, row, 1);
	if (counts == NULL)
		formations_write_counts(w, res, row, 2);
	else if (fl_json_len(counts) > 0)
		fl_jsonw_value(w, "processes", counts);
	row_time(w, "created_at", res, row, 3);
	row_time(w, "updated_at", res, row, 4);
	fl_jsonw_close(w, '}');
}

static void
formations_write(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	write_formation(w, key, res, row, NULL);
}

void
formations_list(struct fl_http_req *req, void *arg)
{
	query_parts(arg, req, "SELECT " COLUMNS " FROM apps a"
			      " LEFT JOIN formations f ON f.app_id = a.app_id AND f.deleted_at IS NULL"
			      " WHERE a.app_id = find_app($1) ORDER BY f.created_at DESC",
	    (const char *[]){ fl_http_param(req, "app") }, 1, formations_write);
}

void
formations_get(struct fl_http_req *req, void *arg)
{
	char release[FL_UUID_LEN + 1];

	if (path_id(req, "release", release) == -1)
		return;
	if (fl_http_query(req, "expand") != NULL && strcmp(fl_http_query(req, "expand"), "true") == 0)
		query_one(arg, req, "SELECT " EXPANDED_COLUMNS " FROM " EXPANDED_TABLES WHERE_MINE,
		    (const char *[]){ fl_http_param(req, "app"), release }, 2, expanded_formation_write);
	else
		query_one(arg, req, "SELECT " COLUMNS " FROM formations f" WHERE_MINE,
		    (const char *[]){ fl_http_param(req, "app"), release }, 2, formations_write);
}

void
formations_list_all(struct fl_http_req *req, void *arg)
{
	const char *active = fl_http_query(req, "active");

	if (active == NULL || strcmp(active, "true") != 0) {
		formation_events_stream(req, arg);
		return;
	}
	query_all(arg, req, "SELECT " EXPANDED_COLUMNS " FROM " EXPANDED_TABLES
			    " WHERE f.deleted_at IS NULL"
			    " AND EXISTS (SELECT FROM json_each_text(f.processes) p WHERE p.value::integer > 0)"
			    " ORDER BY f.updated_at DESC",
	    NULL, 0, expanded_formation_write);
}

enum { APP, RELEASE, COUNTS };

/* Whoever deploys decides on the counts until he is done. */
static enum tx_next
refuse_deployed(struct tx *tx, const PGresult *res)
{
	return row_bool(res, 0, 3) ? tx_fail(tx, FL_ERR_CONFLICT, NULL, DEPLOYMENTS_IN_THE_WAY) : TX_GO_ON;
}

/* The lock on the app lets its deletion either see the formation or come first. */
enum tx_next
formations_may_put(struct tx *tx, const PGresult *res, const char *field)
{
	const struct fl_json *counts = fl_json_get(fl_http_json(tx->req, NULL), field);
	struct fl_json *types;

	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such app");
	if (row_is_null(res, 0, 2))
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such release");
	types = fl_json_parse(PQgetvalue(res, 0, 2), (size_t)PQgetlength(res, 0, 2), NULL);
	if (process_type_check_counts(counts, types, &tx->err) == -1)
		tx->field = field;
	else if (row_bool(res, 0, 1))
		process_type_check_protected(counts, types, &tx->err);
	fl_json_free(types);
	if (tx->err.kind != FL_ERR_NONE)
		return TX_FAIL;
	tx_set_id(tx, APP, res, 0, 0);
	return refuse_deployed(tx, res);
}

static enum tx_next
on_locked_to_put(struct tx *tx, const PGresult *res)
{
	return formations_may_put(tx, res, "processes");
}

static enum tx_next
on_put(struct tx *tx, const PGresult *res)
{
	const struct fl_json *in = fl_http_json(tx->req, NULL);
	struct fl_jsonw w = fl_jsonw(&tx->answer);

	write_formation(&w, NULL, res, 0, fl_json_get(in, "processes"));
	return TX_GO_ON;
}

static const struct tx_step put_steps[] = {
	DEPLOYMENTS_LOCK_APP,
	{ FORMATIONS_LOCK_APP, 2, { APP, RELEASE }, on_locked_to_put },
	{ "INSERT INTO formations AS f (app_id, release_id, processes) VALUES ($1, $2, $3)"
	  " ON CONFLICT (app_id, release_id) DO UPDATE"
	  " SET processes = excluded.processes, deleted_at = NULL, updated_at = clock_timestamp()"
	  " RETURNING " COLUMNS, 3, { APP, RELEASE, COUNTS }, on_put },
};

void
formations_put(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in;
	char release[FL_UUID_LEN + 1], *counts;
	struct tx *tx;

	if (body_bind(req, &in) == -1 || path_id(req, "release", release) == -1)
		return;
	counts = body_text(fl_json_get(in, "processes"), "{}");
	tx = tx_new(arg, req, put_steps, fl_nitems(put_steps));
	tx_set(tx, APP, fl_http_param(req, "app"));
	tx_set(tx, RELEASE, release);
	tx_set(tx, COUNTS, counts);
	tx_run(tx);
	free(counts);
}

static enum tx_next
on_locked_to_delete(struct tx *tx, const PGresult *res)
{
	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such app");
	if (row_bool(res, 0, 1))
		return tx_fail(tx, FL_ERR_INVALID, NULL, "the app is protected, so its formation cannot be deleted");
	tx_set_id(tx, APP, res, 0, 0);
	return refuse_deployed(tx, res);
}

static enum tx_next
on_deleted(struct tx *tx, const PGresult *res)
{
	if (strcmp(PQcmdTuples((PGresult *)res), "0") == 0)
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such formation");
	return TX_GO_ON;
}

static const struct tx_step delete_steps[] = {
	DEPLOYMENTS_LOCK_APP,
	{ FORMATIONS_LOCK_APP, 2, { APP, RELEASE }, on_locked_to_delete },
	{ "UPDATE formations SET processes = NULL, deleted_at = clock_timestamp(), updated_at = clock_timestamp()"
	  " WHERE app_id = $1 AND release_id = $2 AND deleted_at IS NULL", 2, { APP, RELEASE }, on_deleted },
};

void
formations_delete(struct fl_http_req *req, void *arg)
{
	tx_run_for_release(arg, req, delete_steps, fl_nitems(delete_steps));
}
