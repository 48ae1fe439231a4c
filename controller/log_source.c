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
log_source_new(struct controller *c, const char *job_id, const char *type,
    void (*on_more)(struct log_source *s, void *arg), void *arg)
{
	struct log_source *s = fl_xcalloc(1, sizeof(*s));

	s->c = c;
	s->job_id = fl_xstrdup(job_id);
	s->host_id = fl_job_id_host(job_id);
	s->type = fl_xstrdup(type);
	s->on_more = on_more;
	s->arg = arg;
	STAILQ_INIT(&s->entries);
	return s;
}

static void
stop(struct log_source *s)
{
	if (s->attach != NULL)
		fl_attach_free(s->attach);
	s->attach = NULL;
	s->paused = false;
}

void
log_source_free(struct log_source *s)
{
	struct log_entry *e;

	stop(s);
	while ((e = log_source_take(s)) != NULL)
		free(e);
	for (size_t i = 0; i < LOG_SOURCE_STREAMS; i++)
		log_lines_release(&s->lines[i]);
	free(s->job_id);
	free(s->host_id);
	free(s->type);
	free(s);
}

/* Where lines of one frame go. */
struct sink {
	struct log_source *s;
	enum fl_frame_stream stream;
};

static void
on_line(const char *stamp, const char *text, size_t len, void *arg)
{
	const struct sink *sink = arg;
	struct log_source *s = sink->s;
	struct log_entry *e;

	/* Again from that time on: what had it came already. */
	if (s->follows && *stamp != '\0' && strcmp(stamp, s->newest) <= 0)
		return;
	e = fl_xcalloc(1, sizeof(*e) + len + 1);
	e->stream = sink->stream;
	memcpy(e->stamp, *stamp != '\0' ? stamp : s->newest, LOG_STAMP_LEN);
	if (strcmp(e->stamp, s->newest) > 0)
		memcpy(s->newest, e->stamp, LOG_STAMP_LEN);
	e->len = len;
	memcpy(e->text, text, len);
	STAILQ_INSERT_TAIL(&s->entries, e, link);
	s->bytes += sizeof(*e) + len;
}

static void
on_frame(struct fl_attach *a, const struct fl_frame *f, void *arg)
{
	struct log_source *s = arg;
	struct sink sink = { s, f->stream };

	if (f->type != FL_FRAME_DATA || f->stream < FL_FRAME_STDOUT || f->stream > FL_FRAME_STDERR || f->eof)
		return;
	log_lines_feed(&s->lines[f->stream - FL_FRAME_STDOUT], (const char *)f->data, f->len, on_line, &sink);
	if (s->bytes > MAX_BYTES && !s->paused) {
		s->paused = true;
		fl_attach_pause(a, 1);
	}
	if (!STAILQ_EMPTY(&s->entries))
		s->on_more(s, s->arg);
}

/* Also when the host could not be reached: the logs of the others are worth having. */
static void
on_end(FL_UNUSED struct fl_attach *a, FL_UNUSED const struct fl_err *err, void *arg)
{
	struct log_source *s = arg;

	stop(s);
	for (size_t i = 0; i < LOG_SOURCE_STREAMS; i++) {
		struct sink sink = { s, FL_FRAME_STDOUT + i };

		log_lines_end(&s->lines[i], on_line, &sink);
	}
	s->on_more(s, s->arg);
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
start(struct log_source *s, unsigned flags, int64_t tail)
{
	static const struct fl_attach_ops ops = { .on_frame = on_frame, .on_end = on_end, .on_waiting = on_waiting };
	const char *addr = s->host_id != NULL ? hosts_addr(s->c, s->host_id, NULL) : NULL;
	struct fl_attach_opts opts = { .key = s->c->cfg->cluster_key, .state_byte = 1 };
	char *since = s->follows ? seconds_of(s->newest) : NULL, *url;
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);

	if (addr != NULL) {
		fl_jsonw_open(&w, NULL, '{');
		fl_jsonw_str(&w, "job_id", s->job_id);
		fl_jsonw_int(&w, "flags", flags | FL_ATTACH_STDOUT | FL_ATTACH_STDERR);
		fl_jsonw_bool(&w, "timestamps", true);
		fl_jsonw_int(&w, "tail", tail);
		fl_jsonw_str_oe(&w, "since", since);
		fl_jsonw_close(&w, '}');
		url = fl_xasprintf("http://%s/attach", addr);
		opts.url = url;
		opts.body = body.data;
		s->attach = fl_attach_start(s->c->base, &opts, &ops, s);
		free(url);
		fl_buf_release(&body);
	}
	free(since);
}

void
log_source_read(struct log_source *s, int64_t tail)
{
	start(s, FL_ATTACH_LOGS, tail);
}

void
log_source_follow(struct log_source *s, bool past)
{
	s->follows = true;
	start(s, past ? FL_ATTACH_LOGS | FL_ATTACH_STREAM : FL_ATTACH_STREAM, -1);
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
		fl_attach_pause(s->attach, 0);
	}
	return e;
}
