/*
 * sync - keeps the workers' table equal to the routes in etcd, and services to what discoverd says.
 *
 * While etcd or discoverd is away, what was known stays. Control thread only.
 */
#ifndef ROUTER_SYNC_H
#define ROUTER_SYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct fl_discoverd;
struct fl_etcd;
struct plane;
struct route;
struct sockets;
struct sync;
struct tally;
struct worker;

#define SYNC_PREFIX "/router/"

struct sync_config {
	struct event_base *base;
	struct plane *plane;
	struct worker **workers;
	size_t n_workers;
	struct fl_etcd *etcd;
	struct fl_discoverd *discoverd;
	const char *tcp_ip; /* that TCP routes listen on; "" is all */
	struct sockets *listening; /* where their sockets are noted */
	struct sockets *inherited; /* where some may be that are to be used */
	/* Routes or the instances of services have changed, and workers go by it. May be NULL. */
	void (*on_change)(void *arg);
	void *arg;
};

/* config is copied; what it names is borrowed. */
struct sync *sync_new(const struct sync_config *config);
/* The workers have been freed before: nothing of this is in use any more. */
void sync_free(struct sync *s);

/* Whether etcd has been read in full once. */
bool sync_is_ready(const struct sync *s);
/* Whether workers go by all that sync_find() knows: false for a moment after each change. */
bool sync_is_applied(const struct sync *s);
/* The route with that id and its revision (rev may be NULL), borrowed until the loop runs again. */
const struct route *sync_find(const struct sync *s, const char *id, int64_t *rev);
/* Whether discoverd has told the instances of the route's service once. */
bool sync_is_service_known(const struct sync *s, const char *service);
/* Ready, applied, and every service of a route known. */
bool sync_is_complete(const struct sync *s);
size_t sync_count(const struct sync *s);
/* Call each for every route, the newest first. */
void sync_each(const struct sync *s, void (*each)(const struct route *r, void *arg), void *arg);
/* The same, with what is counted of each. */
void sync_each_tally(const struct sync *s, void (*each)(const struct route *r, const struct tally *t, void *arg), void *arg);

#endif
