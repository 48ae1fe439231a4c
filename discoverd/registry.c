#include "discoverd/registry.h"

#include <stdlib.h>
#include <string.h>

#include "discoverd/instance.h"
#include "libflynn/buf.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

struct registry {
	struct fl_map *services; /* name -> struct service */
	struct watch *watches;	 /* of all services */
	bool known;
	size_t n_services, n_instances, n_watches;
};

struct watch {
	struct registry *r;
	struct service *s; /* NULL: all */
	struct watch *next;
	unsigned kinds;
	bool started;
	bool busy, cancelled; /* busy: called back now, so it is freed later */
	void (*cb)(const char *json, void *arg);
	void *arg;
};

struct registry *
registry_new(void)
{
	struct registry *r = fl_xcalloc(1, sizeof(*r));

	r->services = fl_map_new();
	return r;
}

static void
service_free(void *arg)
{
	struct service *s = arg;

	for (size_t i = 0; i < s->n_instances; i++)
		instance_free(s->instances[i]);
	free(s->instances);
	free(s->name);
	free(s->chosen);
	free(s->meta);
	free(s);
}

void
registry_free(struct registry *r)
{
	if (r == NULL)
		return;
	fl_map_free_with(r->services, service_free);
	free(r);
}

static struct service *
service_get(struct registry *r, const char *name)
{
	struct service *s = fl_map_get(r->services, name);

	if (s == NULL) {
		s = fl_xcalloc(1, sizeof(*s));
		s->name = fl_xstrdup(name);
		fl_map_set(r->services, name, s);
	}
	return s;
}

/* Forgets a service that nothing refers to any more. */
static void
service_settle(struct registry *r, struct service *s)
{
	if (s->exists || s->n_instances > 0 || s->watches != NULL || s->meta != NULL || s->chosen != NULL)
		return;
	fl_map_remove(r->services, s->name);
	service_free(s);
}

const struct service *
registry_find(const struct registry *r, const char *name)
{
	const struct service *s = fl_map_get(r->services, name);

	return s != NULL && s->exists ? s : NULL;
}

const struct service *
registry_find_any(const struct registry *r, const char *name)
{
	const struct service *s = fl_map_get(r->services, name);

	return s != NULL && (s->exists || s->n_instances > 0) ? s : NULL;
}

static size_t
index_of(const struct service *s, const char *id)
{
	size_t i = 0;

	while (i < s->n_instances && strcmp(s->instances[i]->id, id) != 0)
		i++;
	return i;
}

const struct instance *
service_find(const struct service *s, const char *id)
{
	size_t i = index_of(s, id);

	return i < s->n_instances ? s->instances[i] : NULL;
}

bool
registry_is_known(const struct registry *r)
{
	return r->known;
}

size_t
registry_count_services(const struct registry *r)
{
	return r->n_services;
}

size_t
registry_count_instances(const struct registry *r)
{
	return r->n_instances;
}

size_t
registry_count_watches(const struct registry *r)
{
	return r->n_watches;
}

static const char *
kind_name(enum event_kind kind)
{
	switch (kind) {
	case EVENT_UP:
		return "up";
	case EVENT_UPDATE:
		return "update";
	case EVENT_DOWN:
		return "down";
	case EVENT_LEADER:
		return "leader";
	case EVENT_SERVICE_META:
		return "service_meta";
	case EVENT_CURRENT:
	case EVENT_ALL:
		break;
	}
	return "current";
}

/* The event's text; the caller frees. s NULL: of all services. i: of the kinds about an instance. */
static char *
event_text(const struct service *s, enum event_kind kind, const struct instance *i)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "service", s != NULL ? s->name : "");
	fl_jsonw_str(&w, "kind", kind_name(kind));
	if (i != NULL)
		instance_write(i, &w, "instance");
	if (kind == EVENT_SERVICE_META) {
		fl_jsonw_open(&w, "service_meta", '{');
		fl_jsonw_raw(&w, "data", s->meta);
		fl_jsonw_int(&w, "index", (int64_t)s->meta_index);
		fl_jsonw_close(&w, '}');
	}
	fl_jsonw_close(&w, '}');
	return fl_buf_detach(&b);
}

