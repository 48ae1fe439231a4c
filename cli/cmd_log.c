#include <event2/buffer.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/jobs.h"
#include "cli/list.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/sse.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

/* How many lines there are at first, without -n. */
#define N_LIST "100"
#define N_FOLLOW "10"
/* The controller says something at least every 30 s. */
#define SILENCE_MS 75000
#define MAX_EVENT ((size_t)1 << 20)
/* A stream that is followed and was lost is tried again so often, and so fast. */
#define RESUME_TRIES 60
#define RESUME_PAUSE_US 500000

/* ---- of one job ---- */

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

/* What one job printed, byte by byte. */
static int
show_job(struct cli *cli, const char *app, const char *job, bool follow, bool split)
{
	char *id = fl_url_encode(job), *path = fl_xasprintf("/apps/%s/jobs/%s/log%s", app, id, follow ? "?tail=true" : "");
	char *what = fl_xasprintf("the log of job %s", job);
	struct log_output out = { .in = evbuffer_new(), .split = split };
	struct fl_http_call_opts opts = { .on_data = on_data };
	struct fl_err err = { 0 };

	client_stream(cli, path, &opts, &out, what, &err);
	if (out.closed)
		err = (struct fl_err){ 0 }; /* main looks after the output */
	else if (out.err.kind != FL_ERR_NONE)
		err = out.err;
	evbuffer_free(out.in);
	free(what);
	free(path);
	free(id);
	return err.kind != FL_ERR_NONE ? cli_fail(&err) : 0;
}

/* ---- of all jobs ---- */

struct log_options {
	const char *number, *type, *job, *since, *source; /* NULL: not said */
	bool follow, split, raw;
};

/* Lines as they arrive. */
struct log_lines {
	const struct cli *cli;
	const struct log_options *options;
	struct fl_sse *sse;
	char newest[40]; /* time of the newest line that was shown */
	char told[40];	 /* the same, when the stream was lost: what is not newer was shown before */
	bool over;   /* all were told */
	bool open;   /* the stream stood, this time */
	bool closed; /* nobody reads our output any more */
	struct fl_err err;
};

/* Of one and the same job always the same. */
static const char *
colour_of(const char *job_id)
{
	static const char *const colours[] = { "\033[36m", "\033[33m", "\033[32m", "\033[35m", "\033[34m", "\033[96m", "\033[93m", "\033[92m" };
	unsigned hash = 0;

	if (!table_colours())
		return NULL;
	for (const char *p = job_id; *p != '\0'; p++)
		hash = hash * 31 + (unsigned char)*p;
	return *job_id != '\0' ? colours[hash % fl_nitems(colours)] : "\033[2m";
}

/* "2006-01-02T15:04:05.123Z app[web.1a2b3c4d]: " */
static void
print_head(const struct fl_json *line, FILE *to)
{
	const char *id = fl_json_text(line, "job_id"), *type = fl_json_text(line, "process_type"), *stamp = fl_json_text(line, "timestamp");
	const char *rest = strchr(id, '-'), *colour = to == stdout ? colour_of(id) : NULL;
	int seconds = (int)strcspn(stamp, ".Z");

	fprintf(to, "%.*s", seconds, stamp);
	fprintf(to, "%.4sZ %s%s", stamp[seconds] == '.' ? stamp + seconds : ".000", colour != NULL ? colour : "", fl_json_text(line, "source"));
	if (*id != '\0')
		fprintf(to, "[%s.%.8s]", *type != '\0' ? type : "run", rest != NULL ? rest + 1 : id);
	fprintf(to, ":%s ", colour != NULL ? "\033[0m" : "");
}

static void
print_line(struct log_lines *l, const struct fl_json *line)
{
	FILE *to = l->options->split && strcmp(fl_json_text(line, "stream"), "stderr") == 0 ? stderr : stdout;
	const char *stamp = fl_json_text(line, "timestamp");

	if (*stamp != '\0' && strcmp(stamp, l->told) <= 0)
		return;
	if (strcmp(stamp, l->newest) > 0)
		snprintf(l->newest, sizeof(l->newest), "%s", stamp);
	if (l->cli->json) {
		list_print_json(line);
		return;
	}
	if (!l->options->raw)
		print_head(line, to);
	fprintf(to, "%s\n", fl_json_text(line, "msg"));
}

static void
on_event(FL_UNUSED const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct log_lines *l = arg;
	struct fl_json *v = fl_json_parse(data, len, NULL);
	const char *what = fl_json_text(v, "event");

	if (strcmp(what, "message") == 0)
		print_line(l, fl_json_get(v, "data"));
	else if (strcmp(what, "eof") == 0)
		l->over = true;
	fl_json_free(v);
}

static int
on_events(const char *data, size_t len, void *arg)
{
	struct log_lines *l = arg;

	l->open = true;
	if (fl_sse_feed(l->sse, data, len, &l->err) == -1)
		return -1;
	l->closed = fflush(stdout) == EOF || ferror(stdout);
	return l->closed ? -1 : 0;
}

