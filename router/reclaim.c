#include "router/reclaim.h"

#include <event2/event.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "libflynn/attr.h"
#include "libflynn/list.h"
#include "libflynn/xmalloc.h"

/* A look at what waits: soon after something was retired, seldom while long connections hold it. */
#define LOOK_FIRST_MS 10
#define LOOK_LAST_MS 2000

#define ASLEEP UINT64_MAX

struct retired {
	TAILQ_ENTRY(retired) link;
	uint64_t epoch; /* workers whose turn began in it cannot reach ptr */
	void *ptr;
	void (*release)(void *);
	bool (*is_busy)(const void *);
	bool was_idle; /* at the last look */
};

/* What a worker writes each turn has a cache line of its own. */
struct turn {
	_Alignas(64) _Atomic uint64_t epoch; /* in which the turn began, or ASLEEP */
};

struct reclaim {
	_Atomic uint64_t epoch;
	size_t n_workers;
	struct turn *turns;
	TAILQ_HEAD(, retired) limbo;
	struct event *look;
	int look_ms;
};

static void
look_later(struct reclaim *r)
{
	struct timeval tv = { .tv_sec = r->look_ms / 1000, .tv_usec = r->look_ms % 1000 * 1000 };

	evtimer_add(r->look, &tv);
}

static bool
is_reachable(const struct reclaim *r, const struct retired *x)
{
	for (size_t i = 0; i < r->n_workers; i++)
		if (atomic_load(&r->turns[i].epoch) < x->epoch)
			return true;
	return false;
}

static void
release(struct reclaim *r, struct retired *x)
{
	TAILQ_REMOVE(&r->limbo, x, link);
	x->release(x->ptr);
	free(x);
}

/*
 * What is counted stays for the rest of the turn that counted it out: once it is found idle, another
 * round of turns is waited for.
 */
static void
look_at(struct reclaim *r, struct retired *x)
{
	if (is_reachable(r, x))
		return;
	if (x->is_busy == NULL || (x->was_idle && !x->is_busy(x->ptr))) {
		release(r, x);
		return;
	}
	x->was_idle = !x->is_busy(x->ptr);
	x->epoch = atomic_fetch_add(&r->epoch, 1) + 1;
	if (x->was_idle)
		r->look_ms = LOOK_FIRST_MS;
}

static void
on_look(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct reclaim *r = arg;
	struct retired *x, *next;

	r->look_ms = r->look_ms * 2 < LOOK_LAST_MS ? r->look_ms * 2 : LOOK_LAST_MS;
	TAILQ_FOREACH_SAFE(x, &r->limbo, link, next)
		look_at(r, x);
	if (!TAILQ_EMPTY(&r->limbo))
		look_later(r);
}

struct reclaim *
reclaim_new(struct event_base *base, size_t n_workers)
{
	struct reclaim *r = fl_xcalloc(1, sizeof(*r));

	r->n_workers = n_workers;
	r->turns = aligned_alloc(_Alignof(struct turn), n_workers * sizeof(*r->turns));
	if (r->turns == NULL)
		abort();
	for (size_t i = 0; i < n_workers; i++)
		atomic_init(&r->turns[i].epoch, ASLEEP);
	TAILQ_INIT(&r->limbo);
	if ((r->look = evtimer_new(base, on_look, r)) == NULL)
		abort();
	return r;
}

void
reclaim_free(struct reclaim *r)
{
	struct retired *x;

	if (r == NULL)
		return;
	while ((x = TAILQ_FIRST(&r->limbo)) != NULL) /* one may retire others as it goes */
		release(r, x);
	event_free(r->look);
	free(r->turns);
	free(r);
}

void
reclaim_wake(struct reclaim *r, size_t worker)
{
	/*
	 * Sequentially consistent, as are the stores of shared pointers: either reclaim_retire()'s
	 * side sees this turn, or this turn sees the pointers that replaced the retired ones.
	 */
	atomic_store(&r->turns[worker].epoch, atomic_load(&r->epoch));
}

void
reclaim_sleep(struct reclaim *r, size_t worker)
{
	atomic_store_explicit(&r->turns[worker].epoch, ASLEEP, memory_order_release);
}

void
reclaim_retire(struct reclaim *r, void *ptr, void (*release_ptr)(void *), bool (*is_busy)(const void *))
{
	struct retired *x = fl_xcalloc(1, sizeof(*x));

	*x = (struct retired){ .ptr = ptr, .release = release_ptr, .is_busy = is_busy };
	x->epoch = atomic_fetch_add(&r->epoch, 1) + 1;
	TAILQ_INSERT_TAIL(&r->limbo, x, link);
	r->look_ms = LOOK_FIRST_MS;
	look_later(r);
}
