#include "libflynn/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"

static void
keys_differ_and_are_hex(FL_UNUSED void **state)
{
	char *a = fl_random_hex(16), *b = fl_random_hex(16);

	assert_int_equal(strlen(a), 32);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_string_not_equal(a, b);
	free(a);
	free(b);
}

/* 20000 draws of ten: each is due 2000 times, with a standard deviation of 42. */
static void
numbers_are_spread_evenly(FL_UNUSED void **state)
{
	int seen[10] = { 0 };

	for (int i = 0; i < 20000; i++) {
		uint32_t n = fl_random_below(10);

		assert_true(n < 10);
		seen[n]++;
	}
	for (size_t i = 0; i < fl_nitems(seen); i++)
		assert_in_range(seen[i], 1650, 2350);
}

static void
a_bound_of_one_leaves_zero(FL_UNUSED void **state)
{
	for (int i = 0; i < 100; i++)
		assert_int_equal(fl_random_below(1), 0);
	assert_true(fl_random_below(UINT32_MAX) < UINT32_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_differ_and_are_hex),
		cmocka_unit_test(numbers_are_spread_evenly),
		cmocka_unit_test(a_bound_of_one_leaves_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
