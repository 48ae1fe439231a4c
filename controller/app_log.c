#include "controller/app_log.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/host_job.h"
#include "controller/jobs.h"
#include "controller/log_requests.h"
#include "controller/log_source.h"
#include "controller/number.h"
#include "controller/row.h"
#include "controller/time_query.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/pg.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

/* Above this the reader has to read before he gets more. */
#define MAX_PENDING ((size_t)256 << 10)
#define LINES_MAX 10000
#define LAST_BYTES_MAX ((size_t)8 << 20)
/* Jobs at a time: those that live first, then those that ended last. */
#define JOBS "200"

/* A line that is one of the last so many, as far as is known. */
struct last {
	STAILQ_ENTRY(last) link;
	struct fl_buf text;
};

enum phase {
	PAST,	/* what was printed is read */
	LAST,	/* the last so many lines of it go out */
	FOLLOW, /* what is printed from now on, too */
};

struct app_log {
	LIST_ENTRY(app_log) link;
	struct controller *c;
	struct fl_http_req *req; /* NULL: gone, freed when its query ends */
	char app[FL_UUID_LEN + 1];
	char *job_id, *type; /* NULL: any */
	char *since;	     /* seconds since the epoch; NULL: all */
	bool of_jobs, of_routers;
	bool streams[LOG_SOURCE_STREAMS];
	bool follow, events, limited;
	int64_t lines; /* if limited */
	enum phase phase;
	bool started;
	bool busy, dirty; /* a query for jobs is under way; there may be new ones */
	TAILQ_HEAD(, log_source) sources;
	STAILQ_HEAD(, last) last;
	size_t n_last, last_bytes;
};

static void app_log_pump(struct app_log *l);
static void find_jobs(struct app_log *l);

static void
drop_last(struct app_log *l)
{
	struct last *last = STAILQ_FIRST(&l->last);

	STAILQ_REMOVE_HEAD(&l->last, link);
	l->n_last--;
	l->last_bytes -= last->text.len;
	fl_buf_release(&last->text);
	free(last);
}

static void
stop_reading(struct app_log *l)
{
	struct log_source *s, *next;

	TAILQ_FOREACH_SAFE(s, &l->sources, link, next)
		log_source_free(s);
	TAILQ_INIT(&l->sources);
}

static void
app_log_free(struct app_log *l)
{
	stop_reading(l);
	while (!STAILQ_EMPTY(&l->last))
		drop_last(l);
	LIST_REMOVE(l, link);
	free(l->job_id);
	free(l->type);
	free(l->since);
	free(l);
}

void
app_log_free_all(struct controller *c)
{
	struct app_log *l, *next;

	LIST_FOREACH_SAFE(l, &c->app_logs, link, next)
		app_log_free(l);
}

static void
on_close(struct fl_http_req *req, void *arg)
{
	struct app_log *l = arg;
	bool owes_end = l->started && !l->events; /* event streams end by themselves */

	l->req = NULL;
	stop_reading(l);
	if (!l->busy)
		app_log_free(l);
	if (owes_end)
		fl_http_stream_end(req);
}

/* l gives its request up, which the caller answers or ends. */
static struct fl_http_req *
app_log_leave(struct app_log *l)
{
	struct fl_http_req *req = l->req;

	fl_http_on_close(req, NULL, NULL);
	if (l->started)
		fl_http_stream_on_drain(req, NULL, NULL);
	app_log_free(l);
	return req;
}

static void
on_drain(FL_UNUSED struct fl_http_req *req, void *arg)
{
	app_log_pump(arg);
}

/* ---- lines out ---- */

static void
write_entry(const struct app_log *l, const struct log_source *s, const struct log_entry *e, struct fl_buf *out)
{
	struct fl_jsonw w = fl_jsonw(out);

	fl_jsonw_open(&w, NULL, '{');
	if (l->events) {
		fl_jsonw_str(&w, "event", "message");
		fl_jsonw_open(&w, "data", '{');
	}
	fl_jsonw_str_oe(&w, "host_id", s->host_id);
	fl_jsonw_str_oe(&w, "job_id", s->job_id);
	fl_jsonw_strn(&w, "msg", e->text, e->len);
	fl_jsonw_str_oe(&w, "process_type", s->type);
	fl_jsonw_str(&w, "source", s->job_id != NULL ? "app" : "router");
	fl_jsonw_str(&w, "stream", e->stream == FL_FRAME_STDERR ? "stderr" : "stdout");
	fl_jsonw_str_oe(&w, "timestamp", e->stamp);
	if (l->events)
		fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
}

