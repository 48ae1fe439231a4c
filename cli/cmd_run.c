#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "client.h"
#include "config.h"
#include "libflynn/attach.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"
#include "terminal.h"

#define MAX_ENV 64
/* Stop reading our input while so much of it waits to be taken. */
#define PENDING_MAX (256u << 10)
#define KILL_AFTER_S 10

struct run_opts {
	bool detached, tty;
	const char *release; /* NULL: the app's */
	const char *env[MAX_ENV];
	size_t n_env;
	char **cmd;
	size_t n_cmd;
};

/* A job whose input and output are ours. */
struct attached {
	struct event_base *base;
	struct fl_attach *attach;
	struct event *input, *signals[3], *kill;
	bool tty, output_closed;
	int status; /* of the job; -1: not ended */
	struct fl_err err;
};

static void
attached_end(struct attached *a)
{
	event_base_loopbreak(a->base);
}

static void
on_input(evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct attached *a = arg;
	char chunk[16384];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		fl_attach_send(a->attach, chunk, (size_t)n);
		if (fl_attach_pending(a->attach) > PENDING_MAX)
			event_del(a->input); /* on_drain goes on */
		return;
	}
	fl_attach_send_eof(a->attach);
	event_free(a->input);
	a->input = NULL;
}

static void
on_drain(FL_UNUSED struct fl_attach *attach, void *arg)
{
	struct attached *a = arg;

	if (a->input != NULL)
		event_add(a->input, NULL);
}

static void
on_kill(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct attached *a = arg;

	fl_attach_signal(a->attach, SIGKILL);
}

/* The first signal asks the job to end; if it has not, it is killed. */
static void
ask_to_end(struct attached *a, uint32_t sig)
{
	struct timeval tv = { KILL_AFTER_S, 0 };

	fl_attach_signal(a->attach, sig);
	if (!evtimer_pending(a->kill, NULL))
		evtimer_add(a->kill, &tv);
}

static void
on_signal(evutil_socket_t sig, FL_UNUSED short what, void *arg)
{
	struct attached *a = arg;
	uint16_t rows, cols;

	if (sig == SIGWINCH) {
		terminal_size(&rows, &cols);
		fl_attach_resize(a->attach, rows, cols);
		return;
	}
	ask_to_end(a, (uint32_t)sig);
}

static void
on_open(FL_UNUSED struct fl_attach *attach, void *arg)
{
	struct attached *a = arg;

	if (a->tty)
		terminal_raw();
	event_add(a->input, NULL);
}

static void
on_frame(FL_UNUSED struct fl_attach *attach, const struct fl_frame *f, void *arg)
{
	struct attached *a = arg;
	FILE *to = f->stream == FL_FRAME_STDERR ? stderr : stdout;

	if (f->type == FL_FRAME_DATA && f->len > 0) {
		fwrite(f->data, 1, f->len, to);
		if (fflush(to) == EOF && to == stdout && !a->output_closed) {
			a->output_closed = true; /* as a program here would hear by SIGPIPE */
			ask_to_end(a, SIGTERM);
		}
	} else if (f->type == FL_FRAME_EXIT) {
		a->status = (int)f->value;
	}
}

static void
on_end(FL_UNUSED struct fl_attach *attach, const struct fl_err *err, void *arg)
{
	struct attached *a = arg;

	if (err != NULL)
		a->err = *err;
	else if (a->status == -1)
		fl_err_set(&a->err, FL_ERR_UNAVAILABLE, "the connection to the job was lost before it ended; flynn ps shows whether it still runs");
	attached_end(a);
}

static const struct fl_attach_ops attach_ops = { .on_open = on_open, .on_frame = on_frame, .on_end = on_end, .on_drain = on_drain };

static void
write_env(struct fl_jsonw *w, const struct run_opts *o)
{
	uint16_t rows, cols;
	char number[8];

	fl_jsonw_open(w, "env", '{');
	if (o->tty) {
		terminal_size(&rows, &cols);
		snprintf(number, sizeof(number), "%u", cols);
		fl_jsonw_str(w, "COLUMNS", number);
		snprintf(number, sizeof(number), "%u", rows);
		fl_jsonw_str(w, "LINES", number);
		fl_jsonw_str(w, "TERM", getenv("TERM") != NULL ? getenv("TERM") : "xterm");
	}
	for (size_t i = 0; i < o->n_env; i++) {
		char *name = fl_xstrndup(o->env[i], strcspn(o->env[i], "="));

		fl_jsonw_str(w, name, o->env[i] + strlen(name) + 1);
		free(name);
	}
	fl_jsonw_close(w, '}');
}

