#include "controller/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/body.h"
#include "controller/controller.h"
#include "controller/host_error.h"
#include "controller/host_job.h"
#include "controller/job_events.h"
#include "controller/job_usage.h"
#include "controller/once.h"
#include "controller/query.h"
#include "controller/tx.h"
#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/http_server.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/pg.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

#define ID_MAX 200
#define TYPE_MAX 64
#define ERROR_MAX 4096
#define RESTARTS_MAX 1000000000

void
jobs_write_members(struct fl_jsonw *w, const PGresult *res, int row)
{
	row_str(w, "id", res, row, 0);
	row_id(w, "app", res, row, 1);
	row_id(w, "release", res, row, 2);
	row_str(w, "type", res, row, 3);
	row_str(w, "state", res, row, 4);
	row_json(w, "cmd", res, row, 5);
	row_json(w, "args", res, row, 5); /* its name for newer clients */
	row_int(w, "exit_status", res, row, 6);
	row_str(w, "host_error", res, row, 7);
	row_int(w, "restarts", res, row, 8);
	row_time(w, "run_at", res, row, 9);
	row_time(w, "created_at", res, row, 10);
	row_time(w, "updated_at", res, row, 11);
}

static void
jobs_write(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	fl_jsonw_open(w, key, '{');
	jobs_write_members(w, res, row);
	fl_jsonw_close(w, '}');
}

void
jobs_list(struct fl_http_req *req, void *arg)
{
	const char *expand = fl_http_query(req, "expand");

	if (fl_http_accepts(req, "text/event-stream")) {
		job_events_stream(req, arg);
		return;
	}
	if (expand != NULL && strcmp(expand, "true") == 0)
		job_usage_list(req, arg);
	else
		query_parts(arg, req, JOBS_OF_APP(""), (const char *[]){ fl_http_param(req, "app") }, 1, jobs_write);
}

void
jobs_list_live(struct fl_http_req *req, void *arg)
{
	query_all(arg, req, "SELECT " JOBS_COLUMNS " FROM jobs j JOIN apps a USING (app_id)"
			    " WHERE j.state IN " JOBS_LIVE " AND a.deleted_at IS NULL ORDER BY j.created_at DESC",
	    NULL, 0, jobs_write);
}

void
jobs_get(struct fl_http_req *req, void *arg)
{
	char *id = host_job_id(fl_http_param(req, "job"));

	query_one(arg, req, "SELECT " JOBS_COLUMNS " FROM jobs j WHERE j.job_id = $2 AND j.app_id = find_app($1)",
	    (const char *[]){ fl_http_param(req, "app"), id }, 2, jobs_write);
	free(id);
}

enum { LOCK, PUT, LATE };
enum { APP, JOB, RELEASE, HOST, TYPE, STATE, CMD, EXIT_STATUS, HOST_ERROR, RESTARTS, RUN_AT, N_PARAMS };

/* The lock on the app makes the ids of its events grow in the order of their commits. */
static enum tx_next
on_locked(struct tx *tx, const PGresult *res)
{
	char id[FL_UUID_LEN + 1];

	if (PQntuples(res) == 0 && fl_uuid_parse(tx->params[APP], id))
		return tx_go_to(tx, LATE);
	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such app");
	if (!row_is_null(res, 0, 2) && !row_bool(res, 0, 2))
		return tx_fail(tx, FL_ERR_CONFLICT, NULL, "job %s is another app's", tx->params[JOB]);
	if (row_is_null(res, 0, 1) && tx->params[RELEASE] != NULL)
		return tx_fail(tx, FL_ERR_INVALID, NULL, "there is no release %s", tx->params[RELEASE]);
	if (row_is_null(res, 0, 1))
		return tx_fail(tx, FL_ERR_INVALID, "release", "is missing");
	tx_set_id(tx, APP, res, 0, 0);
	tx_set_id(tx, RELEASE, res, 0, 1);
	return TX_GO_ON;
}

static enum tx_next
on_put(struct tx *tx, const PGresult *res)
{
	struct fl_jsonw w = fl_jsonw(&tx->answer);

	jobs_write(&w, NULL, res, 0);
	return TX_DONE;
}

