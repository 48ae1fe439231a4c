#include "host/job.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "host/attach.h"
#include "host/death.h"
#include "host/health.h"
#include "host/launcher.h"
#include "host/ports.h"
#include "host/pull.h"
#include "host/sockets.h"
#include "libflynn/clock.h"
#include "libflynn/http_client.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define TO(state) (1u << (state))

static const struct {
	const char *name;
	unsigned next; /* states that may follow */
	enum fl_job_status status;
} states[] = {
	[JOB_UNKNOWN] = { "unknown",
	    TO(JOB_QUEUED) | TO(JOB_CHECKING) | TO(JOB_STOPPING) | TO(JOB_DYING) | TO(JOB_WAITING) | TO(JOB_ENDED) |
		TO(JOB_UNKNOWN),
	    FL_JOB_STARTING },
	[JOB_QUEUED] = { "queued",
	    TO(JOB_CREATING) | TO(JOB_ATTACHING) | TO(JOB_STARTING) | TO(JOB_WAITING) | TO(JOB_ENDED) | TO(JOB_UNKNOWN),
	    FL_JOB_STARTING },
	[JOB_CREATING] = { "creating",
	    TO(JOB_ATTACHING) | TO(JOB_STARTING) | TO(JOB_WAITING) | TO(JOB_ENDED) | TO(JOB_UNKNOWN), FL_JOB_STARTING },
	[JOB_ATTACHING] = { "attaching", TO(JOB_STARTING) | TO(JOB_ENDED) | TO(JOB_UNKNOWN), FL_JOB_STARTING },
	[JOB_STARTING] = { "starting",
	    TO(JOB_CREATING) | TO(JOB_CHECKING) | TO(JOB_STOPPING) | TO(JOB_WAITING) | TO(JOB_ENDED) | TO(JOB_UNKNOWN),
	    FL_JOB_STARTING },
	[JOB_CHECKING] = { "checking",
	    TO(JOB_UP) | TO(JOB_FAILING) | TO(JOB_DYING) | TO(JOB_STOPPING) | TO(JOB_UNKNOWN), FL_JOB_STARTING },
	[JOB_UP] = { "up", TO(JOB_DYING) | TO(JOB_STOPPING) | TO(JOB_UNKNOWN), FL_JOB_RUNNING },
	[JOB_FAILING] = { "failing", TO(JOB_STOPPING) | TO(JOB_DYING) | TO(JOB_UNKNOWN), FL_JOB_STARTING },
	[JOB_STOPPING] = { "stopping", TO(JOB_WAITING) | TO(JOB_ENDED) | TO(JOB_UNKNOWN), FL_JOB_STOPPING },
	[JOB_DYING] = { "dying", TO(JOB_WAITING) | TO(JOB_ENDED) | TO(JOB_UNKNOWN), FL_JOB_STOPPING },
	[JOB_WAITING] = { "waiting", TO(JOB_QUEUED) | TO(JOB_CHECKING) | TO(JOB_ENDED) | TO(JOB_UNKNOWN), FL_JOB_STARTING },
	[JOB_ENDED] = { "ended", 0, FL_JOB_DONE },
};

_Static_assert(fl_nitems(states) == JOB_STATE_MAX, "every state has its row");

const char *
job_state_name(enum job_state s)
{
	return states[s].name;
}

bool
job_may_enter(enum job_state from, enum job_state to)
{
	return (states[from].next & TO(to)) != 0;
}

void
job_enter(struct job *j, enum job_state state)
{
	assert(job_may_enter(j->state, state));
	fl_log_debug("job", fl_str("job", job_id(j)), fl_str("from", states[j->state].name), fl_str("to", states[state].name));
	j->state = state;
	j->active->status = state == JOB_ENDED ? j->end_status : states[state].status;
	j->active->healthy = state == JOB_UP;
}

/* ---- the life of one ---- */

/* By age; those that are read back may come in any order. */
static void
job_insert(struct job *j)
{
	struct host *h = j->host;
	struct job *after = NULL;

	TAILQ_FOREACH_REVERSE (after, &h->jobs, job_list, link)
		if (after->active->created_at <= j->active->created_at)
			break;
	if (after != NULL)
		TAILQ_INSERT_AFTER(&h->jobs, after, j, link);
	else
		TAILQ_INSERT_HEAD(&h->jobs, j, link);
	h->n_jobs++;
}

