#include "controller/job_run.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/attach_request.h"
#include "controller/body.h"
#include "controller/controller.h"
#include "controller/dialect.h"
#include "controller/hosts.h"
#include "controller/once.h"
#include "controller/process_type.h"
#include "controller/row.h"
#include "libflynn/attach.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/host_client.h"
#include "libflynn/http_server.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/process.h"
#include "libflynn/relay.h"
#include "libflynn/xmalloc.h"

/* From the request to the first frame. */
#define START_S 60

struct run {
	LIST_ENTRY(run) link;
	struct controller *c;
	struct fl_http_req *req; /* NULL once it is answered */
	char release[FL_UUID_LEN + 1];
	bool attached, tty;
	int64_t columns, lines;
	struct fl_job *job;
	char *host_addr;
	bool may_exist; /* the request may have come before, and the job with it */
	bool adding; /* the host is being asked to run it */
	bool added;
	struct event *deadline;
	struct fl_attach *attach; /* until the connection is handed over */
	struct fl_relay *relay;	    /* from then on, one of these */
	struct dialect *dialect;
};

static void
run_free(struct run *r)
{
	if (r->deadline != NULL)
		event_free(r->deadline);
	if (r->attach != NULL)
		fl_attach_free(r->attach);
	if (r->relay != NULL)
		fl_relay_free(r->relay);
	dialect_free(r->dialect);
	fl_job_free(r->job);
	free(r->host_addr);
	LIST_REMOVE(r, link);
	free(r);
}

void
job_run_free_all(struct controller *c)
{
	struct run *r, *next;

	LIST_FOREACH_SAFE(r, &c->runs, link, next)
		run_free(r);
}

static void
on_stop_sent(const struct fl_err *err, FL_UNUSED void *arg)
{
	if (err != NULL)
		fl_log_warn("job that nobody waits for was not stopped", fl_str("err", err->msg));
}

/* Answer why there is no job. What the host is still asked for is stopped when it is there. */
static void
run_fail(struct run *r, const struct fl_err *err)
{
	struct fl_http_req *req = r->req;

	r->req = NULL;
	fl_http_on_close(req, NULL, NULL);
	answer_err(req, NULL, err);
	if (r->attach != NULL)
		fl_attach_free(r->attach);
	r->attach = NULL;
	if (r->deadline != NULL)
		event_del(r->deadline);
	if (r->added)
		fl_host_stop_job(r->c->client, r->host_addr, r->job->id, on_stop_sent, NULL);
	if (!r->adding)
		run_free(r);
}

static void
on_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_UNAVAILABLE, "the client has gone");
	run_fail(arg, &err);
}

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct run *r = arg;
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_TIMEOUT, "host %s did not start the job within %d s: see the log of flynn-host there",
	    r->host_addr, START_S);
	run_fail(r, &err);
}

/* The answer to a detached run. */
static void
answer_job(struct run *r)
{
	const struct fl_json *in = fl_http_json(r->req, NULL);
	const struct fl_json *cmd = fl_json_get(in, fl_json_is_null(fl_json_get(in, "args")) ? "cmd" : "args");
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "id", r->job->id);
	fl_jsonw_str(&w, "release", r->release);
	if (fl_json_len(cmd) > 0)
		fl_jsonw_value(&w, "cmd", cmd);
	fl_jsonw_close(&w, '}');
	fl_http_on_close(r->req, NULL, NULL);
	answer_json(r->req, &b);
	run_free(r);
}

static void
on_added(const struct fl_err *err, void *arg)
{
	struct run *r = arg;

	if (err != NULL && err->kind == FL_ERR_CONFLICT && r->may_exist)
		err = NULL; /* it runs, or has run, by this very request */
	r->adding = false;
	r->added = err == NULL;
	if (r->req == NULL) { /* answered meanwhile, or attached already */
		if (r->relay != NULL || r->dialect != NULL)
			return;
		if (r->added)
			fl_host_stop_job(r->c->client, r->host_addr, r->job->id, on_stop_sent, NULL);
		run_free(r);
	} else if (err != NULL) {
		run_fail(r, err);
	} else if (!r->attached) {
		answer_job(r);
	}
}

static void
run_add(struct run *r)
{
	r->adding = true;
	fl_host_add_job(r->c->client, r->host_addr, r->job, on_added, r);
}

static void
become(char **text, const char *value)
{
	char *copy = fl_xstrdup(value); /* which may be of the text itself */

	free(*text);
	*text = copy;
}