static void
send_text(struct app_log *l, struct fl_buf *text)
{
	if (l->events) {
		fl_http_sse_send(l->req, NULL, NULL, text->data);
	} else {
		fl_buf_addc(text, '\n');
		fl_http_stream_write(l->req, text->data, text->len);
	}
}

/* Into the last so many, as far as they are all bounded. */
static void
keep_text(struct app_log *l, const struct fl_buf *text)
{
	struct last *last = fl_xcalloc(1, sizeof(*last));

	last->text = *text;
	STAILQ_INSERT_TAIL(&l->last, last, link);
	l->n_last++;
	l->last_bytes += text->len;
	while (l->n_last > (size_t)l->lines || (l->last_bytes > LAST_BYTES_MAX && l->n_last > 1))
		drop_last(l);
}

/* The next line of s goes out. */
static void
emit(struct app_log *l, struct log_source *s)
{
	struct log_entry *e = log_source_take(s);
	struct fl_buf text = { 0 };

	if (l->streams[e->stream - FL_FRAME_STDOUT]) {
		write_entry(l, s, e, &text);
		if (l->limited && l->phase == PAST) {
			keep_text(l, &text);
			text = (struct fl_buf){ 0 };
		} else {
			send_text(l, &text);
		}
	}
	fl_buf_release(&text);
	free(e);
}

/* ---- the past: all sources at once, in the order of their times ---- */

/* Whose line comes next; NULL: one that is read has none yet, or all are at their end (*over). */
static struct log_source *
oldest(struct app_log *l, bool *over)
{
	struct log_source *s, *first = NULL;

	*over = true;
	TAILQ_FOREACH(s, &l->sources, link) {
		const struct log_entry *e = STAILQ_FIRST(&s->entries);

		if (e == NULL && !s->is_read)
			continue;
		*over = false;
		if (e == NULL)
			return NULL;
		if (first == NULL || strcmp(e->stamp, STAILQ_FIRST(&first->entries)->stamp) < 0)
			first = s;
	}
	return first;
}

static void
end(struct app_log *l)
{
	static const char eof[] = "{\"event\":\"eof\"}";

	if (l->events)
		fl_http_sse_send(l->req, NULL, NULL, eof);
	fl_http_stream_end(app_log_leave(l));
}

static void
follow_all(struct app_log *l)
{
	struct log_source *s;
	bool past = !l->limited || l->lines > 0;

	l->phase = FOLLOW;
	TAILQ_FOREACH(s, &l->sources, link)
		log_source_follow(s, past);
	l->dirty = true; /* those that began meanwhile */
	find_jobs(l);
}

static bool
must_wait(const struct app_log *l)
{
	return fl_http_stream_pending(l->req) > MAX_PENDING;
}

/* Whether all of them are out. */
static bool
send_last(struct app_log *l)
{
	struct last *last;

	while ((last = STAILQ_FIRST(&l->last)) != NULL && !must_wait(l)) {
		struct fl_buf text = last->text;

		last->text = (struct fl_buf){ 0 };
		l->last_bytes -= text.len;
		drop_last(l);
		send_text(l, &text);
		fl_buf_release(&text);
	}
	return last == NULL;
}

/* Whether all sources are at their end. */
static bool
send_past(struct app_log *l)
{
	struct log_source *s;
	bool over = false;

	while (!must_wait(l) && (s = oldest(l, &over)) != NULL)
		emit(l, s);
	return over;
}

static void
app_log_pump(struct app_log *l)
{
	struct log_source *s;

	if (l->phase == PAST && send_past(l))
		l->phase = LAST;
	if (l->phase == LAST && send_last(l)) {
		if (!l->follow) {
			end(l);
			return;
		}
		follow_all(l);
	}
	if (l->phase == FOLLOW)
		TAILQ_FOREACH(s, &l->sources, link)
			while (!STAILQ_EMPTY(&s->entries) && !must_wait(l))
				emit(l, s);
}

