#include "router/sync_internal.h"

#include <event2/event.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"
#include "router/backend.h"
#include "router/plane.h"
#include "router/reclaim.h"
#include "router/route.h"
#include "router/table.h"
#include "router/tally.h"
#include "router/tls_cert.h"

/* How often certificates that nobody asks for are looked for. */
#define COOL_S (TLS_CERT_WARM_S / 5)
/* When the heap is trimmed after the last of several that were read or let go of. */
#define TRIM_S 3
/*
 * How long a route that was given another service stays with the old one at most, until discoverd has said where the new
 * one runs: the API waits a little longer before it answers.
 */
#define STAND_IN_MS 900
/* So many routes do not vanish all at once but by an accident. */
#define RESTORE_MIN 2

void
sync_publish_soon(struct sync *s)
{
	s->is_dirty = true;
	event_active(s->publish, EV_TIMEOUT, 0);
}

static const char *
maintenance_of(const struct route *r)
{
	if (!r->maintenance)
		return NULL;
	return r->maintenance_text != NULL ? r->maintenance_text : "this site is down for maintenance, and will be back soon";
}

/* old: what it replaces, or NULL. */
static struct live *
live_new(struct sync *s, struct route *route, const struct fl_etcd_kv *kv, const struct live *old)
{
	struct live *l = fl_xcalloc(1, sizeof(*l));
	struct tls_cert *cert = NULL;
	struct fl_err err = { 0 };
	char *key = route_key(route);

	/* The route works without HTTPS, then. */
	if (route->tls_cert != NULL && (cert = tls_cert_load(route->tls_cert, route->tls_key, &err)) == NULL)
		fl_log_warn("no HTTPS for a route", fl_str("route", route->id), fl_str("domain", route->domain), fl_str("err", err.msg));
	if (cert != NULL)
		evtimer_add(s->trim, &(struct timeval){ .tv_sec = TRIM_S });
	if (cert != NULL && !evtimer_pending(s->cool, NULL))
		evtimer_add(s->cool, &(struct timeval){ .tv_sec = COOL_S });
	l->route = route;
	l->watched = sync_watch(s, route->service);
	l->tally = old != NULL ? old->tally : tally_new(++s->n_tallies, s->cfg.n_workers);
	l->tally->n_routes++;
	l->target = target_new(&(struct target_spec){
	    .key = key,
	    .path = route->path,
	    .service = l->watched->service,
	    .cert = cert,
	    .tally = l->tally,
	    .sticky = route->sticky,
	    .leader = route->leader,
	    .redirect_https = route->redirect_https,
	    .maintenance = maintenance_of(route),
	});
	l->create_rev = kv->create_rev;
	l->mod_rev = kv->mod_rev;
	free(key);
	return l;
}

void
sync_live_free(struct sync *s, struct live *l)
{
	reclaim_retire(s->cfg.plane->reclaim, l->target, target_free, NULL);
	if (--l->tally->n_routes == 0)
		reclaim_retire(s->cfg.plane->reclaim, l->tally, tally_free, tally_is_busy);
	sync_unwatch(s, l->watched);
	route_free(l->route);
	free(l);
}

static void
insert(struct sync *s, struct live *l)
{
	struct live *at;

	/* Almost always the newest; after a full read they come in order. */
	TAILQ_FOREACH(at, &s->routes, link) {
		if (at->create_rev <= l->create_rev)
			break;
	}
	if (at != NULL)
		TAILQ_INSERT_BEFORE(at, l, link);
	else
		TAILQ_INSERT_TAIL(&s->routes, l, link);
	fl_map_set(s->by_id, l->route->id, l);
	l->is_closed = l->route->type == ROUTE_TCP && !l->is_listening;
	if (l->is_closed)
		TAILQ_INSERT_TAIL(&s->closed, l, closed_link);
}

static void
uninsert(struct sync *s, struct live *l)
{
	fl_map_remove(s->by_id, l->route->id);
	TAILQ_REMOVE(&s->routes, l, link);
	if (l->is_closed)
		TAILQ_REMOVE(&s->closed, l, closed_link);
	l->is_closed = false;
}

/* The route does not need its stand-in any more, if it has one. */
static void
relieve(struct sync *s, struct live *l)
{
	if (l->stand_in == NULL)
		return;
	TAILQ_INSERT_HEAD(&s->dropped, l->stand_in, link); /* the last ones are those that vanish */
	l->stand_in = NULL;
	s->n_stand_ins--;
	sync_publish_soon(s);
}

static void
drop(struct sync *s, struct live *l)
{
	relieve(s, l);
	uninsert(s, l);
	TAILQ_INSERT_TAIL(&s->dropped, l, link);
	sync_publish_soon(s);
}

