/* How long there is hope where discoverd says nothing. */
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/discoverd.h"
#include "router/starting.h"

struct world {
	struct event_base *base;
	struct fl_discoverd *discoverd; /* nobody is there */
	struct starting *starting;
	int calls;
};

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->base = event_base_new();
	w->discoverd = fl_discoverd_new(w->base, "127.0.0.1:1", "key");
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	fl_discoverd_free(w->discoverd);
	event_base_free(w->base);
	free(w);
	return 0;
}

static void
on_change(void *arg)
{
	struct world *w = arg;

	w->calls++;
	assert_false(starting_is_hopeful(w->starting));
	starting_free(w->starting); /* it may */
	w->starting = NULL;
	event_base_loopbreak(w->base);
}

static void
hope_ends_though_discoverd_is_silent(void **state)
{
	for (int was_lost = 0; was_lost < 2; was_lost++) {
		struct world *w = *state;
		int64_t began = fl_clock_ms();

		w->calls = 0;
		w->starting = starting_new(w->base, w->discoverd, "web", was_lost == 1, on_change, w);
		assert_true(starting_is_hopeful(w->starting));
		event_base_dispatch(w->base);
		assert_int_equal(w->calls, 1);
		assert_true(fl_clock_ms() - began >= STARTING_GRACE_MS - 100);
	}
}

static void
none_is_no_hope(FL_UNUSED void **state)
{
	assert_false(starting_is_hopeful(NULL));
	starting_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hope_ends_though_discoverd_is_silent, set_up, tear_down),
		cmocka_unit_test(none_is_no_hope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
