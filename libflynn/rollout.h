/*
 * rollout - change what an app shall run, and wait until it does.
 *
 * For programs without a loop of their own: the CLI's scale, and a push. It follows the app's job events, makes the
 * change once nothing can be missed, and waits for the jobs.
 */
#ifndef FL_ROLLOUT_H
#define FL_ROLLOUT_H

#include <stddef.h>

struct fl_err;

/* So many jobs of this type shall be up, and no others of it starting. */
struct fl_rollout_goal {
	char *type;
	int count;
};

struct fl_rollout {
	const char *controller; /* base URL, without a slash at its end */
	const char *key, *pin;	/* pin: NULL outside TLS */
	const char *app;
	const struct fl_rollout_goal *goals;
	size_t n_goals;
	/* Jobs that must have ended as well, by their ids; how they end is no failure. change may set these and the goals. */
	char *const *leaving;
	size_t n_leaving;
	int timeout_s; /* with jobs that leave: for each of these */
	/* Make the change and return the id of the release whose jobs are waited for (freed by rollout), or NULL with err. */
	char *(*change)(void *arg, struct fl_err *err);
	/* A job of a goal's type has another state: starting up down crashed failed. May be NULL. */
	void (*on_job)(const char *type, const char *state, const char *job_id, void *arg);
	void *arg;
};

/*
 * 0: the goals are reached. -1: the change failed, a job failed (the sentence is its host's), or TIMEOUT with what was
 * seen. What was changed stays changed.
 */
int fl_rollout_run(const struct fl_rollout *opts, struct fl_err *err);

#endif
