/*
 * complaint - log lines that strangers can cause, once a second at most.
 */
#ifndef ROUTER_COMPLAINT_H
#define ROUTER_COMPLAINT_H

#include <stdbool.h>
#include <stdint.h>

struct complaint {
	int64_t next_ms; /* monotonic; not before */
	uint64_t n_muted;
};

/* Whether to log now; *muted says of how many since the last line nothing was logged. */
static inline bool
complaint_due(struct complaint *c, int64_t now_ms, uint64_t *muted)
{
	if (now_ms < c->next_ms) {
		c->n_muted++;
		return false;
	}
	*muted = c->n_muted;
	*c = (struct complaint){ .next_ms = now_ms + 1000 };
	return true;
}

#endif
