#include "controller/volumes.h"

#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/hosts.h"
#include "controller/once.h"
#include "controller/path_id.h"
#include "controller/query.h"
#include "controller/row.h"
#include "controller/tx.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/pg.h"
#include "libflynn/process.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define COLUMNS "v.volume_id, v.host_id, v.app_id, v.type, v.path, v.name, micros(v.created_at), micros(v.decommissioned_at)"
#define CALL_MS 30000

static void
volumes_write(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	fl_jsonw_open(w, key, '{');
	row_id(w, "id", res, row, 0);
	row_str(w, "host_id", res, row, 1);
	row_id(w, "app", res, row, 2);
	row_str(w, "job_type", res, row, 3);
	row_str(w, "path", res, row, 4);
	row_str(w, "name", res, row, 5);
	fl_jsonw_str(w, "state", "created");
	row_time(w, "created_at", res, row, 6);
	row_time(w, "decommissioned_at", res, row, 7);
	fl_jsonw_close(w, '}');
}

void
volumes_list_all(struct fl_http_req *req, void *arg)
{
	query_all(arg, req, "SELECT " COLUMNS " FROM volumes v WHERE v.deleted_at IS NULL ORDER BY v.created_at DESC", NULL, 0, volumes_write);
}

void
volumes_list(struct fl_http_req *req, void *arg)
{
	query_parts(arg, req, "SELECT " COLUMNS " FROM apps a LEFT JOIN volumes v ON v.app_id = a.app_id AND v.deleted_at IS NULL"
			      " WHERE a.app_id = find_app($1) ORDER BY v.created_at DESC",
	    (const char *[]){ fl_http_param(req, "app") }, 1, volumes_write);
}

#define FIND "FROM volumes v WHERE v.volume_id = $1 AND v.app_id = find_app($2) AND v.deleted_at IS NULL"

void
volumes_get(struct fl_http_req *req, void *arg)
{
	char id[FL_UUID_LEN + 1];

	if (!fl_uuid_parse(fl_http_param(req, "volume"), id)) {
		answer_not_found(req);
		return;
	}
	query_one(arg, req, "SELECT " COLUMNS " " FIND, (const char *[]){ id, fl_http_param(req, "app") }, 2, volumes_write);
}

/* ---- giving one up ---- */

enum { APP, VOLUME };

static enum tx_next
on_decommissioned(struct tx *tx, const PGresult *res)
{
	struct fl_jsonw w = fl_jsonw(&tx->answer);

	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such volume");
	volumes_write(&w, NULL, res, 0);
	return TX_GO_ON;
}

/* Schedulers are told. */
static const struct tx_step decommission_steps[] = {
	{ "UPDATE volumes v SET decommissioned_at = coalesce(v.decommissioned_at, clock_timestamp())"
	  " WHERE v.volume_id = $2 AND v.app_id = find_app($1) AND v.deleted_at IS NULL RETURNING " COLUMNS, 2, { APP, VOLUME },
	    on_decommissioned },
	{ "SELECT pg_notify('formations', app_id || ':' || release_id) FROM formations"
	  " WHERE app_id = find_app($1) AND deleted_at IS NULL", 1, { APP }, NULL },
};

void
volumes_decommission(struct fl_http_req *req, void *arg)
{
	char id[FL_UUID_LEN + 1];
	struct tx *tx;

	if (path_id(req, "volume", id) == -1)
		return;
	tx = tx_new(arg, req, decommission_steps, fl_nitems(decommission_steps));
	tx_set(tx, APP, fl_http_param(req, "app"));
	tx_set(tx, VOLUME, id);
	tx_run(tx);
}

/* ---- removing one ---- */

struct removal {
	struct controller *c;
	char *id;
	void (*cb)(const struct fl_err *err, void *arg);
	void *arg;
};

static void
removal_end(struct removal *r, const struct fl_err *err)
{
	r->cb(err, r->arg);
	free(r->id);
	free(r);
}

static void
on_forgotten(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	removal_end(arg, err);
}

