#include "router/exchange_internal.h"

#include <assert.h>
#include <string.h>

#include "libflynn/err.h"
#include "router/backend.h"
#include "router/block.h"
#include "router/h2.h"
#include "router/head.h"
#include "router/sticky.h"
#include "router/upstream.h"
#include "router/worker.h"

/* Interim answers (1xx) to one request at most. */
#define INTERIM_MAX 64

static_assert(FL_HTTP_MAX_HEAD + 1024 + STICKY_VALUE_MAX <= WORKER_OUT_BYTES, "an answer's head fits, and what we add");

/* Send a head to the client, and what follows it. False: the client has gone. */
static bool
send_client(struct exchange *x, const char *head, size_t head_len, const char *data, size_t len)
{
	if (x->down.held == NULL)
		return flow_send(&x->down, &x->c->io, &x->w->blocks, head, head_len, data, len);
	/* Interim answers that the client has not taken yet. */
	if (x->down.held->len + head_len + len > BLOCK_MAX)
		return false;
	x->down.held = block_append(&x->w->blocks, x->down.held, head, head_len);
	x->down.held = block_append(&x->w->blocks, x->down.held, data, len);
	return true;
}

static int
bad_answer(struct exchange *x, const char *why)
{
	return exchange_fail(x, 502, "the instance %s of %s sent a bad answer: %s", x->u->backend->name, x->service->name, why);
}

/* Tell the client of a sticky route to stay with its instance, by another header that value is the memory of. */
static void
add_cookie(struct exchange *x, struct fl_http_head *h, char value[STICKY_VALUE_MAX])
{
	static const char name[] = "Set-Cookie";
	size_t len;

	if (x->sticky == NULL || h->n_headers == FL_HTTP_MAX_HEADERS)
		return;
	len = sticky_write(x->w->sticky_mac, x->sticky, x->u->backend->sticky_id, x->w->wall_ms / 1000, value);
	if (len > 0)
		h->headers[h->n_headers++] = (struct fl_http_header){ { name, sizeof(name) - 1 }, { value, len } };
}

/* The request's head is not needed any more. */
static void
drop_head(struct exchange *x)
{
	block_free(&x->w->blocks, x->head);
	x->head = NULL;
	x->id.len = 0;
}

/*
 * The answer is a 101: bytes both ways from now on. Clients of 2014 get one without having asked for an
 * upgrade by any header.
 */
static int
begin_tunnel(struct exchange *x, struct fl_http_head *h, const char *rest, size_t len)
{
	char cookie[STICKY_VALUE_MAX];

	if (!exchange_is_read(x) || flow_holds(&x->up) || x->minor == 0)
		return bad_answer(x, "101 before the request was over");
	if (x->c->is_stream)
		return bad_answer(x, "101 to a request that came by HTTP/2");
	add_cookie(x, h, cookie);
	flow_init(&x->up, FLOW_UNTIL_EOF, 0);
	flow_init(&x->down, FLOW_UNTIL_EOF, 0);
	x->up.held = x->c->in; /* sent early */
	x->c->in = NULL;
	exchange_count(x, h->status);
	worker_count(x->w, COUNT_TUNNELS, 1);
	seen_tunnel(x);
	backend_works(x->u->backend);
	drop_head(x);
	x->state = STATE_TUNNEL;
	return send_client(x, x->w->out, head_write_interim(x->w->out, h), rest, len) ? STEP_NEXT : EXCHANGE_BROKEN;
}

/* How the body of a final answer is framed, to us and to the client. */
static void
frame_answer(struct exchange *x, const struct fl_http_head *h, bool has_body)
{
	x->keep_upstream = h->keep_alive;
	x->keep_client = x->keep_client && exchange_is_read(x) && !flow_holds(&x->up) && !x->w->is_draining;
	if (!has_body) {
		flow_init(&x->down, FLOW_LENGTH, 0);
		/* A 204 that promises a body all the same may yet send it: behind the next request, if there were one. */
		if (h->status == 204 && (h->chunked || h->content_length > 0))
			x->keep_upstream = false;
	} else if (h->chunked && x->minor > 0 && !x->c->is_stream) {
		flow_init(&x->down, FLOW_CHUNKED, 0);
	} else if (h->chunked) {
		flow_init(&x->down, FLOW_DECHUNK, 0);
		x->keep_client = false;
	} else if (h->content_length >= 0) {
		flow_init(&x->down, FLOW_LENGTH, (uint64_t)h->content_length);
	} else {
		flow_init(&x->down, FLOW_UNTIL_EOF, 0);
		x->keep_client = x->keep_upstream = false;
	}
}

