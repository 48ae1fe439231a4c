#include "gitreceive/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gitreceive/places.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/loop_test.h"

#define MAX_SESSIONS 2

/* The listener runs us as its sessions. One logs in when its client says so, and ends with it. */
static int
session(void)
{
	char c;

	(void)!write(STDIN_FILENO, "hello\n", 6);
	while (read(STDIN_FILENO, &c, 1) == 1) {
		if (c != 'l')
			continue;
		dup2(STDERR_FILENO, STDOUT_FILENO);
		(void)!write(STDIN_FILENO, "welcome\n", 8);
	}
	return 0;
}

/* libevent's own sockets would be inherited by sessions, which then never heard their end. */
static void
client_start(struct talk *t, struct event_base *base, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	talk_on(t, base, fd);
}

static void
on_drained(void *arg)
{
	*(bool *)arg = true;
}

static void
who_has_not_logged_in_makes_room(void **state)
{
	struct event_base *base = *state;
	struct fl_discoverd *d = fl_discoverd_new(base, "127.0.0.1:1", "key");
	struct places *places = places_start(d);
	int port = loop_free_port();
	struct listener *l = listener_start(base, port, MAX_SESSIONS, places, NULL);
	struct talk pusher, silent, late, refused;
	bool drained = false;

	assert_non_null(l);
	client_start(&pusher, base, port);
	talk_say(&pusher, "l");
	assert_true(talk_hear(&pusher, "welcome"));
	client_start(&silent, base, port);
	assert_true(talk_hear(&silent, "hello"));
	client_start(&late, base, port);
	assert_true(talk_hear(&late, "hello"));
	assert_true(talk_hear_end(&silent));
	talk_say(&late, "l");
	assert_true(talk_hear(&late, "welcome"));
	loop_settle(base);
	client_start(&refused, base, port);
	assert_true(talk_hear_end(&refused));
	assert_int_equal(refused.got.len, 0);
	assert_false(pusher.ended);
	assert_false(late.ended);
	talk_end(&silent);
	talk_end(&refused);
	talk_end(&late);
	talk_end(&pusher);
	listener_drain(l, on_drained, &drained);
	assert_true(loop_until(base, loop_is_set, &drained));
	assert_int_equal(listener_sessions(l), 0);
	listener_free(l);
	places_free(places);
	fl_discoverd_free(d);
}

int
main(int argc, FL_UNUSED char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_not_logged_in_makes_room),
	};

	return argc > 1 ? session() : cmocka_run_group_tests(tests, loop_set_up, loop_tear_down);
}
