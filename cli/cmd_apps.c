#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "client.h"
#include "config.h"
#include "git.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"
#include "list.h"
#include "table.h"

int
cmd_apps(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	static const char *const heads[] = { "ID", "NAME", NULL };
	struct fl_json *apps;
	struct table *t;
	struct fl_err err;

	if (argc > 1)
		return cli_usage("apps");
	if ((apps = client_get(cli, "/apps", "the list of apps", &err)) == NULL)
		return cli_fail(&err);
	if (cli->json) {
		list_print_json(apps);
	} else {
		t = table_new(heads);
		for (size_t i = 0; i < fl_json_len(apps); i++)
			table_row(t, fl_json_str(fl_json_get(fl_json_at(apps, i), "id"), ""),
			    fl_json_str(fl_json_get(fl_json_at(apps, i), "name"), ""));
		table_print(t);
	}
	fl_json_free(apps);
	return 0;
}

static void
add_remote(const struct cluster *cluster, const char *remote, const char *app)
{
	char *url = fl_xasprintf("ssh://git@%s/%s.git", cluster->git_host, app);

	if (*remote != '\0')
		git_set_remote(remote, url);
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
	name = fl_json_str(fl_json_get(app, "name"), "");
	add_remote(cli->cluster, remote, name);
	fprintf(stderr, "Created %s\n", name);
	fl_json_free(app);
	return 0;
}

static bool
confirmed(const char *app)
{
	char line[256];

	fprintf(stderr, "Delete app %s with its jobs and routes? Type its name: ", app);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	return strcmp(line, app) == 0;
}

int
cmd_delete(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = { { "yes", no_argument, NULL, 'y' }, { NULL, 0, NULL, 0 } };
	struct fl_json *answer;
	bool yes = false;
	const char *app;
	char *path, *what;
	struct fl_err err;
	int c;

	while ((c = getopt_long(argc, argv, "y", options, NULL)) != -1) {
		if (c != 'y')
			return cli_usage("delete");
		yes = true;
	}
	if (argc != optind)
		return cli_usage("delete");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	if (!yes && !confirmed(app)) {
		fprintf(stderr, "Nothing deleted.\n");
		return CLI_EXIT_FAILED;
	}
	path = fl_xasprintf("/apps/%s", app);
	what = fl_xasprintf("app %s", app);
	answer = client_call(cli, "DELETE", path, NULL, what, &err);
	free(path);
	free(what);
	if (answer == NULL)
		return cli_fail(&err);
	fl_json_free(answer);
	fprintf(stderr, "Deleted %s\n", app);
	return 0;
}
