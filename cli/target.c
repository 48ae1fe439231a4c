/*
 * target - which cluster and which app a command is about.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/config.h"
#include "cli/git.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

/* What the remotes of the repository say. */
struct remotes {
	const struct config *config;
	const char *only; /* look at this remote alone; NULL: at all */
	struct cluster *cluster;
	char *app;
	int found; /* remotes that are apps of a known cluster */
};

static void
look_at_remote(const char *name, const char *url, void *arg)
{
	struct remotes *r = arg;
	struct cluster *cluster;
	char *app;

	if (r->only != NULL && strcmp(name, r->only) != 0)
		return;
	if ((cluster = config_match_remote(r->config, url, &app)) == NULL)
		return;
	if (r->found++ > 0 && r->app != NULL && strcmp(r->app, app) == 0 && r->cluster == cluster)
		r->found--; /* the same app under two names is no ambiguity */
	free(r->app);
	r->app = app;
	r->cluster = cluster;
}

static struct remotes
look_at_remotes(struct cli *cli, const char *only)
{
	struct remotes r = { .config = cli->config, .only = only };

	git_each_remote(look_at_remote, &r);
	return r;
}

static struct cluster *
named_cluster(struct cli *cli, const char *name, struct fl_err *err)
{
	struct cluster *c = config_find(cli->config, name);

	if (c == NULL)
		fl_err_set(err, FL_ERR_NOT_FOUND, "there is no cluster \"%s\" in %s: flynn cluster lists those there are", name,
		    cli->config->path);
	return c;
}

struct cluster *
cli_cluster(struct cli *cli, struct fl_err *err)
{
	const char *name = cli->cluster_arg;

	if (cli->cluster != NULL)
		return cli->cluster;
	if (name == NULL)
		name = cli_variable("FLYNN_CLUSTER");
	if (name == NULL)
		name = cli_variable("FLYNN_SERVER");
	if (name == NULL && cli->config->n > 0)
		name = cli->config->default_name;
	if (name != NULL)
		return cli->cluster = named_cluster(cli, name, err);
	if (cli->config->n == 0) {
		fl_err_set(err, FL_ERR_NOT_FOUND,
		    "no cluster is configured in %s: paste the line that the bootstrap of yours ended with (flynn cluster add ...)",
		    cli->config->path);
		return NULL;
	}
	return cli->cluster = &cli->config->clusters[0];
}

/* Names and ids are all that may stand in a path. */
static const char *
take_name(struct cli *cli, const char *name, struct fl_err *err)
{
	if (*name == '\0' || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0') {
		fl_err_set(err, FL_ERR_INVALID, "\"%.100s\" is no app name: names have small letters, digits and single dashes", name);
		return NULL;
	}
	return cli->app = fl_xstrdup(name);
}

/* Take what a remote says, unless a cluster was asked for by name. */
static const char *
take_remote(struct cli *cli, struct remotes *r, struct fl_err *err)
{
	if (cli->cluster_arg == NULL)
		cli->cluster = r->cluster;
	take_name(cli, r->app, err);
	free(r->app);
	return cli->app;
}

const char *
cli_app(struct cli *cli, struct fl_err *err)
{
	const char *name = cli_variable("FLYNN_APP");
	char *configured;
	struct remotes r;

	if (cli->app != NULL)
		return cli->app;
	if (cli->app_arg != NULL) {
		r = look_at_remotes(cli, cli->app_arg);
		if (r.found > 0)
			return take_remote(cli, &r, err);
		return take_name(cli, cli->app_arg, err);
	}
	if (name != NULL)
		return take_name(cli, name, err);
	configured = git_flynn_remote();
	r = look_at_remotes(cli, configured);
	free(configured);
	if (r.found == 1)
		return take_remote(cli, &r, err);
	free(r.app);
	if (r.found > 1)
		fl_err_set(err, FL_ERR_INVALID, "several git remotes are apps: say which with -a APP, or git config flynn.remote NAME");
	else
		fl_err_set(err, FL_ERR_INVALID, "no app: say which with -a APP, or stand in a repository with a remote made by flynn create");
	return NULL;
}
