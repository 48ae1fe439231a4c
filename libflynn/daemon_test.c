#include "libflynn/daemon.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <event2/event.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/log.h"

enum { DRAINED_ITSELF = 10, ENDED_BY_FORCE = 11, STOPPED_TWICE = 12 };

struct daemon {
	struct event_base *base;
	int stops;
	int drained;
};

static void
end_loop(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct daemon *d = arg;

	d->drained = 1;
	event_base_loopexit(d->base, NULL);
}

/* A daemon that drains within 20 ms. */
static void
stop_soon(void *arg)
{
	struct daemon *d = arg;

	d->stops++;
	event_base_once(d->base, -1, EV_TIMEOUT, end_loop, d, &(struct timeval){ .tv_usec = 20000 });
}

/* A daemon that never does. */
static void
stop_never(void *arg)
{
	struct daemon *d = arg;

	d->stops++;
}

static void
signal_self(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	raise(*(const int *)arg);
}

/* Runs a daemon in a child that is sent the signals, and returns its exit status. */
static int
run_daemon(void (*stop)(void *), int drain_s, const int *signals, size_t n_signals)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct daemon d = { .base = fl_daemon_init("test") };

		fl_log_set_level(FL_LOG_ERROR);
		for (size_t i = 0; i < n_signals; i++)
			event_base_once(d.base, -1, EV_TIMEOUT, signal_self, (void *)&signals[i],
			    &(struct timeval){ .tv_usec = 10000 + 50000 * (suseconds_t)i });
		fl_daemon_run(d.base, drain_s, stop, &d);
		fl_daemon_free(d.base);
		_exit(d.stops != 1 ? STOPPED_TWICE : d.drained ? DRAINED_ITSELF : ENDED_BY_FORCE);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
a_signal_drains_and_ends(FL_UNUSED void **state)
{
	assert_int_equal(run_daemon(stop_soon, 5, (const int[]){ SIGTERM }, 1), DRAINED_ITSELF);
	assert_int_equal(run_daemon(stop_soon, 5, (const int[]){ SIGINT }, 1), DRAINED_ITSELF);
}

static void
the_drain_is_bounded(FL_UNUSED void **state)
{
	int64_t start = fl_clock_ms();

	assert_int_equal(run_daemon(stop_never, 1, (const int[]){ SIGTERM }, 1), ENDED_BY_FORCE);
	assert_in_range(fl_clock_ms() - start, 1000, 10000);
}

static void
a_second_signal_ends_at_once(FL_UNUSED void **state)
{
	int64_t start = fl_clock_ms();

	assert_int_equal(run_daemon(stop_never, 60, (const int[]){ SIGTERM, SIGTERM }, 2), ENDED_BY_FORCE);
	assert_in_range(fl_clock_ms() - start, 0, 30000);
}

static void
a_closed_pipe_kills_nobody(FL_UNUSED void **state)
{
	assert_int_equal(run_daemon(stop_soon, 5, (const int[]){ SIGPIPE, SIGTERM }, 2), DRAINED_ITSELF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_drains_and_ends),
		cmocka_unit_test(the_drain_is_bounded),
		cmocka_unit_test(a_second_signal_ends_at_once),
		cmocka_unit_test(a_closed_pipe_kills_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
