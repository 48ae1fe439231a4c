#include "host/api.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/attach.h"
#include "host/claim.h"
#include "host/ending.h"
#include "host/engine.h"
#include "host/exec.h"
#include "host/feed.h"
#include "host/host.h"
#include "host/image.h"
#include "host/images.h"
#include "host/job.h"
#include "host/launcher.h"
#include "host/manifest.h"
#include "host/state.h"
#include "host/usage.h"
#include "host/volume.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/sign.h"
#include "libflynn/xmalloc.h"

static void
reply_empty(struct fl_http_req *req)
{
	fl_http_reply(req, 200, "application/json", "{}", 2);
}

static void
reply_job(struct fl_http_req *req, const struct job *j)
{
	struct fl_buf body = { 0 };

	fl_active_job_write(j->active, &body);
	fl_http_reply_json(req, 200, &body);
	fl_buf_release(&body);
}

/* Whether what runs is known; if not, the answer is given. */
static bool
is_ready(struct host *h, struct fl_http_req *req)
{
	struct fl_err err = { 0 };

	if (host_check_ready(h, &err) == 0)
		return true;
	fl_http_reply_err(req, &err);
	return false;
}

/* The job of the path; if there is none, the answer is given. */
static struct job *
find_job(struct host *h, struct fl_http_req *req)
{
	const char *id = fl_http_param(req, "id");
	struct fl_err err = { 0 };
	struct job *j = NULL;

	if (!is_ready(h, req))
		return NULL;
	if ((j = job_find(h, id)) != NULL)
		return j;
	fl_err_set(&err, FL_ERR_NOT_FOUND, "no job %s on this host", id);
	fl_http_reply_err(req, &err);
	return NULL;
}

/* ---- host ---- */

static void
status_get(struct fl_http_req *req, void *arg)
{
	struct host *h = arg;
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	const struct job *j;
	int64_t active = 0;

	TAILQ_FOREACH (j, &h->jobs, link)
		active += j->state != JOB_ENDED;
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "id", h->id);
	fl_jsonw_str(&w, "external_ip", h->cfg->external_ip);
	fl_jsonw_str(&w, "version", FL_VERSION);
	fl_jsonw_bool(&w, "claimed", claim_is_complete(h->claim));
	fl_jsonw_bool(&w, "ready", h->ready);
	fl_jsonw_int(&w, "jobs", active);
	fl_jsonw_open(&w, "engine", '{');
	fl_jsonw_bool(&w, "up", engine_is_up(h->engine));
	fl_jsonw_str(&w, "version", engine_version(h->engine));
	fl_jsonw_str(&w, "api_version", engine_api_version(h->engine));
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
	fl_http_reply_json(req, 200, &body);
	fl_buf_release(&body);
}

static void
claim_post(struct fl_http_req *req, void *arg)
{
	struct host *h = arg;

	claim_request(h->claim, req);
}

static void
claim_put(struct fl_http_req *req, void *arg)
{
	struct host *h = arg;
	struct fl_err err = { 0 };
	const struct fl_json *v = fl_http_json(req, &err);
	bool complete = false;

	if (v == NULL || fl_json_member_bool(v, "complete", &complete, &err) == -1) {
		fl_http_reply_err(req, &err);
		return;
	}
	if (!complete) {
		fl_err_set(&err, FL_ERR_INVALID, "all that can be put here is {\"complete\":true}");
		fl_http_reply_err(req, &err);
	} else if (claim_complete(h->claim, &err) == -1) {
		fl_http_reply_err(req, &err);
	} else {
		reply_empty(req);
	}
}

/* ---- jobs ---- */

static void
jobs_list(struct fl_http_req *req, void *arg)
{
	struct host *h = arg;
	struct fl_buf body = { 0 };

	if (!is_ready(h, req))
		return;
	if (fl_http_accepts(req, "text/event-stream")) {
		feed_subscribe(h->feed, req);
		return;
	}
	feed_write_jobs(h, &body);
	fl_http_reply_json(req, 200, &body);
	fl_buf_release(&body);
}

static void
jobs_get(struct fl_http_req *req, void *arg)
{
	const struct job *j = find_job(arg, req);

	if (j != NULL)
		reply_job(req, j);
}

