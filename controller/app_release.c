#include "controller/app_release.h"

#include <string.h>

#include "controller/answer.h"
#include "controller/body.h"
#include "controller/deployments.h"
#include "controller/query.h"
#include "controller/releases.h"
#include "controller/tx.h"
#include "libflynn/attr.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"

static void
write_release(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	releases_write_at(w, key, res, row, 0);
}

void
app_release_get(struct fl_http_req *req, void *arg)
{
	query_one(arg, req, "SELECT " RELEASE_COLUMNS("r") " FROM apps a JOIN releases r USING (release_id)"
			    " WHERE a.app_id = find_app($1)",
	    (const char *[]){ fl_http_param(req, "app") }, 1, write_release);
}

enum { APP, RELEASE };

static enum tx_next
on_locked(struct tx *tx, const PGresult *res)
{
	struct fl_jsonw w = fl_jsonw(&tx->answer);

	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such app");
	if (row_is_null(res, 0, 1))
		return tx_fail(tx, FL_ERR_INVALID, NULL, "there is no release %s", tx->params[RELEASE]);
	if (row_bool(res, 0, PQfnumber(res, "deployed")))
		return tx_fail(tx, FL_ERR_CONFLICT, NULL, DEPLOYMENTS_IN_THE_WAY);
	tx_set_id(tx, APP, res, 0, 0);
	releases_write_at(&w, NULL, res, 0, 1);
	return TX_GO_ON;
}

/* Nothing moved: then nothing of the old release is taken away. */
static enum tx_next
on_moved(FL_UNUSED struct tx *tx, const PGresult *res)
{
	return strcmp(PQcmdTuples((PGresult *)res), "0") == 0 ? TX_DONE : TX_GO_ON;
}

/* The new formation is told of before the old one ends, so that its jobs may be up first. */
static const struct tx_step set_steps[] = {
	DEPLOYMENTS_LOCK_APP,
	{ "SELECT a.app_id, " RELEASE_COLUMNS("r") ", " DEPLOYMENTS_IS_OPEN " AS deployed FROM apps a"
	  " LEFT JOIN releases r ON r.release_id = $2 AND r.deleted_at IS NULL"
	  " WHERE a.app_id = find_app($1) AND a.deleted_at IS NULL FOR NO KEY UPDATE OF a", 2, { APP, RELEASE }, on_locked },
	{ "UPDATE apps SET release_id = $2, updated_at = clock_timestamp() WHERE app_id = $1", 2, { APP, RELEASE }, NULL },
	{ "INSERT INTO formations (app_id, release_id, processes)"
	  " SELECT f.app_id, r.release_id,"
	  "  (SELECT coalesce(json_object_agg(p.key, p.value), '{}') FROM json_each(f.processes) p"
	  "   WHERE r.processes -> p.key IS NOT NULL)"
	  " FROM formations f, releases r"
	  " WHERE f.app_id = $1 AND f.deleted_at IS NULL AND f.release_id <> $2 AND r.release_id = $2"
	  "  AND (SELECT count(*) FROM formations o WHERE o.app_id = $1 AND o.deleted_at IS NULL) = 1"
	  " ON CONFLICT (app_id, release_id) DO UPDATE"
	  "  SET processes = excluded.processes, deleted_at = NULL, updated_at = clock_timestamp()", 2, { APP, RELEASE }, on_moved },
	{ "UPDATE formations SET processes = NULL, deleted_at = clock_timestamp(), updated_at = clock_timestamp()"
	  " WHERE app_id = $1 AND release_id <> $2 AND deleted_at IS NULL", 2, { APP, RELEASE }, NULL },
};

void
app_release_set(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in;
	char id[FL_UUID_LEN + 1];
	struct tx *tx;

	if (body_bind(req, &in) == -1 || body_id(req, in, "id", id) == -1)
		return;
	if (*id == '\0') {
		answer_invalid(req, "id", "is missing: send the release's id");
		return;
	}
	tx = tx_new(arg, req, set_steps, fl_nitems(set_steps));
	tx_set(tx, APP, fl_http_param(req, "app"));
	tx_set(tx, RELEASE, id);
	tx_run(tx);
}
