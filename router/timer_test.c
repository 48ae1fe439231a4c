/* Deadlines come when they are due, and not before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "router/timer.h"

static int64_t clock_ms;

struct probe {
	struct timer timer;
	int64_t due_at;
	int calls;
};

static void
on_due(struct timer *t)
{
	struct probe *p = fl_container_of(t, struct probe, timer);

	p->calls++;
	p->due_at = clock_ms;
}

static void
run_until(struct timer_wheel *wheel, int64_t end_ms, int64_t step_ms)
{
	while (clock_ms < end_ms) {
		clock_ms += step_ms;
		timer_wheel_run(wheel, clock_ms);
	}
}

static void
deadlines_pass_once_and_in_time(FL_UNUSED void **state)
{
	static const int64_t delays[] = { 0, 1, 127, 128, 1000, 30000, 65535, 65536, 70000, 300000, 3600000 };
	struct probe probes[fl_nitems(delays)];
	struct timer_wheel wheel;

	memset(probes, 0, sizeof(probes));
	clock_ms = 123456;
	timer_wheel_init(&wheel, clock_ms);
	for (size_t i = 0; i < fl_nitems(delays); i++) {
		probes[i].timer.on_due = on_due;
		timer_set(&wheel, &probes[i].timer, clock_ms + delays[i]);
	}
	run_until(&wheel, 123456 + 4000000, 100);
	for (size_t i = 0; i < fl_nitems(delays); i++) {
		int64_t late = probes[i].due_at - 123456 - delays[i];

		assert_int_equal(probes[i].calls, 1);
		assert_in_range(late, 0, 2 * TIMER_TICK_MS + 100);
	}
}

static void
moved_deadline_counts_and_cleared_does_not(FL_UNUSED void **state)
{
	struct probe later = { .timer.on_due = on_due }, sooner = later, cleared = later;
	struct timer_wheel wheel;

	clock_ms = 1000;
	timer_wheel_init(&wheel, clock_ms);
	timer_set(&wheel, &later.timer, 2000);
	timer_set(&wheel, &sooner.timer, 60000);
	timer_set(&wheel, &cleared.timer, 2000);
	timer_set(&wheel, &later.timer, 50000);
	timer_set(&wheel, &sooner.timer, 3000);
	timer_clear(&cleared.timer);
	run_until(&wheel, 10000, 50);
	assert_int_equal(later.calls, 0);
	assert_int_equal(cleared.calls, 0);
	assert_int_equal(sooner.calls, 1);
	assert_in_range(sooner.due_at, 3000, 3300);
	run_until(&wheel, 60000, 50);
	assert_int_equal(later.calls, 1);
	assert_int_equal(sooner.calls, 1);
	timer_clear(&cleared.timer);
}

static void
poll_waits_until_next_deadline(FL_UNUSED void **state)
{
	struct probe p = { .timer.on_due = on_due };
	struct timer_wheel wheel;

	clock_ms = 5000;
	timer_wheel_init(&wheel, clock_ms);
	assert_int_equal(timer_wheel_wait_ms(&wheel, clock_ms), -1);
	timer_set(&wheel, &p.timer, 35000);
	assert_in_range(timer_wheel_wait_ms(&wheel, clock_ms), 30000, 30000 + TIMER_TICK_MS);
	clock_ms = 36000;
	assert_int_equal(timer_wheel_wait_ms(&wheel, clock_ms), 0);
	timer_wheel_run(&wheel, clock_ms);
	assert_int_equal(p.calls, 1);
	assert_int_equal(timer_wheel_wait_ms(&wheel, clock_ms), -1);
}

static void
long_sleep_loses_no_deadline(FL_UNUSED void **state)
{
	struct probe p[2] = { { .timer.on_due = on_due }, { .timer.on_due = on_due } };
	struct timer_wheel wheel;

	clock_ms = 0;
	timer_wheel_init(&wheel, clock_ms);
	timer_set(&wheel, &p[0].timer, 500);
	timer_set(&wheel, &p[1].timer, 60000);
	clock_ms = 10000000;
	timer_wheel_run(&wheel, clock_ms);
	assert_int_equal(p[0].calls, 1);
	assert_int_equal(p[1].calls, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deadlines_pass_once_and_in_time),
		cmocka_unit_test(moved_deadline_counts_and_cleared_does_not),
		cmocka_unit_test(poll_waits_until_next_deadline),
		cmocka_unit_test(long_sleep_loses_no_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