/* A final answer's head, and what followed it, to a stream of HTTP/2. */
static bool
send_stream(struct exchange *x, const struct fl_http_head *h, bool has_body, const char *data, size_t len)
{
	struct h2_answer to = { .has_body = has_body, .is_last = x->down.ended && x->down.trailers == NULL, .id = x->id };
	size_t taken = h2_stream_answer(x->c, h, &to, data, len);

	return send_client(x, NULL, 0, data + taken, len - taken);
}

static int
begin_answer(struct exchange *x, struct fl_http_head *h, char *rest, size_t len)
{
	bool has_body = !x->is_head && h->status != 204 && h->status != 304;
	struct head_answer to = { .client_minor = x->minor, .id = x->id, .date = worker_date(x->w) };
	struct fl_err err;
	size_t used = 0, pass = 0, n;
	char cookie[STICKY_VALUE_MAX];

	frame_answer(x, h, has_body);
	x->down.keeps_trailers = x->c->is_stream;
	if (flow_receive(&x->down, &x->w->blocks, rest, len, &used, &pass, &err) == -1)
		return bad_answer(x, err.msg);
	if (used < len)
		x->keep_upstream = false; /* it says more than it was asked */
	add_cookie(x, h, cookie);
	to.keep_alive = x->keep_client;
	to.has_body = !x->is_head;
	exchange_count(x, h->status);
	backend_works(x->u->backend);
	x->state = STATE_ANSWER;
	if (x->c->is_stream) {
		bool sent = send_stream(x, h, has_body, rest, pass);

		drop_head(x);
		return sent ? STEP_NEXT : EXCHANGE_BROKEN;
	}
	if (!x->keep_client && x->down.ended && exchange_is_read(x) && !flow_holds(&x->up))
		x->c->io.flags |= IO_LAST; /* exchange_finish() is next */
	n = head_write_answer(x->w->out, h, &to);
	drop_head(x);
	return send_client(x, x->w->out, n, rest, pass) ? STEP_NEXT : EXCHANGE_BROKEN;
}

/* Judge the bytes in the worker's memory. STEP_MORE: they end within a head, and were kept. */
static int
take_answer(struct exchange *x, size_t len)
{
	char *at = x->w->in, *end = at + len;

	for (;;) {
		struct fl_http_head h;
		struct fl_err err;
		enum fl_http_parse_result r = fl_http_parse_response(at, (size_t)(end - at), &h, &err);

		if (r == FL_HTTP_PARSE_ERROR)
			return bad_answer(x, err.msg);
		if (r == FL_HTTP_PARSE_MORE) {
			if (at < end)
				x->answer = block_append(&x->w->blocks, NULL, at, (size_t)(end - at));
			return STEP_MORE;
		}
		at += h.head_len;
		if (h.status == 101)
			return begin_tunnel(x, &h, at, (size_t)(end - at));
		if (h.status >= 200)
			return begin_answer(x, &h, at, (size_t)(end - at));
		if (++x->n_interim > INTERIM_MAX)
			return bad_answer(x, "too many interim answers");
		x->is_expecting = false;
		if (x->c->is_stream)
			h2_stream_interim(x->c, &h);
		else if (x->minor > 0 && !send_client(x, x->w->out, head_write_interim(x->w->out, &h), NULL, 0))
			return EXCHANGE_BROKEN;
	}
}

int
exchange_read_answer(struct exchange *x)
{
	struct worker *w = x->w;
	struct io *io = &x->u->io;

	for (;;) {
		size_t len = 0;
		ssize_t n;
		int step;

		if ((io->flags & (IO_READABLE | IO_EOF | IO_BROKEN)) == 0)
			return STEP_MORE;
		if (x->c->is_stream && !h2_stream_has_room(x->c))
			return exchange_wait(x, WAIT_READER);
		if (x->answer != NULL) {
			len = x->answer->len;
			memcpy(w->in, block_bytes(x->answer), len);
		}
		n = io_read(io, w->in + len, WORKER_IN_BYTES - len);
		if (n == IO_AGAIN)
			return STEP_MORE;
		if (n <= 0)
			return len == 0 ? exchange_lost(x) : bad_answer(x, "it ends within its head");
		block_free(&w->blocks, x->answer);
		x->answer = NULL;
		x->down.moved = true;
		seen_answered(x);
		if ((step = take_answer(x, len + (size_t)n)) != STEP_MORE)
			return step;
	}
}

