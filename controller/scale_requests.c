#include "controller/scale_requests.h"

#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/body.h"
#include "controller/formations.h"
#include "controller/path_id.h"
#include "controller/query.h"
#include "controller/tx.h"
#include "libflynn/attr.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"

#define STATE_MAX 20
#define COLUMNS                                                                                              \
	"s.scale_request_id, s.app_id, s.release_id, s.state, s.old_processes, s.new_processes," \
	" micros(s.created_at), micros(s.updated_at)"

enum { APP, RELEASE, COUNTS, BEFORE, REQUEST };

static void
write_request(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	fl_jsonw_open(w, key, '{');
	row_id(w, "id", res, row, 0);
	row_id(w, "app", res, row, 1);
	row_id(w, "release", res, row, 2);
	row_str(w, "state", res, row, 3);
	row_json(w, "old_processes", res, row, 4);
	row_json(w, "new_processes", res, row, 5);
	row_time(w, "created_at", res, row, 6);
	row_time(w, "updated_at", res, row, 7);
	fl_jsonw_close(w, '}');
}

static enum tx_next
on_locked(struct tx *tx, const PGresult *res)
{
	return formations_may_put(tx, res, "new_processes");
}

static enum tx_next
on_before(struct tx *tx, const PGresult *res)
{
	tx_set(tx, BEFORE, PQntuples(res) > 0 && !row_is_null(res, 0, 0) ? PQgetvalue(res, 0, 0) : NULL);
	return TX_GO_ON;
}

static enum tx_next
on_inserted(struct tx *tx, const PGresult *res)
{
	tx_set_id(tx, REQUEST, res, 0, 0);
	return TX_GO_ON;
}

static enum tx_next
on_settled(struct tx *tx, const PGresult *res)
{
	struct fl_jsonw w = fl_jsonw(&tx->answer);

	write_request(&w, NULL, res, 0);
	return TX_GO_ON;
}

/* The request that is made last is not cancelled by its own change. */
static const struct tx_step put_steps[] = {
	DEPLOYMENTS_LOCK_APP,
	{ FORMATIONS_LOCK_APP, 2, { APP, RELEASE }, on_locked },
	{ "SELECT processes FROM formations WHERE app_id = $1 AND release_id = $2", 2, { APP, RELEASE }, on_before },
	{ "INSERT INTO formations (app_id, release_id, processes) VALUES ($1, $2, $3)"
	  " ON CONFLICT (app_id, release_id) DO UPDATE"
	  " SET processes = excluded.processes, deleted_at = NULL, updated_at = clock_timestamp()", 3, { APP, RELEASE, COUNTS }, NULL },
	{ "INSERT INTO scale_requests (app_id, release_id, old_processes, new_processes) VALUES ($1, $2, $3, $4)"
	  " RETURNING scale_request_id", 4, { APP, RELEASE, BEFORE, COUNTS }, on_inserted },
	{ "SELECT settle_scale_requests($1, $2)", 2, { APP, RELEASE }, NULL },
	{ "SELECT " COLUMNS " FROM scale_requests s WHERE s.scale_request_id = $1", 1, { REQUEST }, on_settled },
};

static void
end_request(struct fl_http_req *req, struct controller *c, const char *id, const char *state)
{
	if (strcmp(state, "cancelled") != 0 && strcmp(state, "complete") != 0) {
		answer_invalid(req, "state", "\"%.40s\" is no state: it is pending, cancelled or complete", state);
		return;
	}
	query_put(c, req, "UPDATE scale_requests s SET state = $3, updated_at = clock_timestamp()"
			  " WHERE s.scale_request_id = nullif($2, '')::uuid AND s.app_id = find_app($1) AND s.state = 'pending'"
			  " RETURNING " COLUMNS,
	    (const char *[]){ fl_http_param(req, "app"), id, state }, 3, write_request, NULL);
}

void
scale_requests_put(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in = body_object(req, BODY_MAX);
	char release[FL_UUID_LEN + 1], id[FL_UUID_LEN + 1], *counts;
	const char *state = "";
	struct tx *tx;

	if (in == NULL || body_id(req, in, "id", id) == -1 || body_str(req, in, "state", STATE_MAX, &state) == -1 ||
	    path_id(req, "release", release) == -1)
		return;
	if (*state != '\0' && strcmp(state, "pending") != 0) {
		end_request(req, arg, id, state);
		return;
	}
	if (fl_json_is_null(fl_json_get(in, "new_processes"))) {
		answer_invalid(req, "new_processes", "is missing: send how many jobs of each type there are to be");
		return;
	}
	counts = body_text(fl_json_get(in, "new_processes"), "{}");
	tx = tx_new(arg, req, put_steps, fl_nitems(put_steps));
	tx_set(tx, APP, fl_http_param(req, "app"));
	tx_set(tx, RELEASE, release);
	tx_set(tx, COUNTS, counts);
	tx_run(tx);
	free(counts);
}
