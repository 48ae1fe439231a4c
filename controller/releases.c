#include "controller/releases.h"

#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/body.h"
#include "controller/process_type.h"
#include "controller/query.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"

#define LIST_MAX "1000"

void
releases_write_at(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col)
{
	fl_jsonw_open(w, key, '{');
	row_id(w, "id", res, row, col);
	row_id(w, "artifact", res, row, col + 1);
	row_json(w, "env", res, row, col + 2);
	row_json(w, "processes", res, row, col + 3);
	row_time(w, "created_at", res, row, col + 4);
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

void
releases_get(struct fl_http_req *req, void *arg)
{
	char id[FL_UUID_LEN + 1];

	if (!fl_uuid_parse(fl_http_param(req, "release"), id)) {
		answer_not_found(req);
		return;
	}
	query_one(arg, req, "SELECT " RELEASE_COLUMNS("r") " FROM releases r"
			    " WHERE r.release_id = $1 AND r.deleted_at IS NULL",
	    (const char *[]){ id }, 1, releases_write);
}

static const char *
releases_explain(struct fl_http_req *req, struct fl_err *err)
{
	const char *artifact = fl_json_str(fl_json_get(fl_http_json(req, NULL), "artifact"), "");

	if (err->kind == FL_ERR_INVALID) {
		fl_err_set(err, FL_ERR_INVALID, "there is no artifact %s: post it to /artifacts first", artifact);
		return "artifact";
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

void
releases_create(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in = body_object(req, BODY_MAX_RELEASE);
	char id[FL_UUID_LEN + 1], artifact[FL_UUID_LEN + 1], *env = NULL;
	struct fl_buf processes = { 0 };
	struct fl_err err = { 0 };

	if (in == NULL || body_id(req, in, "id", id) == -1 || body_id(req, in, "artifact", artifact) == -1)
		return;
	if (*artifact == '\0') {
		answer_invalid(req, "artifact", "is missing: a release needs the id of an artifact");
	} else if (check_env(fl_json_get(in, "env"), &err) == -1) {
		answer_err(req, "env", &err);
	} else if (process_type_store(fl_json_get(in, "processes"), &processes, &err) == -1) {
		answer_err(req, "processes", &err);
	} else {
		env = body_text(fl_json_get(in, "env"), "{}");
		query_put(arg, req, "INSERT INTO releases (release_id, artifact_id, env, processes)"
				    " VALUES (coalesce($1, gen_random_uuid()), $2, $3, $4) RETURNING " RELEASE_COLUMNS("releases"),
		    (const char *[]){ *id == '\0' ? NULL : id, artifact, env, fl_buf_cstr(&processes) }, 4,
		    releases_write, releases_explain);
	}
	free(env);
	fl_buf_release(&processes);
}
