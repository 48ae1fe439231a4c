/*
 * registry - the picture that clients are shown: services, their instances, leaders and meta, and who
 * watches them. In memory only; whoever knows what is true (roster, store) tells it, watchers hear of
 * the differences.
 */
#ifndef DISCOVERD_REGISTRY_H
#define DISCOVERD_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct instance;
struct registry;
struct watch;

enum event_kind {
	EVENT_UP = 1,
	EVENT_UPDATE = 2,
	EVENT_DOWN = 4,
	EVENT_LEADER = 8,
	EVENT_SERVICE_META = 16,
	EVENT_CURRENT = 32,
	EVENT_ALL = 63,
};

/* What is known of a service; read only outside registry.c. */
struct service {
	char *name;
	bool exists;			 /* was created; else only watched, or there are instances ahead of it */
	bool manual;			 /* its leader is chosen, else it is the oldest instance */
	struct instance **instances;	 /* by index */
	size_t n_instances, cap;
	const struct instance *leader;	 /* one of instances, or NULL */
	char *chosen;			 /* manual: the instance's id */
	int64_t rev;			 /* etcd's, of what was said at its creation */
	char *meta;			 /* JSON text; NULL: none */
	uint64_t meta_index;
	struct watch *watches;
};

struct registry *registry_new(void);
/* Watches must be gone. */
void registry_free(struct registry *r);

/* From the first call on the picture is whole: watchers are told "current". Once is enough. */
void registry_set_known(struct registry *r);
bool registry_is_known(const struct registry *r);

/* The service, when it exists; borrowed until the next change. */
const struct service *registry_find(const struct registry *r, const char *name);
/* The same, but also one that does not exist and has instances; NULL else. */
const struct service *registry_find_any(const struct registry *r, const char *name);
const struct instance *service_find(const struct service *s, const char *id);
/* For counting. */
size_t registry_count_services(const struct registry *r);
size_t registry_count_instances(const struct registry *r);
size_t registry_count_watches(const struct registry *r);

void registry_put_service(struct registry *r, const char *name, bool manual, int64_t rev);
void registry_remove_service(struct registry *r, const char *name);
/* Adds or replaces the instance of that id; takes i. */
void registry_put_instance(struct registry *r, const char *service, struct instance *i);
void registry_remove_instance(struct registry *r, const char *service, const char *id);
/* json NULL: there is none any more. */
void registry_set_meta(struct registry *r, const char *service, const char *json, uint64_t index);
/* The leader of a manual service; NULL: none. */
void registry_choose_leader(struct registry *r, const char *service, const char *id);

/*
 * Follow a service, existing or not; NULL: all that exist. cb is called with the event as JSON text, only of the kinds wanted, and never
 * before registry_watch_start(): then, or once the picture is known, for each instance, the leader, the meta and
 * "current", which names no service to who follows all; later for each change. It may cancel its own watch, and
 * must not change the registry.
 */
struct watch *registry_watch(struct registry *r, const char *service, unsigned kinds, void (*cb)(const char *json, void *arg), void *arg);
/* w may be gone afterwards, if its callback cancelled it. */
void registry_watch_start(struct watch *w);
void registry_unwatch(struct watch *w);

#endif
