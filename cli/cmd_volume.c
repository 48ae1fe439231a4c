#include <getopt.h>
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
#include "libflynn/process.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

/* Where a volume of a process type's list is. */
static const char *
path_of(const struct fl_json *volume)
{
	return fl_json_str(fl_json_get(volume, "path"), FL_PROCESS_DATA);
}

/* Whether the process type has a volume there. */
static bool
has_volume(const struct fl_json *type, const char *path)
{
	const struct fl_json *volumes = fl_json_get(type, "volumes");

	if (fl_json_bool(fl_json_get(type, "data"), false) && strcmp(path, FL_PROCESS_DATA) == 0)
		return true;
	for (size_t i = 0; i < fl_json_len(volumes); i++)
		if (strcmp(path_of(fl_json_at(volumes, i)), path) == 0)
			return true;
	return false;
}

static void
add_volume(struct table *t, const struct fl_json *v, const void *release)
{
	const char *type = fl_json_text(v, "job_type"), *path = fl_json_text(v, "path");
	bool is_attached = has_volume(fl_json_get(fl_json_get(release, "processes"), type), path);
	bool is_gone = *fl_json_text(v, "decommissioned_at") != '\0';
	char age[32];

	table_row(t, fl_json_text(v, "id"), type, path, fl_json_text(v, "host_id"),
	    table_age(fl_json_text(v, "created_at"), age, sizeof(age)), is_gone ? "decommissioned" : is_attached ? "attached" : "detached");
}

static void
print_volumes(const struct fl_json *list, const void *release)
{
	static const char *const heads[] = { "ID", "TYPE", "PATH", "HOST", "AGE", "STATE", NULL };

	list_print_table(list, heads, add_volume, release);
}

int
cmd_volume(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	struct fl_json *release;
	const char *app;
	struct fl_err err;
	int status;

	if (argc > 1)
		return cli_usage("volume");
	if ((app = cli_app(cli, &err)) == NULL || (release = client_app_release(cli, app, &err)) == NULL)
		return cli_fail(&err);
	status = list_show(cli, client_app_call(cli, "GET", app, "/volumes", NULL, NULL, &err), print_volumes, release, &err);
	fl_json_free(release);
	return status;
}

/* What a process type is to have, or to have no more. */
struct change {
	const char *app, *type, *path;
	bool attach;
};

/* The type's list with a volume at path behind it, or without that one, as JSON; one at /data may stand outside of it. */
static void
write_volumes(struct fl_buf *b, const struct fl_json *type, const char *path, bool attach)
{
	const struct fl_json *volumes = fl_json_get(type, "volumes");
	struct fl_jsonw w = fl_jsonw(b);

	fl_jsonw_open(&w, NULL, '[');
	for (size_t i = 0; i < fl_json_len(volumes); i++)
		if (strcmp(path_of(fl_json_at(volumes, i)), path) != 0)
			fl_jsonw_value(&w, NULL, fl_json_at(volumes, i));
	if (attach) {
		fl_jsonw_open(&w, NULL, '{');
		fl_jsonw_str(&w, "path", path);
		fl_jsonw_close(&w, '}');
	}
	fl_jsonw_close(&w, ']');
}

/* The type's member that says so. */
static const char *
write_change(const struct fl_json *type, struct fl_buf *b, const void *arg, struct fl_err *err)
{
	const struct change *c = arg;

	if (has_volume(type, c->path) == c->attach) {
		fl_err_set(err, FL_ERR_INVALID, "%s of app %s has %s volume at %s", c->type, c->app, c->attach ? "already a" : "no", c->path);
		return NULL;
	}
	if (strcmp(c->path, FL_PROCESS_DATA) != 0 || (!c->attach && !fl_json_bool(fl_json_get(type, "data"), false))) {
		write_volumes(b, type, c->path, c->attach);
		return "volumes";
	}
	if (c->attach)
		fl_buf_addstr(b, "true");
	return "data";
}

static int
change_command(struct cli *cli, int argc, char **argv, bool attach)
{
	struct change c = { .type = argv[1], .path = argc == 3 ? argv[2] : FL_PROCESS_DATA, .attach = attach };
	struct fl_err err;

	if (argc < 2 || argc > 3)
		return cli_usage(argv[0]);
	c.app = cli_app(cli, &err);
	return release_say(c.app != NULL ? release_with_member(cli, c.app, c.type, write_change, &c, &err) : NULL, &err);
}

int
cmd_volume_attach(struct cli *cli, int argc, char **argv)
{
	return change_command(cli, argc, argv, true);
}

int
cmd_volume_detach(struct cli *cli, int argc, char **argv)
{
	return change_command(cli, argc, argv, false);
}

/* Of one volume; -1 with err. */
static int
ask(struct cli *cli, const char *app, const char *id, const char *method, const char *behind, struct fl_err *err)
{
	char *encoded = fl_url_encode(id), *rest = fl_xasprintf("/volumes/%s%s", encoded, behind);
	char *what = fl_xasprintf("volume %s of app %s", id, app);
	struct fl_json *answer = client_app_call(cli, method, app, rest, NULL, what, err);
	int rc = answer != NULL ? 0 : -1;

	free(encoded);
	free(rest);
	free(what);
	fl_json_free(answer);
	return rc;
}

/* The same, and said; done is what the volume is then. */
static int
change(struct cli *cli, const char *app, const char *id, const char *method, const char *behind, const char *done)
{
	struct fl_err err;

	if (ask(cli, app, id, method, behind, &err) == -1)
		return cli_fail(&err);
	fprintf(stderr, "Volume %s %s.\n", id, done);
	return 0;
}

/* Nobody is asked about what is not there. */
static int
confirm_removal(struct cli *cli, const char *app, const char *id)
{
	struct fl_err err;

	if (ask(cli, app, id, "GET", "", &err) == -1)
		return cli_fail(&err);
	return confirm(app, "Delete volume %s of app %s with its data? Type the app's name: ", id, app) ? 0 : CLI_EXIT_FAILED;
}

int
cmd_volume_remove(struct cli *cli, int argc, char **argv)
{
	bool yes;
	const char *app;
	struct fl_err err;
	int status;

	if (confirm_options(argc, argv, &yes) == -1 || argc - optind != 1)
		return cli_usage("volume remove");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	if (!yes && (status = confirm_removal(cli, app, argv[optind])) != 0)
		return status;
	return change(cli, app, argv[optind], "DELETE", "", "removed");
}

int
cmd_volume_decommission(struct cli *cli, int argc, char **argv)
{
	const char *app;
	struct fl_err err;

	if (argc != 2)
		return cli_usage("volume decommission");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	return change(cli, app, argv[1], "PUT", "/decommission", "decommissioned");
}
