#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/list.h"
#include "cli/table.h"
#include "libflynn/err.h"
#include "libflynn/json.h"

#define MB 1048576.0

static bool
is_alive(const struct fl_json *job)
{
	return strcmp(fl_json_text(job, "state"), "up") == 0 || strcmp(fl_json_text(job, "state"), "starting") == 0;
}

/* Why it ended, in a few words. */
static const char *
reason(const struct fl_json *job, char *buf, size_t size)
{
	const struct fl_json *status = fl_json_get(job, "exit_status");
	const char *error = fl_json_text(job, "host_error");

	if (*error != '\0')
		snprintf(buf, size, "%.*s", (int)strcspn(error, "\n"), error);
	else if (!fl_json_is_null(status))
		snprintf(buf, size, "exit %lld", (long long)fl_json_int(status, 0));
	else
		*buf = '\0';
	return buf;
}

/* As "12 MB" or "12 of 512 MB"; "" when it does not run. */
static const char *
memory(const struct fl_json *job, char *buf, size_t size)
{
	double used = fl_json_double(fl_json_get(job, "memory"), 0) / MB, limit = fl_json_double(fl_json_get(job, "memory_limit"), 0) / MB;

	*buf = '\0';
	if (used > 0 && limit > 0)
		snprintf(buf, size, "%.0f of %.0f MB", used, limit);
	else if (used > 0)
		snprintf(buf, size, "%.0f MB", used);
	return buf;
}

static const char *
cpu(const struct fl_json *job, char *buf, size_t size)
{
	*buf = '\0';
	if (!fl_json_is_null(fl_json_get(job, "cpu_percent")))
		snprintf(buf, size, "%.1f%%", fl_json_double(fl_json_get(job, "cpu_percent"), 0));
	return buf;
}

static const char *
number(const struct fl_json *job, const char *key, const char *prefix, char *buf, size_t size)
{
	const struct fl_json *n = fl_json_get(job, key);

	*buf = '\0';
	if (!fl_json_is_null(n))
		snprintf(buf, size, "%s%lld", prefix, (long long)fl_json_int(n, 0));
	return buf;
}

/* arg: whether those that ended are shown, too (const bool *). */
static void
add_job(struct table *t, const struct fl_json *job, const void *arg)
{
	const char *type = fl_json_text(job, "type");
	char age[32], restarts[32], percent[32], used[64], version[32], why[512];

	if (!*(const bool *)arg && !is_alive(job))
		return;
	table_row(t, fl_json_text(job, "id"), *type != '\0' ? type : "run", fl_json_text(job, "state"),
	    table_age(fl_json_text(job, "created_at"), age, sizeof(age)), number(job, "restarts", "", restarts, sizeof(restarts)),
	    cpu(job, percent, sizeof(percent)), memory(job, used, sizeof(used)),
	    fl_json_text(job, "host_id"), number(job, "version", "v", version, sizeof(version)), reason(job, why, sizeof(why)));
}

static void
print_jobs(const struct fl_json *jobs, const void *arg)
{
	static const char *const heads[] = { "ID", "TYPE", "STATE", "AGE", "RESTARTS", "CPU", "MEMORY", "HOST", "RELEASE", NULL };
	static const char *const all_heads[] = { "ID", "TYPE", "STATE", "AGE", "RESTARTS", "CPU", "MEMORY", "HOST", "RELEASE", "REASON", NULL };

	list_print_table(jobs, *(const bool *)arg ? all_heads : heads, add_job, arg);
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
	return list_show(cli, client_app_call(cli, "GET", app, "/jobs?expand=true", NULL, NULL, &err), print_jobs, &all, &err);
}
