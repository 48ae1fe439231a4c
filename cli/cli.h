/*
 * cli - what every command of flynn(1) works with.
 *
 * A command returns an exit status: 0, 1 failed, 2 wrong usage (flynn run: the job's own). Results go to
 * standard output, messages and errors to standard error.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "libflynn/err.h"

struct cluster;
struct config;

#define CLI_EXIT_FAILED 1
#define CLI_EXIT_USAGE 2

struct cli {
	struct config *config;
	const char *app_arg;	 /* -a, or NULL */
	const char *cluster_arg; /* -c, or NULL */
	bool json;		 /* --json */
	int timeout_ms;		 /* of a call to the controller; 0: as usual */
	char *app;		 /* resolved by cli_app() */
	struct cluster *cluster; /* resolved; borrowed from config */
};

struct command {
	const char *name;    /* "route add http" */
	const char *aliases; /* "route-add-http,routes-add"; NULL: none. The name with dashes always works */
	const char *args;    /* for the usage line; one that has [--json] takes that among its own options */
	const char *summary;
	const char *help; /* the rest of its help; NULL: none */
	int (*run)(struct cli *cli, int argc, char **argv); /* argv[0] is the command's name */
};

/* All commands; the last has a NULL name. */
extern const struct command commands[];

/* A variable of our environment; NULL when it is not set or, which counts as the same, empty. */
const char *cli_variable(const char *name);
/*
 * Print what strangers chose, which must not drive the terminal: line breaks as line_break, other white space as a space, other
 * control characters as "?".
 */
void cli_put(FILE *f, const char *text, const char *line_break);
/*
 * "flynn: <message>" on standard error; returns CLI_EXIT_FAILED. Further lines of the message, as the last ones that a job
 * printed, stand indented, so that what it names cannot look like a message of ours.
 */
int cli_fail(const struct fl_err *err);
/* Say how the command is used and return CLI_EXIT_USAGE. */
int cli_usage(const char *name);

/*
 * The cluster: -c, the one the app's git remote points to, $FLYNN_CLUSTER or $FLYNN_SERVER, else the first.
 * NULL with a sentence that says how to add one.
 */
struct cluster *cli_cluster(struct cli *cli, struct fl_err *err);
/* The app: -a (a remote's name or an app's), $FLYNN_APP, git config flynn.remote, the only remote of a cluster. Borrowed. */
const char *cli_app(struct cli *cli, struct fl_err *err);

int cmd_apps(struct cli *cli, int argc, char **argv);
int cmd_cluster(struct cli *cli, int argc, char **argv);
int cmd_cluster_add(struct cli *cli, int argc, char **argv);
int cmd_cluster_default(struct cli *cli, int argc, char **argv);
int cmd_cluster_remove(struct cli *cli, int argc, char **argv);
int cmd_completion(struct cli *cli, int argc, char **argv);
int cmd_create(struct cli *cli, int argc, char **argv);
int cmd_delete(struct cli *cli, int argc, char **argv);
int cmd_deploy(struct cli *cli, int argc, char **argv);
int cmd_deployment(struct cli *cli, int argc, char **argv);
int cmd_deployment_batch_size(struct cli *cli, int argc, char **argv);
int cmd_deployment_cancel(struct cli *cli, int argc, char **argv);
int cmd_deployment_show(struct cli *cli, int argc, char **argv);
int cmd_deployment_strategy(struct cli *cli, int argc, char **argv);
int cmd_deployment_timeout(struct cli *cli, int argc, char **argv);
int cmd_env(struct cli *cli, int argc, char **argv);
int cmd_env_export(struct cli *cli, int argc, char **argv);
int cmd_env_get(struct cli *cli, int argc, char **argv);
int cmd_env_load(struct cli *cli, int argc, char **argv);
int cmd_env_set(struct cli *cli, int argc, char **argv);
int cmd_env_unset(struct cli *cli, int argc, char **argv);
int cmd_exec(struct cli *cli, int argc, char **argv);
int cmd_health(struct cli *cli, int argc, char **argv);
int cmd_health_set(struct cli *cli, int argc, char **argv);
int cmd_health_unset(struct cli *cli, int argc, char **argv);
int cmd_help(struct cli *cli, int argc, char **argv);
int cmd_info(struct cli *cli, int argc, char **argv);
int cmd_key(struct cli *cli, int argc, char **argv);
int cmd_key_add(struct cli *cli, int argc, char **argv);
int cmd_key_remove(struct cli *cli, int argc, char **argv);
int cmd_kill(struct cli *cli, int argc, char **argv);
int cmd_limit(struct cli *cli, int argc, char **argv);
int cmd_limit_set(struct cli *cli, int argc, char **argv);
int cmd_log(struct cli *cli, int argc, char **argv);
int cmd_pg_dump(struct cli *cli, int argc, char **argv);
int cmd_pg_psql(struct cli *cli, int argc, char **argv);
int cmd_pg_restore(struct cli *cli, int argc, char **argv);
int cmd_provider(struct cli *cli, int argc, char **argv);
int cmd_ps(struct cli *cli, int argc, char **argv);
int cmd_release_add(struct cli *cli, int argc, char **argv);
int cmd_release_show(struct cli *cli, int argc, char **argv);
int cmd_releases(struct cli *cli, int argc, char **argv);
int cmd_requests(struct cli *cli, int argc, char **argv);
int cmd_resource(struct cli *cli, int argc, char **argv);
int cmd_resource_add(struct cli *cli, int argc, char **argv);
int cmd_resource_remove(struct cli *cli, int argc, char **argv);
int cmd_restart(struct cli *cli, int argc, char **argv);
int cmd_rollback(struct cli *cli, int argc, char **argv);
int cmd_route(struct cli *cli, int argc, char **argv);
int cmd_route_add_http(struct cli *cli, int argc, char **argv);
int cmd_route_add_tcp(struct cli *cli, int argc, char **argv);
int cmd_route_remove(struct cli *cli, int argc, char **argv);
int cmd_route_update(struct cli *cli, int argc, char **argv);
int cmd_run(struct cli *cli, int argc, char **argv);
int cmd_scale(struct cli *cli, int argc, char **argv);
int cmd_volume(struct cli *cli, int argc, char **argv);
int cmd_volume_attach(struct cli *cli, int argc, char **argv);
int cmd_volume_decommission(struct cli *cli, int argc, char **argv);
int cmd_volume_detach(struct cli *cli, int argc, char **argv);
int cmd_volume_remove(struct cli *cli, int argc, char **argv);
int cmd_version(struct cli *cli, int argc, char **argv);

#endif
