#include <event2/event.h>
#include <stdlib.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/xmalloc.h"
#include "postgres/api.h"
#include "postgres/postgres.h"
#include "postgres/server.h"

/* Recovery after a power loss takes as long as it takes; host's own limit ends the wait. */
#define RECOVERY_MS (15 * 60 * 1000)

static void
postgres_fail(struct postgres *p, const char *what, const struct fl_err *err)
{
	fl_log_error(what, fl_str("err", err->msg));
	p->status = EXIT_FAILURE;
	server_stop(p->server); /* on_ended goes on */
}

static char *
superuser_conninfo(void *arg)
{
	const struct postgres *p = arg;

	return fl_xasprintf("host=%s port=%d user=postgres dbname=postgres application_name=flynn-postgres",
	    p->cfg->socket_dir, p->cfg->port);
}

static void
on_accepting(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct postgres *p = arg;
	struct fl_err why;

	if (err != NULL)
		postgres_fail(p, "postgres does not answer", err);
	else if (api_listen(p, &why) == -1)
		postgres_fail(p, "cannot listen", &why);
	else
		fl_log_info("ready", fl_int("port", p->cfg->port), fl_int("api_port", p->cfg->api_port));
}

static void
on_started(void *arg)
{
	struct postgres *p = arg;
	struct fl_pg_opts opts = { .conninfo = superuser_conninfo, .arg = p, .max_conns = 1, .wait_ms = RECOVERY_MS };

	p->pg = fl_pg_new(p->base, &opts);
	fl_pg_query(p->pg, "SELECT 1", NULL, 0, on_accepting, p);
}

static void
on_ended(const struct fl_err *err, void *arg)
{
	struct postgres *p = arg;

	if (err != NULL) {
		fl_log_error("server ended", fl_str("err", err->msg));
		p->status = EXIT_FAILURE;
	}
	event_base_loopexit(p->base, NULL);
}

static const struct server_ops server_ops = { on_started, on_ended };

static int
check_config(const struct postgres_config *cfg, struct fl_err *err)
{
	if (cfg->key == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "CLUSTER_KEY must be set: without it anybody could make databases");
	if (cfg->port < 1 || cfg->port > 65535 || cfg->api_port < 1 || cfg->api_port > 65535)
		return fl_err_set(err, FL_ERR_INVALID, "PORT_0 and PORT_1 must be set: the ports of PostgreSQL and of the API");
	return 0;
}

struct postgres *
postgres_new(struct event_base *base, const struct postgres_config *cfg, struct fl_err *err)
{
	struct postgres *p;

	if (check_config(cfg, err) == -1)
		return NULL;
	p = fl_xcalloc(1, sizeof(*p));
	p->cfg = cfg;
	p->base = base;
	p->server = server_start(base, cfg, &server_ops, p);
	return p;
}

void
postgres_stop(void *arg)
{
	struct postgres *p = arg;

	server_stop(p->server);
}

void
postgres_free(struct postgres *p)
{
	if (p == NULL)
		return;
	if (p->http != NULL)
		fl_http_free(p->http);
	if (p->pg != NULL)
		fl_pg_free(p->pg);
	server_free(p->server);
	free(p);
}
