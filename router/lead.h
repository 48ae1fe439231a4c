/*
 * lead - being the one of all routers that does something: a key in etcd with a lease.
 *
 * Whoever makes the key leads until it gives it up or cannot renew the lease for two thirds of its time: it has stopped
 * before etcd lets another begin. Control thread only.
 */
#ifndef ROUTER_LEAD_H
#define ROUTER_LEAD_H

#include <stdbool.h>

struct event_base;
struct fl_etcd;
struct lead;

/* The lease's time: how long nobody leads after a leader was killed. */
#define LEAD_TTL_S 15

/* key and etcd are borrowed. on_change is called from the loop, or from the functions below, when is_leader has changed. */
struct lead *lead_new(struct event_base *base, struct fl_etcd *etcd, const char *key,
    void (*on_change)(bool is_leader, void *arg), void *arg);
/* Without on_change. Before its etcd, and the loop does not run in between. */
void lead_free(struct lead *l);
/* Whether to lead when nobody else does. Giving up tells etcd at once. */
void lead_want(struct lead *l, bool wants);
/* Give up for good, and call done from the loop once etcd knows, or has not answered for a second. done may be NULL. */
void lead_quit(struct lead *l, void (*done)(void *arg), void *arg);
/* The key was seen in etcd, or seen to vanish; the caller's watch tells. */
void lead_seen(struct lead *l, bool exists);

#endif
