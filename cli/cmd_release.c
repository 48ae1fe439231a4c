#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"
#include "list.h"
#include "release.h"
#include "table.h"

static void
print_providers(const struct fl_json *list, FL_UNUSED const void *arg)
{
	static const char *const heads[] = { "ID", "NAME", "URL", NULL };
	struct table *t;

	if (fl_json_len(list) == 0)
		return;
	t = table_new(heads);
	for (size_t i = 0; i < fl_json_len(list); i++)
		table_row(t, fl_json_str(fl_json_get(fl_json_at(list, i), "id"), ""),
		    fl_json_str(fl_json_get(fl_json_at(list, i), "name"), ""),
		    fl_json_str(fl_json_get(fl_json_at(list, i), "url"), ""));
	table_print(t);
}

int
cmd_provider(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	struct fl_err err;

	if (argc > 1)
		return cli_usage("provider");
	return list_show(cli, client_get(cli, "/providers", "the list of providers", &err), print_providers, NULL, &err);
}

/* The resource's environment becomes the app's, as a new release. */
static char *
adopt_env(struct cli *cli, const char *app, const struct fl_json *resource, struct fl_err *err)
{
	const struct fl_json *env = fl_json_get(resource, "env");
	size_t n = fl_json_len(env);
	struct release_change *changes = fl_xcalloc(n + 1, sizeof(*changes));
	char *id;

	for (size_t i = 0; i < n; i++)
		changes[i] = (struct release_change){ (char *)fl_json_key_at(env, i), fl_json_str(fl_json_at(env, i), "") };
	id = release_with_env(cli, app, NULL, changes, n, err);
	free(changes);
	return id;
}

int
cmd_resource_add(struct cli *cli, int argc, char **argv)
{
	struct fl_buf body = { 0 };
	struct fl_json *resource = NULL;
	char *provider, *path, *what, *id = NULL;
	const char *app;
	struct fl_err err = { 0 };

	if (argc != 2)
		return cli_usage("resource add");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	provider = fl_url_encode(argv[1]);
	path = fl_xasprintf("/providers/%s/resources", provider);
	what = fl_xasprintf("provider %s", argv[1]);
	fl_buf_addf(&body, "{\"apps\":[\"%s\"],\"config\":null}", app);
	if ((resource = client_call(cli, "POST", path, &body, what, &err)) != NULL)
		id = adopt_env(cli, app, resource, &err);
	if (id != NULL)
		fprintf(stderr, "Created resource %s and release %s.\n", fl_json_str(fl_json_get(resource, "id"), ""), id);
	fl_json_free(resource);
	fl_buf_release(&body);
	free(provider);
	free(path);
	free(what);
	free(id);
	return err.kind != FL_ERR_NONE ? cli_fail(&err) : 0;
}
