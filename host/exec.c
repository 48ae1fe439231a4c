#include "exec.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "engine.h"
#include "job.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/log.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"
#include "stream.h"
#include "winsize.h"

#define OPEN_TIMEOUT_MS 30000
/* The engine may know of the end of the streams before it knows of the process's: asked again so often, and so many times. */
#define STATUS_PAUSE_MS 50
#define STATUS_TRIES 100
#define TAG "FLYNN_EXEC_ID"
#define TAG_BYTES 16

/*
 * The engine has no way to signal such a process, and tells its number on the machine only, which means nothing inside: it is
 * found by what its environment has. So has that of all that it starts; but of these it alone has no parent in the container.
 */
static const char signal_script[] =
    "for e in /proc/[0-9]*/environ; do p=${e%/environ}; if grep -qs \"" TAG "=$2\" \"$e\" && { [ \"$3\" = all ] || "
    "grep -qs '^PPid:[[:space:]]*0$' \"$p/status\"; }; then kill -\"$1\" \"${p#/proc/}\"; fi; done";

struct exec {
	LIST_ENTRY(exec) link; /* of host->execs */
	struct host *host;
	char *container;
	struct fl_json *cmd, *env; /* as asked for */
	char *id;		   /* the engine's; NULL: not made yet */
	char *wrapper;		   /* the image's program; NULL: none */
	char *tag;
	bool tty, attached, ended;
	struct winsize_teller size;
	int tries;
	struct client *client;
	struct stream *stream;
	struct fl_http_call *call;
	struct event *timer; /* until the exit status is asked for again */
};

/* ---- signals ---- */

/* The engine's id of what was made (caller frees), or NULL. */
static char *
made_id(const struct engine *e, const struct fl_http_result *res, const struct fl_err *call_err, struct fl_err *err)
{
	struct fl_json *v = NULL;
	char *id = NULL;

	if (engine_check(e, res, call_err, "run a command in the container", err) == -1)
		return NULL;
	if ((v = fl_json_parse(res->body, res->len, NULL)) != NULL)
		id = fl_xstrdup_null(fl_json_str(fl_json_get(v, "Id"), NULL));
	if (id == NULL)
		fl_err_set(err, FL_ERR_SYSTEM, "the engine names no Id for a command");
	fl_json_free(v);
	return id;
}

static void
on_signal_made(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	static const struct engine_call call = { .method = "POST", .body = "{\"Detach\":true}" };
	struct engine *e = arg;
	struct fl_err err = { 0 };
	char *id = made_id(e, res, call_err, &err);

	if (id != NULL)
		engine_forget(e, &call, "/exec/%s/start", id);
	else if (err.kind != FL_ERR_NOT_FOUND && err.kind != FL_ERR_CONFLICT) /* it has gone with its container */
		fl_log_warn("a command was not signalled", fl_str("err", err.msg));
	free(id);
}

/* all: also to what the command has started. */
static void
send_signal(const struct exec *x, uint32_t sig, bool all)
{
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	struct engine_call call = { .method = "POST" };
	char number[16];
	const char *const words[] = { x->wrapper, "sh", "-c", signal_script, "sh", number, x->tag, all ? "all" : "one" };

	snprintf(number, sizeof(number), "%u", sig);
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_open(&w, "Cmd", '[');
	for (size_t i = x->wrapper != NULL ? 0 : 1; i < fl_nitems(words); i++)
		fl_jsonw_str(&w, NULL, words[i]);
	fl_jsonw_close(&w, ']');
	fl_jsonw_close(&w, '}');
	call.body = fl_buf_cstr(&body);
	engine_start(x->host->engine, &call, on_signal_made, x->host->engine, "/containers/%s/exec", x->container);
	fl_buf_release(&body);
}

/* ---- the end ---- */

static void
exec_free(struct exec *x)
{
	if (x->call != NULL)
		fl_http_call_cancel(x->call);
	if (x->timer != NULL)
		event_free(x->timer);
	winsize_release(&x->size);
	stream_free(x->stream);
	client_free(x->client);
	LIST_REMOVE(x, link);
	free(x->container);
	fl_json_free(x->cmd);
	fl_json_free(x->env);
	free(x->id);
	free(x->wrapper);
	free(x->tag);
	free(x);
}

void
exec_release_all(struct host *h)
{
	struct exec *x, *next;

	LIST_FOREACH_SAFE(x, &h->execs, link, next)
		exec_free(x);
}

static void
on_client_gone(void *arg)
{
	struct exec *x = arg;

	if (x->attached && !x->ended)
		send_signal(x, x->tty ? SIGHUP : SIGTERM, true);
	exec_free(x);
}

