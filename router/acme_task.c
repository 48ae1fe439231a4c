#include "router/acme_internal.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"
#include "router/acme_order.h"
#include "router/acme_status.h"
#include "router/route.h"
#include "router/sync.h"
#include "router/tls_cert.h"

/* How long what was ordered too often waits. */
#define BOUND_WAIT_S 900
/* How often storing a certificate is tried, and how long apart. */
#define MAX_STORES 30
#define STORE_AGAIN_MS 300

/* The same on all routers. */
static uint32_t
hash_of(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * 16777619u;
	return h;
}

void
acme_task_look(struct task *t, const char *cert_pem, const char *key_pem)
{
	struct tls_cert *cert = tls_cert_parse(cert_pem, key_pem, NULL);

	if (cert == NULL)
		return;
	t->facts.has_cert = true;
	t->facts.random = hash_of(cert_pem);
	tls_cert_times(cert, &t->facts.not_before, &t->facts.not_after);
	tls_cert_free(cert);
}

void
acme_task_settle(struct task *t)
{
	if (t->order != NULL) {
		acme_order_free(t->order);
		t->acme->n_running--;
	}
	t->order = NULL;
	free(t->cert_pem);
	acme_wipe_free(t->key_pem);
	t->cert_pem = t->key_pem = NULL;
	evtimer_del(t->store_again);
}

static void
failed(struct task *t, const struct fl_err *err, int64_t retry_after_s)
{
	struct acme *a = t->acme;
	const struct acme_status *old = acme_status_of(a, t->domain);
	struct acme_status s = { .state = ACME_FAILED, .failures = (old != NULL ? old->failures : 0) + 1 };
	char next[FL_CLOCK_RFC3339_LEN];

	s.next_s = acme_now_s() + acme_backoff_s(s.failures, a->cfg.retry_s, retry_after_s, fl_random_below(1u << 30));
	snprintf(s.error, sizeof(s.error), "%s", err->msg);
	fl_clock_format(s.next_s * 1000000, next);
	fl_log_warn("no certificate was got", fl_str("domain", t->domain), fl_str("route", t->route_id),
	    fl_int("failures", s.failures), fl_str("next_try", next), fl_str("err", err->msg));
	a->n_failed++;
	acme_task_settle(t);
	acme_set_status(a, t->domain, &s);
	acme_schedule(a);
}

static void
stored(struct task *t)
{
	struct acme *a = t->acme;
	struct acme_status s = { .state = ACME_VALID };
	char until[FL_CLOCK_RFC3339_LEN];

	/* What the watch will tell in a moment. */
	acme_task_look(t, t->cert_pem, t->key_pem);
	s.next_s = acme_renew_at(t->facts.not_before, t->facts.not_after, acme_now_s(), t->facts.random);
	fl_clock_format(t->facts.not_after * 1000000, until);
	fl_log_info("certificate got", fl_str("domain", t->domain), fl_str("route", t->route_id), fl_str("until", until));
	a->n_done++;
	acme_task_settle(t);
	acme_set_status(a, t->domain, &s);
	acme_schedule(a);
}

static void
on_stored(FL_UNUSED int64_t rev, const struct fl_err *err, void *arg)
{
	struct timeval again = { .tv_usec = STORE_AGAIN_MS * 1000 };
	struct task *t = arg;
	struct fl_err why = { 0 };

	t->is_storing = false;
	if (t->cert_pem == NULL)
		return; /* it was given up meanwhile */
	if (err == NULL) {
		stored(t);
	} else if (t->n_stores++ < MAX_STORES) {
		evtimer_add(t->store_again, &again); /* the route was changed, or etcd is away for a moment */
	} else {
		why = *err;
		fl_err_wrap(&why, "the certificate cannot be stored in etcd");
		failed(t, &why, -1);
	}
}

static void
put_route(struct task *t, const struct route *route, int64_t rev)
{
	char *key = fl_xasprintf("%s%s", SYNC_PREFIX, route->id);
	struct fl_buf b = { 0 };

	t->is_storing = true;
	route_write(route, &b, true);
	fl_etcd_put(t->acme->etcd, key, fl_buf_cstr(&b), 0, rev, on_stored, t);
	explicit_bzero(b.data, b.len); /* it has the private key */
	fl_buf_release(&b);
	free(key);
}

