#include "controller/releases.h"

#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/app_name.h"
#include "controller/body.h"
#include "controller/deployments.h"
#include "controller/path_id.h"
#include "controller/process_type.h"
#include "controller/query.h"
#include "controller/tx.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"

#define LIST_MAX "1000"
#define ARTIFACTS_MAX 100

static void
write_members(struct fl_jsonw *w, const PGresult *res, int row, int col)
{
	row_id(w, "id", res, row, col);
	row_id(w, "artifact", res, row, col + 1);
	row_json(w, "artifacts", res, row, col + 7);
	row_id(w, "app_id", res, row, col + 5);
	row_json(w, "env", res, row, col + 2);
	row_json(w, "processes", res, row, col + 3);
	row_json(w, "meta", res, row, col + 6);
	row_time(w, "created_at", res, row, col + 4);
}

void
releases_write_at(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col)
{
	fl_jsonw_open(w, key, '{');
	write_members(w, res, row, col);
	fl_jsonw_close(w, '}');
}

static void
releases_write(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	releases_write_at(w, key, res, row, 0);
}

/* The newest: there is no end to how many a cluster makes. */
void
releases_list(struct fl_http_req *req, void *arg)
{
	query_all(arg, req, "SELECT " RELEASE_COLUMNS("r") " FROM releases r WHERE r.deleted_at IS NULL"
			    " ORDER BY r.created_at DESC LIMIT " LIST_MAX,
	    NULL, 0, releases_write);
}

/* With its number, if the app has ever had it. */
static void
write_numbered(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	fl_jsonw_open(w, key, '{');
	write_members(w, res, row, 0);
	row_int(w, "version", res, row, RELEASE_N_COLUMNS);
	fl_jsonw_close(w, '}');
}

void
releases_of_app(struct fl_http_req *req, void *arg)
{
	query_parts(arg, req, "SELECT " RELEASE_COLUMNS("r") ", r.version FROM apps a LEFT JOIN LATERAL"
			      " (SELECT r.*, l.version FROM releases r LEFT JOIN app_releases l"
			      "   ON l.release_id = r.release_id AND l.app_id = a.app_id"
			      "  WHERE r.deleted_at IS NULL AND (r.app_id = a.app_id OR l.app_id IS NOT NULL)) r ON true"
			      " WHERE a.app_id = find_app($1) ORDER BY r.created_at DESC LIMIT " LIST_MAX,
	    (const char *[]){ fl_http_param(req, "app") }, 1, write_numbered);
}

void
releases_get(struct fl_http_req *req, void *arg)
{
	char id[FL_UUID_LEN + 1];

	if (path_id(req, "release", id) == -1)
		return;
	query_one(arg, req, "SELECT " RELEASE_COLUMNS("r") " FROM releases r"
			    " WHERE r.release_id = $1 AND r.deleted_at IS NULL",
	    (const char *[]){ id }, 1, releases_write);
}

static const char *
releases_explain(struct fl_http_req *req, struct fl_err *err)
{
	const struct fl_json *in = fl_http_json(req, NULL);
	const char *artifact = fl_json_text(in, "artifact");

	if (err->kind == FL_ERR_INVALID && fl_json_len(fl_json_get(in, "artifacts")) > 0) {
		fl_err_set(err, FL_ERR_INVALID, "one of them is not there: post it to /artifacts first");
		return "artifacts";
	}
	if (err->kind == FL_ERR_INVALID) {
		fl_err_set(err, FL_ERR_INVALID, "there is no artifact %s: post it to /artifacts first", artifact);
		return NULL;
	}
	if (err->kind == FL_ERR_CONFLICT)
		fl_err_set(err, FL_ERR_CONFLICT, "another release has this id already");
	return NULL;
}

