#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "host/fixture.h"

static void
every_state_but_the_end_can_lead_to_the_end(void **state)
{
	bool reaches[JOB_STATE_MAX] = { [JOB_ENDED] = true };

	(void)state;
	for (int round = 0; round < JOB_STATE_MAX; round++)
		for (int from = 0; from < JOB_STATE_MAX; from++)
			for (int to = 0; to < JOB_STATE_MAX; to++)
				reaches[from] = reaches[from] || (reaches[to] && job_may_enter(from, to));
	for (int from = 0; from < JOB_STATE_MAX; from++)
		assert_true(reaches[from]);
	for (int to = 0; to < JOB_STATE_MAX; to++)
		assert_false(job_may_enter(JOB_ENDED, to));
}

/* The engine may go away at any moment. */
static void
whatever_runs_may_become_unknown(void **state)
{
	(void)state;
	for (int from = 0; from < JOB_ENDED; from++)
		assert_true(job_may_enter(from, JOB_UNKNOWN));
}

static void
nothing_is_up_that_was_not_checked(void **state)
{
	(void)state;
	for (int from = 0; from < JOB_STATE_MAX; from++)
		assert_int_equal(job_may_enter(from, JOB_UP), from == JOB_CHECKING);
}

static void
what_others_see_follows_the_state(void **state)
{
	struct job *j = fixture_job(*state, 1, "");

	job_enter(j, JOB_CHECKING);
	assert_int_equal(j->active->status, FL_JOB_STARTING);
	job_enter(j, JOB_UP);
	assert_int_equal(j->active->status, FL_JOB_RUNNING);
	assert_true(j->active->healthy);
	job_enter(j, JOB_STOPPING);
	assert_int_equal(j->active->status, FL_JOB_STOPPING);
	assert_false(j->active->healthy);
	j->end_status = FL_JOB_CRASHED;
	job_enter(j, JOB_ENDED);
	assert_int_equal(j->active->status, FL_JOB_CRASHED);
}

static void
jobs_are_in_the_order_of_their_age(void **state)
{
	struct fixture *f = *state;
	struct job *two = fixture_job(f, 2, ""), *three = fixture_job(f, 3, ""), *one = fixture_job(f, 1, "");

	assert_ptr_equal(TAILQ_FIRST(&f->host.jobs), one);
	assert_ptr_equal(TAILQ_NEXT(one, link), two);
	assert_ptr_equal(TAILQ_NEXT(two, link), three);
	assert_int_equal(f->host.n_jobs, 3);
	assert_ptr_equal(job_find(&f->host, job_id(two)), two);
	assert_null(job_find(&f->host, "h1-none"));
}

static void
who_is_kept_and_who_runs_only_once(void **state)
{
	static const struct {
		const char *members;
		bool was_up, want_once, want_kept;
	} cases[] = {
		{ "\"metadata\":{\"flynn-controller.type\":\"web\"}", true, false, false },
		{ "\"metadata\":{\"flynn-controller.type\":\"web\"},\"system\":true", true, false, true },
		{ "\"metadata\":{\"flynn-controller.type\":\"web\"},\"system\":true", false, false, false },
		{ "\"system\":true", true, false, true },
		{ "\"system\":true,\"config\":{\"stop_on_detach\":true}", true, true, false },
		{ "", true, true, false },
		{ "\"metadata\":{\"flynn-controller.type\":\"web\"},\"config\":{\"tty\":true}", true, true, false },
		{ "\"metadata\":{\"flynn-controller.type\":\"\"}", true, true, false },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct job *j = fixture_job(*state, (int)i, cases[i].members);

		j->was_up = cases[i].was_up;
		assert_int_equal(job_is_once(j), cases[i].want_once);
		assert_int_equal(job_is_kept(j), cases[i].want_kept);
	}
}

#define IN_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_but_the_end_can_lead_to_the_end),
		cmocka_unit_test(whatever_runs_may_become_unknown),
		cmocka_unit_test(nothing_is_up_that_was_not_checked),
		IN_FIXTURE(what_others_see_follows_the_state),
		IN_FIXTURE(jobs_are_in_the_order_of_their_age),
		IN_FIXTURE(who_is_kept_and_who_runs_only_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
