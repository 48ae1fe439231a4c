/*
 * deploy - have the controller deploy a release, and wait until that has ended.
 *
 * For programs without a loop of their own: the CLI, and a push. The controller carries it out whether or not anybody waits;
 * a controller that dies meanwhile is waited for, but not for long.
 */
#ifndef FL_DEPLOY_H
#define FL_DEPLOY_H

#include <stddef.h>

struct fl_err;

/* How often a change that is overtaken is made anew: each time another one's has come through. */
#define FL_DEPLOY_TRIES_MAX 20

struct fl_deploy {
	const char *controller; /* base URL, without a slash at its end */
	const char *key, *pin;	/* pin: NULL outside TLS */
	const char *app;
	const char *release;
	const char *base;     /* the release that this one was made of, "": of none; NULL: it does not matter what the app has */
	const char *strategy; /* NULL: the controller's default */
	const char *processes; /* JSON object of how many of each type are to run; NULL: as many as run now */
	int timeout_s;	      /* for all of it */
	int away_s;	      /* for a controller that does not answer to be back */
	/*
	 * It has another status: pending, with the id of the deployment that it waits behind; running; releasing, when its
	 * release phase begins; and running again behind that. May be NULL.
	 */
	void (*on_status)(const char *status, const char *behind, void *arg);
	/* The controller has not answered for some seconds, and is waited for. May be NULL. */
	void (*on_away)(const char *why, void *arg);
	/* What the release phase writes, as it comes. May be NULL. */
	void (*on_output)(const char *data, size_t len, void *arg);
	void *arg;
};

/*
 * 0: complete. -1: it was refused, failed (the sentence is the controller's), was cancelled; the app had another release than
 * base at its turn (CONFLICT); or it has not ended in time or nobody answers any more (TIMEOUT): then it goes on by itself.
 */
int fl_deploy_run(const struct fl_deploy *opts, struct fl_err *err);

#endif
