#include "discoverd/store.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "discoverd/instance.h"
#include "discoverd/registry.h"
#include "discoverd/roster.h"
#include "discoverd/store_private.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

char *
record_key(const char *service, const char *id)
{
	return fl_xasprintf(KEY_INSTANCES "%s/%s", service, id);
}

char *
record_text(const struct instance *i, const char *session, const char *life)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	instance_write_members(i, &w);
	fl_jsonw_str(&w, "session", session);
	fl_jsonw_str(&w, "life", life);
	fl_jsonw_close(&w, '}');
	return fl_buf_detach(&b);
}

static void
show_service(struct store *st, const char *name, const struct fl_json *v, const struct fl_etcd_kv *kv)
{
	const char *type = fl_json_str(fl_json_get(v, "leader_type"), "oldest");

	fl_map_remove(st->lost, name);
	registry_put_service(st->registry, name, strcmp(type, "manual") == 0, kv->mod_rev);
	registry_choose_leader(st->registry, name, fl_json_str(fl_json_get(v, "leader_id"), NULL));
}

static void
show_meta(struct store *st, const char *name, FL_UNUSED const struct fl_json *v, const struct fl_etcd_kv *kv)
{
	fl_map_remove(st->lost_meta, name);
	registry_set_meta(st->registry, name, kv->value, (uint64_t)kv->mod_rev);
}

static void
show_session(struct store *st, const char *id, const struct fl_json *v, const struct fl_etcd_kv *kv)
{
	const char *life = fl_json_text(v, "life");
	int64_t ttl_s = SESSION_TTL_S;

	fl_json_member_int(v, "ttl_s", 1, SESSION_TTL_MAX_S, &ttl_s, NULL);
	roster_put_session(st->roster, id, life, (int)ttl_s, kv->lease, kv->mod_rev, fl_json_bool(fl_json_get(v, "gone"), false));
}

/* rest: "<service>/<id>". An index in the record is from before etcd forgot it: seniority lasts. */
static void
show_record(struct store *st, const char *rest, const struct fl_json *v, const struct fl_etcd_kv *kv)
{
	char *service = fl_xstrndup(rest, strcspn(rest, "/"));
	struct fl_err err = { 0 };
	struct instance *i = instance_parse(v, &err);

	if (i == NULL) {
		fl_log_warn("ignored a record in etcd", fl_str("service", service), fl_str("err", err.msg));
	} else {
		i->index = (uint64_t)fl_json_int(fl_json_get(v, "index"), kv->create_rev);
		roster_put_record(st->roster, service, fl_json_text(v, "session"), fl_json_text(v, "life"),
		    i, kv->mod_rev);
	}
	free(service);
}

static void
hide_service(struct store *st, const char *name)
{
	fl_map_set(st->lost, name, st);
}

static void
hide_meta(struct store *st, const char *name)
{
	fl_map_set(st->lost_meta, name, st);
}

static void
hide_session(struct store *st, const char *id)
{
	roster_lose_session(st->roster, id);
}

static void
hide_record(struct store *st, const char *rest)
{
	char *service = fl_xstrndup(rest, strcspn(rest, "/"));

	if (rest[strlen(service)] == '/')
		roster_lose_record(st->roster, service, rest + strlen(service) + 1);
	free(service);
}

static const struct kind {
	const char *prefix;
	void (*show)(struct store *st, const char *rest, const struct fl_json *v, const struct fl_etcd_kv *kv);
	void (*hide)(struct store *st, const char *rest);
} kinds[] = {
	{ KEY_SERVICES, show_service, hide_service },
	{ KEY_META, show_meta, hide_meta },
	{ KEY_INSTANCES, show_record, hide_record },
	{ KEY_SESSIONS, show_session, hide_session },
};

static const struct kind *
kind_of(const char *key, const char **rest)
{
	for (size_t i = 0; i < fl_nitems(kinds); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (strncmp(key, kinds[i].prefix, len) == 0) {
			*rest = key + len;
			return &kinds[i];
		}
	}
	return NULL;
}

