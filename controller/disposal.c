#include "controller/disposal.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/controller.h"
#include "controller/hosts.h"
#include "controller/row.h"
#include "controller/volumes.h"
#include "libflynn/attr.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define FIND_MS 5000
#define CALL_MS 60000

/*
 * Whoever takes a piece has so long to remove it before it is another one's: ever longer, as a volume is in use until its jobs
 * have ended, but a host may be away for days.
 */
#define AGAIN "least(interval '15 s' * power(2, least(g.tries, 10)), interval '1 hour')"

struct disposal {
	struct controller *c;
	char *kind, *ref;
	size_t at; /* images: the host that is asked */
	struct fl_err err; /* images: the first that failed */
	void (*cb)(const struct fl_err *err, void *arg);
	void *arg;
};

static void
end(struct disposal *d, const struct fl_err *err)
{
	d->cb(err, d->arg);
	free(d->kind);
	free(d->ref);
	free(d);
}

static void
on_forgotten(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	end(arg, err);
}

/* It is gone, or it is needed. */
static void
forget(struct disposal *d)
{
	fl_pg_query(d->c->pg, "DELETE FROM garbage WHERE kind = $1 AND ref = $2", (const char *[]){ d->kind, d->ref }, 2, on_forgotten, d);
}

static void
removed(struct disposal *d)
{
	fl_log_info("removed what nobody needs", fl_str("kind", d->kind), fl_str("ref", d->ref));
	forget(d);
}

static void
fail(struct disposal *d, struct fl_err *err, const char *what)
{
	if (err->kind == FL_ERR_NOT_FOUND) /* that is how we say that nothing is due */
		err->kind = FL_ERR_UNAVAILABLE;
	fl_err_wrap(err, "%s", what);
	end(d, err);
}

/* ---- blobs ---- */

static void
on_blob_deleted(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct disposal *d = arg;
	struct fl_err err = call_err != NULL ? *call_err : (struct fl_err){ 0 };

	if (call_err != NULL || fl_http_result_check(res, "shelf", &err) == -1)
		fail(d, &err, d->ref);
	else
		removed(d);
}

static void
on_shelf(const char *addr, const struct fl_err *call_err, void *arg)
{
	struct disposal *d = arg;
	struct fl_http_call_opts opts = { .method = "DELETE", .timeout_ms = CALL_MS };
	struct fl_err err;
	char *url;

	if (call_err != NULL) {
		err = *call_err;
		fail(d, &err, d->ref);
		return;
	}
	url = fl_xasprintf("http://%s%s", addr, d->ref);
	opts.url = url;
	fl_http_client_start(d->c->client, &opts, on_blob_deleted, d);
	free(url);
}

/* ---- images: at each host ---- */

static void ask_next_host(struct disposal *d);

static void
on_image_deleted(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct disposal *d = arg;
	struct fl_err err = call_err != NULL ? *call_err : (struct fl_err){ 0 };

	if (call_err == NULL && res->status != 404) /* one that it does not have needs no removing */
		fl_http_result_check(res, "host", &err);
	if (d->err.kind == FL_ERR_NONE)
		d->err = err;
	d->at++;
	ask_next_host(d);
}

static void
ask_hosts(struct disposal *d)
{
	struct fl_err err;

	if (fl_discoverd_service_known(d->c->hosts) && fl_discoverd_service_count(d->c->hosts) > 0) {
		ask_next_host(d);
		return;
	}
	fl_err_set(&err, FL_ERR_UNAVAILABLE, "no host is there");
	fail(d, &err, d->ref);
}

static void
ask_next_host(struct disposal *d)
{
	struct fl_http_call_opts opts = { .method = "DELETE", .timeout_ms = CALL_MS };
	char *uri, *url;

	if (d->at < fl_discoverd_service_count(d->c->hosts)) {
		uri = fl_url_encode(d->ref);
		url = fl_xasprintf("http://%s/host/images?uri=%s", fl_discoverd_service_at(d->c->hosts, d->at)->addr, uri);
		opts.url = url;
		fl_http_client_start(d->c->client, &opts, on_image_deleted, d);
		free(uri);
		free(url);
	} else if (d->err.kind != FL_ERR_NONE) {
		fail(d, &d->err, d->ref);
	} else {
		removed(d);
	}
}

/* ---- volumes ---- */

static void
on_volume_removed(const struct fl_err *call_err, void *arg)
{
	struct disposal *d = arg;
	struct fl_err err;

	if (call_err == NULL || call_err->kind == FL_ERR_NOT_FOUND) {
		removed(d);
		return;
	}
	err = *call_err;
	fail(d, &err, "a volume");
}

/* ---- which ---- */

static void
on_taken(const PGresult *res, const struct fl_err *call_err, void *arg)
{
	struct disposal *d = arg;
	struct fl_err err = { 0 };

	if (call_err != NULL) {
		err = *call_err;
		fail(d, &err, "look for what is due");
	} else if (PQntuples(res) == 0) {
		fl_err_set(&err, FL_ERR_NOT_FOUND, "nothing is due");
		end(d, &err);
	} else {
		d->kind = fl_xstrdup(fl_pg_str(res, 0, 0, ""));
		d->ref = fl_xstrdup(fl_pg_str(res, 0, 1, ""));
		if (row_bool(res, 0, 2))
			forget(d);
		else if (strcmp(d->kind, "blob") == 0)
			fl_discoverd_find(d->c->discoverd, DISPOSAL_SHELF, FIND_MS, on_shelf, d);
		else if (strcmp(d->kind, "image") == 0)
			ask_hosts(d);
		else
			volumes_remove(d->c, d->ref, on_volume_removed, d);
	}
}

void
disposal_start(struct controller *c, void (*cb)(const struct fl_err *err, void *arg), void *arg)
{
	struct disposal *d = fl_xcalloc(1, sizeof(*d));

	*d = (struct disposal){ .c = c, .cb = cb, .arg = arg };
	fl_pg_query(c->pg, "UPDATE garbage g SET due_at = now() + " AGAIN ", tries = g.tries + 1 FROM ("
			   "  SELECT kind, ref FROM garbage WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) t"
			   " WHERE g.kind = t.kind AND g.ref = t.ref RETURNING g.kind, g.ref, is_needed(g.kind, g.ref)",
	    NULL, 0, on_taken, d);
}
