/*
 * relay - see relay.h.
 */
#include "libflynn/relay.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "libflynn/attr.h"
#include "libflynn/xmalloc.h"

#define HIGH_WATER ((size_t)256 << 10) /* waiting for the other side: then reading stops */
#define LOW_WATER ((size_t)64 << 10)

struct side {
	struct fl_relay *relay;
	struct side *other;
	struct bufferevent *bev;
	bool ended;  /* sends no more */
	bool closed; /* was told that the other sends no more */
};

struct fl_relay {
	struct side a, b;
	struct event *start, *end; /* from the loop: what came before we did; the end */
	void (*on_end)(void *arg);
	void *arg;
};

static void
relay_release(struct fl_relay *r)
{
	event_free(r->start);
	event_free(r->end);
	bufferevent_free(r->a.bev);
	bufferevent_free(r->b.bev);
	free(r);
}

static void
on_ended(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_relay *r = arg;
	void (*cb)(void *) = r->on_end;
	void *cb_arg = r->arg;

	relay_release(r);
	if (cb != NULL)
		cb(cb_arg);
}

static void
finish(struct fl_relay *r)
{
	bufferevent_disable(r->a.bev, EV_READ | EV_WRITE);
	bufferevent_disable(r->b.bev, EV_READ | EV_WRITE);
	event_active(r->end, EV_TIMEOUT, 1);
}

/* The other side has ended and all that it sent is delivered: end our output too. */
static void
close_when_drained(struct side *s)
{
	if (!s->other->ended || s->closed || evbuffer_get_length(bufferevent_get_output(s->bev)) > 0)
		return;
	s->closed = true;
	if (bufferevent_openssl_get_ssl(s->bev) != NULL)
		SSL_shutdown(bufferevent_openssl_get_ssl(s->bev)); /* close_notify; reading goes on */
	shutdown(bufferevent_getfd(s->bev), SHUT_WR);
	if (s->other->closed)
		finish(s->relay);
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct side *s = arg;
	struct evbuffer *out = bufferevent_get_output(s->other->bev);

	evbuffer_add_buffer(out, bufferevent_get_input(bev));
	if (evbuffer_get_length(out) >= HIGH_WATER)
		bufferevent_disable(bev, EV_READ);
}

static void
on_written(FL_UNUSED struct bufferevent *bev, void *arg)
{
	struct side *s = arg;

	if (!s->other->ended)
		bufferevent_enable(s->other->bev, EV_READ);
	close_when_drained(s);
}

static void
on_event(FL_UNUSED struct bufferevent *bev, short what, void *arg)
{
	struct side *s = arg;

	if ((what & BEV_EVENT_EOF) == 0) {
		finish(s->relay);
		return;
	}
	s->ended = true;
	bufferevent_disable(s->bev, EV_READ);
	close_when_drained(s->other);
}

static void
on_start(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_relay *r = arg;

	on_read(r->a.bev, &r->a);
	on_read(r->b.bev, &r->b);
}

static void
side_init(struct side *s, struct fl_relay *r, struct side *other, struct bufferevent *bev)
{
	*s = (struct side){ .relay = r, .other = other, .bev = bev };
	bufferevent_setcb(bev, on_read, on_written, on_event, s);
	bufferevent_setwatermark(bev, EV_READ, 0, 0);
	bufferevent_setwatermark(bev, EV_WRITE, LOW_WATER, 0);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

struct fl_relay *
fl_relay_start(struct bufferevent *a, struct bufferevent *b, void (*on_end)(void *arg), void *arg)
{
	struct fl_relay *r = fl_xcalloc(1, sizeof(*r));
	struct event_base *base = bufferevent_get_base(a);

	r->on_end = on_end;
	r->arg = arg;
	r->start = event_new(base, -1, 0, on_start, r);
	r->end = event_new(base, -1, 0, on_ended, r);
	side_init(&r->a, r, &r->b, a);
	side_init(&r->b, r, &r->a, b);
	event_active(r->start, EV_TIMEOUT, 1);
	return r;
}

void
fl_relay_free(struct fl_relay *r)
{
	if (r != NULL)
		relay_release(r);
}
