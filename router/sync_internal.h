/*
 * sync_internal - what the parts of sync share. Control thread only.
 *
 * sync.c follows the routes in etcd, sync_services.c the services that they name, and sync_apply.c gives workers what
 * has come of it.
 */
#ifndef ROUTER_SYNC_INTERNAL_H
#define ROUTER_SYNC_INTERNAL_H

#include "libflynn/list.h"
#include "router/sync.h"

struct service;
struct starting;
struct target;

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

/* sync.c */
/* Have workers go by what is live now, from the loop. */
void sync_publish_soon(struct sync *s);
/* Whether it is known where the route leads. */
bool sync_is_live_known(const struct live *l);
/* Its target is in no table any more. */
void sync_live_free(struct sync *s, struct live *l);

/* sync_services.c */
/* The service of that name, which one more route leads to. */
struct watched *sync_watch(struct sync *s, const char *name);
/* No table leads to the service any more, as far as this route goes. */
void sync_unwatch(struct sync *s, struct watched *w);

/* sync_apply.c */
/* Let workers go by what is live now, and let go of what was dropped. */
void sync_renew_table(struct sync *s);
/* Let them listen on the ports of TCP routes that are known; what cannot be listened on is tried again later. */
void sync_open_ports(struct sync *s);

#endif
