#include "controller/apps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/app_name.h"
#include "controller/app_routes.h"
#include "controller/body.h"
#include "controller/controller.h"
#include "controller/deploy_settings.h"
#include "controller/once.h"
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
	deploy_settings_write(w, fl_pg_str(res, row, col + 3, "{}"), (size_t)PQgetlength(res, row, col + 3));
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

enum { ID, NAME, PROTECTED, META };
enum { MAKE_NAME, INSERT };

/* An app that waits for its route before it is told of. */
struct routing {
	struct fl_http_req *req;
	struct fl_buf answer;
	char name[APP_NAME_MAX + 1];
};

struct create {
	bool named, routed;
	int tries;
};

/* The app stands even when its route could not be made. */
static void
on_routed(const struct fl_err *err, void *arg)
{
	struct routing *r = arg;

	if (err != NULL)
		fl_log_warn("no default route", fl_str("app", r->name), fl_str("err", err->msg));
	answer_json(r->req, &r->answer);
	free(r);
}

static void
on_created(struct tx *tx)
{
	const struct create *cr = tx->own;
	struct routing *r;

	if (!cr->routed || tx->was_answered) {
		answer_json(tx->req, &tx->answer);
		return;
	}
	r = fl_xcalloc(1, sizeof(*r));
	r->req = tx->req;
	r->answer = tx->answer;
	tx->answer = (struct fl_buf){ 0 };
	snprintf(r->name, sizeof(r->name), "%s", tx->params[NAME]);
	app_routes_add_default(tx->c, tx->params[ID], r->name, on_routed, r);
}

static enum tx_next
on_numbered(struct tx *tx, const PGresult *res)
{
	char *name = app_name_generate(tx->c->cfg->name_seed, (uint32_t)fl_pg_int(res, 0, 0, 0));

	tx_set(tx, NAME, name);
	free(name);
	return TX_GO_ON;
}

static enum tx_next
on_inserted(struct tx *tx, const PGresult *res)
{
	struct create *cr = tx->own;
	struct fl_jsonw w = fl_jsonw(&tx->answer);
	char id[FL_UUID_LEN + 1];

	if (PQntuples(res) == 0 && !cr->named && ++cr->tries < NAME_TRIES)
		return tx_go_to(tx, MAKE_NAME);
	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_CONFLICT, NULL, "app \"%s\" exists already: choose another name", tx->params[NAME]);
	apps_write(&w, NULL, res, 0);
	row_get_id(res, 0, 0, id);
	tx_set(tx, ID, id);
	fl_log_info("app created", fl_str("app", tx->params[NAME]), fl_str("id", id));
	return TX_GO_ON;
}

static const struct tx_step create_steps[] = {
	[MAKE_NAME] = { "SELECT nextval('name_ids')", 0, { 0 }, on_numbered },
	[INSERT] = { "INSERT INTO apps (app_id, name, protected, meta)"
		     " VALUES (coalesce($1, gen_random_uuid()), $2, $3, $4) ON CONFLICT DO NOTHING RETURNING " APP_COLUMNS("apps"),
	    4, { ID, NAME, PROTECTED, META }, on_inserted },
};

static bool
is_system(const struct fl_json *meta)
{
	return strcmp(fl_json_text(meta, FL_APP_META_SYSTEM), "true") == 0;
}

static void
create(struct controller *c, struct fl_http_req *req, const char *id, const char *name, bool protected, const struct fl_json *meta)
{
	struct create *cr = fl_xcalloc(1, sizeof(*cr));
	struct tx *tx = tx_new(c, req, create_steps, fl_nitems(create_steps));
	char *text = body_text(meta, "{}");

	cr->named = *name != '\0';
	cr->routed = c->cfg->default_route_domain != NULL && !protected && !is_system(meta);
	tx->own = cr;
	tx->on_commit = on_created;
	tx_set(tx, ID, *id != '\0' ? id : NULL);
	tx_set(tx, NAME, name);
	tx_set(tx, PROTECTED, protected ? "t" : "f");
	tx_set(tx, META, text);
	if (cr->named)
		tx_go_to(tx, INSERT);
	tx_run(tx);
	free(text);
}

void
apps_create(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in = body_object(req, BODY_MAX), *meta = fl_json_get(in, "meta");
	char id[FL_UUID_LEN + 1];
	const char *name = "";
	bool protected = false;
	struct fl_err err = { 0 };

	if (in == NULL || body_id(req, in, "id", id) == -1)
		return;
	if (fl_json_member_str(in, "name", &name, &err) == -1 || (*name != '\0' && app_name_check(name, &err) == -1)) {
		answer_err(req, "name", &err);
	} else if (fl_json_member_bool(in, "protected", &protected, &err) == -1) {
		answer_err(req, "protected", &err);
	} else if (body_check_strings(meta, "meta", &err) == -1) {
		answer_err(req, "meta", &err);
	} else {
		create(arg, req, id, name, protected, meta);
	}
}

void
apps_update(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in = body_object(req, BODY_MAX), *meta = fl_json_get(in, "meta");
	struct fl_err err = { 0 };
	bool protected = false;
	char *text, *settings;

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
	if (deploy_settings_read(req, in, &settings) == -1)
		return;
	text = body_text(meta, NULL);
	query_put(arg, req, "UPDATE apps SET protected = coalesce($2, protected),"
			    " meta = CASE WHEN $4::jsonb IS NULL THEN coalesce($3::json, meta)"
			    "  ELSE (coalesce($3::json, meta)::jsonb || $4::jsonb)::json END,"
			    " updated_at = clock_timestamp()"
			    " WHERE app_id = find_app($1) AND deleted_at IS NULL RETURNING " APP_COLUMNS("apps"),
	    (const char *[]){ fl_http_param(req, "app"),
		fl_json_is_null(fl_json_get(in, "protected")) ? NULL : (protected ? "t" : "f"), text, settings }, 4, apps_write, NULL);
	free(text);
	free(settings);
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

static void
delete_start(struct fl_http_req *req, void *arg)
{
	struct delete *d = fl_xcalloc(1, sizeof(*d));

	*d = (struct delete){ .c = arg, .req = req };
	apps_find(arg, req, on_delete_found, d);
}

void
apps_delete(struct fl_http_req *req, void *arg)
{
	once(arg, req, delete_start);
}
