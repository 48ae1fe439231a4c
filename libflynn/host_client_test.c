#include "libflynn/host_client.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/http_server.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/loop_test.h"

#define KEY "sesame"
#define ID "host0-0123456789abcdef0123456789abcdef"
#define JOB "{\"id\":\"" ID "\",\"artifact\":{\"type\":\"docker\",\"uri\":\"https://example.com/flynn/x?id=a\"},\"config\":{\"ports\":[{\"port\":0,\"proto\":\"tcp\"}]}}"
#define ACTIVE(status) "{\"job\":" JOB ",\"host_id\":\"host0\",\"status\":\"" status "\",\"ports\":[55000],\"healthy\":true,\"restarts\":2," \
			"\"created_at\":\"2014-08-02T01:02:03.5Z\",\"exit_status\":7,\"error\":\"why\"}"

/* A host that is told to accept or refuse, and what its client heard. */
struct world {
	struct event_base *base;
	struct fl_http *http;
	struct fl_http_client *client;
	char addr[32];
	bool refuses, done;
	struct fl_err err;
	char asked[128];
	struct fl_http_req *stream;
	struct fl_buf log;
};

static void
job_route(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;
	struct fl_err err = { 0 };

	snprintf(w->asked, sizeof(w->asked), "%s %s", fl_http_method(req), fl_http_path(req));
	if (w->refuses) {
		fl_err_set(&err, FL_ERR_CONFLICT, "the job exists");
		fl_http_reply_err(req, &err);
		return;
	}
	if (strcmp(fl_http_method(req), "PUT") == 0) {
		struct fl_job *job = fl_job_parse(fl_http_json(req, NULL), &err);

		assert_non_null(job);
		fl_job_free(job);
	}
	fl_http_reply(req, 200, NULL, NULL, 0);
}

static void
on_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct world *w = arg;

	w->stream = NULL;
}

static void
jobs_route(struct fl_http_req *req, void *arg)
{
	struct world *w = arg;

	w->stream = req;
	fl_http_on_close(req, on_close, w);
	fl_http_sse_start(req);
}

static const struct fl_http_route routes[] = {
	{ "PUT", "/host/jobs/:id", job_route, 0 },
	{ "DELETE", "/host/jobs/:id", job_route, 0 },
	{ "GET", "/host/jobs", jobs_route, 0 },
};

static void
world_open(struct world *w, struct event_base *base)
{
	*w = (struct world){ .base = base, .http = fl_http_new(base, KEY), .client = fl_http_client_new(base, KEY) };
	assert_int_equal(fl_http_listen(w->http, "127.0.0.1:0", routes, fl_nitems(routes), w, NULL), 0);
	snprintf(w->addr, sizeof(w->addr), "127.0.0.1:%d", fl_http_port(w->http));
}

static void
world_close(struct world *w)
{
	fl_http_client_free(w->client);
	fl_http_free(w->http);
	fl_buf_release(&w->log);
	loop_settle(w->base);
}

static void
statuses_have_names(FL_UNUSED void **state)
{
	for (int s = 0; s < FL_JOB_STATUS_MAX; s++)
		assert_int_equal(fl_job_status_of(fl_job_status_name((enum fl_job_status)s)), s);
	assert_int_equal(fl_job_status_of("dancing"), FL_JOB_STATUS_MAX);
	assert_int_equal(fl_job_status_of(NULL), FL_JOB_STATUS_MAX);
}

static void
active_job_is_read_and_written(FL_UNUSED void **state)
{
	static const char text[] = ACTIVE("crashed");
	struct fl_json *v = fl_json_parse(text, sizeof(text) - 1, NULL), *again;
	struct fl_err err = { 0 };
	struct fl_active_job *a = fl_active_job_parse(v, &err), *b;
	struct fl_buf out = { 0 };

	assert_non_null(a);
	assert_string_equal(a->job->id, ID);
	assert_int_equal(a->status, FL_JOB_CRASHED);
	assert_int_equal(a->ports[0], 55000);
	assert_true(a->healthy);
	assert_int_equal(a->restarts, 2);
	assert_int_equal(a->exit_status, 7);
	assert_string_equal(a->error, "why");
	assert_true(a->created_at == 1406941323500000);
	assert_int_equal(a->started_at, 0);

	fl_active_job_write(a, &out);
	again = fl_json_parse(out.data, out.len, &err);
	assert_non_null(again);
	b = fl_active_job_parse(again, &err);
	assert_non_null(b);
	assert_true(b->created_at == a->created_at);
	assert_int_equal(b->ports[0], 55000);
	assert_int_equal(b->exit_status, 7);
	fl_active_job_free(a);
	fl_active_job_free(b);
	fl_json_free(v);
	fl_json_free(again);
	fl_buf_release(&out);
}

