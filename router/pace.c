#include "router/pace.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "router/block.h"
#include "router/exchange_internal.h"
#include "router/pipe.h"
#include "router/plane.h"
#include "router/worker.h"

/* Whether a rate is asked for: only what the client does has one. */
static bool
has_rate(const struct exchange *x, enum client_wait wait)
{
	return x->w->plane->min_rate > 0 && (wait == WAIT_BODY || wait == WAIT_READER);
}

/* What the client has acknowledged of the answer, up to a constant. */
static int64_t
taken(const struct exchange *x)
{
	const struct flow *f = &x->down;
	int64_t n = (int64_t)f->n_bytes;
	int queued = 0;

	if (f->held != NULL)
		n -= f->held->len;
	if (f->pipe != NULL)
		n -= (int64_t)f->pipe->len;
	if (x->c->io.fd != -1 && ioctl(x->c->io.fd, SIOCOUTQ, &queued) == 0)
		n -= queued;
	return n;
}

static int64_t
moved_bytes(const struct exchange *x, enum client_wait wait)
{
	return wait == WAIT_READER ? taken(x) : (int64_t)x->up.n_bytes;
}

static void
begin(struct exchange *x, enum client_wait wait)
{
	x->pace = (struct pace){ .since_ms = x->w->now_ms, .bytes = moved_bytes(x, wait), .wait = (uint8_t)wait };
}

void
pace_wait(struct exchange *x, enum client_wait wait, bool moved)
{
	if (has_rate(x, wait) && x->pace.wait == wait) {
		client_wait(x->c, wait, false); /* the time goes on, whatever has moved */
		return;
	}
	if (has_rate(x, wait))
		begin(x, wait);
	else if (moved || x->pace.wait != wait)
		x->pace.wait = WAIT_NOTHING;
	client_wait(x->c, wait, moved);
}

bool
pace_is_kept(struct exchange *x, enum client_wait wait)
{
	int64_t ms = x->w->now_ms - x->pace.since_ms, bytes;

	if (wait != WAIT_READER && !has_rate(x, wait))
		return false;
	if (x->pace.wait == wait) {
		bytes = moved_bytes(x, wait) - x->pace.bytes;
		if (has_rate(x, wait) ? bytes * 1000 < ms * x->w->plane->min_rate : bytes <= 0)
			return false;
	} /* else half the time is over */
	begin(x, wait);
	return true;
}
