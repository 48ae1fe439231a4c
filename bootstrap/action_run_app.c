/*
 * run-app: start jobs on the host directly, before there is a scheduler that could.
 */
#include <stdlib.h>

#include "bootstrap/app.h"
#include "bootstrap/bootstrap.h"
#include "bootstrap/step.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/http_client.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/process.h"

#define MAX_COUNT 100

static void
job_is_up(struct step *s, const char *job_id)
{
	struct fl_map *coming_up = s->work;

	if (fl_map_remove(coming_up, job_id) != NULL && fl_map_count(coming_up) == 0)
		step_done(s, NULL);
}

/* s->work holds the ids of the jobs that are not up yet. */
static void
on_job(struct step *s, const struct fl_active_job *job)
{
	if (fl_map_get(s->work, job->job->id) == NULL)
		return;
	switch (job->status) {
	case FL_JOB_STARTING:
	case FL_JOB_STOPPING:
	case FL_JOB_STATUS_MAX:
		break;
	case FL_JOB_RUNNING:
		if (job->healthy)
			job_is_up(s, job->job->id);
		break;
	case FL_JOB_DONE:
	case FL_JOB_CRASHED:
	case FL_JOB_FAILED:
		step_fail_job(s, job);
		break;
	}
}

static void
on_added(const struct fl_err *err, void *arg)
{
	if (err != NULL)
		step_fail(arg, err);
}

static int
start_type(struct step *s, const struct app *a, const char *type, int64_t count, struct fl_err *err)
{
	struct bootstrap *b = s->bootstrap;

	for (; count > 0; count--) {
		struct fl_job *job = fl_process_job(a->app, a->release, a->artifact, type, b->host_id, err);

		if (job == NULL)
			return -1;
		fl_map_set(s->work, job->id, s);
		fl_host_add_job(b->http, b->host_addr, job, on_added, s);
		fl_job_free(job);
	}
	return 0;
}

static void
free_ids(void *ids)
{
	fl_map_free(ids);
}

static void
start_processes(struct step *s, const struct app *a, const struct fl_json *processes)
{
	struct fl_err err;

	s->work = fl_map_new();
	s->work_free = free_ids;
	s->on_job = on_job;
	s->waiting_for = "its jobs to come up";
	for (size_t i = 0; i < fl_json_len(processes); i++) {
		const char *type = fl_json_key_at(processes, i);
		int64_t count = 0;

		if (fl_json_member_int(processes, type, 0, MAX_COUNT, &count, &err) == -1 || start_type(s, a, type, count, &err) == -1) {
			step_fail(s, &err);
			return;
		}
	}
	if (fl_map_count(s->work) == 0)
		step_done(s, NULL);
}

static void
on_provisioned(struct step *s)
{
	start_processes(s, s->app, s->app->processes);
}

static void
run_again(struct step *s)
{
	const struct fl_json *processes = NULL;
	struct step *of;
	struct fl_err err;

	if ((of = step_app_step(s, "app_step", &err)) == NULL || fl_json_member_obj(s->spec, "processes", &processes, &err) == -1)
		step_fail(s, &err);
	else
		start_processes(s, of->app, processes);
}

void
action_run_app(struct step *s)
{
	struct fl_err err;

	if (fl_json_get(s->spec, "app_step") != NULL)
		run_again(s);
	else if ((s->app = app_parse(s->spec, &err)) == NULL)
		step_fail(s, &err);
	else
		app_provision(s, s->app, on_provisioned);
}
