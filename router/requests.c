#include "router/requests.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/list.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "router/filter.h"
#include "router/journal.h"
#include "router/route.h"
#include "router/router.h"
#include "router/sync.h"
#include "router/tally.h"

/* What is told at once, unless the limit says otherwise. */
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000
/* Before those to come; more would not fit what the server holds for a reader. */
#define HISTORY_MAX 1000
/* Who may follow at the same time. */
#define FOLLOWERS_MAX 100
/* Those who follow are told so often at most, and of so many requests of each worker. */
#define PAUSE_MS 20
#define LOOK_MAX 2000

struct follower {
	LIST_ENTRY(follower) link;
	struct requests *q;
	struct fl_http_req *req;
	struct filter filter;
	char *parent_ref; /* NULL: of all routes */
	bool is_gone;	  /* its on_close is to come */
};

struct requests {
	struct router *r;
	LIST_HEAD(, follower) followers;
	size_t n_followers;
	struct event *bell, *again;
	uint64_t *told; /* by worker: the number of the next record for those who follow */
};

static int64_t
wall_us(void)
{
	return fl_clock_wall_us() - fl_clock_us();
}

struct match {
	struct filter *filter;
	const char *parent_ref;
};

static void
add_route(const struct route *route, const struct tally *tally, void *arg)
{
	struct match *m = arg;

	if (route->parent_ref != NULL && strcmp(route->parent_ref, m->parent_ref) == 0)
		filter_add_route(m->filter, tally->number);
}

/* The routes that belong to parent_ref now. */
static void
find_routes(const struct requests *q, struct filter *f, const char *parent_ref)
{
	struct match m = { f, parent_ref };

	if (parent_ref == NULL)
		return;
	filter_clear_routes(f);
	sync_each_tally(q->r->sync, add_route, &m);
	filter_sort_routes(f);
}

/* All rings from the newest record to the oldest. */
struct merge {
	size_t n;
	struct {
		struct ring_cursor cursor;
		struct record record;
		bool is_at_end;
	} *rings;
};

/* end: by ring, the number before which to begin; NULL: the newest. */
static void
merge_init(struct merge *m, struct journal *j, const uint64_t *end)
{
	m->n = j->n;
	m->rings = fl_xcalloc(j->n, sizeof(*m->rings));
	for (size_t i = 0; i < j->n; i++) {
		ring_cursor_init(&m->rings[i].cursor, &j->rings[i], end != NULL ? end[i] : ring_count(&j->rings[i]));
		m->rings[i].is_at_end = !ring_cursor_next(&m->rings[i].cursor, &m->rings[i].record);
	}
}

static double
end_of(const struct record *r)
{
	return (double)r->start_us + (double)r->total_us;
}

/* The next one, its texts borrowed as the cursor says; false: there is none. */
static bool
merge_next(struct merge *m, struct record *record, size_t *from)
{
	size_t best = m->n;

	for (size_t i = 0; i < m->n; i++)
		if (!m->rings[i].is_at_end && (best == m->n || end_of(&m->rings[i].record) > end_of(&m->rings[best].record)))
			best = i;
	if (best == m->n)
		return false;
	*record = m->rings[best].record;
	*from = best;
	return true;
}

static void
merge_step(struct merge *m, size_t from)
{
	m->rings[from].is_at_end = !ring_cursor_next(&m->rings[from].cursor, &m->rings[from].record);
}

static void
merge_release(struct merge *m)
{
	for (size_t i = 0; i < m->n; i++)
		ring_cursor_release(&m->rings[i].cursor);
	free(m->rings);
}

/* Call each with the JSON of those that match, the newest first, up to limit. */
static void
each_match(const struct requests *q, const struct filter *f, size_t limit, const uint64_t *end,
    void (*each)(const char *json, void *arg), void *arg)
{
	struct fl_buf b = { 0 };
	struct record record;
	struct merge m;
	int64_t wall = wall_us();
	size_t n = 0, from;

	merge_init(&m, q->r->plane.journal, end);
	while (n < limit && merge_next(&m, &record, &from)) {
		if (filter_matches(f, &record)) {
			fl_buf_clear(&b);
			record_write(&record, wall, &b);
			each(fl_buf_cstr(&b), arg);
			n++;
		}
		merge_step(&m, from);
	}
	merge_release(&m);
	fl_buf_release(&b);
}

static void
append(const char *json, void *arg)
{
	struct fl_buf *b = arg;

	fl_buf_addstr(b, b->len > 1 ? ",\n" : "");
	fl_buf_addstr(b, json);
}