static void
on_more(FL_UNUSED struct log_source *s, void *arg)
{
	app_log_pump(arg);
}

/* ---- jobs ---- */

static struct log_source *
find_source(const struct app_log *l, const char *job_id)
{
	struct log_source *s;

	TAILQ_FOREACH(s, &l->sources, link)
		if (s->job_id != NULL && strcmp(s->job_id, job_id) == 0)
			return s;
	return NULL;
}

/* New ones; and those that were started again in place. */
static void
follow_jobs(struct app_log *l, const PGresult *res)
{
	for (int i = 0; l->of_jobs && i < PQntuples(res); i++) {
		struct log_source *s = find_source(l, fl_pg_str(res, i, 1, ""));

		if (!row_bool(res, i, 3) || row_is_null(res, i, 1) || (s != NULL && s->is_read))
			continue;
		if (s == NULL) {
			s = log_source_new(l->c, fl_pg_str(res, i, 1, ""), fl_pg_str(res, i, 2, ""), l->since, on_more, l);
			TAILQ_INSERT_TAIL(&l->sources, s, link);
		}
		log_source_follow(s, true);
	}
}

static void
make_job_sources(struct app_log *l, const PGresult *res)
{
	for (int i = 0; l->of_jobs && i < PQntuples(res); i++) {
		struct log_source *s;

		if (row_is_null(res, i, 1))
			continue;
		s = log_source_new(l->c, fl_pg_str(res, i, 1, ""), fl_pg_str(res, i, 2, ""), l->since, on_more, l);
		TAILQ_INSERT_TAIL(&l->sources, s, link);
	}
}

static bool
has_router(const struct app_log *l, const char *addr)
{
	const struct log_source *s;

	TAILQ_FOREACH(s, &l->sources, link)
		if (log_requests_addr(s) != NULL && strcmp(log_requests_addr(s), addr) == 0)
			return true;
	return false;
}

/* One for each router that has none yet. */
static void
make_router_sources(struct app_log *l)
{
	const struct fl_discoverd_service *routers = l->c->routers;
	struct log_source *s;

	for (size_t i = 0; l->of_routers && i < fl_discoverd_service_count(routers); i++) {
		const char *addr = fl_discoverd_service_at(routers, i)->addr;

		if (has_router(l, addr))
			continue;
		s = log_requests_new(l->c, addr, l->app, l->since, on_more, l);
		TAILQ_INSERT_TAIL(&l->sources, s, link);
		if (l->phase == FOLLOW)
			log_source_follow(s, true);
	}
}

void
app_log_routers_changed(struct controller *c)
{
	struct app_log *l;

	LIST_FOREACH(l, &c->app_logs, link)
		if (l->phase == FOLLOW && l->req != NULL)
			make_router_sources(l);
}

static void
read_sources(struct app_log *l)
{
	struct log_source *s;

	if (!l->limited || l->lines > 0)
		TAILQ_FOREACH(s, &l->sources, link)
			log_source_read(s, l->limited ? l->lines : -1);
	app_log_pump(l); /* there may be nothing to wait for */
}

static void
begin(struct app_log *l, const PGresult *res)
{
	row_get_id(res, 0, 0, l->app);
	l->started = true;
	fl_http_on_close(l->req, on_close, l);
	if (l->events)
		fl_http_sse_start(l->req);
	else
		fl_http_stream_start(l->req, 200, "text/plain; charset=utf-8");
	fl_http_stream_on_drain(l->req, on_drain, l);
	make_job_sources(l, res);
	make_router_sources(l);
	read_sources(l);
}

static void
on_jobs(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct app_log *l = arg;
	struct fl_http_req *req;
	bool started = l->started;

	l->busy = false;
	if (l->req == NULL || (!started && fl_http_gone(l->req))) {
		req = l->req;
		app_log_free(l);
		if (req != NULL)
			answer_empty(req);
	} else if (err != NULL) {
		req = app_log_leave(l);
		if (started) /* the client comes again */
			fl_http_stream_end(req);
		else
			answer_err(req, NULL, err);
	} else if (PQntuples(res) == 0) { /* the app is gone, or never was */
		req = app_log_leave(l);
		if (started)
			fl_http_stream_end(req);
		else
			answer_not_found(req);
	} else if (!started) {
		begin(l, res);
	} else {
		follow_jobs(l, res);
		if (l->dirty)
			find_jobs(l);
	}
}

