#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/attached.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/terminal.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

/* The variables that libpq reads. */
static const char *const variables[] = { "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE" };

static const char *
variable(const struct fl_json *release, const char *name)
{
	return fl_json_str(fl_json_get(fl_json_get(release, "env"), name), NULL);
}

/* The app's database, as a command's environment; -1: err. */
static int
read_database(const struct fl_json *release, const char *app, struct attached_command *c, struct fl_err *err)
{
	for (size_t i = 0; i < fl_nitems(variables); i++) {
		const char *value = variable(release, variables[i]);

		if (value == NULL && strcmp(variables[i], "PGPORT") != 0)
			return fl_err_set(err, FL_ERR_INVALID, "app %s has no %s in its environment: flynn resource add postgres gives it a database",
			    app, variables[i]);
		if (value != NULL)
			c->env[c->n_env++] = fl_xasprintf("%s=%s", variables[i], value);
	}
	return 0;
}

/* A job of the appliance's own release, which has PostgreSQL's programs, but with nothing of its environment. */
static void
write_job(struct fl_buf *b, const char *release, const char *program, const struct attached_command *c)
{
	struct fl_jsonw w = fl_jsonw(b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "release", release);
	fl_jsonw_bool(&w, "release_env", false);
	fl_jsonw_open(&w, "entrypoint", '[');
	fl_jsonw_str(&w, NULL, program);
	fl_jsonw_close(&w, ']');
	attached_write(&w, c);
	fl_jsonw_close(&w, '}');
}

/* Run one of PostgreSQL's programs on the app's database. */
static int
run_program(struct cli *cli, const char *program, struct attached_command *c)
{
	struct fl_json *release = NULL, *appliance = NULL;
	struct fl_buf body = { 0 };
	const char *app, *service;
	char *path = NULL;
	struct fl_err err = { 0 };
	int status = CLI_EXIT_FAILED;

	if ((app = cli_app(cli, &err)) == NULL || (release = client_app_release(cli, app, &err)) == NULL ||
	    read_database(release, app, c, &err) == -1)
		goto out;
	service = variable(release, "FLYNN_POSTGRES"); /* the appliance is an app of that name */
	if (service == NULL)
		service = "postgres";
	if ((appliance = client_app_release(cli, service, &err)) == NULL)
		goto out;
	write_job(&body, fl_json_text(appliance, "id"), program, c);
	path = fl_xasprintf("/apps/%s/jobs", service);
	status = attached_run(cli, path, fl_buf_cstr(&body), c->tty);
out:
	if (err.kind != FL_ERR_NONE)
		status = cli_fail(&err);
	for (size_t i = 0; i < c->n_env; i++)
		free((char *)c->env[i]);
	fl_buf_release(&body);
	fl_json_free(release);
	fl_json_free(appliance);
	free(path);
	return status;
}

int
cmd_pg_psql(struct cli *cli, int argc, char **argv)
{
	struct attached_command c = { .cmd = argv + 1, .n_cmd = (size_t)(argc - 1), .tty = terminal_here() };

	if (c.n_cmd > 0 && strcmp(c.cmd[0], "--") == 0) {
		c.cmd++;
		c.n_cmd--;
	}
	return run_program(cli, "psql", &c);
}

/* The file of -f becomes our standard input or output. 0; or an exit status, said. */
static int
use_file(int argc, char **argv, const char *name, int flags, int as)
{
	static const struct option options[] = { { "file", required_argument, NULL, 'f' }, { NULL, 0, NULL, 0 } };
	const char *path = NULL;
	struct fl_err err;
	int c, fd;

	while ((c = getopt_long(argc, argv, "f:", options, NULL)) != -1) {
		if (c != 'f')
			return cli_usage(name);
		path = optarg;
	}
	if (optind < argc)
		return cli_usage(name);
	if (path == NULL)
		return 0;
	if ((fd = open(path, flags | O_CLOEXEC, 0600)) == -1 || dup2(fd, as) == -1) {
		fl_err_sys(&err, "open %s", path);
		return cli_fail(&err);
	}
	close(fd);
	return 0;
}

int
cmd_pg_dump(struct cli *cli, int argc, char **argv)
{
	static const char *const words[] = { "--format=custom", "--no-owner", "--no-acl" };
	struct attached_command c = { .cmd = (char **)words, .n_cmd = fl_nitems(words) };
	int status = use_file(argc, argv, "pg dump", O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
	struct fl_err err;

	if (status != 0)
		return status;
	if (isatty(STDOUT_FILENO)) {
		fl_err_set(&err, FL_ERR_INVALID, "a dump is no text for a terminal: name a file with -f, or redirect it");
		return cli_fail(&err);
	}
	return run_program(cli, "pg_dump", &c);
}

int
cmd_pg_restore(struct cli *cli, int argc, char **argv)
{
	/* The database is named by a variable, which pg_restore alone does not take: as a connection string it does. */
	static const char *const words[] = { "--clean", "--if-exists", "--no-owner", "--no-acl", "--single-transaction", "--dbname=" };
	struct attached_command c = { .cmd = (char **)words, .n_cmd = fl_nitems(words) };
	int status = use_file(argc, argv, "pg restore", O_RDONLY, STDIN_FILENO);

	return status != 0 ? status : run_program(cli, "pg_restore", &c);
}
