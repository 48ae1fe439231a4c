#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/confirm.h"
#include "cli/list.h"
#include "cli/release.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

static void
add_provider(struct table *t, const struct fl_json *p, FL_UNUSED const void *arg)
{
	table_row(t, fl_json_text(p, "id"), fl_json_text(p, "name"), fl_json_text(p, "url"));
}

static void
print_providers(const struct fl_json *list, FL_UNUSED const void *arg)
{
	static const char *const heads[] = { "ID", "NAME", "URL", NULL };

	list_print_table(list, heads, add_provider, NULL);
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
		changes[i] = (struct release_change){ .name = (char *)fl_json_key_at(env, i), .value = fl_json_str(fl_json_at(env, i), "") };
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
		fprintf(stderr, "Created resource %s and release %s.\n", fl_json_text(resource, "id"), id);
	else if (err.kind == FL_ERR_NONE) /* it has no environment */
		fprintf(stderr, "Created resource %s.\n", fl_json_text(resource, "id"));
	fl_json_free(resource);
	fl_buf_release(&body);
	free(provider);
	free(path);
	free(what);
	free(id);
	return err.kind != FL_ERR_NONE ? cli_fail(&err) : 0;
}

/* The provider of a list by its name or id; NULL: none. */
static const struct fl_json *
provider_of(const struct fl_json *providers, const char *ref)
{
	for (size_t i = 0; i < fl_json_len(providers); i++) {
		const struct fl_json *p = fl_json_at(providers, i);

		if (strcmp(fl_json_text(p, "name"), ref) == 0 || strcmp(fl_json_text(p, "id"), ref) == 0)
			return p;
	}
	return NULL;
}

static void
add_resource(struct table *t, const struct fl_json *r, const void *providers)
{
	char age[32];

	table_row(t, fl_json_text(r, "id"), fl_json_text(provider_of(providers, fl_json_text(r, "provider_id")), "name"),
	    table_age(fl_json_text(r, "created_at"), age, sizeof(age)));
}

static void
print_resources(const struct fl_json *list, const void *providers)
{
	static const char *const heads[] = { "ID", "PROVIDER", "AGE", NULL };

	list_print_table(list, heads, add_resource, providers);
}

int
cmd_resource(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	struct fl_json *providers, *list = NULL;
	const char *app;
	struct fl_err err;
	int status;

	if (argc > 1)
		return cli_usage("resource");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	if ((providers = client_get(cli, "/providers", "the list of providers", &err)) != NULL)
		list = client_app_call(cli, "GET", app, "/resources", NULL, NULL, &err);
	status = list_show(cli, list, print_resources, providers, &err);
	fl_json_free(providers);
	return status;
}

/* The one resource of the list that provider made and, if id is given, has that id. */
static const struct fl_json *
choose(const struct fl_json *list, const char *app, const struct fl_json *provider, const char *id, struct fl_err *err)
{
	const struct fl_json *found = NULL;

	for (size_t i = 0; i < fl_json_len(list); i++) {
		const struct fl_json *r = fl_json_at(list, i);

		if (strcmp(fl_json_text(r, "provider_id"), fl_json_text(provider, "id")) != 0 || (id != NULL && strcmp(fl_json_text(r, "id"), id) != 0))
			continue;
		if (found != NULL) {
			fl_err_set(err, FL_ERR_INVALID, "app %s has several resources of %s: say which, flynn resource lists them", app,
			    fl_json_text(provider, "name"));
			return NULL;
		}
		found = r;
	}
	if (found == NULL)
		fl_err_set(err, FL_ERR_NOT_FOUND, "app %s has no such resource of %s: flynn resource lists those it has", app,
		    fl_json_text(provider, "name"));
	return found;
}

/* What the resource said of itself goes from the app's environment, unless it was changed since. -1: err. */
static int
drop_env(struct cli *cli, const char *app, const struct fl_json *resource, struct fl_err *err)
{
	const struct fl_json *had = fl_json_get(resource, "env");
	size_t n = fl_json_len(had);
	struct release_change *changes = fl_xcalloc(n + 1, sizeof(*changes));
	char *id;
	bool ok;

	for (size_t i = 0; i < n; i++)
		changes[i] = (struct release_change){ .name = (char *)fl_json_key_at(had, i), .was = fl_json_str(fl_json_at(had, i), "") };
	id = release_with_env(cli, app, NULL, changes, n, err);
	ok = id != NULL || err->kind == FL_ERR_NONE;
	free(id);
	free(changes);
	return ok ? 0 : -1;
}

/* Given back to its provider, unless other apps have it too. -1: err. */
static int
give_back(struct cli *cli, const char *app, const struct fl_json *resource, bool shared, struct fl_err *err)
{
	char *path = fl_xasprintf("/providers/%s/resources/%s%s%s", fl_json_text(resource, "provider_id"), fl_json_text(resource, "id"),
	    shared ? "/apps/" : "", shared ? app : "");
	struct fl_json *v = client_call(cli, "DELETE", path, NULL, "the resource", err);
	bool ok = v != NULL;

	fl_json_free(v);
	free(path);
	return ok ? 0 : -1;
}

static bool
is_meant(const struct fl_json *resource)
{
	const char *id = fl_json_text(resource, "id");

	return confirm(id, "Resource %s is given back, and all data in it is lost. Type %s: ", id, id);
}

static int
remove_resource(struct cli *cli, const char *app, const char *ref, const char *id, bool yes, struct fl_err *err)
{
	struct fl_json *providers = client_get(cli, "/providers", "the list of providers", err), *list = NULL;
	const struct fl_json *provider = provider_of(providers, ref), *resource = NULL;
	bool shared, done = false;

	if (providers != NULL && provider == NULL)
		fl_err_set(err, FL_ERR_NOT_FOUND, "provider %s does not exist", ref);
	if (provider != NULL && (list = client_app_call(cli, "GET", app, "/resources", NULL, NULL, err)) != NULL)
		resource = choose(list, app, provider, id, err);
	if (resource != NULL) {
		shared = fl_json_len(fl_json_get(resource, "apps")) > 1;
		if (!yes && !shared && !is_meant(resource))
			err->kind = FL_ERR_NONE;
		else if (drop_env(cli, app, resource, err) == 0 && give_back(cli, app, resource, shared, err) == 0)
			done = true;
	}
	if (done)
		fprintf(stderr, "Resource %s removed.\n", fl_json_text(resource, "id"));
	fl_json_free(list);
	fl_json_free(providers);
	return done ? 0 : -1;
}

int
cmd_resource_remove(struct cli *cli, int argc, char **argv)
{
	struct fl_err err = { 0 };
	const char *app;
	bool yes;

	if (confirm_options(argc, argv, &yes) == -1 || argc - optind < 1 || argc - optind > 2)
		return cli_usage("resource remove");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	if (remove_resource(cli, app, argv[optind], argv[optind + 1], yes, &err) == 0)
		return 0;
	return err.kind != FL_ERR_NONE ? cli_fail(&err) : CLI_EXIT_FAILED;
}
