#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <event2/event.h>

#include "host/ending.h"
#include "host/fixture.h"
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

/* Whatever it fails of: a port that another job has, or an image that is not there for the container that is to be renewed. */
static void
a_launch_that_fails_is_not_tried_again_at_once_for_ever(void **state)
{
	static const enum job_state from[] = { JOB_QUEUED, JOB_CREATING };

	for (size_t i = 0; i < fl_nitems(from); i++) {
		struct job *j = fixture_job(*state, (int)i, "\"system\":true");

		j->manifest_id = fl_xstrdup("etcd");
		j->renew_container = true;
		for (int tries = 1; tries < 10; tries++) {
			job_enter(j, JOB_QUEUED);
			if (from[i] != JOB_QUEUED)
				job_enter(j, from[i]);
			ending_conclude(j, FL_JOB_FAILED, -1, "it cannot be launched");
			assert_int_equal(j->state, JOB_WAITING);
			assert_int_equal(j->deaths, tries);
			assert_false(j->queued);
		}
	}
}

static void
a_container_that_is_to_be_renewed_is_so_once_it_has_ended(void **state)
{
	struct job *j = fixture_job(*state, 1, "\"system\":true");

	j->renew_container = true;
	job_enter(j, JOB_STOPPING);
	ending_conclude(j, FL_JOB_FAILED, 0, NULL);
	assert_int_equal(j->state, JOB_QUEUED);
	assert_int_equal(j->deaths, 0);
}

#define IN_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_back_off_is_none_then_slow_then_slower),
		cmocka_unit_test(what_never_came_up_has_failed_whatever_its_status),
		IN_FIXTURE(a_launch_that_fails_is_not_tried_again_at_once_for_ever),
		IN_FIXTURE(a_container_that_is_to_be_renewed_is_so_once_it_has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
