#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "host/engine.h"
#include "host/fixture.h"
#include "host/recover.h"
#include "libflynn/attr.h"
#include "libflynn/loop_test.h"

static bool has_ended;

static void
on_recovered(FL_UNUSED const struct fl_json *containers, FL_UNUSED void *arg)
{
	has_ended = true;
}

/* A part of the platform runs, which has the cluster's key. */
static void
no_key_is_made_while_the_engine_is_silent(void **state)
{
	static const char containers[] = "[{\"Id\":\"c1\",\"Labels\":{\"flynn.host\":\"h1\",\"flynn.spec\":\"{\\\"system\\\":true}\"}}]";
	static const struct engine_ops ops = { 0 };
	struct fixture *f = *state;
	struct host *h = &f->host;
	struct recover *r;

	free(h->key);
	h->key = NULL;
	h->engine = engine_new(h->base, "/nonexistent/docker.sock", &ops, h);
	r = recover_start(h, fl_json_parse(containers, strlen(containers), NULL), on_recovered, NULL);
	assert_false(loop_until_ms(h->base, loop_is_set, &has_ended, 500));
	assert_null(h->key);
	recover_cancel(r);
	engine_free(h->engine);
	h->engine = NULL;
}

static void
a_new_host_has_a_new_key(void **state)
{
	struct fixture *f = *state;

	free(f->host.key);
	f->host.key = NULL;
	has_ended = false;
	recover_start(&f->host, fl_json_parse("[]", 2, NULL), on_recovered, NULL);
	assert_true(loop_until(f->host.base, loop_is_set, &has_ended));
	assert_non_null(f->host.key);
}

#define IN_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(no_key_is_made_while_the_engine_is_silent),
		IN_FIXTURE(a_new_host_has_a_new_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
