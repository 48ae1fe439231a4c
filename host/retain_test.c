#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/retain.h"

static size_t
count_kept(const struct retain_item *items, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		kept += items[i].keep;
	return kept;
}

static void
the_newest_of_each_type_stay(void **state)
{
	struct retain_item items[] = {
		{ "a", "web", 10, false }, { "a", "web", 30, false }, { "a", "web", 20, false },
		{ "a", "worker", 1, false }, { "b", "web", 2, false }, { "", "", 5, false },
	};

	(void)state;
	retain_choose(items, 6);
	assert_false(items[0].keep);
	assert_true(items[1].keep);
	assert_true(items[2].keep);
	assert_int_equal(count_kept(items, 6), 5);
}

static void
equal_times_do_not_keep_more(void **state)
{
	struct retain_item items[5];

	(void)state;
	for (size_t i = 0; i < 5; i++)
		items[i] = (struct retain_item){ "a", "web", 7, false };
	retain_choose(items, 5);
	assert_int_equal(count_kept(items, 5), RETAIN_PER_TYPE);
}

static void
the_sum_is_bounded_and_the_oldest_go(void **state)
{
	static const char *const types[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l" };
	struct retain_item items[24];

	(void)state;
	for (size_t i = 0; i < 24; i++)
		items[i] = (struct retain_item){ "app", types[i / 2], (int64_t)i, false };
	retain_choose(items, 24);
	assert_int_equal(count_kept(items, 24), RETAIN_IN_ALL);
	assert_false(items[7].keep);
	assert_true(items[8].keep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_of_each_type_stay),
		cmocka_unit_test(equal_times_do_not_keep_more),
		cmocka_unit_test(the_sum_is_bounded_and_the_oldest_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
