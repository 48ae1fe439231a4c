#include <getopt.h>
#include <stdlib.h>

#include "cli/attached.h"
#include "cli/cli.h"
#include "cli/jobs.h"
#include "cli/terminal.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

static int
parse(int argc, char **argv, struct attached_command *c)
{
	static const struct option options[] = { { "env", required_argument, NULL, 'e' }, { NULL, 0, NULL, 0 } };
	int o;

	/* "+": what stands behind the job is the command's. */
	while ((o = getopt_long(argc, argv, "+e:", options, NULL)) != -1)
		if (o != 'e' || !attached_add_env(c, optarg))
			return -1;
	if (argc - optind < 2)
		return -1;
	c->cmd = argv + optind + 1;
	c->n_cmd = (size_t)(argc - optind - 1);
	c->tty = terminal_here();
	return 0;
}

int
cmd_exec(struct cli *cli, int argc, char **argv)
{
	struct attached_command command = { 0 };
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	const char *app;
	char *job, *id, *path;
	struct fl_err err;
	int status;

	if (parse(argc, argv, &command) == -1)
		return cli_usage("exec");
	if (attached_check(&command, &err) == -1 || (app = cli_app(cli, &err)) == NULL || (job = jobs_resolve(cli, app, argv[optind], true, &err)) == NULL)
		return cli_fail(&err);
	fl_jsonw_open(&w, NULL, '{');
	attached_write(&w, &command);
	fl_jsonw_close(&w, '}');
	id = fl_url_encode(job);
	path = fl_xasprintf("/apps/%s/jobs/%s/exec", app, id);
	status = attached_run(cli, path, fl_buf_cstr(&body), command.tty);
	fl_buf_release(&body);
	free(path);
	free(id);
	free(job);
	return status;
}
