#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "host/claim.h"
#include "host/fixture.h"
#include "host/retain.h"
#include "host/state.h"
#include "libflynn/err.h"

#define JOB_BYTES (1u << 20)

/* A host whose state is at that path. */
static struct host *
host_at(const char *path)
{
	void *state = NULL;
	struct fixture *f;

	fixture_setup(&state);
	f = state;
	f->host.claim = claim_new(&f->host);
	state_free(f->host.state);
	f->host.state = NULL;
	free(f->cfg.state_path);
	f->cfg.state_path = fl_xstrdup(path);
	return &f->host;
}

static void
host_at_end(struct host *h)
{
	void *state = (char *)h - offsetof(struct fixture, host);

	claim_free(h->claim);
	fixture_teardown(&state);
}

/* As large as jobs may be that are put. */
static struct job *
add_large(struct host *h, int n)
{
	struct fl_job *spec = fl_job_new();
	char *value = fl_xcalloc(1, JOB_BYTES);

	memset(value, '"', JOB_BYTES / 2 - 1); /* which is two bytes of JSON */
	spec->artifact_uri = fl_xstrdup("docker:///flynn/x");
	fl_job_set_env(spec, "LARGE", value);
	fl_job_set_id(spec, h->id);
	free(value);
	return job_new(h, job_active_of(h, spec, n));
}

/* Remembers one more. */
static struct job *
add_and_write(struct host *h, int n)
{
	struct job *j = add_large(h, n);

	state_touch(h->state);
	assert_int_equal(state_flush(h->state, NULL), 0);
	return j;
}

static char path[] = "/tmp/state-test-XXXXXX";

static int
set_up(void **state)
{
	struct host *h = NULL;

	strcpy(path + sizeof(path) - 7, "XXXXXX");
	close(mkstemp(path));
	unlink(path);
	h = host_at(path);
	h->state = state_load(h, NULL);
	*state = h;
	return 0;
}

static int
tear_down(void **state)
{
	host_at_end(*state);
	unlink(path);
	return 0;
}

/* Else host could not start any more. */
static void
what_there_is_room_for_is_read_back(void **state)
{
	struct host *h = *state, *again = host_at(path);
	struct fl_err err = { 0 };
	int n = 0;

	while (n < 100 && state_check_room(h->state, JOB_BYTES, &err) == 0)
		add_and_write(h, n++);
	assert_int_equal(err.kind, FL_ERR_NO_SPACE);
	free(again->id);
	free(again->key);
	again->id = again->key = NULL;
	again->state = state_load(again, NULL);
	assert_non_null(again->state);
	assert_int_equal(again->n_jobs, n);
	assert_int_equal(state_check_room(again->state, JOB_BYTES, NULL), -1);
	host_at_end(again);
}

/* A process type that fails again and again must not take the room of all others. */
static void
a_crowded_state_remembers_no_job_that_has_ended(void **state)
{
	struct host *h = *state;
	struct job *ended = add_and_write(h, 0);

	job_enter(ended, JOB_ENDED);
	retain_mark(h);
	assert_true(ended->retained);
	for (int n = 1; n < 100 && !state_is_crowded(h->state); n++)
		add_and_write(h, n);
	retain_mark(h);
	assert_false(ended->retained);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_there_is_room_for_is_read_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_crowded_state_remembers_no_job_that_has_ended, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