static void
exec_finish(struct exec *x, int status)
{
	x->ended = true;
	client_finish(x->client, status);
	stream_free(x->stream);
	x->stream = NULL;
}

static void
exec_refuse(struct exec *x, const struct fl_err *err)
{
	x->ended = true;
	client_refuse(x->client, err->msg);
	stream_free(x->stream);
	x->stream = NULL;
}

static void ask_status(struct exec *x);

static void
on_pause_over(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	ask_status(arg);
}

static void
on_status(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	static const struct timeval pause = { 0, STATUS_PAUSE_MS * 1000 };
	struct exec *x = arg;
	struct fl_json *v = NULL;

	x->call = NULL;
	if (engine_check(x->host->engine, res, call_err, "look at the command", NULL) == 0)
		v = fl_json_parse(res->body, res->len, NULL);
	if (fl_json_bool(fl_json_get(v, "Running"), false) && ++x->tries < STATUS_TRIES) {
		event_add(x->timer, &pause);
	} else {
		/* Without one it ended with its container. */
		exec_finish(x, (int)fl_json_int(fl_json_get(v, "ExitCode"), 128 + SIGKILL));
	}
	fl_json_free(v);
}

static void
ask_status(struct exec *x)
{
	x->call = engine_start(x->host->engine, NULL, on_status, x, "/exec/%s/json", x->id);
}

/* ---- its streams ---- */

static void
send_size(struct exec *x)
{
	if (x->attached && x->tty)
		winsize_tell(&x->size, x->host->engine, "exec", x->id);
}

static void
on_stream_open(FL_UNUSED struct stream *s, void *arg)
{
	struct exec *x = arg;

	client_send_state(x->client, FL_FRAME_ATTACHED);
	x->attached = true;
	client_read(x->client, true);
	send_size(x);
}

static void
on_stream_data(struct stream *s, enum fl_frame_stream from, const char *data, size_t len, void *arg)
{
	struct exec *x = arg;

	fl_frame_write_data(client_out(x->client), from, data, len);
	if (client_pending(x->client) > CLIENT_HIGH_WATER)
		stream_pause(s, true);
}

static void
on_stream_end(FL_UNUSED struct stream *s, const struct fl_err *err, void *arg)
{
	struct exec *x = arg;

	if (err != NULL && !x->attached)
		exec_refuse(x, err);
	else
		ask_status(x);
}

static void
on_stream_drain(struct stream *s, void *arg)
{
	struct exec *x = arg;

	if (x->attached && !client_is_closing(x->client) && !client_is_reading(x->client) && stream_pending(s) < CLIENT_LOW_WATER)
		client_read(x->client, true);
}

static void
on_client_frame(const struct fl_frame *f, void *arg)
{
	struct exec *x = arg;

	switch (f->type) {
	case FL_FRAME_DATA:
		if (x->stream == NULL || f->stream != FL_FRAME_STDIN)
			break;
		if (f->eof)
			stream_shutdown(x->stream);
		else
			stream_write(x->stream, f->data, f->len);
		if (stream_pending(x->stream) > CLIENT_HIGH_WATER)
			client_read(x->client, false);
		break;
	case FL_FRAME_SIGNAL:
		if (!x->ended && f->value > 0 && f->value < NSIG)
			send_signal(x, f->value, false);
		break;
	case FL_FRAME_RESIZE:
		x->size.rows = f->rows;
		x->size.cols = f->cols;
		send_size(x);
		break;
	case FL_FRAME_EXIT:
		break; /* says nothing in this direction */
	}
}

static void
on_client_drain(void *arg)
{
	struct exec *x = arg;

	if (x->stream != NULL)
		stream_pause(x->stream, false);
}

/* ---- beginnings ---- */

static void
on_made(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	static const struct stream_ops ops = {
		.on_open = on_stream_open, .on_data = on_stream_data, .on_end = on_stream_end, .on_drain = on_stream_drain
	};
	struct exec *x = arg;
	struct stream_opts opts = { .method = "POST", .upgrade = true, .multiplexed = !x->tty, .open_timeout_ms = OPEN_TIMEOUT_MS };
	struct fl_err err = { 0 };
	char *path;

	x->call = NULL;
	if ((x->id = made_id(x->host->engine, res, call_err, &err)) == NULL) {
		exec_refuse(x, &err);
		return;
	}
	path = fl_xasprintf("/exec/%s/start", x->id);
	opts.path = path;
	opts.body = x->tty ? "{\"Detach\":false,\"Tty\":true}" : "{\"Detach\":false,\"Tty\":false}";
	x->stream = stream_start(x->host->base, x->host->engine, &opts, &ops, x);
	free(path);
}

