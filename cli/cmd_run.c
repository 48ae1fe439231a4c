#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/attached.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/limit.h"
#include "cli/release.h"
#include "cli/terminal.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

struct run_opts {
	bool detached;
	const char *release;  /* NULL: the app's */
	int64_t limits[LIMIT_MAX];
	struct attached_command command;
};

static void
write_new_job(struct fl_buf *b, const char *release, const struct run_opts *o)
{
	struct fl_jsonw w = fl_jsonw(b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "release", release);
	attached_write(&w, &o->command);
	fl_jsonw_open(&w, "resources", '{');
	for (enum limit_kind kind = 0; kind < LIMIT_MAX; kind++)
		if (o->limits[kind] > 0)
			fl_jsonw_int(&w, limit_name(kind), o->limits[kind]);
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
}

static int
run_detached(struct cli *cli, const char *app, const struct fl_buf *body)
{
	struct fl_err err;
	struct fl_json *job = client_app_call(cli, "POST", app, "/jobs", body, NULL, &err);

	if (job == NULL)
		return cli_fail(&err);
	fprintf(stderr, "%s\n", fl_json_text(job, "id"));
	fl_json_free(job);
	return 0;
}

static int
run_attached(struct cli *cli, const char *app, const struct fl_buf *body, bool tty)
{
	char *path = fl_xasprintf("/apps/%s/jobs", app);
	int status = attached_run(cli, path, fl_buf_cstr(body), tty);

	free(path);
	return status;
}

/* "512MB" is the memory; "memory=512MB" and "cpu=500" say which. */
static int
parse_size(const char *word, struct run_opts *o)
{
	char *full = strchr(word, '=') != NULL ? fl_xstrdup(word) : fl_xasprintf("memory=%s", word);
	struct fl_err err;
	int status = limit_parse(full, o->limits, &err) == 0 ? 0 : cli_fail(&err);

	free(full);
	return status;
}

/* 0; or the exit status of wrong usage, said. */
static int
parse(int argc, char **argv, struct run_opts *o)
{
	static const struct option options[] = {
		{ "detached", no_argument, NULL, 'd' },
		{ "enable-log", no_argument, NULL, 'l' },
		{ "env", required_argument, NULL, 'e' },
		{ "release", required_argument, NULL, 'r' },
		{ "size", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	int c, status;

	/* "+": what stands behind the command is the command's. */
	while ((c = getopt_long(argc, argv, "+de:lr:s:", options, NULL)) != -1) {
		if (c == 'd')
			o->detached = true;
		else if (c == 'l')
			continue; /* as it is anyway */
		else if (c == 'r')
			o->release = optarg;
		else if (c == 's' && (status = parse_size(optarg, o)) != 0)
			return status;
		else if (c != 's' && (c != 'e' || !attached_add_env(&o->command, optarg)))
			return cli_usage("run");
	}
	o->command.cmd = argv + optind;
	o->command.n_cmd = (size_t)(argc - optind);
	o->command.tty = !o->detached && terminal_here();
	return o->command.n_cmd > 0 ? 0 : cli_usage("run");
}

/* That of the release that was asked for, or the app's; the caller frees. NULL with err. */
static char *
which_release(struct cli *cli, const char *app, const char *word, struct fl_err *err)
{
	struct fl_json *release;
	char *id;

	if (word != NULL)
		return release_id(cli, app, word, err);
	if ((release = client_app_release(cli, app, err)) == NULL)
		return NULL;
	if ((id = fl_xstrdup_null(fl_json_str(fl_json_get(release, "id"), NULL))) == NULL)
		fl_err_set(err, FL_ERR_INVALID, "app %s has no release yet: git push flynn master makes one", app);
	fl_json_free(release);
	return id;
}

int
cmd_run(struct cli *cli, int argc, char **argv)
{
	struct run_opts o = { 0 };
	struct fl_buf body = { 0 };
	const char *app;
	char *id;
	struct fl_err err;
	int status;

	if ((status = parse(argc, argv, &o)) != 0)
		return status;
	if (attached_check(&o.command, &err) == -1 || (app = cli_app(cli, &err)) == NULL || cli_cluster(cli, &err) == NULL)
		return cli_fail(&err);
	if ((id = which_release(cli, app, o.release, &err)) == NULL)
		return cli_fail(&err);
	write_new_job(&body, id, &o);
	status = o.detached ? run_detached(cli, app, &body) : run_attached(cli, app, &body, o.command.tty);
	fl_buf_release(&body);
	free(id);
	return status;
}