static void
on_committed(struct tx *tx)
{
	if (tx->answer.len > 0)
		answer_json(tx->req, &tx->answer);
	else
		answer_not_found(tx->req);
}

/*
 * Schedulers record what they see as they begin: of a job that is as it was, nothing happened now. Of a job of an app that was
 * deleted while it was on its way to its host, only the volumes that it made there are of interest.
 */
static const struct tx_step put_steps[] = {
	[LOCK] = { "SELECT a.app_id, r.release_id, j.app_id = a.app_id FROM apps a"
	  " LEFT JOIN jobs j ON j.job_id = $2"
	  " LEFT JOIN releases r ON r.release_id = coalesce($3, j.release_id)"
	  " WHERE a.app_id = find_app($1) AND a.deleted_at IS NULL FOR NO KEY UPDATE OF a", 3, { APP, JOB, RELEASE }, on_locked },
	[PUT] = { "WITH before AS (SELECT state, exit_status, host_error FROM jobs WHERE job_id = $2),"
	  " j AS (INSERT INTO jobs (app_id, job_id, release_id, host_id, type, state, cmd, exit_status, host_error, restarts, run_at)"
	  "  VALUES ($1, $2, $3, $4, $5, $6, coalesce($7::json, '[]'), $8, $9, $10, $11)"
	  "  ON CONFLICT (job_id) DO UPDATE SET release_id = excluded.release_id, type = excluded.type,"
	  "   state = excluded.state, cmd = coalesce($7, jobs.cmd), exit_status = excluded.exit_status,"
	  "   host_error = excluded.host_error, restarts = excluded.restarts, run_at = excluded.run_at,"
	  "   updated_at = CASE WHEN (excluded.state, excluded.exit_status, excluded.host_error, excluded.restarts)"
	  "     IS NOT DISTINCT FROM (jobs.state, jobs.exit_status, jobs.host_error, jobs.restarts) THEN jobs.updated_at"
	  "    ELSE clock_timestamp() END"
	  "  RETURNING *),"
	  " e AS (INSERT INTO job_events (job_id, app_id, release_id, type, state, exit_status, host_error)"
	  "  SELECT job_id, app_id, release_id, type, state, exit_status, host_error FROM j"
	  "  WHERE j.state IS DISTINCT FROM (SELECT state FROM before)"
	  "   OR j.host_error IS DISTINCT FROM (SELECT host_error FROM before))"
	  " SELECT " JOBS_COLUMNS " FROM j", N_PARAMS,
	    { APP, JOB, RELEASE, HOST, TYPE, STATE, CMD, EXIT_STATUS, HOST_ERROR, RESTARTS, RUN_AT }, on_put },
	[LATE] = { "SELECT dispose_of_late_volumes(app_id, $2, $3, $4) FROM apps WHERE app_id = $1 AND deleted_at IS NOT NULL",
	    4, { APP, RELEASE, TYPE, HOST }, NULL },
};

static bool
is_state(const char *state)
{
	static const char *const states[] = {
		"pending", "blocked", "starting", "up", "stopping", "down", "crashed", "failed",
	};

	for (size_t i = 0; i < fl_nitems(states); i++)
		if (strcmp(states[i], state) == 0)
			return true;
	return false;
}

static void
set_int(struct tx *tx, size_t param, const struct fl_json *in, const char *key, int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	tx_set(tx, param, fl_json_is_null(fl_json_get(in, key)) ? NULL : text);
}

/* A job of the request's body, checked. */
struct put {
	char release[FL_UUID_LEN + 1];
	const char *given_id, *type, *state, *run_at;
	char *id, *host, *host_error;
	int64_t exit_status, restarts;
};

static int
put_read_id(struct fl_http_req *req, struct put *p)
{
	p->id = host_job_id(p->given_id);
	p->host = fl_job_id_host(p->id);
	if (p->host != NULL)
		return 0;
	answer_invalid(req, "id", "\"%.80s\" is no job id: it has the form HOST-ID", p->given_id);
	free(p->id);
	return -1;
}

