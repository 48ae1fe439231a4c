/*
 * retry - see retry.h.
 */
#include "libflynn/retry.h"

#include <event2/event.h>

#include "libflynn/attr.h"
#include "libflynn/random.h"

static void
on_timer(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_retry *r = arg;

	r->cb(r->arg);
}

void
fl_retry_init(struct fl_retry *r, struct event_base *base, int min_ms, int max_ms,
    void (*cb)(void *), void *arg)
{
	*r = (struct fl_retry){
		.min_ms = min_ms, .max_ms = max_ms, .next_ms = min_ms, .cb = cb, .arg = arg
	};
	r->timer = evtimer_new(base, on_timer, r);
}

int
fl_retry_wait(struct fl_retry *r)
{
	int quarter = r->next_ms / 4;
	int delay_ms = r->next_ms - quarter + (int)fl_random_below((uint32_t)quarter * 2 + 1);
	struct timeval tv = { delay_ms / 1000, delay_ms % 1000 * 1000 };

	r->next_ms = r->next_ms > r->max_ms / 2 ? r->max_ms : r->next_ms * 2;
	evtimer_add(r->timer, &tv);
	return delay_ms;
}

void
fl_retry_reset(struct fl_retry *r)
{
	r->next_ms = r->min_ms;
	evtimer_del(r->timer);
}

void
fl_retry_release(struct fl_retry *r)
{
	if (r->timer != NULL)
		event_free(r->timer);
	r->timer = NULL;
}
