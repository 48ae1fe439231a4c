#include "controller/dialect.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libflynn/loop_test.h"

#define BYTES(s) { s, sizeof(s) - 1 }
/* What a host may say of a job. */
#define OUTPUT BYTES("\3\1\0\0\0\5hello\3\2\0\0\0\4oops\3\1\0\0\0\0\3\2\0\0\0\0\5\0\0\0\3")

struct bytes {
	const char *data;
	size_t len;
};

/* Client and host, and a dialect between their other ends. */
struct world {
	struct event_base *base;
	struct talk client, host;
	bool ended;
};

static void
on_end(void *arg)
{
	struct world *w = arg;

	w->ended = true;
}

static void
world_open(struct world *w, struct event_base *base, bool tty)
{
	int x[2], y[2];

	*w = (struct world){ .base = base };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, x), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, y), 0);
	talk_on(&w->client, base, x[0]);
	talk_on(&w->host, base, y[0]);
	dialect_start(loop_end_of(base, x[1]), loop_end_of(base, y[1]), tty, on_end, w);
}

static void
say(struct talk *t, struct bytes b)
{
	bufferevent_write(t->bev, b.data, b.len);
}

static bool
has_heard(void *arg)
{
	const struct talk *t = arg;
	const struct bytes *want = (const void *)t->want;

	return t->got.len >= want->len;
}

/* t is sent exactly these. */
static void
hears(struct world *w, struct talk *t, struct bytes want)
{
	t->want = (const void *)&want;
	assert_true(loop_until(w->base, has_heard, t));
	loop_settle(w->base);
	assert_int_equal(t->got.len, want.len);
	assert_memory_equal(fl_buf_cstr(&t->got), want.data, want.len);
	fl_buf_clear(&t->got);
}

static void
world_close(struct world *w)
{
	talk_half_close(&w->host);
	assert_true(loop_until(w->base, loop_is_set, &w->client.ended));
	talk_half_close(&w->client);
	assert_true(loop_until(w->base, loop_is_set, &w->ended));
	talk_end(&w->client);
	talk_end(&w->host);
}

static void
what_is_said_first_decides(void **state)
{
	static const struct {
		struct bytes said, passed, told;
		bool tty;
	} cases[] = {
		{ BYTES("\3\0\0\0\0\2hi"), BYTES("\3\0\0\0\0\2hi"), OUTPUT, false },
		{ BYTES("\3\0\0\0\0\0"), BYTES("\3\0\0\0\0\0"), OUTPUT, true },
		{ BYTES("\6\0\x18\0\x50"), BYTES("\6\0\x18\0\x50"), OUTPUT, true },
		{ BYTES("\4\0\0\0\2"), BYTES("\4\0\0\0\2"), OUTPUT, false },
		{ BYTES("hi"), BYTES("\3\0\0\0\0\2hi"), BYTES("\1\0\0\0\0\0\0\5hello\2\0\0\0\0\0\0\4oops"), false },
		{ BYTES("hi"), BYTES("\3\0\0\0\0\2hi"), BYTES("hellooops"), true },
		{ BYTES("\3"), BYTES("\3\0\0\0\0\1\3"), BYTES("hellooops"), true }, /* an interrupt is typed */
		{ BYTES("\3\3"), BYTES("\3\0\0\0\0\2\3\3"), BYTES("hellooops"), true },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct world w;

		world_open(&w, *state, cases[i].tty);
		say(&w.host, (struct bytes)OUTPUT);
		say(&w.client, cases[i].said);
		hears(&w, &w.host, cases[i].passed);
		hears(&w, &w.client, cases[i].told);
		world_close(&w);
	}
}

static void
who_ends_his_input_at_once_knows_no_frames(void **state)
{
	struct world w;

	world_open(&w, *state, false);
	talk_half_close(&w.client);
	hears(&w, &w.host, (struct bytes)BYTES("\3\0\0\0\0\0"));
	say(&w.host, (struct bytes)OUTPUT);
	hears(&w, &w.client, (struct bytes)BYTES("\1\0\0\0\0\0\0\5hello\2\0\0\0\0\0\0\4oops"));
	assert_false(w.host.ended);
	world_close(&w);
}

static void
who_is_silent_is_told_frames_until_he_speaks(void **state)
{
	struct world w;

	world_open(&w, *state, true);
	say(&w.host, (struct bytes)BYTES("\3\1\0\0\0\2$ \3\1\0\0\0\4ha"));
	hears(&w, &w.client, (struct bytes)BYTES("\3\1\0\0\0\2$ \3\1\0\0\0\2ha"));
	say(&w.client, (struct bytes)BYTES("ls\r"));
	hears(&w, &w.host, (struct bytes)BYTES("\3\0\0\0\0\3ls\r"));
	say(&w.host, (struct bytes)BYTES("lf\5\0\0\0\0"));
	hears(&w, &w.client, (struct bytes)BYTES("lf"));
	world_close(&w);

	world_open(&w, *state, true);
	say(&w.host, (struct bytes)BYTES("\3\1\0\0\0\4ha"));
	hears(&w, &w.client, (struct bytes)BYTES("\3\1\0\0\0\2ha"));
	say(&w.client, (struct bytes)BYTES("\3\0\0\0\0\1x"));
	say(&w.host, (struct bytes)BYTES("lf\3\1\0\0\0\1!\5\0\0\0\7"));
	hears(&w, &w.host, (struct bytes)BYTES("\3\0\0\0\0\1x"));
	hears(&w, &w.client, (struct bytes)BYTES("\3\1\0\0\0\2lf\3\1\0\0\0\1!\5\0\0\0\7"));
	world_close(&w);
}

static void
a_terminal_that_is_closed_hangs_up(void **state)
{
	struct world w;

	world_open(&w, *state, true);
	say(&w.client, (struct bytes)BYTES("x"));
	hears(&w, &w.host, (struct bytes)BYTES("\3\0\0\0\0\1x"));
	talk_half_close(&w.client);
	assert_true(loop_until(w.base, loop_is_set, &w.host.ended));
	assert_true(loop_until(w.base, loop_is_set, &w.ended));
	talk_end(&w.client);
	talk_end(&w.host);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_first_decides),
		cmocka_unit_test(who_ends_his_input_at_once_knows_no_frames),
		cmocka_unit_test(who_is_silent_is_told_frames_until_he_speaks),
		cmocka_unit_test(a_terminal_that_is_closed_hangs_up),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, loop_set_up, loop_tear_down);
}
