/*
 * unpolled - clients that the poller has not been told of yet.
 *
 * Most connections of one request are over before an event of theirs would matter: while an instance works on an answer
 * there is nothing to be heard from the client but that it has gone. So the poller is told of it when the client is
 * waited for; or when the instance has had its time, so that a client that leaves is noticed.
 */
#ifndef ROUTER_UNPOLLED_H
#define ROUTER_UNPOLLED_H

#include <stddef.h>
#include <stdint.h>

struct client;
struct worker;

/* How long an instance has, and a worker sleeps at most while it has such clients. */
#define UNPOLLED_MS 20

/* In the order of their coming, with holes for those that have gone. */
struct unpolled {
	struct unpolled_item {
		struct client *c; /* NULL: gone */
		int64_t due_ms;
	} *items; /* a ring */
	uint32_t first, n, cap; /* first: the number of the oldest, counting all that ever were; cap: a power of two */
};

void unpolled_add(struct client *c);
/* It has gone, or the poller is told. */
void unpolled_remove(struct client *c);
/* Tell the poller of those that are due. */
void unpolled_run(struct worker *w);
void unpolled_release(struct unpolled *u);

#endif
