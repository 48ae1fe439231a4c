#include "libflynn/relay.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libflynn/loop_test.h"

/* Two ends that talk, and a relay between their other ends. */
struct world {
	struct event_base *base;
	struct talk a, b;
	struct fl_relay *relay;
	bool ended;
};

static void
on_end(void *arg)
{
	struct world *w = arg;

	w->ended = true;
}

/* before: what the relay finds read from a already. */
static void
world_open(struct world *w, struct event_base *base, const char *before)
{
	struct bufferevent *a, *b;
	int x[2], y[2];

	*w = (struct world){ .base = base };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, x), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, y), 0);
	talk_on(&w->a, base, x[0]);
	talk_on(&w->b, base, y[0]);
	a = loop_end_of(base, x[1]);
	b = loop_end_of(base, y[1]);
	evbuffer_unfreeze(bufferevent_get_input(a), 0); /* a bufferevent lets nobody else fill it */
	evbuffer_add(bufferevent_get_input(a), before, strlen(before));
	w->relay = fl_relay_start(a, b, on_end, w);
}

static void
world_close(struct world *w)
{
	talk_end(&w->a);
	talk_end(&w->b);
}

static void
bytes_go_both_ways_until_both_have_ended(void **state)
{
	struct world w;

	world_open(&w, *state, "early ");
	talk_say(&w.a, "there");
	assert_true(talk_hear(&w.b, "early there"));
	talk_half_close(&w.a);
	assert_true(talk_hear_end(&w.b)); /* the end of a's input arrives there */
	talk_say(&w.b, "and back");
	assert_true(talk_hear(&w.a, "and back"));
	assert_false(w.ended);
	talk_half_close(&w.b);
	assert_true(talk_hear_end(&w.a));
	assert_true(loop_until(*state, loop_is_set, &w.ended));
	world_close(&w);
}

static void
failure_of_one_side_closes_both(void **state)
{
	struct world w;

	world_open(&w, *state, "");
	talk_say(&w.a, "x");
	assert_true(talk_hear(&w.b, "x"));
	bufferevent_disable(w.b.bev, EV_READ | EV_WRITE);
	close(bufferevent_getfd(w.b.bev)); /* both directions at once */
	bufferevent_setfd(w.b.bev, -1);
	talk_say(&w.a, "y");
	assert_true(talk_hear(&w.a, ""));
	talk_say(&w.a, "z");
	talk_half_close(&w.a);
	assert_true(loop_until(*state, loop_is_set, &w.ended));
	assert_true(talk_hear_end(&w.a));
	world_close(&w);
}

static bool
has_much(void *arg)
{
	const struct talk *t = arg;

	return t->got.len >= (size_t)32 << 20;
}

static void
slow_side_holds_up_the_other(void **state)
{
	static char block[1 << 16];
	struct world w;

	world_open(&w, *state, "");
	bufferevent_disable(w.b.bev, EV_READ);
	for (int i = 0; i < 512; i++)
		bufferevent_write(w.a.bev, block, sizeof(block));
	loop_settle(*state);
	assert_true(evbuffer_get_length(bufferevent_get_output(w.a.bev)) > (size_t)31 << 20);
	bufferevent_enable(w.b.bev, EV_READ);
	assert_true(loop_until(*state, has_much, &w.b));
	fl_relay_free(w.relay);
	assert_true(talk_hear_end(&w.a));
	assert_false(w.ended);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_both_ways_until_both_have_ended),
		cmocka_unit_test(failure_of_one_side_closes_both),
		cmocka_unit_test(slow_side_holds_up_the_other),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, loop_set_up, loop_tear_down);
}
