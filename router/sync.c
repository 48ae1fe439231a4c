#include "router/sync.h"

#include <event2/event.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/discoverd.h"
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
#include "router/starting.h"
#include "router/sockets.h"
#include "router/table.h"
#include "router/tally.h"
#include "router/tls_cert.h"
#include "router/worker.h"

/* How long until a port that could not be listened on is tried again. */
#define LISTEN_AGAIN_S 2
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

/* A service that routes name, and its watch. */
struct watched {
	struct sync *sync;
	struct service *service;
	struct fl_discoverd_service *watch;
	struct starting *starting; /* while it has no instance; NULL: it has, or is not known */
	size_t n_routes;
};

/* A route that is in the table, or will be when it is next made. */
struct live {
	TAILQ_ENTRY(live) link; /* in routes, the newest first; or in dropped */
	bool is_new; /* not in a table yet */
	struct route *route;
	struct target *target;
	struct tally *tally; /* shared with those that it replaces, or that replace it */
	struct watched *watched;
	struct live *stand_in; /* what it replaces and who serves in its place, until stand_until_ms at most; or NULL */
	int64_t stand_until_ms;
	int64_t create_rev, mod_rev;
	bool is_listening; /* TCP: workers have its port */
	bool is_closed;	   /* TCP: they are to be given it, when it is known where it leads */
	TAILQ_ENTRY(live) closed_link;
};

TAILQ_HEAD(live_list, live);

struct sync {
	struct sync_config cfg;
	struct fl_etcd_mirror *mirror;
	struct fl_map *by_id;	 /* of struct live */
	struct fl_map *services; /* of struct watched */
	struct live_list routes;
	struct live_list closed;  /* of routes, those that are: few, while those may be ten thousand */
	struct live_list dropped; /* out of by_id, still in the table */
	struct event *publish;	  /* soon: several changes make one table */
	struct event *trim;	  /* the heap, soon */
	struct event *cool;	  /* certificates that nobody asks for; pending while a route has one */
	uint64_t seed;
	uint32_t n_tallies; /* made so far */
	bool is_ready, is_dirty;
	size_t n_vanished; /* deleted since the last table was made */
	size_t n_new;	   /* of routes, not in a table yet */
	size_t n_stand_ins;
};

static void
publish_soon(struct sync *s)
{
	s->is_dirty = true;
	event_active(s->publish, EV_TIMEOUT, 0);
}

/* Say whether there is hope for who comes while the service has no instance, and tell those who wait. */
static void
on_hope(void *arg)
{
	struct watched *w = arg;
	const struct sync_config *cfg = &w->sync->cfg;

	atomic_store(&w->service->is_hopeful, starting_is_hopeful(w->starting));
	for (size_t i = 0; atomic_load(&w->service->n_waiting) > 0 && i < cfg->n_workers; i++)
		worker_rouse(cfg->workers[i]);
}

/* The service has n instances, and had none before, or not. */
static void
set_hope(struct watched *w, size_t n, bool had_none)
{
	const struct sync_config *cfg = &w->sync->cfg;

	if (n > 0) {
		starting_free(w->starting);
		w->starting = NULL;
	} else if (w->starting == NULL) {
		w->starting = starting_new(cfg->base, cfg->discoverd, w->service->name, !had_none, on_hope, w);
	}
	on_hope(w);
}

/* Some instances are no service's any more. */
static void
sweep(const struct sync *s)
{
	for (size_t i = 0; i < s->cfg.n_workers; i++)
		worker_sweep(s->cfg.workers[i]);
}

static void
on_instances(struct fl_discoverd_service *service, void *arg)
{
	struct watched *w = arg;
	struct sync_config *cfg = &w->sync->cfg;
	const struct fl_instance *leader = fl_discoverd_service_leader(service);
	size_t n = fl_discoverd_service_count(service);
	const char **addrs = fl_xcalloc(n + 1, sizeof(*addrs)), **releases = fl_xcalloc(n + 1, sizeof(*releases));
	bool had_none;

	for (size_t i = 0; i < n; i++) {
		const struct fl_instance *instance = fl_discoverd_service_at(service, i);

		addrs[i] = instance->addr;
		releases[i] = instance->meta != NULL ? fl_map_get(instance->meta, "FLYNN_RELEASE_ID") : NULL;
	}
	had_none = atomic_load(&w->service->set)->n == 0;
	if (n == 0)
		set_hope(w, 0, had_none); /* before: nobody must see neither instances nor hope */
	if (service_update(w->service, addrs, releases, n, leader != NULL ? leader->addr : NULL, cfg->plane->reclaim))
		sweep(w->sync);
	if (!atomic_exchange(&w->service->is_known, true))
		publish_soon(w->sync); /* TCP routes to it are listened on from now on */
	set_hope(w, atomic_load(&w->service->set)->n, had_none);
	fl_log_debug("instances", fl_str("service", w->service->name), fl_int("n", n));
	free(addrs);
	free(releases);
	if (cfg->on_change != NULL)
		cfg->on_change(cfg->arg);
}

static struct watched *
watch(struct sync *s, const char *name)
{
	struct watched *w = fl_map_get(s->services, name);

	if (w == NULL) {
		w = fl_xcalloc(1, sizeof(*w));
		w->sync = s;
		w->service = service_new(name, s->cfg.n_workers);
		w->service->sticky_key = s->cfg.plane->sticky_key;
		fl_map_set(s->services, name, w);
		w->watch = fl_discoverd_watch(s->cfg.discoverd, name, on_instances, w);
	}
	w->n_routes++;
	return w;
}

