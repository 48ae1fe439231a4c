#include "host/restore.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "host/container.h"
#include "host/ending.h"
#include "host/engine.h"
#include "host/host.h"
#include "host/job.h"
#include "host/launch.h"
#include "host/launcher.h"
#include "host/manifest.h"
#include "host/recover.h"
#include "host/services.h"
#include "host/state.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define SOON_MS 100
#define RETRY_S 2

/* A container of ours, as the engine lists it. */
struct found {
	bool running;
};

struct restore {
	struct host *host;
	struct event *soon;
	struct fl_http_call *call;
	struct recover *recover;
};

enum restore_verdict
restore_decide(const struct restore_facts *f)
{
	if (f->running)
		return f->wanted && !f->bound ? RESTORE_ADOPT : RESTORE_STOP;
	if (f->wanted && !f->once)
		return RESTORE_LAUNCH;
	return f->has_container ? RESTORE_ENDED : RESTORE_LOST;
}

/* ---- acting ---- */

static void
act(struct job *j, const struct found *found)
{
	const struct restore_facts facts = {
		.wanted = j->wanted, .once = job_is_once(j), .bound = job_spec(j)->stop_on_detach && LIST_EMPTY(&j->attaches),
		.has_container = found != NULL, .running = found != NULL && found->running
	};

	switch (restore_decide(&facts)) {
	case RESTORE_ADOPT:
		if (j->renew_container)
			ending_stop(j); /* and, being wanted, it starts again */
		else
			launch_adopt(j);
		break;
	case RESTORE_LAUNCH:
		launcher_enqueue(j);
		break;
	case RESTORE_STOP:
		j->wanted = false;
		j->stop_requested = true;
		j->grace_s = job_spec(j)->stop_timeout_s;
		ending_stop(j);
		break;
	case RESTORE_ENDED:
		ending_died(j);
		break;
	case RESTORE_LOST:
		ending_conclude(j, FL_JOB_FAILED, -1, j->wanted ? "its container is gone: it ended while host was away" : NULL);
		break;
	case RESTORE_VERDICT_MAX:
		abort();
	}
}

static void
look_at(struct job *j, const struct found *found)
{
	if (j->call != NULL || j->pull != NULL)
		return; /* something is being asked already: its answer is newer than our list */
	if (found == NULL && j->state != JOB_ENDED) {
		free(j->active->container_id);
		j->active->container_id = NULL;
	}
	switch (j->state) {
	case JOB_CHECKING:
	case JOB_UP:
	case JOB_FAILING:
		if (found != NULL && found->running)
			return;
		job_cancel(j);
		services_unregister(j, NULL);
		job_enter(j, JOB_UNKNOWN);
		act(j, found);
		return;
	case JOB_UNKNOWN:
		act(j, found);
		return;
	case JOB_ENDED:
		if (found == NULL)
			j->container_removed = true;
		return;
	case JOB_QUEUED:
	case JOB_CREATING:
	case JOB_ATTACHING:
	case JOB_STARTING:
	case JOB_STOPPING:
	case JOB_DYING:
	case JOB_WAITING:
		return; /* on their way by themselves */
	case JOB_STATE_MAX:
		abort();
	}
}

/* ---- looking ---- */

static const char *
label(const struct fl_json *container, const char *name)
{
	return fl_json_text(fl_json_get(container, "Labels"), name);
}

static void
remove_leftover(struct host *h, const struct fl_json *container, const char *why)
{
	static const struct engine_call call = { .method = "DELETE" };
	const char *id = fl_json_text(container, "Id");
	const char *name = fl_json_str(fl_json_at(fl_json_get(container, "Names"), 0), id);

	if (!h->cfg->force) {
		fl_log_warn("a container is left over, -force would remove it", fl_str("container", name), fl_str("why", why));
		return;
	}
	fl_log_warn("removing a container that is left over", fl_str("container", name), fl_str("why", why));
	engine_forget(h->engine, &call, "/containers/%s?force=1&v=1", id);
}

static bool
is_running(const struct fl_json *container)
{
	const char *state = fl_json_text(container, "State");

	return strcmp(state, "running") == 0 || strcmp(state, "paused") == 0 || strcmp(state, "restarting") == 0;
}

