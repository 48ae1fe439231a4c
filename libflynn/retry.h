/*
 * retry - when to try again: exponential back-off with jitter, and a timer that waits it out.
 */
#ifndef FL_RETRY_H
#define FL_RETRY_H

#include <stdint.h>

struct event_base;
struct event;

struct fl_retry {
	int min_ms, max_ms;
	int next_ms; /* of the next wait, before jitter */
	struct event *timer;
	void (*cb)(void *);
	void *arg;
};

/* cb(arg) runs from the loop when a wait is over. */
void fl_retry_init(struct fl_retry *r, struct event_base *base, int min_ms, int max_ms, void (*cb)(void *), void *arg);
/* Wait the next delay (doubling, plus or minus a quarter at random), then call back. Returns the delay. */
int fl_retry_wait(struct fl_retry *r);
/* It worked: the next wait is the shortest again; a wait under way is cancelled. */
void fl_retry_reset(struct fl_retry *r);
void fl_retry_release(struct fl_retry *r);

#endif