/* The job's id is kept before a host is asked, so that it is the same job when the request comes again. */
static void
on_job_named(const char *id, const struct fl_err *err, void *arg)
{
	struct run *r = arg;
	struct fl_err why = { 0 };
	char *host_id = id != NULL ? fl_job_id_host(id) : NULL;
	const char *addr = NULL;

	if (err != NULL)
		why = *err;
	else if ((addr = hosts_addr(r->c, host_id, &why)) == NULL)
		fl_err_set(&why, FL_ERR_UNAVAILABLE, "host %s, which was asked to run the job %s, is not there now", host_id, id);
	if (addr == NULL) {
		run_fail(r, &why);
	} else {
		become(&r->job->id, id);
		become(&r->host_addr, addr);
		r->may_exist = once_is_asked(r->req);
		run_add(r);
	}
	free(host_id);
}

static void
on_waiting(FL_UNUSED struct fl_attach *a, void *arg)
{
	run_add(arg);
}

static void
on_relay_end(void *arg)
{
	struct run *r = arg;

	r->relay = NULL;
	r->dialect = NULL;
	if (!r->adding)
		run_free(r);
}

static void
on_open(FL_UNUSED struct fl_attach *a, void *arg)
{
	struct run *r = arg;
	struct fl_http_req *req = r->req;
	bool upgrade = attach_request_upgrades(req);
	struct bufferevent *client, *host;

	event_del(r->deadline);
	fl_http_on_close(req, NULL, NULL);
	r->req = NULL;
	client = attach_request_answer(req);
	host = fl_attach_detach(r->attach);
	r->attach = NULL;
	if (client == NULL) {
		bufferevent_free(host);
		fl_host_stop_job(r->c->client, r->host_addr, r->job->id, on_stop_sent, NULL);
		if (!r->adding)
			run_free(r);
		return;
	}
	if (upgrade) /* all that upgrade speak frames */
		r->relay = fl_relay_start(client, host, on_relay_end, r);
	else
		r->dialect = dialect_start(client, host, r->tty, on_relay_end, r);
}

/* Frames come after on_open, and then the connection is no longer ours. */
static void
on_frame(FL_UNUSED struct fl_attach *a, FL_UNUSED const struct fl_frame *f, FL_UNUSED void *arg)
{
}

static void
on_attach_end(FL_UNUSED struct fl_attach *a, const struct fl_err *err, void *arg)
{
	struct run *r = arg;
	struct fl_err why = { 0 };

	if (err != NULL)
		why = *err;
	else
		fl_err_set(&why, FL_ERR_UNAVAILABLE, "host %s ended the connection before the job started", r->host_addr);
	if (why.kind == FL_ERR_NOT_FOUND) /* the client's paths are all right */
		why.kind = FL_ERR_SYSTEM;
	run_fail(r, &why);
}

static void
run_attach(struct run *r)
{
	static const struct fl_attach_ops ops = {
		.on_open = on_open, .on_frame = on_frame, .on_end = on_attach_end, .on_waiting = on_waiting,
	};
	static const struct timeval start = { START_S, 0 };
	char *url = fl_xasprintf("http://%s/attach", r->host_addr);
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	struct fl_attach_opts opts = { .url = url, .key = r->c->cfg->cluster_key, .state_byte = 1 };

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "job_id", r->job->id);
	fl_jsonw_int(&w, "flags", FL_ATTACH_STDOUT | FL_ATTACH_STDERR | FL_ATTACH_STDIN | FL_ATTACH_STREAM);
	fl_jsonw_int(&w, "height", r->lines);
	fl_jsonw_int(&w, "width", r->columns);
	fl_jsonw_close(&w, '}');
	opts.body = body.data;
	r->deadline = evtimer_new(r->c->base, on_deadline, r);
	evtimer_add(r->deadline, &start);
	r->attach = fl_attach_start(r->c->base, &opts, &ops, r);
	fl_buf_release(&body);
	free(url);
}

static void
set_env(struct fl_job *job, const struct fl_json *env)
{
	for (size_t i = 0; i < fl_json_len(env); i++)
		fl_job_set_env(job, fl_json_key_at(env, i), fl_json_str(fl_json_at(env, i), ""));
}

