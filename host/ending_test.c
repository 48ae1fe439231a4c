#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/ending.h"
#include "libflynn/attr.h"

static void
the_back_off_is_none_then_slow_then_slower(void **state)
{
	static const struct {
		int from, to, want;
	} cases[] = { { 1, 5, 0 }, { 6, 15, 10 }, { 16, 100, 30 } };

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++)
		for (int deaths = cases[i].from; deaths <= cases[i].to; deaths++)
			assert_int_equal(ending_delay_s(deaths), cases[i].want);
}

static void
what_never_came_up_has_failed_whatever_its_status(void **state)
{
	static const struct {
		bool was_up;
		int exit_status;
		enum fl_job_status want;
	} cases[] = {
		{ false, 0, FL_JOB_FAILED }, { false, 1, FL_JOB_FAILED }, { true, 0, FL_JOB_DONE },
		{ true, 1, FL_JOB_CRASHED }, { true, 137, FL_JOB_CRASHED },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(ending_status(cases[i].was_up, cases[i].exit_status), cases[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_back_off_is_none_then_slow_then_slower),
		cmocka_unit_test(what_never_came_up_has_failed_whatever_its_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