/* No table leads to the service any more, as far as this route goes. */
static void
unwatch(struct sync *s, struct watched *w)
{
	bool has_some = atomic_load(&w->service->set)->n > 0;

	if (--w->n_routes > 0)
		return;
	fl_discoverd_unwatch(w->watch);
	starting_free(w->starting);
	w->starting = NULL;
	on_hope(w); /* of those who still wait */
	fl_map_remove(s->services, w->service->name);
	service_retire(w->service, s->cfg.plane->reclaim);
	if (has_some)
		sweep(s);
	free(w);
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
	l->watched = watch(s, route->service);
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

/* Its target is in no table any more. */
static void
live_free(struct sync *s, struct live *l)
{
	reclaim_retire(s->cfg.plane->reclaim, l->target, target_free, NULL);
	if (--l->tally->n_routes == 0)
		reclaim_retire(s->cfg.plane->reclaim, l->tally, tally_free, tally_is_busy);
	unwatch(s, l->watched);
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
	publish_soon(s);
}

static void
drop(struct sync *s, struct live *l)
{
	relieve(s, l);
	uninsert(s, l);
	TAILQ_INSERT_TAIL(&s->dropped, l, link);
	publish_soon(s);
}

static bool
is_known(const struct live *l)
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
		if (is_known(l) || now_ms >= l->stand_until_ms)
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
	if (!is_known(l) && is_known(serves) && !serves->is_new) {
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
	publish_soon(s);
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
	publish_soon(s);
}

/* Let workers listen on a TCP route's port. */
static int
listen_all(struct sync *s, int port, struct fl_err *err)
{
	char *addr = fl_xasprintf("%s:%d", s->cfg.tcp_ip, port);
	size_t n = 0;
	int *fds = sockets_bind(s->cfg.inherited, SOCKET_TCP, addr, s->cfg.n_workers, &n, err);

	free(addr);
	if (fds == NULL)
		return -1;
	if (sockets_listen(fds, n, err) == -1) {
		sockets_close(fds, n);
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		worker_listen(s->cfg.workers[i % s->cfg.n_workers], fds[i], port, false, true);
	sockets_add(s->cfg.listening, SOCKET_TCP, port, fds, n);
	free(fds);
	return 0;
}

static void
unlisten_all(struct sync *s, int port)
{
	free(sockets_remove(s->cfg.listening, SOCKET_TCP, port));
	for (size_t i = 0; i < s->cfg.n_workers; i++)
		worker_unlisten(s->cfg.workers[i], port);
}

static void
open_ports(struct sync *s)
{
	struct timeval again = { .tv_sec = LISTEN_AGAIN_S };
	struct live *l, *next;

	TAILQ_FOREACH_SAFE(l, &s->closed, closed_link, next) {
		struct fl_err err = { 0 };

		/* Until discoverd has said where they lead, connections could only be closed. */
		if (!is_known(l))
			continue;
		if (listen_all(s, l->route->port, &err) == 0) {
			l->is_listening = true;
			l->is_closed = false;
			TAILQ_REMOVE(&s->closed, l, closed_link);
			continue;
		}
		fl_log_warn("a TCP route waits for its port", fl_str("route", l->route->id), fl_str("err", err.msg));
		evtimer_add(s->publish, &again);
	}
}

static void
free_dropped(struct sync *s)
{
	struct live *l;

	while ((l = TAILQ_FIRST(&s->dropped)) != NULL) {
		TAILQ_REMOVE(&s->dropped, l, link);
		if (l->is_listening)
			unlisten_all(s, l->route->port);
		live_free(s, l);
	}
}

/*
 * Most often a route or two have come: then the table there is is copied and added to, which takes a tenth of making it
 * of ten thousand routes. NULL: another is needed.
 */
static struct table *
add_to_table(struct sync *s, const struct table *old)
{
	struct table *table;
	struct live *l;

	if (!TAILQ_EMPTY(&s->dropped) || old->seed != s->seed || (table = table_copy(old, s->n_new)) == NULL)
		return NULL;
	TAILQ_FOREACH(l, &s->routes, link) {
		if (s->n_new == 0)
			break;
		if (l->is_new)
			table_add(table, l->target);
		s->n_new -= l->is_new;
		l->is_new = false;
	}
	return table;
}

static struct table *
make_table(struct sync *s)
{
	struct table *table = table_new(fl_map_count(s->by_id), s->seed);
	struct live *l;

	TAILQ_FOREACH(l, &s->routes, link) {
		table_add(table, l->stand_in != NULL ? l->stand_in->target : l->target);
		l->is_new = false;
	}
	s->n_new = 0;
	return table;
}

/* Let workers go by what is live now. */
static void
renew_table(struct sync *s)
{
	struct plane *plane = s->cfg.plane;
	const struct table *old = atomic_load(&plane->table);
	struct table *table;

	if (s->n_new == 0 && TAILQ_EMPTY(&s->dropped))
		return;
	if ((table = add_to_table(s, old)) == NULL)
		table = make_table(s);
	atomic_store(&plane->table, table);
	reclaim_retire(plane->reclaim, (void *)old, table_free, NULL);
	free_dropped(s);
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
	renew_table(s);
	open_ports(s);
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
			live_free(s, l->stand_in);
		live_free(s, l);
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
sync_is_service_known(const struct sync *s, const char *service)
{
	const struct watched *w = fl_map_get(s->services, service);

	return w != NULL && atomic_load(&w->service->is_known);
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
