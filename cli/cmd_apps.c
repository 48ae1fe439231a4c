#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/confirm.h"
#include "cli/git.h"
#include "cli/list.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

static void
print_apps(const struct fl_json *apps, FL_UNUSED const void *arg)
{
	static const char *const heads[] = { "ID", "NAME", NULL };
	struct table *t = table_new(heads);

	for (size_t i = 0; i < fl_json_len(apps); i++)
		table_row(t, fl_json_text(fl_json_at(apps, i), "id"),
		    fl_json_text(fl_json_at(apps, i), "name"));
	table_print(t);
}

int
cmd_apps(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	struct fl_err err;

	if (argc > 1)
		return cli_usage("apps");
	return list_show(cli, client_get(cli, "/apps", "the list of apps", &err), print_apps, NULL, &err);
}

/* The app exists, with its remote or without. */
static void
add_remote(const struct cluster *cluster, const char *remote, const char *app)
{
	char *url = fl_xasprintf("ssh://git@%s/%s.git", cluster->git_host, app), *replaced = NULL;
	struct fl_err err = { 0 };

	git_set_remote(remote, url, &replaced, &err);
	if (err.kind == FL_ERR_NOT_FOUND)
		fprintf(stderr, "No git remote was added, for %s. In the app's repository: git remote add %s %s\n", err.msg, remote, url);
	else if (err.kind != FL_ERR_NONE)
		fprintf(stderr, "No git remote was added: %s\n", err.msg);
	else if (replaced != NULL)
		fprintf(stderr, "The git remote %s pointed to %s and now points to %s\n", remote, replaced, url);
	free(replaced);
	free(url);
}

int
cmd_create(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = { { "remote", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
	const char *remote = "flynn", *name;
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	struct fl_json *app;
	struct fl_err err;
	int c;

	while ((c = getopt_long(argc, argv, "r:", options, NULL)) != -1) {
		if (c != 'r')
			return cli_usage("create");
		remote = optarg;
	}
	if (argc - optind > 1)
		return cli_usage("create");
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str_oe(&w, "name", argc > optind ? argv[optind] : NULL);
	fl_jsonw_close(&w, '}');
	app = client_call(cli, "POST", "/apps", &body, "the new app", &err);
	fl_buf_release(&body);
	if (app == NULL)
		return cli_fail(&err);
	name = fl_json_text(app, "name");
	fprintf(stderr, "Created %s\n", name);
	if (*remote != '\0')
		add_remote(cli->cluster, remote, name);
	fl_json_free(app);
	return 0;
}

/* Nobody is asked about what is not there. */
static int
confirm_deletion(struct cli *cli, const char *app)
{
	struct fl_err err;

	if (client_app_check(cli, app, &err) == -1)
		return cli_fail(&err);
	return confirm(app, "Delete app %s with its jobs, routes, volumes and what is on them? Type its name: ", app) ? 0 : CLI_EXIT_FAILED;
}

int
cmd_delete(struct cli *cli, int argc, char **argv)
{
	struct fl_json *answer;
	bool yes;
	const char *app;
	struct fl_err err;
	int status;

	if (confirm_options(argc, argv, &yes) == -1 || argc != optind)
		return cli_usage("delete");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	if (!yes && (status = confirm_deletion(cli, app)) != 0)
		return status;
	if ((answer = client_app_call(cli, "DELETE", app, "", NULL, NULL, &err)) == NULL)
		return cli_fail(&err);
	fl_json_free(answer);
	fprintf(stderr, "Deleted %s\n", app);
	return 0;
}
