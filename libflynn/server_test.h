/*
 * server_test - for tests of what waits for its answer: an HTTP server in a process of its own.
 */
#ifndef FL_SERVER_TEST_H
#define FL_SERVER_TEST_H

#include <event2/event.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/http_server.h"

FL_UNUSED static FL_NORETURN void
server_run(const char *key, const struct fl_http_route *routes, size_t n_routes, void *arg, int ready)
{
	struct event_base *base = event_base_new();
	struct fl_http *http = fl_http_new(base, key);
	int port;

	if (fl_http_listen(http, "127.0.0.1:0", routes, n_routes, arg, NULL) == -1)
		_exit(1);
	port = fl_http_port(http);
	if (write(ready, &port, sizeof(port)) != sizeof(port))
		_exit(1);
	event_base_dispatch(base);
	_exit(0);
}

/* Its process and, in *port, its port of the loopback, which it listens on. */
FL_UNUSED static pid_t
server_start(const char *key, const struct fl_http_route *routes, size_t n_routes, void *arg, int *port)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	if ((pid = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not come to stop it */
		server_run(key, routes, n_routes, arg, fds[1]);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], port, sizeof(*port)), sizeof(*port));
	close(fds[0]);
	return pid;
}

FL_UNUSED static void
server_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#endif
