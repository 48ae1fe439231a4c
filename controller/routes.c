#include "controller/routes.h"

#include "controller/all_routes.h"
#include "controller/answer.h"
#include "controller/app_release.h"
#include "controller/app_log.h"
#include "controller/app_requests.h"
#include "controller/app_routes.h"
#include "controller/apps.h"
#include "controller/artifacts.h"
#include "controller/collector.h"
#include "controller/controller.h"
#include "controller/events.h"
#include "controller/deployments.h"
#include "controller/formations.h"
#include "controller/images.h"
#include "controller/job_exec.h"
#include "controller/job_log.h"
#include "controller/job_run.h"
#include "controller/jobs.h"
#include "controller/keys.h"
#include "controller/providers.h"
#include "controller/releases.h"
#include "controller/resources.h"
#include "controller/restarts.h"
#include "controller/rpc.h"
#include "controller/scale_requests.h"
#include "controller/unsupported.h"
#include "controller/volumes.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/http_server.h"
#include "libflynn/pg.h"

/* Bootstraps and load balancers of all times ask for it, with any method; the answer is empty. */
static void
ping(struct fl_http_req *req, FL_UNUSED void *arg)
{
	answer_empty(req);
}

static void
on_status(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	static const char healthy[] = "{\"data\":{\"status\":\"healthy\",\"version\":\"" FL_VERSION "\"}}";
	struct fl_buf b = { 0 };

	if (err != NULL) {
		answer_err(arg, NULL, err);
		return;
	}
	fl_buf_addstr(&b, healthy);
	answer_json(arg, &b);
}

/* Whether it can do what it is for. */
static void
status(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;

	fl_pg_query(c->pg, "SELECT 1", NULL, 0, on_status, req);
}