struct job *
job_new(struct host *h, struct fl_active_job *active)
{
	struct job *j = fl_xcalloc(1, sizeof(*j));

	j->host = h;
	j->active = active;
	j->wanted = true;
	LIST_INIT(&j->attaches);
	job_insert(j);
	return j;
}

struct fl_active_job *
job_active_of(const struct host *h, struct fl_job *spec, int64_t created_at)
{
	struct fl_active_job *a = fl_xcalloc(1, sizeof(*a));

	a->job = spec;
	a->host_id = fl_xstrdup(h->id);
	a->ports = fl_xcalloc(spec->n_ports + 1, sizeof(*a->ports));
	a->created_at = created_at;
	a->exit_status = -1;
	a->status = FL_JOB_STARTING;
	return a;
}

void
job_cancel(struct job *j)
{
	if (j->call != NULL)
		fl_http_call_cancel(j->call);
	j->call = NULL;
	if (j->timer != NULL)
		event_free(j->timer);
	j->timer = NULL;
	health_cancel(j->health);
	j->health = NULL;
	sockets_cancel(j->sockets);
	j->sockets = NULL;
	death_cancel(j->death);
	j->death = NULL;
	pull_cancel(j->pull);
	j->pull = NULL;
	launcher_leave(j);
}

void
job_free(struct job *j)
{
	if (j == NULL)
		return;
	job_cancel(j);
	attach_job_gone(j);
	ports_release(j->host->ports, j);
	TAILQ_REMOVE(&j->host->jobs, j, link);
	j->host->n_jobs--;
	fl_active_job_free(j->active);
	free(j->manifest_id);
	free(j);
}

struct job *
job_find(const struct host *h, const char *id)
{
	struct job *j;

	TAILQ_FOREACH(j, &h->jobs, link)
		if (strcmp(job_id(j), id) == 0)
			return j;
	return NULL;
}

struct job *
job_find_manifest(const struct host *h, const char *manifest_id)
{
	struct job *j;

	TAILQ_FOREACH(j, &h->jobs, link)
		if (j->manifest_id != NULL && strcmp(j->manifest_id, manifest_id) == 0)
			return j;
	return NULL;
}

/* ---- what it is ---- */

const char *
job_id(const struct job *j)
{
	return j->active->job->id;
}

const struct fl_job *
job_spec(const struct job *j)
{
	return j->active->job;
}

const char *
job_what(const struct job *j)
{
	const char *type = fl_map_get(job_spec(j)->metadata, FL_JOB_META_TYPE);

	if (j->manifest_id != NULL)
		return j->manifest_id;
	return type != NULL && *type != '\0' ? type : job_id(j);
}

int
job_first_port(const struct job *j)
{
	return job_spec(j)->n_ports > 0 ? j->active->ports[0] : 0;
}

bool
job_has_service(const struct job *j)
{
	for (size_t i = 0; i < job_spec(j)->n_ports; i++)
		if (job_spec(j)->ports[i].service != NULL)
			return true;
	return false;
}

bool
job_has_app(const struct job *j)
{
	return fl_map_get(job_spec(j)->metadata, FL_JOB_META_APP) != NULL;
}

bool
job_is_once(const struct job *j)
{
	const struct fl_job *spec = job_spec(j);
	const char *type = fl_map_get(spec->metadata, FL_JOB_META_TYPE);

	if (j->manifest_id != NULL)
		return false;
	if (spec->stop_on_detach || spec->stdin_open || spec->tty)
		return true;
	if (type != NULL && *type != '\0')
		return fl_job_type_is_once(type);
	return !spec->system;
}

bool
job_is_kept(const struct job *j)
{
	if (j->manifest_id != NULL)
		return true;
	/* One that never came up is its starter's concern: a broken release must be heard of. */
	return job_spec(j)->system && j->was_up && !job_is_once(j);
}

void
job_set_error(struct job *j, const char *error)
{
	char *copy = fl_xstrdup_null(error);

	free(j->active->error);
	j->active->error = copy;
}

bool
job_runs(const struct job *j)
{
	return (j->state == JOB_CHECKING || j->state == JOB_UP || j->state == JOB_STOPPING) && j->active->container_id != NULL;
}
