#include "host/engine_events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine.h"
#include "host/host.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

/* An event carries all labels of its container, and one of ours is the job: of a MiB at most, each & of it as six bytes. */
#define MAX_EVENT_BYTES (8u << 20)
#define US_PER_S 1000000

struct engine_events {
	struct engine *engine;
	struct fl_http_call *call;
	struct fl_buf line;
	void (*on_event)(const struct engine_event *, void *);
	void (*on_end)(const struct fl_err *, void *);
	void *arg;
};

static void
take_line(struct engine_events *s)
{
	struct fl_json *v = fl_json_parse(s->line.data, s->line.len, NULL);
	const struct fl_json *actor = fl_json_get(v, "Actor"), *labels = fl_json_get(actor, "Attributes");
	struct engine_event ev = {
		.action = fl_json_text(v, "Action"),
		.container_id = fl_json_text(actor, "ID"),
		.host_id = fl_json_text(labels, HOST_LABEL),
		.job_id = fl_json_text(labels, HOST_LABEL_JOB),
		.time_us = fl_json_int(fl_json_get(v, "timeNano"), 0) / 1000,
	};

	if (v != NULL)
		s->on_event(&ev, s->arg);
	fl_json_free(v);
}

static int
on_data(const char *data, size_t len, void *arg)
{
	struct engine_events *s = arg;

	while (len > 0) {
		const char *nl = memchr(data, '\n', len);
		size_t n = nl != NULL ? (size_t)(nl - data) : len;

		if (s->line.len + n > MAX_EVENT_BYTES)
			return -1;
		fl_buf_add(&s->line, data, n);
		if (nl == NULL)
			return 0;
		if (s->line.len > 0)
			take_line(s);
		fl_buf_clear(&s->line);
		data += n + 1;
		len -= n + 1;
	}
	return 0;
}

static void
on_done(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct engine_events *s = arg;
	struct fl_err err = { 0 };

	s->call = NULL;
	if (engine_check(s->engine, res, call_err, "follow its events", &err) == -1)
		s->on_end(&err, s->arg);
	else
		s->on_end(NULL, s->arg);
}

struct engine_events *
engine_events_start(struct engine *e, int64_t since_us, void (*on_event)(const struct engine_event *, void *),
    void (*on_end)(const struct fl_err *, void *), void *arg)
{
	static const char filters[] = "{\"type\":[\"container\"],\"label\":[\"" HOST_LABEL "\"],\"event\":[\"die\",\"oom\"]}";
	static const struct engine_call call = { .timeout_ms = -1, .on_data = on_data };
	struct engine_events *s = fl_xcalloc(1, sizeof(*s));
	char *encoded = fl_url_encode(filters);

	s->engine = e;
	s->on_event = on_event;
	s->on_end = on_end;
	s->arg = arg;
	s->call = engine_start(e, &call, on_done, s, "/events?since=%" PRId64 ".%06" PRId64 "000&filters=%s",
	    since_us / US_PER_S, since_us % US_PER_S, encoded);
	free(encoded);
	return s;
}

void
engine_events_free(struct engine_events *s)
{
	if (s == NULL)
		return;
	if (s->call != NULL)
		fl_http_call_cancel(s->call);
	fl_buf_release(&s->line);
	free(s);
}