/* Calls w back; false when it is gone after that. */
static bool
watch_call(struct watch *w, const char *json)
{
	w->busy = true;
	w->cb(json, w->arg);
	w->busy = false;
	if (!w->cancelled)
		return true;
	free(w);
	return false;
}

static void
call_all(struct watch *w, enum event_kind kind, const char *json)
{
	for (struct watch *next; w != NULL; w = next) {
		next = w->next;
		if (w->started && (w->kinds & kind))
			watch_call(w, json);
	}
}

/* Tells all who may be told: none before the picture is known, and nothing of a service that does not exist. */
static void
emit(struct registry *r, struct service *s, enum event_kind kind, const struct instance *i)
{
	char *json;

	if (!r->known || !s->exists || (s->watches == NULL && r->watches == NULL))
		return;
	json = event_text(s, kind, i);
	call_all(s->watches, kind, json);
	call_all(r->watches, kind, json);
	free(json);
}

static bool
tell(struct watch *w, const struct service *s, enum event_kind kind, const struct instance *i)
{
	char *json;
	bool here = true;

	if (w->kinds & kind) {
		json = event_text(s, kind, i);
		here = watch_call(w, json);
		free(json);
	}
	return here;
}

/* Shows a new watcher one service; false when it is gone after that. */
static bool
show(struct watch *w, const struct service *s)
{
	if (!s->exists)
		return true;
	for (size_t i = 0; i < s->n_instances; i++)
		if (!tell(w, s, EVENT_UP, s->instances[i]))
			return false;
	if (s->leader != NULL && !tell(w, s, EVENT_LEADER, s->leader))
		return false;
	return s->meta == NULL || tell(w, s, EVENT_SERVICE_META, NULL);
}

/* Shows a new watcher everything. */
static void
snapshot(struct watch *w)
{
	if (w->s != NULL && !show(w, w->s))
		return;
	if (w->s == NULL) {
		FL_MAP_EACH (w->r->services, e)
			if (!show(w, fl_map_value(e)))
				return;
	}
	tell(w, w->s, EVENT_CURRENT, NULL);
}

static void
snapshot_all(struct watch *w)
{
	for (struct watch *next; w != NULL; w = next) {
		next = w->next;
		if (w->started)
			snapshot(w);
	}
}

void
registry_set_known(struct registry *r)
{
	if (r->known)
		return;
	r->known = true;
	FL_MAP_EACH (r->services, e) {
		const struct service *s = fl_map_value(e);

		snapshot_all(s->watches);
	}
	snapshot_all(r->watches);
}

static void
elect(struct registry *r, struct service *s)
{
	const struct instance *before = s->leader;

	if (s->manual)
		s->leader = s->chosen != NULL ? service_find(s, s->chosen) : NULL;
	else
		s->leader = s->n_instances > 0 ? s->instances[0] : NULL;
	if (s->leader != NULL && s->leader != before)
		emit(r, s, EVENT_LEADER, s->leader);
}

void
registry_put_service(struct registry *r, const char *name, bool manual, int64_t rev)
{
	struct service *s = service_get(r, name);
	bool is_new = !s->exists;

	r->n_services += is_new;
	s->exists = true;
	s->manual = manual;
	s->rev = rev;
	if (is_new) {
		/* What came ahead of it shows now. */
		s->leader = NULL;
		for (size_t i = 0; i < s->n_instances; i++)
			emit(r, s, EVENT_UP, s->instances[i]);
	}
	elect(r, s);
	if (is_new && s->meta != NULL)
		emit(r, s, EVENT_SERVICE_META, NULL);
}