/* What can be known to be wrong before anything is done. */
static int
check_spec(const struct host *h, const struct fl_job *spec, const char *id, struct fl_err *err)
{
	struct image image = { 0 };
	char *host_id = NULL;
	int status = -1;

	if (strcmp(spec->id, id) != 0)
		return fl_err_set(err, FL_ERR_INVALID, "the job's id is %s, the path says %s", spec->id, id);
	host_id = fl_job_id_host(spec->id);
	if (host_id == NULL || strcmp(host_id, h->id) != 0)
		fl_err_set(err, FL_ERR_INVALID, "job %s is for host %s, this is %s", spec->id, host_id != NULL ? host_id : "?", h->id);
	else if (job_find(h, spec->id) != NULL)
		fl_err_set(err, FL_ERR_CONFLICT, "job %s exists", spec->id);
	else if (fl_map_get(spec->metadata, MANIFEST_META) != NULL)
		fl_err_set(err, FL_ERR_INVALID, "only host itself makes jobs of layer 0");
	else
		status = image_parse(spec->artifact_uri, &image, err);
	image_release(&image);
	free(host_id);
	return status;
}

static struct job *
add_job(struct host *h, struct fl_http_req *req, struct fl_err *err)
{
	const struct fl_json *v = NULL;
	struct fl_job *spec = NULL;
	struct job *j = NULL;
	size_t len = 0;

	if (host_check_ready(h, err) == -1 || (v = fl_http_json(req, err)) == NULL || (spec = fl_job_parse(v, err)) == NULL)
		return NULL;
	fl_http_body(req, &len);
	if (check_spec(h, spec, fl_http_param(req, "id"), err) == -1 || state_check_room(h->state, len, err) == -1) {
		fl_job_free(spec);
		return NULL;
	}
	j = job_new(h, job_active_of(h, spec, fl_clock_wall_us()));
	state_touch(h->state);
	if (state_flush(h->state, err) == 0)
		return j;
	job_free(j);
	return NULL;
}

static void
jobs_put(struct fl_http_req *req, void *arg)
{
	struct host *h = arg;
	struct fl_err err = { 0 };
	struct job *j = add_job(h, req, &err);

	if (j == NULL) {
		fl_http_reply_err(req, &err);
		return;
	}
	fl_log_info("job added", fl_str("job", job_id(j)), fl_str("what", job_what(j)));
	feed_send(h->feed, "create", j);
	reply_job(req, j);
	launcher_enqueue(j);
	attach_job_added(j);
}

static void
jobs_delete(struct fl_http_req *req, void *arg)
{
	struct host *h = arg;
	struct job *j = find_job(h, req);
	struct fl_err err = { 0 };

	if (j == NULL)
		return;
	if (j->manifest_id != NULL) {
		fl_err_set(&err, FL_ERR_INVALID, "%s is layer 0: it ends when its manifest does not name it any more", j->manifest_id);
		fl_http_reply_err(req, &err);
		return;
	}
	if (j->state != JOB_ENDED && j->wanted) {
		fl_log_info("stopping a job", fl_str("job", job_id(j)), fl_str("what", job_what(j)));
		ending_request(j);
	}
	if (state_flush(h->state, &err) == -1)
		fl_http_reply_err(req, &err);
	else
		reply_empty(req);
}

struct signal_request {
	struct host *host;
	struct fl_http_req *req;
};

static void
on_signalled(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct signal_request *s = arg;
	struct fl_err err = { 0 };

	if (engine_check(s->host->engine, res, call_err, "signal the container", &err) == -1)
		fl_http_reply_err(s->req, &err);
	else
		reply_empty(s->req);
	free(s);
}

static int
check_runs(const struct job *j, struct fl_err *err)
{
	if (job_runs(j))
		return 0;
	return fl_err_set(err, FL_ERR_CONFLICT, "job %s is %s and does not run", job_id(j), job_state_name(j->state));
}

static void
jobs_signal(struct fl_http_req *req, void *arg)
{
	static const struct engine_call call = { .method = "POST" };
	struct host *h = arg;
	struct job *j = find_job(h, req);
	const char *number = NULL;
	char *end = NULL;
	long n = 0;
	struct signal_request *s = NULL;
	struct fl_err err = { 0 };

	if (j == NULL)
		return; /* answered, so req is gone */
	number = fl_http_param(req, "n");
	n = strtol(number, &end, 10);
	if (*number == '\0' || *end != '\0' || n < 1 || n >= NSIG) {
		fl_err_set(&err, FL_ERR_INVALID, "%s is no signal number", number);
		fl_http_reply_err(req, &err);
	} else if (check_runs(j, &err) == -1) {
		fl_http_reply_err(req, &err);
	} else {
		s = fl_xcalloc(1, sizeof(*s));
		*s = (struct signal_request){ h, req };
		engine_start(h->engine, &call, on_signalled, s, "/containers/%s/kill?signal=%ld", j->active->container_id, n);
	}
}

static void
jobs_exec(struct fl_http_req *req, void *arg)
{
	struct job *j = find_job(arg, req);
	const struct fl_json *v;
	struct exec_request request;
	struct fl_err err = { 0 };

	if (j == NULL)
		return; /* answered, so req is gone */
	if ((v = fl_http_json(req, &err)) == NULL || exec_parse(v, &request, &err) == -1 || check_runs(j, &err) == -1)
		fl_http_reply_err(req, &err);
	else
		exec_start(j, &request, req);
}

