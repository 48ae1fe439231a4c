#include "router/exchange_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "router/backend.h"
#include "router/block.h"
#include "router/plane.h"
#include "router/spare.h"
#include "router/sticky.h"
#include "router/upstream.h"
#include "router/worker.h"

/*
 * A request that must not be sent twice goes over a connection that was idle for at most so long: the
 * backend may be about to close an older one (node does after 5 s).
 */
#define STALE_MS 2000
/* A request that ends the connection of whoever gets it is not shown to all instances. */
#define RESENT_MAX 2

/* Those that were tried have failed, and no other is there. */
static int
all_fail(struct exchange *x)
{
	const struct service *s = x->service;
	int status = x->n_resent > 0 ? 502 : 503;
	const char *how = x->n_resent > 0 ? "closed the connection without an answer" : "does not accept connections";

	if (x->n_tried == 1)
		return exchange_fail(x, status, "the %s %s of %s %s", x->is_leader_only ? "leader" : "instance", x->tried[0]->name, s->name, how);
	return exchange_fail(x, status, "%s%zu instances of %s fail; the last that was tried, %s, %s",
	    x->n_tried >= atomic_load(&s->set)->n ? "all " : "", x->n_tried, s->name, x->tried[x->n_tried - 1]->name, how);
}

int
exchange_no_instance(struct exchange *x)
{
	const struct service *s = x->service;

	if (x->n_tried > 0) {
		/* They may have died just now, all of them, and discoverd not know it yet. */
		if (x->n_resent == 0 && !x->is_patient && x->w->plane->start_timeout_ms > 0 && exchange_begin_wait(x))
			return STEP_NEXT;
		return all_fail(x);
	}
	if (atomic_load(&s->n_updates) != x->n_updates)
		return STEP_NEXT; /* since it was looked for one: look again */
	if (!atomic_load(&s->is_known))
		return exchange_fail(x, 503, "discoverd has not said yet where %s runs", s->name);
	if (atomic_load(&s->is_hopeful) && x->w->plane->start_timeout_ms > 0) {
		if (exchange_begin_wait(x))
			return STEP_NEXT;
		return exchange_fail(x, 503, "an instance of %s is starting, and too many requests wait for it already", s->name);
	}
	if (atomic_load(&s->set)->n > 0)
		return exchange_fail(x, 503, "%s has no leader at the moment", s->name);
	return exchange_fail(x, 503, "no instance of %s runs: it is scaled to 0, or its jobs end as soon as they start", s->name);
}

/* It stays until the exchange ends: others are told from it by address, and the client is told its name. */
static void
add_tried(struct exchange *x, struct backend *b)
{
	if (x->tried == NULL)
		x->tried = fl_xcalloc(EXCHANGE_TRIED_MAX, sizeof(*x->tried));
	backend_hold(b, x->w->index);
	x->tried[x->n_tried++] = b;
}

void
exchange_forget_tried(struct exchange *x)
{
	while (x->n_tried > 0)
		backend_unhold((struct backend *)x->tried[--x->n_tried], x->w->index);
	free(x->tried);
	x->tried = NULL;
}

/* The instance does not accept connections: try another. */
static int
refused(struct exchange *x, struct backend *b)
{
	backend_failed(b, x->w->now_ms);
	worker_count(x->w, COUNT_DIAL_FAILURES, 1);
	add_tried(x, b);
	x->state = STATE_DIAL;
	return STEP_NEXT;
}

static struct backend *
choose(struct exchange *x)
{
	struct backend *b = NULL;

	if (x->n_tried == EXCHANGE_TRIED_MAX)
		return NULL;
	if (x->is_leader_only)
		return service_leader(x->service, x->tried, x->n_tried);
	if (x->sticky != NULL)
		b = service_find_sticky(x->service, x->w->now_ms, x->sticky->instance, x->tried, x->n_tried);
	if (b != NULL)
		return b;
	return service_pick(x->service, x->w->now_ms, x->is_safe || x->is_tcp, worker_random(x->w), x->tried, x->n_tried);
}

/* We lack what a connection needs: no instance is to blame. */
static int
short_of(struct exchange *x, int why)
{
	const char *what = why == EMFILE || why == ENFILE ? "file descriptors" : "memory for sockets";
	struct worker *w = x->w;
	uint64_t muted;

	if (complaint_due(&w->complaints[COMPLAINT_DESCRIPTORS], w->now_ms, &muted))
		fl_log_error("cannot connect to an instance", fl_str("err", strerror(why)), fl_int("more", muted));
	return exchange_fail(x, 503, "the router is out of %s", what);
}

