/*
 * retain - which ended jobs stay known, so that their logs can be read: a decision without I/O.
 */
#ifndef HOST_RETAIN_H
#define HOST_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host;

#define RETAIN_PER_TYPE 2
#define RETAIN_IN_ALL 16

struct retain_item {
	const char *app, *type; /* "" when it has none */
	int64_t ended_at;
	bool keep; /* the answer */
};

/* Keep the newest RETAIN_PER_TYPE of each app's process type, and of those the newest RETAIN_IN_ALL. */
void retain_choose(struct retain_item *items, size_t n);
/* Choose among the host's ended jobs: sets their retained. None, when they crowd its state. */
void retain_mark(struct host *h);

#endif
