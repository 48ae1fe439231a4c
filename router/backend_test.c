/* Which instance is next, and what stays while requests hold it. */
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "router/backend.h"
#include "router/reclaim.h"
#include "router/sticky.h"

#define WORKERS 2

static const char *const addrs[] = { "10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:3", "[2001:db8::1]:4" };

struct world {
	struct event_base *base;
	struct reclaim *reclaim;
	struct service *service;
};

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->base = event_base_new();
	w->reclaim = reclaim_new(w->base, WORKERS);
	w->service = service_new("web", WORKERS);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	service_retire(w->service, w->reclaim);
	reclaim_free(w->reclaim);
	event_base_free(w->base);
	free(w);
	return 0;
}

static uint64_t
random_of(uint64_t n)
{
	n = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

static size_t
index_of(const struct world *w, const struct backend *b)
{
	const struct backend_set *set = atomic_load(&w->service->set);

	for (size_t i = 0; i < set->n; i++)
		if (set->items[i] == b)
			return i;
	fail();
	return 0;
}

static void
idle_instances_get_equal_shares(void **state)
{
	struct world *w = *state;
	int got[fl_nitems(addrs)] = { 0 };

	service_update(w->service, addrs, NULL, fl_nitems(addrs), NULL, w->reclaim);
	for (uint64_t i = 0; i < 8000; i++)
		got[index_of(w, service_pick(w->service, 0, true, random_of(i), NULL, 0))]++;
	for (size_t i = 0; i < fl_nitems(addrs); i++)
		assert_in_range(got[i], 1700, 2300);
}

static void
loaded_instance_is_chosen_less(void **state)
{
	struct world *w = *state;
	struct backend *busy;

	service_update(w->service, addrs, NULL, 2, NULL, w->reclaim);
	busy = atomic_load(&w->service->set)->items[0];
	backend_begin(busy, 1); /* by the other worker */
	for (uint64_t i = 0; i < 100; i++)
		assert_ptr_not_equal(service_pick(w->service, 0, true, random_of(i), NULL, 0), busy);
	backend_end(busy, 1);
}

static void
down_and_tried_instances_are_left_out(void **state)
{
	struct world *w = *state;
	const struct backend *tried[3];
	struct backend **items;

	service_update(w->service, addrs, NULL, 3, NULL, w->reclaim);
	items = atomic_load(&w->service->set)->items;
	backend_failed(items[0], 1000);
	for (uint64_t i = 0; i < 100; i++)
		assert_ptr_not_equal(service_pick(w->service, 1001, true, random_of(i), NULL, 0), items[0]);
	tried[0] = items[1];
	tried[1] = items[2];
	/* Down, but the only one that is left. */
	assert_ptr_equal(service_pick(w->service, 1001, true, 5, tried, 2), items[0]);
	tried[2] = items[0];
	assert_null(service_pick(w->service, 1001, true, 5, tried, 3));
}

/* How many of 100 picks at that time give it. */
static int
picks(const struct world *w, const struct backend *b, int64_t now_ms)
{
	int n = 0;

	for (uint64_t i = 0; i < 100; i++)
		n += service_pick(w->service, now_ms, true, random_of(i), NULL, 0) == b;
	return n;
}

static void
failing_instance_is_left_alone_for_twice_as_long_each_time(void **state)
{
	struct world *w = *state;
	struct backend *bad;
	int64_t now = 1000;

	service_update(w->service, addrs, NULL, 3, NULL, w->reclaim);
	bad = atomic_load(&w->service->set)->items[0];
	for (int64_t pause = 500; pause <= 16000; pause *= 2) {
		backend_failed(bad, now);
		backend_failed(bad, now + 1); /* what was under way, too: the same failure */
		assert_int_equal(picks(w, bad, now + pause), 0);
		assert_int_equal(picks(w, bad, now + pause + 1), 1); /* the trial */
		assert_int_equal(picks(w, bad, now + pause + 1000), 0);
		assert_int_equal(picks(w, bad, now + pause + 1001), 1); /* it takes long: another */
		now += pause + 1002;
	}
	backend_failed(bad, now);
	assert_int_equal(picks(w, bad, now + 15999), 0);
	assert_int_equal(picks(w, bad, now + 16000), 1);
	/* What cannot be sent again is not what it is tried with, while there are others. */
	backend_failed(bad, now + 16000);
	for (uint64_t i = 0; i < 100; i++)
		assert_ptr_not_equal(service_pick(w->service, now + 33000, false, random_of(i), NULL, 0), bad);
	assert_int_equal(picks(w, bad, now + 33000), 1);
	backend_works(bad);
	assert_in_range(picks(w, bad, now + 16001), 10, 60);
	backend_failed(bad, now + 20000); /* forgiven: from the start */
	assert_int_equal(picks(w, bad, now + 20499), 0);
	assert_int_equal(picks(w, bad, now + 20500), 1);
}

static void
last_instance_is_never_left_out(void **state)
{
	struct world *w = *state;
	struct backend **items;

	service_update(w->service, addrs, NULL, 2, NULL, w->reclaim);
	items = atomic_load(&w->service->set)->items;
	backend_failed(items[0], 1000);
	assert_int_equal(picks(w, items[1], 1001), 100);
	backend_failed(items[1], 1001);
	assert_in_range(picks(w, items[0], 1002), 10, 90); /* all are down: all are tried */
}

static void
sticky_instance_is_left_while_it_is_down_or_was_tried(void **state)
{
	static const unsigned char key[STICKY_KEY_LEN] = { 7 };
	struct world *w = *state;
	struct backend *b;

	w->service->sticky_key = key;
	service_update(w->service, addrs, NULL, 2, NULL, w->reclaim);
	b = atomic_load(&w->service->set)->items[1];
	assert_ptr_equal(service_find_sticky(w->service, 1000, b->sticky_id, NULL, 0), b);
	assert_null(service_find_sticky(w->service, 1000, b->sticky_id ^ 1, NULL, 0));
	assert_null(service_find_sticky(w->service, 1000, b->sticky_id, (const struct backend *const[]){ b }, 1));
	backend_failed(b, 1000);
	assert_null(service_find_sticky(w->service, 1001, b->sticky_id, NULL, 0));
	backend_works(b);
	assert_ptr_equal(service_find_sticky(w->service, 1002, b->sticky_id, NULL, 0), b);
}

static void
leader_is_the_one_that_was_named(void **state)
{
	struct world *w = *state;
	struct backend **items;

	service_update(w->service, addrs, NULL, 3, addrs[1], w->reclaim);
	items = atomic_load(&w->service->set)->items;
	assert_ptr_equal(service_leader(w->service, NULL, 0), items[1]);
	assert_null(service_leader(w->service, (const struct backend *const[]){ items[1] }, 1));
	service_update(w->service, addrs, NULL, 3, "10.0.0.9:9", w->reclaim);
	assert_null(service_leader(w->service, NULL, 0));
	service_update(w->service, addrs, NULL, 3, NULL, w->reclaim);
	assert_null(service_leader(w->service, NULL, 0));
}

static void
no_instance_is_null(void **state)
{
	struct world *w = *state;

	assert_null(service_pick(w->service, 0, true, 1, NULL, 0));
}

/* A request that has found its route before that went must not be told that no instance runs. */
static void
who_holds_a_retired_service_keeps_its_instances(void **state)
{
	struct world *w = *state;
	struct service *s = service_new("gone", WORKERS);
	struct backend *b;

	service_update(s, addrs, NULL, 2, NULL, w->reclaim);
	service_hold(s, 0);
	service_retire(s, w->reclaim);
	for (int i = 0; i < 5; i++)
		event_base_loop(w->base, EVLOOP_ONCE);
	assert_non_null(b = service_pick(s, 0, true, 1, NULL, 0)); /* the sanitizer says if it is gone */
	assert_true(atomic_load(&b->is_retired));
	backend_hold(b, 0);
	service_unhold(s, 0);
	for (int i = 0; i < 5; i++)
		event_base_loop(w->base, EVLOOP_ONCE);
	assert_string_equal(b->name, addrs[b->name[7] == '1' ? 0 : 1]); /* still there, or the sanitizer says so */
	backend_unhold(b, 0);
	event_base_dispatch(w->base); /* ends once nothing waits to be freed */
}

static void
stays_through_updates_and_goes_when_released(void **state)
{
	static const char *const odd[] = { "10.0.0.1:1", "10.0.0.1:1", "nonsense", "10.0.0.9:0", "10.0.0.9:99999", "host:80" };
	struct world *w = *state;
	struct backend *kept, *gone;

	service_update(w->service, addrs, NULL, 2, NULL, w->reclaim);
	kept = atomic_load(&w->service->set)->items[0];
	gone = atomic_load(&w->service->set)->items[1];
	assert_string_equal(kept->name, "10.0.0.1:1");
	backend_hold(gone, 0);
	assert_true(service_update(w->service, odd, NULL, fl_nitems(odd), NULL, w->reclaim)); /* one was taken out */
	assert_int_equal(atomic_load(&w->service->set)->n, 1);
	assert_ptr_equal(atomic_load(&w->service->set)->items[0], kept);
	assert_true(atomic_load(&gone->is_retired));
	assert_false(atomic_load(&kept->is_retired));
	for (int i = 0; i < 5; i++)
		event_base_loop(w->base, EVLOOP_ONCE);
	assert_string_equal(gone->name, "10.0.0.2:2"); /* held: still there, or the sanitizer says so */
	backend_unhold(gone, 0);
	event_base_dispatch(w->base); /* ends once nothing waits to be freed */
	assert_false(service_update(w->service, addrs, NULL, 2, NULL, w->reclaim));
}

static void
awake_worker_delays_what_it_may_see(void **state)
{
	struct world *w = *state;
	const struct backend_set *seen;

	service_update(w->service, addrs, NULL, 1, NULL, w->reclaim);
	event_base_dispatch(w->base);
	reclaim_wake(w->reclaim, 0);
	seen = atomic_load(&w->service->set);
	service_update(w->service, addrs, NULL, 2, NULL, w->reclaim);
	for (int i = 0; i < 4; i++)
		event_base_loop(w->base, EVLOOP_ONCE);
	assert_int_equal(seen->n, 1);
	reclaim_sleep(w->reclaim, 0);
	event_base_dispatch(w->base);
}

static void
another_release_is_another_instance(void **state)
{
	static const char *const one[] = { "r1", "r1" }, *const two[] = { "r1", "r2" };
	struct world *w = *state;
	const struct backend *first, *second;

	service_update(w->service, addrs, one, 2, NULL, w->reclaim);
	first = atomic_load(&w->service->set)->items[0];
	second = atomic_load(&w->service->set)->items[1];
	assert_string_equal(first->release, "r1");
	assert_false(service_update(w->service, addrs, one, 2, NULL, w->reclaim));
	assert_true(service_update(w->service, addrs, two, 2, NULL, w->reclaim));
	assert_ptr_equal(atomic_load(&w->service->set)->items[0], first);
	assert_ptr_not_equal(atomic_load(&w->service->set)->items[1], second);
	assert_string_equal(atomic_load(&w->service->set)->items[1]->release, "r2");
	assert_int_equal(atomic_load(&w->service->set)->items[1]->release_len, 2);
}

static void
instance_that_has_ever_spoken_first_may_do_so_again(void **state)
{
	struct world *w = *state;

	assert_int_equal(atomic_load(&w->service->opener), OPENER_UNKNOWN);
	service_note_opener(w->service, OPENER_CLIENT);
	assert_int_equal(atomic_load(&w->service->opener), OPENER_CLIENT);
	service_note_opener(w->service, OPENER_INSTANCE);
	service_note_opener(w->service, OPENER_CLIENT);
	assert_int_equal(atomic_load(&w->service->opener), OPENER_INSTANCE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(idle_instances_get_equal_shares, set_up, tear_down),
		cmocka_unit_test_setup_teardown(loaded_instance_is_chosen_less, set_up, tear_down),
		cmocka_unit_test_setup_teardown(down_and_tried_instances_are_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failing_instance_is_left_alone_for_twice_as_long_each_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(last_instance_is_never_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sticky_instance_is_left_while_it_is_down_or_was_tried, set_up, tear_down),
		cmocka_unit_test_setup_teardown(leader_is_the_one_that_was_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_instance_is_null, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_release_is_another_instance, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_holds_a_retired_service_keeps_its_instances, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stays_through_updates_and_goes_when_released, set_up, tear_down),
		cmocka_unit_test_setup_teardown(instance_that_has_ever_spoken_first_may_do_so_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(awake_worker_delays_what_it_may_see, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