/* Whether args is entrypoint and cmd over again: the last clients say all of it, in both forms. */
static bool
is_said_twice(const struct fl_json *args, const struct fl_json *entrypoint, const struct fl_json *cmd)
{
	size_t n = fl_json_len(entrypoint);

	if (n == 0 || fl_json_len(args) != n + fl_json_len(cmd))
		return false;
	for (size_t i = 0; i < fl_json_len(args); i++) {
		const struct fl_json *same = i < n ? fl_json_at(entrypoint, i) : fl_json_at(cmd, i - n);

		if (strcmp(fl_json_str(fl_json_at(args, i), ""), fl_json_str(same, "")) != 0)
			return false;
	}
	return true;
}

/* A slug's command is its runner's to start, whose entrypoint nobody takes away who did not mean to. */
static void
set_command(struct fl_job *job, const struct fl_json *in, bool is_slug)
{
	const struct fl_json *args = fl_json_get(in, "args"), *entrypoint = fl_json_get(in, "entrypoint"), *cmd = fl_json_get(in, "cmd");
	bool twice = is_said_twice(args, entrypoint, cmd);

	job->cmd = fl_job_words_of(fl_json_is_null(args) || (twice && !is_slug) ? cmd : args);
	if (!twice || !is_slug)
		job->entrypoint = fl_job_words_of(entrypoint);
}

/* What the database knew, by column. */
enum { APP_ID, APP_NAME, IS_SYSTEM, RELEASE_ID, ENV, IMAGE_TYPE, IMAGE_URI, N_JOBS };

static struct fl_job *
make_job(const struct run *r, const PGresult *res, const char *host_id)
{
	const struct fl_json *in = fl_http_json(r->req, NULL), *meta = fl_json_get(in, "meta");
	const char *text = fl_pg_str(res, 0, ENV, "{}"), *kind = fl_pg_str(res, 0, IMAGE_TYPE, "");
	struct fl_json *env = fl_json_parse(text, strlen(text), NULL);
	struct fl_job *job = fl_job_new();
	char app[FL_UUID_LEN + 1];

	row_get_id(res, 0, APP_ID, app);
	fl_job_set_id(job, host_id);
	free(job->artifact_type);
	free(job->artifact_uri);
	job->artifact_type = fl_xstrdup(*kind != '\0' ? kind : "docker");
	job->artifact_uri = fl_xstrdup(fl_pg_str(res, 0, IMAGE_URI, ""));
	set_command(job, in, !fl_json_is_null(fl_json_get(env, "SLUG_URL")));
	if (fl_json_bool(fl_json_get(in, "release_env"), true))
		set_env(job, env);
	set_env(job, fl_json_get(in, "env"));
	fl_job_set_env(job, "FLYNN_APP_ID", app);
	fl_job_set_env(job, "FLYNN_APP_NAME", fl_pg_str(res, 0, APP_NAME, ""));
	fl_job_set_env(job, "FLYNN_RELEASE_ID", r->release);
	for (size_t i = 0; i < fl_json_len(meta); i++)
		fl_job_set_meta(job, fl_json_key_at(meta, i), fl_json_str(fl_json_at(meta, i), ""));
	fl_job_set_meta(job, FL_JOB_META_APP, app);
	fl_job_set_meta(job, FL_JOB_META_APP_NAME, fl_pg_str(res, 0, APP_NAME, ""));
	fl_job_set_meta(job, FL_JOB_META_RELEASE, r->release);
	job->memory_bytes = fl_process_limit(in, "memory");
	job->cpu_millis = (int)fl_process_limit(in, "cpu");
	job->tty = r->tty;
	job->stdin_open = r->attached;
	job->system = r->attached && row_bool(res, 0, IS_SYSTEM); /* a detached one would be kept alive by its host */
	job->stop_on_detach = r->attached && r->tty; /* a terminal that is closed hangs up */
	fl_json_free(env);
	return job;
}

/* Make the job for the host that has fewest; -1: err. */
static int
run_place(struct run *r, const PGresult *res, struct fl_err *err)
{
	const char *text = fl_pg_str(res, 0, N_JOBS, "{}"), *host_id = NULL, *addr = NULL;
	struct fl_json *n_jobs;
	int ok;

	if (row_is_null(res, 0, RELEASE_ID) && *r->release != '\0')
		return fl_err_set(err, FL_ERR_INVALID, "there is no release %s", r->release);
	if (row_is_null(res, 0, RELEASE_ID))
		return fl_err_set(err, FL_ERR_INVALID, "app \"%s\" has no release: push code first", fl_pg_str(res, 0, APP_NAME, ""));
	if (*fl_pg_str(res, 0, IMAGE_URI, "") == '\0')
		return fl_err_set(err, FL_ERR_INVALID, "the release has no image to run: push code first");
	row_get_id(res, 0, RELEASE_ID, r->release);
	n_jobs = fl_json_parse(text, strlen(text), NULL);
	ok = hosts_pick(r->c, n_jobs, &host_id, &addr, err);
	if (ok == 0) {
		r->host_addr = fl_xstrdup(addr);
		r->job = make_job(r, res, host_id);
	}
	fl_json_free(n_jobs);
	return ok;
}

