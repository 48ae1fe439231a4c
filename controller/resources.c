#include "controller/resources.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/body.h"
#include "controller/controller.h"
#include "controller/once.h"
#include "controller/path_id.h"
#include "controller/provision.h"
#include "controller/query.h"
#include "controller/tx.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/xmalloc.h"

#define EXTERNAL_ID_MAX 1024
#define APPS_MAX 100

#define COLUMNS                                                                                       \
	"r.resource_id, r.provider_id, r.external_id, r.env,"                                         \
	" (SELECT json_agg(replace(ar.app_id::text, '-', '')) FROM app_resources ar"                  \
	"  WHERE ar.resource_id = r.resource_id AND ar.deleted_at IS NULL), micros(r.created_at)"

static void
resources_write(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	fl_jsonw_open(w, key, '{');
	row_id(w, "id", res, row, 0);
	row_id(w, "provider_id", res, row, 1);
	row_id(w, "provider", res, row, 1); /* its name from 2015 on */
	row_str(w, "external_id", res, row, 2);
	row_json(w, "env", res, row, 3);
	row_json(w, "apps", res, row, 4);
	row_time(w, "created_at", res, row, 5);
	fl_jsonw_close(w, '}');
}

void
resources_list(struct fl_http_req *req, void *arg)
{
	query_parts(arg, req, "SELECT " COLUMNS " FROM providers p"
			      " LEFT JOIN resources r ON r.provider_id = p.provider_id AND r.deleted_at IS NULL"
			      " WHERE p.provider_id = find_provider($1) ORDER BY r.created_at DESC",
	    (const char *[]){ fl_http_param(req, "provider") }, 1, resources_write);
}

void
resources_list_all(struct fl_http_req *req, void *arg)
{
	query_all(arg, req, "SELECT " COLUMNS " FROM resources r WHERE r.deleted_at IS NULL ORDER BY r.created_at DESC",
	    NULL, 0, resources_write);
}

void
resources_of_app(struct fl_http_req *req, void *arg)
{
	query_parts(arg, req, "SELECT " COLUMNS " FROM apps a"
			      " LEFT JOIN app_resources l ON l.app_id = a.app_id AND l.deleted_at IS NULL"
			      " LEFT JOIN resources r ON r.resource_id = l.resource_id AND r.deleted_at IS NULL"
			      " WHERE a.app_id = find_app($1) ORDER BY r.created_at DESC",
	    (const char *[]){ fl_http_param(req, "app") }, 1, resources_write);
}

void
resources_get(struct fl_http_req *req, void *arg)
{
	char id[FL_UUID_LEN + 1];

	if (path_id(req, "resource", id) == -1)
		return;
	query_one(arg, req, "SELECT " COLUMNS " FROM resources r"
			    " WHERE r.resource_id = $2 AND r.provider_id = find_provider($1) AND r.deleted_at IS NULL",
	    (const char *[]){ fl_http_param(req, "provider"), id }, 2, resources_write);
}

enum { PROVIDER, APPS, ID, EXTERNAL_ID, ENV };

static enum tx_next
on_known(struct tx *tx, const PGresult *res)
{
	if (PQntuples(res) == 0 || row_is_null(res, 0, 0))
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such provider");
	if (!row_is_null(res, 0, 1))
		return tx_fail(tx, FL_ERR_INVALID, NULL, "there is no app \"%.120s\"", fl_pg_str(res, 0, 1, ""));
	return TX_GO_ON;
}

static enum tx_next
on_inserted(struct tx *tx, const PGresult *res)
{
	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_CONFLICT, NULL, "the provider has this resource already");
	tx_set_id(tx, ID, res, 0, 0);
	return TX_GO_ON;
}

static enum tx_next
on_recorded(struct tx *tx, const PGresult *res)
{
	struct fl_jsonw w = fl_jsonw(&tx->answer);

	resources_write(&w, NULL, res, 0);
	return TX_GO_ON;
}

