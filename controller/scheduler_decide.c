#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/scheduler_decide.h"
#include "controller/scheduler_world.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

struct deciding {
	const struct world *world;
	int64_t now;
	struct sched_plan *plan;
};

static void
plan_add(struct sched_plan *p, struct sched_action a)
{
	p->actions = fl_xreallocarray(p->actions, p->n + 1, sizeof(*p->actions));
	p->actions[p->n++] = a;
}

static bool
job_is_of(const struct job *j, const struct formation *f, const char *type)
{
	return strcmp(j->app, f->app) == 0 && strcmp(j->release, f->release) == 0 && strcmp(j->type, type) == 0;
}

static bool
job_is_on(const struct job *j, const struct host *h)
{
	return h == NULL || (j->host_id != NULL && strcmp(j->host_id, h->id) == 0);
}

/* Jobs that count as there: all but those on their way out. host NULL: anywhere. */
static int
count_jobs(const struct world *w, const struct formation *f, const char *type, const struct host *host)
{
	const struct job *j;
	int n = 0;

	TAILQ_FOREACH(j, &w->jobs, link)
		if (j->state != JOB_STOPPING && job_is_of(j, f, type) && job_is_on(j, host))
			n++;
	return n;
}

/* What a host has to do. */
struct load {
	int all, same; /* jobs, and those of one type of one formation */
	int64_t memory_bytes; /* that they may take */
};

/* What is planned already counts for placement, so that one decision spreads its jobs. */
static struct load
load_of(const struct deciding *d, const struct host *h, const struct formation *f, const char *type)
{
	struct load load = { 0 };
	const struct job *j;

	TAILQ_FOREACH(j, &d->world->jobs, link) {
		if (j->id == NULL || !job_is_on(j, h))
			continue;
		load.all++;
		load.same += job_is_of(j, f, type);
		load.memory_bytes += j->memory_bytes;
	}
	for (size_t i = 0; i < d->plan->n; i++) {
		const struct sched_action *a = &d->plan->actions[i];

		if (a->host != h || (a->kind != ACTION_START && a->kind != ACTION_START_PENDING))
			continue;
		load.all++;
		load.same += a->formation == f && strcmp(a->type, type) == 0;
		load.memory_bytes += formation_memory(a->formation, a->type);
	}
	return load;
}

/* Where the first job of a type with a volume is, or is about to be, before its host has been recorded. NULL: nowhere. */
static struct host *
volume_host_to_be(const struct deciding *d, const struct formation *f, const char *type)
{
	const struct job *j;

	TAILQ_FOREACH(j, &d->world->jobs, link)
		if (j->id != NULL && j->host_id != NULL && strcmp(j->app, f->app) == 0 && strcmp(j->type, type) == 0)
			return fl_map_get(d->world->hosts, j->host_id);
	for (size_t i = 0; i < d->plan->n; i++) {
		const struct sched_action *a = &d->plan->actions[i];

		if (a->kind != ACTION_REFUSE && a->host != NULL && a->formation != NULL && strcmp(a->formation->app, f->app) == 0 &&
		    strcmp(a->type, type) == 0)
			return a->host;
	}
	return NULL;
}

static bool
has_room(const struct host *h, const struct load *load, int64_t need_bytes)
{
	if (need_bytes == 0 || h->memory_bytes == 0)
		return true;
	return load->memory_bytes <= h->memory_bytes && need_bytes <= h->memory_bytes - load->memory_bytes;
}

/* *any is one, without room, when there is none with it. */
static struct host *
place_anywhere(const struct deciding *d, const struct formation *f, const char *type, struct host **any)
{
	struct host *best = NULL;
	struct load least = { 0 };

	*any = NULL;
	FL_MAP_EACH(d->world->hosts, e) {
		struct host *h = fl_map_value(e);
		struct load load = load_of(d, h, f, type);

		if (!h->known)
			continue;
		*any = h;
		if (!has_room(h, &load, formation_memory(f, type)))
			continue;
		if (best == NULL || load.same < least.same || (load.same == least.same && load.all < least.all)) {
			best = h;
			least = load;
		}
	}
	return best;
}

