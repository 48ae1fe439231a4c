/*
 * deployer - carries deployments out, the oldest open one of each app, a step at a time.
 *
 * Crash-only: all it knows is in PostgreSQL. It owns a deployment by a lease that it renews; when it dies, whoever
 * runs next goes on from what the formations ask for and what runs. Each step is one statement that does nothing once the
 * deployment is another's, or has ended.
 */
#ifndef CONTROLLER_DEPLOYER_H
#define CONTROLLER_DEPLOYER_H

struct controller;
struct deployer;

/* Once the schema stands. */
struct deployer *deployer_start(struct controller *c);
/* We are about to end: from then on what is ours is anybody's. cb once, from the loop, when that is so or cannot be. */
void deployer_stop(struct deployer *d, void (*cb)(void *arg), void *arg);
void deployer_free(struct deployer *d);
/* A job of the app has another state; NULL: any job may have. */
void deployer_job_changed(struct deployer *d, const char *app_id);

#endif
