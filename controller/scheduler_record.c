#include <stdlib.h>
#include <string.h>

#include "controller/scheduler.h"
#include "controller/scheduler_formations.h"
#include "controller/scheduler_record.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/http_client.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/retry.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define MAX_REQUESTS 8

struct record {
	struct records *records;
	char *job_id, *app;
	char *body;    /* to be sent; NULL: sent */
	char *sending; /* in flight; NULL: none */
};

struct records {
	struct scheduler *scheduler;
	struct fl_map *by_job; /* waiting or in flight */
	struct fl_retry retry;
	int requests;
	bool waiting; /* for the controller to come back */
};

static void records_send(struct records *r);

static void
record_free(void *arg)
{
	struct record *rec = arg;

	free(rec->job_id);
	free(rec->app);
	free(rec->body);
	free(rec->sending);
	free(rec);
}

static void
record_drop(struct record *rec)
{
	fl_map_remove(rec->records->by_job, rec->job_id);
	record_free(rec);
}

/* What could not be sent is to be sent again, unless something newer has come meanwhile. */
static void
record_sent(struct record *rec, bool again)
{
	if (again && rec->body == NULL)
		rec->body = rec->sending;
	else
		free(rec->sending);
	rec->sending = NULL;
	if (rec->body == NULL)
		record_drop(rec);
}

static void
on_answer(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct record *rec = arg;
	struct records *r = rec->records;
	bool again = (err != NULL || res->status >= 500) && r->scheduler->leader;
	struct fl_err why;

	r->requests--;
	if (err == NULL && fl_http_result_check(res, "record the job", &why) == -1)
		fl_log_warn("controller did not take a job", fl_str("job", rec->job_id), fl_str("err", why.msg));
	record_sent(rec, again);
	if (again && !r->waiting) {
		r->waiting = true;
		fl_retry_wait(&r->retry);
	} else if (!again) {
		fl_retry_reset(&r->retry);
		r->waiting = false;
		records_send(r);
	}
}

static void
record_send(struct record *rec, const char *controller)
{
	struct records *r = rec->records;
	char *app = fl_url_encode(rec->app), *url = fl_xasprintf("http://%s/apps/%s/jobs/%s", controller, app, rec->job_id);
	struct fl_http_call_opts opts = { .method = "PUT", .url = url };

	rec->sending = rec->body;
	rec->body = NULL;
	opts.body = rec->sending;
	opts.body_len = strlen(rec->sending);
	r->requests++;
	fl_http_client_start(r->scheduler->controller_http, &opts, on_answer, rec);
	free(url);
	free(app);
}

static void
records_send(struct records *r)
{
	const char *controller = formations_controller(r->scheduler->formations);

	if (controller == NULL && fl_map_count(r->by_job) > 0 && !r->waiting) {
		r->waiting = true;
		fl_retry_wait(&r->retry);
	}
	if (controller == NULL || r->waiting)
		return;
	FL_MAP_EACH(r->by_job, e) {
		struct record *rec = fl_map_value(e);

		if (r->requests >= MAX_REQUESTS)
			return;
		if (rec->body != NULL && rec->sending == NULL)
			record_send(rec, controller);
	}
}

static void
on_retry(void *arg)
{
	struct records *r = arg;

	r->waiting = false;
	records_send(r);
}

struct records *
records_new(struct scheduler *s)
{
	struct records *r = fl_xcalloc(1, sizeof(*r));

	r->scheduler = s;
	r->by_job = fl_map_new();
	fl_retry_init(&r->retry, s->base, 100, 5000, on_retry, r);
	return r;
}

void
records_free(struct records *r)
{
	if (r == NULL)
		return;
	fl_retry_release(&r->retry);
	fl_map_free_with(r->by_job, record_free);
	free(r);
}

void
records_forget(struct records *r)
{
	FL_MAP_EACH(r->by_job, e) {
		struct record *rec = fl_map_value(e);

		free(rec->body);
		rec->body = NULL;
		if (rec->sending == NULL)
			record_drop(rec);
	}
}

bool
records_have(const struct records *r, const char *job_id)
{
	return fl_map_get(r->by_job, job_id) != NULL;
}

/* Takes body. */
static void
record_set(struct records *r, const char *job_id, const char *app, char *body)
{
	struct record *rec = fl_map_get(r->by_job, job_id);

	if (rec == NULL) {
		rec = fl_xcalloc(1, sizeof(*rec));
		*rec = (struct record){ .records = r, .job_id = fl_xstrdup(job_id), .app = fl_xstrdup(app) };
		fl_map_set(r->by_job, job_id, rec);
	}
	free(rec->body);
	rec->body = body;
	records_send(r);
}

static const char *
state_name(const struct fl_active_job *a)
{
	switch (a->status) {
	case FL_JOB_STARTING:
		return "starting";
	case FL_JOB_RUNNING:
		return a->healthy ? "up" : "starting";
	case FL_JOB_STOPPING:
		return "up";
	case FL_JOB_DONE:
		return "down";
	case FL_JOB_CRASHED:
		return "crashed";
	case FL_JOB_FAILED:
	case FL_JOB_STATUS_MAX:
		break;
	}
	return "failed";
}

static void
write_head(struct fl_jsonw *w, const char *id, const char *release, const char *type, const char *state, const char *error)
{
	fl_jsonw_open(w, NULL, '{');
	fl_jsonw_str(w, "id", id);
	fl_jsonw_str_oe(w, "release", release);
	fl_jsonw_str_oe(w, "type", type);
	fl_jsonw_str(w, "state", state);
	fl_jsonw_str_oe(w, "host_error", error);
}

void
record_job(struct records *r, const struct fl_active_job *a)
{
	const char *app = fl_map_get(a->job->metadata, FL_JOB_META_APP);
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);

	if (app == NULL)
		return;
	write_head(&w, a->job->id, fl_map_get(a->job->metadata, FL_JOB_META_RELEASE),
	    fl_map_get(a->job->metadata, FL_JOB_META_TYPE), state_name(a), a->error);
	if (a->exit_status >= 0)
		fl_jsonw_int(&w, "exit_status", a->exit_status);
	fl_jsonw_int(&w, "restarts", a->restarts + fl_job_restarts(a->job));
	fl_jsonw_close(&w, '}');
	record_set(r, a->job->id, app, fl_buf_detach(&body));
}

void
record_end(struct records *r, const char *job_id, const char *app, const char *release, const char *type,
    const char *state, const char *error)
{
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);

	write_head(&w, job_id, release, type, state, error);
	fl_jsonw_close(&w, '}');
	record_set(r, job_id, app, fl_buf_detach(&body));
}