/* The caller frees. */
static char *
path_of(const char *app, const struct log_options *o, const char *told)
{
	struct fl_buf b = { 0 };
	bool again = *told != '\0';

	fl_buf_addf(&b, "/apps/%s/log?follow=%s", app, o->follow ? "true" : "false");
	if (!again && (o->number != NULL || o->since == NULL))
		fl_url_add_query(&b, "lines", o->number != NULL ? o->number : o->follow ? N_FOLLOW : N_LIST);
	fl_url_add_query(&b, "process_type", o->type);
	fl_url_add_query(&b, "job_id", o->job);
	fl_url_add_query(&b, "since", again ? told : o->since);
	fl_url_add_query(&b, "source", o->source);
	return fl_buf_detach(&b);
}

/* One stream, until its end. What is wrong is in l->err; nothing, and not l->over: it was lost. */
static void
read_stream(struct cli *cli, const char *app, struct log_lines *l)
{
	static const char *const headers[] = { "Accept: text/event-stream", NULL };
	struct fl_http_call_opts opts = { .headers = headers, .idle_timeout_ms = SILENCE_MS, .on_data = on_events };
	char *path = path_of(app, l->options, l->told), *what = fl_xasprintf("app %s", app);
	struct fl_err err = { 0 };

	l->open = false;
	l->sse = fl_sse_new(MAX_EVENT, on_event, l);
	if (client_stream(cli, path, &opts, l, what, &err) == -1 && !l->open)
		l->err = err;
	fl_sse_free(l->sse);
	free(what);
	free(path);
}

/* Whether to try again: a stream that is followed was lost, as of a controller that is replaced, and not for long. */
static bool
must_resume(struct log_lines *l, int *tries)
{
	bool away = l->err.kind == FL_ERR_UNAVAILABLE || l->err.kind == FL_ERR_TIMEOUT || l->err.kind == FL_ERR_SYSTEM;

	if (!l->options->follow || l->closed || l->over || (l->err.kind != FL_ERR_NONE && !away) || (!l->open && *tries == 0))
		return false;
	if (l->open)
		*tries = RESUME_TRIES;
	if (--*tries == 0)
		return false;
	l->err = (struct fl_err){ 0 };
	snprintf(l->told, sizeof(l->told), "%s", l->newest);
	usleep(RESUME_PAUSE_US);
	return true;
}

static int
show_app(struct cli *cli, const char *app, const struct log_options *o)
{
	struct log_lines l = { .cli = cli, .options = o };
	int tries = 0;

	do
		read_stream(cli, app, &l);
	while (must_resume(&l, &tries));
	if (l.closed)
		return 0; /* main looks after the output */
	if (l.err.kind == FL_ERR_NONE && !l.over)
		fl_err_set(&l.err, FL_ERR_UNAVAILABLE, "the controller ended the log: it is starting anew, try again");
	return l.err.kind != FL_ERR_NONE ? cli_fail(&l.err) : 0;
}

/* Which of the two it is: *whole, of one job and nothing left out. -1: wrong usage. */
static int
parse(int argc, char **argv, struct log_options *o, bool *whole)
{
	static const struct option options[] = {
		{ "follow", no_argument, NULL, 'f' },
		{ "job", required_argument, NULL, 'j' },
		{ "number", required_argument, NULL, 'n' },
		{ "process-type", required_argument, NULL, 't' },
		{ "raw-output", no_argument, NULL, 'r' },
		{ "since", required_argument, NULL, 'S' },
		{ "source", required_argument, NULL, 'o' },
		{ "split-stderr", no_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "fj:n:rst:", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			o->follow = true;
			break;
		case 'j':
			o->job = optarg;
			break;
		case 'n':
			o->number = optarg;
			break;
		case 'o':
			o->source = optarg;
			break;
		case 'r':
			o->raw = true;
			break;
		case 's':
			o->split = true;
			break;
		case 'S':
			o->since = optarg;
			break;
		case 't':
			o->type = optarg;
			break;
		default:
			return -1;
		}
	}
	*whole = argc - optind == 1 && o->job == NULL && o->number == NULL && o->type == NULL && o->since == NULL && o->source == NULL && !o->raw;
	if (argc - optind == 1 && o->job == NULL)
		o->job = argv[optind++];
	return argc == optind ? 0 : -1;
}

int
cmd_log(struct cli *cli, int argc, char **argv)
{
	struct log_options o = { 0 };
	const char *app;
	char *job = NULL;
	struct fl_err err;
	bool whole;
	int status;

	if (parse(argc, argv, &o, &whole) == -1)
		return cli_usage("log");
	if ((app = cli_app(cli, &err)) == NULL || cli_cluster(cli, &err) == NULL ||
	    (o.job != NULL && (job = jobs_resolve(cli, app, o.job, false, &err)) == NULL))
		return cli_fail(&err);
	o.job = job;
	status = whole && !cli->json ? show_job(cli, app, job, o.follow, o.split) : show_app(cli, app, &o);
	free(job);
	return status;
}
