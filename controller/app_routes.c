#include "controller/app_routes.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/apps.h"
#include "controller/body.h"
#include "controller/controller.h"
#include "controller/once.h"
#include "controller/route_json.h"
#include "controller/router_client.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/url.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

struct outcome {
	void (*cb)(const struct fl_err *err, void *arg);
	void *arg;
};

static void
on_default_added(FL_UNUSED const struct fl_json *body, FL_UNUSED const char *field, const struct fl_err *err, void *arg)
{
	struct outcome *o = arg;

	o->cb(err, o->arg);
	free(o);
}

void
app_routes_add_default(struct controller *c, const char *app_id, const char *app_name,
    void (*cb)(const struct fl_err *err, void *arg), void *arg)
{
	struct outcome *o = fl_xcalloc(1, sizeof(*o));
	struct fl_buf b = { 0 }, text = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	*o = (struct outcome){ cb, arg };
	fl_jsonw_open(&w, NULL, '{');
	fl_buf_addf(&text, APP_ROUTES_PARENT "%s", app_id);
	fl_jsonw_str(&w, "parent_ref", text.data);
	fl_jsonw_str(&w, "type", "http");
	fl_jsonw_open(&w, "config", '{');
	fl_buf_clear(&text);
	fl_buf_addf(&text, "%s.%s", app_name, c->cfg->default_route_domain);
	fl_jsonw_str(&w, "domain", text.data);
	fl_buf_clear(&text);
	fl_buf_addf(&text, "%s-web", app_name);
	fl_jsonw_str(&w, "service", text.data);
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
	router_call(c, "POST", "/routes", b.data, on_default_added, o);
	fl_buf_release(&b);
	fl_buf_release(&text);
}

/* Routes that are removed one after another. */
struct removal {
	struct controller *c;
	char **ids; /* "http/<hash>" */
	size_t n, at;
	struct outcome outcome;
};

static void
removal_end(struct removal *r, const struct fl_err *err)
{
	r->outcome.cb(err, r->outcome.arg);
	for (size_t i = 0; i < r->n; i++)
		free(r->ids[i]);
	free(r->ids);
	free(r);
}

static void
on_removed(FL_UNUSED const struct fl_json *body, FL_UNUSED const char *field, const struct fl_err *err, void *arg)
{
	struct removal *r = arg;
	char *path;

	if (err != NULL && err->kind != FL_ERR_NOT_FOUND) {
		removal_end(r, err);
		return;
	}
	if (r->at == r->n) {
		removal_end(r, NULL);
		return;
	}
	path = fl_xasprintf("/routes/%s", r->ids[r->at++]);
	router_call(r->c, "DELETE", path, NULL, on_removed, r);
	free(path);
}

static void
on_all_listed(const struct fl_json *body, FL_UNUSED const char *field, const struct fl_err *err, void *arg)
{
	struct removal *r = arg;

	if (err != NULL) {
		removal_end(r, err);
		return;
	}
	r->ids = fl_xcalloc(fl_json_len(body) + 1, sizeof(*r->ids));
	for (size_t i = 0; i < fl_json_len(body); i++)
		r->ids[r->n++] = fl_xstrdup(fl_json_str(fl_json_get(fl_json_at(body, i), "id"), ""));
	on_removed(NULL, NULL, NULL, r);
}

void
app_routes_remove_all(struct controller *c, const char *app_id,
    void (*cb)(const struct fl_err *err, void *arg), void *arg)
{
	struct removal *r = fl_xcalloc(1, sizeof(*r));
	char *path = fl_xasprintf("/routes?parent_ref=" APP_ROUTES_PARENT "%s", app_id);

	*r = (struct removal){ .c = c, .outcome = { cb, arg } };
	router_call(c, "GET", path, NULL, on_all_listed, r);
	free(path);
}

/* A request about the routes of one app. */
struct route_op {
	struct controller *c;
	struct fl_http_req *req;
	char id[FL_UUID_LEN + 1]; /* the app's */
	bool changes;		  /* the route; a GET does not */
	struct fl_json *removed;  /* what the route was */
};

