/*
 * host_client - jobs added to, stopped at and watched on a host.
 */
#include "libflynn/host_client.h"

#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/sse_client.h"
#include "libflynn/xmalloc.h"

struct call {
	char *what; /* for the error's sentence */
	void (*cb)(const struct fl_err *err, void *arg);
	void *arg;
};

static void
on_answer(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct call *call = arg;
	struct fl_err why = { 0 };

	if (err == NULL && fl_http_result_check(res, call->what, &why) == -1)
		err = &why;
	call->cb(err, call->arg);
	free(call->what);
	free(call);
}

static void
job_call(struct fl_http_client *c, const char *method, const char *host_addr, const char *job_id,
    const struct fl_buf *body, struct call *call)
{
	char *url = fl_xasprintf("http://%s/host/jobs/%s", host_addr, job_id);
	struct fl_http_call_opts opts = { .method = method, .url = url };

	if (body != NULL) {
		opts.body = body->data;
		opts.body_len = body->len;
	}
	fl_http_client_start(c, &opts, on_answer, call);
	free(url);
}

static struct call *
call_new(const char *what, const char *host_addr, void (*cb)(const struct fl_err *err, void *arg), void *arg)
{
	struct call *call = fl_xcalloc(1, sizeof(*call));

	*call = (struct call){ fl_xasprintf("%s host %s", what, host_addr), cb, arg };
	return call;
}

void
fl_host_add_job(struct fl_http_client *c, const char *host_addr, const struct fl_job *job,
    void (*cb)(const struct fl_err *err, void *arg), void *arg)
{
	struct fl_buf body = { 0 };

	fl_job_write(job, &body);
	job_call(c, "PUT", host_addr, job->id, &body, call_new("start a job on", host_addr, cb, arg));
	fl_buf_release(&body);
}

void
fl_host_stop_job(struct fl_http_client *c, const char *host_addr, const char *job_id,
    void (*cb)(const struct fl_err *err, void *arg), void *arg)
{
	job_call(c, "DELETE", host_addr, job_id, NULL, call_new("stop a job on", host_addr, cb, arg));
}

struct fl_host_events {
	struct fl_sse_client *sse;
	char *url;
	struct fl_host_events_ops ops;
	void *arg;
};

static char *
events_url(void *arg)
{
	const struct fl_host_events *e = arg;

	return fl_xstrdup(e->url);
}

static void
report(struct fl_host_events *e, const struct fl_err *err)
{
	if (e->ops.on_error != NULL)
		e->ops.on_error(err, e->arg);
}

static void
on_current(struct fl_host_events *e, const struct fl_json *jobs)
{
	size_t n = 0, len = fl_json_len(jobs);
	struct fl_active_job **list = fl_xcalloc(len + 1, sizeof(struct fl_active_job *));
	struct fl_err err = { 0 };

	for (size_t i = 0; i < len; i++) {
		list[n] = fl_active_job_parse(fl_json_at(jobs, i), &err);
		if (list[n] != NULL)
			n++;
		else
			fl_log_warn("host tells of a job that cannot be read", fl_str("job", fl_json_key_at(jobs, i)), fl_str("err", err.msg));
	}
	e->ops.on_current(list, n, e->arg); /* last: it may free e */
	for (size_t i = 0; i < n; i++)
		fl_active_job_free(list[i]);
	free(list);
}

static void
on_job(struct fl_host_events *e, const char *kind, const struct fl_json *v)
{
	struct fl_err err = { 0 };
	struct fl_active_job *job = fl_active_job_parse(v, &err);

	if (job != NULL)
		e->ops.on_event(kind, job, e->arg);
	else
		report(e, &err);
	fl_active_job_free(job);
}

static void
on_event(FL_UNUSED const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct fl_host_events *e = arg;
	struct fl_err err = { 0 };
	struct fl_json *v = fl_json_parse(data, len, &err);
	const char *kind = fl_json_text(v, "event");

	if (v == NULL)
		report(e, &err);
	else if (strcmp(kind, "current") == 0)
		on_current(e, fl_json_get(v, "jobs"));
	else if (*kind != '\0')
		on_job(e, kind, fl_json_get(v, "job"));
	fl_json_free(v);
}

static void
on_error(const struct fl_err *err, void *arg)
{
	report(arg, err);
}

struct fl_host_events *
fl_host_events_start(struct fl_http_client *c, const char *host_addr, const struct fl_host_events_ops *ops,
    void *arg)
{
	static const struct fl_sse_client_ops sse_ops = {
		.url = events_url, .on_event = on_event, .on_error = on_error
	};
	struct fl_host_events *e = fl_xcalloc(1, sizeof(*e));

	e->url = fl_xasprintf("http://%s/host/jobs", host_addr);
	e->ops = *ops;
	e->arg = arg;
	e->sse = fl_sse_client_start(c, &sse_ops, e);
	return e;
}

void
fl_host_events_free(struct fl_host_events *e)
{
	if (e == NULL)
		return;
	fl_sse_client_free(e->sse);
	free(e->url);
	free(e);
}
