#include "router/lead.h"

#include <event2/event.h>
#include <stdint.h>
#include <stdlib.h>

#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/log.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"

/* How often the lease is renewed. */
#define RENEW_MS (LEAD_TTL_S * 1000 / 5)
/* How long a lease that was not renewed is relied upon. */
#define TRUST_MS (LEAD_TTL_S * 1000 / 3 * 2)
/* How long until a try that failed is repeated. */
#define RETRY_MS 2000
/* How long etcd may take to be told that we quit: the lease expires in any case. */
#define QUIT_MS 1000

enum lead_state {
	LEAD_IDLE,    /* another leads, or we do not want to */
	LEAD_ASKING,  /* an answer of etcd is awaited: we may become it */
	LEAD_LEADING
};

struct lead {
	struct event_base *base;
	struct fl_etcd *etcd;
	const char *key;
	void (*on_change)(bool, void *);
	void *arg;
	enum lead_state state;
	struct event *timer;
	int64_t lease;	    /* 0: none */
	int64_t renewed_ms; /* when the last renewal that worked was asked for */
	int64_t asked_ms;
	bool wants, is_taken, is_renewing;
	int n_revoking; /* leases that etcd is being told of */
	void (*quit_cb)(void *); /* while etcd is told that we quit */
	void *quit_arg;
};

static void try(struct lead *l);

static void
timer_in(struct lead *l, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(l->timer, &tv);
}

static void
has_quit(struct lead *l)
{
	void (*cb)(void *) = l->quit_cb;

	l->quit_cb = NULL;
	if (cb != NULL)
		cb(l->quit_arg);
}

/* Or it expires. */
static void
on_revoked(FL_UNUSED int64_t rev, FL_UNUSED const struct fl_err *err, void *arg)
{
	struct lead *l = arg;

	if (--l->n_revoking == 0)
		has_quit(l);
}

static void
drop_lease(struct lead *l)
{
	if (l->lease == 0)
		return;
	l->n_revoking++;
	fl_etcd_lease_revoke(l->etcd, l->lease, on_revoked, l);
	l->lease = 0;
}

/* Lead no more. */
static void
step_down(struct lead *l, const char *why)
{
	bool was_leading = l->state == LEAD_LEADING;

	l->state = LEAD_IDLE;
	evtimer_del(l->timer);
	drop_lease(l);
	if (was_leading) {
		fl_log_info("no longer the router that gets certificates", fl_str("why", why));
		l->on_change(false, l->arg);
	}
	if (l->wants)
		timer_in(l, RETRY_MS + (int)fl_random_below(RETRY_MS));
}

static void
on_put(FL_UNUSED int64_t rev, const struct fl_err *err, void *arg)
{
	struct lead *l = arg;

	if (err != NULL || !l->wants) {
		step_down(l, ""); /* another was first, most often: the caller's watch tells */
		return;
	}
	l->state = LEAD_LEADING;
	timer_in(l, RENEW_MS);
	fl_log_info("the router that gets certificates");
	l->on_change(true, l->arg);
}

static void
on_lease(int64_t lease, const struct fl_err *err, void *arg)
{
	struct lead *l = arg;

	if (err != NULL) {
		step_down(l, err->msg);
		return;
	}
	l->lease = lease;
	fl_etcd_put(l->etcd, l->key, "1", lease, FL_ETCD_ABSENT, on_put, l);
}

static void
try(struct lead *l)
{
	if (!l->wants || l->is_taken || l->state != LEAD_IDLE)
		return;
	l->state = LEAD_ASKING;
	l->renewed_ms = fl_clock_ms(); /* not later than etcd begins to count */
	fl_etcd_lease_grant(l->etcd, LEAD_TTL_S, on_lease, l);
}

static void
on_renewed(FL_UNUSED int64_t ttl_s, const struct fl_err *err, void *arg)
{
	struct lead *l = arg;

	l->is_renewing = false;
	if (l->state != LEAD_LEADING)
		return;
	if (err == NULL)
		l->renewed_ms = l->asked_ms;
	else if (err->kind == FL_ERR_NOT_FOUND)
		step_down(l, err->msg);
}

static void
on_timer(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct lead *l = arg;

	has_quit(l);
	if (l->state == LEAD_IDLE) {
		try(l);
		return;
	}
	if (l->state != LEAD_LEADING)
		return;
	if (fl_clock_ms() - l->renewed_ms > TRUST_MS) {
		step_down(l, "etcd is away");
		return;
	}
	timer_in(l, RENEW_MS);
	if (!l->is_renewing) {
		l->is_renewing = true;
		l->asked_ms = fl_clock_ms();
		fl_etcd_lease_keepalive(l->etcd, l->lease, on_renewed, l);
	}
}

struct lead *
lead_new(struct event_base *base, struct fl_etcd *etcd, const char *key, void (*on_change)(bool, void *), void *arg)
{
	struct lead *l = fl_xcalloc(1, sizeof(*l));

	*l = (struct lead){ .base = base, .etcd = etcd, .key = key, .on_change = on_change, .arg = arg };
	l->timer = evtimer_new(base, on_timer, l);
	return l;
}

void
lead_free(struct lead *l)
{
	if (l == NULL)
		return;
	event_free(l->timer);
	free(l);
}

void
lead_want(struct lead *l, bool wants)
{
	if (l->wants == wants)
		return;
	l->wants = wants;
	if (wants)
		try(l);
	else if (l->state == LEAD_LEADING)
		step_down(l, "there is nothing to do");
}

void
lead_quit(struct lead *l, void (*done)(void *), void *arg)
{
	has_quit(l); /* who asked before need not wait */
	l->quit_cb = done;
	l->quit_arg = arg;
	lead_want(l, false);
	timer_in(l, l->n_revoking > 0 ? QUIT_MS : 0);
}

void
lead_seen(struct lead *l, bool exists)
{
	l->is_taken = exists;
	if (!exists && l->state == LEAD_LEADING)
		step_down(l, "the key has vanished from etcd");
	else if (!exists)
		try(l);
}
