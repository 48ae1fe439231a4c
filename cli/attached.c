#include "attached.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "client.h"
#include "libflynn/attach.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/utf8.h"
#include "libflynn/xmalloc.h"
#include "terminal.h"

/* Stop reading our input while so much of it waits to be taken. */
#define PENDING_MAX (256u << 10)
#define KILL_AFTER_S 10

static const int signals[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH };

/* A job whose input and output are ours. */
struct attached {
	struct event_base *base;
	struct fl_attach *attach;
	struct event *input, *signals[fl_nitems(signals)], *kill;
	bool tty, open, output_closed;
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

/* A signal asks the job to end; if it has not, it is killed. One that does not run for us yet goes with our connection. */
static void
ask_to_end(struct attached *a, uint32_t sig)
{
	struct timeval tv = { KILL_AFTER_S, 0 };

	if (!a->open) {
		a->status = 128 + (int)sig;
		attached_end(a);
		return;
	}
	fl_attach_signal(a->attach, sig);
	if (!evtimer_pending(a->kill, NULL))
		evtimer_add(a->kill, &tv);
}

static void
send_size(struct attached *a)
{
	uint16_t rows, cols;

	terminal_size(&rows, &cols);
	fl_attach_resize(a->attach, rows, cols);
}

static void
on_signal(evutil_socket_t sig, FL_UNUSED short what, void *arg)
{
	struct attached *a = arg;

	if (sig == SIGWINCH) {
		send_size(a);
		return;
	}
	if (sig == SIGUSR1 || sig == SIGUSR2)
		fl_attach_signal(a->attach, (uint32_t)sig);
	else
		ask_to_end(a, (uint32_t)sig);
}

static void
on_open(FL_UNUSED struct fl_attach *attach, void *arg)
{
	struct attached *a = arg;

	a->open = true;
	if (a->tty) {
		terminal_raw();
		send_size(a); /* it may have changed since we asked */
	}
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

bool
attached_add_env(struct attached_command *c, const char *word)
{
	if (strchr(word, '=') == NULL || *word == '=' || c->n_env == ATTACHED_ENV_MAX)
		return false;
	c->env[c->n_env++] = word;
	return true;
}

int
attached_check(const struct attached_command *c, struct fl_err *err)
{
	for (size_t i = 0; i < c->n_cmd; i++)
		if (!fl_utf8_valid(c->cmd[i], strlen(c->cmd[i])))
			return fl_err_set(err, FL_ERR_INVALID, "word %zu of the command is no text in UTF-8: give it by standard input, say", i + 1);
	for (size_t i = 0; i < c->n_env; i++)
		if (!fl_utf8_valid(c->env[i], strlen(c->env[i])))
			return fl_err_set(err, FL_ERR_INVALID, "a variable of -e is no text in UTF-8");
	return 0;
}

static void
write_env(struct fl_jsonw *w, const struct attached_command *c, uint16_t rows, uint16_t cols)
{
	char number[8];

	fl_jsonw_open(w, "env", '{');
	if (c->tty) {
		snprintf(number, sizeof(number), "%u", cols);
		fl_jsonw_str(w, "COLUMNS", number);
		snprintf(number, sizeof(number), "%u", rows);
		fl_jsonw_str(w, "LINES", number);
		fl_jsonw_str(w, "TERM", cli_variable("TERM") != NULL ? cli_variable("TERM") : "xterm");
	}
	for (size_t i = 0; i < c->n_env; i++) {
		char *name = fl_xstrndup(c->env[i], strcspn(c->env[i], "="));

		fl_jsonw_str(w, name, c->env[i] + strlen(name) + 1);
		free(name);
	}
	fl_jsonw_close(w, '}');
}

void
attached_write(struct fl_jsonw *w, const struct attached_command *c)
{
	uint16_t rows, cols;

	terminal_size(&rows, &cols);
	fl_jsonw_open(w, "cmd", '[');
	for (size_t i = 0; i < c->n_cmd; i++)
		fl_jsonw_str(w, NULL, c->cmd[i]);
	fl_jsonw_close(w, ']');
	write_env(w, c, rows, cols);
	if (c->tty) {
		fl_jsonw_bool(w, "tty", true);
		fl_jsonw_int(w, "tty_columns", cols);
		fl_jsonw_int(w, "tty_lines", rows);
	}
}

/* A terminal that goes ends us as it ends anybody, and then the command. */
static bool
is_for_the_command(int sig, bool tty)
{
	return sig == SIGWINCH ? tty : sig != SIGHUP || !tty;
}

int
attached_run(struct cli *cli, const char *path, const char *body, bool tty)
{
	struct fl_http_call_opts where = { 0 };
	struct attached a = { .base = base_for_files(), .tty = tty, .status = -1 };
	struct fl_attach_opts opts = { .body = body };

	client_opts(cli, path, &where);
	opts.url = where.url;
	opts.key = where.key;
	opts.pin = where.pin;
	a.input = event_new(a.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, &a);
	a.kill = evtimer_new(a.base, on_kill, &a);
	for (size_t i = 0; i < fl_nitems(signals); i++) {
		a.signals[i] = evsignal_new(a.base, signals[i], on_signal, &a);
		if (is_for_the_command(signals[i], tty))
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
	event_base_loop(a.base, EVLOOP_NONBLOCK); /* by which a connection that ended while we read it is freed */
	event_base_free(a.base);
	free((char *)where.url);
	if (a.err.kind != FL_ERR_NONE)
		return cli_fail(&a.err);
	return a.status;
}

