/*
 * attach - see attach.h. A connection is made, upgraded, and then carries frames.
 */
#include "libflynn/attach.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attach_internal.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/http_client.h"
#include "libflynn/http_parse.h"
#include "libflynn/sign.h"
#include "libflynn/xmalloc.h"

#define DEFAULT_TIMEOUT_MS 5000
#define DRAINED ((size_t)64 << 10)
#define MAX_REFUSAL ((size_t)64 << 10)

enum attach_state {
	ATTACH_CONNECT,
	ATTACH_HEAD,	/* of the answer */
	ATTACH_REFUSED, /* reads why */
	ATTACH_STATE,	/* waits for a state byte */
	ATTACH_OPEN,
	ATTACH_ENDED,
	ATTACH_STATE_MAX
};

struct fl_attach {
	struct event_base *base;
	struct fl_attach_ops ops;
	void *arg;
	char *key, *body;
	bool state_byte;
	enum attach_state state;
	struct attach_dial *dial;
	struct bufferevent *bev;
	struct event *timer;   /* bounds everything before the attachment */
	struct event *resume;  /* from the loop: go on reading, or free */
	struct fl_frame_reader reader;
	int status;	     /* of a refusal */
	int64_t refusal_len; /* -1: up to the end of the connection */
	bool paused, above, in_cb, freed;
	bool exited; /* the exit frame came */
};

static void process(struct fl_attach *a);

static void
attach_release(struct fl_attach *a)
{
	attach_dial_free(a->dial);
	if (a->bev != NULL)
		bufferevent_free(a->bev);
	event_free(a->timer);
	event_free(a->resume);
	free(a->key);
	free(a->body);
	free(a);
}

static void
finish(struct fl_attach *a, const struct fl_err *err)
{
	bool outer = a->in_cb;

	if (a->state == ATTACH_ENDED)
		return;
	a->state = ATTACH_ENDED;
	evtimer_del(a->timer);
	if (a->bev != NULL)
		bufferevent_disable(a->bev, EV_READ | EV_WRITE);
	a->in_cb = true;
	a->ops.on_end(a, err, a->arg);
	a->in_cb = outer;
	if (a->freed)
		event_active(a->resume, EV_TIMEOUT, 1);
}

static void
on_timeout(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	static const char *const waits[ATTACH_STATE_MAX] = {
		[ATTACH_CONNECT] = "the connection",
		[ATTACH_HEAD] = "the answer",
		[ATTACH_REFUSED] = "the reason of a refusal",
		[ATTACH_STATE] = "the job's state",
	};
	struct fl_attach *a = arg;
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_TIMEOUT, "attach: waited too long for %s", waits[a->state]);
	finish(a, &err);
}

static void
on_resume(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_attach *a = arg;

	if (a->freed)
		attach_release(a);
	else if (a->bev != NULL)
		process(a);
}

static bool
open_frames(struct fl_attach *a)
{
	a->state = ATTACH_OPEN;
	evtimer_del(a->timer);
	if (a->ops.on_open != NULL)
		a->ops.on_open(a, a->arg);
	return true;
}

/* The answer's head. Each of these steps returns false when it needs more bytes. */
static bool
read_head(struct fl_attach *a)
{
	struct evbuffer *in = bufferevent_get_input(a->bev);
	size_t len = evbuffer_get_length(in);
	const char *data = (const char *)evbuffer_pullup(in, -1);
	struct fl_http_head head;
	struct fl_err err = { 0 };
	enum fl_http_parse_result rc = fl_http_parse_response(data, len, &head, &err);

	if (rc == FL_HTTP_PARSE_MORE && len <= FL_HTTP_MAX_HEAD)
		return false;
	if (rc != FL_HTTP_PARSE_DONE) {
		fl_err_wrap(&err, "attach");
		finish(a, &err);
		return false;
	}
	a->status = head.status;
	evbuffer_drain(in, head.head_len);
	if (head.status / 100 == 1 && head.status != 101)
		return true;
	if (head.status != 101 && head.status != 200) { /* 200: the protocol's first form */
		a->state = ATTACH_REFUSED;
		a->refusal_len = head.chunked ? 0 : head.content_length; /* our servers give reasons a length */
		return true;
	}
	if (!a->state_byte)
		return open_frames(a);
	a->state = ATTACH_STATE;
	return true;
}

static bool
refusal_is_whole(const struct fl_attach *a)
{
	size_t len = evbuffer_get_length(bufferevent_get_input(a->bev));

	return len >= MAX_REFUSAL || (a->refusal_len != -1 && len >= (uint64_t)a->refusal_len);
}

