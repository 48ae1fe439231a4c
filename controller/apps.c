#include "controller/apps.h"

#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/app_name.h"
#include "controller/app_routes.h"
#include "controller/body.h"
#include "controller/controller.h"
#include "controller/query.h"
#include "controller/tx.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/process.h"
#include "libflynn/xmalloc.h"

/* Somebody may have taken a generated name by hand. */
#define NAME_TRIES 10

void
apps_write_at(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col)
{
	fl_jsonw_open(w, key, '{');
	row_id(w, "id", res, row, col);
	row_str(w, "name", res, row, col + 1);
	fl_jsonw_bool(w, "protected", row_bool(res, row, col + 2));
	row_json(w, "meta", res, row, col + 3);
	row_time(w, "created_at", res, row, col + 4);
	row_time(w, "updated_at", res, row, col + 5);
	fl_jsonw_close(w, '}');
}

static void
apps_write(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	apps_write_at(w, key, res, row, 0);
}

void
apps_list(struct fl_http_req *req, void *arg)
{
	query_all(arg, req, "SELECT " APP_COLUMNS("a") " FROM apps a WHERE a.deleted_at IS NULL ORDER BY a.created_at DESC",
	    NULL, 0, apps_write);
}

void
apps_get(struct fl_http_req *req, void *arg)
{
	query_one(arg, req, "SELECT " APP_COLUMNS("a") " FROM apps a WHERE a.app_id = find_app($1)",
	    (const char *[]){ fl_http_param(req, "app") }, 1, apps_write);
}

struct find {
	struct fl_http_req *req;
	void (*cb)(const struct app *app, void *arg);
	void *arg;
};

static void
on_found(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct find *f = arg;
	struct app app = { 0 };

	if (err != NULL) {
		answer_err(f->req, NULL, err);
		f->cb(NULL, f->arg);
	} else if (PQntuples(res) == 0) {
		answer_not_found(f->req);
		f->cb(NULL, f->arg);
	} else {
		row_get_id(res, 0, 0, app.id);
		app.name = fl_pg_str(res, 0, 1, "");
		app.protected = row_bool(res, 0, 2);
		app.is_system = row_bool(res, 0, 3);
		f->cb(&app, f->arg);
	}
	free(f);
}

void
apps_find(struct controller *c, struct fl_http_req *req, void (*cb)(const struct app *app, void *arg), void *arg)
{
	struct find *f = fl_xcalloc(1, sizeof(*f));

	*f = (struct find){ req, cb, arg };
	fl_pg_query(c->pg, "SELECT app_id, name, protected, meta ->> '" FL_APP_META_SYSTEM "' = 'true' FROM apps"
			    " WHERE app_id = find_app($1)",
	    (const char *[]){ fl_http_param(req, "app") }, 1, on_found, f);
}

struct create {
	struct controller *c;
	struct fl_http_req *req;
	char id[FL_UUID_LEN + 1]; /* "": the database makes one */
	char *name, *meta;
	bool protected, named, system;
	int tries;
	struct fl_buf answer;
};

static void create_name(struct create *cr);

static void
create_free(struct create *cr)
{
	free(cr->name);
	free(cr->meta);
	fl_buf_release(&cr->answer);
	free(cr);
}

static void
create_fail(struct create *cr, const struct fl_err *err)
{
	struct fl_err why = *err;

	if (why.kind == FL_ERR_CONFLICT)
		fl_err_set(&why, FL_ERR_CONFLICT, "app \"%s\" exists already: choose another name", cr->name);
	answer_err(cr->req, NULL, &why);
	create_free(cr);
}

/* The app stands even when its route could not be made. */
static void
on_routed(const struct fl_err *err, void *arg)
{
	struct create *cr = arg;

	if (err != NULL)
		fl_log_warn("no default route", fl_str("app", cr->name), fl_str("err", err->msg));
	answer_json(cr->req, &cr->answer);
	create_free(cr);
}

static void
on_inserted(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct create *cr = arg;
	struct fl_jsonw w = fl_jsonw(&cr->answer);

	if (err != NULL && err->kind == FL_ERR_CONFLICT && !cr->named && ++cr->tries < NAME_TRIES) {
		create_name(cr);
		return;
	}
	if (err != NULL) {
		create_fail(cr, err);
		return;
	}
	apps_write(&w, NULL, res, 0);
	row_get_id(res, 0, 0, cr->id);
	fl_log_info("app created", fl_str("app", cr->name), fl_str("id", cr->id));
	if (cr->c->cfg->default_route_domain != NULL && !cr->protected && !cr->system)
		app_routes_add_default(cr->c, cr->id, cr->name, on_routed, cr);
	else
		on_routed(NULL, cr);
}

static void
create_insert(struct create *cr)
{
	const char *params[] = { *cr->id != '\0' ? cr->id : NULL, cr->name, cr->protected ? "t" : "f", cr->meta };

	fl_pg_query(cr->c->pg, "INSERT INTO apps (app_id, name, protected, meta)"
			       " VALUES (coalesce($1, gen_random_uuid()), $2, $3, $4) RETURNING " APP_COLUMNS("apps"),
	    params, fl_nitems(params), on_inserted, cr);
}

