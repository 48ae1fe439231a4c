/*
 * jobs - which job of an app a word on the command line means.
 */
#ifndef CLI_JOBS_H
#define CLI_JOBS_H

#include <stdbool.h>

struct cli;
struct fl_err;

/*
 * The id of the job that word means, the caller frees: by its id, or the beginning of it or of its part behind the host's name, if
 * only one job begins so; those that run go before those that have ended. With types, word may be a process type: its newest
 * job that is up. NULL with a sentence (NOT_FOUND, CONFLICT).
 */
char *jobs_resolve(struct cli *cli, const char *app, const char *word, bool types, struct fl_err *err);

#endif