static void
bad_active_jobs_are_refused(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "{}", "" },
		{ "{\"job\":" JOB "}", "null is no job status" },
		{ ACTIVE("dancing"), "dancing is no job status" },
		{ "{\"job\":" JOB ",\"status\":\"done\",\"created_at\":\"noon\"}", "created_at is no time: noon" },
		{ "{\"job\":" JOB ",\"status\":\"done\",\"ports\":[70000]}", "70000 is no port" },
		{ "{\"job\":" JOB ",\"status\":\"done\",\"healthy\":3}", "healthy" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_json *v = fl_json_parse(cases[i].text, strlen(cases[i].text), NULL);
		struct fl_err err = { 0 };

		assert_non_null(v);
		assert_null(fl_active_job_parse(v, &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
		if (strstr(err.msg, cases[i].why) == NULL)
			fail_msg("%s", err.msg);
		fl_json_free(v);
	}
}

static void
on_done(const struct fl_err *err, void *arg)
{
	struct world *w = arg;

	w->done = true;
	if (err != NULL)
		w->err = *err;
}

static void
jobs_are_added_and_stopped(void **state)
{
	static const struct {
		bool stop, refuses;
		const char *asked, *why;
	} cases[] = {
		{ false, false, "PUT /host/jobs/" ID, "" },
		{ true, false, "DELETE /host/jobs/" ID, "" },
		{ false, true, "PUT /host/jobs/" ID, "start a job on host 127.0.0.1:" },
		{ true, true, "DELETE /host/jobs/" ID, "stop a job on host 127.0.0.1:" },
	};
	struct fl_json *v = fl_json_parse(JOB, strlen(JOB), NULL);
	struct fl_job *job = fl_job_parse(v, NULL);

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct world w;

		world_open(&w, *state);
		w.refuses = cases[i].refuses;
		if (cases[i].stop)
			fl_host_stop_job(w.client, w.addr, ID, on_done, &w);
		else
			fl_host_add_job(w.client, w.addr, job, on_done, &w);
		assert_true(loop_until(*state, loop_is_set, &w.done));
		assert_string_equal(w.asked, cases[i].asked);
		assert_int_equal(w.err.kind, cases[i].refuses ? FL_ERR_CONFLICT : FL_ERR_NONE);
		assert_ptr_equal(strstr(w.err.msg, cases[i].why), w.err.msg);
		world_close(&w);
	}
	fl_job_free(job);
	fl_json_free(v);
}

static void
on_current(struct fl_active_job *const *jobs, size_t n, void *arg)
{
	struct world *w = arg;

	fl_buf_addf(&w->log, "current %zu %s;", n, n > 0 ? fl_job_status_name(jobs[0]->status) : "-");
}

static void
on_event(const char *kind, const struct fl_active_job *job, void *arg)
{
	struct world *w = arg;

	fl_buf_addf(&w->log, "%s %s;", kind, fl_job_status_name(job->status));
}

static void
on_error(const struct fl_err *err, void *arg)
{
	struct world *w = arg;

	fl_buf_addf(&w->log, "error %s;", fl_err_code(err->kind));
}

static bool
has_stream(void *arg)
{
	const struct world *w = arg;

	return w->stream != NULL;
}

static void
await_log(struct world *w, const char *want)
{
	if (!loop_until_written(w->base, &w->log, want, LOOP_LIMIT_MS))
		fail_msg("heard %s, wanted %s", fl_buf_cstr(&w->log), want);
}

static void
events_are_followed_across_connections(void **state)
{
	static const struct fl_host_events_ops ops = { on_current, on_event, on_error };
	struct fl_host_events *e;
	struct world w;

	world_open(&w, *state);
	e = fl_host_events_start(w.client, w.addr, &ops, &w);
	assert_true(loop_until(*state, has_stream, &w));
	fl_http_sse_send(w.stream, NULL, NULL, "{\"event\":\"current\",\"jobs\":{\"" ID "\":" ACTIVE("running") "}}");
	await_log(&w, "current 1 running;");
	fl_http_sse_send(w.stream, NULL, NULL, "{\"event\":\"stop\",\"job_id\":\"" ID "\",\"job\":" ACTIVE("done") "}");
	await_log(&w, "stop done;");
	fl_http_sse_send(w.stream, NULL, NULL, "{\"event\":\"stop\",\"job\":{}}");
	fl_http_sse_send(w.stream, NULL, NULL, "nonsense");
	await_log(&w, "error invalid;error invalid;");
	fl_http_stream_end(w.stream);
	w.stream = NULL;
	await_log(&w, "error unavailable;");
	assert_true(loop_until(*state, has_stream, &w));
	fl_http_sse_send(w.stream, NULL, NULL, "{\"event\":\"current\",\"jobs\":{}}");
	await_log(&w, "current 0 -;");
	fl_host_events_free(e);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statuses_have_names),
		cmocka_unit_test(active_job_is_read_and_written),
		cmocka_unit_test(bad_active_jobs_are_refused),
		cmocka_unit_test(jobs_are_added_and_stopped),
		cmocka_unit_test(events_are_followed_across_connections),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, loop_set_up, loop_tear_down);
}
