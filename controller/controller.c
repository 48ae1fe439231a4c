#include "controller/controller.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/app_log.h"
#include "controller/app_requests.h"
#include "controller/body.h"
#include "controller/collector.h"
#include "controller/database.h"
#include "controller/events.h"
#include "controller/deployer.h"
#include "controller/deployments.h"
#include "controller/formation_events.h"
#include "controller/hosts.h"
#include "controller/job_events.h"
#include "controller/job_exec.h"
#include "controller/job_log.h"
#include "controller/job_run.h"
#include "controller/retention.h"
#include "controller/router_client.h"
#include "controller/routes.h"
#include "controller/rpc.h"
#include "controller/schema.h"
#include "libflynn/attr.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/http_server.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/sign.h"
#include "libflynn/xmalloc.h"

/* Clients are promised an answer within 5 s while PostgreSQL is away. */
#define DATABASE_WAIT_MS 4000

/* Browsers send no header of ours when they open an event stream, so its key may be in the query. */
static const char *
key_of_query(struct fl_http_req *req)
{
	if (fl_http_header(req, "Authorization") != NULL || !fl_http_accepts(req, "text/event-stream"))
		return NULL;
	return fl_http_query(req, "key");
}

/* Any key of the list will do, so that keys can be changed one after the other. */
static bool
authorize(struct fl_http_req *req, void *arg)
{
	const struct controller *c = arg;
	const char *sent = fl_http_header(req, "Authorization"), *query = key_of_query(req);
	bool ok = false;

	for (const char *p = c->cfg->auth_key; *p != '\0'; p += *p == ',') {
		char *key = fl_xstrndup(p, strcspn(p, ","));

		ok |= *key != '\0' && (fl_sign_basic_ok(sent, key) || fl_sign_key_eq(query, key));
		p += strlen(key);
		free(key);
	}
	return ok;
}

static void
on_schema(void *arg)
{
	struct controller *c = arg;

	formation_events_listen(c->formation_events);
	job_events_listen(c->job_events);
	events_listen(c->events);
	app_log_listen(c);
	c->deployer = deployer_start(c);
	c->retention = retention_start(c);
	c->collector = collector_start(c);
}

static void
on_routers_changed(struct fl_discoverd_service *routers, void *arg)
{
	app_requests_routers_changed(routers, arg);
	app_log_routers_changed(arg);
}

struct controller *
controller_new(struct event_base *base, const struct controller_config *cfg, struct fl_err *err)
{
	struct controller *c = fl_xcalloc(1, sizeof(*c));
	struct fl_pg_opts pg = { .conninfo = database_ready_conninfo, .arg = c, .wait_ms = DATABASE_WAIT_MS };
	char *addr = fl_xasprintf(":%s", cfg->port);

	c->base = base;
	c->cfg = cfg;
	LIST_INIT(&c->runs);
	LIST_INIT(&c->execs);
	LIST_INIT(&c->rpcs);
	LIST_INIT(&c->logs);
	LIST_INIT(&c->app_logs);
	LIST_INIT(&c->askings);
	c->discoverd = fl_discoverd_new(base, cfg->discoverd, cfg->cluster_key);
	c->client = fl_http_client_new(base, cfg->cluster_key);
	if (cfg->pg_host == NULL)
		c->postgres = fl_discoverd_watch(c->discoverd, cfg->postgres, NULL, NULL);
	c->hosts = fl_discoverd_watch(c->discoverd, HOSTS_SERVICE, NULL, NULL);
	c->routers = fl_discoverd_watch(c->discoverd, ROUTER_SERVICE, on_routers_changed, c);
	c->pg = fl_pg_new(base, &pg);
	c->formation_events = formation_events_new(c);
	c->job_events = job_events_new(c);
	c->events = events_new(c);
	c->deployments = deployments_new(c);
	c->schema = schema_start(base, database_conninfo, on_schema, c);
	c->http = fl_http_new(base, NULL);
	fl_http_set_max_body(c->http, BODY_MAX_RELEASE);
	fl_http_set_read_timeout(c->http, cfg->reader_timeout_s);
	fl_http_set_refuse(c->http, answer_refused);
	fl_http_set_cors(c->http, true);
	fl_http_set_authorize(c->http, authorize);
	if (routes_listen(c, addr, err) == -1) {
		controller_free(c);
		c = NULL;
	} else {
		fl_log_info("listening", fl_str("addr", addr));
	}
	free(addr);
	return c;
}

static void
on_ended(void *arg)
{
	struct controller *c = arg;

	if (--c->to_end == 0)
		event_base_loopexit(c->base, NULL);
}

void
controller_stop(void *arg)
{
	struct controller *c = arg;

	c->to_end = 1 + (c->deployer != NULL);
	if (c->deployer != NULL)
		deployer_stop(c->deployer, on_ended, c);
	fl_http_drain(c->http, on_ended, c);
}

void
controller_free(struct controller *c)
{
	if (c == NULL)
		return;
	fl_http_free(c->http); /* tells streams that their readers are gone */
	job_run_free_all(c);
	job_exec_free_all(c);
	rpc_free_all(c);
	job_log_free_all(c);
	app_log_free_all(c);
	app_requests_free_all(c);
	retention_free(c->retention);
	collector_free(c->collector);
	schema_free(c->schema);
	fl_pg_free(c->pg);
	formation_events_free(c->formation_events);
	job_events_free(c->job_events);
	events_free(c->events);
	deployer_free(c->deployer);
	deployments_free(c->deployments);
	fl_http_client_free(c->client);
	if (c->postgres != NULL)
		fl_discoverd_unwatch(c->postgres);
	fl_discoverd_unwatch(c->hosts);
	fl_discoverd_unwatch(c->routers);
	fl_discoverd_free(c->discoverd);
	free(c);
}
