#include "router/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "router/record.h"

static int
set_up(void **state)
{
	*state = tally_new(1, 2);
	return 0;
}

static int
tear_down(void **state)
{
	tally_free(*state);
	return 0;
}

static void
nothing_is_counted_before_the_first_request(void **state)
{
	struct tally_sums sums = { 0 };

	assert_false(tally_sum(*state, &sums));
	assert_false(tally_is_busy(*state));
}

static void
open_exchanges_hold_it(void **state)
{
	struct tally_slot *a = tally_begin(*state, 0), *b = tally_begin(*state, 1);
	struct record r = { .status = 200 };
	struct tally_sums sums = { 0 };

	assert_true(tally_sum(*state, &sums));
	assert_int_equal(sums.n_open, 2);
	tally_end(a, &r);
	assert_true(tally_is_busy(*state));
	tally_end(b, &r);
	assert_false(tally_is_busy(*state));
}

static void
each_time_falls_in_its_bucket(FL_UNUSED void **state)
{
	static const struct {
		float us;
		size_t bucket;
	} cases[] = {
		{ 1, 0 }, { 5000, 0 }, { 5001, 1 }, { 25000, 1 }, { 99999, 2 }, { 250000, 3 }, { 500000, 4 },
		{ 1e6F, 5 }, { 2500000, 6 }, { 1e7F, 7 }, { 1.1e7F, 8 }, { 1e12F, 8 },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct tally *t = tally_new(2, 1);
		struct tally_sums sums = { 0 };

		tally_end(tally_begin(t, 0), &(struct record){ .status = 200, .total_us = cases[i].us });
		tally_sum(t, &sums);
		assert_int_equal(sums.buckets[cases[i].bucket], 1);
		assert_int_equal(sums.sum_us, (uint64_t)cases[i].us);
		tally_free(t);
	}
}

static void
sums_are_those_of_all_workers(void **state)
{
	static const uint16_t statuses[] = { 0, 101, 200, 204, 302, 404, 499, 503 };
	static const uint64_t classes[TALLY_CLASSES] = { 1, 1, 2, 1, 2, 1 };
	struct tally_sums sums = { 0 };

	for (size_t i = 0; i < fl_nitems(statuses); i++)
		tally_end(tally_begin(*state, i % 2), &(struct record){ .status = statuses[i], .total_us = 1000, .retries = 1 });
	assert_true(tally_sum(*state, &sums));
	assert_memory_equal(sums.classes, classes, sizeof(classes));
	assert_int_equal(sums.buckets[0], fl_nitems(statuses));
	assert_int_equal(sums.sum_us, 1000 * fl_nitems(statuses));
	assert_int_equal(sums.retries, fl_nitems(statuses));
}

static void
tunnels_have_no_time(void **state)
{
	struct tally_sums sums = { 0 };

	tally_end(tally_begin(*state, 0), &(struct record){ .status = 101, .total_us = 1e9F, .flags = RECORD_TUNNEL });
	tally_end(tally_begin(*state, 0), &(struct record){ .total_us = 1e9F, .flags = RECORD_TCP });
	tally_sum(*state, &sums);
	assert_int_equal(sums.sum_us, 0);
	assert_int_equal(sums.classes[0] + sums.classes[1], 2);
	for (size_t i = 0; i < TALLY_BUCKETS; i++)
		assert_int_equal(sums.buckets[i], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_counted_before_the_first_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(open_exchanges_hold_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_time_falls_in_its_bucket, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sums_are_those_of_all_workers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tunnels_have_no_time, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
