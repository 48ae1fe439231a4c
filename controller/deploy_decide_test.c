#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "controller/deploy_decide.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"

/*
 * Lives a deployment of one type through: whatever is asked for comes up, or ends, one job at a time. Returns the
 * number of steps; least is how many jobs served at any moment, most how many ran or were starting.
 */
static int
live_through(enum deploy_strategy strategy, int batch, int old, int want, bool is_exclusive, int *least, int *most)
{
	struct deploy_type t = { .name = "web", .want = want, .old_count = old, .old_live = old, .is_exclusive = is_exclusive };

	*least = *most = old;
	for (int steps = 1; steps < 10000; steps++) {
		enum deploy_next next = deploy_decide(strategy, batch, &t, 1);
		int serving, running;

		if (next == DEPLOY_DONE)
			return steps;
		if (t.old_live > t.old_count)
			t.old_live--;
		else if (t.new_up < t.new_count && !(is_exclusive && t.old_live > 0)) /* the scheduler starts none beside one of those */
			t.new_up++;
		serving = t.old_live + t.new_up;
		running = t.old_live + t.new_count;
		*least = serving < *least ? serving : *least;
		*most = running > *most ? running : *most;
		assert_true(t.new_up <= want);
	}
	fail_msg("it does not end");
	return 0;
}

static void
every_deployment_ends(FL_UNUSED void **state)
{
	int least, most;

	for (int s = 0; s < DEPLOY_STRATEGY_MAX; s++)
		for (int old = 0; old < 12; old++)
			for (int want = 0; want < 12; want++)
				for (int exclusive = 0; exclusive < 2; exclusive++)
					live_through((enum deploy_strategy)s, old % 3, old, want, exclusive == 1, &least, &most);
}

static void
never_fewer_serve_than_before(FL_UNUSED void **state)
{
	static const enum deploy_strategy strategies[] = { DEPLOY_ONE_BY_ONE, DEPLOY_IN_BATCHES, DEPLOY_ALL_AT_ONCE };
	int least, most;

	for (size_t i = 0; i < fl_nitems(strategies); i++) {
		for (int n = 1; n < 12; n++) {
			live_through(strategies[i], 0, n, n, false, &least, &most);
			assert_int_equal(least, n);
		}
	}
}

static void
strategies_differ_in_how_many_run_at_once(FL_UNUSED void **state)
{
	static const struct {
		enum deploy_strategy strategy;
		int batch;
		bool is_exclusive;
		int least, most;
	} cases[] = {
		{ DEPLOY_ONE_BY_ONE, 4, false, 6, 7 },
		{ DEPLOY_IN_BATCHES, 0, false, 6, 8 },
		{ DEPLOY_IN_BATCHES, 4, false, 6, 10 },
		{ DEPLOY_IN_BATCHES, 9, false, 6, 12 },
		{ DEPLOY_ALL_AT_ONCE, 0, false, 6, 12 },
		{ DEPLOY_ONE_DOWN_ONE_UP, 0, false, 5, 6 },
		{ DEPLOY_ALL_AT_ONCE, 0, true, 0, 6 },
	};
	int least, most;

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		live_through(cases[i].strategy, cases[i].batch, 6, 6, cases[i].is_exclusive, &least, &most);
		assert_int_equal(least, cases[i].least);
		assert_int_equal(most, cases[i].most);
	}
}

static void
a_type_that_is_gone_goes_last(FL_UNUSED void **state)
{
	struct deploy_type types[] = {
		{ .name = "clock", .old_count = 1, .old_live = 1 }, { .name = "web", .want = 1, .old_count = 1, .old_live = 1 }
	};

	assert_int_equal(deploy_decide(DEPLOY_ONE_BY_ONE, 0, types, 2), DEPLOY_SCALE);
	assert_int_equal(types[0].old_count, 1);
	assert_int_equal(types[1].new_count, 1);
	assert_int_equal(deploy_decide(DEPLOY_ONE_BY_ONE, 0, types, 2), DEPLOY_WAIT);
	types[1].new_up = 1;
	assert_int_equal(deploy_decide(DEPLOY_ONE_BY_ONE, 0, types, 2), DEPLOY_SCALE);
	assert_int_equal(types[0].old_count, 0);
	assert_int_equal(types[1].old_count, 0);
	assert_int_equal(deploy_decide(DEPLOY_ONE_BY_ONE, 0, types, 2), DEPLOY_DRAIN);
	types[0].old_live = types[1].old_live = 0;
	assert_int_equal(deploy_decide(DEPLOY_ONE_BY_ONE, 0, types, 2), DEPLOY_DONE);
}

static void
nothing_wanted_is_done_at_once(FL_UNUSED void **state)
{
	assert_int_equal(deploy_decide(DEPLOY_ONE_BY_ONE, 0, NULL, 0), DEPLOY_DONE);
}

static void
a_wait_is_told(FL_UNUSED void **state)
{
	struct deploy_type types[] = {
		{ .name = "web", .want = 2, .old_count = 2, .new_count = 2, .old_live = 2, .new_up = 1, .new_starting = 1 },
		{ .name = "clock", .want = 1, .new_count = 1 },
		{ .name = "db", .want = 1, .old_live = 1, .is_exclusive = true },
		{ .name = "ok", .want = 1, .new_count = 1, .new_up = 1 },
	};
	struct fl_buf b = { 0 };

	deploy_explain_wait(types, fl_nitems(types), &b);
	assert_string_equal(fl_buf_cstr(&b), "web: 1 of 2 jobs of the new release are up; "
					     "clock: 0 of 1 jobs of the new release are up and none is starting; "
					     "db: 1 jobs of the old release have yet to end");
	fl_buf_release(&b);
}

static void
strategies_have_names(FL_UNUSED void **state)
{
	static const char *const names[] = { "one-by-one", "in-batches", "all-at-once", "one-down-one-up" };
	enum deploy_strategy s;

	assert_int_equal(fl_nitems(names), DEPLOY_STRATEGY_MAX);
	for (size_t i = 0; i < fl_nitems(names); i++) {
		assert_int_equal(deploy_strategy_parse(names[i], &s), 0);
		assert_int_equal(s, i);
	}
	assert_int_equal(deploy_strategy_parse("blue-green", &s), -1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_deployment_ends),
		cmocka_unit_test(never_fewer_serve_than_before),
		cmocka_unit_test(strategies_differ_in_how_many_run_at_once),
		cmocka_unit_test(a_type_that_is_gone_goes_last),
		cmocka_unit_test(nothing_wanted_is_done_at_once),
		cmocka_unit_test(a_wait_is_told),
		cmocka_unit_test(strategies_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