/*
 * The host with the fewest jobs of this kind; among equals, with the fewest jobs. But data stays where it is: a type with a
 * volume runs there or not at all. NULL: there is no such host now, or *any is one that has no room.
 */
static struct host *
place(const struct deciding *d, const struct formation *f, const char *type, struct host **any)
{
	const char *pinned = formation_volume_host(f, type);
	struct host *h;
	struct load load;

	if (!formation_has_volume(f, type))
		return place_anywhere(d, f, type, any);
	if (pinned != NULL)
		h = fl_map_get(d->world->hosts, pinned);
	else if ((h = volume_host_to_be(d, f, type)) == NULL)
		return place_anywhere(d, f, type, any);
	*any = h != NULL && h->known ? h : NULL;
	if (*any == NULL)
		return NULL;
	load = load_of(d, h, f, type);
	return has_room(h, &load, formation_memory(f, type)) ? h : NULL;
}

/* A host for a new job (job NULL) or a pending one. False: none has the room, or there is none, and it is tried again. */
static bool
plan_start(struct deciding *d, struct formation *f, const char *type, struct host *on, struct job *job)
{
	struct host *any = NULL, *h = on != NULL ? on : place(d, f, type, &any);

	if (h != NULL)
		plan_add(d->plan, (struct sched_action){ job == NULL ? ACTION_START : ACTION_START_PENDING, f, type, h, job });
	else if (any != NULL)
		plan_add(d->plan, (struct sched_action){ ACTION_REFUSE, f, type, any, job });
	return h != NULL;
}

/* Whether a job of another release of the app holds what this exclusive type needs. */
static bool
is_held(const struct world *w, const struct formation *f, const char *type)
{
	const struct job *j;

	TAILQ_FOREACH(j, &w->jobs, link)
		if (j->id != NULL && strcmp(j->app, f->app) == 0 && strcmp(j->type, type) == 0 &&
		    (strcmp(j->release, f->release) != 0 || j->state == JOB_STOPPING))
			return true;
	return false;
}

static void
start_missing(struct deciding *d, struct formation *f, const char *type, struct host *on, int missing)
{
	if (formation_is_exclusive(f, type) && is_held(d->world, f, type))
		return; /* decided again when it is gone */
	for (; missing > 0; missing--)
		if (!plan_start(d, f, type, on, NULL))
			return;
}

static void
stop_job(struct deciding *d, struct job *j)
{
	enum action_kind kind = j->state == JOB_PENDING ? ACTION_FORGET : ACTION_STOP;

	if (j->state == JOB_STOPPING || j->in_flight)
		return;
	plan_add(d->plan, (struct sched_action){ kind, NULL, j->type, NULL, j });
}

/* A job that could be given up. */
struct candidate {
	struct job *job;
	bool is_replaced;
};

/* Those to give up first stand first: those that are replaced, not up before up, then the newest. */
static int
by_worth(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->is_replaced != y->is_replaced)
		return x->is_replaced ? -1 : 1;
	if (x->job->state != y->job->state)
		return x->job->state < y->job->state ? -1 : 1;
	return x->job->created > y->job->created ? -1 : x->job->created < y->job->created;
}

static void
stop_surplus(struct deciding *d, const struct formation *f, const char *type, const struct host *host, int surplus)
{
	struct candidate *jobs;
	struct job *j;
	int n = 0;

	if (surplus <= 0)
		return;
	jobs = fl_xcalloc((size_t)count_jobs(d->world, f, type, host), sizeof(*jobs));
	TAILQ_FOREACH(j, &d->world->jobs, link)
		if (j->state != JOB_STOPPING && job_is_of(j, f, type) && job_is_on(j, host))
			jobs[n++] = (struct candidate){ j, formation_replaces(f, j) };
	qsort(jobs, (size_t)n, sizeof(*jobs), by_worth);
	for (int i = 0; i < surplus; i++)
		stop_job(d, jobs[i].job);
	free(jobs);
}

static int
count_up(const struct world *w, const struct formation *f, const char *type, const struct host *host)
{
	const struct job *j;
	int n = 0;

	TAILQ_FOREACH(j, &w->jobs, link)
		if (j->state == JOB_UP && job_is_of(j, f, type) && job_is_on(j, host))
			n++;
	return n;
}