static void
end_refused(struct fl_attach *a)
{
	struct evbuffer *in = bufferevent_get_input(a->bev);
	struct fl_http_result res = { .status = a->status, .body = "", .content_type = "" };
	struct fl_err err = { 0 };

	res.len = evbuffer_get_length(in);
	if (res.len > 0)
		res.body = (const char *)evbuffer_pullup(in, -1);
	fl_http_result_check(&res, "attach", &err);
	finish(a, &err);
}

static bool
read_state(struct fl_attach *a)
{
	struct evbuffer *in = bufferevent_get_input(a->bev);
	size_t len = evbuffer_get_length(in), text_len;
	unsigned char head[5];
	struct fl_err err = { 0 };

	evbuffer_copyout(in, head, sizeof(head));
	if (len < 1 || (head[0] == FL_FRAME_ERROR && len < sizeof(head)))
		return false;
	if (head[0] == FL_FRAME_ATTACHED) {
		evbuffer_drain(in, 1);
		return open_frames(a);
	}
	if (head[0] == FL_FRAME_WAITING) {
		evbuffer_drain(in, 1);
		evtimer_del(a->timer); /* how long a job is waited for is the caller's matter */
		if (a->ops.on_waiting != NULL)
			a->ops.on_waiting(a, a->arg);
		return true;
	}
	if (head[0] != FL_FRAME_ERROR) {
		fl_err_set(&err, FL_ERR_INVALID, "attach: %u is no state", head[0]);
		finish(a, &err);
		return false;
	}
	text_len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
	if (text_len > MAX_REFUSAL)
		text_len = MAX_REFUSAL;
	if (len < sizeof(head) + text_len)
		return false;
	evbuffer_drain(in, sizeof(head));
	fl_err_set(&err, FL_ERR_UNAVAILABLE, "%.*s", (int)text_len, (const char *)evbuffer_pullup(in, (ev_ssize_t)text_len));
	finish(a, &err);
	return false;
}

static bool
read_frame(struct fl_attach *a)
{
	struct fl_frame f;
	struct fl_err err = { 0 };
	int rc = fl_frame_read(&a->reader, bufferevent_get_input(a->bev), &f, &err);

	if (rc == 0)
		return false;
	if (rc == -1) {
		fl_err_wrap(&err, "attach");
		finish(a, &err);
		return false;
	}
	a->exited = f.type == FL_FRAME_EXIT;
	a->ops.on_frame(a, &f, a->arg);
	if (a->exited && !a->freed)
		finish(a, NULL);
	return true;
}

static bool
step(struct fl_attach *a)
{
	switch (a->state) {
	case ATTACH_HEAD:
		return read_head(a);
	case ATTACH_STATE:
		return read_state(a);
	case ATTACH_OPEN:
		return read_frame(a);
	case ATTACH_REFUSED:
		if (refusal_is_whole(a))
			end_refused(a);
		return false;
	case ATTACH_CONNECT:
	case ATTACH_ENDED:
	case ATTACH_STATE_MAX:
		break;
	}
	return false;
}

static void
process(struct fl_attach *a)
{
	if (a->in_cb)
		return;
	a->in_cb = true;
	while (!a->freed && !a->paused && a->bev != NULL && step(a))
		;
	a->in_cb = false;
	if (a->freed)
		event_active(a->resume, EV_TIMEOUT, 1);
}

static void
on_read(FL_UNUSED struct bufferevent *bev, void *arg)
{
	process(arg);
}

static void
on_written(FL_UNUSED struct bufferevent *bev, void *arg)
{
	struct fl_attach *a = arg;

	if (!a->above || a->state != ATTACH_OPEN)
		return;
	a->above = false;
	if (a->ops.on_drain != NULL)
		a->ops.on_drain(a, a->arg);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct fl_attach *a = arg;
	struct fl_err err = { 0 };
	bool whole;

	if ((what & BEV_EVENT_CONNECTED) != 0)
		return;
	a->paused = false; /* nothing more will come: hand on what has */
	process(a);
	if (a->state == ATTACH_ENDED || a->freed)
		return;
	whole = a->reader.left == 0 && evbuffer_get_length(bufferevent_get_input(bev)) == 0;
	if (a->state == ATTACH_REFUSED) {
		end_refused(a);
	} else if ((what & BEV_EVENT_EOF) != 0 && a->state == ATTACH_OPEN && whole) {
		finish(a, NULL);
	} else {
		attach_broken(bev, what, &err);
		finish(a, &err);
	}
}

