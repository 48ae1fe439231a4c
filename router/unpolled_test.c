#include "router/unpolled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "router/client.h"
#include "router/worker.h"

#define N 300

struct world {
	struct worker w;
	struct client clients[N];
};

static int
set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	world->w.epoll_fd = epoll_create1(0);
	for (size_t i = 0; i < N; i++) {
		world->clients[i].w = &world->w;
		world->clients[i].io.fd = eventfd(0, 0);
	}
	*state = world;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < N; i++)
		close(world->clients[i].io.fd);
	close(world->w.epoll_fd);
	unpolled_release(&world->w.unpolled);
	free(world);
	return 0;
}

/* How many the poller knows: each is writable, once. */
static int
n_told(struct world *world)
{
	struct epoll_event events[N];

	return epoll_wait(world->w.epoll_fd, events, N, 0);
}

static void
the_poller_is_told_of_those_that_are_due(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < N; i++) {
		world->w.now_ms = i < 100 ? 0 : 10;
		unpolled_add(&world->clients[i]);
	}
	world->w.now_ms = UNPOLLED_MS - 1;
	unpolled_run(&world->w);
	assert_int_equal(n_told(world), 0);
	world->w.now_ms = UNPOLLED_MS;
	unpolled_run(&world->w);
	assert_int_equal(n_told(world), 100);
	assert_false(world->clients[99].is_unpolled);
	assert_true(world->clients[100].is_unpolled);
	world->w.now_ms = UNPOLLED_MS + 10;
	unpolled_run(&world->w);
	assert_int_equal(n_told(world), N - 100);
	assert_int_equal(world->w.unpolled.n, 0);
}

static void
nothing_is_told_of_those_that_have_gone(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < N; i++)
		unpolled_add(&world->clients[i]);
	for (size_t i = 0; i < N; i += 2)
		unpolled_remove(&world->clients[i]);
	unpolled_remove(&world->clients[0]);
	world->w.now_ms = UNPOLLED_MS;
	unpolled_run(&world->w);
	assert_int_equal(n_told(world), N / 2);
	unpolled_add(&world->clients[0]);
	world->w.now_ms *= 2;
	unpolled_run(&world->w);
	assert_int_equal(n_told(world), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_poller_is_told_of_those_that_are_due, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_told_of_those_that_have_gone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