/* $2 is a JSON array of names and ids of apps. */
#define CHECK_REFS                                                                             \
	"SELECT find_provider($1), (SELECT ref FROM json_array_elements_text($2::json) AS named(ref)" \
	" WHERE find_app(ref) IS NULL LIMIT 1)"

static const struct tx_step record_steps[] = {
	{ CHECK_REFS, 2, { PROVIDER, APPS }, on_known },
	{ "INSERT INTO resources (provider_id, resource_id, external_id, env)"
	  " VALUES (find_provider($1), coalesce($2, gen_random_uuid()), $3, $4)"
	  " ON CONFLICT DO NOTHING RETURNING resource_id", 4, { PROVIDER, ID, EXTERNAL_ID, ENV }, on_inserted },
	{ "INSERT INTO app_resources (app_id, resource_id)"
	  " SELECT DISTINCT find_app(ref), $1::uuid FROM json_array_elements_text($2::json) AS named(ref)",
	    2, { ID, APPS }, NULL },
	{ "SELECT " COLUMNS " FROM resources r WHERE r.resource_id = $1", 1, { ID }, on_recorded },
};

/* The apps of a body as text; NULL: answered. The caller frees. */
static char *
read_apps(struct fl_http_req *req, const struct fl_json *in)
{
	const struct fl_json *apps = fl_json_get(in, "apps");
	struct fl_err err = { 0 };

	if (fl_json_len(apps) > APPS_MAX)
		fl_err_set(&err, FL_ERR_INVALID, "has %zu apps, and at most %d are taken", fl_json_len(apps), APPS_MAX);
	else if (body_check_words(apps, "apps", &err) == 0)
		return body_text(apps, "[]");
	answer_err(req, "apps", &err);
	return NULL;
}

void
resources_put(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in;
	const char *external_id = "";
	char id[FL_UUID_LEN + 1], *apps, *env;
	struct fl_err err = { 0 };
	struct tx *tx;

	if (body_bind(req, &in) == -1 || body_str(req, in, "external_id", EXTERNAL_ID_MAX, &external_id) == -1 ||
	    path_id(req, "resource", id) == -1)
		return;
	if (body_check_strings(fl_json_get(in, "env"), "env", &err) == -1) {
		answer_err(req, "env", &err);
		return;
	}
	if ((apps = read_apps(req, in)) == NULL)
		return;
	env = body_text(fl_json_get(in, "env"), "{}");
	tx = tx_new(arg, req, record_steps, fl_nitems(record_steps));
	tx_set(tx, PROVIDER, fl_http_param(req, "provider"));
	tx_set(tx, APPS, apps);
	tx_set(tx, ID, id);
	tx_set(tx, EXTERNAL_ID, *external_id != '\0' ? external_id : id);
	tx_set(tx, ENV, env);
	tx_run(tx);
	free(apps);
	free(env);
}

struct create {
	struct controller *c;
	struct fl_http_req *req;
	char *apps, *config;
	char *url; /* the provider's */
};

static void
create_free(struct create *cr)
{
	free(cr->apps);
	free(cr->config);
	free(cr->url);
	free(cr);
}

static void
on_spare_taken_back(FL_UNUSED const struct fl_json *none, const struct fl_err *err, FL_UNUSED void *arg)
{
	if (err != NULL)
		fl_log_warn("a resource that nobody needs is left at its provider", fl_str("err", err->msg));
}

static void
take_back_spare(struct tx *tx)
{
	provision_take_back(tx->c, tx->own, tx->params[EXTERNAL_ID], on_spare_taken_back, NULL);
}

/* The same request came twice at a time: what was made for the second is not needed. */
static void
on_create_committed(struct tx *tx)
{
	if (tx->was_answered)
		take_back_spare(tx);
	answer_json(tx->req, &tx->answer);
}

