#include "controller/log_source.h"

#include <stdlib.h>
#include <string.h>

#include "controller/controller.h"
#include "controller/hosts.h"
#include "libflynn/attach.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

#define MAX_BYTES ((size_t)64 << 10)

struct log_source *
log_source_make(struct controller *c, const struct log_source_kind *kind, const char *since,
    void (*on_more)(struct log_source *s, void *arg), void *arg)
{
	struct log_source *s = fl_xcalloc(1, sizeof(*s));

	s->c = c;
	s->kind = kind;
	s->since = fl_xstrdup_null(since);
	s->on_more = on_more;
	s->arg = arg;
	STAILQ_INIT(&s->entries);
	return s;
}

static void
stop(struct log_source *s)
{
	s->kind->stop(s);
	s->is_read = false;
	s->paused = false;
}

void
log_source_free(struct log_source *s)
{
	struct log_entry *e;

	stop(s);
	while ((e = log_source_take(s)) != NULL)
		free(e);
	s->kind->release(s);
	free(s->job_id);
	free(s->host_id);
	free(s->type);
	free(s->since);
	free(s);
}

void
log_source_put(struct log_source *s, enum fl_frame_stream stream, const char *stamp, const char *text, size_t len)
{
	struct log_entry *e;

	/* Again from that time on: what had it came already. */
	if (s->follows && *stamp != '\0' && strcmp(stamp, s->told) <= 0)
		return;
	e = fl_xcalloc(1, sizeof(*e) + len + 1);
	e->stream = stream;
	memcpy(e->stamp, *stamp != '\0' ? stamp : s->newest, LOG_STAMP_LEN);
	if (strcmp(e->stamp, s->newest) > 0)
		memcpy(s->newest, e->stamp, LOG_STAMP_LEN);
	e->len = len;
	memcpy(e->text, text, len);
	STAILQ_INSERT_TAIL(&s->entries, e, link);
	s->bytes += sizeof(*e) + len;
}

void
log_source_tell(struct log_source *s)
{
	if (s->bytes > MAX_BYTES && s->is_read && !s->paused) {
		s->paused = true;
		s->kind->pause(s, true);
	}
	if (!STAILQ_EMPTY(&s->entries))
		s->on_more(s, s->arg);
}

void
log_source_over(struct log_source *s)
{
	stop(s);
	s->on_more(s, s->arg);
}

void
log_source_read(struct log_source *s, int64_t tail)
{
	s->kind->start(s, true, false, tail);
}

void
log_source_follow(struct log_source *s, bool past)
{
	s->follows = true;
	memcpy(s->told, s->newest, LOG_STAMP_LEN);
	s->kind->start(s, past, true, -1);
}

struct log_entry *
log_source_take(struct log_source *s)
{
	struct log_entry *e = STAILQ_FIRST(&s->entries);

	if (e == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&s->entries, link);
	s->bytes -= sizeof(*e) + e->len;
	if (s->paused && s->bytes <= MAX_BYTES / 2) {
		s->paused = false;
		s->kind->pause(s, false);
	}
	return e;
}

/* ---- of a job ---- */

struct job_reader {
	struct fl_attach *attach; /* NULL: not being read */
	struct log_lines lines[LOG_SOURCE_STREAMS];
};

/* Where lines of one frame go. */
struct sink {
	struct log_source *s;
	enum fl_frame_stream stream;
};

static void
on_line(const char *stamp, const char *text, size_t len, void *arg)
{
	const struct sink *sink = arg;

	log_source_put(sink->s, sink->stream, stamp, text, len);
}

static void
on_frame(FL_UNUSED struct fl_attach *a, const struct fl_frame *f, void *arg)
{
	struct log_source *s = arg;
	struct job_reader *r = s->reader;
	struct sink sink = { s, f->stream };

	if (f->type != FL_FRAME_DATA || f->stream < FL_FRAME_STDOUT || f->stream > FL_FRAME_STDERR || f->eof)
		return;
	log_lines_feed(&r->lines[f->stream - FL_FRAME_STDOUT], (const char *)f->data, f->len, on_line, &sink);
	log_source_tell(s);
}

