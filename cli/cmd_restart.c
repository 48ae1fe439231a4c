#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/jobs.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/rollout.h"
#include "libflynn/xmalloc.h"

/* For each job that is replaced. */
#define WAIT_S 120

struct restart {
	struct cli *cli;
	const char *app;
	const char *type; /* NULL: not of one only */
	char *job;	  /* NULL: not one only */
	struct fl_rollout rollout;
	struct fl_rollout_goal *goals;
	char **leaving;
};

/* Whether the release of the app has the process type. -1: err. */
static int
has_type(struct cli *cli, const char *app, const char *type, struct fl_err *err)
{
	struct fl_json *release = client_app_release(cli, app, err);
	int has;

	if (release == NULL)
		return -1;
	has = !fl_json_is_null(fl_json_get(fl_json_get(release, "processes"), type));
	fl_json_free(release);
	return has;
}

/* A word is a process type, or a job. */
static int
read_word(struct restart *r, const char *word, struct fl_err *err)
{
	int is_type = has_type(r->cli, r->app, word, err);

	if (is_type == -1)
		return -1;
	if (is_type)
		r->type = word;
	else if ((r->job = jobs_resolve(r->cli, r->app, word, true, err)) == NULL)
		return -1;
	return 0;
}

static void
read_answer(struct restart *r, const struct fl_json *answer)
{
	const struct fl_json *counts = fl_json_get(answer, "processes"), *jobs = fl_json_get(answer, "jobs");

	r->goals = fl_xcalloc(fl_json_len(counts) + 1, sizeof(*r->goals));
	r->leaving = fl_xcalloc(fl_json_len(jobs) + 1, sizeof(*r->leaving));
	for (size_t i = 0; i < fl_json_len(counts); i++)
		r->goals[r->rollout.n_goals++] = (struct fl_rollout_goal){
			fl_xstrdup(fl_json_key_at(counts, i)), (int)fl_json_int(fl_json_at(counts, i), 0)
		};
	for (size_t i = 0; i < fl_json_len(jobs); i++)
		r->leaving[r->rollout.n_leaving++] = fl_xstrdup(fl_json_str(fl_json_at(jobs, i), ""));
	r->rollout.goals = r->goals;
	r->rollout.leaving = r->leaving;
}

static char *
ask(void *arg, struct fl_err *err)
{
	struct restart *r = arg;
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	struct fl_json *answer;
	char *release = NULL;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str_oe(&w, "type", r->type);
	fl_jsonw_str_oe(&w, "job", r->job);
	fl_jsonw_close(&w, '}');
	if ((answer = client_app_call(r->cli, "POST", r->app, "/restart", &body, NULL, err)) != NULL) {
		read_answer(r, answer);
		release = fl_xstrdup(fl_json_text(answer, "release"));
	}
	fl_json_free(answer);
	fl_buf_release(&body);
	return release;
}

static void
restart_release(struct restart *r)
{
	for (size_t i = 0; i < r->rollout.n_goals; i++)
		free(r->goals[i].type);
	for (size_t i = 0; i < r->rollout.n_leaving; i++)
		free(r->leaving[i]);
	free(r->goals);
	free(r->leaving);
	free(r->job);
	free((char *)r->rollout.controller);
}

int
cmd_restart(struct cli *cli, int argc, char **argv)
{
	struct restart r = { .cli = cli };
	struct fl_http_call_opts where = { 0 };
	struct fl_err err;
	int status = 0;

	if (argc > 2)
		return cli_usage("restart");
	if ((r.app = cli_app(cli, &err)) == NULL || client_app_check(cli, r.app, &err) == -1)
		return cli_fail(&err);
	client_opts(cli, "", &where);
	r.rollout = (struct fl_rollout){ .controller = where.url, .key = where.key, .pin = where.pin, .app = r.app, .timeout_s = WAIT_S,
		.change = ask, .on_job = table_print_job, .arg = &r };
	if ((argc == 2 && read_word(&r, argv[1], &err) == -1) || fl_rollout_run(&r.rollout, &err) == -1)
		status = cli_fail(&err);
	restart_release(&r);
	return status;
}
