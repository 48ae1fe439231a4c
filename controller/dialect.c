#include "controller/dialect.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "libflynn/attr.h"
#include "libflynn/frame.h"
#include "libflynn/relay.h"
#include "libflynn/xmalloc.h"

/* A client that has something to say from the beginning says it at once. */
#define LISTEN_MS 200
/* What is told to the end is taken so long: a reset would destroy it. */
#define LINGER_S 5
#define HIGH_WATER ((size_t)256 << 10) /* waiting for the other side: then reading stops */
#define LOW_WATER ((size_t)64 << 10)

enum state {
	LISTENING, /* nothing was said, and nothing is told yet */
	GUESSING,  /* nothing was said: frames are told */
	FRAMES,	   /* whole frames are being told, before a relay does the rest */
	OLD,
};

enum said { NOTHING, PERHAPS_A_FRAME, A_FRAME, NO_FRAME };

struct dialect {
	struct bufferevent *client, *host; /* NULL: the relay's */
	struct fl_relay *relay;
	struct fl_frame_reader frames; /* of the host */
	struct event *timer, *end;
	enum state state;
	bool tty, host_ended, client_ended;
	bool closed; /* the client was told all */
	void (*on_end)(void *arg);
	void *arg;
};

void
dialect_free(struct dialect *d)
{
	if (d == NULL)
		return;
	fl_relay_free(d->relay);
	if (d->client != NULL)
		bufferevent_free(d->client);
	if (d->host != NULL)
		bufferevent_free(d->host);
	event_free(d->timer);
	event_free(d->end);
	free(d);
}

static void
on_ended(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct dialect *d = arg;
	void (*cb)(void *) = d->on_end;
	void *cb_arg = d->arg;

	dialect_free(d);
	cb(cb_arg);
}

static void
finish(struct dialect *d)
{
	bufferevent_disable(d->client, EV_READ | EV_WRITE);
	bufferevent_disable(d->host, EV_READ | EV_WRITE);
	event_del(d->timer);
	event_active(d->end, EV_TIMEOUT, 1);
}

static void
on_relay_end(void *arg)
{
	struct dialect *d = arg;

	d->relay = NULL;
	event_active(d->end, EV_TIMEOUT, 1);
}

/* From here on bytes go as they are: between two frames of the host. */
static void
hand_over(struct dialect *d)
{
	event_del(d->timer);
	d->relay = fl_relay_start(d->client, d->host, on_relay_end, d);
	d->client = d->host = NULL;
}

/* ---- what the host sends ---- */

/* As docker attach has it: the stream, three zeros, the length. */
static void
tell_docker(struct evbuffer *out, const struct fl_frame *f)
{
	unsigned char head[4] = { (unsigned char)f->stream };
	uint32_t len = htonl((uint32_t)f->len);

	evbuffer_add(out, head, sizeof(head));
	evbuffer_add(out, &len, sizeof(len));
	evbuffer_add(out, f->data, f->len);
}

static void
tell(struct dialect *d, const struct fl_frame *f)
{
	struct evbuffer *out = bufferevent_get_output(d->client);
	bool is_data = f->type == FL_FRAME_DATA && !f->eof;

	if (d->state == OLD && is_data && d->tty)
		evbuffer_add(out, f->data, f->len);
	else if (d->state == OLD && is_data)
		tell_docker(out, f);
	else if (d->state == OLD)
		return; /* he does not know of it */
	else if (is_data)
		fl_frame_write_data(out, f->stream, f->data, f->len);
	else if (f->type == FL_FRAME_DATA)
		fl_frame_write_eof(out, f->stream);
	else if (f->type == FL_FRAME_EXIT)
		fl_frame_write_exit(out, f->value);
}

/* The host has said all that it will, and it is told: now the client ends it. */
static void
end_when_told(struct dialect *d)
{
	static const struct timeval linger = { LINGER_S, 0 };

	if (!d->host_ended || d->closed || evbuffer_get_length(bufferevent_get_output(d->client)) > 0)
		return;
	if (d->client_ended) {
		finish(d);
		return;
	}
	d->closed = true;
	shutdown(bufferevent_getfd(d->client), SHUT_WR);
	event_add(d->timer, &linger);
}

static void
on_host_read(FL_UNUSED struct bufferevent *bev, void *arg)
{
	struct dialect *d = arg;
	struct evbuffer *in = bufferevent_get_input(d->host), *out = bufferevent_get_output(d->client);
	struct fl_frame f;
	int rc = 0;

	while (evbuffer_get_length(out) < HIGH_WATER) {
		if (d->state == FRAMES && d->frames.left == 0) {
			hand_over(d);
			return;
		}
		if ((rc = fl_frame_read(&d->frames, in, &f, NULL)) != 1)
			break;
		tell(d, &f);
	}
	if (rc == -1)
		finish(d);
	else if (evbuffer_get_length(out) >= HIGH_WATER)
		bufferevent_disable(d->host, EV_READ);
}

