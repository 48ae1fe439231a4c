/*
 * discoverd - the client of discoverd: who is where, who leads, and saying where we are.
 */
#ifndef FL_DISCOVERD_H
#define FL_DISCOVERD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct fl_discoverd;
struct fl_discoverd_service;
struct fl_err;
struct fl_http_client;
struct fl_map;

/*
 * Behind a service's name it makes the name under which host registers instances that it starts and that are not healthy
 * yet. Nobody else's concern but of those who would rather wait than be told that there is none.
 */
#define FL_DISCOVERD_STARTING "-starting"

struct fl_instance {
	char *id;   /* hex MD5 of "proto-addr" */
	char *addr; /* ip:port */
	char *proto;
	struct fl_map *meta; /* string -> char *; may be NULL */
	uint64_t index;	     /* the smallest is the leader */
	bool is_doubtful;    /* a discoverd that came back without most of what it knew has not told of it yet */
};

/* addr: $DISCOVERD, "ip:port" with an optional scheme; a comma list is tried in turn. */
struct fl_discoverd *fl_discoverd_new(struct event_base *base, const char *addr, const char *key);
/* Says goodbye for everything registered (best effort, not waited for). */
void fl_discoverd_free(struct fl_discoverd *d);
/* As free, without goodbye: for who ends and comes back, and whose instances live on. They stay until their TTL. */
void fl_discoverd_abandon(struct fl_discoverd *d);

/*
 * Follow a service, existing or not. on_change (may be NULL) is called after each change once the first full picture
 * is known. While discoverd is away the last picture stays; an answer from a discoverd that does not know yet
 * (it has no "current" event before it has read etcd) changes nothing.
 */
struct fl_discoverd_service *fl_discoverd_watch(struct fl_discoverd *d, const char *name,
    void (*on_change)(struct fl_discoverd_service *s, void *arg), void *arg);
/*
 * The same, content at first with what the shared stream has told, if services are followed by one: an instance that was
 * registered just before may come a moment later. Costs no request.
 */
struct fl_discoverd_service *fl_discoverd_watch_shared(struct fl_discoverd *d, const char *name,
    void (*on_change)(struct fl_discoverd_service *s, void *arg), void *arg);
/* Before any watch: follow all services by one stream. For who follows many of them. */
void fl_discoverd_share(struct fl_discoverd *d);
void fl_discoverd_unwatch(struct fl_discoverd_service *s);
/* Whether a first full picture has come. */
bool fl_discoverd_service_known(const struct fl_discoverd_service *s);
/* By age, oldest (the leader) first; borrowed until the loop runs again. */
size_t fl_discoverd_service_count(const struct fl_discoverd_service *s);
const struct fl_instance *fl_discoverd_service_at(const struct fl_discoverd_service *s, size_t i);
const struct fl_instance *fl_discoverd_service_leader(const struct fl_discoverd_service *s);

/*
 * Wait until the service has a leader, at most timeout_ms: cb once, from the loop, with its address, or NULL and TIMEOUT.
 */
void fl_discoverd_find(struct fl_discoverd *d, const char *service, int timeout_ms,
    void (*cb)(const char *addr, const struct fl_err *err, void *arg), void *arg);

/*
 * Register addr ("ip:port") under a service, created when missing, and keep it registered until unregister: all
 * registrations of one client share a session that is kept alive by one small request every 3 to 4 s, and are made
 * again after discoverd or etcd lost them. meta: "key", "value", ..., NULL; may be NULL. Registering again replaces the meta.
 */
void fl_discoverd_register(struct fl_discoverd *d, const char *service, const char *addr, const char *const *meta);
/* cb (may be NULL) once it is gone at discoverd, or discoverd could not be reached for 2 s. */
void fl_discoverd_unregister(struct fl_discoverd *d, const char *service, const char *addr, void (*cb)(void *arg), void *arg);

/* hex MD5 of "proto-addr": an instance's id. The caller frees. */
char *fl_instance_id(const char *proto, const char *addr);

#endif
