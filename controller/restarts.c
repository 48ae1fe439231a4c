#include "controller/restarts.h"

#include <stdlib.h>

#include "controller/body.h"
#include "controller/deployments.h"
#include "controller/host_job.h"
#include "controller/row.h"
#include "controller/tx.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/pg.h"

#define WORD_MAX 200

enum { APP, TYPE, JOB, RELEASE };

static enum tx_next
on_locked(struct tx *tx, const PGresult *res)
{
	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such app");
	if (row_is_null(res, 0, 1))
		return tx_fail(tx, FL_ERR_INVALID, NULL, "the app has no release yet, so nothing of it runs");
	if (row_bool(res, 0, 2))
		return tx_fail(tx, FL_ERR_CONFLICT, NULL, DEPLOYMENTS_IN_THE_WAY);
	tx_set_id(tx, APP, res, 0, 0);
	tx_set_id(tx, RELEASE, res, 0, 1);
	return TX_GO_ON;
}

static enum tx_next
on_marked(struct tx *tx, const PGresult *res)
{
	struct fl_jsonw w = fl_jsonw(&tx->answer);

	if (row_is_null(res, 0, 0)) {
		if (tx->params[JOB] != NULL)
			return tx_fail(tx, FL_ERR_INVALID, "job", "%s is none that can be replaced: it must run, be of the app's "
								  "release, and be one that its formation asks for", tx->params[JOB]);
		if (tx->params[TYPE] != NULL)
			return tx_fail(tx, FL_ERR_INVALID, "type", "\"%s\" has no jobs that could be replaced", tx->params[TYPE]);
		return tx_fail(tx, FL_ERR_INVALID, NULL, "the app has no jobs that could be replaced: flynn scale starts some");
	}
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "release", tx->params[RELEASE]);
	row_json(&w, "processes", res, 0, 1);
	row_json(&w, "jobs", res, 0, 0);
	fl_jsonw_close(&w, '}');
	return TX_GO_ON;
}

/* Of a type that runs on every host there are as many as there are now; of any other, as many as its formation says. */
static const struct tx_step steps[] = {
	DEPLOYMENTS_LOCK_APP,
	{ "SELECT a.app_id, a.release_id, " DEPLOYMENTS_IS_OPEN " FROM apps a WHERE a.app_id = find_app($1)"
	  " FOR NO KEY UPDATE OF a", 1, { APP }, on_locked },
	{ "WITH f AS (SELECT f.processes, r.processes AS types FROM formations f JOIN releases r USING (release_id)"
	  "  WHERE f.app_id = $1 AND f.release_id = $2 AND f.deleted_at IS NULL),"
	  " live AS (SELECT j.job_id, j.type, (f.processes ->> j.type)::integer AS wanted,"
	  "   coalesce((f.types -> j.type ->> 'omni')::boolean, false) AS omni FROM jobs j, f"
	  "  WHERE j.app_id = $1 AND j.release_id = $2 AND j.state IN ('starting', 'up')"
	  "   AND (f.processes ->> j.type)::integer > 0),"
	  " marked AS (UPDATE jobs j SET replace = true FROM live l WHERE j.job_id = l.job_id"
	  "  AND ($3::text IS NULL OR l.type = $3) AND ($4::text IS NULL OR l.job_id = $4) RETURNING j.job_id, j.type)"
	  " SELECT (SELECT json_agg(job_id) FROM marked), (SELECT json_object_agg(type, n) FROM (SELECT l.type,"
	  "   CASE WHEN bool_or(l.omni) THEN count(*) ELSE max(l.wanted) END AS n FROM live l"
	  "   WHERE l.type IN (SELECT type FROM marked) GROUP BY l.type) counts)",
	    4, { APP, RELEASE, TYPE, JOB }, on_marked },
	{ "SELECT pg_notify('formations', $1::uuid || ':' || $2::uuid)", 2, { APP, RELEASE }, NULL },
};

void
restarts_create(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in;
	const char *type = NULL, *job = NULL;
	char *id = NULL;
	struct tx *tx;

	if (body_bind(req, &in) == -1 || body_str(req, in, "type", WORD_MAX, &type) == -1 ||
	    body_str(req, in, "job", WORD_MAX, &job) == -1)
		return;
	if (job != NULL)
		id = host_job_id(job);
	tx = tx_new(arg, req, steps, fl_nitems(steps));
	tx_set(tx, APP, fl_http_param(req, "app"));
	tx_set(tx, TYPE, type);
	tx_set(tx, JOB, id);
	tx_run(tx);
	free(id);
}
