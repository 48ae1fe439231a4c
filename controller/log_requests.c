#include "controller/log_requests.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/app_routes.h"
#include "controller/controller.h"
#include "controller/log_source.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/sse_client.h"
#include "libflynn/xmalloc.h"

#define CALL_MS 5000
/* Of what a router remembers; it takes no more as a limit. */
#define LIMIT_MAX 10000
/* Told again when its stream begins, so that none is missed between that and what was read before. */
#define OVERLAP 100
/* A stream cannot be told to wait: what a reader does not take in time is left out. */
#define UNREAD_MAX ((size_t)1 << 20)
#define US_PER_S 1000000

struct router_reader {
	char *addr, *parent_ref;
	int64_t since_us;
	size_t limit;		   /* of what is told at once */
	struct fl_http_call *call; /* of what was */
	struct fl_sse_client *stream;
	bool was_open; /* the stream stood before: it does not tell again */
};

/* ---- a record ---- */

/* As the engine writes the times of lines, so that they can be compared as text. */
static void
format_stamp(int64_t us, char stamp[LOG_STAMP_LEN])
{
	time_t s = (time_t)(us / US_PER_S);
	struct tm tm;
	size_t n;

	memset(stamp, 0, LOG_STAMP_LEN);
	n = strftime(stamp, LOG_STAMP_LEN, "%Y-%m-%dT%H:%M:%S", gmtime_r(&s, &tm));
	snprintf(stamp + n, LOG_STAMP_LEN - n, ".%06d000Z", (int)(us % US_PER_S));
}

/* What strangers chose is not to drive a terminal. */
static void
add_safely(struct fl_buf *b, const char *text)
{
	for (; *text != '\0'; text++)
		fl_buf_addc(b, (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static int
end_of(const struct fl_json *record, int64_t *us)
{
	if (fl_clock_parse(fl_json_text(record, "time"), us) == -1 || *us < 0)
		return -1;
	*us += (int64_t)(fl_json_double(fl_json_get(record, "total_ms"), 0) * 1000);
	return 0;
}

int
log_requests_format(const struct fl_json *record, struct fl_buf *text, char stamp[LOG_STAMP_LEN])
{
	long long status = (long long)fl_json_int(fl_json_get(record, "status"), 0);
	const char *instance = fl_json_str(fl_json_get(record, "instance"), NULL);
	int64_t us;

	if (end_of(record, &us) == -1)
		return -1;
	format_stamp(us, stamp);
	add_safely(text, fl_json_str(fl_json_get(record, "method"), "-"));
	fl_buf_addc(text, ' ');
	add_safely(text, fl_json_text(record, "host"));
	add_safely(text, fl_json_text(record, "path"));
	if (status != 0)
		fl_buf_addf(text, " %lld", status);
	else
		fl_buf_addstr(text, " no answer");
	fl_buf_addf(text, " in %.1f ms, %lld bytes", fl_json_double(fl_json_get(record, "total_ms"), 0),
	    (long long)fl_json_int(fl_json_get(record, "bytes_down"), 0));
	if (instance != NULL) {
		fl_buf_addstr(text, ", from ");
		add_safely(text, instance);
	}
	if (!fl_json_bool(fl_json_get(record, "whole"), true))
		fl_buf_addstr(text, ", broke off");
	return 0;
}

static void
put(struct log_source *s, const struct fl_json *record)
{
	const struct router_reader *r = s->reader;
	struct fl_buf text = { 0 };
	char stamp[LOG_STAMP_LEN];
	int64_t us;

	if (end_of(record, &us) == 0 && us >= r->since_us && log_requests_format(record, &text, stamp) == 0)
		log_source_put(s, FL_FRAME_STDOUT, stamp, text.data, text.len);
	fl_buf_release(&text);
}

/* ---- what was ---- */

static char *
url_of(const struct router_reader *r, size_t limit)
{
	return fl_xasprintf("http://%s/requests?parent_ref=%s&limit=%zu", r->addr, r->parent_ref, limit);
}

/* A router that does not answer leaves the logs of the others. */
static void
on_list(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct log_source *s = arg;
	struct router_reader *r = s->reader;
	struct fl_json *list = err == NULL && res->status == 200 ? fl_json_parse(res->body, res->len, NULL) : NULL;

	r->call = NULL;
	for (size_t i = fl_json_len(list); i > 0; i--) /* the newest comes first */
		put(s, fl_json_at(list, i - 1));
	fl_json_free(list);
	log_source_over(s);
}

static void
read_past(struct log_source *s, size_t limit)
{
	struct router_reader *r = s->reader;
	char *url = url_of(r, limit);
	struct fl_http_call_opts opts = { .url = url, .timeout_ms = CALL_MS };

	r->call = fl_http_client_start(s->c->client, &opts, on_list, s);
	free(url);
}

/* ---- what comes ---- */

static char *
stream_url(void *arg)
{
	const struct log_source *s = arg;
	const struct router_reader *r = s->reader;

	return url_of(r, r->was_open ? 0 : r->limit);
}

static void
on_stream_open(void *arg)
{
	struct log_source *s = arg;
	struct router_reader *r = s->reader;

	r->was_open = true;
}

static void
on_stream_event(const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct log_source *s = arg;
	struct fl_json *record;

	if (*event != '\0' || s->bytes > UNREAD_MAX || (record = fl_json_parse(data, len, NULL)) == NULL)
		return;
	put(s, record);
	fl_json_free(record);
	log_source_tell(s);
}

static void
router_start(struct log_source *s, bool past, bool follow, int64_t tail)
{
	static const struct fl_sse_client_ops ops = { stream_url, on_stream_open, on_stream_event, NULL, NULL };
	struct router_reader *r = s->reader;

	s->is_read = true;
	r->limit = !past ? 0 : tail >= 0 && tail < LIMIT_MAX ? (size_t)tail : LIMIT_MAX;
	if (!follow) {
		read_past(s, r->limit);
		return;
	}
	r->limit = past ? OVERLAP : 0;
	r->stream = fl_sse_client_start(s->c->client, &ops, s);
}

static void
router_stop(struct log_source *s)
{
	struct router_reader *r = s->reader;

	if (r->call != NULL)
		fl_http_call_cancel(r->call);
	fl_sse_client_free(r->stream);
	r->call = NULL;
	r->stream = NULL;
}

static void
router_pause(FL_UNUSED struct log_source *s, FL_UNUSED bool on)
{
}

static void
router_release(struct log_source *s)
{
	struct router_reader *r = s->reader;

	free(r->addr);
	free(r->parent_ref);
	free(r);
}

static const struct log_source_kind kind = { router_start, router_stop, router_pause, router_release };

struct log_source *
log_requests_new(struct controller *c, const char *addr, const char *app_id, const char *since,
    void (*on_more)(struct log_source *s, void *arg), void *arg)
{
	struct log_source *s = log_source_make(c, &kind, since, on_more, arg);
	struct router_reader *r = fl_xcalloc(1, sizeof(*r));

	r->addr = fl_xstrdup(addr);
	r->parent_ref = fl_xasprintf(APP_ROUTES_PARENT "%s", app_id);
	r->since_us = since != NULL ? (int64_t)(strtod(since, NULL) * US_PER_S) : 0;
	s->reader = r;
	return s;
}

const char *
log_requests_addr(const struct log_source *s)
{
	const struct router_reader *r = s->reader;

	return s->kind == &kind ? r->addr : NULL;
}
