/*
 * attached - a command in the cluster whose input, output, terminal and signals are ours.
 */
#ifndef CLI_ATTACHED_H
#define CLI_ATTACHED_H

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct fl_err;
struct fl_jsonw;

#define ATTACHED_ENV_MAX 64

/* What to run. Words are those of argv. */
struct attached_command {
	char **cmd;
	size_t n_cmd;
	const char *env[ATTACHED_ENV_MAX]; /* NAME=VALUE */
	size_t n_env;
	bool tty;
};

/* Whether word is NAME=VALUE, and there was room for it. */
bool attached_add_env(struct attached_command *c, const char *word);
/* -1 (INVALID) when a word of it is no UTF-8: it would reach the cluster as another. */
int attached_check(const struct attached_command *c, struct fl_err *err);
/* Its members of the request, with those of our terminal, into an open object. */
void attached_write(struct fl_jsonw *w, const struct attached_command *c);
/*
 * POST body to path of the cluster's controller, and be the command that comes of it until it has ended. SIGINT, SIGTERM, SIGQUIT,
 * SIGHUP, SIGUSR1 and SIGUSR2 are sent on, after the first four SIGKILL ten seconds later; before it has begun they end us. Returns
 * the command's exit status, 128 + the signal that ended us, or CLI_EXIT_FAILED, said.
 */
int attached_run(struct cli *cli, const char *path, const char *body, bool tty);

#endif