static void
find_jobs(struct app_log *l)
{
	if (l->busy)
		return;
	l->busy = true;
	l->dirty = false;
	fl_pg_query(l->c->pg, "SELECT a.app_id, j.job_id, j.type, j.state IN " JOBS_LIVE " FROM apps a LEFT JOIN LATERAL ("
			      " SELECT * FROM jobs WHERE app_id = a.app_id AND ($2::text IS NULL OR job_id = $2)"
			      "  AND ($3::text IS NULL OR type = $3)"
			      " ORDER BY state IN " JOBS_LIVE " DESC, created_at DESC LIMIT " JOBS ") j ON true"
			      " WHERE a.app_id = find_app($1)",
	    (const char *[]){ l->started ? l->app : fl_http_param(l->req, "app"), l->job_id, l->type }, 3, on_jobs, l);
}

/* ---- the request ---- */

static void
read_streams(struct app_log *l, const char *types)
{
	bool any = types == NULL || *types == '\0';

	l->streams[0] = any || strstr(types, "stdout") != NULL;
	l->streams[1] = any || strstr(types, "stderr") != NULL;
}

/* "app", "router" or both with a comma; -1: answered. */
static int
read_from(struct fl_http_req *req, struct app_log *l)
{
	const char *given = fl_http_query(req, "source");

	l->of_jobs = given == NULL || *given == '\0' || strcmp(given, "app") == 0 || strcmp(given, "app,router") == 0 ||
	    strcmp(given, "router,app") == 0;
	l->of_routers = given != NULL && (strcmp(given, "router") == 0 || strcmp(given, "app,router") == 0 || strcmp(given, "router,app") == 0);
	if (l->of_jobs || l->of_routers)
		return 0;
	answer_invalid(req, "source", "\"%.40s\" is none: it is app, router or app,router", given);
	return -1;
}

void
app_log(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	const char *lines = fl_http_query(req, "lines"), *follow = fl_http_query(req, "follow");
	const char *job_id = fl_http_query(req, "job_id");
	struct app_log wanted = { 0 }, *l;
	int64_t n, since_us;

	if (number_query(req, "lines", LINES_MAX, &n) == -1 || time_query(req, "since", &since_us) == -1 || read_from(req, &wanted) == -1)
		return;
	l = fl_xmemdup(&wanted, sizeof(wanted));
	if (since_us > 0)
		l->since = fl_xasprintf("%lld.%06lld", (long long)(since_us / 1000000), (long long)(since_us % 1000000));
	l->c = c;
	l->req = req;
	l->limited = lines != NULL && *lines != '\0';
	l->lines = n;
	l->follow = follow != NULL && strcmp(follow, "true") == 0;
	l->events = fl_http_accepts(req, "text/event-stream");
	l->job_id = job_id != NULL && *job_id != '\0' ? host_job_id(job_id) : NULL;
	l->type = fl_xstrdup_null(fl_http_query(req, "process_type"));
	read_streams(l, fl_http_query(req, "stream_types"));
	TAILQ_INIT(&l->sources);
	STAILQ_INIT(&l->last);
	LIST_INSERT_HEAD(&c->app_logs, l, link);
	find_jobs(l);
}

/* payload is the app's id; NULL: the connection is a new one. */
static void
on_notify(const char *payload, void *arg)
{
	struct controller *c = arg;
	struct app_log *l, *next;
	char app[FL_UUID_LEN + 1] = "";

	if (payload != NULL && !fl_uuid_parse(payload, app))
		return;
	LIST_FOREACH_SAFE(l, &c->app_logs, link, next) {
		if (l->phase != FOLLOW || l->req == NULL || (payload != NULL && strcmp(l->app, app) != 0))
			continue;
		l->dirty = true;
		find_jobs(l);
	}
}

void
app_log_listen(struct controller *c)
{
	fl_pg_listen(c->pg, "job_events", on_notify, c);
}
