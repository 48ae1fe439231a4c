#include "controller/providers.h"

#include <string.h>

#include "controller/answer.h"
#include "controller/app_name.h"
#include "controller/body.h"
#include "controller/provision.h"
#include "controller/query.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"

#define URL_MAX 2048
#define COLUMNS "provider_id, url, name, micros(created_at), micros(updated_at)"

static void
providers_write(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	fl_jsonw_open(w, key, '{');
	row_id(w, "id", res, row, 0);
	row_str(w, "url", res, row, 1);
	row_str(w, "name", res, row, 2);
	row_time(w, "created_at", res, row, 3);
	row_time(w, "updated_at", res, row, 4);
	fl_jsonw_close(w, '}');
}

void
providers_list(struct fl_http_req *req, void *arg)
{
	query_all(arg, req, "SELECT " COLUMNS " FROM providers WHERE deleted_at IS NULL ORDER BY created_at DESC",
	    NULL, 0, providers_write);
}

void
providers_get(struct fl_http_req *req, void *arg)
{
	query_one(arg, req, "SELECT " COLUMNS " FROM providers WHERE provider_id = find_provider($1)",
	    (const char *[]){ fl_http_param(req, "provider") }, 1, providers_write);
}

static const char *
providers_explain(struct fl_http_req *req, struct fl_err *err)
{
	const struct fl_json *in = fl_http_json(req, NULL);

	if (err->kind == FL_ERR_CONFLICT)
		fl_err_set(err, FL_ERR_CONFLICT, "a provider called \"%s\", or one with the URL %s, exists already",
		    fl_json_text(in, "name"), fl_json_text(in, "url"));
	return NULL;
}

void
providers_create(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in = body_object(req, BODY_MAX);
	const char *name = "", *url = "";
	char id[FL_UUID_LEN + 1];
	struct fl_err err = { 0 };

	if (in == NULL || body_id(req, in, "id", id) == -1 || body_str(req, in, "name", APP_NAME_MAX, &name) == -1 ||
	    body_str(req, in, "url", URL_MAX, &url) == -1)
		return;
	if (*name == '\0')
		answer_invalid(req, "name", "must not be blank");
	else if (provision_check_url(url, &err) == -1)
		answer_err(req, "url", &err);
	else
		query_put(arg, req, "INSERT INTO providers (provider_id, name, url)"
				    " VALUES (coalesce($1, gen_random_uuid()), $2, $3) RETURNING " COLUMNS,
		    (const char *[]){ *id == '\0' ? NULL : id, name, url }, 3, providers_write, providers_explain);
}