/* An environment's names go to execve(2), where "=" ends a name. */
static int
check_env(const struct fl_json *env, struct fl_err *err)
{
	if (body_check_strings(env, "env", err) == -1)
		return -1;
	for (size_t i = 0; i < fl_json_len(env); i++) {
		const char *name = fl_json_key_at(env, i);

		if (*name == '\0' || strchr(name, '=') != NULL)
			return fl_err_set(err, FL_ERR_INVALID, "\"%.80s\" is no name of an environment variable", name);
	}
	return 0;
}

/* What newer clients send: ids of artifacts, of which the first is the image, as JSON text in our form. -1: answered. */
static int
read_artifacts(struct fl_http_req *req, const struct fl_json *in, char artifact[FL_UUID_LEN + 1], struct fl_buf *out)
{
	const struct fl_json *list = fl_json_get(in, "artifacts");
	struct fl_jsonw w = fl_jsonw(out);
	struct fl_err err = { 0 };
	char id[FL_UUID_LEN + 1];

	if (body_check_words(list, "artifacts", &err) == -1) {
		answer_err(req, "artifacts", &err);
		return -1;
	}
	if (fl_json_len(list) > ARTIFACTS_MAX) {
		answer_invalid(req, "artifacts", "has %zu artifacts, and at most %d are taken", fl_json_len(list), ARTIFACTS_MAX);
		return -1;
	}
	fl_jsonw_open(&w, NULL, '[');
	for (size_t i = 0; i < fl_json_len(list); i++) {
		const char *text = fl_json_str(fl_json_at(list, i), "");

		if (!fl_uuid_parse(text, id)) {
			answer_invalid(req, "artifacts", "\"%.80s\" is no id: it has 32 hexadecimal digits", text);
			return -1;
		}
		fl_jsonw_str(&w, NULL, id);
		if (i == 0 && *artifact == '\0')
			memcpy(artifact, id, sizeof(id));
	}
	fl_jsonw_close(&w, ']');
	return 0;
}

/* A release of the request's body, checked. */
struct draft {
	char id[FL_UUID_LEN + 1], artifact[FL_UUID_LEN + 1];
	char *env, *meta;
	const char *app; /* name or id; NULL: of no app in particular */
	struct fl_buf artifacts, processes;
};

static void
draft_release(struct draft *d)
{
	free(d->env);
	free(d->meta);
	fl_buf_release(&d->artifacts);
	fl_buf_release(&d->processes);
}

/* -1: answered. */
static int
draft_read(struct fl_http_req *req, const struct fl_json *in, struct draft *d)
{
	struct fl_err err = { 0 };

	if (body_id(req, in, "id", d->id) == -1 || body_id(req, in, "artifact", d->artifact) == -1 ||
	    read_artifacts(req, in, d->artifact, &d->artifacts) == -1 ||
	    body_str(req, in, "app_id", APP_NAME_MAX, &d->app) == -1)
		return -1;
	if (*d->artifact == '\0')
		answer_invalid(req, "artifact", "is missing: a release needs the id of an artifact");
	else if (check_env(fl_json_get(in, "env"), &err) == -1)
		answer_err(req, "env", &err);
	else if (body_check_strings(fl_json_get(in, "meta"), "meta", &err) == -1)
		answer_err(req, "meta", &err);
	else if (process_type_store(fl_json_get(in, "processes"), &d->processes, &err) == -1)
		answer_err(req, "processes", &err);
	else
		return 0;
	return -1;
}

void
releases_create(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in = body_object(req, BODY_MAX_RELEASE);
	struct draft d = { 0 };

	if (in != NULL && draft_read(req, in, &d) == 0) {
		d.env = body_text(fl_json_get(in, "env"), "{}");
		d.meta = body_text(fl_json_get(in, "meta"), "{}");
		query_put(arg, req, "INSERT INTO releases (release_id, artifact_id, env, processes, app_id, meta, artifacts)"
				    " VALUES (coalesce($1, gen_random_uuid()), $2, $3, $4, find_app(nullif($5, '')), $6, $7)"
				    " RETURNING " RELEASE_COLUMNS("releases"),
		    (const char *[]){ *d.id == '\0' ? NULL : d.id, d.artifact, d.env, fl_buf_cstr(&d.processes), d.app, d.meta,
			fl_buf_cstr(&d.artifacts) }, 7,
		    releases_write, releases_explain);
	}
	draft_release(&d);
}