void
registry_remove_service(struct registry *r, const char *name)
{
	struct service *s = fl_map_get(r->services, name);

	if (s == NULL || !s->exists)
		return;
	for (size_t i = 0; i < s->n_instances; i++)
		emit(r, s, EVENT_DOWN, s->instances[i]);
	r->n_services--;
	s->exists = false;
	s->leader = NULL;
	service_settle(r, s);
}

/* Puts i, which is not in the array, where its index belongs. */
static void
insert(struct service *s, struct instance *i)
{
	size_t at = s->n_instances;

	if (s->n_instances == s->cap) {
		s->cap = s->cap > 0 ? 2 * s->cap : 4;
		s->instances = fl_xreallocarray(s->instances, s->cap, sizeof(struct instance *));
	}
	for (; at > 0 && s->instances[at - 1]->index > i->index; at--)
		s->instances[at] = s->instances[at - 1];
	s->instances[at] = i;
	s->n_instances++;
}

static void
take_out(struct service *s, size_t at)
{
	s->n_instances--;
	memmove(s->instances + at, s->instances + at + 1, (s->n_instances - at) * sizeof(struct instance *));
}

void
registry_put_instance(struct registry *r, const char *service, struct instance *i)
{
	struct service *s = service_get(r, service);
	size_t at = index_of(s, i->id);
	struct instance *old = at < s->n_instances ? s->instances[at] : NULL;

	if (old != NULL && old->index == i->index && instance_eq(old, i)) {
		instance_free(i);
		return;
	}
	if (old != NULL)
		take_out(s, at);
	else
		r->n_instances++;
	insert(s, i);
	emit(r, s, old != NULL ? EVENT_UPDATE : EVENT_UP, i);
	if (s->leader == old && old != NULL && (s->manual || s->instances[0] == i))
		s->leader = i; /* leads as before */
	elect(r, s);
	instance_free(old);
}

void
registry_remove_instance(struct registry *r, const char *service, const char *id)
{
	struct service *s = fl_map_get(r->services, service);
	size_t at = s != NULL ? index_of(s, id) : 0;
	struct instance *gone;

	if (s == NULL || at == s->n_instances)
		return;
	gone = s->instances[at];
	take_out(s, at);
	r->n_instances--;
	emit(r, s, EVENT_DOWN, gone);
	elect(r, s);
	instance_free(gone);
	service_settle(r, s);
}

void
registry_set_meta(struct registry *r, const char *service, const char *json, uint64_t index)
{
	struct service *s = service_get(r, service);

	if (json != NULL && s->meta != NULL && index == s->meta_index)
		return;
	free(s->meta);
	s->meta = fl_xstrdup_null(json);
	s->meta_index = index;
	if (json != NULL)
		emit(r, s, EVENT_SERVICE_META, NULL);
	service_settle(r, s);
}

void
registry_choose_leader(struct registry *r, const char *service, const char *id)
{
	struct service *s = service_get(r, service);

	free(s->chosen);
	s->chosen = fl_xstrdup_null(id);
	if (s->manual)
		elect(r, s);
	service_settle(r, s);
}

struct watch *
registry_watch(struct registry *r, const char *service, unsigned kinds, void (*cb)(const char *json, void *arg), void *arg)
{
	struct watch *w = fl_xcalloc(1, sizeof(*w)), **first = &r->watches;

	*w = (struct watch){ .r = r, .kinds = kinds, .cb = cb, .arg = arg };
	if (service != NULL) {
		w->s = service_get(r, service);
		first = &w->s->watches;
	}
	w->next = *first;
	*first = w;
	r->n_watches++;
	return w;
}

void
registry_watch_start(struct watch *w)
{
	w->started = true;
	if (w->r->known)
		snapshot(w);
}

void
registry_unwatch(struct watch *w)
{
	struct watch **at = w->s != NULL ? &w->s->watches : &w->r->watches;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->r->n_watches--;
	w->cancelled = true;
	if (w->s != NULL)
		service_settle(w->r, w->s);
	if (!w->busy)
		free(w);
}