/* :app and :provider are a name or an id, all others an id. */
static const struct fl_http_route routes[] = {
	{ "*", "/ping", ping, FL_HTTP_OPEN },
	{ "GET", "/.well-known/status", status, 0 },

	{ "GET", "/apps", apps_list, 0 },
	{ "POST", "/apps", apps_create, 0 },
	{ "GET", "/apps/:app", apps_get, 0 },
	{ "POST", "/apps/:app", apps_update, 0 },
	{ "POST", "/apps/:app/meta", apps_update, 0 },
	{ "DELETE", "/apps/:app", apps_delete, 0 },
	{ "POST", "/apps/:app/gc", collector_collect, 0 },

	{ "GET", "/artifacts", artifacts_list, 0 },
	{ "POST", "/artifacts", artifacts_create, 0 },
	{ "GET", "/artifacts/:artifact", artifacts_get, 0 },

	{ "GET", "/images", images_resolve, 0 },

	{ "GET", "/releases", releases_list, 0 },
	{ "POST", "/releases", releases_create, 0 },
	{ "GET", "/releases/:release", releases_get, 0 },
	{ "GET", "/apps/:app/releases", releases_of_app, 0 },
	{ "DELETE", "/apps/:app/releases/:release", releases_delete, 0 },
	{ "GET", "/apps/:app/release", app_release_get, 0 },
	{ "PUT", "/apps/:app/release", app_release_set, 0 },

	{ "POST", "/apps/:app/deploy", deployments_create, 0 },
	{ "GET", "/apps/:app/deployments", deployments_list, 0 },
	{ "GET", "/deployments/:deployment", deployments_get, 0 },
	{ "DELETE", "/deployments/:deployment", deployments_cancel, 0 },

	{ "GET", "/formations", formations_list_all, 0 },
	{ "*", "/_goRPC_", rpc_connect, 0 },
	{ "GET", "/apps/:app/formations", formations_list, 0 },
	{ "GET", "/apps/:app/formations/:release", formations_get, 0 },
	{ "PUT", "/apps/:app/formations/:release", formations_put, 0 },
	{ "DELETE", "/apps/:app/formations/:release", formations_delete, 0 },

	{ "PUT", "/apps/:app/scale/:release", scale_requests_put, 0 },

	{ "POST", "/apps/:app/restart", restarts_create, 0 },

	{ "GET", "/volumes", volumes_list_all, 0 },
	{ "GET", "/apps/:app/volumes", volumes_list, 0 },
	{ "GET", "/apps/:app/volumes/:volume", volumes_get, 0 },
	{ "DELETE", "/apps/:app/volumes/:volume", volumes_delete, 0 },
	{ "PUT", "/apps/:app/volumes/:volume/decommission", volumes_decommission, 0 },

	{ "GET", "/active-jobs", jobs_list_live, 0 },
	{ "GET", "/apps/:app/jobs", jobs_list, 0 },
	{ "POST", "/apps/:app/jobs", job_run, 0 },
	{ "GET", "/apps/:app/jobs/:job", jobs_get, 0 },
	{ "PUT", "/apps/:app/jobs/:job", jobs_put, 0 },
	{ "DELETE", "/apps/:app/jobs/:job", jobs_delete, 0 },
	{ "GET", "/apps/:app/jobs/:job/log", job_log, 0 },
	{ "POST", "/apps/:app/jobs/:job/exec", job_exec, 0 },

	{ "GET", "/apps/:app/routes", app_routes_list, 0 },
	{ "POST", "/apps/:app/routes", app_routes_create, 0 },
	{ "GET", "/apps/:app/routes/:type/:id", app_routes_get, 0 },
	{ "PUT", "/apps/:app/routes/:type/:id", app_routes_update, 0 },
	{ "DELETE", "/apps/:app/routes/:type/:id", app_routes_delete, 0 },
	/* Clients of the flat form put the type before our id, which has it already. */
	{ "GET", "/apps/:app/routes/:again/:type/:id", app_routes_get, 0 },
	{ "PUT", "/apps/:app/routes/:again/:type/:id", app_routes_update, 0 },
	{ "DELETE", "/apps/:app/routes/:again/:type/:id", app_routes_delete, 0 },
	{ "GET", "/routes", all_routes_list, 0 },
	{ "GET", "/ca-cert", all_routes_ca_cert, FL_HTTP_OPEN },
	{ "GET", "/apps/:app/requests", app_requests, 0 },
	{ "GET", "/apps/:app/log", app_log, 0 },

	{ "GET", "/events", events_read, 0 },
	{ "GET", "/events/:event", events_get, 0 },

	{ "GET", "/keys", keys_list, 0 },
	{ "POST", "/keys", keys_create, 0 },
	{ "GET", "/keys/:fingerprint", keys_get, 0 },
	{ "DELETE", "/keys/:fingerprint", keys_delete, 0 },

	{ "GET", "/providers", providers_list, 0 },
	{ "POST", "/providers", providers_create, 0 },
	{ "GET", "/providers/:provider", providers_get, 0 },
	{ "GET", "/providers/:provider/resources", resources_list, 0 },
	{ "POST", "/providers/:provider/resources", resources_create, 0 },
	{ "GET", "/providers/:provider/resources/:resource", resources_get, 0 },
	{ "PUT", "/providers/:provider/resources/:resource", resources_put, 0 },
	{ "DELETE", "/providers/:provider/resources/:resource", resources_delete, 0 },
	{ "PUT", "/providers/:provider/resources/:resource/apps/:app", resources_add_app, 0 },
	{ "DELETE", "/providers/:provider/resources/:resource/apps/:app", resources_remove_app, 0 },
	{ "GET", "/resources", resources_list_all, 0 },
	{ "GET", "/apps/:app/resources", resources_of_app, 0 },

	{ "GET", "/backup", unsupported_backup, 0 },
	{ "PUT", "/domain", unsupported_domain, 0 },
	{ "GET", "/sinks", unsupported_sinks, 0 },
	{ "POST", "/sinks", unsupported_sinks, 0 },
	{ "GET", "/sinks/:sink", unsupported_sinks, 0 },
	{ "DELETE", "/sinks/:sink", unsupported_sinks, 0 },
};

int
routes_listen(struct controller *c, const char *addr, struct fl_err *err)
{
	return fl_http_listen(c->http, addr, routes, fl_nitems(routes), c, err);
}
