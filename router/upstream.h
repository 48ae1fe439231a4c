/*
 * upstream - a connection to a backend, and each worker's pool of idle ones.
 */
#ifndef ROUTER_UPSTREAM_H
#define ROUTER_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "libflynn/list.h"
#include "router/io.h"
#include "router/timer.h"

struct backend;
struct client;
struct worker;

struct upstream {
	struct io io;
	struct worker *w;
	struct backend *backend; /* held */
	struct client *client;	 /* on whose behalf it works; NULL: idle */
	bool is_used; /* has answered a request before: it may have been closed meanwhile */
	int64_t idle_since_ms;
	struct timer timer; /* it is idle for too long, or at work for long */
	bool is_watched;    /* by the kernel's keep-alive */
	LIST_ENTRY(upstream) slot_link; /* while idle: in the backend's slot */
	TAILQ_ENTRY(upstream) idle_link;
};

/*
 * An idle connection to b that has said nothing since, idle for at most max_idle_ms, or NULL. It works for c from now on.
 */
struct upstream *upstream_reuse(struct worker *w, struct backend *b, struct client *c, int64_t max_idle_ms);
/*
 * Begin to connect. is_opener: something will be written at once, and what ends TCP's handshake goes with it; an instance that
 * is to speak first waits up to 0.2 s for that end. NULL with errno when that fails at once: see spare_is_short().
 */
struct upstream *upstream_dial(struct worker *w, struct backend *b, struct client *c, bool is_opener);
/* It has done its work and can be used again: into the pool. */
void upstream_park(struct upstream *u);
void upstream_close(struct upstream *u);

#endif
