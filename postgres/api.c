#include <stdlib.h>

#include "postgres/api.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "postgres/database.h"
#include "postgres/postgres.h"

/* A request and the daemon it came to. */
struct call {
	struct fl_http_req *req;
	const struct postgres *postgres;
};

static void
write_env(struct fl_jsonw *w, const struct postgres_config *cfg, const struct database *db)
{
	char *host = fl_xasprintf("leader.%s.discoverd", cfg->service);
	char *port = fl_xasprintf("%d", cfg->port);
	char *url = fl_xasprintf("postgres://%s:%s@%s:%s/%s", db->user, db->password, host, port, db->name);

	fl_jsonw_open(w, "env", '{');
	fl_jsonw_str(w, "FLYNN_POSTGRES", cfg->service);
	fl_jsonw_str(w, "PGHOST", host);
	fl_jsonw_str(w, "PGPORT", port);
	fl_jsonw_str(w, "PGUSER", db->user);
	fl_jsonw_str(w, "PGPASSWORD", db->password);
	fl_jsonw_str(w, "PGDATABASE", db->name);
	fl_jsonw_str(w, "DATABASE_URL", url);
	fl_jsonw_close(w, '}');
	free(host);
	free(port);
	free(url);
}

static void
on_created(const struct database *db, const struct fl_err *err, void *arg)
{
	struct call *c = arg;
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	char *id;

	if (err != NULL) {
		fl_http_reply_err(c->req, err);
	} else {
		id = fl_xasprintf("/databases/%s:%s", db->user, db->name);
		fl_jsonw_open(&w, NULL, '{');
		fl_jsonw_str(&w, "id", id);
		write_env(&w, c->postgres->cfg, db);
		fl_jsonw_close(&w, '}');
		fl_http_reply_json(c->req, 200, &body);
		fl_log_info("database made", fl_str("database", db->name));
		free(id);
	}
	fl_buf_release(&body);
	free(c);
}

static void
on_dropped(const struct database *db, const struct fl_err *err, void *arg)
{
	struct call *c = arg;

	if (db == NULL)
		fl_http_reply_err(c->req, err);
	else
		fl_http_reply(c->req, 200, NULL, NULL, 0);
	free(c);
}

static struct call *
call_new(struct fl_http_req *req, void *arg)
{
	struct call *c = fl_xcalloc(1, sizeof(*c));

	*c = (struct call){ req, arg };
	return c;
}

static void
databases_create(struct fl_http_req *req, void *arg)
{
	struct postgres *p = arg;

	database_create(p->pg, on_created, call_new(req, p));
}

static void
databases_drop(struct fl_http_req *req, void *arg)
{
	struct postgres *p = arg;
	const char *id = fl_http_query(req, "id");

	database_drop(p->pg, id != NULL ? id : "", on_dropped, call_new(req, p));
}

static const struct fl_http_route routes[] = {
	{ "POST", "/databases", databases_create, 0 },
	{ "DELETE", "/databases", databases_drop, 0 },
};

int
api_listen(struct postgres *p, struct fl_err *err)
{
	char *addr = fl_xasprintf(":%d", p->cfg->api_port);
	int r;

	p->http = fl_http_new(p->base, p->cfg->key);
	r = fl_http_listen(p->http, addr, routes, fl_nitems(routes), p, err);
	free(addr);
	return r;
}