/* Also when the host could not be reached: the logs of the others are worth having. */
static void
on_end(FL_UNUSED struct fl_attach *a, FL_UNUSED const struct fl_err *err, void *arg)
{
	struct log_source *s = arg;
	struct job_reader *r = s->reader;

	for (size_t i = 0; i < LOG_SOURCE_STREAMS; i++) {
		struct sink sink = { s, FL_FRAME_STDOUT + i };

		log_lines_end(&r->lines[i], on_line, &sink);
	}
	log_source_over(s);
}

/* The host does not know the job: it has no log, or not yet. */
static void
on_waiting(struct fl_attach *a, void *arg)
{
	struct log_source *s = arg;

	if (!s->follows)
		on_end(a, NULL, s);
}

/* "2014-08-16T21:16:12.123456789Z" in seconds since the epoch, with its decimals; the caller frees. NULL: no time. */
static char *
seconds_of(const char *stamp)
{
	int64_t us;
	const char *point = strchr(stamp, '.');

	if (*stamp == '\0' || fl_clock_parse(stamp, &us) == -1)
		return NULL;
	return fl_xasprintf("%lld%.*s", (long long)(us / 1000000), point != NULL ? (int)strcspn(point, "Z") : 0,
	    point != NULL ? point : "");
}

static void
job_start(struct log_source *s, bool past, bool follow, int64_t tail)
{
	static const struct fl_attach_ops ops = { .on_frame = on_frame, .on_end = on_end, .on_waiting = on_waiting };
	struct job_reader *r = s->reader;
	const char *addr = s->host_id != NULL ? hosts_addr(s->c, s->host_id, NULL) : NULL;
	struct fl_attach_opts opts = { .key = s->c->cfg->cluster_key, .state_byte = 1 };
	char *since = s->follows ? seconds_of(s->newest) : NULL, *url;
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);

	if (addr != NULL) {
		fl_jsonw_open(&w, NULL, '{');
		fl_jsonw_str(&w, "job_id", s->job_id);
		fl_jsonw_int(&w, "flags", (past ? FL_ATTACH_LOGS : 0) | (follow ? FL_ATTACH_STREAM : 0) | FL_ATTACH_STDOUT | FL_ATTACH_STDERR);
		fl_jsonw_bool(&w, "timestamps", true);
		fl_jsonw_int(&w, "tail", tail);
		fl_jsonw_str_oe(&w, "since", since != NULL ? since : s->since);
		fl_jsonw_close(&w, '}');
		url = fl_xasprintf("http://%s/attach", addr);
		opts.url = url;
		opts.body = body.data;
		r->attach = fl_attach_start(s->c->base, &opts, &ops, s);
		s->is_read = true;
		free(url);
		fl_buf_release(&body);
	}
	free(since);
}

static void
job_stop(struct log_source *s)
{
	struct job_reader *r = s->reader;

	if (r->attach != NULL)
		fl_attach_free(r->attach);
	r->attach = NULL;
}

static void
job_pause(struct log_source *s, bool on)
{
	struct job_reader *r = s->reader;

	fl_attach_pause(r->attach, on);
}

static void
job_release(struct log_source *s)
{
	struct job_reader *r = s->reader;

	for (size_t i = 0; i < LOG_SOURCE_STREAMS; i++)
		log_lines_release(&r->lines[i]);
	free(r);
}

struct log_source *
log_source_new(struct controller *c, const char *job_id, const char *type, const char *since,
    void (*on_more)(struct log_source *s, void *arg), void *arg)
{
	static const struct log_source_kind kind = { job_start, job_stop, job_pause, job_release };
	struct log_source *s = log_source_make(c, &kind, since, on_more, arg);

	s->reader = fl_xcalloc(1, sizeof(struct job_reader));
	s->job_id = fl_xstrdup(job_id);
	s->host_id = fl_job_id_host(job_id);
	s->type = fl_xstrdup(type);
	return s;
}
