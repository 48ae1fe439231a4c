#include "router/sync_internal.h"

#include <stdlib.h>

#include "libflynn/discoverd.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"
#include "router/backend.h"
#include "router/plane.h"
#include "router/starting.h"
#include "router/worker.h"

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
		sync_publish_soon(w->sync); /* TCP routes to it are listened on from now on */
	set_hope(w, atomic_load(&w->service->set)->n, had_none);
	fl_log_debug("instances", fl_str("service", w->service->name), fl_int("n", n));
	free(addrs);
	free(releases);
	if (cfg->on_change != NULL)
		cfg->on_change(cfg->arg);
}

struct watched *
sync_watch(struct sync *s, const char *name)
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

void
sync_unwatch(struct sync *s, struct watched *w)
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

bool
sync_is_service_known(const struct sync *s, const char *service)
{
	const struct watched *w = fl_map_get(s->services, service);

	return w != NULL && atomic_load(&w->service->is_known);
}
