#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/jobs.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

static int
kill_job(struct cli *cli, const char *app, const char *job, struct fl_err *err)
{
	char *id = fl_url_encode(job), *rest = fl_xasprintf("/jobs/%s", id), *what = fl_xasprintf("job %s of app %s", job, app);
	struct fl_json *answer = client_app_call(cli, "DELETE", app, rest, NULL, what, err);
	int r = answer != NULL ? 0 : -1;

	if (r == 0)
		fprintf(stderr, "Job %s killed.\n", job);
	fl_json_free(answer);
	free(id);
	free(rest);
	free(what);
	return r;
}

int
cmd_kill(struct cli *cli, int argc, char **argv)
{
	const char *app;
	char *job;
	struct fl_err err;
	int status = 0;

	if (argc < 2)
		return cli_usage("kill");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	for (int i = 1; i < argc && status == 0; i++) {
		job = jobs_resolve(cli, app, argv[i], false, &err);
		if (job == NULL || kill_job(cli, app, job, &err) == -1)
			status = cli_fail(&err);
		free(job);
	}
	return status;
}