/* ---- its end ---- */

enum { APP, RELEASE };

static enum tx_next
on_locked(struct tx *tx, const PGresult *res)
{
	if (PQntuples(res) == 0 || row_is_null(res, 0, 1))
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "the app has no such release");
	if (row_bool(res, 0, 2))
		return tx_fail(tx, FL_ERR_INVALID, NULL, "it is the app's release now: deploy another one first");
	if (row_bool(res, 0, 3))
		return tx_fail(tx, FL_ERR_INVALID, NULL, "the release has jobs still: scale it to none first");
	if (row_bool(res, 0, 4))
		return tx_fail(tx, FL_ERR_CONFLICT, NULL, DEPLOYMENTS_IN_THE_WAY);
	tx_set_id(tx, APP, res, 0, 0);
	return TX_GO_ON;
}

/* A release that another app has is taken from this one alone. */
static const struct tx_step delete_steps[] = {
	DEPLOYMENTS_LOCK_APP,
	{ "SELECT a.app_id, r.release_id, a.release_id IS NOT DISTINCT FROM r.release_id,"
	  " EXISTS (SELECT FROM formations f WHERE f.app_id = a.app_id AND f.release_id = r.release_id"
	  "  AND f.deleted_at IS NULL AND counts(f.processes) <> '{}') OR EXISTS (SELECT FROM jobs j WHERE j.app_id = a.app_id"
	  "  AND j.release_id = r.release_id AND j.state IN ('pending', 'blocked', 'starting', 'up', 'stopping')), " DEPLOYMENTS_IS_OPEN
	  " FROM apps a LEFT JOIN releases r ON r.release_id = $2 AND r.deleted_at IS NULL AND (r.app_id = a.app_id"
	  "  OR EXISTS (SELECT FROM app_releases l WHERE l.app_id = a.app_id AND l.release_id = r.release_id))"
	  " WHERE a.app_id = find_app($1) AND a.deleted_at IS NULL FOR NO KEY UPDATE OF a", 2, { APP, RELEASE }, on_locked },
	{ "UPDATE formations SET processes = NULL, deleted_at = clock_timestamp(), updated_at = clock_timestamp()"
	  " WHERE app_id = $1 AND release_id = $2 AND deleted_at IS NULL", 2, { APP, RELEASE }, NULL },
	{ "SELECT delete_releases(ARRAY (SELECT $2::uuid WHERE NOT EXISTS"
	  " (SELECT FROM app_releases l WHERE l.release_id = $2 AND l.app_id <> $1)))", 2, { APP, RELEASE }, NULL },
	{ "WITH kept AS (UPDATE releases SET app_id = nullif(app_id, $1) WHERE release_id = $2 AND deleted_at IS NULL RETURNING release_id)"
	  " DELETE FROM app_releases WHERE app_id = $1 AND release_id IN (SELECT release_id FROM kept)", 2, { APP, RELEASE }, NULL },
	{ "SELECT tell($1, 'release_deletion', hex($2), json_build_object('release_deletion', json_build_object("
	  " 'app', hex($1), 'release', hex($2), 'remaining_apps', coalesce((SELECT json_agg(hex(l.app_id)) FROM app_releases l"
	  "  WHERE l.release_id = $2 AND l.app_id <> $1), '[]'), 'deleted_files', '[]'::json), 'error', ''))", 2, { APP, RELEASE }, NULL },
};

void
releases_delete(struct fl_http_req *req, void *arg)
{
	tx_run_for_release(arg, req, delete_steps, fl_nitems(delete_steps));
}
