#include "libflynn/deploy.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/sse_client.h"
#include "libflynn/xmalloc.h"

/* The end of the release phase's output is waited for behind that of the deployment. */
#define OUTPUT_END_S 5
/* A controller that is replaced is back before. */
#define AWAY_TELL_S 5

/* The log of the release phase's job. */
struct output {
	char *job; /* NULL: there is none yet */
	struct fl_http_call *call; /* NULL: not being read */
	bool whole;
	struct evbuffer *in;
	struct fl_frame_reader reader;
	size_t shown, skip; /* bytes: a log that is read again begins at its beginning */
};

struct deploy {
	const struct fl_deploy *opts;
	struct event_base *base;
	struct fl_http_client *http;
	char *id;
	struct output output;
	bool complete, over;
	struct fl_err err;
	struct event *away; /* pending: the stream is not there */
	struct fl_err lost; /* why */
	bool told_away;
};

static void
end(struct deploy *d)
{
	static const struct timeval wait = { OUTPUT_END_S, 0 };

	d->over = true;
	if (d->output.call != NULL)
		event_base_loopexit(d->base, &wait);
	else
		event_base_loopbreak(d->base);
}

static void
tell_status(const struct deploy *d, const char *status, const char *behind)
{
	if (d->opts->on_status != NULL)
		d->opts->on_status(status, behind, d->opts->arg);
}

/* ---- what the release phase says ---- */

static void
output_show(struct deploy *d, const char *data, size_t len)
{
	struct output *o = &d->output;
	size_t seen = len < o->skip ? len : o->skip;

	o->skip -= seen;
	o->shown += len - seen;
	if (len > seen)
		d->opts->on_output(data + seen, len - seen, d->opts->arg);
}

static int
on_output(const char *data, size_t len, void *arg)
{
	struct deploy *d = arg;
	struct output *o = &d->output;
	struct fl_frame f;
	int r;

	evbuffer_add(o->in, data, len);
	while ((r = fl_frame_read(&o->reader, o->in, &f, NULL)) == 1) {
		if (f.type == FL_FRAME_DATA && f.len > 0)
			output_show(d, (const char *)f.data, f.len);
		else if (f.type == FL_FRAME_EXIT)
			o->whole = true;
	}
	return r;
}

static void
on_output_end(FL_UNUSED const struct fl_http_result *res, FL_UNUSED const struct fl_err *err, void *arg)
{
	struct deploy *d = arg;

	d->output.call = NULL;
	if (d->over)
		end(d);
	else if (d->output.whole)
		tell_status(d, "running", "");
}

/* Read it, or go on reading when the controller is back. */
static void
output_read(struct deploy *d)
{
	struct fl_http_call_opts opts = { .key = d->opts->key, .pin = d->opts->pin, .timeout_ms = -1, .on_data = on_output };
	struct output *o = &d->output;
	char *url;

	if (o->job == NULL || o->whole || o->call != NULL || d->opts->on_output == NULL)
		return;
	evbuffer_drain(o->in, evbuffer_get_length(o->in));
	o->reader.left = 0;
	o->skip = o->shown;
	url = fl_xasprintf("%s/apps/%s/jobs/%s/log?tail=true&wait=true", d->opts->controller, d->opts->app, o->job);
	opts.url = url;
	o->call = fl_http_client_start(d->http, &opts, on_output_end, d);
	free(url);
}

static void
output_begin(struct deploy *d, const char *job)
{
	if (d->output.job != NULL)
		return;
	d->output.job = fl_xstrdup(job);
	tell_status(d, "releasing", "");
	output_read(d);
}

/* ---- the deployment ---- */

/* It has not ended. */
static void
tell(struct deploy *d, const struct fl_json *v, const char *status)
{
	const char *job = fl_json_str(fl_json_get(v, "release_job"), NULL);

	if (job == NULL)
		tell_status(d, status, fl_json_text(v, "behind"));
	else
		output_begin(d, job);
}

static void
on_open(void *arg)
{
	struct deploy *d = arg;

	d->told_away = false;
	evtimer_del(d->away);
	output_read(d);
}