/* Its app is gone meanwhile, or the database: nobody would ever know of what was made. One that is known already is another's. */
static void
on_create_failed(struct tx *tx)
{
	if (tx->err.kind != FL_ERR_CONFLICT)
		take_back_spare(tx);
}

static void
on_provisioned(const struct fl_json *resource, const struct fl_err *err, void *arg)
{
	struct create *cr = arg;
	struct tx *tx;
	char *env;

	if (err != NULL) {
		answer_err(cr->req, "config", err);
		create_free(cr);
		return;
	}
	env = body_text(fl_json_get(resource, "env"), "{}");
	fl_log_info("resource made", fl_str("provider", fl_http_param(cr->req, "provider")),
	    fl_str("resource", fl_json_text(resource, "id")));
	tx = tx_new(cr->c, cr->req, record_steps, fl_nitems(record_steps));
	tx_set(tx, PROVIDER, fl_http_param(cr->req, "provider"));
	tx_set(tx, APPS, cr->apps);
	tx_set(tx, EXTERNAL_ID, fl_json_text(resource, "id"));
	tx_set(tx, ENV, env);
	tx->own = cr->url;
	cr->url = NULL;
	tx->on_commit = on_create_committed;
	tx->on_fail = on_create_failed;
	tx_run(tx);
	free(env);
	create_free(cr);
}

/* Only when all that it is for is there: nobody takes back what a provider made for nothing. */
static void
on_refs_checked(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct create *cr = arg;

	if (err != NULL) {
		answer_err(cr->req, NULL, err);
	} else if (row_is_null(res, 0, 0)) {
		answer_not_found(cr->req);
	} else if (!row_is_null(res, 0, 1)) {
		answer_invalid(cr->req, NULL, "there is no app \"%.120s\"", fl_pg_str(res, 0, 1, ""));
	} else {
		cr->url = fl_xstrdup(fl_pg_str(res, 0, 2, ""));
		provision(cr->c, cr->url, cr->config, on_provisioned, cr);
		return;
	}
	create_free(cr);
}

static void
create_start(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	const struct fl_json *in;
	struct create *cr;
	char *apps;

	if (body_bind(req, &in) == -1 || (apps = read_apps(req, in)) == NULL)
		return;
	cr = fl_xcalloc(1, sizeof(*cr));
	*cr = (struct create){ .c = c, .req = req, .apps = apps, .config = body_text(fl_json_get(in, "config"), "{}") };
	fl_pg_query(c->pg, CHECK_REFS ", (SELECT url FROM providers WHERE provider_id = find_provider($1))",
	    (const char *[]){ fl_http_param(req, "provider"), cr->apps }, 2, on_refs_checked, cr);
}

void
resources_create(struct fl_http_req *req, void *arg)
{
	once(arg, req, create_start);
}

/* ---- its end ---- */

static enum tx_next
on_removed(struct tx *tx, const PGresult *res)
{
	struct fl_jsonw w = fl_jsonw(&tx->answer);

	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such resource");
	resources_write(&w, NULL, res, 0);
	return TX_GO_ON;
}

static const struct tx_step remove_steps[] = {
	{ "SELECT " COLUMNS " FROM resources r WHERE r.resource_id = $1 AND r.deleted_at IS NULL FOR UPDATE", 1, { ID }, on_removed },
	{ "UPDATE resources SET deleted_at = clock_timestamp() WHERE resource_id = $1", 1, { ID }, NULL },
	{ "UPDATE app_resources SET deleted_at = clock_timestamp() WHERE resource_id = $1 AND deleted_at IS NULL", 1, { ID }, NULL },
};

struct removal {
	struct controller *c;
	struct fl_http_req *req;
	char id[FL_UUID_LEN + 1];
};

