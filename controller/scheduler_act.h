/*
 * scheduler_act - carry out a plan: requests to hosts, and the world told that they are under way.
 */
#ifndef SCHEDULER_ACT_H
#define SCHEDULER_ACT_H

struct sched_plan;
struct scheduler;

void act(struct scheduler *s, const struct sched_plan *plan);

#endif