static void
list(struct fl_http_req *req, const struct requests *q, const struct filter *f, size_t limit)
{
	struct fl_buf b = { 0 };

	fl_buf_addc(&b, '[');
	each_match(q, f, limit, NULL, append, &b);
	fl_buf_addc(&b, ']');
	fl_http_reply_json(req, 200, &b);
	fl_buf_release(&b);
}

static void
tell(struct follower *f, const char *event, const char *data)
{
	/* The server cuts off who does not read, and logs that. */
	if (!f->is_gone && !fl_http_sse_send(f->req, event, NULL, data))
		f->is_gone = true;
}

/* Records that are to be told, of all workers. */
struct batch {
	struct requests *q;
	struct item {
		double end;
		_Alignas(8) char packed[RECORD_MAX];
	} *items;
	size_t n, cap;
	int left; /* to be looked at, of one worker */
};

static bool
add_wanted(const struct record *record, void *arg)
{
	struct batch *b = arg;
	const struct follower *f;

	LIST_FOREACH(f, &b->q->followers, link)
		if (!f->is_gone && filter_matches(&f->filter, record))
			break;
	if (f != NULL) {
		if (b->n == b->cap) {
			b->cap = b->cap == 0 ? 16 : b->cap * 2;
			b->items = fl_xreallocarray(b->items, b->cap, sizeof(*b->items));
		}
		b->items[b->n].end = end_of(record);
		record_pack(record, b->items[b->n++].packed);
	}
	return --b->left > 0;
}

static int
by_end(const void *a, const void *b)
{
	double x = ((const struct item *)a)->end, y = ((const struct item *)b)->end;

	return x < y ? -1 : x > y;
}

/* In order, each in words made once. */
static void
tell_batch(struct batch *b)
{
	struct fl_buf json = { 0 };
	struct follower *f;
	int64_t wall = wall_us();

	if (b->n > 1)
		qsort(b->items, b->n, sizeof(*b->items), by_end);
	for (size_t i = 0; i < b->n; i++) {
		struct record record;

		record_unpack(&record, b->items[i].packed);
		fl_buf_clear(&json);
		record_write(&record, wall, &json);
		LIST_FOREACH(f, &b->q->followers, link)
			if (filter_matches(&f->filter, &record))
				tell(f, NULL, fl_buf_cstr(&json));
	}
	fl_buf_release(&json);
	free(b->items);
}

static void
tell_lost(struct requests *q, uint64_t lost)
{
	struct follower *f;
	char data[48];

	snprintf(data, sizeof(data), "{\"requests\":%llu}", (unsigned long long)lost);
	LIST_FOREACH(f, &q->followers, link)
		tell(f, "missed", data);
}

/* Bring those who follow up to date. True: there is more. */
static bool
look(struct requests *q)
{
	struct journal *j = q->r->plane.journal;
	struct batch b = { .q = q };
	struct follower *f;
	uint64_t lost = 0;
	bool more = false;

	LIST_FOREACH(f, &q->followers, link)
		find_routes(q, &f->filter, f->parent_ref);
	for (size_t i = 0; i < j->n; i++) {
		b.left = LOOK_MAX;
		lost += ring_read(&j->rings[i], &q->told[i], add_wanted, &b);
		more = more || b.left == 0;
	}
	tell_batch(&b);
	if (lost > 0)
		tell_lost(q, lost);
	return more;
}

/* Not again before a pause: workers ring once in it at most. */
static void
pause_bell(struct requests *q)
{
	struct timeval pause = { .tv_usec = PAUSE_MS * 1000 };

	event_del(q->bell);
	evtimer_add(q->again, &pause);
}

static void
on_bell(evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct requests *q = arg;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) == -1)
		fl_log_error("cannot hear of requests", fl_str("err", strerror(errno)));
	journal_answer(q->r->plane.journal, JOURNAL_API);
	look(q);
	pause_bell(q);
}

static void
on_again(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct requests *q = arg;

	if (q->n_followers == 0)
		return;
	if (look(q))
		pause_bell(q);
	else
		event_add(q->bell, NULL);
}

/* The first one comes: be rung for. */
static int
begin_following(struct requests *q, struct fl_err *err)
{
	struct journal *j = q->r->plane.journal;

	if (journal_want(j, JOURNAL_API, err) == -1)
		return -1;
	for (size_t i = 0; i < j->n; i++)
		q->told[i] = ring_count(&j->rings[i]);
	if (q->bell == NULL) {
		q->bell = event_new(q->r->base, j->bells[JOURNAL_API].fd, EV_READ | EV_PERSIST, on_bell, q);
		q->again = evtimer_new(q->r->base, on_again, q);
	}
	pause_bell(q); /* and look once more then: see journal_want() */
	return 0;
}

