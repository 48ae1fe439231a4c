#include "controller/job_exec.h"

#include <event2/bufferevent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "controller/answer.h"
#include "controller/attach_request.h"
#include "controller/body.h"
#include "controller/controller.h"
#include "controller/host_job.h"
#include "controller/once.h"
#include "libflynn/attach.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/log.h"
#include "libflynn/relay.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

/* From the request to the command's start. */
#define START_MS 30000

struct exec {
	LIST_ENTRY(exec) link;
	struct controller *c;
	struct fl_http_req *req; /* NULL once it is answered */
	struct fl_buf body;	 /* what the host is asked */
	struct fl_attach *attach; /* until the connection is handed over */
	struct fl_relay *relay;
};

static void
exec_free(struct exec *x)
{
	if (x->attach != NULL)
		fl_attach_free(x->attach);
	if (x->relay != NULL)
		fl_relay_free(x->relay);
	LIST_REMOVE(x, link);
	fl_buf_release(&x->body);
	free(x);
}

void
job_exec_free_all(struct controller *c)
{
	struct exec *x, *next;

	LIST_FOREACH_SAFE(x, &c->execs, link, next)
		exec_free(x);
}

static void
exec_fail(struct exec *x, const struct fl_err *err)
{
	struct fl_http_req *req = x->req;

	fl_http_on_close(req, NULL, NULL);
	exec_free(x);
	answer_err(req, NULL, err);
}

static void
on_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_UNAVAILABLE, "the client has gone");
	exec_fail(arg, &err);
}

static void
on_relay_end(void *arg)
{
	struct exec *x = arg;

	x->relay = NULL;
	exec_free(x);
}

static void
on_open(FL_UNUSED struct fl_attach *a, void *arg)
{
	struct exec *x = arg;
	struct bufferevent *client, *host;

	fl_http_on_close(x->req, NULL, NULL);
	client = attach_request_answer(x->req);
	host = fl_attach_detach(x->attach);
	x->attach = NULL;
	if (client != NULL) {
		x->relay = fl_relay_start(client, host, on_relay_end, x);
		return;
	}
	bufferevent_free(host);
	exec_free(x);
}

/* Frames come after on_open, and then the connection is no longer ours. */
static void
on_frame(FL_UNUSED struct fl_attach *a, FL_UNUSED const struct fl_frame *f, FL_UNUSED void *arg)
{
}

static void
on_attach_end(FL_UNUSED struct fl_attach *a, const struct fl_err *err, void *arg)
{
	struct fl_err why = { 0 };

	fl_err_set(&why, FL_ERR_UNAVAILABLE, "the host ended the connection before the command started");
	exec_fail(arg, err != NULL ? err : &why);
}

static void
on_job(const struct host_job *job, void *arg)
{
	static const struct fl_attach_ops ops = { .on_open = on_open, .on_frame = on_frame, .on_end = on_attach_end };
	struct exec *x = arg;
	struct fl_attach_opts opts = { .key = x->c->cfg->cluster_key, .state_byte = 1, .connect_timeout_ms = START_MS };
	char *id, *url;

	if (job == NULL || fl_http_gone(x->req)) {
		if (job != NULL) /* his on_close came too early for us */
			answer_empty(x->req);
		exec_free(x);
		return;
	}
	id = fl_url_encode(job->id);
	url = fl_xasprintf("http://%s/host/jobs/%s/exec", job->host_addr, id);
	opts.url = url;
	opts.body = fl_buf_cstr(&x->body);
	fl_log_info("command is run in a job", fl_str("job", job->id));
	fl_http_on_close(x->req, on_close, x);
	x->attach = fl_attach_start(x->c->base, &opts, &ops, x);
	free(url);
	free(id);
}

/* The host's request out of ours; -1: answered. */
static int
translate(struct fl_http_req *req, const struct fl_json *in, struct fl_buf *body)
{
	const struct fl_json *cmd = fl_json_get(in, "cmd"), *env = fl_json_get(in, "env");
	struct fl_jsonw w = fl_jsonw(body);
	struct fl_err err = { 0 };
	bool tty = false;
	int64_t columns = 0, lines = 0;

	if (body_check_words(cmd, "cmd", &err) == -1 || body_check_strings(env, "env", &err) == -1 ||
	    fl_json_member_bool(in, "tty", &tty, &err) == -1 ||
	    fl_json_member_int(in, "tty_columns", 0, UINT16_MAX, &columns, &err) == -1 ||
	    fl_json_member_int(in, "tty_lines", 0, UINT16_MAX, &lines, &err) == -1) {
		answer_err(req, NULL, &err);
		return -1;
	}
	if (fl_json_len(cmd) == 0) {
		answer_invalid(req, "cmd", "is missing: send the words of the command");
		return -1;
	}
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_value(&w, "cmd", cmd);
	if (fl_json_len(env) > 0)
		fl_jsonw_value(&w, "env", env);
	fl_jsonw_bool(&w, "tty", tty);
	fl_jsonw_int(&w, "height", lines);
	fl_jsonw_int(&w, "width", columns);
	fl_jsonw_close(&w, '}');
	return 0;
}

void
job_exec(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	const struct fl_json *in;
	struct fl_buf body = { 0 };
	struct exec *x;

	if (once_is_asked(req)) {
		answer_invalid(req, ONCE_HEADER, ONCE_NOT_ATTACHED);
		return;
	}
	if (body_bind(req, &in) == -1 || translate(req, in, &body) == -1)
		return;
	if (!attach_request_is(req)) {
		answer_invalid(req, NULL, "a command is run attached: ask for Upgrade: flynn-attach/0");
		fl_buf_release(&body);
		return;
	}
	x = fl_xcalloc(1, sizeof(*x));
	x->c = c;
	x->req = req;
	x->body = body;
	LIST_INSERT_HEAD(&c->execs, x, link);
	host_job_find(c, req, 0, on_job, x);
}