static void
usage_get(struct fl_http_req *req, void *arg)
{
	if (is_ready(arg, req))
		usage_reply(arg, fl_http_query(req, "app"), req);
}

static void
attach_post(struct fl_http_req *req, void *arg)
{
	struct host *h = arg;
	struct fl_err err = { 0 };
	const struct fl_json *v = fl_http_json(req, &err);
	struct attach_request request;

	if (v == NULL || attach_parse(v, &request, &err) == -1 || host_check_ready(h, &err) == -1)
		fl_http_reply_err(req, &err);
	else
		attach_start(h, &request, req);
}

/* ---- volumes ---- */

static void
volumes_list(struct fl_http_req *req, void *arg)
{
	if (is_ready(arg, req))
		volume_reply_list(arg, req);
}

static void
volumes_delete(struct fl_http_req *req, void *arg)
{
	if (is_ready(arg, req))
		volume_reply_delete(arg, req, fl_http_param(req, "name"));
}

/* ---- images ---- */

static void
images_post(struct fl_http_req *req, void *arg)
{
	if (is_ready(arg, req))
		images_reply_resolve(arg, req);
}

static void
images_delete(struct fl_http_req *req, void *arg)
{
	if (is_ready(arg, req))
		images_reply_remove(arg, req);
}

static const struct fl_http_route routes[] = {
	{ "POST", "/host/claim", claim_post, FL_HTTP_OPEN },
	{ "PUT", "/host/claim", claim_put, 0 },
	{ "GET", "/host/status", status_get, 0 },
	{ "GET", "/host/jobs", jobs_list, 0 },
	{ "GET", "/host/jobs/:id", jobs_get, 0 },
	{ "PUT", "/host/jobs/:id", jobs_put, 0 },
	{ "DELETE", "/host/jobs/:id", jobs_delete, 0 },
	{ "PUT", "/host/jobs/:id/signal/:n", jobs_signal, 0 },
	{ "POST", "/host/jobs/:id/exec", jobs_exec, 0 },
	{ "GET", "/host/usage", usage_get, 0 },
	{ "POST", "/attach", attach_post, 0 },
	{ "GET", "/host/volumes", volumes_list, 0 },
	{ "DELETE", "/host/volumes/:name", volumes_delete, 0 },
	{ "POST", "/host/images", images_post, 0 },
	{ "DELETE", "/host/images", images_delete, 0 },
};

/* ---- the server ---- */

/* The key changes when a claim that was void is followed by another. */
static bool
authorize(struct fl_http_req *req, void *arg)
{
	const struct host *h = arg;

	return fl_sign_basic_ok(fl_http_header(req, "Authorization"), h->key);
}

static void
metrics(struct fl_buf *out, void *arg)
{
	const struct host *h = arg;
	int64_t counts[FL_JOB_STATUS_MAX] = { 0 }, restarts = 0;
	const struct job *j;

	TAILQ_FOREACH (j, &h->jobs, link) {
		counts[j->active->status]++;
		restarts += j->active->restarts;
	}
	fl_buf_addstr(out, "# TYPE flynn_host_jobs gauge\n# HELP flynn_host_jobs Jobs that this host knows, by status.\n");
	for (int i = 0; i < FL_JOB_STATUS_MAX; i++)
		fl_buf_addf(out, "flynn_host_jobs{status=\"%s\"} %lld\n", fl_job_status_name((enum fl_job_status)i), (long long)counts[i]);
	fl_buf_addf(out,
	    "# TYPE flynn_host_restarts gauge\n# HELP flynn_host_restarts Restarts in place of the jobs that are known.\nflynn_host_restarts %lld\n",
	    (long long)restarts);
	fl_buf_addf(out, "# TYPE flynn_host_engine_up gauge\n# HELP flynn_host_engine_up Whether the engine answers.\nflynn_host_engine_up %d\n",
	    engine_is_up(h->engine));
	fl_buf_addf(out, "# TYPE flynn_host_followers gauge\n# HELP flynn_host_followers Open streams of job events.\nflynn_host_followers %zu\n",
	    feed_count(h->feed));
}

int
api_listen(struct host *h, struct fl_err *err)
{
	char addr[16];

	snprintf(addr, sizeof(addr), ":%d", h->cfg->http_port);
	h->http = fl_http_new(h->base, h->key);
	fl_http_set_authorize(h->http, authorize);
	fl_http_set_metrics(h->http, metrics);
	return fl_http_listen(h->http, addr, routes, fl_nitems(routes), h, err);
}
