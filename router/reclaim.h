/*
 * reclaim - free what workers may still be looking at, once they no longer can.
 *
 * The control thread replaces shared pointers while workers read them without locks. A worker says
 * at each turn of its loop that it holds none of them (quiescent state); what was retired before
 * all workers have said so, or sleep, is free to go. What a worker keeps beyond a turn it counts in
 * the object itself, which is_busy then tells; it stays to the end of the turn that counts it out.
 *
 * reclaim_wake and reclaim_sleep are the workers'; all else belongs to the control thread.
 */
#ifndef ROUTER_RECLAIM_H
#define ROUTER_RECLAIM_H

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct reclaim;

struct reclaim *reclaim_new(struct event_base *base, size_t n_workers);
/* Frees all that is retired: no worker runs any more. */
void reclaim_free(struct reclaim *r);

/* The worker's turn begins: what it reads from now on stays valid until it sleeps. */
void reclaim_wake(struct reclaim *r, size_t worker);
void reclaim_sleep(struct reclaim *r, size_t worker);

/*
 * ptr was made unreachable for those who look it up from now on: release(ptr) once nobody can
 * hold it. is_busy may be NULL; it is asked only when no worker can newly reach ptr.
 */
void reclaim_retire(struct reclaim *r, void *ptr, void (*release)(void *ptr), bool (*is_busy)(const void *ptr));

#endif
