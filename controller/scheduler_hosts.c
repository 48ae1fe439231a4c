#include <stdlib.h>
#include <string.h>

#include "controller/scheduler.h"
#include "controller/scheduler_hosts.h"
#include "controller/scheduler_record.h"
#include "controller/scheduler_stale.h"
#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/job.h"
#include "libflynn/list.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

/* A host that is registered but silent delays the first decision no longer than this. */
#define SILENT_HOST_MS 10000

struct watched_host {
	struct hosts *hosts;
	char *id, *addr;
	struct fl_host_events *events;
	bool seen; /* in discoverd's last picture */
};

struct hosts {
	struct scheduler *scheduler;
	struct fl_discoverd_service *service;
	struct fl_map *watched; /* host id -> struct watched_host */
	int64_t told_at;	/* clock_ms of discoverd's first picture; 0: none yet */
};

static const char *
meta_of(const struct fl_active_job *a, const char *key)
{
	const char *v = fl_map_get(a->job->metadata, key);

	return v != NULL ? v : "";
}

/* The place of a job that died is taken by one that waits out the back-off. */
static void
replace_job(struct scheduler *s, struct job *j)
{
	int64_t now = fl_clock_ms();
	int restarts = j->up_since != 0 && now - j->up_since >= RESTARTS_FORGOTTEN_MS ? 0 : j->restarts + 1;
	struct formation *f = world_formation(&s->world, j->app, j->release);
	struct job *pending;

	if (fl_job_type_is_once(j->type) || j->state == JOB_STOPPING || f == NULL)
		return;
	pending = world_add_job(&s->world, NULL, formation_is_omni(f, j->type) ? j->host_id : NULL, j->app, j->release, j->type);
	pending->restarts = restarts;
	pending->run_at = now + restart_delay_ms(restarts);
	fl_log_info("job will be replaced", fl_str("job", j->id), fl_int("restarts", restarts),
	    fl_int("ms", pending->run_at - now));
}

static void
job_ended(struct scheduler *s, struct job *j)
{
	if (j == NULL)
		return;
	if (s->leader)
		replace_job(s, j); /* a host that starts a job again in place does not say that it ended */
	world_remove_job(&s->world, j);
}

/* Bring the world's job to what its host says of it. */
static void
job_seen(struct scheduler *s, const char *host_id, const struct fl_active_job *a)
{
	struct job *j = world_job(&s->world, a->job->id);

	if (fl_map_get(a->job->metadata, FL_JOB_META_APP) == NULL)
		return;
	switch (a->status) {
	case FL_JOB_DONE:
	case FL_JOB_CRASHED:
	case FL_JOB_FAILED:
		job_ended(s, j);
		return;
	case FL_JOB_STARTING:
	case FL_JOB_RUNNING:
	case FL_JOB_STOPPING:
	case FL_JOB_STATUS_MAX:
		break;
	}
	if (j == NULL) {
		j = world_add_job(&s->world, a->job->id, host_id, meta_of(a, FL_JOB_META_APP),
		    meta_of(a, FL_JOB_META_RELEASE), meta_of(a, FL_JOB_META_TYPE));
		j->restarts = fl_job_restarts(a->job);
	}
	j->memory_bytes = a->job->memory_bytes;
	if (a->status == FL_JOB_STOPPING) {
		j->state = JOB_STOPPING;
	} else if (j->state != JOB_STOPPING) {
		j->state = a->status == FL_JOB_RUNNING && a->healthy ? JOB_UP : JOB_STARTING;
		if (j->state == JOB_UP && j->up_since == 0)
			j->up_since = fl_clock_ms();
	}
}

static bool
is_listed(struct fl_active_job *const *jobs, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(jobs[i]->job->id, id) == 0)
			return true;
	return false;
}

/* Jobs we believed to be there and that the host does not know any more. */
static void
drop_unlisted(struct scheduler *s, const char *host_id, struct fl_active_job *const *jobs, size_t n)
{
	struct job *j, *next;

	TAILQ_FOREACH_SAFE(j, &s->world.jobs, link, next) {
		if (j->id == NULL || strcmp(j->host_id, host_id) != 0 || j->in_flight || is_listed(jobs, n, j->id))
			continue;
		if (s->leader)
			record_end(s->records, j->id, j->app, j->release, j->type, "down", NULL);
		world_remove_job(&s->world, j);
	}
}

static void
on_current(struct fl_active_job *const *jobs, size_t n, void *arg)
{
	struct watched_host *w = arg;
	struct scheduler *s = w->hosts->scheduler;
	struct host *h = fl_map_get(s->world.hosts, w->id);

	drop_unlisted(s, w->id, jobs, n);
	for (size_t i = 0; i < n; i++) {
		job_seen(s, w->id, jobs[i]);
		if (s->leader)
			record_job(s->records, jobs[i]);
	}
	if (h != NULL && !h->known) {
		fl_log_info("host known", fl_str("host", w->id), fl_int("jobs", n));
		stale_suspect(s->stale);
	}
	if (h != NULL)
		h->known = true;
	scheduler_look_again(s);
}

