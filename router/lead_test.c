/* When a router may lead, and when it has stopped to. etcd, the timer and the clock are the test's own: no time passes. */
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "router/lead.h"

#define LEASE 7
#define TTL_MS (LEAD_TTL_S * 1000)

/* What etcd was asked and has not answered yet. */
struct call {
	fl_etcd_cb cb;
	void *arg;
	int n; /* so often, in all */
};

static struct call grant, put, keepalive, revocation;
static struct event *timer; /* that is to fire in timer_ms */
static int64_t timer_ms, clock_ms;
static int changes;
static bool is_leader;

void
fl_etcd_lease_grant(FL_UNUSED struct fl_etcd *e, int ttl_s, fl_etcd_cb cb, void *arg)
{
	assert_int_equal(ttl_s, LEAD_TTL_S);
	grant = (struct call){ cb, arg, grant.n + 1 };
}

void
fl_etcd_put(FL_UNUSED struct fl_etcd *e, FL_UNUSED const char *key, FL_UNUSED const char *value, int64_t lease, int64_t expected_mod_rev,
    fl_etcd_cb cb, void *arg)
{
	assert_int_equal(lease, LEASE);
	assert_int_equal(expected_mod_rev, FL_ETCD_ABSENT);
	put = (struct call){ cb, arg, put.n + 1 };
}

void
fl_etcd_lease_keepalive(FL_UNUSED struct fl_etcd *e, int64_t lease, fl_etcd_cb cb, void *arg)
{
	assert_int_equal(lease, LEASE);
	keepalive = (struct call){ cb, arg, keepalive.n + 1 };
}

void
fl_etcd_lease_revoke(FL_UNUSED struct fl_etcd *e, int64_t lease, fl_etcd_cb cb, void *arg)
{
	assert_int_equal(lease, LEASE);
	revocation = (struct call){ cb, arg, revocation.n + 1 };
}

int
event_add(struct event *ev, const struct timeval *timeout)
{
	timer = ev;
	timer_ms = timeout->tv_sec * 1000 + timeout->tv_usec / 1000;
	return 0;
}

int
event_del(FL_UNUSED struct event *ev)
{
	timer = NULL;
	return 0;
}

int
clock_gettime(FL_UNUSED clockid_t id, struct timespec *tp)
{
	*tp = (struct timespec){ .tv_sec = clock_ms / 1000, .tv_nsec = clock_ms % 1000 * 1000000 };
	return 0;
}

static void
answer(struct call *c, int64_t rev, enum fl_err_kind kind)
{
	struct fl_err err = { .kind = kind };
	fl_etcd_cb cb = c->cb;

	assert_non_null(cb);
	c->cb = NULL;
	cb(rev, kind == FL_ERR_NONE ? NULL : &err, c->arg);
}

/* Let the time come for which the timer is set. */
static void
pass(void)
{
	struct event *ev = timer;

	assert_non_null(ev);
	clock_ms += timer_ms;
	timer = NULL;
	event_get_callback(ev)(-1, EV_TIMEOUT, event_get_callback_arg(ev));
}

static void
on_change(bool now, FL_UNUSED void *arg)
{
	assert_int_not_equal(now, is_leader);
	is_leader = now;
	changes++;
}

static struct event_base *base;

static int
set_up(void **state)
{
	grant = put = keepalive = revocation = (struct call){ 0 };
	timer = NULL;
	clock_ms = 1000000;
	changes = 0;
	is_leader = false;
	base = event_base_new();
	*state = lead_new(base, NULL, "/lead", on_change, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	lead_free(*state);
	event_base_free(base);
	return 0;
}

static void
become_leader(struct lead *l)
{
	lead_want(l, true);
	answer(&grant, LEASE, FL_ERR_NONE);
	assert_false(is_leader);
	answer(&put, 1, FL_ERR_NONE);
	assert_true(is_leader);
}

static void
who_renews_leads_on(void **state)
{
	become_leader(*state);
	for (int i = 1; i < 20; i++) {
		pass();
		assert_int_equal(keepalive.n, i);
		answer(&keepalive, LEAD_TTL_S, FL_ERR_NONE);
	}
	assert_true(clock_ms > 1000000 + 2 * TTL_MS);
	assert_int_equal(changes, 1);
}

/* Before etcd lets another begin, and not at the first answer that fails to come. */
static void
who_cannot_renew_stops_in_time(struct lead *l, bool is_silent)
{
	int64_t renewed_ms;

	become_leader(l);
	pass();
	renewed_ms = clock_ms;
	answer(&keepalive, LEAD_TTL_S, FL_ERR_NONE);
	while (is_leader) {
		assert_true(clock_ms - renewed_ms < TTL_MS);
		pass();
		if (is_leader && !is_silent)
			answer(&keepalive, 0, FL_ERR_UNAVAILABLE);
	}
	assert_true(clock_ms - renewed_ms > TTL_MS / 2);
	assert_true(clock_ms - renewed_ms < TTL_MS);
	/* It gives the key up, should etcd hear of it, and tries again a little later. */
	assert_int_equal(revocation.n, 1);
	assert_true(timer_ms > 0);
	pass();
	assert_int_equal(grant.n, 2);
}

static void
silence_ends_it(void **state)
{
	who_cannot_renew_stops_in_time(*state, true);
}

static void
failures_end_it(void **state)
{
	who_cannot_renew_stops_in_time(*state, false);
}

/* An answer says that the lease was alive when it was asked for, not when the answer has come. */
static void
late_answer_counts_from_its_question(void **state)
{
	int64_t asked_ms;

	become_leader(*state);
	pass();
	asked_ms = clock_ms;
	clock_ms += TTL_MS / 2;
	answer(&keepalive, 1, FL_ERR_NONE);
	while (is_leader) {
		assert_true(clock_ms - asked_ms < TTL_MS);
		pass();
	}
	assert_true(clock_ms - asked_ms < TTL_MS);
}

static void
lost_lease_ends_it_at_once(void **state)
{
	become_leader(*state);
	pass();
	answer(&keepalive, 0, FL_ERR_NOT_FOUND);
	assert_false(is_leader);
}

static void
vanished_key_ends_it_at_once(void **state)
{
	become_leader(*state);
	lead_seen(*state, true);
	assert_true(is_leader);
	lead_seen(*state, false);
	assert_false(is_leader);
}

static void
who_is_second_waits_until_the_key_is_gone(void **state)
{
	lead_want(*state, true);
	answer(&grant, LEASE, FL_ERR_NONE);
	answer(&put, 0, FL_ERR_CONFLICT);
	assert_false(is_leader);
	assert_int_equal(revocation.n, 1);
	lead_seen(*state, true);
	pass();
	assert_int_equal(grant.n, 1);
	lead_seen(*state, false);
	assert_int_equal(grant.n, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_renews_leads_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silence_ends_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures_end_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(late_answer_counts_from_its_question, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lost_lease_ends_it_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(vanished_key_ends_it_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_is_second_waits_until_the_key_is_gone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