static void
write_command(const struct exec *x, struct fl_buf *b)
{
	struct fl_jsonw w = fl_jsonw(b);
	char *pair;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_bool(&w, "AttachStdin", true);
	fl_jsonw_bool(&w, "AttachStdout", true);
	fl_jsonw_bool(&w, "AttachStderr", true);
	fl_jsonw_bool(&w, "Tty", x->tty);
	fl_jsonw_open(&w, "Cmd", '[');
	if (x->wrapper != NULL)
		fl_jsonw_str(&w, NULL, x->wrapper);
	for (size_t i = 0; i < fl_json_len(x->cmd); i++)
		fl_jsonw_value(&w, NULL, fl_json_at(x->cmd, i));
	fl_jsonw_close(&w, ']');
	fl_jsonw_open(&w, "Env", '[');
	for (size_t i = 0; i < fl_json_len(x->env); i++) {
		pair = fl_xasprintf("%s=%s", fl_json_key_at(x->env, i), fl_json_str(fl_json_at(x->env, i), ""));
		fl_jsonw_str(&w, NULL, pair);
		free(pair);
	}
	pair = fl_xasprintf(TAG "=%s", x->tag);
	fl_jsonw_str(&w, NULL, pair);
	free(pair);
	fl_jsonw_close(&w, ']');
	fl_jsonw_close(&w, '}');
}

static void
on_inspected(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct exec *x = arg;
	struct engine_call call = { .method = "POST" };
	struct fl_buf body = { 0 };
	struct fl_err err = { 0 };
	struct fl_json *v;

	x->call = NULL;
	if (engine_check(x->host->engine, res, call_err, "look at the container", &err) == -1) {
		exec_refuse(x, &err);
		return;
	}
	v = engine_parse(res, NULL);
	x->wrapper = fl_xstrdup_null(fl_json_str(fl_json_get(fl_json_get(fl_json_get(v, "Config"), "Labels"), EXEC_LABEL), NULL));
	fl_json_free(v);
	write_command(x, &body);
	call.body = fl_buf_cstr(&body);
	x->call = engine_start(x->host->engine, &call, on_made, x, "/containers/%s/exec", x->container);
	fl_buf_release(&body);
}

static int
check_strings(const struct fl_json *v, const char *what, struct fl_err *err)
{
	for (size_t i = 0; i < fl_json_len(v); i++)
		if (fl_json_type(fl_json_at(v, i)) != FL_JSON_STRING)
			return fl_err_set(err, FL_ERR_INVALID, "%s must be strings", what);
	return 0;
}

int
exec_parse(const struct fl_json *v, struct exec_request *request, struct fl_err *err)
{
	int64_t rows = 0, cols = 0;

	*request = (struct exec_request){ 0 };
	if (fl_json_type(v) != FL_JSON_OBJECT)
		return fl_err_set(err, FL_ERR_INVALID, "a command to run must be an object");
	if (fl_json_member_arr(v, "cmd", &request->cmd, err) == -1 || check_strings(request->cmd, "the words of cmd", err) == -1 ||
	    fl_json_member_obj(v, "env", &request->env, err) == -1 || check_strings(request->env, "the values of env", err) == -1 ||
	    fl_json_member_bool(v, "tty", &request->tty, err) == -1 ||
	    fl_json_member_int(v, "height", 0, UINT16_MAX, &rows, err) == -1 ||
	    fl_json_member_int(v, "width", 0, UINT16_MAX, &cols, err) == -1)
		return -1;
	if (fl_json_len(request->cmd) == 0)
		return fl_err_set(err, FL_ERR_INVALID, "cmd is missing: send the words of the command");
	request->rows = (uint16_t)rows;
	request->cols = (uint16_t)cols;
	return 0;
}

void
exec_start(struct job *j, const struct exec_request *request, struct fl_http_req *req)
{
	static const struct client_ops ops = { on_client_frame, on_client_drain, on_client_gone };
	struct exec *x = fl_xcalloc(1, sizeof(*x));

	x->host = j->host;
	x->container = fl_xstrdup(j->active->container_id);
	x->cmd = fl_json_dup(request->cmd);
	x->env = fl_json_dup(request->env);
	x->tag = fl_random_hex(TAG_BYTES);
	x->tty = request->tty;
	x->size.rows = request->rows;
	x->size.cols = request->cols;
	x->timer = event_new(x->host->base, -1, 0, on_pause_over, x);
	LIST_INSERT_HEAD(&x->host->execs, x, link);
	fl_log_info("a command is run in a job", fl_str("job", job_id(j)), fl_str("cmd", fl_json_str(fl_json_at(x->cmd, 0), "")));
	x->client = client_take(x->host->base, job_id(j), &ops, x, req);
	if (x->client == NULL) {
		exec_free(x);
		return;
	}
	x->call = engine_inspect(x->host->engine, x->container, on_inspected, x);
}
