#include "controller/job_log.h"

#include <event2/buffer.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/host_job.h"
#include "controller/utf8_tail.h"
#include "libflynn/attach.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

/* Above this the reader has to read before the host is asked for more. */
#define MAX_PENDING ((size_t)256 << 10)
#define N_STREAMS 3

struct log {
	LIST_ENTRY(log) link;
	struct controller *c;
	struct fl_http_req *req;
	struct fl_attach *attach;
	bool tail, wait, events, started;
	struct utf8_tail tails[N_STREAMS]; /* a character that the next frame ends */
};

static void
log_free(struct log *l)
{
	if (l->attach != NULL)
		fl_attach_free(l->attach);
	LIST_REMOVE(l, link);
	free(l);
}

void
job_log_free_all(struct controller *c)
{
	struct log *l, *next;

	LIST_FOREACH_SAFE(l, &c->logs, link, next)
		log_free(l);
}

static void
on_close(struct fl_http_req *req, void *arg)
{
	struct log *l = arg;
	bool owes_end = !l->events || !l->started; /* event streams end by themselves */

	log_free(l);
	if (owes_end)
		fl_http_stream_end(req);
}

static void
on_drain(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct log *l = arg;

	if (l->attach != NULL)
		fl_attach_pause(l->attach, 0);
}

/* Also while the job is waited for: only a stream's reader is missed when he goes. */
static void
start_stream(FL_UNUSED struct fl_attach *a, void *arg)
{
	struct log *l = arg;

	if (l->started)
		return;
	l->started = true;
	if (l->events)
		fl_http_sse_start(l->req);
	else
		fl_http_stream_start(l->req, 200, "application/vnd.flynn.attach");
}

/* The frame as it came. */
static void
relay_frame(struct log *l, const struct fl_frame *f)
{
	struct evbuffer *out = evbuffer_new();
	size_t len;

	if (f->type == FL_FRAME_DATA && f->eof)
		fl_frame_write_eof(out, f->stream);
	else if (f->type == FL_FRAME_DATA)
		fl_frame_write_data(out, f->stream, f->data, f->len);
	else if (f->type == FL_FRAME_EXIT)
		fl_frame_write_exit(out, f->value);
	len = evbuffer_get_length(out);
	if (len > 0)
		fl_http_stream_write(l->req, evbuffer_pullup(out, -1), len);
	evbuffer_free(out);
}

static void
send_text(struct log *l, enum fl_frame_stream stream, const char *text, size_t len)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (len == 0)
		return;
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "stream", stream == FL_FRAME_STDERR ? "stderr" : "stdout");
	fl_jsonw_strn(&w, "data", text, len);
	fl_jsonw_close(&w, '}');
	fl_http_sse_send(l->req, NULL, NULL, b.data);
	fl_buf_release(&b);
}

static void
send_event(struct log *l, const struct fl_frame *f)
{
	struct fl_buf text = { 0 };
	char status[48];

	if (f->type == FL_FRAME_DATA && f->stream < N_STREAMS) {
		utf8_tail_join(&l->tails[f->stream], f->data, f->len, &text);
		send_text(l, f->stream, fl_buf_cstr(&text), text.len);
		fl_buf_release(&text);
	} else if (f->type == FL_FRAME_EXIT && l->tail) {
		snprintf(status, sizeof(status), "{\"status\":%u}", f->value);
		fl_http_sse_send(l->req, "exit", NULL, status);
	}
}

static void
on_frame(struct fl_attach *a, const struct fl_frame *f, void *arg)
{
	struct log *l = arg;

	if (l->events)
		send_event(l, f);
	else
		relay_frame(l, f);
	if (fl_http_stream_pending(l->req) > MAX_PENDING)
		fl_attach_pause(a, 1);
}

static void
on_end(FL_UNUSED struct fl_attach *a, const struct fl_err *err, void *arg)
{
	struct log *l = arg;
	struct fl_http_req *req = l->req;
	bool started = l->started;

	fl_http_on_close(req, NULL, NULL);
	fl_http_stream_on_drain(req, NULL, NULL);
	for (size_t i = 0; l->events && started && i < N_STREAMS; i++)
		send_text(l, i, (const char *)l->tails[i].bytes, l->tails[i].len);
	if (l->events && started)
		fl_http_sse_send(req, err != NULL ? "error" : "eof", NULL, "{}");
	log_free(l);
	if (started)
		fl_http_stream_end(req);
	else if (err != NULL)
		answer_err(req, NULL, err);
	else
		answer_empty(req);
}

static void
on_job(const struct host_job *job, void *arg)
{
	static const struct fl_attach_ops ops = {
		.on_open = start_stream, .on_frame = on_frame, .on_end = on_end, .on_waiting = start_stream,
	};
	struct log *l = arg;
	struct fl_attach_opts opts = { .key = l->c->cfg->cluster_key, .state_byte = 1 };
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	char *url;

	if (job == NULL || fl_http_gone(l->req)) {
		if (job != NULL) /* his on_close came too early for us */
			answer_empty(l->req);
		log_free(l);
		return;
	}
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "job_id", job->id);
	fl_jsonw_int(&w, "flags", FL_ATTACH_STDOUT | FL_ATTACH_STDERR | FL_ATTACH_LOGS | (l->tail ? FL_ATTACH_STREAM : 0));
	fl_jsonw_close(&w, '}');
	url = fl_xasprintf("http://%s/attach", job->host_addr);
	opts.url = url;
	opts.body = body.data;
	fl_http_on_close(l->req, on_close, l);
	fl_http_stream_on_drain(l->req, on_drain, l);
	l->attach = fl_attach_start(l->c->base, &opts, &ops, l);
	free(url);
	fl_buf_release(&body);
}

static bool
is_given(struct fl_http_req *req, const char *name)
{
	const char *value = fl_http_query(req, name);

	return value != NULL && *value != '\0';
}

void
job_log(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	struct log *l = fl_xcalloc(1, sizeof(*l));

	l->c = c;
	l->req = req;
	l->tail = is_given(req, "tail");
	l->wait = is_given(req, "wait");
	l->events = fl_http_accepts(req, "text/event-stream");
	LIST_INSERT_HEAD(&c->logs, l, link);
	host_job_find(c, req, l->wait ? HOST_JOB_MAY_COME : 0, on_job, l);
}
