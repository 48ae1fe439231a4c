#include <stdio.h>
#include <stdlib.h>

#include "controller/scheduler.h"
#include "controller/scheduler_act.h"
#include "controller/scheduler_decide.h"
#include "controller/scheduler_record.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/process.h"
#include "libflynn/size.h"
#include "libflynn/xmalloc.h"

/* A refused request is not repeated faster than this. */
#define REFUSED_MS 1000

/* A request to a host; the job may be gone from the world when it is answered. */
struct request {
	struct scheduler *scheduler;
	char *job_id;
};

static struct request *
request_new(struct scheduler *s, struct job *j)
{
	struct request *r = fl_xcalloc(1, sizeof(*r));

	r->scheduler = s;
	r->job_id = fl_xstrdup(j->id);
	j->in_flight = true;
	return r;
}

/* The job asked about, no longer in flight; NULL when it has gone. Frees the request. */
static struct job *
request_end(struct request *r)
{
	struct job *j = world_job(&r->scheduler->world, r->job_id);

	if (j != NULL)
		j->in_flight = false;
	free(r->job_id);
	free(r);
	return j;
}

/* Back to waiting, with one more restart counted, as if it had run and died; where one belongs on each host, for that one. */
static void
start_failed(struct scheduler *s, struct job *j, const char *why)
{
	const struct formation *f = world_formation(&s->world, j->app, j->release);
	const char *host = f != NULL && formation_is_omni(f, j->type) ? j->host_id : NULL;
	struct job *again;

	fl_log_warn("host did not take a job", fl_str("job", j->id), fl_str("host", j->host_id), fl_str("err", why));
	record_end(s->records, j->id, j->app, j->release, j->type, "failed", why);
	again = world_add_job(&s->world, NULL, host, j->app, j->release, j->type);
	again->restarts = j->restarts + 1;
	again->run_at = fl_clock_ms() + REFUSED_MS + restart_delay_ms(again->restarts);
	world_remove_job(&s->world, j);
	scheduler_look_again(s);
}

static void
on_added(const struct fl_err *err, void *arg)
{
	struct request *r = arg;
	struct scheduler *s = r->scheduler;
	struct job *j = request_end(r);

	if (j == NULL)
		return;
	/* CONFLICT: an earlier try of the same request had arrived. */
	if (err != NULL && err->kind != FL_ERR_CONFLICT)
		start_failed(s, j, err->msg);
	else
		scheduler_look_again(s);
}

/* What never becomes a job at the host is one on record, with an id like any other. */
static void
place_nowhere(struct scheduler *s, struct job *j, const struct host *h)
{
	struct fl_job *blank = fl_job_new();

	fl_job_set_id(blank, h->id);
	world_place_job(&s->world, j, blank->id, h->id);
	fl_job_free(blank);
}

/* A volume that was decommissioned is not given to it, but a new one. */
static void
number_volumes(struct fl_job *job, const struct formation *f, const char *type, const char *host_id)
{
	for (size_t i = 0; i < job->n_volumes; i++) {
		struct fl_job_volume *v = &job->volumes[i];

		v->name = fl_process_volume_number(v->name, formation_volume_number(f, type, v->target, host_id));
	}
}

static void
send_job(struct scheduler *s, struct job *j, const struct formation *f, const struct host *h)
{
	const struct fl_json *x = f->expanded;
	struct fl_err err;
	struct fl_job *job = fl_process_job(fl_json_get(x, "app"), fl_json_get(x, "release"), fl_json_get(x, "artifact"),
	    j->type, h->id, &err);
	char restarts[16];

	if (job == NULL) {
		/* The release is wrong and stays so: named once a back-off, not in a loop. */
		place_nowhere(s, j, h);
		start_failed(s, j, err.msg);
		return;
	}
	number_volumes(job, f, j->type, h->id);
	if (j->restarts > 0) {
		snprintf(restarts, sizeof(restarts), "%d", j->restarts);
		fl_job_set_meta(job, FL_JOB_META_RESTARTS, restarts);
	}
	world_place_job(&s->world, j, job->id, h->id);
	j->memory_bytes = job->memory_bytes;
	fl_log_info("job start", fl_str("job", j->id), fl_str("app", fl_map_get(job->metadata, FL_JOB_META_APP_NAME)),
	    fl_str("type", j->type), fl_int("restarts", j->restarts));
	fl_host_add_job(s->hosts_http, h->addr, job, on_added, request_new(s, j));
	fl_job_free(job);
}

/* No host has the room: that is the end of this try. */
static void
refuse_job(struct scheduler *s, struct job *j, const struct formation *f, const struct host *h)
{
	struct fl_buf why = { 0 };

	fl_buf_addstr(&why, "no host has ");
	fl_size_write(&why, formation_memory(f, j->type));
	fl_buf_addstr(&why, " free");
	place_nowhere(s, j, h);
	start_failed(s, j, fl_buf_cstr(&why));
	fl_buf_release(&why);
}

static struct job *
new_job(struct scheduler *s, const struct sched_action *a)
{
	return world_add_job(&s->world, NULL, NULL, a->formation->app, a->formation->release, a->type);
}

static void
on_stopped(const struct fl_err *err, void *arg)
{
	struct request *r = arg;
	struct scheduler *s = r->scheduler;
	struct job *j = request_end(r);

	if (j == NULL || err == NULL)
		return; /* its end comes as an event */
	if (err->kind == FL_ERR_NOT_FOUND) {
		world_remove_job(&s->world, j);
		scheduler_look_again(s);
	} else {
		fl_log_warn("host did not stop a job", fl_str("job", j->id), fl_str("err", err->msg));
		j->state = JOB_UP; /* so that it is decided on again */
		scheduler_look_in(s, REFUSED_MS);
	}
}

static void
stop_job(struct scheduler *s, struct job *j)
{
	struct host *h = fl_map_get(s->world.hosts, j->host_id);

	if (h == NULL)
		return;
	fl_log_info("job stop", fl_str("job", j->id), fl_str("type", j->type));
	j->state = JOB_STOPPING;
	fl_host_stop_job(s->hosts_http, h->addr, j->id, on_stopped, request_new(s, j));
}

void
act(struct scheduler *s, const struct sched_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct sched_action *a = &plan->actions[i];

		switch (a->kind) {
		case ACTION_START:
			send_job(s, new_job(s, a), a->formation, a->host);
			break;
		case ACTION_START_PENDING:
			send_job(s, a->job, a->formation, a->host);
			break;
		case ACTION_REFUSE:
			refuse_job(s, a->job != NULL ? a->job : new_job(s, a), a->formation, a->host);
			break;
		case ACTION_STOP:
			stop_job(s, a->job);
			break;
		case ACTION_FORGET:
			world_remove_job(&s->world, a->job);
			break;
		}
	}
}