static void
on_taken_back(FL_UNUSED const struct fl_json *none, const struct fl_err *err, void *arg)
{
	struct removal *r = arg;
	struct tx *tx;

	if (err != NULL) {
		answer_err(r->req, NULL, err);
	} else {
		fl_log_info("resource given back", fl_str("resource", r->id));
		tx = tx_new(r->c, r->req, remove_steps, fl_nitems(remove_steps));
		tx_set(tx, ID, r->id);
		tx_run(tx);
	}
	free(r);
}

static void
on_found(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct removal *r = arg;

	if (err != NULL) {
		answer_err(r->req, NULL, err);
	} else if (PQntuples(res) == 0) {
		answer_not_found(r->req);
	} else {
		provision_take_back(r->c, fl_pg_str(res, 0, 1, ""), fl_pg_str(res, 0, 0, ""), on_taken_back, r);
		return;
	}
	free(r);
}

/* First the provider, then the record: one that is asked for again has then been given back once. */
static void
removal_start(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	struct removal *r;
	char id[FL_UUID_LEN + 1];

	if (path_id(req, "resource", id) == -1)
		return;
	r = fl_xcalloc(1, sizeof(*r));
	r->c = c;
	r->req = req;
	memcpy(r->id, id, sizeof(id));
	fl_pg_query(c->pg, "SELECT r.external_id, p.url FROM resources r JOIN providers p USING (provider_id)"
			   " WHERE r.resource_id = $2 AND r.provider_id = find_provider($1) AND r.deleted_at IS NULL",
	    (const char *[]){ fl_http_param(req, "provider"), r->id }, 2, on_found, r);
}

void
resources_delete(struct fl_http_req *req, void *arg)
{
	once(arg, req, removal_start);
}

/* ---- its apps ---- */

static enum tx_next
on_link_locked(struct tx *tx, const PGresult *res)
{
	if (PQntuples(res) == 0 || row_is_null(res, 0, 0))
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such app or resource");
	tx_set_id(tx, APPS, res, 0, 0);
	return TX_GO_ON;
}

#define LOCK_LINK                                                                                              \
	"SELECT find_app($2) FROM resources r WHERE r.resource_id = $3 AND r.provider_id = find_provider($1)" \
	" AND r.deleted_at IS NULL FOR UPDATE"

static const struct tx_step link_steps[] = {
	{ LOCK_LINK, 3, { PROVIDER, APPS, ID }, on_link_locked },
	{ "INSERT INTO app_resources (app_id, resource_id) VALUES ($1, $2)"
	  " ON CONFLICT (app_id, resource_id) DO UPDATE SET deleted_at = NULL", 2, { APPS, ID }, NULL },
	{ "SELECT " COLUMNS " FROM resources r WHERE r.resource_id = $1", 1, { ID }, on_recorded },
}, unlink_steps[] = {
	{ LOCK_LINK, 3, { PROVIDER, APPS, ID }, on_link_locked },
	{ "UPDATE app_resources SET deleted_at = clock_timestamp()"
	  " WHERE app_id = $1 AND resource_id = $2 AND deleted_at IS NULL", 2, { APPS, ID }, NULL },
	{ "SELECT " COLUMNS " FROM resources r WHERE r.resource_id = $1", 1, { ID }, on_recorded },
};

static void
change_apps(struct fl_http_req *req, struct controller *c, const struct tx_step *steps, size_t n_steps)
{
	char id[FL_UUID_LEN + 1];
	struct tx *tx;

	if (path_id(req, "resource", id) == -1)
		return;
	tx = tx_new(c, req, steps, n_steps);
	tx_set(tx, PROVIDER, fl_http_param(req, "provider"));
	tx_set(tx, APPS, fl_http_param(req, "app"));
	tx_set(tx, ID, id);
	tx_run(tx);
}

void
resources_add_app(struct fl_http_req *req, void *arg)
{
	change_apps(req, arg, link_steps, fl_nitems(link_steps));
}

void
resources_remove_app(struct fl_http_req *req, void *arg)
{
	change_apps(req, arg, unlink_steps, fl_nitems(unlink_steps));
}