static void
route_op_free(struct route_op *op)
{
	fl_json_free(op->removed);
	free(op);
}

static char *
route_path(const struct route_op *op)
{
	char *type = fl_url_encode(fl_http_param(op->req, "type")), *hash = fl_url_encode(fl_http_param(op->req, "id"));
	char *path = fl_xasprintf("/routes/%s/%s", type, hash);

	free(type);
	free(hash);
	return path;
}

static bool
is_mine(const struct route_op *op, const struct fl_json *route)
{
	const char *parent = fl_json_str(fl_json_get(route, "parent_ref"), "");
	size_t len = sizeof(APP_ROUTES_PARENT) - 1;

	return strncmp(parent, APP_ROUTES_PARENT, len) == 0 && strcmp(parent + len, op->id) == 0;
}

static void
on_told(FL_UNUSED const PGresult *res, const struct fl_err *err, FL_UNUSED void *arg)
{
	if (err != NULL)
		fl_log_warn("the event of a route is lost", fl_str("err", err->msg));
}

/* Routes are not in the database, so their events are written here: behind the change, which stands without them. */
static void
tell(const struct route_op *op, const char *type, const struct fl_json *route)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	route_json_write(&w, NULL, route);
	fl_pg_query(op->c->pg, "SELECT tell($1, $2, $3, $4)",
	    (const char *[]){ op->id, type, fl_json_str(fl_json_get(route, "id"), ""), b.data }, 4, on_told, NULL);
	fl_buf_release(&b);
}

/* Answer with what the router did. */
static void
on_route(const struct fl_json *body, const char *field, const struct fl_err *err, void *arg)
{
	struct route_op *op = arg;
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (err != NULL) {
		answer_err(op->req, field, err);
	} else {
		if (op->changes)
			tell(op, "route", body);
		route_json_write(&w, NULL, body);
		answer_json(op->req, &b);
	}
	route_op_free(op);
}

static void
on_list(const struct fl_json *body, const char *field, const struct fl_err *err, void *arg)
{
	struct route_op *op = arg;
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (err != NULL) {
		answer_err(op->req, field, err);
	} else {
		fl_jsonw_open(&w, NULL, '[');
		for (size_t i = 0; i < fl_json_len(body); i++)
			route_json_write(&w, NULL, fl_json_at(body, i));
		fl_jsonw_close(&w, ']');
		answer_json(op->req, &b);
	}
	route_op_free(op);
}

/* Whether arg may go on with the app; if not it is freed. */
static bool
route_op_has_app(struct route_op *op, const struct app *app)
{
	if (app == NULL) {
		route_op_free(op);
		return false;
	}
	memcpy(op->id, app->id, sizeof(op->id));
	return true;
}

static void
route_op_start(struct fl_http_req *req, struct controller *c, void (*on_app)(const struct app *app, void *arg))
{
	const char *again = fl_http_param(req, "again");
	struct route_op *op;

	if (again != NULL && strcmp(again, fl_http_param(req, "type")) != 0) {
		answer_not_found(req);
		return;
	}
	op = fl_xcalloc(1, sizeof(*op));
	op->c = c;
	op->req = req;
	apps_find(c, req, on_app, op);
}

static void
list_of_app(const struct app *app, void *arg)
{
	struct route_op *op = arg;
	char *path;

	if (!route_op_has_app(op, app))
		return;
	path = fl_xasprintf("/routes?parent_ref=" APP_ROUTES_PARENT "%s", op->id);
	router_call(op->c, "GET", path, NULL, on_list, op);
	free(path);
}

void
app_routes_list(struct fl_http_req *req, void *arg)
{
	route_op_start(req, arg, list_of_app);
}

/* Routers make one route of a name, however often it comes, even where they choose the port. */
static void
on_route_named(const char *once_of, const struct fl_err *err, void *arg)
{
	struct route_op *op = arg;
	struct fl_buf b = { 0 };
	char *parent;

	if (err != NULL) {
		on_route(NULL, NULL, err, op);
		return;
	}
	parent = fl_xasprintf(APP_ROUTES_PARENT "%s", op->id);
	op->changes = true;
	route_json_read(fl_http_json(op->req, NULL), parent, once_of, &b);
	router_call(op->c, "POST", "/routes", b.data, on_route, op);
	fl_buf_release(&b);
	free(parent);
}

