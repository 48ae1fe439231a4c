#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/rollout.h"
#include "libflynn/sse_client.h"
#include "libflynn/xmalloc.h"

struct watched_job {
	char *type, *state;
};

struct rollout {
	const struct fl_rollout *opts;
	struct event_base *base;
	struct fl_http_client *http;
	struct fl_sse_client *events;
	struct event *deadline;
	char *jobs_url;
	char *release;	     /* NULL: not changed yet */
	struct fl_map *jobs; /* of the release and the goals' types: id -> struct watched_job */
	struct fl_err err;
	bool reached;
};

static void
watched_job_free(void *arg)
{
	struct watched_job *j = arg;

	free(j->type);
	free(j->state);
	free(j);
}

static void
rollout_end(struct rollout *r)
{
	event_base_loopbreak(r->base);
}

static void
count_type(const struct rollout *r, const char *type, int *up, int *starting)
{
	*up = *starting = 0;
	FL_MAP_EACH(r->jobs, e) {
		const struct watched_job *j = fl_map_value(e);

		if (strcmp(j->type, type) != 0)
			continue;
		*up += strcmp(j->state, "up") == 0;
		*starting += strcmp(j->state, "starting") == 0;
	}
}

static bool
is_leaving(const struct rollout *r, const char *id)
{
	for (size_t i = 0; i < r->opts->n_leaving; i++)
		if (strcmp(r->opts->leaving[i], id) == 0)
			return true;
	return false;
}

/* Those to go that have not gone. */
static size_t
count_leaving(const struct rollout *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->opts->n_leaving; i++) {
		const struct watched_job *j = fl_map_get(r->jobs, r->opts->leaving[i]);

		n += j != NULL && (strcmp(j->state, "up") == 0 || strcmp(j->state, "starting") == 0);
	}
	return n;
}

static void
look(struct rollout *r)
{
	int up, starting;

	if (r->release == NULL || r->err.kind != FL_ERR_NONE)
		return;
	for (size_t i = 0; i < r->opts->n_goals; i++) {
		count_type(r, r->opts->goals[i].type, &up, &starting);
		if (up != r->opts->goals[i].count || starting != 0)
			return;
	}
	if (count_leaving(r) > 0)
		return;
	r->reached = true;
	rollout_end(r);
}

static const struct fl_rollout_goal *
goal_of(const struct rollout *r, const char *type)
{
	for (size_t i = 0; i < r->opts->n_goals; i++)
		if (strcmp(r->opts->goals[i].type, type) == 0)
			return &r->opts->goals[i];
	return NULL;
}

static void
job_failed(struct rollout *r, const struct fl_json *job, const char *id, const char *type)
{
	const char *why = fl_json_text(job, "host_error");
	int64_t status = fl_json_int(fl_json_get(job, "exit_status"), -1);

	if (*why != '\0')
		fl_err_set(&r->err, FL_ERR_UNAVAILABLE, "%s", why);
	else
		fl_err_set(&r->err, FL_ERR_UNAVAILABLE, "%s exited with status %lld: flynn log %s shows what it said", type,
		    (long long)status, id);
	rollout_end(r);
}

static void
arm(struct rollout *r)
{
	struct timeval tv = { r->opts->timeout_s, 0 };

	evtimer_add(r->deadline, &tv);
}

static void
job_seen(struct rollout *r, const struct fl_json *job, const char *id, bool is_event)
{
	const char *type = fl_json_text(job, "type");
	const char *state = fl_json_text(job, "state");
	const struct fl_rollout_goal *goal = goal_of(r, type);
	struct watched_job *j = fl_map_get(r->jobs, id);

	if (strcmp(fl_json_text(job, "release"), r->release) != 0 || goal == NULL)
		return;
	if (j == NULL) {
		j = fl_xcalloc(1, sizeof(*j));
		*j = (struct watched_job){ fl_xstrdup(type), fl_xstrdup("") };
		fl_map_set(r->jobs, id, j);
	}
	if (strcmp(j->state, state) == 0)
		return;
	free(j->state);
	j->state = fl_xstrdup(state);
	if (!is_event)
		return;
	if (is_leaving(r, id)) /* one more: the time is that of each */
		arm(r);
	if (r->opts->on_job != NULL)
		r->opts->on_job(type, state, id, r->opts->arg);
	/* One that fails while its type is being given up does as it was to. */
	if (goal->count > 0 && !is_leaving(r, id) && (strcmp(state, "crashed") == 0 || strcmp(state, "failed") == 0))
		job_failed(r, job, id, type);
}

