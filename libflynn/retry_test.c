#include "libflynn/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libflynn/loop_test.h"

static void
set(void *arg)
{
	*(bool *)arg = true;
}

static void
waits_double_up_to_the_longest(FL_UNUSED void **state)
{
	static const int want_ms[] = { 100, 200, 400, 800, 1000, 1000 };
	struct event_base *base = event_base_new();
	struct fl_retry r;
	bool called = false;

	fl_retry_init(&r, base, 100, 1000, set, &called);
	for (size_t i = 0; i < fl_nitems(want_ms); i++) {
		int ms = fl_retry_wait(&r);

		assert_in_range(ms, want_ms[i] * 3 / 4, want_ms[i] * 5 / 4);
	}
	fl_retry_reset(&r);
	assert_in_range(fl_retry_wait(&r), 75, 125);
	fl_retry_release(&r);
	event_base_free(base);
}

static void
callback_comes_after_the_wait_and_not_after_a_reset(FL_UNUSED void **state)
{
	struct event_base *base = event_base_new();
	struct fl_retry r;
	bool called = false;
	int64_t start_ms = fl_clock_ms();
	int ms;

	fl_retry_init(&r, base, 20, 40, set, &called);
	ms = fl_retry_wait(&r);
	assert_false(called);
	assert_true(loop_until(base, loop_is_set, &called));
	assert_true(fl_clock_ms() - start_ms >= ms - 1);

	called = false;
	fl_retry_wait(&r);
	fl_retry_reset(&r);
	event_base_dispatch(base); /* nothing pending: returns */
	assert_false(called);
	fl_retry_release(&r);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_double_up_to_the_longest),
		cmocka_unit_test(callback_comes_after_the_wait_and_not_after_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