bool
sync_is_live_known(const struct live *l)
{
	return atomic_load(&l->watched->service->is_known);
}

/* Those of services that are known by now, and those who have stood in for long enough. */
static void
relieve_stand_ins(struct sync *s)
{
	int64_t now_ms = fl_clock_ms(), wait_ms = STAND_IN_MS;
	struct live *l;

	if (s->n_stand_ins == 0)
		return;
	TAILQ_FOREACH(l, &s->routes, link) {
		if (l->stand_in == NULL)
			continue;
		if (sync_is_live_known(l) || now_ms >= l->stand_until_ms)
			relieve(s, l);
		else if (l->stand_until_ms - now_ms < wait_ms)
			wait_ms = l->stand_until_ms - now_ms;
	}
	if (s->n_stand_ins > 0)
		evtimer_add(s->publish, &(struct timeval){ .tv_usec = wait_ms * 1000 });
}

/*
 * l takes the place of old. Where it leads may not be known yet: then old serves on for a while, lest those who come
 * meanwhile are turned away.
 */
static void
replace(struct sync *s, struct live *old, struct live *l)
{
	struct live *serves = old->stand_in != NULL ? old->stand_in : old;

	uninsert(s, old);
	if (!sync_is_live_known(l) && sync_is_live_known(serves) && !serves->is_new) {
		l->stand_in = serves;
		l->stand_until_ms = serves == old ? fl_clock_ms() + STAND_IN_MS : old->stand_until_ms;
		s->n_stand_ins += serves == old;
		old->stand_in = NULL;
		if (serves != old)
			TAILQ_INSERT_HEAD(&s->dropped, old, link);
	} else {
		relieve(s, old);
		TAILQ_INSERT_TAIL(&s->dropped, old, link);
	}
}

static struct route *
parse(const struct fl_etcd_kv *kv, struct fl_err *err)
{
	struct fl_json *v = fl_json_parse(kv->value, kv->value_len, err);
	struct route *route = NULL;

	if (v != NULL && (route = route_parse(v, err)) != NULL &&
	    (route->id == NULL || strcmp(route->id, kv->key + strlen(SYNC_PREFIX)) != 0)) {
		fl_err_set(err, FL_ERR_INVALID, "it is stored under a key that is not its own");
		route_free(route);
		route = NULL;
	}
	fl_json_free(v);
	return route;
}

static void
on_put(const struct fl_etcd_kv *kv, void *arg)
{
	struct sync *s = arg;
	const char *id = kv->key + strlen(SYNC_PREFIX);
	struct live *old = fl_map_get(s->by_id, id), *l;
	struct fl_err err = { 0 };
	struct route *route = parse(kv, &err);

	if (route == NULL) {
		fl_log_warn("route in etcd ignored", fl_str("route", id), fl_str("err", err.msg));
		if (old != NULL)
			drop(s, old);
		return;
	}
	l = live_new(s, route, kv, old);
	if (old != NULL) {
		l->is_listening = old->is_listening; /* the same port, as it is the same id */
		old->is_listening = false;
		replace(s, old, l);
	}
	l->is_new = l->stand_in == NULL;
	s->n_new += l->is_new;
	insert(s, l);
	sync_publish_soon(s);
}

static void
on_delete(const char *key, void *arg)
{
	struct sync *s = arg;
	struct live *l = fl_map_get(s->by_id, key + strlen(SYNC_PREFIX));

	if (l == NULL)
		return;
	drop(s, l);
	s->n_vanished++;
}

static void
on_put_back(FL_UNUSED int64_t rev, const struct fl_err *err, FL_UNUSED void *arg)
{
	if (err != NULL && err->kind != FL_ERR_CONFLICT) /* another router was first */
		fl_log_warn("cannot put a route back into etcd", fl_str("err", err->msg));
}

static void
put_back(struct sync *s, const struct live *l)
{
	char *key = fl_xasprintf("%s%s", SYNC_PREFIX, l->route->id);
	struct fl_buf b = { 0 };

	route_write(l->route, &b, true);
	fl_etcd_put(s->cfg.etcd, key, fl_buf_cstr(&b), 0, FL_ETCD_ABSENT, on_put_back, NULL);
	explicit_bzero(b.data, b.len); /* it has the private key */
	fl_buf_release(&b);
	free(key);
}

/*
 * An etcd that lost its data has no route at all, which a living cluster never has: the platform's own
 * stand for ever. We do not forget with it. Those that a full read did not find were dropped since the
 * last table was made.
 */