static void
on_numbered(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct create *cr = arg;

	if (err != NULL) {
		create_fail(cr, err);
		return;
	}
	free(cr->name);
	cr->name = app_name_generate(cr->c->cfg->name_seed, (uint32_t)fl_pg_int(res, 0, 0, 0));
	create_insert(cr);
}

static void
create_name(struct create *cr)
{
	fl_pg_query(cr->c->pg, "SELECT nextval('name_ids')", NULL, 0, on_numbered, cr);
}

static bool
is_system(const struct fl_json *meta)
{
	return strcmp(fl_json_str(fl_json_get(meta, FL_APP_META_SYSTEM), ""), "true") == 0;
}

void
apps_create(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in = body_object(req, BODY_MAX), *meta = fl_json_get(in, "meta");
	char id[FL_UUID_LEN + 1];
	const char *name = "";
	bool protected = false;
	struct fl_err err = { 0 };
	struct create *cr;

	if (in == NULL || body_id(req, in, "id", id) == -1)
		return;
	if (fl_json_member_str(in, "name", &name, &err) == -1 || (*name != '\0' && app_name_check(name, &err) == -1)) {
		answer_err(req, "name", &err);
	} else if (fl_json_member_bool(in, "protected", &protected, &err) == -1) {
		answer_err(req, "protected", &err);
	} else if (body_check_strings(meta, "meta", &err) == -1) {
		answer_err(req, "meta", &err);
	} else {
		cr = fl_xcalloc(1, sizeof(*cr));
		*cr = (struct create){ .c = arg, .req = req, .name = fl_xstrdup(name), .meta = body_text(meta, "{}"),
			.protected = protected, .named = *name != '\0', .system = is_system(meta) };
		memcpy(cr->id, id, sizeof(id));
		if (cr->named)
			create_insert(cr);
		else
			create_name(cr);
	}
}

void
apps_update(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in = body_object(req, BODY_MAX), *meta = fl_json_get(in, "meta");
	struct fl_err err = { 0 };
	bool protected = false;
	char *text;

	if (in == NULL)
		return;
	if (fl_json_member_bool(in, "protected", &protected, &err) == -1) {
		answer_err(req, "protected", &err);
		return;
	}
	if (body_check_strings(meta, "meta", &err) == -1) {
		answer_err(req, "meta", &err);
		return;
	}
	text = body_text(meta, NULL);
	query_one(arg, req, "UPDATE apps SET protected = coalesce($2, protected), meta = coalesce($3, meta),"
			    " updated_at = clock_timestamp()"
			    " WHERE app_id = find_app($1) AND deleted_at IS NULL RETURNING " APP_COLUMNS("apps"),
	    (const char *[]){ fl_http_param(req, "app"),
		fl_json_is_null(fl_json_get(in, "protected")) ? NULL : (protected ? "t" : "f"), text }, 3, apps_write);
	free(text);
}

enum { APP };

static enum tx_next
on_locked(struct tx *tx, const PGresult *res)
{
	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "the app is gone");
	if (row_bool(res, 0, 0))
		return tx_fail(tx, FL_ERR_INVALID, NULL, "the app is protected, so it cannot be deleted");
	return TX_GO_ON;
}

static const struct tx_step delete_steps[] = {
	{ "SELECT protected FROM apps WHERE app_id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE", 1, { APP }, on_locked },
	{ "UPDATE formations SET processes = NULL, deleted_at = clock_timestamp(), updated_at = clock_timestamp()"
	  " WHERE app_id = $1 AND deleted_at IS NULL", 1, { APP }, NULL },
	{ "UPDATE app_resources SET deleted_at = clock_timestamp() WHERE app_id = $1 AND deleted_at IS NULL", 1, { APP }, NULL },
	{ "UPDATE apps SET deleted_at = clock_timestamp(), updated_at = clock_timestamp() WHERE app_id = $1", 1, { APP }, NULL },
};

struct delete {
	struct controller *c;
	struct fl_http_req *req;
	char id[FL_UUID_LEN + 1];
};

static void
on_unrouted(const struct fl_err *err, void *arg)
{
	struct delete *d = arg;
	struct fl_err why;
	struct tx *tx;

	if (err != NULL) {
		why = *err;
		fl_err_wrap(&why, "the app was not deleted: its routes could not be removed");
		answer_err(d->req, NULL, &why);
	} else {
		tx = tx_new(d->c, d->req, delete_steps, fl_nitems(delete_steps));
		tx_set(tx, APP, d->id);
		tx_run(tx);
	}
	free(d);
}

static void
on_delete_found(const struct app *app, void *arg)
{
	struct delete *d = arg;

	if (app != NULL && app->protected) {
		answer_invalid(d->req, NULL, "app \"%s\" is protected, so it cannot be deleted", app->name);
	} else if (app != NULL && app->is_system) {
		answer_invalid(d->req, NULL, "app \"%s\" is a part of the platform, so it cannot be deleted", app->name);
	} else if (app != NULL) {
		memcpy(d->id, app->id, sizeof(d->id));
		fl_log_info("app is deleted", fl_str("app", app->name), fl_str("id", app->id));
		app_routes_remove_all(d->c, d->id, on_unrouted, d);
		return;
	}
	free(d);
}

void
apps_delete(struct fl_http_req *req, void *arg)
{
	struct delete *d = fl_xcalloc(1, sizeof(*d));

	*d = (struct delete){ .c = arg, .req = req };
	apps_find(arg, req, on_delete_found, d);
}
