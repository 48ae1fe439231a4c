/*
 * scheduler_act - carry out a plan: requests to hosts, and the world told that they are under way.
 */
#ifndef CONTROLLER_SCHEDULER_ACT_H
#define CONTROLLER_SCHEDULER_ACT_H

struct sched_plan;
struct scheduler;

/* plan is borrowed. What a host answers comes from the loop, into the world; what fails is asked for again by a later plan. */
void act(struct scheduler *s, const struct sched_plan *plan);

#endif
