#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "config.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/sse.h"
#include "libflynn/xmalloc.h"
#include "scaling.h"
#include "table.h"

#define WAIT_S 120
#define MAX_EVENT_BYTES (64u << 10)

struct scaled_job {
	char *type, *state;
};

struct scaling {
	struct cli *cli;
	struct event_base *base;
	struct fl_http_client *http;
	struct fl_sse *sse;
	struct event *deadline;
	const char *app, *release, *body;
	const struct scaling_goal *goals;
	size_t n_goals;
	struct fl_map *jobs; /* of the release: id -> struct scaled_job */
	enum { FOLLOWING, SETTING, LISTING, WATCHING } phase;
	struct fl_err err;
	bool reached;
};

static void
scaled_job_free(void *arg)
{
	struct scaled_job *j = arg;

	free(j->type);
	free(j->state);
	free(j);
}

static void
scaling_end(struct scaling *s)
{
	event_base_loopbreak(s->base);
}

static void
count_type(const struct scaling *s, const char *type, int *up, int *starting)
{
	*up = *starting = 0;
	FL_MAP_EACH(s->jobs, e) {
		const struct scaled_job *j = fl_map_value(e);

		if (strcmp(j->type, type) != 0)
			continue;
		*up += strcmp(j->state, "up") == 0;
		*starting += strcmp(j->state, "starting") == 0;
	}
}

static void
look(struct scaling *s)
{
	int up, starting;

	if (s->phase != WATCHING)
		return;
	for (size_t i = 0; i < s->n_goals; i++) {
		count_type(s, s->goals[i].type, &up, &starting);
		if (up != s->goals[i].count || starting != 0)
			return;
	}
	s->reached = true;
	scaling_end(s);
}

static bool
is_goal(const struct scaling *s, const char *type)
{
	for (size_t i = 0; i < s->n_goals; i++)
		if (strcmp(s->goals[i].type, type) == 0)
			return true;
	return false;
}

static void
job_failed(struct scaling *s, const struct fl_json *job, const char *id, const char *type)
{
	const char *why = fl_json_str(fl_json_get(job, "host_error"), "");
	int64_t status = fl_json_int(fl_json_get(job, "exit_status"), -1);

	if (*why != '\0')
		fl_err_set(&s->err, FL_ERR_UNAVAILABLE, "%s", why);
	else
		fl_err_set(&s->err, FL_ERR_UNAVAILABLE, "%s exited with status %lld: flynn log %s shows what it said", type,
		    (long long)status, id);
	scaling_end(s);
}

/* A job as the list or an event says; only changes that come by an event are shown. */
static void
job_seen(struct scaling *s, const struct fl_json *job, const char *id, bool is_event)
{
	const char *type = fl_json_str(fl_json_get(job, "type"), "");
	const char *state = fl_json_str(fl_json_get(job, "state"), "");
	struct scaled_job *j = fl_map_get(s->jobs, id);
	bool failed = strcmp(state, "crashed") == 0 || strcmp(state, "failed") == 0;

	if (strcmp(fl_json_str(fl_json_get(job, "release"), ""), s->release) != 0 || !is_goal(s, type))
		return;
	if (j == NULL) {
		j = fl_xcalloc(1, sizeof(*j));
		j->type = fl_xstrdup(type);
		j->state = fl_xstrdup("");
		fl_map_set(s->jobs, id, j);
	}
	if (strcmp(j->state, state) == 0)
		return;
	if (is_event && s->phase != FOLLOWING)
		printf("%-10s %-9s %s\n", type, state, id);
	fflush(stdout);
	free(j->state);
	j->state = fl_xstrdup(state);
	if (is_event && failed && s->phase != FOLLOWING)
		job_failed(s, job, id, type);
}

static bool
answer_ok(struct scaling *s, const struct fl_http_result *res, const struct fl_err *err, const char *what)
{
	if (err == NULL && res->status == 200)
		return true;
	if (err != NULL) {
		s->err = *err;
		client_explain_failure(s->cli, &s->err);
	} else {
		client_explain(s->cli, res->status, res->body, res->len, what, &s->err);
	}
	scaling_end(s);
	return false;
}

static void
call(struct scaling *s, const char *method, const char *path, const char *body, fl_http_client_cb cb)
{
	struct fl_http_call_opts opts = { .method = method, .body = body, .body_len = body != NULL ? strlen(body) : 0 };

	client_opts(s->cli, path, &opts);
	fl_http_client_start(s->http, &opts, cb, s);
	free((char *)opts.url);
}