static void
on_client_written(FL_UNUSED struct bufferevent *bev, void *arg)
{
	struct dialect *d = arg;

	if (d->state == LISTENING)
		return;
	if (!d->host_ended)
		bufferevent_enable(d->host, EV_READ);
	on_host_read(NULL, d); /* what was left in its input */
	if (d->client != NULL)
		end_when_told(d);
}

static void
on_host_event(FL_UNUSED struct bufferevent *bev, short what, void *arg)
{
	struct dialect *d = arg;

	if ((what & BEV_EVENT_EOF) == 0) {
		finish(d);
		return;
	}
	d->host_ended = true;
	end_when_told(d);
}

/* ---- what the client says ---- */

/* Data for stdin, a signal, a size: no text begins so. */
static enum said
what_is_said(struct evbuffer *in)
{
	unsigned char head[2];
	ssize_t n = evbuffer_copyout(in, head, sizeof(head));

	if (n <= 0)
		return NOTHING;
	if (head[0] != FL_FRAME_DATA && head[0] != FL_FRAME_SIGNAL && head[0] != FL_FRAME_RESIZE)
		return NO_FRAME;
	return n == 1 ? PERHAPS_A_FRAME : head[1] == 0 ? A_FRAME : NO_FRAME;
}

static void
pass_input(struct dialect *d)
{
	struct evbuffer *in = bufferevent_get_input(d->client), *out = bufferevent_get_output(d->host);
	size_t len = evbuffer_get_length(in);

	fl_frame_write_data(out, FL_FRAME_STDIN, evbuffer_pullup(in, -1), len);
	evbuffer_drain(in, len);
	if (evbuffer_get_length(out) >= HIGH_WATER)
		bufferevent_disable(d->client, EV_READ);
}

static void
listen_again(struct dialect *d)
{
	static const struct timeval moment = { 0, LISTEN_MS * 1000 };

	event_add(d->timer, &moment);
}

static void
enter(struct dialect *d, enum state state)
{
	d->state = state;
	event_del(d->timer);
	if (state == OLD)
		pass_input(d);
	on_client_written(NULL, d);
}

static void
on_client_read(FL_UNUSED struct bufferevent *bev, void *arg)
{
	struct dialect *d = arg;

	if (d->closed) {
		evbuffer_drain(bufferevent_get_input(d->client), evbuffer_get_length(bufferevent_get_input(d->client)));
		return;
	}
	if (d->state == OLD) {
		pass_input(d);
		return;
	}
	switch (what_is_said(bufferevent_get_input(d->client))) {
	case NOTHING:
		break;
	case PERHAPS_A_FRAME:
		listen_again(d);
		break;
	case A_FRAME:
		enter(d, FRAMES);
		break;
	case NO_FRAME:
		enter(d, OLD);
		break;
	}
}

static void
on_silence(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct dialect *d = arg;

	if (d->closed)
		finish(d);
	else
		enter(d, what_is_said(bufferevent_get_input(d->client)) == NOTHING ? GUESSING : OLD);
}

static void
on_host_written(FL_UNUSED struct bufferevent *bev, void *arg)
{
	struct dialect *d = arg;

	bufferevent_enable(d->client, EV_READ);
}

/* An old client ends its input so; one that speaks frames has gone, or will have. */
static void
on_client_event(FL_UNUSED struct bufferevent *bev, short what, void *arg)
{
	struct dialect *d = arg;

	if ((what & BEV_EVENT_EOF) == 0 || d->closed || (d->state == OLD && d->tty)) {
		finish(d);
	} else if (d->state == OLD || (d->state == LISTENING && !d->tty)) {
		d->client_ended = true;
		bufferevent_disable(d->client, EV_READ);
		bufferevent_setcb(d->host, on_host_read, NULL, on_host_event, d); /* reads no more */
		if (d->state != OLD)
			enter(d, OLD);
		if (d->host != NULL)
			fl_frame_write_eof(bufferevent_get_output(d->host), FL_FRAME_STDIN);
	} else {
		enter(d, FRAMES); /* the relay finds the end again */
	}
}

struct dialect *
dialect_start(struct bufferevent *client, struct bufferevent *host, bool tty, void (*on_end)(void *arg), void *arg)
{
	struct event_base *base = bufferevent_get_base(client);
	struct dialect *d = fl_xcalloc(1, sizeof(*d));

	d->client = client;
	d->host = host;
	d->tty = tty;
	d->on_end = on_end;
	d->arg = arg;
	d->timer = evtimer_new(base, on_silence, d);
	d->end = event_new(base, -1, 0, on_ended, d);
	bufferevent_setcb(client, on_client_read, on_client_written, on_client_event, d);
	bufferevent_setcb(host, on_host_read, on_host_written, on_host_event, d);
	bufferevent_setwatermark(client, EV_WRITE, LOW_WATER, 0);
	bufferevent_setwatermark(host, EV_WRITE, LOW_WATER, 0);
	bufferevent_disable(host, EV_READ);
	bufferevent_enable(host, EV_WRITE);
	bufferevent_enable(client, EV_READ | EV_WRITE);
	if (what_is_said(bufferevent_get_input(client)) == NOTHING)
		listen_again(d);
	else
		bufferevent_trigger(client, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
	return d;
}
