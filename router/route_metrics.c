#include "router/route_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/xmalloc.h"
#include "router/route.h"
#include "router/sync.h"
#include "router/tally.h"

struct row {
	const struct route *route; /* NULL: all others together */
	uint64_t n;		   /* requests */
	struct tally_sums sums;
};

struct rows {
	struct row *items;
	size_t n, cap;
};

static void
add_row(const struct route *route, const struct tally *t, void *arg)
{
	struct rows *rows = arg;
	struct row row = { .route = route };

	if (!tally_sum(t, &row.sums))
		return;
	for (size_t i = 0; i < TALLY_CLASSES; i++)
		row.n += row.sums.classes[i];
	if (rows->n == rows->cap) {
		rows->cap = rows->cap == 0 ? 64 : rows->cap * 2;
		rows->items = fl_xreallocarray(rows->items, rows->cap, sizeof(*rows->items));
	}
	rows->items[rows->n++] = row;
}

static int
by_requests(const void *a, const void *b)
{
	uint64_t x = ((const struct row *)a)->n, y = ((const struct row *)b)->n;

	return x > y ? -1 : x < y;
}

/* Let the rows from max - 1 on be one. */
static void
fold(struct rows *rows, size_t max)
{
	struct row *last;

	if (rows->n <= max)
		return;
	qsort(rows->items, rows->n, sizeof(*rows->items), by_requests);
	last = &rows->items[max - 1];
	last->route = NULL;
	for (size_t at = max; at < rows->n; at++) {
		const struct tally_sums *sums = &rows->items[at].sums;

		for (size_t i = 0; i < TALLY_CLASSES; i++)
			last->sums.classes[i] += sums->classes[i];
		for (size_t i = 0; i < TALLY_BUCKETS; i++)
			last->sums.buckets[i] += sums->buckets[i];
		last->sums.sum_us += sums->sum_us;
		last->sums.retries += sums->retries;
		last->sums.n_open += sums->n_open;
	}
	rows->n = max;
}

/* A sample's name and what says whose it is; the labels are not closed. Hosts and paths need no escapes but these. */
static void
begin(struct fl_buf *b, const char *name, const struct row *row)
{
	const struct route *r = row->route;

	fl_buf_addf(b, "flynn_router_route_%s{route=\"%s\"", name, r != NULL ? r->id : "other");
	if (r == NULL)
		return;
	if (r->type == ROUTE_TCP)
		fl_buf_addf(b, ",host=\":%d\"", r->port);
	else
		fl_buf_addf(b, ",host=\"%s\"", r->domain);
	if (r->path == NULL || *r->path == '\0')
		return;
	fl_buf_addstr(b, ",path=\"");
	for (const char *p = r->path; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			fl_buf_addc(b, '\\');
		fl_buf_addc(b, *p);
	}
	fl_buf_addc(b, '"');
}

static void
write_requests(struct fl_buf *b, const struct row *row)
{
	static const char *const names[TALLY_CLASSES] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };

	for (size_t i = 0; i < TALLY_CLASSES; i++) {
		if (row->sums.classes[i] == 0)
			continue;
		begin(b, "requests_total", row);
		fl_buf_addf(b, ",class=\"%s\"} %llu\n", names[i], (unsigned long long)row->sums.classes[i]);
	}
}

static void
write_seconds(struct fl_buf *b, const struct row *row)
{
	uint64_t n = 0;

	for (size_t i = 0; i < TALLY_BUCKETS; i++) {
		n += row->sums.buckets[i];
		begin(b, "seconds_bucket", row);
		if (i < TALLY_BUCKETS - 1)
			fl_buf_addf(b, ",le=\"%g\"} %llu\n", tally_bounds_us[i] / 1e6, (unsigned long long)n);
		else
			fl_buf_addf(b, ",le=\"+Inf\"} %llu\n", (unsigned long long)n);
	}
	begin(b, "seconds_sum", row);
	fl_buf_addf(b, "} %.6f\n", (double)row->sums.sum_us / 1e6);
	begin(b, "seconds_count", row);
	fl_buf_addf(b, "} %llu\n", (unsigned long long)n);
}

static void
write_open(struct fl_buf *b, const struct row *row)
{
	begin(b, "open", row);
	fl_buf_addf(b, "} %llu\n", (unsigned long long)row->sums.n_open);
}

static void
write_retries(struct fl_buf *b, const struct row *row)
{
	begin(b, "retries_total", row);
	fl_buf_addf(b, "} %llu\n", (unsigned long long)row->sums.retries);
}

void
route_metrics_write(struct fl_buf *b, const struct sync *s)
{
	static const struct {
		const char *name, *type, *help;
		void (*write)(struct fl_buf *b, const struct row *row);
	} families[] = {
		{ "requests", "counter", "Requests of a route by class of status; none: no answer was begun, or TCP.", write_requests },
		{ "seconds", "histogram", "From the first byte of a request to the last one of its answer.", write_seconds },
		{ "open", "gauge", "Requests and connections of a route under way.", write_open },
		{ "retries", "counter", "Times that another instance or connection was tried.", write_retries },
	};
	struct rows rows = { 0 };

	sync_each_tally(s, add_row, &rows);
	fold(&rows, ROUTE_METRICS_MAX);
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		fl_buf_addf(b, "# TYPE flynn_router_route_%s %s\n# HELP flynn_router_route_%s %s\n", families[i].name,
		    families[i].type, families[i].name, families[i].help);
		for (size_t at = 0; at < rows.n; at++)
			families[i].write(b, &rows.items[at]);
	}
	free(rows.items);
}