/* What runs of the release: events tell only of changes. again: what was not known before has happened meanwhile. */
static int
list_jobs(struct rollout *r, bool again, struct fl_err *err)
{
	struct fl_http_call_opts opts = { .url = r->jobs_url, .key = r->opts->key, .pin = r->opts->pin };
	struct fl_json *jobs = fl_http_fetch_json(&opts, "the list of jobs", err);

	if (jobs == NULL)
		return -1;
	for (size_t i = 0; i < fl_json_len(jobs) && r->err.kind == FL_ERR_NONE; i++)
		job_seen(r, fl_json_at(jobs, i), fl_json_text(fl_json_at(jobs, i), "id"), again);
	fl_json_free(jobs);
	return 0;
}

/*
 * The stream stands: whatever happens from now on waits in it while we change and look. The list may be ahead of events
 * that we have yet to read; they lead to the same state again.
 */
static void
on_open(void *arg)
{
	struct rollout *r = arg;

	if (r->release != NULL) /* what happened while there was no stream; if it cannot be told, the deadline does */
		list_jobs(r, true, NULL);
	else if ((r->release = r->opts->change(r->opts->arg, &r->err)) == NULL || list_jobs(r, false, &r->err) == -1)
		rollout_end(r);
	look(r);
}

static void
on_event(FL_UNUSED const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct rollout *r = arg;
	struct fl_json *job = fl_json_parse(data, len, NULL);
	const char *job_id = fl_json_str(fl_json_get(job, "job_id"), NULL);

	if (job_id != NULL && r->release != NULL) {
		job_seen(r, job, job_id, true);
		look(r);
	}
	fl_json_free(job);
}

/* A controller that goes while we wait, as one that is restarted itself, comes back: until then nothing has failed. */
static void
on_error(const struct fl_err *err, void *arg)
{
	struct rollout *r = arg;

	if (r->release != NULL || r->err.kind != FL_ERR_NONE)
		return;
	r->err = *err;
	rollout_end(r);
}

static char *
jobs_url(void *arg)
{
	const struct rollout *r = arg;

	return fl_xstrdup(r->jobs_url);
}

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct rollout *r = arg;
	struct fl_buf seen = { 0 };
	int up, starting;

	for (size_t i = 0; i < r->opts->n_goals; i++) {
		const struct fl_rollout_goal *g = &r->opts->goals[i];

		count_type(r, g->type, &up, &starting);
		fl_buf_addf(&seen, "%s%s=%d: %d up, %d starting", i > 0 ? "; " : "", g->type, g->count, up, starting);
	}
	if (r->opts->n_leaving > 0)
		fl_buf_addf(&seen, "; %zu to go", count_leaving(r));
	fl_err_set(&r->err, FL_ERR_TIMEOUT, "not reached after %d s: %s; flynn ps -a and flynn log say more", r->opts->timeout_s,
	    fl_buf_cstr(&seen));
	fl_buf_release(&seen);
	rollout_end(r);
}

int
fl_rollout_run(const struct fl_rollout *opts, struct fl_err *err)
{
	struct rollout r = { .opts = opts, .base = event_base_new(), .jobs = fl_map_new() };
	const struct fl_sse_client_ops ops = { jobs_url, on_open, on_event, on_error, opts->pin };

	r.jobs_url = fl_xasprintf("%s/apps/%s/jobs", opts->controller, opts->app);
	r.http = fl_http_client_new(r.base, opts->key);
	r.deadline = evtimer_new(r.base, on_deadline, &r);
	arm(&r);
	r.events = fl_sse_client_start(r.http, &ops, &r);
	event_base_dispatch(r.base);
	event_free(r.deadline);
	fl_sse_client_free(r.events);
	fl_http_client_free(r.http);
	fl_map_free_with(r.jobs, watched_job_free);
	event_base_free(r.base);
	free(r.jobs_url);
	free(r.release);
	if (!r.reached && err != NULL)
		*err = r.err;
	return r.reached ? 0 : -1;
}
