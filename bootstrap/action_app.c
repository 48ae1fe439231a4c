/*
 * Apps in the controller: add-app records one that runs already, deploy-app makes one and waits until
 * its services are there, scale-app sets how many of each process type there shall be.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap/app.h"
#include "bootstrap/bootstrap.h"
#include "bootstrap/service_call.h"
#include "bootstrap/step.h"
#include "libflynn/buf.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/http_client.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define UP_TIMEOUT_MS 60000
/*
 * The scheduler replaces a job that fails, and what it failed of may be gone then: the port that it was to listen on may
 * have been an outgoing connection's. One that fails so often will not come up.
 */
#define FAILURES_MAX 3

/* Of a deploy-app step, while its jobs come up. */
struct coming_up {
	size_t services; /* that are not there yet */
};

static void
on_recorded(struct step *s)
{
	step_done(s, NULL);
}

void
action_add_app(struct step *s)
{
	struct step *from;
	struct fl_err err;

	if ((from = step_app_step(s, "from_step", &err)) == NULL)
		step_fail(s, &err);
	else
		app_create(s, from->app, on_recorded);
}

static void
on_service_up(FL_UNUSED const char *addr, const struct fl_err *err, void *arg)
{
	struct step *s = arg;
	struct coming_up *up = s->work;

	if (err != NULL)
		step_fail(s, err);
	else if (--up->services == 0)
		step_done(s, NULL);
}

static void
wait_for_service(struct step *s, const char *name)
{
	struct coming_up *up = s->work;

	up->services++;
	fl_discoverd_find(s->bootstrap->discoverd, name, UP_TIMEOUT_MS, on_service_up, s);
}

static bool
is_ours(const struct step *s, const struct fl_job *job)
{
	const char *app = fl_map_get(job->metadata, FL_JOB_META_APP), *release = fl_map_get(job->metadata, FL_JOB_META_RELEASE);

	return app != NULL && strcmp(app, s->app->id) == 0 && release != NULL &&
	    strcmp(release, fl_json_text(s->app->release, "id")) == 0;
}

static void
on_job(struct step *s, const struct fl_active_job *job)
{
	if ((job->status == FL_JOB_FAILED || job->status == FL_JOB_CRASHED) && is_ours(s, job->job) && ++s->failed_jobs == FAILURES_MAX)
		step_fail_job(s, job);
}

/* The services that the release's ports name come up once the scheduler has started their jobs. */
static void
on_created(struct step *s)
{
	const struct fl_json *types = fl_json_get(s->app->release, "processes");
	struct coming_up *up = s->work = fl_xcalloc(1, sizeof(*up));

	s->work_free = free;
	s->waiting_for = "its services to come up";
	for (size_t t = 0; t < fl_json_len(types); t++) {
		const struct fl_json *ports = fl_json_get(fl_json_at(types, t), "ports");

		if (fl_json_int(fl_json_get(s->app->processes, fl_json_key_at(types, t)), 0) == 0)
			continue;
		for (size_t i = 0; i < fl_json_len(ports); i++) {
			const struct fl_json *service = fl_json_get(fl_json_at(ports, i), "service");
			const char *name = fl_json_str(fl_json_get(service, "name"), NULL);

			if (name != NULL)
				wait_for_service(s, name);
		}
	}
	if (up->services == 0)
		step_done(s, NULL);
}

static void
on_provisioned(struct step *s)
{
	app_create(s, s->app, on_created);
}

void
action_deploy_app(struct step *s)
{
	struct fl_err err;

	if ((s->app = app_parse(s->spec, &err)) == NULL) {
		step_fail(s, &err);
		return;
	}
	s->on_job = on_job; /* they may fail before the controller's answer to what started them is read */
	app_provision(s, s->app, on_provisioned);
}

static void
on_scaled(struct step *s, const struct fl_http_result *res, const struct fl_err *err)
{
	struct fl_err why;

	if (err == NULL && fl_http_result_check(res, "set the formation", &why) == 0)
		step_done(s, NULL);
	else
		step_fail(s, err != NULL ? err : &why);
}

void
action_scale_app(struct step *s)
{
	struct step *of;
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);
	struct fl_err err;
	char *path;

	if ((of = step_app_step(s, "app_step", &err)) == NULL) {
		step_fail(s, &err);
		return;
	}
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_value(&w, "processes", fl_json_get(s->spec, "processes"));
	fl_jsonw_close(&w, '}');
	path = fl_xasprintf("/apps/%s/formations/%s", of->app->id,
	    fl_json_text(of->app->release, "id"));
	s->waiting_for = "the controller";
	controller_call(s, "PUT", path, text.data, on_scaled);
	free(path);
	fl_buf_release(&text);
}
