/*
 * scaling - a formation set, and its jobs watched until they are as it says.
 */
#ifndef SCALING_H
#define SCALING_H

#include <stddef.h>

struct cli;
struct fl_err;

struct scaling_goal {
	char *type;
	int count;
};

/*
 * Follow the app's job events, then PUT body as the formation of release, then wait until as many jobs of each goal's
 * type as it says are up and no others of it live. Prints each job as it comes up or goes. -1 with a sentence when a job fails
 * or after two minutes.
 */
int scaling_run(struct cli *cli, const char *app, const char *release, const char *body,
    const struct scaling_goal *goals, size_t n_goals, struct fl_err *err);

#endif