static void
write_new_job(struct fl_buf *b, const char *release, const struct run_opts *o)
{
	struct fl_jsonw w = fl_jsonw(b);
	uint16_t rows, cols;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "release", release);
	fl_jsonw_open(&w, "cmd", '[');
	for (size_t i = 0; i < o->n_cmd; i++)
		fl_jsonw_str(&w, NULL, o->cmd[i]);
	fl_jsonw_close(&w, ']');
	write_env(&w, o);
	if (o->tty) {
		terminal_size(&rows, &cols);
		fl_jsonw_bool(&w, "tty", true);
		fl_jsonw_int(&w, "tty_columns", cols);
		fl_jsonw_int(&w, "tty_lines", rows);
	}
	fl_jsonw_close(&w, '}');
}

static int
run_detached(struct cli *cli, const char *app, const struct fl_buf *body)
{
	struct fl_err err;
	struct fl_json *job = client_app_call(cli, "POST", app, "/jobs", body, NULL, &err);

	if (job == NULL)
		return cli_fail(&err);
	fprintf(stderr, "%s\n", fl_json_str(fl_json_get(job, "id"), ""));
	fl_json_free(job);
	return 0;
}

/* Files and terminals alike: epoll cannot watch the former. */
static struct event_base *
base_for_files(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	event_config_require_features(config, EV_FEATURE_FDS);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static int
run_attached(struct cli *cli, const char *app, const struct fl_buf *body, bool tty)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGWINCH };
	char *path = fl_xasprintf("/apps/%s/jobs", app);
	struct fl_http_call_opts where = { 0 };
	struct attached a = { .base = base_for_files(), .tty = tty, .status = -1 };
	struct fl_attach_opts opts = { .body = fl_buf_cstr(body) };

	client_opts(cli, path, &where);
	opts.url = where.url;
	opts.key = where.key;
	opts.pin = where.pin;
	a.input = event_new(a.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, &a);
	a.kill = evtimer_new(a.base, on_kill, &a);
	for (size_t i = 0; i < fl_nitems(signals); i++) {
		a.signals[i] = evsignal_new(a.base, signals[i], on_signal, &a);
		if (signals[i] != SIGWINCH || tty)
			event_add(a.signals[i], NULL);
	}
	a.attach = fl_attach_start(a.base, &opts, &attach_ops, &a);
	event_base_dispatch(a.base);
	terminal_restore();
	fl_attach_free(a.attach);
	for (size_t i = 0; i < fl_nitems(signals); i++)
		event_free(a.signals[i]);
	if (a.input != NULL)
		event_free(a.input);
	event_free(a.kill);
	event_base_free(a.base);
	free((char *)where.url);
	free(path);
	if (a.err.kind != FL_ERR_NONE)
		return cli_fail(&a.err);
	return a.status;
}

static int
parse(int argc, char **argv, struct run_opts *o)
{
	static const struct option options[] = {
		{ "detached", no_argument, NULL, 'd' },
		{ "release", required_argument, NULL, 'r' },
		{ "env", required_argument, NULL, 'e' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	/* "+": what stands behind the command is the command's. */
	while ((c = getopt_long(argc, argv, "+dr:e:", options, NULL)) != -1) {
		if (c == 'd')
			o->detached = true;
		else if (c == 'r')
			o->release = optarg;
		else if (c == 'e' && strchr(optarg, '=') != NULL && o->n_env < MAX_ENV)
			o->env[o->n_env++] = optarg;
		else
			return -1;
	}
	o->cmd = argv + optind;
	o->n_cmd = (size_t)(argc - optind);
	return o->n_cmd > 0 ? 0 : -1;
}

int
cmd_run(struct cli *cli, int argc, char **argv)
{
	struct run_opts o = { 0 };
	struct fl_json *release = NULL;
	struct fl_buf body = { 0 };
	const char *app, *id;
	struct fl_err err;
	int status;

	if (parse(argc, argv, &o) == -1)
		return cli_usage("run");
	o.tty = !o.detached && terminal_here();
	if ((app = cli_app(cli, &err)) == NULL || cli_cluster(cli, &err) == NULL)
		return cli_fail(&err);
	if ((id = o.release) == NULL) {
		if ((release = client_app_release(cli, app, &err)) == NULL)
			return cli_fail(&err);
		if ((id = fl_json_str(fl_json_get(release, "id"), NULL)) == NULL) {
			fl_json_free(release);
			fl_err_set(&err, FL_ERR_INVALID, "app %s has no release yet: git push flynn master makes one", app);
			return cli_fail(&err);
		}
	}
	write_new_job(&body, id, &o);
	status = o.detached ? run_detached(cli, app, &body) : run_attached(cli, app, &body, o.tty);
	fl_buf_release(&body);
	fl_json_free(release);
	return status;
}
