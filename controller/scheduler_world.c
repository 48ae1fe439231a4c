#include <stdlib.h>
#include <string.h>

#include "controller/process_type.h"
#include "controller/scheduler_world.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/map.h"
#include "libflynn/process.h"
#include "libflynn/xmalloc.h"

void
world_init(struct world *w)
{
	*w = (struct world){ .formations = fl_map_new(), .hosts = fl_map_new(), .jobs_by_id = fl_map_new() };
	TAILQ_INIT(&w->jobs);
}

static void
formation_free(void *arg)
{
	struct formation *f = arg;

	free(f->app);
	free(f->release);
	fl_json_free(f->expanded);
	free(f);
}

static void
host_free(void *arg)
{
	struct host *h = arg;

	free(h->id);
	free(h->addr);
	free(h);
}

void
world_release(struct world *w)
{
	struct job *j;

	while ((j = TAILQ_FIRST(&w->jobs)) != NULL)
		world_remove_job(w, j);
	fl_map_free_with(w->formations, formation_free);
	fl_map_free_with(w->hosts, host_free);
	fl_map_free(w->jobs_by_id);
}

static char *
formation_key(const char *app, const char *release)
{
	return fl_xasprintf("%s:%s", app, release);
}

struct formation *
world_formation(const struct world *w, const char *app, const char *release)
{
	char *key = formation_key(app, release);
	struct formation *f = fl_map_get(w->formations, key);

	free(key);
	return f;
}

void
world_remove_formation(struct world *w, struct formation *f)
{
	char *key = formation_key(f->app, f->release);

	fl_map_remove(w->formations, key);
	free(key);
	formation_free(f);
}

struct formation *
world_set_formation(struct world *w, struct fl_json *expanded)
{
	const char *app = fl_json_text(fl_json_get(expanded, "app"), "id");
	const char *release = fl_json_text(fl_json_get(expanded, "release"), "id");
	struct formation *f = world_formation(w, app, release);
	char *key;

	if (fl_json_len(fl_json_get(expanded, "processes")) == 0) {
		if (f != NULL)
			world_remove_formation(w, f);
		fl_json_free(expanded);
		return NULL;
	}
	if (f == NULL) {
		f = fl_xcalloc(1, sizeof(*f));
		f->app = fl_xstrdup(app);
		f->release = fl_xstrdup(release);
		key = formation_key(app, release);
		fl_map_set(w->formations, key, f);
		free(key);
	}
	fl_json_free(f->expanded);
	f->expanded = expanded;
	f->seen = true;
	return f;
}

int
formation_wants(const struct formation *f, const char *type)
{
	int64_t n = fl_json_int(fl_json_get(fl_json_get(f->expanded, "processes"), type), 0);

	return n > 0 ? (int)n : 0;
}

static const struct fl_json *
process_type(const struct formation *f, const char *type)
{
	return fl_json_get(fl_json_get(fl_json_get(f->expanded, "release"), "processes"), type);
}

bool
formation_is_omni(const struct formation *f, const char *type)
{
	return fl_json_bool(fl_json_get(process_type(f, type), "omni"), false);
}

bool
formation_is_exclusive(const struct formation *f, const char *type)
{
	return process_type_is_exclusive(process_type(f, type));
}

bool
formation_has_volume(const struct formation *f, const char *type)
{
	return process_type_has_volume(process_type(f, type));
}

const char *
formation_volume_host(const struct formation *f, const char *type)
{
	const struct fl_json *volumes = fl_json_get(f->expanded, "volumes");

	for (size_t i = 0; i < fl_json_len(volumes); i++) {
		const struct fl_json *v = fl_json_at(volumes, i);

		if (strcmp(fl_json_text(v, "type"), type) == 0)
			return fl_json_str(fl_json_get(v, "host_id"), NULL);
	}
	return NULL;
}

int64_t
formation_volume_number(const struct formation *f, const char *type, const char *path, const char *host_id)
{
	const struct fl_json *gone = fl_json_get(f->expanded, "decommissioned");

	for (size_t i = 0; i < fl_json_len(gone); i++) {
		const struct fl_json *v = fl_json_at(gone, i);

		if (strcmp(fl_json_text(v, "type"), type) == 0 && strcmp(fl_json_text(v, "path"), path) == 0 &&
		    strcmp(fl_json_text(v, "host_id"), host_id) == 0)
			return fl_json_int(fl_json_get(v, "n"), 0);
	}
	return 0;
}

int64_t
formation_memory(const struct formation *f, const char *type)
{
	return fl_process_limit(process_type(f, type), "memory");
}

bool
formation_replaces(const struct formation *f, const struct job *j)
{
	const struct fl_json *ids = fl_json_get(f->expanded, "replace");

	for (size_t i = 0; j->id != NULL && i < fl_json_len(ids); i++)
		if (strcmp(fl_json_str(fl_json_at(ids, i), ""), j->id) == 0)
			return true;
	return false;
}

struct host *
world_set_host(struct world *w, const char *id, const char *addr)
{
	struct host *h = fl_map_get(w->hosts, id);

	if (h == NULL) {
		h = fl_xcalloc(1, sizeof(*h));
		h->id = fl_xstrdup(id);
		fl_map_set(w->hosts, id, h);
	}
	if (h->addr == NULL || strcmp(h->addr, addr) != 0) {
		free(h->addr);
		h->addr = fl_xstrdup(addr);
	}
	return h;
}

void
world_remove_host(struct world *w, struct host *h)
{
	struct job *j, *next;

	TAILQ_FOREACH_SAFE(j, &w->jobs, link, next)
		if (j->host_id != NULL && strcmp(j->host_id, h->id) == 0)
			world_remove_job(w, j);
	fl_map_remove(w->hosts, h->id);
	host_free(h);
}

struct job *
world_add_job(struct world *w, const char *id, const char *host_id, const char *app, const char *release, const char *type)
{
	struct job *j = fl_xcalloc(1, sizeof(*j));

	*j = (struct job){
		.app = fl_xstrdup(app), .release = fl_xstrdup(release), .type = fl_xstrdup(type),
		.state = JOB_PENDING, .created = ++w->next_created
	};
	j->host_id = fl_xstrdup_null(host_id);
	TAILQ_INSERT_TAIL(&w->jobs, j, link);
	if (id != NULL)
		world_place_job(w, j, id, host_id);
	return j;
}

struct job *
world_job(const struct world *w, const char *id)
{
	return fl_map_get(w->jobs_by_id, id);
}

void
world_place_job(struct world *w, struct job *j, const char *id, const char *host_id)
{
	char *host = fl_xstrdup_null(host_id); /* may be the job's own */

	free(j->id);
	free(j->host_id);
	j->id = fl_xstrdup(id);
	j->host_id = host;
	j->state = JOB_STARTING;
	fl_map_set(w->jobs_by_id, id, j);
}

void
world_remove_job(struct world *w, struct job *j)
{
	if (j->id != NULL)
		fl_map_remove(w->jobs_by_id, j->id);
	TAILQ_REMOVE(&w->jobs, j, link);
	free(j->id);
	free(j->host_id);
	free(j->app);
	free(j->release);
	free(j->type);
	free(j);
}

int
restart_delay_ms(int restarts)
{
	if (restarts <= 5)
		return 0;
	return restarts <= 15 ? 10000 : 30000;
}