/*
 * How many there are to be now: while one of them is to be replaced, one more until that one is up, so that none is missed; or,
 * where two exclude each other, one fewer until it has gone.
 */
static int
count_for_now(const struct world *w, const struct formation *f, const char *type, const struct host *host, int want)
{
	const struct job *j;
	int up;

	TAILQ_FOREACH(j, &w->jobs, link)
		if (j->state != JOB_STOPPING && job_is_of(j, f, type) && job_is_on(j, host) && formation_replaces(f, j))
			break;
	if (j == NULL || want == 0)
		return want;
	up = count_up(w, f, type, host);
	if (formation_is_exclusive(f, type))
		return up < want ? want : want - 1;
	return up > want ? want : want + 1;
}

static void
decide_count(struct deciding *d, struct formation *f, const char *type, struct host *host, int want)
{
	int have = count_jobs(d->world, f, type, host);

	want = count_for_now(d->world, f, type, host, want);
	if (want > have)
		start_missing(d, f, type, host, want - have);
	else
		stop_surplus(d, f, type, host, have - want);
}

static void
decide_formation(struct deciding *d, struct formation *f)
{
	const struct fl_json *processes = fl_json_get(f->expanded, "processes");

	for (size_t i = 0; i < fl_json_len(processes); i++) {
		const char *type = fl_json_key_at(processes, i);
		int want = formation_wants(f, type);

		if (!formation_is_omni(f, type)) {
			decide_count(d, f, type, NULL, want);
			continue;
		}
		FL_MAP_EACH(d->world->hosts, e) {
			struct host *h = fl_map_value(e);

			if (h->known)
				decide_count(d, f, type, h, want);
		}
	}
}

/* Whether an old job must serve on, because a new release of its app wants its type and is not up yet. */
static bool
must_serve_on(const struct world *w, const struct job *j)
{
	FL_MAP_EACH(w->formations, e) {
		const struct formation *f = fl_map_value(e);
		int want = formation_wants(f, j->type);

		if (strcmp(f->app, j->app) == 0 && strcmp(f->release, j->release) != 0 && want > 0 &&
		    !formation_is_exclusive(f, j->type) && count_up(w, f, j->type, NULL) < want)
			return true;
	}
	return false;
}

static void
decide_job(struct deciding *d, struct job *j)
{
	struct formation *f = world_formation(d->world, j->app, j->release);
	struct host *h;

	if (fl_job_type_is_once(j->type))
		return; /* whoever ran it ends it */
	if (f == NULL || fl_json_is_null(fl_json_get(fl_json_get(f->expanded, "processes"), j->type))) {
		if (j->state == JOB_PENDING || !must_serve_on(d->world, j))
			stop_job(d, j);
		return;
	}
	if (j->state != JOB_PENDING)
		return;
	if (j->run_at > d->now) {
		if (d->plan->wake_at == 0 || j->run_at < d->plan->wake_at)
			d->plan->wake_at = j->run_at;
		return;
	}
	if (formation_is_exclusive(f, j->type) && is_held(d->world, f, j->type))
		return;
	h = j->host_id != NULL ? fl_map_get(d->world->hosts, j->host_id) : NULL;
	if (j->host_id == NULL || (h != NULL && h->known))
		plan_start(d, f, j->type, h, j);
}

static bool
is_forgotten(const struct sched_plan *p, const struct job *j)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->actions[i].kind == ACTION_FORGET && p->actions[i].job == j)
			return true;
	return false;
}

void
decide(const struct world *w, int64_t now, struct sched_plan *plan)
{
	struct deciding d = { .world = w, .now = now };
	struct job *j;

	*plan = (struct sched_plan){ 0 };
	d.plan = plan;
	FL_MAP_EACH(w->formations, e)
		decide_formation(&d, fl_map_value(e));
	TAILQ_FOREACH(j, &w->jobs, link)
		if (!is_forgotten(plan, j))
			decide_job(&d, j);
}

void
sched_plan_release(struct sched_plan *plan)
{
	free(plan->actions);
	*plan = (struct sched_plan){ 0 };
}
