#include "host/client.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

#define UPGRADED "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: flynn-attach/0\r\n\r\n"
/* For clients of 2014, who did not ask for an upgrade. */
#define HIJACKED "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.flynn.attach-hijack\r\n\r\n"

#define CLOSE_TIMEOUT_S 60
#define GONE_LOOK_MS 500

struct client {
	struct bufferevent *bev;
	struct event *gone; /* looks whether it has gone while we do not read */
	struct fl_frame_reader reader;
	const struct client_ops *ops;
	void *arg;
	char *name;
	bool closing, reading, may_half_close;
};

struct evbuffer *
client_out(const struct client *c)
{
	return bufferevent_get_output(c->bev);
}

size_t
client_pending(const struct client *c)
{
	return evbuffer_get_length(client_out(c));
}

void
client_send_state(struct client *c, enum fl_frame_state state)
{
	unsigned char byte = (unsigned char)state;

	evbuffer_add(client_out(c), &byte, 1);
}

void
client_close(struct client *c)
{
	static const struct timeval limit = { CLOSE_TIMEOUT_S, 0 };

	c->closing = true;
	bufferevent_set_timeouts(c->bev, NULL, &limit);
	bufferevent_trigger(c->bev, EV_WRITE, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

bool
client_is_closing(const struct client *c)
{
	return c->closing;
}

void
client_refuse(struct client *c, const char *why)
{
	uint32_t len = htonl((uint32_t)strlen(why));

	client_send_state(c, FL_FRAME_ERROR);
	evbuffer_add(client_out(c), &len, sizeof(len));
	evbuffer_add(client_out(c), why, strlen(why));
	client_close(c);
}

void
client_finish(struct client *c, int status)
{
	fl_frame_write_eof(client_out(c), FL_FRAME_STDOUT);
	fl_frame_write_eof(client_out(c), FL_FRAME_STDERR);
	if (status != -1)
		fl_frame_write_exit(client_out(c), (uint32_t)status);
	client_close(c);
}

void
client_read(struct client *c, bool on)
{
	static const struct timeval look = { 0, GONE_LOOK_MS * 1000 };

	c->reading = on;
	if (on) {
		event_del(c->gone);
		bufferevent_enable(c->bev, EV_READ);
		bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
	} else {
		bufferevent_disable(c->bev, EV_READ);
		event_add(c->gone, &look);
	}
}

bool
client_is_reading(const struct client *c)
{
	return c->reading;
}

void
client_may_half_close(struct client *c, bool may)
{
	c->may_half_close = may;
}

static void
on_readable(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;
	struct fl_frame f;
	struct fl_err err = { 0 };
	int got = 0;

	while (c->reading && !c->closing && (got = fl_frame_read(&c->reader, bufferevent_get_input(bev), &f, &err)) == 1)
		c->ops->on_frame(&f, c->arg);
	if (got != -1)
		return;
	fl_log_warn("dropping an attached client", fl_str("job", c->name), fl_str("err", err.msg));
	c->ops->on_gone(c->arg);
}

static void
on_writable(FL_UNUSED struct bufferevent *bev, void *arg)
{
	struct client *c = arg;

	if (!c->closing)
		c->ops->on_drain(c->arg);
	else if (client_pending(c) == 0)
		c->ops->on_gone(c->arg);
}

static void
on_broken(FL_UNUSED struct bufferevent *bev, FL_UNUSED short what, void *arg)
{
	struct client *c = arg;

	c->ops->on_gone(c->arg);
}

/* While nothing is read nothing tells of its end: libevent's EV_CLOSED is not raised for a reset. */
static void
on_look(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct client *c = arg;
	struct pollfd p = { .fd = bufferevent_getfd(c->bev), .events = POLLRDHUP };

	if (poll(&p, 1, 0) > 0 && (!c->may_half_close || (p.revents & (POLLERR | POLLHUP)) != 0))
		c->ops->on_gone(c->arg);
}

struct client *
client_take(struct event_base *base, const char *name, const struct client_ops *ops, void *arg, struct fl_http_req *req)
{
	const char *upgrade = fl_http_header(req, "Upgrade");
	struct bufferevent *bev = fl_http_hijack(req, upgrade != NULL ? UPGRADED : HIJACKED);
	struct client *c;

	if (bev == NULL)
		return NULL;
	c = fl_xcalloc(1, sizeof(*c));
	c->bev = bev;
	c->ops = ops;
	c->arg = arg;
	c->name = fl_xstrdup(name);
	c->gone = event_new(base, -1, EV_PERSIST, on_look, c);
	bufferevent_setcb(bev, on_readable, on_writable, on_broken, c);
	bufferevent_setwatermark(bev, EV_READ, 0, CLIENT_LOW_WATER);
	bufferevent_setwatermark(bev, EV_WRITE, CLIENT_LOW_WATER, 0);
	bufferevent_enable(bev, EV_WRITE);
	client_read(c, false);
	return c;
}

void
client_free(struct client *c)
{
	if (c == NULL)
		return;
	event_free(c->gone);
	bufferevent_free(c->bev);
	free(c->name);
	free(c);
}