int
exchange_answer(struct exchange *x)
{
	struct fl_err err;
	enum flow_result body;
	int step = exchange_send_body(x, &body);

	if (step != STEP_NEXT)
		return step;
	switch (flow_pump(&x->down, &x->u->io, &x->c->io, &x->w->blocks, x->w->in, WORKER_IN_BYTES, &x->excess, &err)) {
	case FLOW_DONE:
		if (x->down.trailers != NULL)
			h2_stream_end_with(x->c, &x->down.trailers);
		return exchange_finish(x);
	case FLOW_BUSY:
		return EXCHANGE_BUSY;
	case FLOW_READ_BLOCKED:
		return body == FLOW_BUSY ? EXCHANGE_BUSY : exchange_wait(x, WAIT_MORE);
	case FLOW_WRITE_BLOCKED:
		return body == FLOW_BUSY ? EXCHANGE_BUSY : exchange_wait(x, WAIT_READER);
	case FLOW_CUT:
	case FLOW_BAD:
		/* Where the framing tells the client that something is missing, what came may stay. */
		return (x->down.body == FLOW_LENGTH || x->down.body == FLOW_CHUNKED) && !x->c->is_stream ? EXCHANGE_LAST :
		    EXCHANGE_BROKEN;
	case FLOW_UNWRITABLE:
		break;
	}
	return EXCHANGE_BROKEN;
}

/* One direction of a tunnel; an end is passed on, unless the other direction has ended, too: then both sides are closed. */
static enum flow_result
run_direction(struct exchange *x, struct flow *f, const struct flow *other, struct io *from, struct io *to)
{
	struct fl_err err;
	struct block *none = NULL; /* such a flow has no end that bytes could follow */
	enum flow_result r = flow_pump(f, from, to, &x->w->blocks, x->w->in, WORKER_IN_BYTES, &none, &err);

	/* A shutdown(2) before the connection stands would cancel it. */
	if (r == FLOW_DONE && (to->flags & IO_CONNECTED) != 0 && (!other->ended || flow_holds(other)))
		io_shut(to);
	return r;
}

/* Who speaks first on one TCP connection most likely does on the next. */
static void
note_opener(struct exchange *x)
{
	if (!x->is_tcp || x->is_opened || x->up.n_bytes + x->down.n_bytes == 0)
		return;
	x->is_opened = true;
	service_note_opener(x->service, x->up.n_bytes > 0 ? OPENER_CLIENT : OPENER_INSTANCE);
}

int
exchange_tunnel(struct exchange *x)
{
	struct io *client = &x->c->io, *backend = &x->u->io;
	enum flow_result up, down;

	if ((backend->flags & IO_CONNECTED) == 0 && (backend->flags & (IO_HUP | IO_BROKEN)) != 0)
		return exchange_lost(x);
	up = run_direction(x, &x->up, &x->down, client, backend);
	note_opener(x);
	if ((backend->flags & IO_CONNECTED) == 0)
		return (backend->flags & IO_BROKEN) != 0 ? exchange_lost(x) : exchange_wait(x, WAIT_CONNECT);
	if (x->is_tcp)
		backend_works(x->u->backend);
	if (x->c->is_unpolled)
		client_poll(x->c); /* it may speak at any time */
	down = run_direction(x, &x->down, &x->up, backend, client);
	note_opener(x);
	if (down == FLOW_CUT || down == FLOW_UNWRITABLE || up == FLOW_CUT)
		return EXCHANGE_BROKEN;
	if (down == FLOW_DONE && (up == FLOW_DONE || up == FLOW_UNWRITABLE)) {
		x->seen.flags |= RECORD_WHOLE;
		return EXCHANGE_LAST;
	}
	if (up == FLOW_BUSY || down == FLOW_BUSY)
		return EXCHANGE_BUSY;
	if (up == FLOW_READ_BLOCKED && down == FLOW_READ_BLOCKED)
		return exchange_wait(x, WAIT_NOTHING);
	return exchange_wait(x, WAIT_MORE); /* half closed, or somebody does not read */
}
