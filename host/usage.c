#include "usage.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "job.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define FRESH_US INT64_C(1000000)
#define TIMEOUT_MS 2000
/* Containers that are asked about at the same time. */
#define CALLS_MAX 16
#define NS_PER_US 1000
#define US_PER_S 1000000.0

/* A request for the usage of some jobs. */
struct inquiry {
	struct host *host;
	struct fl_http_req *req;
	char **ids; /* of the jobs that are to be told of */
	size_t n, next, calls;
};

/* One container that is asked about. */
struct reading {
	struct inquiry *inquiry;
	char *job_id;
};

/* ---- what the engine says ---- */

/* The page cache that is not in use: v2 and v1 name it differently. */
static int64_t
reclaimable(const struct fl_json *memory)
{
	const struct fl_json *stats = fl_json_get(memory, "stats");
	int64_t n = fl_json_int(fl_json_get(stats, "total_inactive_file"), -1);

	return n >= 0 ? n : fl_json_int(fl_json_get(stats, "inactive_file"), 0);
}

int
usage_parse(const struct fl_json *v, const struct usage *before, int64_t started_us, int64_t now_us, struct usage *out,
    struct fl_err *err)
{
	const struct fl_json *cpu = fl_json_get(fl_json_get(v, "cpu_stats"), "cpu_usage"), *memory = fl_json_get(v, "memory_stats");
	int64_t cpu_ns = fl_json_int(fl_json_get(cpu, "total_usage"), 0), used = fl_json_int(fl_json_get(memory, "usage"), 0);
	int64_t since_us = before->read_us != 0 ? before->read_us : started_us, before_us = before->cpu_us, cache = reclaimable(memory);

	if (cpu_ns <= 0 || used <= 0)
		return fl_err_set(err, FL_ERR_INVALID, "the engine tells nothing of the container");
	*out = (struct usage){ .read_us = now_us, .cpu_us = cpu_ns / NS_PER_US, .memory_bytes = used > cache ? used - cache : used };
	if (out->cpu_us < before_us) { /* a container that was started again */
		since_us = started_us;
		before_us = 0;
	}
	if (now_us > since_us && since_us > 0)
		out->cpu_millis = (out->cpu_us - before_us) * 1000 / (now_us - since_us);
	return 0;
}

/* ---- asking ---- */

static void ask_more(struct inquiry *q);

static void
write_job(struct fl_jsonw *w, const struct job *j)
{
	const struct usage *u = &j->usage;
	int64_t limit = job_spec(j)->memory_bytes;

	fl_jsonw_open(w, job_id(j), '{');
	fl_jsonw_double(w, "cpu_seconds", (double)u->cpu_us / US_PER_S);
	fl_jsonw_double(w, "cpu_percent", (double)u->cpu_millis / 10);
	fl_jsonw_int(w, "memory", u->memory_bytes);
	if (limit > 0)
		fl_jsonw_int(w, "memory_limit", limit);
	fl_jsonw_close(w, '}');
}

static void
inquiry_end(struct inquiry *q)
{
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);

	fl_jsonw_open(&w, NULL, '{');
	for (size_t i = 0; i < q->n; i++) {
		const struct job *j = job_find(q->host, q->ids[i]);

		if (j != NULL && j->usage.read_us != 0)
			write_job(&w, j);
		free(q->ids[i]);
	}
	fl_jsonw_close(&w, '}');
	fl_http_reply_json(q->req, 200, &body);
	fl_buf_release(&body);
	free(q->ids);
	free(q);
}

static void
on_stats(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct reading *r = arg;
	struct inquiry *q = r->inquiry;
	struct job *j = job_find(q->host, r->job_id);
	struct usage now;
	struct fl_json *v;

	if (j != NULL && engine_check(q->host->engine, res, call_err, "read what the job uses", NULL) == 0) {
		v = fl_json_parse(res->body, res->len, NULL);
		if (usage_parse(v, &j->usage, j->active->started_at, fl_clock_wall_us(), &now, NULL) == 0)
			j->usage = now;
		fl_json_free(v);
	}
	free(r->job_id);
	free(r);
	q->calls--;
	ask_more(q);
}

/* one-shot: without it an engine waits for a second reading, to compare. */
static void
ask(struct inquiry *q, const struct job *j)
{
	static const struct engine_call call = { .timeout_ms = TIMEOUT_MS };
	struct reading *r = fl_xcalloc(1, sizeof(*r));

	r->inquiry = q;
	r->job_id = fl_xstrdup(job_id(j));
	q->calls++;
	engine_start(q->host->engine, &call, on_stats, r, "/containers/%s/stats?stream=false&one-shot=true", j->active->container_id);
}

static void
ask_more(struct inquiry *q)
{
	while (q->next < q->n && q->calls < CALLS_MAX) {
		const struct job *j = job_find(q->host, q->ids[q->next++]);

		if (j != NULL && job_runs(j) && fl_clock_wall_us() - j->usage.read_us >= FRESH_US)
			ask(q, j);
	}
	if (q->next == q->n && q->calls == 0)
		inquiry_end(q);
}

static bool
is_of(const struct job *j, const char *app)
{
	const char *of = fl_map_get(job_spec(j)->metadata, FL_JOB_META_APP);

	return app == NULL || (of != NULL && strcmp(of, app) == 0);
}

void
usage_reply(struct host *h, const char *app, struct fl_http_req *req)
{
	struct inquiry *q = fl_xcalloc(1, sizeof(*q));
	const struct job *j;

	q->host = h;
	q->req = req;
	q->ids = fl_xcalloc(h->n_jobs + 1, sizeof(*q->ids));
	TAILQ_FOREACH(j, &h->jobs, link)
		if (job_runs(j) && is_of(j, app))
			q->ids[q->n++] = fl_xstrdup(job_id(j));
	ask_more(q);
}