int
exchange_dial(struct exchange *x)
{
	struct worker *w = x->w;
	struct backend *b;
	int why;

	x->n_updates = atomic_load(&x->service->n_updates);
	if ((b = choose(x)) == NULL)
		return exchange_no_instance(x);
	if (!x->is_fresh && !x->is_tcp)
		x->u = upstream_reuse(w, b, x->c, x->is_safe ? INT64_MAX : STALE_MS);
	if (x->u == NULL)
		x->u = upstream_dial(w, b, x->c, !x->is_tcp || atomic_load(&x->service->opener) == OPENER_CLIENT);
	why = errno;
	seen_dial(x, b);
	if (x->u == NULL)
		return spare_is_short(why) ? short_of(x, why) : refused(x, b);
	x->head_sent = 0;
	x->state = x->is_tcp ? STATE_TUNNEL : STATE_ASK;
	return STEP_NEXT;
}

int
exchange_lost(struct exchange *x)
{
	struct upstream *u = x->u;
	struct backend *b = u->backend; /* stays until this turn is over */
	bool is_used = u->is_used, is_connected = (u->io.flags & IO_CONNECTED) != 0;

	x->u = NULL;
	upstream_close(u);
	if (!is_connected || (!is_used && x->head_sent == 0))
		return refused(x, b);
	if (is_used && (x->is_safe || x->head_sent == 0)) {
		/* It was closed while it was idle, as far as one can know. */
		worker_count(x->w, COUNT_RETRIES, 1);
		x->is_fresh = true;
		x->state = STATE_DIAL;
		return STEP_NEXT;
	}
	if (!is_used)
		backend_failed(b, x->w->now_ms);
	if (x->is_safe) {
		add_tried(x, b);
		if (x->n_resent++ == RESENT_MAX)
			return exchange_no_instance(x);
		worker_count(x->w, COUNT_RETRIES, 1);
		x->state = STATE_DIAL;
		return STEP_NEXT;
	}
	return exchange_fail(x, 502, "the instance %s of %s closed the connection without an answer", b->name, x->service->name);
}

/* Send the request's head, and what came of the body with it. */
static int
send_head(struct exchange *x)
{
	struct upstream *u = x->u;

	while (x->head_sent < x->head->len) {
		struct iovec parts[2] = { { x->head->data + x->head_sent, x->head->len - x->head_sent } };
		ssize_t n = IO_AGAIN;

		if (x->up.held != NULL)
			parts[1] = (struct iovec){ block_bytes(x->up.held), x->up.held->len };
		if ((u->io.flags & (IO_WRITABLE | IO_BROKEN)) != 0)
			n = io_write(&u->io, parts, x->up.held != NULL ? 2 : 1);
		if (n == IO_AGAIN)
			return exchange_wait(x, (u->io.flags & IO_CONNECTED) == 0 ? WAIT_CONNECT : WAIT_ANSWER);
		if (n < 0)
			return exchange_lost(x);
		x->up.moved = true;
		if ((size_t)n > parts[0].iov_len) {
			block_drop(x->up.held, (size_t)n - parts[0].iov_len);
			n = (ssize_t)parts[0].iov_len;
		}
		x->head_sent += (size_t)n;
		if (x->head_sent == x->head->len)
			seen_sent(x);
	}
	return STEP_NEXT;
}

int
exchange_send_body(struct exchange *x, enum flow_result *blocked)
{
	bool moved = x->up.moved;
	struct fl_err err;

	*blocked = FLOW_DONE;
	if (x->up_lost)
		return STEP_NEXT;
	x->up.moved = false;
	*blocked = flow_pump(&x->up, &x->c->io, &x->u->io, &x->w->blocks, x->w->in, WORKER_IN_BYTES, &x->c->in, &err);
	if (x->up.moved)
		x->is_expecting = false; /* it does not wait for 100 Continue any more */
	x->up.moved |= moved;
	switch (*blocked) {
	case FLOW_READ_BLOCKED:
	case FLOW_WRITE_BLOCKED:
	case FLOW_BUSY:
	case FLOW_DONE:
		break;
	case FLOW_UNWRITABLE:
		x->up_lost = true; /* its answer may say why */
		flow_release(&x->up, &x->w->blocks);
		break;
	case FLOW_CUT:
		if (x->state != STATE_ASK || (x->c->io.flags & IO_EOF) == 0)
			return EXCHANGE_BROKEN;
		return exchange_fail(x, 400, "the request ended in the middle of its body");
	case FLOW_BAD:
		if (x->state != STATE_ASK)
			return EXCHANGE_BROKEN;
		return exchange_fail(x, 400, "%s", err.msg);
	}
	return STEP_NEXT;
}

int
exchange_ask(struct exchange *x)
{
	enum flow_result body;
	int step = send_head(x);

	if (step != STEP_NEXT || x->state != STATE_ASK)
		return step;
	step = exchange_send_body(x, &body);
	if (step != STEP_NEXT || x->state != STATE_ASK)
		return step;
	step = exchange_read_answer(x);
	if (step != STEP_MORE)
		return step;
	if (x->down.held != NULL && flow_flush(&x->down, &x->c->io, &x->w->blocks) == FLOW_UNWRITABLE)
		return EXCHANGE_BROKEN;
	if (body == FLOW_BUSY)
		return EXCHANGE_BUSY;
	return exchange_wait(x, body == FLOW_READ_BLOCKED && !x->is_expecting ? WAIT_BODY : WAIT_ANSWER);
}
