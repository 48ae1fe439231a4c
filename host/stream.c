#include "host/stream.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/engine.h"
#include "host/mux.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_parse.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

#define READ_PIECE (16u << 10)
#define READ_HIGH (64u << 10)
#define MAX_REFUSAL (16u << 10)

enum stream_phase {
	STREAM_HEAD,	/* waits for the answer's head */
	STREAM_REFUSED, /* reads why not */
	STREAM_OPEN,
	STREAM_ENDED, /* on_end was called */
};

struct stream {
	struct event_base *base;
	struct bufferevent *bev;
	struct event *failed; /* a start that failed is told from the loop */
	struct event *timer;
	struct fl_err err;
	enum stream_phase phase;
	int status;
	size_t refusal_len;
	struct mux mux;
	bool multiplexed, shut, shut_done, freed, in_callback, peer_ended, paused;
	const struct stream_ops *ops;
	void *arg;
};

static void
stream_destroy(struct stream *s)
{
	if (s->bev != NULL)
		bufferevent_free(s->bev);
	if (s->failed != NULL)
		event_free(s->failed);
	if (s->timer != NULL)
		event_free(s->timer);
	free(s);
}

/* Leave a callback's frame; s may be gone afterwards. */
static void
stream_leave(struct stream *s)
{
	s->in_callback = false;
	if (s->freed)
		stream_destroy(s);
}

void
stream_free(struct stream *s)
{
	if (s == NULL)
		return;
	s->freed = true;
	if (!s->in_callback)
		stream_destroy(s);
}

static void
stream_end(struct stream *s, const struct fl_err *err)
{
	if (s->freed || s->phase == STREAM_ENDED)
		return;
	s->phase = STREAM_ENDED;
	event_del(s->timer);
	if (s->bev != NULL)
		bufferevent_disable(s->bev, EV_READ | EV_WRITE);
	if (s->ops->on_end != NULL)
		s->ops->on_end(s, err, s->arg);
}

static void
stream_fail(struct stream *s, enum fl_err_kind kind, const char *why)
{
	fl_err_set(&s->err, kind, "%s", why);
	stream_end(s, &s->err);
}

/* ---- reading ---- */

static void
read_refusal(struct stream *s)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	size_t len = evbuffer_get_length(in);
	struct fl_http_result res = { .status = s->status, .content_type = "application/json" };
	char *body = NULL;

	if (len < s->refusal_len && len < MAX_REFUSAL && !s->peer_ended)
		return;
	body = fl_xcalloc(1, len + 1);
	evbuffer_remove(in, body, len);
	res.body = body;
	res.len = len;
	fl_http_result_check(&res, "the engine refused", &s->err);
	free(body);
	stream_end(s, &s->err);
}

static void
read_head(struct stream *s)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	size_t len = evbuffer_get_length(in);
	struct fl_http_head *head = fl_xcalloc(1, sizeof(*head));
	enum fl_http_parse_result parsed;

	parsed = fl_http_parse_response((const char *)evbuffer_pullup(in, -1), len, head, &s->err);
	if (parsed == FL_HTTP_PARSE_DONE) {
		evbuffer_drain(in, head->head_len);
		s->status = head->status;
		s->refusal_len = head->content_length >= 0 ? (size_t)head->content_length : SIZE_MAX;
		s->phase = s->status == 101 || s->status / 100 == 2 ? STREAM_OPEN : STREAM_REFUSED;
		event_del(s->timer);
	}
	free(head);
	if (parsed == FL_HTTP_PARSE_ERROR)
		stream_end(s, &s->err);
	else if (parsed == FL_HTTP_PARSE_DONE && s->phase == STREAM_OPEN && s->ops->on_open != NULL)
		s->ops->on_open(s, s->arg);
}

static int
deliver(struct stream *s, const char *data, size_t len)
{
	while (len > 0 && !s->freed) {
		const char *out = data;
		size_t out_len = len;
		int64_t used = (int64_t)len;

		s->mux.stream = s->multiplexed ? s->mux.stream : FL_FRAME_STDOUT;
		if (s->multiplexed && (used = mux_feed(&s->mux, data, len, &out, &out_len)) == -1)
			return -1;
		if (out_len > 0 && s->ops->on_data != NULL)
			s->ops->on_data(s, s->mux.stream, out, out_len, s->arg);
		data += used;
		len -= (size_t)used;
	}
	return 0;
}

static void
read_data(struct stream *s)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	char piece[READ_PIECE];
	int n;

	while (!s->freed && !s->paused && (n = evbuffer_remove(in, piece, sizeof(piece))) > 0) {
		if (deliver(s, piece, (size_t)n) == -1) {
			stream_fail(s, FL_ERR_SYSTEM, "the engine sent what is no multiplexed stream");
			return;
		}
	}
	if (!s->freed && s->peer_ended && evbuffer_get_length(in) == 0)
		stream_end(s, NULL);
}

static void
stream_process(struct stream *s)
{
	if (s->phase == STREAM_HEAD)
		read_head(s);
	if (!s->freed && s->phase == STREAM_REFUSED)
		read_refusal(s);
	if (!s->freed && s->phase == STREAM_OPEN)
		read_data(s);
}