/* Whether the container is its job's: the one that the job knows, or the only trace of a creation that we did not hear the end of. */
static bool
belongs(struct job *j, const char *container_id)
{
	if (j->active->container_id == NULL && (j->state == JOB_UNKNOWN || j->state == JOB_QUEUED) && j->call == NULL)
		j->active->container_id = fl_xstrdup(container_id);
	return j->active->container_id != NULL && strcmp(j->active->container_id, container_id) == 0;
}

static void
sort_out(struct host *h, const struct fl_json *container, struct fl_map *found)
{
	const char *id = fl_json_text(container, "Id");
	struct job *j = job_find(h, label(container, HOST_LABEL_JOB));
	struct found *f = NULL;

	if (strcmp(label(container, HOST_LABEL), h->id) != 0) {
		if (!h->ready)
			remove_leftover(h, container, "another host made it");
		return;
	}
	if (j == NULL && !h->ready)
		j = recover_job(h, container);
	if (j == NULL || (j->call == NULL && j->pull == NULL && !belongs(j, id))) {
		remove_leftover(h, container, j == NULL ? "no state and no label explains it" : "its job has another one");
		return;
	}
	if (!belongs(j, id))
		return; /* it is just being made */
	f = fl_xcalloc(1, sizeof(*f));
	f->running = is_running(container);
	free(fl_map_set(found, job_id(j), f));
}

static void
restore_apply(struct restore *r, const struct fl_json *containers)
{
	struct host *h = r->host;
	struct fl_map *found = fl_map_new();
	struct fl_err err = { 0 };
	struct job *j, *next;

	/* The engine lists the newest first; jobs are in the order of their age. */
	for (size_t i = fl_json_len(containers); i > 0; i--)
		sort_out(h, fl_json_at(containers, i - 1), found);
	if (!h->ready && manifest_apply(h, &err) == -1)
		fl_log_error("cannot run layer 0", fl_str("err", err.msg));
	TAILQ_FOREACH_SAFE (j, &h->jobs, link, next)
		look_at(j, fl_map_get(found, job_id(j)));
	fl_map_free_with(found, free);
	state_touch(h->state);
	launcher_pump(h->launcher);
}

static void
on_recovered(const struct fl_json *containers, void *arg)
{
	struct restore *r = arg;

	r->recover = NULL;
	restore_apply(r, containers);
	host_begin(r->host);
}

static void
on_listed(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	static const struct timeval retry = { RETRY_S, 0 };
	struct restore *r = arg;
	struct host *h = r->host;
	struct fl_json *v = NULL;
	struct fl_err err = { 0 };

	r->call = NULL;
	if (engine_check(h->engine, res, call_err, "list the containers", &err) == -1 ||
	    (v = engine_parse(res, &err)) == NULL) {
		fl_log_warn("cannot see what runs", fl_str("err", err.msg));
		event_add(r->soon, &retry);
		return;
	}
	if (!h->ready)
		r->recover = recover_start(h, v, on_recovered, r); /* owns v */
	else {
		restore_apply(r, v);
		fl_json_free(v);
	}
}

static void
on_soon(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct restore *r = arg;
	char *filter = NULL;

	/* on_up asks again when the engine is back */
	if (!engine_is_up(r->host->engine) || r->host->id == NULL || r->call != NULL || r->recover != NULL)
		return;
	filter = fl_url_encode("{\"label\":[\"" HOST_LABEL "\"]}");
	r->call = engine_start(r->host->engine, &engine_get_containers, on_listed, r, "/containers/json?all=1&filters=%s", filter);
	free(filter);
}

void
restore_request(struct host *h)
{
	static const struct timeval soon = { 0, SOON_MS * 1000 };

	if (!event_pending(h->restore->soon, EV_TIMEOUT, NULL))
		event_add(h->restore->soon, &soon);
}

struct restore *
restore_new(struct host *h)
{
	struct restore *r = fl_xcalloc(1, sizeof(*r));

	r->host = h;
	r->soon = event_new(h->base, -1, 0, on_soon, r);
	return r;
}

void
restore_free(struct restore *r)
{
	if (r == NULL)
		return;
	event_free(r->soon);
	if (r->call != NULL)
		fl_http_call_cancel(r->call);
	recover_cancel(r->recover);
	free(r);
}