static void
create_of_app(const struct app *app, void *arg)
{
	struct route_op *op = arg;
	char name[FL_UUID_LEN + 1];

	if (!route_op_has_app(op, app))
		return;
	fl_uuid_new(name);
	once_name(op->c, op->req, once_is_asked(op->req) ? name : NULL, on_route_named, op);
}

static void
create_start(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in;

	if (body_bind(req, &in) == 0)
		route_op_start(req, arg, create_of_app);
}

void
app_routes_create(struct fl_http_req *req, void *arg)
{
	once(arg, req, create_start);
}

static void
on_got(const struct fl_json *body, const char *field, const struct fl_err *err, void *arg)
{
	struct route_op *op = arg;

	if (err == NULL && !is_mine(op, body)) {
		answer_not_found(op->req);
		route_op_free(op);
		return;
	}
	on_route(body, field, err, op);
}

static void
get_of_app(const struct app *app, void *arg)
{
	struct route_op *op = arg;
	char *path;

	if (!route_op_has_app(op, app))
		return;
	path = route_path(op);
	router_call(op->c, "GET", path, NULL, on_got, op);
	free(path);
}

void
app_routes_get(struct fl_http_req *req, void *arg)
{
	route_op_start(req, arg, get_of_app);
}

/* Only after a look at it: the route may be another app's. */
static void
on_got_to_update(const struct fl_json *body, const char *field, const struct fl_err *err, void *arg)
{
	struct route_op *op = arg;
	struct fl_buf b = { 0 };
	char *path;

	if (err != NULL || !is_mine(op, body)) {
		on_got(body, field, err, op);
		return;
	}
	path = route_path(op);
	op->changes = true;
	route_json_read(fl_http_json(op->req, NULL), NULL, NULL, &b);
	router_call(op->c, "PUT", path, b.data, on_route, op);
	fl_buf_release(&b);
	free(path);
}

static void
update_of_app(const struct app *app, void *arg)
{
	struct route_op *op = arg;
	char *path;

	if (!route_op_has_app(op, app))
		return;
	path = route_path(op);
	router_call(op->c, "GET", path, NULL, on_got_to_update, op);
	free(path);
}

static void
update_start(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in;

	if (body_bind(req, &in) == 0)
		route_op_start(req, arg, update_of_app);
}

void
app_routes_update(struct fl_http_req *req, void *arg)
{
	once(arg, req, update_start);
}

static void
on_deleted(FL_UNUSED const struct fl_json *body, const char *field, const struct fl_err *err, void *arg)
{
	struct route_op *op = arg;

	if (err != NULL) {
		answer_err(op->req, field, err);
	} else {
		tell(op, "route_deletion", op->removed);
		answer_empty(op->req);
	}
	route_op_free(op);
}

/* Only after a look at it: the route may be another app's. */
static void
on_got_to_delete(const struct fl_json *body, const char *field, const struct fl_err *err, void *arg)
{
	struct route_op *op = arg;
	char *path;

	if (err != NULL || !is_mine(op, body)) {
		on_got(body, field, err, op);
		return;
	}
	path = route_path(op);
	op->removed = fl_json_dup(body);
	router_call(op->c, "DELETE", path, NULL, on_deleted, op);
	free(path);
}

static void
delete_of_app(const struct app *app, void *arg)
{
	struct route_op *op = arg;
	char *path;

	if (!route_op_has_app(op, app))
		return;
	path = route_path(op);
	router_call(op->c, "GET", path, NULL, on_got_to_delete, op);
	free(path);
}

static void
delete_start(struct fl_http_req *req, void *arg)
{
	route_op_start(req, arg, delete_of_app);
}

void
app_routes_delete(struct fl_http_req *req, void *arg)
{
	once(arg, req, delete_start);
}