/* One that its host does not have was removed there, or never used. */
static void
on_host_answered(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct removal *r = arg;
	struct fl_err err = { 0 };

	if (call_err != NULL)
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "the volume's host does not answer: %s", call_err->msg);
	else if (res->status != 404)
		fl_http_result_check(res, "remove the volume", &err);
	if (err.kind != FL_ERR_NONE)
		removal_end(r, &err);
	else
		fl_pg_query(r->c->pg, "UPDATE volumes SET deleted_at = clock_timestamp() WHERE volume_id = $1", (const char *[]){ r->id }, 1,
		    on_forgotten, r);
}

static void
ask_host(struct removal *r, const char *addr, const PGresult *res)
{
	char app[FL_UUID_LEN + 1], *name, *quoted, *url;

	row_get_id(res, 0, 1, app);
	name = fl_process_volume_name(app, row_bool(res, 0, 2), fl_pg_str(res, 0, 3, ""), fl_pg_str(res, 0, 4, ""), fl_pg_str(res, 0, 5, NULL));
	name = fl_process_volume_number(name, fl_pg_int(res, 0, 6, 0));
	quoted = fl_url_encode(name);
	url = fl_xasprintf("http://%s/host/volumes/%s", addr, quoted);
	fl_http_client_start(r->c->client, &(struct fl_http_call_opts){ .method = "DELETE", .url = url, .timeout_ms = CALL_MS },
	    on_host_answered, r);
	free(name);
	free(quoted);
	free(url);
}

static void
on_found(const PGresult *res, const struct fl_err *call_err, void *arg)
{
	struct removal *r = arg;
	const char *addr = NULL;
	struct fl_err err = { 0 };

	if (call_err != NULL)
		err = *call_err;
	else if (PQntuples(res) == 0)
		fl_err_set(&err, FL_ERR_NOT_FOUND, "there is no such volume");
	else if ((addr = hosts_addr(r->c, fl_pg_str(res, 0, 0, ""), &err)) == NULL)
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "the volume is on host %s, which is not there now", fl_pg_str(res, 0, 0, ""));
	if (addr != NULL)
		ask_host(r, addr, res);
	else
		removal_end(r, &err);
}

void
volumes_remove(struct controller *c, const char *volume_id, void (*cb)(const struct fl_err *err, void *arg), void *arg)
{
	struct removal *r = fl_xcalloc(1, sizeof(*r));

	*r = (struct removal){ c, fl_xstrdup(volume_id), cb, arg };
	fl_pg_query(c->pg, "SELECT v.host_id, v.app_id, coalesce(a.meta ->> '" FL_APP_META_SYSTEM "' = 'true', false), v.type, v.path, v.name, v.number"
			   " FROM volumes v JOIN apps a USING (app_id) WHERE v.volume_id = $1 AND v.deleted_at IS NULL",
	    (const char *[]){ volume_id }, 1, on_found, r);
}

/* ---- for a client ---- */

struct deletion {
	struct controller *c;
	struct fl_http_req *req;
};

static void
on_removed(const struct fl_err *err, void *arg)
{
	struct deletion *d = arg;

	if (err != NULL)
		answer_err(d->req, NULL, err);
	else
		answer_empty(d->req);
	free(d);
}

static void
on_checked(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct deletion *d = arg;

	if (err == NULL && PQntuples(res) > 0) {
		volumes_remove(d->c, fl_pg_str(res, 0, 0, ""), on_removed, d);
		return;
	}
	if (err != NULL)
		answer_err(d->req, NULL, err);
	else
		answer_not_found(d->req);
	free(d);
}

static void
delete_start(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	char id[FL_UUID_LEN + 1];
	struct deletion *d;

	if (!fl_uuid_parse(fl_http_param(req, "volume"), id)) {
		answer_not_found(req);
		return;
	}
	d = fl_xcalloc(1, sizeof(*d));
	*d = (struct deletion){ c, req };
	fl_pg_query(c->pg, "SELECT v.volume_id " FIND, (const char *[]){ id, fl_http_param(req, "app") }, 2, on_checked, d);
}

void
volumes_delete(struct fl_http_req *req, void *arg)
{
	once(arg, req, delete_start);
}
