#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/route_options.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

/* What the controller says of an app; each part is asked for by its own route. */
struct info {
	char *git_url;
	struct fl_json *app, *release, *releases, *formations, *routes, *resources, *providers, *volumes;
};

static void
info_release(struct info *i)
{
	free(i->git_url);
	fl_json_free(i->app);
	fl_json_free(i->release);
	fl_json_free(i->releases);
	fl_json_free(i->formations);
	fl_json_free(i->routes);
	fl_json_free(i->resources);
	fl_json_free(i->providers);
	fl_json_free(i->volumes);
}

static int
info_read(struct cli *cli, const char *name, struct info *i, struct fl_err *err)
{
	const struct {
		const char *rest;
		struct fl_json **into;
	} parts[] = {
		{ "", &i->app }, { "/releases", &i->releases }, { "/formations", &i->formations }, { "/routes", &i->routes },
		{ "/resources", &i->resources }, { "/volumes", &i->volumes },
	};

	for (size_t k = 0; k < fl_nitems(parts); k++)
		if ((*parts[k].into = client_app_call(cli, "GET", name, parts[k].rest, NULL, NULL, err)) == NULL)
			return -1;
	if ((i->release = client_app_release(cli, name, err)) == NULL ||
	    (i->providers = client_get(cli, "/providers", "the list of providers", err)) == NULL)
		return -1;
	i->git_url = fl_xasprintf("ssh://git@%s/%s.git", cli->cluster->git_host, fl_json_text(i->app, "name"));
	return 0;
}

/* The item of a list whose member is value; NULL: none. */
static const struct fl_json *
find(const struct fl_json *list, const char *member, const char *value)
{
	for (size_t i = 0; i < fl_json_len(list); i++)
		if (strcmp(fl_json_text(fl_json_at(list, i), member), value) == 0)
			return fl_json_at(list, i);
	return NULL;
}

static int64_t
version_of(const struct info *i)
{
	return fl_json_int(fl_json_get(find(i->releases, "id", fl_json_text(i->release, "id")), "version"), 0);
}

/* How many jobs of a process type of the release are asked for. */
static int64_t
count_of(const struct info *i, const char *type)
{
	const struct fl_json *formation = find(i->formations, "release", fl_json_text(i->release, "id"));

	return fl_json_int(fl_json_get(fl_json_get(formation, "processes"), type), 0);
}

static void
print_json(const struct info *i)
{
	const struct fl_json *types = fl_json_get(i->release, "processes");
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	for (size_t k = 0; k < fl_json_len(i->app); k++)
		fl_jsonw_value(&w, fl_json_key_at(i->app, k), fl_json_at(i->app, k));
	fl_jsonw_str(&w, "git_url", i->git_url);
	if (!fl_json_is_null(i->release)) {
		fl_jsonw_str(&w, "release", fl_json_text(i->release, "id"));
		fl_jsonw_int(&w, "version", version_of(i));
	}
	fl_jsonw_open(&w, "processes", '{');
	for (size_t k = 0; k < fl_json_len(types); k++)
		fl_jsonw_int(&w, fl_json_key_at(types, k), count_of(i, fl_json_key_at(types, k)));
	fl_jsonw_close(&w, '}');
	fl_jsonw_value(&w, "routes", i->routes);
	fl_jsonw_open(&w, "resources", '[');
	for (size_t k = 0; k < fl_json_len(i->resources); k++)
		fl_jsonw_value(&w, NULL, fl_json_at(i->resources, k));
	fl_jsonw_close(&w, ']');
	fl_jsonw_value(&w, "volumes", i->volumes);
	fl_jsonw_close(&w, '}');
	printf("%s\n", fl_buf_cstr(&b));
	fl_buf_release(&b);
}

static void
print_list(const char *head, const struct fl_json *list, const struct info *i, char *(*describe)(const struct fl_json *v, const struct info *i))
{
	for (size_t k = 0; k < fl_json_len(list); k++) {
		char *line = describe(fl_json_at(list, k), i);

		printf("%-11s %s\n", k == 0 ? head : "", line);
		free(line);
	}
}

static char *
describe_route(const struct fl_json *route, FL_UNUSED const struct info *i)
{
	char *name = route_options_name(route), *line = fl_xasprintf("%s to %s", name, fl_json_text(fl_json_get(route, "config"), "service"));

	free(name);
	return line;
}

static char *
describe_resource(const struct fl_json *resource, const struct info *i)
{
	const struct fl_json *provider = find(i->providers, "id", fl_json_text(resource, "provider"));

	return fl_xasprintf("%s %s", fl_json_text(provider, "name"), fl_json_text(resource, "id"));
}

static char *
describe_volume(const struct fl_json *volume, FL_UNUSED const struct info *i)
{
	return fl_xasprintf("%s of %s on %s", fl_json_text(volume, "path"), fl_json_text(volume, "job_type"), fl_json_text(volume, "host_id"));
}

static void
print_text(const struct info *i)
{
	const struct fl_json *types = fl_json_get(i->release, "processes");
	char age[32];

	printf("name:       %s\nid:         %s\ngit:        %s\n", fl_json_text(i->app, "name"), fl_json_text(i->app, "id"), i->git_url);
	printf("created:    %s\n", fl_json_text(i->app, "created_at"));
	if (fl_json_is_null(i->release))
		printf("release:    none yet: git push flynn master makes one\n");
	else
		printf("release:    v%lld, %s, %s old\n", (long long)version_of(i), fl_json_text(i->release, "id"),
		    table_age(fl_json_text(i->release, "created_at"), age, sizeof(age)));
	for (size_t k = 0; k < fl_json_len(types); k++)
		printf("%-11s %s=%lld\n", k == 0 ? "processes:" : "", fl_json_key_at(types, k), (long long)count_of(i, fl_json_key_at(types, k)));
	print_list("routes:", i->routes, i, describe_route);
	print_list("resources:", i->resources, i, describe_resource);
	print_list("volumes:", i->volumes, i, describe_volume);
}

int
cmd_info(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	struct info info = { 0 };
	const char *app;
	struct fl_err err;
	int status = 0;

	if (argc > 1)
		return cli_usage("info");
	if ((app = cli_app(cli, &err)) == NULL || info_read(cli, app, &info, &err) == -1)
		status = cli_fail(&err);
	else
		(cli->json ? print_json : print_text)(&info);
	info_release(&info);
	return status;
}