static void
on_event(const char *kind, const struct fl_active_job *job, void *arg)
{
	struct watched_host *w = arg;
	struct scheduler *s = w->hosts->scheduler;

	if (strcmp(kind, "cleanup") == 0)
		return; /* it had ended before */
	job_seen(s, w->id, job);
	if (s->leader)
		record_job(s->records, job);
	scheduler_look_again(s);
}

static void
on_error(const struct fl_err *err, void *arg)
{
	struct watched_host *w = arg;

	fl_log_warn("host's event stream broke, opening it again", fl_str("host", w->id), fl_str("err", err->msg));
}

static const struct fl_host_events_ops events_ops = { on_current, on_event, on_error };

static void
watched_free(void *arg)
{
	struct watched_host *w = arg;

	fl_host_events_free(w->events);
	free(w->id);
	free(w->addr);
	free(w);
}

static void
host_lost(struct hosts *h, struct watched_host *w)
{
	struct scheduler *s = h->scheduler;
	struct host *host = fl_map_get(s->world.hosts, w->id);
	struct job *j;

	fl_log_warn("host lost", fl_str("host", w->id));
	TAILQ_FOREACH(j, &s->world.jobs, link)
		if (s->leader && j->id != NULL && strcmp(j->host_id, w->id) == 0)
			record_end(s->records, j->id, j->app, j->release, j->type, "down", HOST_LOST);
	if (host != NULL)
		world_remove_host(&s->world, host);
	fl_map_remove(h->watched, w->id);
	watched_free(w);
}

/* From the beginning: each stream begins with the host's whole list. */
static void
watch_events(struct watched_host *w)
{
	fl_host_events_free(w->events);
	w->events = fl_host_events_start(w->hosts->scheduler->hosts_http, w->addr, &events_ops, w);
}

static struct watched_host *
watched_new(struct hosts *h, const char *id)
{
	struct watched_host *w = fl_xcalloc(1, sizeof(*w));

	w->hosts = h;
	w->id = fl_xstrdup(id);
	fl_map_set(h->watched, id, w);
	return w;
}

static void
host_seen(struct hosts *h, const struct fl_instance *instance)
{
	const char *id = instance->meta != NULL ? fl_map_get(instance->meta, "id") : NULL;
	const char *memory = instance->meta != NULL ? fl_map_get(instance->meta, "memory") : NULL;
	struct watched_host *w;

	if (id == NULL)
		return;
	if ((w = fl_map_get(h->watched, id)) == NULL)
		w = watched_new(h, id);
	w->seen = true;
	world_set_host(&h->scheduler->world, id, instance->addr)->memory_bytes = memory != NULL ? strtoll(memory, NULL, 10) : 0;
	if (w->addr != NULL && strcmp(w->addr, instance->addr) == 0)
		return;
	free(w->addr);
	w->addr = fl_xstrdup(instance->addr);
	watch_events(w);
}

static void
on_hosts_changed(struct fl_discoverd_service *service, void *arg)
{
	struct hosts *h = arg;

	if (h->told_at == 0)
		h->told_at = fl_clock_ms();
	FL_MAP_EACH(h->watched, e)
		((struct watched_host *)fl_map_value(e))->seen = false;
	for (size_t i = 0; i < fl_discoverd_service_count(service); i++)
		host_seen(h, fl_discoverd_service_at(service, i));
	FL_MAP_EACH(h->watched, e) {
		struct watched_host *w = fl_map_value(e);

		if (!w->seen)
			host_lost(h, w);
	}
	scheduler_look_again(h->scheduler);
}

bool
hosts_settled(const struct hosts *h)
{
	return h->told_at != 0 && fl_clock_ms() - h->told_at > SILENT_HOST_MS;
}

bool
hosts_known(const struct hosts *h)
{
	if (h->told_at == 0)
		return false;
	if (hosts_settled(h))
		return true;
	FL_MAP_EACH(h->scheduler->world.hosts, e)
		if (!((struct host *)fl_map_value(e))->known)
			return false;
	return true;
}

void
hosts_record_all(struct hosts *h)
{
	FL_MAP_EACH(h->watched, e)
		watch_events(fl_map_value(e));
}

struct hosts *
hosts_start(struct scheduler *s)
{
	struct hosts *h = fl_xcalloc(1, sizeof(*h));

	h->scheduler = s;
	h->watched = fl_map_new();
	h->service = fl_discoverd_watch(s->discoverd, "flynn-host", on_hosts_changed, h);
	return h;
}

void
hosts_free(struct hosts *h)
{
	if (h == NULL)
		return;
	fl_discoverd_unwatch(h->service);
	fl_map_free_with(h->watched, watched_free);
	free(h);
}