/* Store what was got, if the route still wants it. */
static void
store(struct task *t)
{
	int64_t rev = 0;
	const struct route *now = t->route_id != NULL ? sync_find(t->acme->sync, t->route_id, &rev) : NULL;
	struct route *route;

	if (now == NULL || !now->auto_tls || (now->tls_cert != NULL && !now->is_cert_auto)) {
		fl_log_info("certificate got for a route that wants none any more", fl_str("domain", t->domain));
		acme_task_settle(t);
		acme_schedule(t->acme);
		return;
	}
	route = route_with_cert(now, t->cert_pem, t->key_pem);
	route_stamp(route, now->created_at);
	put_route(t, route, rev);
	route_free(route);
}

static void
on_store_again(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	store(arg);
}

static void
on_outcome(struct acme_order *o, const struct acme_outcome *outcome, void *arg)
{
	struct task *t = arg;

	if (outcome->err != NULL) {
		failed(t, outcome->err, outcome->retry_after_s);
		return;
	}
	acme_order_free(o);
	t->order = NULL;
	t->acme->n_running--;
	t->cert_pem = fl_xstrdup(outcome->cert_pem);
	t->key_pem = fl_xstrdup(outcome->key_pem);
	t->n_stores = 0;
	store(t);
}

/* There were too many already. */
static void
hold_back(struct task *t)
{
	const struct acme_status *old = acme_status_of(t->acme, t->domain);
	struct acme_status s = { .state = ACME_FAILED, .failures = old != NULL ? old->failures : 0, .next_s = acme_now_s() + BOUND_WAIT_S };

	snprintf(s.error, sizeof(s.error), "no more than %d orders an hour are made for a domain, and %d for all", DOMAIN_ORDERS, ALL_ORDERS);
	fl_log_warn("an order for a certificate waits", fl_str("domain", t->domain), fl_str("err", s.error));
	acme_set_status(t->acme, t->domain, &s);
}

void
acme_task_begin(struct task *t)
{
	struct acme *a = t->acme;
	const struct acme_status *old = acme_status_of(a, t->domain);
	struct acme_status s = { .state = ACME_ORDERING, .failures = old != NULL ? old->failures : 0 };
	struct acme_order_config order = {
		.base = a->cfg.base,
		.client = a->client,
		.etcd = a->etcd,
		.domain = t->domain,
		/* What failed by one way may work by the other. */
		.wants = (enum acme_challenge)((a->cfg.challenge + (unsigned)s.failures) % ACME_CHALLENGES),
	};

	if (!acme_window_take(t->times, fl_nitems(t->times), acme_now_s()) || !acme_window_take(a->times, fl_nitems(a->times), acme_now_s())) {
		hold_back(t);
		return;
	}
	/* As if it had failed already: should this router die over it, the next one waits. */
	s.next_s = acme_now_s() + acme_backoff_s(s.failures + 1, a->cfg.retry_s, -1, 0);
	if (s.next_s < acme_now_s() + ACME_ORDER_S && a->cfg.retry_s >= ACME_ORDER_S)
		s.next_s = acme_now_s() + ACME_ORDER_S;
	acme_set_status(a, t->domain, &s);
	fl_log_info("certificate ordered", fl_str("domain", t->domain), fl_str("route", t->route_id),
	    fl_str("by", acme_challenge_name(order.wants)));
	a->n_running++;
	t->order = acme_order_start(&order, on_outcome, t);
}

int64_t
acme_task_due(const struct task *t)
{
	const struct acme_status *s = acme_status_of(t->acme, t->domain);
	struct acme_facts facts = t->facts;

	if (t->route_id == NULL || t->order != NULL || t->cert_pem != NULL || t->is_storing)
		return INT64_MAX;
	facts.state = s != NULL ? s->state : ACME_WAITING;
	facts.next_s = s != NULL ? s->next_s : 0;
	return acme_due(&facts);
}

struct task *
acme_task_of(struct acme *a, const char *domain)
{
	struct task *t = fl_map_get(a->tasks, domain);

	if (t != NULL)
		return t;
	t = fl_xcalloc(1, sizeof(*t));
	t->acme = a;
	t->domain = fl_xstrdup(domain);
	t->store_again = evtimer_new(a->cfg.base, on_store_again, t);
	fl_map_set(a->tasks, domain, t);
	return t;
}

void
acme_task_free(void *arg)
{
	struct task *t = arg;

	event_free(t->store_again);
	free(t->cert_pem);
	acme_wipe_free(t->key_pem);
	free(t->domain);
	free(t->route_id);
	free(t);
}