static void
restore(struct sync *s)
{
	struct live *l;

	fl_log_warn("etcd has come back empty: putting back the routes", fl_int("routes", s->n_vanished));
	while ((l = TAILQ_LAST(&s->dropped, live_list)) != NULL && s->n_vanished-- > 0) {
		TAILQ_REMOVE(&s->dropped, l, link);
		insert(s, l);
		put_back(s, l);
	}
}

static void
on_synced(void *arg)
{
	struct sync *s = arg;

	if (fl_map_count(s->by_id) == 0 && s->n_vanished >= RESTORE_MIN)
		restore(s);
	s->n_vanished = 0;
	if (!s->is_ready)
		fl_log_info("routes are known", fl_int("routes", fl_map_count(s->by_id)));
	s->is_ready = true;
	sync_publish_soon(s);
}

/* Certificates take many times their size while they are looked into, of which nothing is needed afterwards. */
static void
on_trim(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, FL_UNUSED void *arg)
{
	malloc_trim(0);
}

static void
on_publish(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct sync *s = arg;
	struct plane *plane = s->cfg.plane;

	relieve_stand_ins(s);
	sync_renew_table(s);
	sync_open_ports(s);
	s->is_dirty = false;
	s->n_vanished = 0;
	if (s->is_ready)
		atomic_store(&plane->is_synced, true);
	if (s->cfg.on_change != NULL)
		s->cfg.on_change(s->cfg.arg);
}

static void
on_cool(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct sync *s = arg;
	const struct live *l;
	bool has_any = false;

	TAILQ_FOREACH(l, &s->routes, link) {
		if (l->target->cert == NULL)
			continue;
		has_any = true;
		if (tls_cert_cool(l->target->cert, s->cfg.plane->reclaim))
			evtimer_add(s->trim, &(struct timeval){ .tv_sec = TRIM_S });
	}
	if (has_any)
		evtimer_add(s->cool, &(struct timeval){ .tv_sec = COOL_S });
}

struct sync *
sync_new(const struct sync_config *config)
{
	static const struct fl_etcd_mirror_ops ops = { on_put, on_delete, on_synced };
	struct sync *s = fl_xcalloc(1, sizeof(*s));

	s->cfg = *config;
	s->by_id = fl_map_new();
	s->services = fl_map_new();
	TAILQ_INIT(&s->routes);
	TAILQ_INIT(&s->closed);
	TAILQ_INIT(&s->dropped);
	fl_random_bytes(&s->seed, sizeof(s->seed));
	s->publish = evtimer_new(config->base, on_publish, s);
	s->cool = evtimer_new(config->base, on_cool, s);
	s->trim = evtimer_new(config->base, on_trim, s);
	s->mirror = fl_etcd_mirror_start(config->etcd, SYNC_PREFIX, &ops, s);
	return s;
}

static void
free_list(struct sync *s, struct live_list *list)
{
	struct live *l;

	while ((l = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, l, link);
		if (l->stand_in != NULL)
			sync_live_free(s, l->stand_in);
		sync_live_free(s, l);
	}
}

void
sync_free(struct sync *s)
{
	if (s == NULL)
		return;
	fl_etcd_mirror_free(s->mirror);
	event_free(s->publish);
	event_free(s->cool);
	event_free(s->trim);
	s->cfg.n_workers = 0; /* they have gone before: nobody is to be told */
	free_list(s, &s->dropped);
	free_list(s, &s->routes);
	fl_map_free(s->by_id);
	fl_map_free(s->services);
	free(s);
}

bool
sync_is_ready(const struct sync *s)
{
	return s->is_ready;
}

bool
sync_is_applied(const struct sync *s)
{
	return !s->is_dirty;
}

const struct route *
sync_find(const struct sync *s, const char *id, int64_t *rev)
{
	const struct live *l = fl_map_get(s->by_id, id);

	if (l == NULL)
		return NULL;
	if (rev != NULL)
		*rev = l->mod_rev;
	return l->route;
}

bool
sync_is_complete(const struct sync *s)
{
	if (!s->is_ready || s->is_dirty)
		return false;
	FL_MAP_EACH(s->services, e) {
		const struct watched *w = fl_map_value(e);

		if (!atomic_load(&w->service->is_known))
			return false;
	}
	return true;
}

size_t
sync_count(const struct sync *s)
{
	return fl_map_count(s->by_id);
}

void
sync_each(const struct sync *s, void (*each)(const struct route *r, void *arg), void *arg)
{
	const struct live *l;

	TAILQ_FOREACH(l, &s->routes, link)
		each(l->route, arg);
}

void
sync_each_tally(const struct sync *s, void (*each)(const struct route *r, const struct tally *t, void *arg), void *arg)
{
	const struct live *l;

	TAILQ_FOREACH(l, &s->routes, link)
		each(l->route, l->tally, arg);
}