/* -1: answered. */
static int
put_read(struct fl_http_req *req, const struct fl_json *in, struct put *p)
{
	const char *host_error = NULL; /* the job's own words may be in it: never a reason not to record its end */
	struct fl_err err = { 0 };
	int64_t run_at_us;

	*p = (struct put){ .given_id = fl_http_param(req, "job"), .type = "", .state = "" };
	if (body_id(req, in, "release", p->release) == -1 || body_str(req, in, "id", ID_MAX, &p->given_id) == -1 ||
	    body_str(req, in, "type", TYPE_MAX, &p->type) == -1 || body_str(req, in, "state", TYPE_MAX, &p->state) == -1 ||
	    (*p->state == '\0' && body_str(req, in, "State", TYPE_MAX, &p->state) == -1) || /* the first clients' */
	    body_str(req, in, "run_at", TYPE_MAX, &p->run_at) == -1)
		return -1;
	if (!is_state(p->state))
		answer_invalid(req, "state", "\"%.40s\" is no state: it is pending, blocked, starting, up, stopping, "
					     "down, crashed or failed", p->state);
	else if (p->run_at != NULL && fl_clock_parse(p->run_at, &run_at_us) == -1)
		answer_invalid(req, "run_at", "\"%.40s\" is no time", p->run_at);
	else if (fl_json_member_int(in, "exit_status", INT32_MIN, INT32_MAX, &p->exit_status, &err) == -1)
		answer_err(req, "exit_status", &err);
	else if (fl_json_member_int(in, "restarts", 0, RESTARTS_MAX, &p->restarts, &err) == -1)
		answer_err(req, "restarts", &err);
	else if (body_check_words(fl_json_get(in, "cmd"), "cmd", &err) == -1)
		answer_err(req, "cmd", &err);
	else if (fl_json_member_str(in, "host_error", &host_error, &err) == -1)
		answer_err(req, "host_error", &err);
	else if (put_read_id(req, p) == 0) {
		p->host_error = host_error_plain(host_error, ERROR_MAX);
		return 0;
	}
	return -1;
}

void
jobs_put(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in;
	struct put p;
	struct tx *tx;
	char *cmd;

	if (body_bind(req, &in) == -1 || put_read(req, in, &p) == -1)
		return;
	tx = tx_new(arg, req, put_steps, fl_nitems(put_steps));
	tx->on_commit = on_committed;
	cmd = body_text(fl_json_get(in, "cmd"), NULL);
	tx_set(tx, APP, fl_http_param(req, "app"));
	tx_set(tx, JOB, p.id);
	tx_set(tx, RELEASE, *p.release != '\0' ? p.release : NULL);
	tx_set(tx, HOST, p.host);
	tx_set(tx, TYPE, p.type);
	tx_set(tx, STATE, p.state);
	tx_set(tx, CMD, cmd);
	set_int(tx, EXIT_STATUS, in, "exit_status", p.exit_status);
	tx_set(tx, HOST_ERROR, p.host_error);
	set_int(tx, RESTARTS, in, "restarts", p.restarts);
	tx_set(tx, RUN_AT, p.run_at);
	tx_run(tx);
	free(cmd);
	free(p.id);
	free(p.host);
	free(p.host_error);
}

struct stop {
	struct controller *c;
	struct fl_http_req *req;
};

static void
on_stopped(const struct fl_err *err, void *arg)
{
	struct stop *s = arg;

	if (err != NULL)
		answer_err(s->req, NULL, err);
	else
		answer_empty(s->req);
	free(s);
}

static void
on_job_found(const struct host_job *job, void *arg)
{
	struct stop *s = arg;
	struct fl_err err = { 0 };

	if (job != NULL && job->ended) {
		fl_err_set(&err, FL_ERR_CONFLICT, "job %s has ended already", job->id);
		answer_err(s->req, NULL, &err);
	}
	if (job != NULL && !job->ended)
		fl_host_stop_job(s->c->client, job->host_addr, job->id, on_stopped, s);
	else
		free(s);
}

static void
stop_start(struct fl_http_req *req, void *arg)
{
	struct stop *s = fl_xcalloc(1, sizeof(*s));

	*s = (struct stop){ arg, req };
	host_job_find(arg, req, 0, on_job_found, s);
}

void
jobs_delete(struct fl_http_req *req, void *arg)
{
	once(arg, req, stop_start);
}
