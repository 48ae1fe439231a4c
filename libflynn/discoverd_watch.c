/*
 * discoverd_watch - services followed by their event streams.
 *
 * A stream begins with the whole picture, ended by "current". It is drawn beside the one that is shown and takes its
 * place only then, so whoever looks meanwhile, or while discoverd is away, sees what was last known.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/discoverd_internal.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/sse_client.h"
#include "libflynn/xmalloc.h"

struct find {
	TAILQ_ENTRY(find) link;
	struct fl_discoverd *d;
	struct fl_discoverd_service *service;
	struct event *timer;
	int timeout_ms;
	void (*cb)(const char *addr, const struct fl_err *err, void *arg);
	void *arg;
};

/* Of the discoverd that the shared stream comes from, if one does: two need not agree. */
static char *
service_url(void *arg)
{
	struct fl_discoverd_service *s = arg;
	const struct share *share = &s->d->share;

	s->overtaken = false;
	return fl_xasprintf("%s/services/%s", s->d->urls[share->is_current ? share->at : s->at], s->name);
}

static void
on_open(void *arg)
{
	struct fl_discoverd_service *s = arg;

	picture_release(&s->drawn);
	s->drawing = true;
}

static void
on_event(FL_UNUSED const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct fl_discoverd_service *s = arg;
	struct fl_json *v = fl_json_parse(data, len, NULL);
	const char *kind = fl_json_text(v, "kind");
	bool changed = false;

	if (strcmp(kind, "current") == 0 && s->drawing) {
		picture_release(&s->shown);
		s->shown = s->drawn;
		s->drawn = (struct picture){ 0 };
		s->drawing = false;
		s->known = true;
		changed = true;
		share_fold(s);
	} else {
		changed = picture_apply(s->drawing ? &s->drawn : &s->shown, kind, fl_json_get(v, "instance")) && !s->drawing;
	}
	fl_json_free(v);
	if (changed && s->on_change != NULL)
		s->on_change(s, s->arg); /* last: it may unwatch */
}

static void
on_error(const struct fl_err *err, void *arg)
{
	struct fl_discoverd_service *s = arg;

	fl_log_debug("discoverd's stream broke", fl_str("service", s->name), fl_str("err", err->msg));
	s->drawing = false;
	s->at = (s->at + 1) % s->d->n_urls;
}

void
watch_start(struct fl_discoverd_service *s)
{
	static const struct fl_sse_client_ops ops = { service_url, on_open, on_event, on_error, NULL };

	s->sse = fl_sse_client_start(s->d->http, &ops, s);
}

static void
list_add(struct fl_discoverd_service *s)
{
	TAILQ_INSERT_TAIL(&s->d->services, s, link);
	s->same = fl_map_set(s->d->by_name, s->name, s);
}

static void
list_remove(struct fl_discoverd_service *s)
{
	struct fl_discoverd_service *before = fl_map_get(s->d->by_name, s->name);

	TAILQ_REMOVE(&s->d->services, s, link);
	if (before != s) {
		while (before->same != s)
			before = before->same;
		before->same = s->same;
	} else if (s->same != NULL) {
		fl_map_set(s->d->by_name, s->name, s->same);
	} else {
		fl_map_remove(s->d->by_name, s->name);
	}
}

static struct fl_discoverd_service *
watch(struct fl_discoverd *d, const char *name, bool asks,
    void (*on_change)(struct fl_discoverd_service *s, void *arg), void *arg)
{
	struct fl_discoverd_service *s = fl_xcalloc(1, sizeof(*s));

	s->d = d;
	s->name = fl_xstrdup(name);
	s->on_change = on_change;
	s->arg = arg;
	list_add(s);
	if (share_is_on(d))
		share_join(s, asks);
	else
		watch_start(s);
	return s;
}

struct fl_discoverd_service *
fl_discoverd_watch(struct fl_discoverd *d, const char *name,
    void (*on_change)(struct fl_discoverd_service *s, void *arg), void *arg)
{
	return watch(d, name, true, on_change, arg);
}

struct fl_discoverd_service *
fl_discoverd_watch_shared(struct fl_discoverd *d, const char *name,
    void (*on_change)(struct fl_discoverd_service *s, void *arg), void *arg)
{
	return watch(d, name, false, on_change, arg);
}

void
fl_discoverd_unwatch(struct fl_discoverd_service *s)
{
	if (s == NULL)
		return;
	list_remove(s);
	share_leave(s);
	fl_sse_client_free(s->sse);
	picture_release(&s->shown);
	picture_release(&s->drawn);
	free(s->name);
	free(s);
}

bool
fl_discoverd_service_known(const struct fl_discoverd_service *s)
{
	return s->known;
}

static const struct picture *
picture_of(const struct fl_discoverd_service *s)
{
	static const struct picture none;
	const struct picture *p = s->sse != NULL ? &s->shown : s->known ? share_find(s->d, s->name) : NULL;

	return p != NULL ? p : &none;
}

size_t
fl_discoverd_service_count(const struct fl_discoverd_service *s)
{
	return picture_of(s)->n;
}

const struct fl_instance *
fl_discoverd_service_at(const struct fl_discoverd_service *s, size_t i)
{
	const struct picture *p = picture_of(s);

	return i < p->n ? p->instances[i] : NULL;
}

/* Who discoverd said leads; until it has said so, or after that one went, the oldest. */
const struct fl_instance *
fl_discoverd_service_leader(const struct fl_discoverd_service *s)
{
	const struct picture *p = picture_of(s);

	for (size_t i = 0; p->leader_id != NULL && i < p->n; i++)
		if (strcmp(p->instances[i]->id, p->leader_id) == 0)
			return p->instances[i];
	return fl_discoverd_service_at(s, 0);
}

void
find_free(struct find *f)
{
	TAILQ_REMOVE(&f->d->finds, f, link);
	fl_discoverd_unwatch(f->service);
	event_free(f->timer);
	free(f);
}

static void
find_end(struct find *f, const char *addr, const struct fl_err *err)
{
	void (*cb)(const char *, const struct fl_err *, void *) = f->cb;
	void *arg = f->arg;
	char *copy = fl_xstrdup_null(addr); /* the instance's, which goes with the watch */

	find_free(f);
	cb(copy, err, arg);
	free(copy);
}

static void
on_find_change(struct fl_discoverd_service *s, void *arg)
{
	const struct fl_instance *leader = fl_discoverd_service_leader(s);

	if (leader != NULL)
		find_end(arg, leader->addr, NULL);
}

static void
on_find_timeout(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct find *f = arg;
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_TIMEOUT, "waited %d ms for service %s: %s", f->timeout_ms, f->service->name,
	    f->service->known ? "it has no instance" : "discoverd did not answer");
	find_end(f, NULL, &err);
}

void
fl_discoverd_find(struct fl_discoverd *d, const char *service, int timeout_ms,
    void (*cb)(const char *addr, const struct fl_err *err, void *arg), void *arg)
{
	struct find *f = fl_xcalloc(1, sizeof(*f));
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };

	*f = (struct find){ .d = d, .timeout_ms = timeout_ms, .cb = cb, .arg = arg };
	TAILQ_INSERT_TAIL(&d->finds, f, link);
	f->timer = evtimer_new(d->base, on_find_timeout, f);
	evtimer_add(f->timer, &tv);
	f->service = fl_discoverd_watch(d, service, on_find_change, f);
}
