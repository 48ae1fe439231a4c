#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/list.h"
#include "cli/release.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

static int64_t
version_of(const struct fl_json *release)
{
	return fl_json_int(fl_json_get(release, "version"), 0);
}

/* The releases of the app, and which it has now. */
struct releases {
	const char *app;
	struct fl_json *all, *current;
};

static int
releases_read(struct cli *cli, struct releases *r, struct fl_err *err)
{
	*r = (struct releases){ .app = cli_app(cli, err) };
	if (r->app == NULL || (r->all = client_app_call(cli, "GET", r->app, "/releases", NULL, NULL, err)) == NULL ||
	    (r->current = client_app_release(cli, r->app, err)) == NULL)
		return -1;
	return 0;
}

static void
releases_release(struct releases *r)
{
	fl_json_free(r->all);
	fl_json_free(r->current);
}

static bool
is_current(const struct releases *r, const struct fl_json *release)
{
	return strcmp(fl_json_text(release, "id"), fl_json_text(r->current, "id")) == 0;
}

/* The numbered release with the highest number below that of before; NULL: any. */
static const struct fl_json *
newest(const struct releases *r, int64_t before)
{
	const struct fl_json *best = NULL;

	for (size_t i = 0; i < fl_json_len(r->all); i++) {
		const struct fl_json *release = fl_json_at(r->all, i);

		if (version_of(release) < before && version_of(release) > version_of(best))
			best = release;
	}
	return best;
}

static void
print_releases(FL_UNUSED const struct fl_json *list, const void *arg)
{
	static const char *const heads[] = { "VERSION", "ID", "AGE", "STATE", NULL };
	const struct releases *r = arg;
	struct table *t = table_new(heads);
	char version[24], age[32];

	for (const struct fl_json *release = newest(r, INT64_MAX); release != NULL; release = newest(r, version_of(release))) {
		snprintf(version, sizeof(version), "v%lld", (long long)version_of(release));
		table_row(t, version, fl_json_text(release, "id"), table_age(fl_json_text(release, "created_at"), age, sizeof(age)),
		    is_current(r, release) ? "current" : "");
	}
	table_print(t);
}

int
cmd_releases(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	struct releases r = { 0 };
	struct fl_err err = { 0 };
	int status;

	if (argc > 1)
		return cli_usage("releases");
	if (releases_read(cli, &r, &err) == -1) {
		status = cli_fail(&err);
	} else {
		status = list_show(cli, r.all, print_releases, &r, &err);
		r.all = NULL;
	}
	releases_release(&r);
	return status;
}

static void
print_release(const struct fl_json *release, const void *arg)
{
	const struct fl_json *processes = fl_json_get(release, "processes"), *env = fl_json_get(release, "env");

	printf("version:   v%lld%s\n", (long long)version_of(release), is_current(arg, release) ? ", current" : "");
	printf("id:        %s\n", fl_json_text(release, "id"));
	printf("artifact:  %s\n", fl_json_text(release, "artifact"));
	printf("created:   %s\n", fl_json_text(release, "created_at"));
	for (size_t i = 0; i < fl_json_len(processes); i++)
		printf("%s %s\n", i == 0 ? "types:    " : "          ", fl_json_key_at(processes, i));
	/* Their values are secrets more often than not: flynn env shows them. */
	for (size_t i = 0; i < fl_json_len(env); i++)
		printf("%s %s\n", i == 0 ? "variables:" : "          ", fl_json_key_at(env, i));
}

int
cmd_release_show(struct cli *cli, int argc, char **argv)
{
	struct releases r = { 0 };
	const struct fl_json *release = NULL;
	struct fl_err err = { 0 };
	int status = 0;

	if (argc > 2)
		return cli_usage("release show");
	if (releases_read(cli, &r, &err) == 0) {
		if (argc < 2 && fl_json_is_null(r.current))
			fl_err_set(&err, FL_ERR_NOT_FOUND, "app %s has no release yet: git push flynn master makes one", r.app);
		else
			release = release_find(r.all, r.app, argc == 2 ? argv[1] : fl_json_text(r.current, "id"), &err);
	}
	if (release == NULL)
		status = cli_fail(&err);
	else if (cli->json)
		list_print_json(release);
	else
		print_release(release, &r);
	releases_release(&r);
	return status;
}

/* What was set before the first push is a release, too, that runs nothing: nobody means to go back to that. */
static bool
runs_nothing(const struct fl_json *release)
{
	return fl_json_len(fl_json_get(release, "processes")) == 0;
}

/* What to go back to: what word says, or the one before the current. NULL with err. */
static const struct fl_json *
rollback_target(const struct releases *r, const char *word, struct fl_err *err)
{
	const struct fl_json *current = NULL, *target = NULL;

	if (word != NULL)
		return release_find(r->all, r->app, word, err);
	if (!fl_json_is_null(r->current) && (current = release_find(r->all, r->app, fl_json_text(r->current, "id"), err)) != NULL)
		target = newest(r, version_of(current));
	while (target != NULL && runs_nothing(target) && !runs_nothing(current))
		target = newest(r, version_of(target));
	if (target == NULL) {
		fl_err_set(err, FL_ERR_NOT_FOUND, "app %s has no release to go back to", r->app);
		return NULL;
	}
	return target;
}

int
cmd_rollback(struct cli *cli, int argc, char **argv)
{
	struct releases r = { 0 };
	const struct fl_json *target = NULL;
	struct fl_err err = { 0 };
	int status = 0;

	if (argc > 2)
		return cli_usage("rollback");
	if (releases_read(cli, &r, &err) == 0)
		target = rollback_target(&r, argc == 2 ? argv[1] : NULL, &err);
	if (target != NULL && is_current(&r, target))
		fl_err_set(&err, FL_ERR_CONFLICT, "app %s has release v%lld already", r.app, (long long)version_of(target));
	if (err.kind != FL_ERR_NONE || release_deploy(cli, r.app, fl_json_text(target, "id"), NULL, &err) == -1)
		status = cli_fail(&err);
	else
		fprintf(stderr, "Rolled back to v%lld, release %s.\n", (long long)version_of(target), fl_json_text(target, "id"));
	releases_release(&r);
	return status;
}