static void
on_put(const struct fl_etcd_kv *kv, void *arg)
{
	struct store *st = arg;
	struct fl_err err = { 0 };
	const char *rest = NULL;
	const struct kind *kind = kind_of(kv->key, &rest);
	struct fl_json *v = fl_json_parse(kv->value, kv->value_len, &err);

	if (kv->mod_rev > st->seen_rev)
		st->seen_rev = kv->mod_rev;
	if (v == NULL)
		fl_log_warn("ignored a value in etcd", fl_str("key", kv->key), fl_str("err", err.msg));
	else if (kind != NULL)
		kind->show(st, rest, v, kv);
	fl_json_free(v);
	store_touch(st);
}

static void
on_delete(const char *key, void *arg)
{
	struct store *st = arg;
	const char *rest = NULL;
	const struct kind *kind = kind_of(key, &rest);

	if (kind != NULL)
		kind->hide(st, rest);
	changes_key_deleted(st, key);
	store_touch(st);
}

static void
on_settle(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct store *st = arg;
	int64_t wait_ms;

	if (!registry_is_known(st->registry))
		return; /* judged once all of it was read */
	wait_ms = roster_settle(st->roster, fl_clock_ms());
	if (wait_ms >= 0) {
		struct timeval wait = { wait_ms / 1000, wait_ms % 1000 * 1000 };

		evtimer_add(st->settle, &wait);
	}
	store_settle_lost(st);
	changes_answer_shown(st);
}

void
store_touch(struct store *st)
{
	static const struct timeval now;

	evtimer_add(st->settle, &now);
}

/* Judged first, so that those watching get the living, then "current". */
static void
on_synced(void *arg)
{
	struct store *st = arg;

	if (registry_is_known(st->registry))
		return;
	roster_settle(st->roster, fl_clock_ms());
	store_settle_lost(st);
	registry_set_known(st->registry);
	store_touch(st);
	fl_log_info("etcd was read", fl_int("services", registry_count_services(st->registry)),
	    fl_int("instances", registry_count_instances(st->registry)));
}

static void
on_up(const char *service, const struct instance *i, void *arg)
{
	struct store *st = arg;

	registry_put_instance(st->registry, service, instance_dup(i));
	if (registry_find(st->registry, service) == NULL)
		fl_map_set(st->lost, service, st);
	fl_log_debug("instance up", fl_str("service", service), fl_str("addr", i->addr));
}

static void
on_down(const char *service, const char *id, void *arg)
{
	struct store *st = arg;

	registry_remove_instance(st->registry, service, id);
	fl_log_debug("instance down", fl_str("service", service), fl_str("instance", id));
}

/* Whatever comes of it, the roster asks again until the record is gone. */
static void
on_swept(FL_UNUSED int64_t rev, FL_UNUSED const struct fl_err *err, FL_UNUSED void *arg)
{
}

static void
on_dead(const char *service, const char *id, int64_t mod_rev, void *arg)
{
	struct store *st = arg;
	char *key = record_key(service, id);

	fl_etcd_delete_at(st->etcd, key, mod_rev, on_swept, st);
	free(key);
}

static void
on_expired(const char *session, FL_UNUSED void *arg)
{
	fl_log_info("session expired", fl_str("session", session));
}

struct store *
store_new(struct event_base *base, const char *etcd_urls, const char *key, struct registry *registry)
{
	static const struct fl_etcd_mirror_ops mirror_ops = { on_put, on_delete, on_synced };
	static const struct roster_ops roster_ops = { on_up, on_down, on_dead, on_expired };
	struct store *st = fl_xcalloc(1, sizeof(*st));

	*st = (struct store){ .base = base, .registry = registry };
	TAILQ_INIT(&st->changes);
	st->settle = evtimer_new(base, on_settle, st);
	st->lost = fl_map_new();
	st->lost_meta = fl_map_new();
	st->roster = roster_new(&roster_ops, st);
	st->etcd = fl_etcd_new(base, etcd_urls, key);
	st->mirror = fl_etcd_mirror_start(st->etcd, KEY_ROOT, &mirror_ops, st);
	return st;
}

void
store_free(struct store *st)
{
	if (st == NULL)
		return;
	fl_etcd_mirror_free(st->mirror);
	fl_etcd_free(st->etcd);
	changes_free(st);
	event_free(st->settle);
	roster_free(st->roster);
	fl_map_free(st->lost);
	fl_map_free(st->lost_meta);
	free(st);
}

size_t
store_count_sessions(const struct store *st)
{
	return roster_count_sessions(st->roster);
}
