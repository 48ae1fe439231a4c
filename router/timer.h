/*
 * timer - deadlines by the thousand that cost next to nothing while they do not pass.
 *
 * A wheel of slots of TIMER_TICK_MS. Moving a deadline away only stores it: the timer is looked at
 * again, and moved on, when its slot comes round. Not thread-safe: a wheel belongs to one worker.
 */
#ifndef ROUTER_TIMER_H
#define ROUTER_TIMER_H

#include <stdint.h>

#include "libflynn/list.h"

#define TIMER_TICK_MS 128
#define TIMER_SLOTS 512

struct timer {
	LIST_ENTRY(timer) link;
	int64_t deadline_ms;
	int64_t tick; /* whose slot it is in; 0: in none */
	/* The deadline has passed; the timer is out of the wheel and may be set again or freed. */
	void (*on_due)(struct timer *t);
};

LIST_HEAD(timer_list, timer);

struct timer_wheel {
	int64_t tick; /* the last one that was run */
	uint64_t used[TIMER_SLOTS / 64];
	struct timer_list slots[TIMER_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ms);
/* Due at deadline_ms at the earliest, and up to two ticks later. */
void timer_set(struct timer_wheel *wheel, struct timer *t, int64_t deadline_ms);
/* Out of the wheel; setting it again is possible. */
void timer_clear(struct timer *t);
/* Call on_due of all that are due. */
void timer_wheel_run(struct timer_wheel *wheel, int64_t now_ms);
/* How long a poll may wait: milliseconds, or -1 when no timer is set. */
int timer_wheel_wait_ms(const struct timer_wheel *wheel, int64_t now_ms);

#endif