static void
on_listed(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct scaling *s = arg;
	struct fl_json *jobs;

	if (!answer_ok(s, res, err, "the list of jobs"))
		return;
	jobs = fl_json_parse(res->body, res->len, &s->err);
	for (size_t i = 0; i < fl_json_len(jobs); i++) {
		const char *id = fl_json_str(fl_json_get(fl_json_at(jobs, i), "id"), "");

		/* What an event has told already is newer than the list. */
		if (fl_map_get(s->jobs, id) == NULL)
			job_seen(s, fl_json_at(jobs, i), id, false);
	}
	fl_json_free(jobs);
	s->phase = WATCHING;
	look(s);
}

static void
on_set(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct scaling *s = arg;
	char *path = fl_xasprintf("/apps/%s/jobs", s->app);

	if (answer_ok(s, res, err, "the formation")) {
		s->phase = LISTING;
		call(s, "GET", path, NULL, on_listed);
	}
	free(path);
}

static void
set_formation(struct scaling *s)
{
	char *path = fl_xasprintf("/apps/%s/formations/%s", s->app, s->release);

	s->phase = SETTING;
	call(s, "PUT", path, s->body, on_set);
	free(path);
}

static void
on_event(FL_UNUSED const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct scaling *s = arg;
	struct fl_json *job = fl_json_parse(data, len, NULL);
	const char *job_id = fl_json_str(fl_json_get(job, "job_id"), NULL);

	if (job_id != NULL) {
		job_seen(s, job, job_id, true);
		look(s);
	}
	fl_json_free(job);
}

/* The first bytes say that the stream stands: what happens from now on is told. */
static int
on_stream(const char *data, size_t len, void *arg)
{
	struct scaling *s = arg;

	if (s->phase == FOLLOWING)
		set_formation(s);
	return fl_sse_feed(s->sse, data, len, &s->err);
}

static void
on_stream_end(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct scaling *s = arg;

	if (answer_ok(s, res, err, "the events of the app's jobs")) {
		fl_err_set(&s->err, FL_ERR_UNAVAILABLE, "the controller ended the stream of job events: flynn ps shows how far it got");
		scaling_end(s);
	}
}

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct scaling *s = arg;
	struct fl_buf seen = { 0 };
	int up, starting;

	for (size_t i = 0; i < s->n_goals; i++) {
		count_type(s, s->goals[i].type, &up, &starting);
		fl_buf_addf(&seen, "%s%s=%d: %d up, %d starting", i > 0 ? "; " : "", s->goals[i].type, s->goals[i].count, up, starting);
	}
	fl_err_set(&s->err, FL_ERR_TIMEOUT, "not reached after %d s: %s; flynn ps -a and flynn log say more", WAIT_S, fl_buf_cstr(&seen));
	fl_buf_release(&seen);
	scaling_end(s);
}

static void
follow(struct scaling *s)
{
	static const char *const headers[] = { "Accept: text/event-stream", NULL };
	char *path = fl_xasprintf("/apps/%s/jobs", s->app);
	struct fl_http_call_opts opts = { .headers = headers, .timeout_ms = -1, .on_data = on_stream };

	client_opts(s->cli, path, &opts);
	fl_http_client_start(s->http, &opts, on_stream_end, s);
	free((char *)opts.url);
	free(path);
}

int
scaling_run(struct cli *cli, const char *app, const char *release, const char *body,
    const struct scaling_goal *goals, size_t n_goals, struct fl_err *err)
{
	struct scaling s = {
		.cli = cli, .app = app, .release = release, .body = body, .goals = goals, .n_goals = n_goals,
		.base = event_base_new(), .jobs = fl_map_new(), .phase = FOLLOWING
	};
	struct timeval tv = { WAIT_S, 0 };

	s.http = fl_http_client_new(s.base, cli->cluster->key);
	s.sse = fl_sse_new(MAX_EVENT_BYTES, on_event, &s);
	s.deadline = evtimer_new(s.base, on_deadline, &s);
	evtimer_add(s.deadline, &tv);
	follow(&s);
	event_base_dispatch(s.base);
	event_free(s.deadline);
	fl_http_client_free(s.http);
	fl_sse_free(s.sse);
	fl_map_free_with(s.jobs, scaled_job_free);
	event_base_free(s.base);
	if (!s.reached && err != NULL)
		*err = s.err;
	return s.reached ? 0 : -1;
}