static void
send_request(struct fl_attach *a, const struct fl_attach_target *target)
{
	struct evbuffer *out = bufferevent_get_output(a->bev);
	char *basic = a->key != NULL ? fl_sign_basic(a->key) : NULL;

	evbuffer_add_printf(out, "POST %s HTTP/1.1\r\nHost: %s\r\n", target->path, target->authority);
	if (basic != NULL)
		evbuffer_add_printf(out, "Authorization: %s\r\n", basic);
	evbuffer_add_printf(out,
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n"
	    "Connection: upgrade\r\nUpgrade: flynn-attach/0\r\n\r\n%s",
	    strlen(a->body), a->body);
	free(basic);
}

static void
on_dialed(struct bufferevent *bev, const struct fl_attach_target *target, const struct fl_err *err, void *arg)
{
	struct fl_attach *a = arg;

	if (bev == NULL) {
		finish(a, err);
		return;
	}
	a->bev = bev;
	a->state = ATTACH_HEAD;
	bufferevent_setcb(bev, on_read, on_written, on_event, a);
	bufferevent_setwatermark(bev, EV_WRITE, DRAINED, 0);
	send_request(a, target);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

struct fl_attach *
fl_attach_start(struct event_base *base, const struct fl_attach_opts *opts, const struct fl_attach_ops *ops,
    void *arg)
{
	struct fl_attach *a = fl_xcalloc(1, sizeof(*a));
	int timeout_ms = opts->connect_timeout_ms != 0 ? opts->connect_timeout_ms : DEFAULT_TIMEOUT_MS;
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };

	a->base = base;
	a->ops = *ops;
	a->arg = arg;
	a->key = fl_xstrdup_null(opts->key);
	a->body = fl_xstrdup(opts->body != NULL ? opts->body : "{}");
	a->state_byte = opts->state_byte != 0;
	a->timer = evtimer_new(base, on_timeout, a);
	a->resume = event_new(base, -1, 0, on_resume, a);
	evtimer_add(a->timer, &tv);
	a->dial = attach_dial_start(base, opts->url, opts->pin, on_dialed, a);
	return a;
}

void
fl_attach_send(struct fl_attach *a, const void *data, size_t len)
{
	if (a->state != ATTACH_OPEN)
		return;
	fl_frame_write_data(bufferevent_get_output(a->bev), FL_FRAME_STDIN, data, len);
	if (fl_attach_pending(a) >= DRAINED)
		a->above = true;
}

void
fl_attach_send_eof(struct fl_attach *a)
{
	if (a->state == ATTACH_OPEN)
		fl_frame_write_eof(bufferevent_get_output(a->bev), FL_FRAME_STDIN);
}

void
fl_attach_signal(struct fl_attach *a, uint32_t sig)
{
	if (a->state == ATTACH_OPEN)
		fl_frame_write_signal(bufferevent_get_output(a->bev), sig);
}

void
fl_attach_resize(struct fl_attach *a, uint16_t rows, uint16_t cols)
{
	if (a->state == ATTACH_OPEN)
		fl_frame_write_resize(bufferevent_get_output(a->bev), rows, cols);
}

size_t
fl_attach_pending(const struct fl_attach *a)
{
	return a->bev != NULL ? evbuffer_get_length(bufferevent_get_output(a->bev)) : 0;
}

void
fl_attach_pause(struct fl_attach *a, int paused)
{
	a->paused = paused != 0;
	if (a->state != ATTACH_OPEN)
		return;
	if (paused) {
		bufferevent_disable(a->bev, EV_READ);
	} else {
		bufferevent_enable(a->bev, EV_READ);
		event_active(a->resume, EV_TIMEOUT, 1); /* for what has been read already */
	}
}

struct bufferevent *
fl_attach_detach(struct fl_attach *a)
{
	struct bufferevent *bev = a->bev;

	bufferevent_disable(bev, EV_READ);
	bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
	bufferevent_setwatermark(bev, EV_WRITE, 0, 0);
	a->bev = NULL;
	fl_attach_free(a);
	return bev;
}

void
fl_attach_free(struct fl_attach *a)
{
	if (a == NULL || a->freed)
		return;
	a->freed = true;
	evtimer_del(a->timer);
	if (!a->in_cb)
		attach_release(a);
	else if (a->bev != NULL)
		bufferevent_disable(a->bev, EV_READ | EV_WRITE);
}
