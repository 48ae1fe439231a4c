#include <event2/buffer.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "client.h"
#include "config.h"
#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

/* Frames of a log as they arrive. */
struct log_output {
	struct evbuffer *in;
	struct fl_frame_reader reader;
	bool split;  /* standard error on ours */
	bool closed; /* nobody reads our output any more */
	struct fl_err err;
};

static int
print_frames(struct log_output *o)
{
	struct fl_frame f;
	int r;

	while ((r = fl_frame_read(&o->reader, o->in, &f, &o->err)) == 1)
		if (f.type == FL_FRAME_DATA && f.len > 0)
			fwrite(f.data, 1, f.len, o->split && f.stream == FL_FRAME_STDERR ? stderr : stdout);
	o->closed = fflush(stdout) == EOF || ferror(stdout);
	return o->closed ? -1 : r;
}

static int
on_data(const char *data, size_t len, void *arg)
{
	struct log_output *o = arg;

	evbuffer_add(o->in, data, len);
	return print_frames(o);
}

/* The newest job's id (caller frees); NULL when there is none. */
static char *
newest_job(struct cli *cli, const char *app, struct fl_err *err)
{
	struct fl_json *jobs = client_app_call(cli, "GET", app, "/jobs", NULL, NULL, err);
	char *id = NULL;

	if (jobs != NULL && fl_json_len(jobs) == 0)
		fl_err_set(err, FL_ERR_NOT_FOUND, "app %s has no jobs, so there is no log: start one with flynn scale web=1", app);
	else if (jobs != NULL)
		id = fl_xstrdup(fl_json_str(fl_json_get(fl_json_at(jobs, 0), "id"), ""));
	fl_json_free(jobs);
	return id;
}

static int
show_log(struct cli *cli, const char *app, const char *job, bool follow, bool split)
{
	char *id = fl_url_encode(job), *path = fl_xasprintf("/apps/%s/jobs/%s/log%s", app, id, follow ? "?tail=true" : "");
	char *what = fl_xasprintf("the log of job %s", job), *answer;
	struct log_output out = { .in = evbuffer_new(), .split = split };
	struct fl_http_call_opts opts = { .timeout_ms = -1, .on_data = on_data };
	struct fl_err err = { 0 };
	size_t len = 0;
	int status = 0;

	client_opts(cli, path, &opts);
	answer = fl_http_fetch(&opts, &out, &status, &len, &err);
	if (out.closed)
		err = (struct fl_err){ 0 }; /* main looks after the output */
	else if (out.err.kind != FL_ERR_NONE)
		err = out.err;
	else if (answer == NULL)
		client_explain_failure(cli, &err);
	else if (status != 200)
		client_explain(cli, status, answer, len, what, &err);
	evbuffer_free(out.in);
	free(answer);
	free(what);
	free(path);
	free(id);
	free((char *)opts.url);
	return err.kind != FL_ERR_NONE ? cli_fail(&err) : 0;
}

int
cmd_log(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "follow", no_argument, NULL, 'f' },
		{ "split-stderr", no_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	bool follow = false, split = false;
	const char *app;
	char *job;
	struct fl_err err;
	int c, status;

	while ((c = getopt_long(argc, argv, "fs", options, NULL)) != -1) {
		if (c == 'f')
			follow = true;
		else if (c == 's')
			split = true;
		else
			return cli_usage("log");
	}
	if (argc - optind > 1)
		return cli_usage("log");
	if ((app = cli_app(cli, &err)) == NULL || cli_cluster(cli, &err) == NULL)
		return cli_fail(&err);
	job = argc > optind ? fl_xstrdup(argv[optind]) : newest_job(cli, app, &err);
	if (job == NULL)
		return cli_fail(&err);
	status = show_log(cli, app, job, follow, split);
	free(job);
	return status;
}
