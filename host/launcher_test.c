#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "host/fixture.h"

/* The jobs in the order of their turns, by the last digit of their ids. */
static void
assert_order(struct fixture *f, const char *want)
{
	const struct job *j = launcher_first(f->host.launcher);

	for (; *want != '\0'; want++, j = launcher_next(j)) {
		assert_non_null(j);
		assert_int_equal(job_id(j)[strlen(job_id(j)) - 1], *want);
	}
	assert_null(j);
}

static void
layer_0_comes_first_then_the_platform_each_by_age(void **state)
{
	struct fixture *f = *state;
	struct job *etcd = fixture_job(f, 1, "\"system\":true"), *discoverd = fixture_job(f, 2, "\"system\":true");
	struct job *app = fixture_job(f, 3, ""), *part = fixture_job(f, 4, "\"system\":true"), *late = fixture_job(f, 5, "\"system\":true");

	etcd->manifest_id = fl_xstrdup("etcd");
	discoverd->manifest_id = fl_xstrdup("discoverd");
	launcher_enqueue(app);
	launcher_enqueue(late);
	launcher_enqueue(discoverd);
	launcher_enqueue(part);
	launcher_enqueue(etcd);
	assert_order(f, "12453");
	launcher_leave(discoverd);
	assert_order(f, "1453");
}

#define IN_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(layer_0_comes_first_then_the_platform_each_by_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
