#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"
#include "list.h"
#include "table.h"

static const char *
text(const struct fl_json *job, const char *key)
{
	return fl_json_str(fl_json_get(job, key), "");
}

static bool
is_alive(const struct fl_json *job)
{
	return strcmp(text(job, "state"), "up") == 0 || strcmp(text(job, "state"), "starting") == 0;
}

/* Why it ended, in a few words. */
static const char *
reason(const struct fl_json *job, char *buf, size_t size)
{
	const struct fl_json *status = fl_json_get(job, "exit_status");
	const char *error = text(job, "host_error");

	if (*error != '\0')
		snprintf(buf, size, "%.*s", (int)strcspn(error, "\n"), error);
	else if (!fl_json_is_null(status))
		snprintf(buf, size, "exit %lld", (long long)fl_json_int(status, 0));
	else
		*buf = '\0';
	return buf;
}

/* arg: whether those that ended are shown, too (const bool *). */
static void
print_jobs(const struct fl_json *jobs, const void *arg)
{
	static const char *const heads[] = { "ID", "TYPE", "STATE", "AGE", NULL };
	static const char *const all_heads[] = { "ID", "TYPE", "STATE", "AGE", "REASON", NULL };
	bool all = *(const bool *)arg;
	struct table *t;
	char age[32], why[512];

	if (fl_json_len(jobs) == 0)
		return;
	t = table_new(all ? all_heads : heads);
	for (size_t i = 0; i < fl_json_len(jobs); i++) {
		const struct fl_json *job = fl_json_at(jobs, i);
		const char *type = text(job, "type");

		if (!all && !is_alive(job))
			continue;
		table_row(t, text(job, "id"), *type != '\0' ? type : "run", text(job, "state"),
		    table_age(text(job, "created_at"), age, sizeof(age)), reason(job, why, sizeof(why)));
	}
	table_print(t);
}

int
cmd_ps(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = { { "all", no_argument, NULL, 'a' }, { NULL, 0, NULL, 0 } };
	bool all = false;
	const char *app;
	struct fl_err err;
	int c;

	while ((c = getopt_long(argc, argv, "a", options, NULL)) != -1) {
		if (c != 'a')
			return cli_usage("ps");
		all = true;
	}
	if (optind != argc)
		return cli_usage("ps");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	return list_show(cli, client_app_call(cli, "GET", app, "/jobs", NULL, NULL, &err), print_jobs, &all, &err);
}

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
	struct fl_err err;

	if (argc < 2)
		return cli_usage("kill");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	for (int i = 1; i < argc; i++)
		if (kill_job(cli, app, argv[i], &err) == -1)
			return cli_fail(&err);
	return 0;
}
