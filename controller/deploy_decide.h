/*
 * deploy_decide - the next step of a deployment: a pure function of what is asked for and what runs.
 *
 * Jobs of the new release come up before those of the old that they replace go; types whose jobs cannot run
 * beside one another (a volume, a fixed port) go down first, all of a type. Types that the new release does not have go last.
 */
#ifndef CONTROLLER_DEPLOY_DECIDE_H
#define CONTROLLER_DEPLOY_DECIDE_H

#include <stdbool.h>
#include <stddef.h>

struct fl_buf;

enum deploy_strategy {
	DEPLOY_ONE_BY_ONE,
	DEPLOY_IN_BATCHES, /* several of a type's jobs at a time */
	DEPLOY_ALL_AT_ONCE,
	DEPLOY_ONE_DOWN_ONE_UP,
	DEPLOY_STRATEGY_MAX
};

struct deploy_type {
	const char *name;	  /* borrowed */
	int want;		  /* jobs of the new release in the end */
	int old_count, new_count; /* what the formations of both releases ask for */
	int old_live;		  /* jobs of the old release that have not ended */
	int new_up;
	int new_starting; /* only to explain a wait */
	bool is_exclusive;
};

enum deploy_next {
	DEPLOY_WAIT,
	DEPLOY_SCALE, /* old_count and new_count are now what to ask for */
	DEPLOY_DRAIN, /* all serves; some of the old jobs have yet to end */
	DEPLOY_DONE
};

/* batch: how many at a time, in batches; 0: a third of each type's. */
enum deploy_next deploy_decide(enum deploy_strategy strategy, int batch, struct deploy_type *types, size_t n);
/* Append what is waited for: "web: 1 of 2 jobs of the new release are up". */
void deploy_explain_wait(const struct deploy_type *types, size_t n, struct fl_buf *b);

/* "one-by-one", ...; -1 when it is none. */
int deploy_strategy_parse(const char *name, enum deploy_strategy *strategy);

#endif
