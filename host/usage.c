#include "host/usage.h"

#include <stdlib.h>
#include <string.h>

#include "host/engine.h"
#include "host/job.h"
#include "libflynn/attr.h"
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
/* An engine that reads at once has answered by then. */
#define AT_ONCE_MS 300
/* Containers that are asked about at the same time. */
#define CALLS_MAX 16
#define NS_PER_US 1000
#define US_PER_S 1000000
/* What whole seconds of processor time are compared over, at least. */
#define COARSE_US (10 * INT64_C(1000000))
/* Of one process, in KiB and in seconds: more is nonsense. */
#define COLUMN_MAX (1L << 40)

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

/* Since the reading before, if that is so old at least; else since what that one was told since. */
static void
compare(struct usage *u, const struct usage *before, int64_t started_us, int64_t min_us)
{
	u->base_us = before->base_us;
	u->base_cpu_us = before->base_cpu_us;
	if (before->read_us != 0 && u->read_us - before->read_us >= min_us) {
		u->base_us = before->read_us;
		u->base_cpu_us = before->cpu_us;
	}
	if (before->read_us == 0 || u->cpu_us < u->base_cpu_us) { /* the first, or of a container that was started again */
		u->base_us = started_us;
		u->base_cpu_us = 0;
	}
	if (u->base_us > 0 && u->read_us > u->base_us)
		u->cpu_millis = (u->cpu_us - u->base_cpu_us) * 1000 / (u->read_us - u->base_us);
}

int
usage_parse(const struct fl_json *v, const struct usage *before, int64_t started_us, int64_t now_us, struct usage *out,
    struct fl_err *err)
{
	const struct fl_json *cpu = fl_json_get(fl_json_get(v, "cpu_stats"), "cpu_usage"), *memory = fl_json_get(v, "memory_stats");
	int64_t cpu_ns = fl_json_int(fl_json_get(cpu, "total_usage"), 0), used = fl_json_int(fl_json_get(memory, "usage"), 0);
	int64_t cache = reclaimable(memory);

	if (cpu_ns <= 0 || used <= 0)
		return fl_err_set(err, FL_ERR_INVALID, "the engine tells nothing of the container");
	*out = (struct usage){ .read_us = now_us, .cpu_us = cpu_ns / NS_PER_US, .memory_bytes = used > cache ? used - cache : used };
	compare(out, before, started_us, 0);
	return 0;
}

/* The sum of a column of numbers; -1: there is none of that title. */
static int64_t
sum(const struct fl_json *top, const char *title)
{
	const struct fl_json *titles = fl_json_get(top, "Titles"), *processes = fl_json_get(top, "Processes");
	size_t column = 0;
	int64_t n = 0;

	while (column < fl_json_len(titles) && strcmp(fl_json_str(fl_json_at(titles, column), ""), title) != 0)
		column++;
	if (column == fl_json_len(titles))
		return -1;
	for (size_t i = 0; i < fl_json_len(processes); i++) {
		long one = strtol(fl_json_str(fl_json_at(fl_json_at(processes, i), column), "0"), NULL, 10);

		if (one > 0 && one <= COLUMN_MAX)
			n += one;
	}
	return n;
}

int
usage_parse_top(const struct fl_json *v, const struct usage *before, int64_t started_us, int64_t now_us, struct usage *out,
    struct fl_err *err)
{
	int64_t kib = sum(v, "RSS"), seconds = sum(v, "TIME");

	if (kib <= 0 || seconds == -1)
		return fl_err_set(err, FL_ERR_INVALID, "the engine tells nothing of the container");
	*out = (struct usage){ .read_us = now_us, .cpu_us = seconds * US_PER_S, .memory_bytes = kib * 1024 };
	compare(out, before, started_us, COARSE_US);
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

/* What came of asking: the parser is the question's. */
static void
take(struct reading *r, const struct fl_http_result *res,
    int (*parse)(const struct fl_json *, const struct usage *, int64_t, int64_t, struct usage *, struct fl_err *))
{
	struct inquiry *q = r->inquiry;
	struct job *j = job_find(q->host, r->job_id);
	struct fl_json *v = j != NULL && res != NULL && res->status == 200 ? fl_json_parse(res->body, res->len, NULL) : NULL;
	struct usage now;

	if (v != NULL && parse(v, &j->usage, j->active->started_at, fl_clock_wall_us(), &now, NULL) == 0)
		j->usage = now;
	fl_json_free(v);
	free(r->job_id);
	free(r);
	q->calls--;
	ask_more(q);
}

static void
on_top(const struct fl_http_result *res, FL_UNUSED const struct fl_err *call_err, void *arg)
{
	take(arg, res, usage_parse_top);
}

static void
ask_top(struct reading *r)
{
	static const struct engine_call call = { .timeout_ms = TIMEOUT_MS };
	struct host *h = r->inquiry->host;
	const struct job *j = job_find(h, r->job_id);

	if (j != NULL && job_runs(j))
		engine_start(h->engine, &call, on_top, r, "/containers/%s/top?ps_args=-eo%%20pid,rss,cputimes", j->active->container_id);
	else
		take(r, NULL, usage_parse_top);
}

static void
on_stats(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct reading *r = arg;

	if (call_err == NULL) {
		take(r, res, usage_parse);
		return;
	}
	if (call_err->kind == FL_ERR_TIMEOUT)
		r->inquiry->host->stats_are_slow = true;
	ask_top(r);
}

static void
ask(struct inquiry *q, const struct job *j)
{
	static const struct engine_call call = { .timeout_ms = AT_ONCE_MS };
	struct reading *r = fl_xcalloc(1, sizeof(*r));

	r->inquiry = q;
	r->job_id = fl_xstrdup(job_id(j));
	q->calls++;
	if (q->host->stats_are_slow)
		ask_top(r);
	else
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