static void
on_readable(FL_UNUSED struct bufferevent *bev, void *arg)
{
	struct stream *s = arg;

	s->in_callback = true;
	stream_process(s);
	stream_leave(s);
}

static void
on_writable(struct bufferevent *bev, void *arg)
{
	struct stream *s = arg;

	s->in_callback = true;
	if (s->shut && !s->shut_done && s->phase == STREAM_OPEN && evbuffer_get_length(bufferevent_get_output(bev)) == 0) {
		s->shut_done = true;
		shutdown(bufferevent_getfd(bev), SHUT_WR);
	}
	if (s->phase == STREAM_OPEN && s->ops->on_drain != NULL)
		s->ops->on_drain(s, s->arg);
	stream_leave(s);
}

static void
on_broken(FL_UNUSED struct bufferevent *bev, short what, void *arg)
{
	struct stream *s = arg;

	if (what & BEV_EVENT_CONNECTED)
		return;
	s->in_callback = true;
	s->peer_ended = true;
	/* A container that is gone while we still write is no failure of the reading side. */
	if (s->phase != STREAM_OPEN && (what & BEV_EVENT_ERROR))
		stream_fail(s, FL_ERR_UNAVAILABLE, "the connection to the engine broke");
	stream_process(s);
	if (!s->freed && s->phase == STREAM_HEAD)
		stream_fail(s, FL_ERR_UNAVAILABLE, "the engine closed the connection without an answer");
	stream_leave(s);
}

/* ---- starting ---- */

static void
on_start_failed(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct stream *s = arg;

	s->in_callback = true;
	stream_end(s, &s->err);
	stream_leave(s);
}

static void
on_open_timeout(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct stream *s = arg;

	s->in_callback = true;
	stream_fail(s, FL_ERR_TIMEOUT, "the engine did not answer in time");
	stream_leave(s);
}

/* Connecting to a unix socket never waits for the other side: it is there, or it is not. */
static int
connect_unix(const char *path, struct fl_err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = -1;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		fl_err_set(err, FL_ERR_INVALID, "the socket path %s is too long", path);
		return -1;
	}
	strcpy(addr.sun_path, path);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) == -1 ||
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == -1) {
		fl_err_sys(err, "connect to %s", path);
		err->kind = FL_ERR_UNAVAILABLE;
		if (fd != -1)
			close(fd);
		return -1;
	}
	return fd;
}

static void
send_request(struct stream *s, const struct engine *e, const struct stream_opts *opts)
{
	char *path = engine_path(e, opts->path);
	const char *body = opts->body != NULL ? opts->body : "";

	/* HTTP/1.0 for what only flows to us: its answers end with the connection, without chunks to undo. */
	evbuffer_add_printf(bufferevent_get_output(s->bev), "%s %s HTTP/1.%d\r\nHost: docker\r\n%s%sContent-Length: %zu\r\n\r\n%s",
	    opts->method, path, opts->upgrade ? 1 : 0, opts->upgrade ? "Connection: Upgrade\r\nUpgrade: tcp\r\n" : "",
	    opts->body != NULL ? "Content-Type: application/json\r\n" : "", strlen(body), body);
	free(path);
}

struct stream *
stream_start(struct event_base *base, const struct engine *e, const struct stream_opts *opts, const struct stream_ops *ops,
    void *arg)
{
	struct stream *s = fl_xcalloc(1, sizeof(*s));
	struct timeval limit = { opts->open_timeout_ms / 1000, opts->open_timeout_ms % 1000 * 1000 };
	int fd;

	s->base = base;
	s->multiplexed = opts->multiplexed;
	s->ops = ops;
	s->arg = arg;
	s->failed = event_new(base, -1, 0, on_start_failed, s);
	s->timer = event_new(base, -1, 0, on_open_timeout, s);
	if ((fd = connect_unix(engine_socket(e), &s->err)) == -1) {
		event_active(s->failed, 0, 0);
		return s;
	}
	s->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(s->bev, on_readable, on_writable, on_broken, s);
	bufferevent_setwatermark(s->bev, EV_READ, 0, READ_HIGH);
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
	send_request(s, e, opts);
	event_add(s->timer, &limit);
	return s;
}

/* ---- writing ---- */

void
stream_write(struct stream *s, const void *data, size_t len)
{
	if (s->bev != NULL && s->phase != STREAM_ENDED && !s->shut)
		bufferevent_write(s->bev, data, len);
}

void
stream_shutdown(struct stream *s)
{
	if (s->bev == NULL || s->shut)
		return;
	s->shut = true;
	/* Told by on_writable once all is written; a write of nothing brings it about when all is. */
	bufferevent_trigger(s->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

size_t
stream_pending(const struct stream *s)
{
	return s->bev != NULL ? evbuffer_get_length(bufferevent_get_output(s->bev)) : 0;
}

void
stream_pause(struct stream *s, bool paused)
{
	if (s->paused == paused || s->bev == NULL)
		return;
	s->paused = paused;
	if (paused) {
		bufferevent_disable(s->bev, EV_READ);
		return;
	}
	bufferevent_enable(s->bev, EV_READ);
	/* What lies in the buffer already brings no new read event. */
	bufferevent_trigger(s->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}