static void
follower_free(struct follower *f)
{
	struct requests *q = f->q;

	LIST_REMOVE(f, link);
	filter_release(&f->filter);
	free(f->parent_ref);
	free(f);
	if (--q->n_followers == 0) {
		journal_unwant(q->r->plane.journal, JOURNAL_API);
		event_del(q->bell);
		evtimer_del(q->again);
	}
}

static void
on_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	follower_free(arg);
}

struct history {
	char **json;
	size_t n;
};

static void
remember(const char *json, void *arg)
{
	struct history *h = arg;

	h->json[h->n++] = fl_xstrdup(json);
}

/* What was told to the others before, the oldest first. */
static void
tell_history(struct follower *f, size_t limit)
{
	size_t max = limit < HISTORY_MAX ? limit : HISTORY_MAX;
	struct history h = { .json = fl_xcalloc(max + 1, sizeof(*h.json)) };

	each_match(f->q, &f->filter, max, f->q->told, remember, &h);
	while (h.n > 0) {
		char *json = h.json[--h.n];

		tell(f, NULL, json);
		free(json);
	}
	free(h.json);
}

/* Takes the filter. */
static void
follow(struct fl_http_req *req, struct requests *q, struct filter *filter, size_t limit)
{
	const char *parent_ref = fl_http_query(req, "parent_ref");
	struct fl_err err = { 0 };
	struct follower *f;

	if (q->n_followers == FOLLOWERS_MAX)
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "%d follow the requests already", FOLLOWERS_MAX);
	if (err.kind != FL_ERR_NONE || (q->n_followers == 0 && begin_following(q, &err) == -1)) {
		fl_http_reply_err(req, &err);
		filter_release(filter);
		return;
	}
	look(q); /* the others are told of all that is history to this one */
	f = fl_xcalloc(1, sizeof(*f));
	f->q = q;
	f->req = req;
	f->filter = *filter;
	f->parent_ref = fl_xstrdup_null(parent_ref);
	LIST_INSERT_HEAD(&q->followers, f, link);
	q->n_followers++;
	fl_http_on_close(req, on_close, f);
	fl_http_sse_start(req);
	tell_history(f, limit);
}

static int
parse_limit(struct fl_http_req *req, size_t *limit, struct fl_err *err)
{
	const char *text = fl_http_query(req, "limit");
	unsigned long n;

	if (text == NULL || *text == '\0')
		return 0;
	n = strspn(text, "0123456789") == strlen(text) && strlen(text) < 8 ? strtoul(text, NULL, 10) : LIMIT_MAX + 1;
	if (n > LIMIT_MAX)
		return fl_err_set(err, FL_ERR_INVALID, "limit: \"%.20s\" is no number up to %d", text, LIMIT_MAX);
	*limit = n;
	return 0;
}

void
requests_get(struct fl_http_req *req, void *arg)
{
	struct router *r = arg;
	struct requests *q = r->requests;
	struct filter f = { 0 };
	struct fl_err err = { 0 };
	bool is_stream = fl_http_accepts(req, "text/event-stream");
	size_t limit = is_stream ? 0 : LIMIT_DEFAULT;

	if (r->cfg->n_requests == 0)
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "this router remembers no requests: it was started with -requests 0");
	if (err.kind != FL_ERR_NONE || parse_limit(req, &limit, &err) == -1 ||
	    filter_parse(&f, fl_http_query(req, "host"), fl_http_query(req, "status"), fl_http_query(req, "slow"), &err) == -1) {
		fl_http_reply_err(req, &err);
		return;
	}
	find_routes(q, &f, fl_http_query(req, "parent_ref"));
	if (is_stream) {
		follow(req, q, &f, limit);
		return;
	}
	list(req, q, &f, limit);
	filter_release(&f);
}

struct requests *
requests_new(struct router *r)
{
	struct requests *q = fl_xcalloc(1, sizeof(*q));

	q->r = r;
	q->told = fl_xcalloc(r->n_workers, sizeof(*q->told));
	LIST_INIT(&q->followers);
	return q;
}

void
requests_free(struct requests *q)
{
	struct follower *f, *next;

	if (q == NULL)
		return;
	LIST_FOREACH_SAFE(f, &q->followers, link, next) {
		fl_http_on_close(f->req, NULL, NULL);
		fl_http_stream_end(f->req);
		follower_free(f);
	}
	if (q->bell != NULL) {
		event_free(q->bell);
		event_free(q->again);
	}
	free(q->told);
	free(q);
}
