#include <stdlib.h>
#include <string.h>

#include "action_run_app.h"
#include "app.h"
#include "bootstrap.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/http_client.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/process.h"
#include "libflynn/xmalloc.h"
#include "step.h"

/* How many of the step's jobs are not up yet. */
struct coming_up {
	size_t jobs;
};

static void
job_is_up(struct bootstrap *b, const char *job_id)
{
	struct step *s = fl_map_remove(b->job_steps, job_id);
	struct coming_up *c = s != NULL ? s->work : NULL;

	if (c != NULL && --c->jobs == 0)
		step_done(s, NULL);
}

static void
job_is_over(struct bootstrap *b, const struct fl_active_job *job)
{
	struct step *s = fl_map_remove(b->job_steps, job->job->id);
	struct fl_err err;

	if (s == NULL)
		return;
	if (job->error != NULL)
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "%s", job->error);
	else
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "job %s exited %d before it was up", job->job->id, job->exit_status);
	step_fail(s, &err);
}

static void
job_look(struct bootstrap *b, const struct fl_active_job *job)
{
	switch (job->status) {
	case FL_JOB_STARTING:
	case FL_JOB_STOPPING:
	case FL_JOB_STATUS_MAX:
		break;
	case FL_JOB_RUNNING:
		if (job->healthy)
			job_is_up(b, job->job->id);
		break;
	case FL_JOB_DONE:
	case FL_JOB_CRASHED:
	case FL_JOB_FAILED:
		job_is_over(b, job);
		break;
	}
}

static void
on_current(struct fl_active_job *const *jobs, size_t n, void *arg)
{
	struct bootstrap *b = arg;

	for (size_t i = 0; i < n && b->status == 0; i++)
		job_look(b, jobs[i]);
}

static void
on_event(const char *kind, const struct fl_active_job *job, void *arg)
{
	if (strcmp(kind, "up") == 0)
		job_is_up(arg, job->job->id);
	else
		job_look(arg, job);
}

const struct fl_host_events_ops run_app_events = { on_current, on_event, NULL };

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
	struct coming_up *c = s->work;

	for (; count > 0; count--) {
		struct fl_job *job = fl_process_job(a->app, a->release, a->artifact, type, b->host_id, err);

		if (job == NULL)
			return -1;
		c->jobs++;
		fl_map_set(b->job_steps, job->id, s);
		fl_host_add_job(b->http, b->host_addr, job, on_added, s);
		fl_job_free(job);
	}
	return 0;
}

static void
start_processes(struct step *s, const struct app *a, const struct fl_json *processes)
{
	struct fl_err err;

	s->work = fl_xcalloc(1, sizeof(struct coming_up));
	s->work_free = free;
	s->waiting_for = "its jobs to come up";
	for (size_t i = 0; i < fl_json_len(processes); i++) {
		int64_t count = fl_json_int(fl_json_at(processes, i), 0);

		if (start_type(s, a, fl_json_key_at(processes, i), count, &err) == -1) {
			step_fail(s, &err);
			return;
		}
	}
	if (((struct coming_up *)s->work)->jobs == 0)
		step_done(s, NULL);
}

static void
on_provisioned(struct step *s)
{
	start_processes(s, s->app, s->app->processes);
}

void
action_run_app(struct step *s)
{
	struct step *of = NULL;
	struct fl_err err;

	if (fl_json_get(s->spec, "app_step") == NULL) {
		if ((s->app = app_parse(s->spec, &err)) == NULL)
			step_fail(s, &err);
		else
			app_provision(s, s->app, on_provisioned);
		return;
	}
	if ((of = step_app_step(s, "app_step", &err)) == NULL)
		step_fail(s, &err);
	else
		start_processes(s, of->app, fl_json_get(s->spec, "processes"));
}