static void
on_event(FL_UNUSED const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct deploy *d = arg;
	struct fl_json *v = fl_json_parse(data, len, NULL);
	const char *status = fl_json_text(v, "status");

	if (strcmp(status, "complete") == 0) {
		d->complete = true;
		end(d);
	} else if (fl_json_is_null(fl_json_get(v, "finished_at"))) {
		tell(d, v, status);
	} else {
		fl_err_set(&d->err, fl_json_bool(fl_json_get(v, "overtaken"), false) ? FL_ERR_CONFLICT : FL_ERR_UNAVAILABLE, "%s",
		    fl_json_str(fl_json_get(v, "error"), status));
		end(d);
	}
	fl_json_free(v);
}

static void
on_error(const struct fl_err *err, void *arg)
{
	struct deploy *d = arg;
	struct timeval tv = { d->opts->away_s < AWAY_TELL_S ? d->opts->away_s : AWAY_TELL_S, 0 };

	d->lost = *err;
	if (!evtimer_pending(d->away, NULL))
		evtimer_add(d->away, &tv);
}

static void
on_away(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct deploy *d = arg;
	struct timeval tv = { d->opts->away_s - AWAY_TELL_S, 0 };

	if (!d->told_away && tv.tv_sec > 0) {
		d->told_away = true;
		evtimer_add(d->away, &tv);
		if (d->opts->on_away != NULL)
			d->opts->on_away(d->lost.msg, d->opts->arg);
		return;
	}
	fl_err_set(&d->err, FL_ERR_TIMEOUT, "the controller has not answered for %d s (%s); once it is back: flynn deployment show %s",
	    d->opts->away_s, d->lost.msg, d->id);
	end(d);
}

static char *
stream_url(void *arg)
{
	const struct deploy *d = arg;

	return fl_xasprintf("%s/deployments/%s", d->opts->controller, d->id);
}

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct deploy *d = arg;

	fl_err_set(&d->err, FL_ERR_TIMEOUT, "deployment %s has not ended after %d s and goes on: flynn deployment show %s", d->id,
	    d->opts->timeout_s, d->id);
	end(d);
}

/* Ask for it; its id, which the caller frees, or NULL. */
static char *
begin(const struct fl_deploy *opts, struct fl_err *err)
{
	char *url = fl_xasprintf("%s/apps/%s/deploy", opts->controller, opts->app), *id = NULL;
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	struct fl_http_call_opts call = { .method = "POST", .url = url, .key = opts->key, .pin = opts->pin };
	struct fl_json *answer;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "id", opts->release);
	if (opts->base != NULL)
		fl_jsonw_str(&w, "base", opts->base);
	if (opts->strategy != NULL)
		fl_jsonw_str(&w, "strategy", opts->strategy);
	if (opts->processes != NULL)
		fl_jsonw_raw(&w, "processes", opts->processes);
	fl_jsonw_close(&w, '}');
	call.body = fl_buf_cstr(&body);
	call.body_len = body.len;
	if ((answer = fl_http_fetch_json(&call, "the deployment", err)) != NULL)
		id = fl_xstrdup(fl_json_text(answer, "id"));
	fl_json_free(answer);
	fl_buf_release(&body);
	free(url);
	return id;
}

int
fl_deploy_run(const struct fl_deploy *opts, struct fl_err *err)
{
	const struct fl_sse_client_ops ops = {
		.url = stream_url, .on_open = on_open, .on_event = on_event, .on_error = on_error, .pin = opts->pin
	};
	struct deploy d = { .opts = opts };
	struct timeval tv = { opts->timeout_s, 0 };
	struct fl_sse_client *stream;
	struct event *deadline;

	if ((d.id = begin(opts, err)) == NULL)
		return -1;
	d.base = event_base_new();
	d.http = fl_http_client_new(d.base, opts->key);
	d.output.in = evbuffer_new();
	d.away = evtimer_new(d.base, on_away, &d);
	stream = fl_sse_client_start(d.http, &ops, &d);
	deadline = evtimer_new(d.base, on_deadline, &d);
	evtimer_add(deadline, &tv);
	event_base_dispatch(d.base);
	event_free(deadline);
	event_free(d.away);
	fl_sse_client_free(stream);
	fl_http_client_free(d.http);
	evbuffer_free(d.output.in);
	event_base_free(d.base);
	free(d.output.job);
	free(d.id);
	if (!d.complete && err != NULL)
		*err = d.err;
	return d.complete ? 0 : -1;
}
