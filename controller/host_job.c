#include "controller/host_job.h"

#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/apps.h"
#include "controller/controller.h"
#include "controller/hosts.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/http_client.h"
#include "libflynn/http_server.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

struct find {
	struct controller *c;
	struct fl_http_req *req;
	unsigned flags;
	char app[FL_UUID_LEN + 1];
	char *job_id, *host_addr;
	bool ended;
	void (*cb)(const struct host_job *job, void *arg);
	void *arg;
};

char *
host_job_id(const char *given)
{
	int host_len = (int)strcspn(given, "-");
	char uuid[FL_UUID_LEN + 1];

	if (given[host_len] == '\0' || !fl_uuid_parse(given + host_len + 1, uuid))
		return fl_xstrdup(given);
	return fl_xasprintf("%.*s-%s", host_len, given, uuid);
}

static void
find_free(struct find *f)
{
	free(f->job_id);
	free(f->host_addr);
	free(f);
}

/* known: whether the host has it; err: why there is none to be found, answered here. */
static void
find_end(struct find *f, bool known, const struct fl_err *err)
{
	struct host_job job = { f->job_id, f->host_addr, known, f->ended };

	if (err != NULL)
		answer_err(f->req, NULL, err);
	f->cb(err == NULL ? &job : NULL, f->arg);
	find_free(f);
}

static int
check_app(struct find *f, const struct fl_http_result *res, struct fl_err *err)
{
	struct fl_json *v = fl_json_parse(res->body, res->len, err);
	struct fl_active_job *job = v != NULL ? fl_active_job_parse(v, err) : NULL;
	const char *app = job != NULL ? fl_map_get(job->job->metadata, FL_JOB_META_APP) : NULL;
	int ok = -1;

	if (job == NULL) {
		if (err->kind == FL_ERR_INVALID) /* of the host's answer, not of the request */
			err->kind = FL_ERR_SYSTEM;
		fl_err_wrap(err, "host %s describes the job wrongly", f->host_addr);
	} else if (app == NULL || strcmp(app, f->app) != 0) {
		fl_err_set(err, FL_ERR_NOT_FOUND, "the app has no such job");
	} else {
		f->ended = job->status >= FL_JOB_DONE;
		ok = 0;
	}
	fl_active_job_free(job);
	fl_json_free(v);
	return ok;
}

static void
on_job(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct find *f = arg;
	struct fl_err why = { 0 };

	if (err != NULL) {
		fl_err_set(&why, FL_ERR_UNAVAILABLE, "host %s does not answer: %s", f->host_addr, err->msg);
		find_end(f, false, &why);
	} else if (res->status == 404 && (f->flags & HOST_JOB_MAY_COME)) {
		find_end(f, false, NULL);
	} else if (fl_http_result_check(res, "look at the job", &why) == -1 || check_app(f, res, &why) == -1) {
		find_end(f, false, &why);
	} else {
		find_end(f, true, NULL);
	}
}

static void
ask_host(struct find *f)
{
	char *quoted = fl_url_encode(f->job_id), *url = fl_xasprintf("http://%s/host/jobs/%s", f->host_addr, quoted);
	struct fl_http_call_opts opts = { .url = url };

	fl_http_client_start(f->c->client, &opts, on_job, f);
	free(quoted);
	free(url);
}

static void
on_app(const struct app *app, void *arg)
{
	struct find *f = arg;
	const char *addr = NULL;
	struct fl_err err = { 0 };
	char *host_id;

	if (app == NULL) { /* the request is answered, and gone */
		f->cb(NULL, f->arg);
		find_free(f);
		return;
	}
	memcpy(f->app, app->id, sizeof(f->app));
	host_id = fl_job_id_host(f->job_id);
	if (host_id == NULL)
		fl_err_set(&err, FL_ERR_NOT_FOUND, "%s is no job id", f->job_id);
	else
		addr = hosts_addr(f->c, host_id, &err);
	if (addr == NULL) {
		find_end(f, false, &err);
	} else {
		f->host_addr = fl_xstrdup(addr);
		ask_host(f);
	}
	free(host_id);
}

void
host_job_find(struct controller *c, struct fl_http_req *req, unsigned flags,
    void (*cb)(const struct host_job *job, void *arg), void *arg)
{
	struct find *f = fl_xcalloc(1, sizeof(*f));

	*f = (struct find){ .c = c, .req = req, .flags = flags, .job_id = host_job_id(fl_http_param(req, "job")), .cb = cb, .arg = arg };
	apps_find(c, req, on_app, f);
}
