#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/list.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

static void
add_deployment(struct table *t, const struct fl_json *d, FL_UNUSED const void *arg)
{
	const char *error = fl_json_text(d, "error");
	char age[32], why[256];

	snprintf(why, sizeof(why), "%.*s", (int)strcspn(error, "\n"), error);
	table_row(t, fl_json_text(d, "id"), fl_json_text(d, "status"), table_age(fl_json_text(d, "created_at"), age, sizeof(age)),
	    fl_json_text(d, "new_release"), why);
}

static void
print_deployments(const struct fl_json *list, FL_UNUSED const void *arg)
{
	static const char *const heads[] = { "ID", "STATUS", "AGE", "RELEASE", "REASON", NULL };

	list_print_table(list, heads, add_deployment, NULL);
}

int
cmd_deployment(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	const char *app;
	struct fl_err err;

	if (argc > 1)
		return cli_usage("deployment");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	return list_show(cli, client_app_call(cli, "GET", app, "/deployments", NULL, NULL, &err), print_deployments, NULL, &err);
}

static struct fl_json *
call(struct cli *cli, const char *method, const char *id, struct fl_err *err)
{
	char *encoded = fl_url_encode(id), *path = fl_xasprintf("/deployments/%s", encoded);
	char *what = fl_xasprintf("deployment %s", id);
	struct fl_json *answer = client_call(cli, method, path, NULL, what, err);

	free(encoded);
	free(path);
	free(what);
	return answer;
}

static void
print_line(const char *name, const char *value)
{
	if (*value != '\0')
		printf("%-13s %s\n", name, value);
}

static void
print_deployment(const struct fl_json *d, FL_UNUSED const void *arg)
{
	print_line("id:", fl_json_text(d, "id"));
	print_line("status:", fl_json_text(d, "status"));
	print_line("reason:", fl_json_text(d, "error"));
	print_line("behind:", fl_json_text(d, "behind"));
	print_line("strategy:", fl_json_text(d, "strategy"));
	print_line("old release:", fl_json_text(d, "old_release"));
	print_line("new release:", fl_json_text(d, "new_release"));
	print_line("created:", fl_json_text(d, "created_at"));
	print_line("finished:", fl_json_text(d, "finished_at"));
}

int
cmd_deployment_show(struct cli *cli, int argc, char **argv)
{
	struct fl_err err;

	if (argc != 2)
		return cli_usage("deployment show");
	return list_show(cli, call(cli, "GET", argv[1], &err), print_deployment, NULL, &err);
}

/* The oldest of the app's that has not ended; caller frees. NULL with err. */
static char *
open_deployment(struct cli *cli, struct fl_err *err)
{
	const char *app = cli_app(cli, err);
	struct fl_json *list = app != NULL ? client_app_call(cli, "GET", app, "/deployments", NULL, NULL, err) : NULL;
	char *id = NULL;

	if (list == NULL)
		return NULL;
	for (size_t i = fl_json_len(list); i > 0 && id == NULL; i--)
		if (fl_json_is_null(fl_json_get(fl_json_at(list, i - 1), "finished_at")))
			id = fl_xstrdup(fl_json_text(fl_json_at(list, i - 1), "id"));
	if (id == NULL)
		fl_err_set(err, FL_ERR_NOT_FOUND, "app %s is not being deployed", app);
	fl_json_free(list);
	return id;
}

int
cmd_deployment_cancel(struct cli *cli, int argc, char **argv)
{
	struct fl_json *answer = NULL;
	struct fl_err err = { 0 };
	char *id;

	if (argc > 2)
		return cli_usage("deployment cancel");
	id = argc == 2 ? fl_xstrdup(argv[1]) : open_deployment(cli, &err);
	if (id != NULL && (answer = call(cli, "DELETE", id, &err)) != NULL)
		fprintf(stderr, "Deployment %s cancelled: what ran before runs on.\n", id);
	fl_json_free(answer);
	free(id);
	return err.kind != FL_ERR_NONE ? cli_fail(&err) : 0;
}
