#include "libflynn/deploy.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/sse_client.h"
#include "libflynn/xmalloc.h"

struct deploy {
	const struct fl_deploy *opts;
	struct event_base *base;
	char *id;
	bool complete;
	struct fl_err err;
	struct fl_err lost; /* why the stream is not there, if it is not */
};

static void
end(struct deploy *d)
{
	event_base_loopbreak(d->base);
}

static void
on_event(FL_UNUSED const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct deploy *d = arg;
	struct fl_json *v = fl_json_parse(data, len, NULL);
	const char *status = fl_json_str(fl_json_get(v, "status"), "");

	d->lost.kind = FL_ERR_NONE;
	if (strcmp(status, "complete") == 0) {
		d->complete = true;
		end(d);
	} else if (fl_json_is_null(fl_json_get(v, "finished_at"))) {
		if (d->opts->on_status != NULL)
			d->opts->on_status(status, fl_json_str(fl_json_get(v, "behind"), ""), d->opts->arg);
	} else {
		fl_err_set(&d->err, FL_ERR_UNAVAILABLE, "%s", fl_json_str(fl_json_get(v, "error"), status));
		end(d);
	}
	fl_json_free(v);
}

static void
on_error(const struct fl_err *err, void *arg)
{
	struct deploy *d = arg;

	d->lost = *err;
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

	if (d->lost.kind != FL_ERR_NONE)
		fl_err_set(&d->err, FL_ERR_TIMEOUT, "the controller has not answered since deployment %s was begun: %s", d->id, d->lost.msg);
	else
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
	if (opts->strategy != NULL)
		fl_jsonw_str(&w, "strategy", opts->strategy);
	fl_jsonw_close(&w, '}');
	call.body = fl_buf_cstr(&body);
	call.body_len = body.len;
	if ((answer = fl_http_fetch_json(&call, "the deployment", err)) != NULL)
		id = fl_xstrdup(fl_json_str(fl_json_get(answer, "id"), ""));
	fl_json_free(answer);
	fl_buf_release(&body);
	free(url);
	return id;
}

int
fl_deploy_run(const struct fl_deploy *opts, struct fl_err *err)
{
	const struct fl_sse_client_ops ops = { .url = stream_url, .on_event = on_event, .on_error = on_error, .pin = opts->pin };
	struct deploy d = { .opts = opts };
	struct timeval tv = { opts->timeout_s, 0 };
	struct fl_http_client *http;
	struct fl_sse_client *stream;
	struct event *deadline;

	if ((d.id = begin(opts, err)) == NULL)
		return -1;
	d.base = event_base_new();
	http = fl_http_client_new(d.base, opts->key);
	stream = fl_sse_client_start(http, &ops, &d);
	deadline = evtimer_new(d.base, on_deadline, &d);
	evtimer_add(deadline, &tv);
	event_base_dispatch(d.base);
	event_free(deadline);
	fl_sse_client_free(stream);
	fl_http_client_free(http);
	event_base_free(d.base);
	free(d.id);
	if (!d.complete && err != NULL)
		*err = d.err;
	return d.complete ? 0 : -1;
}
