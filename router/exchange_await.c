#include "router/exchange_internal.h"

#include "router/backend.h"
#include "router/plane.h"
#include "router/worker.h"

/* Requests that wait at most: of a router, and for one service. */
#define WAITING_MAX 1024
#define WAITING_SERVICE_MAX 100

/* False: enough wait already. */
static bool
count_in(struct plane *plane, struct service *s)
{
	if (atomic_fetch_add(&plane->n_waiting, 1) < WAITING_MAX) {
		if (atomic_fetch_add(&s->n_waiting, 1) < WAITING_SERVICE_MAX)
			return true;
		atomic_fetch_sub(&s->n_waiting, 1);
	}
	atomic_fetch_sub(&plane->n_waiting, 1);
	return false;
}

/*
 * It is counted here and looks again in exchange_await(): the control thread changes the service first, and then looks
 * whether somebody waits for that.
 */
bool
exchange_begin_wait(struct exchange *x)
{
	if (!count_in(x->w->plane, x->service))
		return false;
	worker_count(x->w, COUNT_WAITS, 1);
	TAILQ_INSERT_TAIL(&x->w->waiting, x, waiting_link);
	x->is_waiting = true;
	x->is_patient = x->is_patient || x->n_tried > 0;
	x->state = STATE_AWAIT;
	return true;
}

void
exchange_end_wait(struct exchange *x)
{
	if (!x->is_waiting)
		return;
	x->is_waiting = false;
	TAILQ_REMOVE(&x->w->waiting, x, waiting_link);
	atomic_fetch_sub(&x->service->n_waiting, 1);
	atomic_fetch_sub(&x->w->plane->n_waiting, 1);
}

int
exchange_await(struct exchange *x)
{
	const struct service *s = x->service;

	if (x->n_tried > 0 && atomic_load(&s->n_updates) == x->n_updates)
		return exchange_wait(x, WAIT_CHANGE);
	if (x->n_tried == 0 && atomic_load(&s->set)->n == 0 && atomic_load(&s->is_hopeful))
		return exchange_wait(x, WAIT_START);
	exchange_end_wait(x);
	exchange_forget_tried(x);
	x->state = STATE_DIAL;
	return STEP_NEXT;
}

void
exchange_rouse(struct worker *w)
{
	struct exchange *x;

	TAILQ_FOREACH(x, &w->waiting, waiting_link)
		worker_again(w, x->c);
}