static void
on_release(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct run *r = arg;
	struct fl_err why = { 0 };

	if (err != NULL)
		why = *err;
	else if (PQntuples(res) == 0)
		fl_err_set(&why, FL_ERR_NOT_FOUND, "there is no such app");
	else if (r->attached && fl_http_gone(r->req))
		fl_err_set(&why, FL_ERR_UNAVAILABLE, "the client has gone");
	else
		run_place(r, res, &why);
	if (why.kind != FL_ERR_NONE) {
		run_fail(r, &why);
		return;
	}
	fl_log_info("job is run", fl_str("app", fl_pg_str(res, 0, APP_NAME, "")), fl_str("job", r->job->id),
	    fl_str("attached", r->attached ? "yes" : "no"));
	if (r->attached) {
		fl_http_on_close(r->req, on_close, r);
		run_attach(r);
	} else {
		once_name(r->c, r->req, r->job->id, on_job_named, r); /* asked for is asked for, even by a client that has gone */
	}
}

/* -1: answered. */
static int
check_body(struct fl_http_req *req, const struct fl_json *in, struct run *r)
{
	static const char *const lists[] = { "cmd", "args", "entrypoint" }, *const maps[] = { "env", "meta" };
	struct fl_err err = { 0 };
	const struct fl_json *resources = NULL;
	bool release_env;
	int ok = 0;

	if (body_id(req, in, "release", r->release) == -1)
		return -1;
	for (size_t i = 0; ok == 0 && i < fl_nitems(lists); i++)
		ok = body_check_words(fl_json_get(in, lists[i]), lists[i], &err);
	for (size_t i = 0; ok == 0 && i < fl_nitems(maps); i++)
		ok = body_check_strings(fl_json_get(in, maps[i]), maps[i], &err);
	if (ok == -1 || fl_json_member_bool(in, "tty", &r->tty, &err) == -1 ||
	    fl_json_member_bool(in, "release_env", &release_env, &err) == -1 ||
	    fl_json_member_obj(in, "resources", &resources, &err) == -1 || process_type_check_limits(resources, &err) == -1 ||
	    fl_json_member_int(in, "tty_columns", 0, UINT16_MAX, &r->columns, &err) == -1 ||
	    fl_json_member_int(in, "tty_lines", 0, UINT16_MAX, &r->lines, &err) == -1) {
		answer_err(req, NULL, &err);
		return -1;
	}
	return 0;
}

static void
run_start(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	const struct fl_json *in;
	struct run start = { .c = c, .req = req }, *r;

	if (body_bind(req, &in) == -1 || check_body(req, in, &start) == -1)
		return;
	start.attached = attach_request_is(req);
	r = fl_xmemdup(&start, sizeof(start));
	LIST_INSERT_HEAD(&c->runs, r, link);
	fl_pg_query(c->pg, "SELECT a.app_id, a.name, a.meta ->> '" FL_APP_META_SYSTEM "' = 'true', r.release_id, r.env, t.type, t.uri,"
			   " (SELECT json_object_agg(host_id, n) FROM (SELECT host_id, count(*) AS n FROM jobs"
			   "  WHERE state IN ('starting', 'up', 'stopping') GROUP BY host_id) h)"
			   " FROM apps a LEFT JOIN releases r ON r.release_id = coalesce($2, a.release_id) AND r.deleted_at IS NULL"
			   " LEFT JOIN artifacts t ON t.artifact_id = r.artifact_id"
			   " WHERE a.app_id = find_app($1)",
	    (const char *[]){ fl_http_param(req, "app"), *r->release != '\0' ? r->release : NULL }, 2, on_release, r);
}

void
job_run(struct fl_http_req *req, void *arg)
{
	if (!once_is_asked(req) || !attach_request_is(req))
		once(arg, req, run_start);
	else
		answer_invalid(req, ONCE_HEADER, ONCE_NOT_ATTACHED);
}
