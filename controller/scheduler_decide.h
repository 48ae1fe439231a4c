/*
 * scheduler_decide - what to do to make actual equal to desired: a pure function of the world.
 *
 * Rules: each type of each formation gets as many jobs as it wants (omni: on every host). Jobs of a release that
 * has no formation any more, or of a type its formation does not want, are stopped; but while the app's new release
 * wants that type and its jobs are not all up, the old ones go on serving, unless old and new exclude each other (a
 * volume, a fixed port): then the old stop first and the new wait for them. Jobs without a type are left alone.
 * Jobs of a type with a volume run on the host that has it, and wait for it while it is away.
 * The limits of a host's jobs are together no more than its memory: what is left of that is free.
 * A job that its formation replaces is stopped once there is one more that is up, one after another.
 */
#ifndef CONTROLLER_SCHEDULER_DECIDE_H
#define CONTROLLER_SCHEDULER_DECIDE_H

#include <stddef.h>
#include <stdint.h>

struct formation;
struct host;
struct job;
struct world;

enum action_kind {
	ACTION_START,	    /* a new job of type for formation on host */
	ACTION_START_PENDING, /* job, whose back-off is over, on host */
	ACTION_REFUSE,	    /* a new job of type (job NULL) or a pending one: no host has the memory; host is any */
	ACTION_STOP,	    /* job, on its host */
	ACTION_FORGET,	    /* a pending job that is not wanted any more */
};

struct sched_action {
	enum action_kind kind;
	struct formation *formation;
	const char *type; /* borrowed from the world */
	struct host *host;
	struct job *job;
};

struct sched_plan {
	struct sched_action *actions;
	size_t n;
	int64_t wake_at; /* clock_ms when a pending job is due next; 0: none waits */
};

/* now in clock_ms. The world is not changed. */
void decide(const struct world *w, int64_t now, struct sched_plan *plan);
void sched_plan_release(struct sched_plan *plan);

#endif
