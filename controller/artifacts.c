#include "controller/artifacts.h"

#include "controller/body.h"
#include "controller/controller.h"
#include "controller/path_id.h"
#include "controller/query.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"

#define TYPE_MAX 64
#define URI_MAX 2048
#define LIST_MAX "1000"

void
artifacts_write_at(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col)
{
	fl_jsonw_open(w, key, '{');
	row_id(w, "id", res, row, col);
	row_str(w, "type", res, row, col + 1);
	row_str(w, "uri", res, row, col + 2);
	row_time(w, "created_at", res, row, col + 3);
	fl_jsonw_close(w, '}');
}

static void
artifacts_write(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	artifacts_write_at(w, key, res, row, 0);
}

/* The update changes nothing: it is how the row that was there is returned. */
const char artifacts_insert_sql[] =
    "INSERT INTO artifacts (artifact_id, type, uri) VALUES (coalesce($1, gen_random_uuid()), $2, $3)"
    " ON CONFLICT (type, uri) WHERE deleted_at IS NULL DO UPDATE SET type = excluded.type"
    " RETURNING " ARTIFACT_COLUMNS("artifacts");

/* The newest: every image and push that there ever was has one. */
void
artifacts_list(struct fl_http_req *req, void *arg)
{
	query_all(arg, req, "SELECT " ARTIFACT_COLUMNS("a") " FROM artifacts a"
			    " WHERE a.deleted_at IS NULL ORDER BY a.created_at DESC LIMIT " LIST_MAX,
	    NULL, 0, artifacts_write);
}

static const char *
artifacts_explain(FL_UNUSED struct fl_http_req *req, struct fl_err *err)
{
	if (err->kind == FL_ERR_CONFLICT)
		fl_err_set(err, FL_ERR_CONFLICT, "another artifact has this id already");
	return NULL;
}

void
artifacts_create(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in = body_object(req, BODY_MAX);
	const char *type = "", *uri = "";
	char id[FL_UUID_LEN + 1];

	if (in == NULL || body_id(req, in, "id", id) == -1 || body_str(req, in, "type", TYPE_MAX, &type) == -1 ||
	    body_str(req, in, "uri", URI_MAX, &uri) == -1)
		return;
	query_put(arg, req, artifacts_insert_sql,
	    (const char *[]){ *id == '\0' ? NULL : id, type, uri }, 3, artifacts_write, artifacts_explain);
}

void
artifacts_get(struct fl_http_req *req, void *arg)
{
	char id[FL_UUID_LEN + 1];

	if (path_id(req, "artifact", id) == -1)
		return;
	query_one(arg, req, "SELECT " ARTIFACT_COLUMNS("a") " FROM artifacts a"
			    " WHERE a.artifact_id = $1 AND a.deleted_at IS NULL",
	    (const char *[]){ id }, 1, artifacts_write);
}
