/*
 * release_phase - the job that a new release has run once before it replaces the old one: its process type "release".
 *
 * Its id is in the deployment's row before any host is asked to run it, so whoever carries the deployment on runs no
 * second one: a host that has the job already says so. What becomes of it is recorded as for every job.
 */
#ifndef CONTROLLER_RELEASE_PHASE_H
#define CONTROLLER_RELEASE_PHASE_H

#include <stdbool.h>

struct controller;
struct fl_err;
struct release_phase;

/* is_sent: a host has the job; else it has its id now, or the deployment is not ours any more: look at its row again. */
typedef void (*release_phase_cb)(bool is_sent, const struct fl_err *err, void *arg);

/*
 * Bring it a step on: choose a host and an id, or have that host run it. Only for the deployment's owner. cb once, from the
 * loop; the handle is its caller's, to be freed in it or later.
 */
struct release_phase *release_phase_start(struct controller *c, const char *deployment_id, const char *owner,
    release_phase_cb cb, void *arg);
/* Not while it is under way, unless the loop has ended. */
void release_phase_free(struct release_phase *p);

/* Stop the jobs that still run though their deployments have ended. */
void release_phase_sweep(struct controller *c);

#endif
