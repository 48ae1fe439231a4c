#include "host/launcher.h"

#include <event2/event.h>
#include <stdlib.h>

#include "host/engine.h"
#include "host/job.h"
#include "host/launch.h"
#include "libflynn/clock.h"
#include "libflynn/xmalloc.h"

#define PLACES 4
/* Containers that are there can run without layer 0: if it does not come up, they wait no longer than this. */
#define LAYER0_MS 15000

struct launcher {
	struct host *host;
	struct job_list queue; /* by rank, then by age */
	int taken;
	struct event *pump, *layer0_late;
	int64_t layer0_until_ms;
};

enum rank { RANK_LAYER0, RANK_SYSTEM, RANK_APP };

static enum rank
job_rank(const struct job *j)
{
	if (j->manifest_id != NULL)
		return RANK_LAYER0;
	return job_spec(j)->system ? RANK_SYSTEM : RANK_APP;
}

/* Whoever came first into the world: in layer 0 the later ones wait for the earlier. */
static bool
goes_before(const struct job *a, const struct job *b)
{
	if (job_rank(a) != job_rank(b))
		return job_rank(a) < job_rank(b);
	return a->active->created_at < b->active->created_at;
}

/* Whether a job of layer 0 that is older than j, or any for a job that is not of layer 0, is still on its way. */
static bool
is_held_up(const struct launcher *l, const struct job *j)
{
	const struct job *other;

	if (fl_clock_ms() >= l->layer0_until_ms)
		return false;
	TAILQ_FOREACH(other, &l->host->jobs, link) {
		if (other == j && j->manifest_id != NULL)
			return false;
		if (other->manifest_id != NULL && other->wanted && other->state != JOB_UP)
			return true;
	}
	return false;
}

static void
on_pump(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct launcher *l = arg;
	struct job *j;

	while (l->host->ready && engine_is_up(l->host->engine) && l->taken < PLACES &&
	    (j = TAILQ_FIRST(&l->queue)) != NULL && !is_held_up(l, j)) {
		TAILQ_REMOVE(&l->queue, j, queue);
		j->queued = false;
		j->launching = true;
		l->taken++;
		launch_start(j);
	}
}

struct launcher *
launcher_new(struct host *h)
{
	struct launcher *l = fl_xcalloc(1, sizeof(*l));

	l->host = h;
	TAILQ_INIT(&l->queue);
	l->pump = event_new(h->base, -1, 0, on_pump, l);
	l->layer0_late = event_new(h->base, -1, 0, on_pump, l);
	return l;
}

void
launcher_free(struct launcher *l)
{
	if (l == NULL)
		return;
	event_free(l->pump);
	event_free(l->layer0_late);
	free(l);
}

void
launcher_open(struct launcher *l)
{
	static const struct timeval late = { LAYER0_MS / 1000, 0 };

	l->layer0_until_ms = fl_clock_ms() + LAYER0_MS;
	event_add(l->layer0_late, &late);
	launcher_pump(l);
}

void
launcher_enqueue(struct job *j)
{
	struct launcher *l = j->host->launcher;
	struct job *before;

	job_enter(j, JOB_QUEUED);
	TAILQ_FOREACH(before, &l->queue, queue)
		if (goes_before(j, before))
			break;
	if (before != NULL)
		TAILQ_INSERT_BEFORE(before, j, queue);
	else
		TAILQ_INSERT_TAIL(&l->queue, j, queue);
	j->queued = true;
	launcher_pump(l);
}

struct job *
launcher_first(const struct launcher *l)
{
	return TAILQ_FIRST(&l->queue);
}

struct job *
launcher_next(const struct job *j)
{
	return TAILQ_NEXT(j, queue);
}

void
launcher_leave(struct job *j)
{
	struct launcher *l = j->host->launcher;

	if (j->queued)
		TAILQ_REMOVE(&l->queue, j, queue);
	j->queued = false;
	if (!j->launching)
		return;
	j->launching = false;
	l->taken--;
	launcher_pump(l);
}

void
launcher_pump(struct launcher *l)
{
	static const struct timeval now = { 0, 0 };

	event_add(l->pump, &now);
}
