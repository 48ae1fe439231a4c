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
#include "libflynn/sse_client.h"
#include "libflynn/xmalloc.h"

struct picture {
	struct fl_instance **instances; /* by index */
	size_t n;
	char *leader_id; /* NULL: nobody has said */
};

struct fl_discoverd_service {
	TAILQ_ENTRY(fl_discoverd_service) link;
	struct fl_discoverd *d;
	char *name;
	size_t at; /* the address in use */
	struct fl_sse_client *sse;
	struct picture shown, drawn;
	bool known, drawing;
	void (*on_change)(struct fl_discoverd_service *s, void *arg);
	void *arg;
};

struct find {
	TAILQ_ENTRY(find) link;
	struct fl_discoverd *d;
	struct fl_discoverd_service *service;
	struct event *timer;
	int timeout_ms;
	void (*cb)(const char *addr, const struct fl_err *err, void *arg);
	void *arg;
};

static void
picture_release(struct picture *p)
{
	for (size_t i = 0; i < p->n; i++)
		fl_instance_free(p->instances[i]);
	free(p->instances);
	free(p->leader_id);
	*p = (struct picture){ 0 };
}

static void
picture_remove(struct picture *p, const char *id)
{
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->instances[i]->id, id) != 0)
			continue;
		fl_instance_free(p->instances[i]);
		memmove(&p->instances[i], &p->instances[i + 1], (p->n - i - 1) * sizeof(struct fl_instance *));
		p->n--;
		return;
	}
}

/* Takes instance. */
static void
picture_put(struct picture *p, struct fl_instance *instance)
{
	size_t i;

	picture_remove(p, instance->id);
	p->instances = fl_xreallocarray(p->instances, p->n + 1, sizeof(struct fl_instance *));
	for (i = p->n; i > 0 && p->instances[i - 1]->index > instance->index; i--)
		p->instances[i] = p->instances[i - 1];
	p->instances[i] = instance;
	p->n++;
}

/* One event into the picture. Returns whether it changes what can be seen. */
static bool
picture_apply(struct picture *p, const char *kind, const struct fl_json *v)
{
	struct fl_instance *instance = fl_instance_parse(v);
	bool changes = true;

	if (instance == NULL)
		return false;
	if (strcmp(kind, "up") == 0 || strcmp(kind, "update") == 0) {
		picture_put(p, instance);
		return true;
	}
	if (strcmp(kind, "down") == 0) {
		picture_remove(p, instance->id);
	} else if (strcmp(kind, "leader") == 0) {
		free(p->leader_id);
		p->leader_id = fl_xstrdup(instance->id);
	} else {
		changes = false;
	}
	fl_instance_free(instance);
	return changes;
}

static char *
service_url(void *arg)
{
	const struct fl_discoverd_service *s = arg;

	return fl_xasprintf("%s/services/%s", s->d->urls[s->at], s->name);
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
	const char *kind = fl_json_str(fl_json_get(v, "kind"), "");
	bool changed = false;

	if (strcmp(kind, "current") == 0 && s->drawing) {
		picture_release(&s->shown);
		s->shown = s->drawn;
		s->drawn = (struct picture){ 0 };
		s->drawing = false;
		s->known = true;
		changed = true;
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

struct fl_discoverd_service *
fl_discoverd_watch(struct fl_discoverd *d, const char *name,
    void (*on_change)(struct fl_discoverd_service *s, void *arg), void *arg)
{
	static const struct fl_sse_client_ops ops = { service_url, on_open, on_event, on_error };
	struct fl_discoverd_service *s = fl_xcalloc(1, sizeof(*s));

	s->d = d;
	s->name = fl_xstrdup(name);
	s->on_change = on_change;
	s->arg = arg;
	TAILQ_INSERT_TAIL(&d->services, s, link);
	s->sse = fl_sse_client_start(d->http, &ops, s);
	return s;
}

void
fl_discoverd_unwatch(struct fl_discoverd_service *s)
{
	if (s == NULL)
		return;
	TAILQ_REMOVE(&s->d->services, s, link);
	fl_sse_client_free(s->sse);
	picture_release(&s->shown);
	picture_release(&s->drawn);
	free(s->name);
	free(s);
}

const char *
fl_discoverd_service_name(const struct fl_discoverd_service *s)
{
	return s->name;
}

bool
fl_discoverd_service_known(const struct fl_discoverd_service *s)
{
	return s->known;
}

size_t
fl_discoverd_service_count(const struct fl_discoverd_service *s)
{
	return s->shown.n;
}

const struct fl_instance *
fl_discoverd_service_at(const struct fl_discoverd_service *s, size_t i)
{
	return i < s->shown.n ? s->shown.instances[i] : NULL;
}

/* Who discoverd said leads; until it has said so, or after that one went, the oldest. */
const struct fl_instance *
fl_discoverd_service_leader(const struct fl_discoverd_service *s)
{
	const struct picture *p = &s->shown;

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
