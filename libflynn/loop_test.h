/*
 * loop_test - for tests of modules that live on the event loop: run it until something is so, and talk to a server as
 * bytes, from the same loop.
 */
#ifndef FL_LOOP_TEST_H
#define FL_LOOP_TEST_H

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"

#define LOOP_LIMIT_MS 10000 /* a test that waits longer has failed */

/* For cmocka's groups: the state is an event base. */
FL_UNUSED static int
loop_set_up(void **state)
{
	*state = event_base_new();
	return *state == NULL;
}

FL_UNUSED static int
loop_tear_down(void **state)
{
	event_base_free(*state);
	return 0;
}

FL_UNUSED static void
loop_on_limit(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, FL_UNUSED void *arg)
{
}

/* Run the loop until done(arg), at most limit_ms. Returns whether it is. */
FL_UNUSED static bool
loop_until_ms(struct event_base *base, bool (*done)(void *arg), void *arg, int limit_ms)
{
	int64_t end_ms = fl_clock_ms() + limit_ms;
	struct timeval tv = { limit_ms / 1000, limit_ms % 1000 * 1000 };
	struct event *limit = evtimer_new(base, loop_on_limit, NULL);

	evtimer_add(limit, &tv);
	while (!done(arg) && fl_clock_ms() < end_ms)
		event_base_loop(base, EVLOOP_ONCE);
	event_free(limit);
	return done(arg);
}

FL_UNUSED static bool
loop_until(struct event_base *base, bool (*done)(void *arg), void *arg)
{
	return loop_until_ms(base, done, arg, LOOP_LIMIT_MS);
}

FL_UNUSED static bool
loop_is_set(void *arg)
{
	return *(bool *)arg;
}

struct loop_written {
	const struct fl_buf *b;
	const char *want;
};

FL_UNUSED static bool
loop_has_written(void *arg)
{
	const struct loop_written *l = arg;

	return strcmp(fl_buf_cstr(l->b), l->want) == 0;
}

/* Run the loop until b holds want and nothing else, at most limit_ms, then empty it. Returns whether it did. */
FL_UNUSED static bool
loop_until_written(struct event_base *base, struct fl_buf *b, const char *want, int limit_ms)
{
	struct loop_written l = { b, want };

	if (!loop_until_ms(base, loop_has_written, &l, limit_ms))
		return false;
	fl_buf_clear(b);
	return true;
}

/* What is due now, and nothing that has to be waited for. */
FL_UNUSED static void
loop_settle(struct event_base *base)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* One end of a conversation in bytes. */
struct talk {
	struct bufferevent *bev;
	struct fl_buf got;
	bool ended;	  /* the peer has closed, or reset */
	const char *want; /* for talk_has() */
};

FL_UNUSED static void
talk_on_read(struct bufferevent *bev, void *arg)
{
	struct talk *t = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in);

	fl_buf_add(&t->got, evbuffer_pullup(in, -1), len);
	evbuffer_drain(in, len);
}

FL_UNUSED static void
talk_on_event(FL_UNUSED struct bufferevent *bev, short what, void *arg)
{
	struct talk *t = arg;

	if ((what & BEV_EVENT_CONNECTED) == 0)
		t->ended = true;
}

/* One end of a socket pair. */
FL_UNUSED static struct bufferevent *
loop_end_of(struct event_base *base, int fd)
{
	evutil_make_socket_nonblocking(fd);
	return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
}

FL_UNUSED static void
talk_on(struct talk *t, struct event_base *base, int fd)
{
	*t = (struct talk){ .bev = loop_end_of(base, fd) };
	bufferevent_setcb(t->bev, talk_on_read, NULL, talk_on_event, t);
	bufferevent_enable(t->bev, EV_READ | EV_WRITE);
}

FL_UNUSED static void
talk_start(struct talk *t, struct event_base *base, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*t = (struct talk){ .bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE) };
	bufferevent_setcb(t->bev, talk_on_read, NULL, talk_on_event, t);
	bufferevent_socket_connect(t->bev, (struct sockaddr *)&to, sizeof(to));
	bufferevent_enable(t->bev, EV_READ | EV_WRITE);
}

FL_UNUSED static void
talk_say(struct talk *t, const char *text)
{
	bufferevent_write(t->bev, text, strlen(text));
}

FL_UNUSED static bool
talk_has(void *arg)
{
	const struct talk *t = arg;

	return strstr(fl_buf_cstr(&t->got), t->want) != NULL;
}

/* Run the loop until the peer has said want. */
FL_UNUSED static bool
talk_hear(struct talk *t, const char *want)
{
	t->want = want;
	return loop_until(bufferevent_get_base(t->bev), talk_has, t);
}

FL_UNUSED static bool
talk_is_sent(void *arg)
{
	const struct talk *t = arg;

	return t->ended || evbuffer_get_length(bufferevent_get_output(t->bev)) == 0;
}

/* Say all that is queued, then nothing more. */
FL_UNUSED static void
talk_half_close(struct talk *t)
{
	loop_until(bufferevent_get_base(t->bev), talk_is_sent, t);
	shutdown(bufferevent_getfd(t->bev), SHUT_WR);
}

FL_UNUSED static bool
talk_hear_end(struct talk *t)
{
	return loop_until(bufferevent_get_base(t->bev), loop_is_set, &t->ended);
}

FL_UNUSED static void
talk_end(struct talk *t)
{
	bufferevent_free(t->bev);
	fl_buf_release(&t->got);
}

/* A port of the loopback that nobody listens on now. */
FL_UNUSED static int
loop_free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 || getsockname(fd, (struct sockaddr *)&at, &len) == -1)
		abort();
	close(fd);
	return ntohs(at.sin_port);
}

#endif
