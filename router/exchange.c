#include "router/exchange.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_parse.h"
#include "libflynn/xmalloc.h"
#include "router/backend.h"
#include "router/block.h"
#include "router/client.h"
#include "router/flow.h"
#include "router/head.h"
#include "router/page.h"
#include "router/plane.h"
#include "router/table.h"
#include "router/upstream.h"
#include "router/worker.h"

/* Instances that one request tries at most. */
#define TRIED_MAX 16
/* Interim answers (1xx) to one request at most. */
#define INTERIM_MAX 64
/*
 * A request that must not be sent twice goes over a connection that was idle for at most so long: the
 * backend may be about to close an older one (node does after 5 s).
 */
#define STALE_MS 2000

static_assert(FL_HTTP_MAX_HEAD + 1024 <= WORKER_OUT_BYTES, "an answer's head fits, and what we add");

enum state {
	STATE_DIAL,   /* an instance is to be chosen, or to be chosen again */
	STATE_ASK,    /* the request is being sent; no answer yet */
	STATE_ANSWER, /* the answer's head has been passed on */
	STATE_TUNNEL, /* bytes both ways */
	STATE_PAGE,   /* the answer is our own */
	STATE_BROKEN
};

/* What a step of a state returns beside the results of exchange_run(). */
enum {
	STEP_NEXT = -1, /* look at the state again */
	STEP_MORE = -2	/* more of the answer's head is needed */
};

struct exchange {
	struct client *c;
	struct worker *w;
	struct service *service; /* held; NULL: nothing but a page */
	struct upstream *u;
	struct block *head;   /* as sent to the backend; kept until it answers, for another try */
	size_t head_sent;
	struct block *answer; /* part of the answer's head */
	struct block *excess; /* what the backend sent behind its answer */
	struct flow up, down;
	struct fl_span id; /* in head */
	const struct backend *tried[TRIED_MAX];
	size_t n_tried;
	enum state state;
	int minor; /* the client's HTTP/1.minor */
	int n_interim;
	bool is_tcp, is_head, is_json;
	bool is_safe;	 /* may be sent twice */
	bool is_fresh;	 /* not over a pooled connection */
	bool is_expecting; /* the client waits for 100 Continue */
	bool keep_client, keep_upstream;
	bool up_lost;	 /* the backend takes no more of the request */
};

static struct exchange *
exchange_new(struct client *c)
{
	struct exchange *x = fl_xcalloc(1, sizeof(*x));

	x->c = c;
	x->w = c->w;
	x->up.ended = true;
	return x;
}

void
exchange_free(struct exchange *x)
{
	struct block_pool *pool = &x->w->blocks;

	if (x->u != NULL)
		upstream_close(x->u);
	if (x->service != NULL)
		service_unhold(x->service, x->w->index);
	block_free(pool, x->head);
	block_free(pool, x->answer);
	block_free(pool, x->excess);
	flow_release(&x->up, pool);
	flow_release(&x->down, pool);
	free(x);
}

static void
count_answer(struct exchange *x, int status)
{
	if (status >= 100 && status < 600)
		worker_count(x->w, COUNT_ANSWERS + (unsigned)status / 100 - 1, 1);
}

/* All of the request was read from the client. */
static bool
is_request_read(const struct exchange *x)
{
	return x->up.ended && !x->up_lost;
}

static int fail(struct exchange *x, int status, const char *fmt, ...) FL_PRINTF(3, 4);

/* Answer with a page of our own; nothing of another final answer has been sent. */
static int
fail(struct exchange *x, int status, const char *fmt, ...)
{
	char why[512];
	struct page page = { .status = status, .why = why, .is_json = x->is_json, .is_head = x->is_head };
	struct block *b;
	va_list ap;

	if (x->u != NULL)
		upstream_close(x->u);
	x->u = NULL;
	flow_release(&x->up, &x->w->blocks);
	if (x->is_tcp) {
		x->state = STATE_BROKEN;
		return STEP_NEXT;
	}
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	x->keep_client = x->keep_client && is_request_read(x) && !x->w->is_draining;
	page.keep_alive = x->keep_client;
	page.client_minor = x->minor;
	page.id = x->id;
	b = page_write(&x->w->blocks, &page);
	flow_init(&x->down, FLOW_LENGTH, 0);
	x->down.held = block_append(&x->w->blocks, x->down.held, block_bytes(b), b->len);
	block_free(&x->w->blocks, b);
	count_answer(x, status);
	x->state = STATE_PAGE;
	return STEP_NEXT;
}

struct exchange *
exchange_refuse(struct client *c, int status, const char *why)
{
	struct exchange *x = exchange_new(c);

	x->minor = 1;
	x->up.ended = false; /* where the request ends is not known */
	fail(x, status, "%s", why);
	return x;
}

static bool
is_idempotent(struct fl_span method)
{
	static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE" };

	for (size_t i = 0; i < fl_nitems(methods); i++)
		if (fl_span_eq(method, methods[i]))
			return true;
	return false;
}

static bool
accepts_json(const struct fl_http_head *h)
{
	static const char json[] = "application/json";
	const struct fl_http_header *accept = fl_http_head_find(h, "Accept");

	return accept != NULL && memmem(accept->value.p, accept->value.len, json, sizeof(json) - 1) != NULL;
}

static void
write_peer(const struct client *c, char out[INET6_ADDRSTRLEN])
{
	if (IN6_IS_ADDR_V4MAPPED(&c->peer))
		inet_ntop(AF_INET, &c->peer.s6_addr[12], out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &c->peer, out, INET6_ADDRSTRLEN);
}

static void
write_head(struct exchange *x, const struct fl_http_head *h)
{
	char peer[INET6_ADDRSTRLEN];
	struct head_origin from = { .peer = peer, .is_tls = x->c->is_tls, .port = x->c->port, .start_ms = x->w->wall_ms };

	write_peer(x->c, peer);
	worker_new_id(x->w, from.new_id);
	x->head = block_new(&x->w->blocks, head_request_room(h, &from));
	x->head->len = (uint32_t)head_write_request(x->head->data, h, &from, &x->id);
}

/* Take what came behind the head: of the body, or of requests to come. */
static int
take_rest(struct exchange *x, const struct fl_http_head *h, char *rest, size_t len, struct fl_err *err)
{
	size_t used = 0, pass = 0;

	flow_init(&x->up, h->chunked ? FLOW_CHUNKED : FLOW_LENGTH, h->content_length > 0 ? (uint64_t)h->content_length : 0);
	if (flow_take(&x->up, rest, len, &used, &pass, err) == -1)
		return -1;
	if (pass > 0)
		x->up.held = block_append(&x->w->blocks, NULL, rest, pass);
	client_stash(x->c, rest + used, len - used);
	return 0;
}

struct exchange *
exchange_begin(struct client *c, const struct fl_http_head *h, char *rest, size_t len)
{
	struct exchange *x = exchange_new(c);
	struct plane *plane = c->w->plane;
	const struct target *target = NULL;
	char host[TABLE_MAX_KEY + 1];
	struct fl_err err = { 0 };
	size_t host_len;

	x->minor = h->minor;
	x->is_head = fl_span_eq(h->method, "HEAD");
	x->is_json = accepts_json(h);
	x->is_expecting = h->expect_continue;
	x->keep_client = h->keep_alive;
	x->is_safe = !h->chunked && h->content_length <= 0 && is_idempotent(h->method);
	if (take_rest(x, h, rest, len, &err) == -1) {
		fail(x, 400, "%s", err.msg);
		return x;
	}
	if (fl_span_eq(h->method, "CONNECT")) {
		x->keep_client = false;
		fail(x, 405, "CONNECT is not served here");
		return x;
	}
	write_head(x, h);
	host_len = table_normalise_host(h->host.p, h->host.len, host);
	if (host_len == 0) {
		fail(x, 400, "the request names no valid host");
	} else if ((target = table_find_host(atomic_load(&plane->table), host, host_len)) == NULL) {
		if (!atomic_load(&plane->is_synced))
			fail(x, 503, "the routes have not been read from etcd yet");
		else
			fail(x, 404, "no route leads from %s to an app", host);
	} else {
		x->service = target->service;
		service_hold(x->service, x->w->index);
	}
	return x;
}

struct exchange *
exchange_begin_tcp(struct client *c)
{
	struct exchange *x = exchange_new(c);
	const struct target *target;
	char key[16];
	int len = snprintf(key, sizeof(key), ":%d", c->port);

	x->is_tcp = true;
	flow_init(&x->up, FLOW_UNTIL_EOF, 0);
	flow_init(&x->down, FLOW_UNTIL_EOF, 0);
	target = table_find(atomic_load(&c->w->plane->table), key, (size_t)len);
	if (target == NULL) {
		x->state = STATE_BROKEN; /* the route is being removed */
		return x;
	}
	x->service = target->service;
	service_hold(x->service, x->w->index);
	worker_count(x->w, COUNT_TUNNELS, 1);
	return x;
}

/* Wait, the time starting anew if anything has moved. */
static int
wait_for(struct exchange *x, enum client_wait wait)
{
	bool moved = x->up.moved || x->down.moved;

	x->up.moved = x->down.moved = false;
	client_wait(x->c, wait, moved);
	return EXCHANGE_WAITS;
}

static int
no_instance(struct exchange *x)
{
	const struct service *s = x->service;

	if (x->n_tried == 1)
		return fail(x, 503, "the instance %s of %s does not accept connections", x->tried[0]->name, s->name);
	if (x->n_tried > 0)
		return fail(x, 503, "%zu instances of %s were tried, and none accepts connections", x->n_tried, s->name);
	if (!atomic_load(&s->is_known))
		return fail(x, 503, "discoverd has not said yet where %s runs", s->name);
	return fail(x, 503, "no instance of %s runs", s->name);
}

/* The instance does not accept connections: try another. */
static int
refused(struct exchange *x, struct backend *b)
{
	backend_failed(b, x->w->index, x->w->now_ms);
	worker_count(x->w, COUNT_DIAL_FAILURES, 1);
	x->tried[x->n_tried++] = b;
	x->state = STATE_DIAL;
	return STEP_NEXT;
}

static int
run_dial(struct exchange *x)
{
	struct worker *w = x->w;
	struct backend *b = NULL;

	if (x->n_tried < TRIED_MAX)
		b = service_pick(x->service, w->index, w->now_ms, worker_random(w), x->tried, x->n_tried);
	if (b == NULL)
		return no_instance(x);
	if (!x->is_fresh && !x->is_tcp)
		x->u = upstream_reuse(w, b, x->c, x->is_safe ? INT64_MAX : STALE_MS);
	if (x->u == NULL)
		x->u = upstream_dial(w, b, x->c);
	if (x->u == NULL)
		return refused(x, b);
	x->head_sent = 0;
	x->state = x->is_tcp ? STATE_TUNNEL : STATE_ASK;
	return STEP_NEXT;
}

/* The connection ended before any byte of an answer came. */
static int
lost(struct exchange *x)
{
	struct upstream *u = x->u;
	struct backend *b = u->backend; /* stays until this turn is over */
	bool is_used = u->is_used, is_connected = (u->io.flags & IO_CONNECTED) != 0;

	x->u = NULL;
	upstream_close(u);
	if (!is_connected || (!is_used && x->head_sent == 0))
		return refused(x, b);
	if (is_used && (x->is_safe || x->head_sent == 0)) {
		/* It was closed while it was idle, as far as one can know. */
		worker_count(x->w, COUNT_RETRIES, 1);
		x->is_fresh = true;
		x->state = STATE_DIAL;
		return STEP_NEXT;
	}
	return fail(x, 502, "the instance %s of %s closed the connection without an answer", b->name, x->service->name);
}

/* Send the request's head, and what came of the body with it. */
static int
send_head(struct exchange *x)
{
	struct upstream *u = x->u;

	while (x->head_sent < x->head->len) {
		struct iovec parts[2] = { { x->head->data + x->head_sent, x->head->len - x->head_sent } };
		ssize_t n = IO_AGAIN;

		if (x->up.held != NULL)
			parts[1] = (struct iovec){ block_bytes(x->up.held), x->up.held->len };
		if ((u->io.flags & (IO_WRITABLE | IO_BROKEN)) != 0)
			n = io_write(&u->io, parts, x->up.held != NULL ? 2 : 1);
		if (n == IO_AGAIN)
			return wait_for(x, (u->io.flags & IO_CONNECTED) == 0 ? WAIT_CONNECT : WAIT_ANSWER);
		if (n < 0)
			return lost(x);
		x->up.moved = true;
		if ((size_t)n > parts[0].iov_len) {
			block_drop(x->up.held, (size_t)n - parts[0].iov_len);
			n = (ssize_t)parts[0].iov_len;
		}
		x->head_sent += (size_t)n;
	}
	if (!u->is_used)
		backend_connected(u->backend, x->w->index);
	return STEP_NEXT;
}

/* Pass on more of the request's body. STEP_NEXT: go on with the answer; blocked says on whom it waits. */
static int
send_body(struct exchange *x, enum flow_result *blocked)
{
	bool moved = x->up.moved;
	struct fl_err err = { 0 };

	*blocked = FLOW_DONE;
	if (x->up_lost)
		return STEP_NEXT;
	x->up.moved = false;
	*blocked = flow_pump(&x->up, &x->c->io, &x->u->io, &x->w->blocks, x->w->in, WORKER_IN_BYTES, &x->c->in, &err);
	if (x->up.moved)
		x->is_expecting = false; /* it does not wait for 100 Continue any more */
	x->up.moved |= moved;
	switch (*blocked) {
	case FLOW_READ_BLOCKED:
	case FLOW_WRITE_BLOCKED:
	case FLOW_BUSY:
	case FLOW_DONE:
		break;
	case FLOW_UNWRITABLE:
		x->up_lost = true; /* its answer may say why */
		flow_release(&x->up, &x->w->blocks);
		break;
	case FLOW_CUT:
		if (x->state != STATE_ASK || (x->c->io.flags & IO_EOF) == 0)
			return EXCHANGE_BROKEN;
		return fail(x, 400, "the request ended in the middle of its body");
	case FLOW_BAD:
		if (x->state != STATE_ASK)
			return EXCHANGE_BROKEN;
		return fail(x, 400, "%s", err.msg);
	}
	return STEP_NEXT;
}

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
	return fail(x, 502, "the instance %s of %s sent a bad answer: %s", x->u->backend->name, x->service->name, why);
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
begin_tunnel(struct exchange *x, const struct fl_http_head *h, const char *rest, size_t len)
{
	if (!is_request_read(x) || x->up.held != NULL || x->minor == 0)
		return bad_answer(x, "101 before the request was over");
	flow_init(&x->up, FLOW_UNTIL_EOF, 0);
	flow_init(&x->down, FLOW_UNTIL_EOF, 0);
	x->up.held = x->c->in; /* sent early */
	x->c->in = NULL;
	count_answer(x, h->status);
	worker_count(x->w, COUNT_TUNNELS, 1);
	drop_head(x);
	x->state = STATE_TUNNEL;
	return send_client(x, x->w->out, head_write_interim(x->w->out, h), rest, len) ? STEP_NEXT : EXCHANGE_BROKEN;
}

/* How the body of a final answer is framed, to us and to the client. */
static void
frame_answer(struct exchange *x, const struct fl_http_head *h, bool has_body)
{
	x->keep_upstream = h->keep_alive;
	x->keep_client = x->keep_client && is_request_read(x) && x->up.held == NULL && !x->w->is_draining;
	if (!has_body) {
		flow_init(&x->down, FLOW_LENGTH, 0);
	} else if (h->chunked && x->minor > 0) {
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

static int
begin_answer(struct exchange *x, const struct fl_http_head *h, char *rest, size_t len)
{
	bool has_body = !x->is_head && h->status != 204 && h->status != 304;
	struct head_answer to = { .client_minor = x->minor, .id = x->id };
	struct fl_err err = { 0 };
	size_t used = 0, pass = 0, n;

	frame_answer(x, h, has_body);
	if (flow_take(&x->down, rest, len, &used, &pass, &err) == -1)
		return bad_answer(x, err.msg);
	if (used < len)
		x->keep_upstream = false; /* it says more than it was asked */
	to.keep_alive = x->keep_client;
	to.has_body = !x->is_head;
	n = head_write_answer(x->w->out, h, &to);
	count_answer(x, h->status);
	drop_head(x);
	x->state = STATE_ANSWER;
	return send_client(x, x->w->out, n, rest, pass) ? STEP_NEXT : EXCHANGE_BROKEN;
}

/* Judge the bytes in the worker's memory. STEP_MORE: they end within a head, and were kept. */
static int
take_answer(struct exchange *x, size_t len)
{
	char *at = x->w->in, *end = at + len;

	for (;;) {
		struct fl_http_head h;
		struct fl_err err = { 0 };
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
		if (x->minor > 0 && !send_client(x, x->w->out, head_write_interim(x->w->out, &h), NULL, 0))
			return EXCHANGE_BROKEN;
	}
}

static int
read_answer(struct exchange *x)
{
	struct worker *w = x->w;
	struct io *io = &x->u->io;

	for (;;) {
		size_t len = 0;
		ssize_t n;
		int step;

		if ((io->flags & (IO_READABLE | IO_EOF | IO_BROKEN)) == 0)
			return STEP_MORE;
		if (x->answer != NULL) {
			len = x->answer->len;
			memcpy(w->in, block_bytes(x->answer), len);
		}
		n = io_read(io, w->in + len, WORKER_IN_BYTES - len);
		if (n == IO_AGAIN)
			return STEP_MORE;
		if (n <= 0)
			return len == 0 ? lost(x) : bad_answer(x, "it ends within its head");
		block_free(&w->blocks, x->answer);
		x->answer = NULL;
		x->down.moved = true;
		if ((step = take_answer(x, len + (size_t)n)) != STEP_MORE)
			return step;
	}
}

static int
run_ask(struct exchange *x)
{
	enum flow_result body;
	int step = send_head(x);

	if (step != STEP_NEXT || x->state != STATE_ASK)
		return step;
	step = send_body(x, &body);
	if (step != STEP_NEXT || x->state != STATE_ASK)
		return step;
	step = read_answer(x);
	if (step != STEP_MORE)
		return step;
	if (x->down.held != NULL && flow_flush(&x->down, &x->c->io, &x->w->blocks) == FLOW_UNWRITABLE)
		return EXCHANGE_BROKEN;
	if (body == FLOW_BUSY)
		return EXCHANGE_BUSY;
	return wait_for(x, body == FLOW_READ_BLOCKED && !x->is_expecting ? WAIT_BODY : WAIT_ANSWER);
}

/* All of the answer is with the client. */
static int
finish(struct exchange *x)
{
	bool is_whole = is_request_read(x) && x->up.held == NULL;

	if (x->u != NULL && x->keep_upstream && is_whole && x->excess == NULL)
		upstream_park(x->u);
	else if (x->u != NULL)
		upstream_close(x->u);
	x->u = NULL;
	if (x->keep_client)
		return EXCHANGE_DONE;
	return is_whole && x->c->in == NULL && (x->c->io.flags & IO_READABLE) == 0 ? EXCHANGE_LAST : EXCHANGE_UNREAD;
}

static int
run_answer(struct exchange *x)
{
	struct fl_err err = { 0 };
	enum flow_result body;
	int step = send_body(x, &body);

	if (step != STEP_NEXT)
		return step;
	switch (flow_pump(&x->down, &x->u->io, &x->c->io, &x->w->blocks, x->w->in, WORKER_IN_BYTES, &x->excess, &err)) {
	case FLOW_DONE:
		return finish(x);
	case FLOW_BUSY:
		return EXCHANGE_BUSY;
	case FLOW_READ_BLOCKED:
		return body == FLOW_BUSY ? EXCHANGE_BUSY : wait_for(x, WAIT_MORE);
	case FLOW_WRITE_BLOCKED:
		return body == FLOW_BUSY ? EXCHANGE_BUSY : wait_for(x, WAIT_READER);
	case FLOW_CUT:
	case FLOW_BAD:
		/* Where the framing tells the client that something is missing, what came may stay. */
		return x->down.body == FLOW_LENGTH || x->down.body == FLOW_CHUNKED ? EXCHANGE_LAST : EXCHANGE_BROKEN;
	case FLOW_UNWRITABLE:
		break;
	}
	return EXCHANGE_BROKEN;
}

static int
run_page(struct exchange *x)
{
	switch (flow_flush(&x->down, &x->c->io, &x->w->blocks)) {
	case FLOW_DONE:
		return finish(x);
	case FLOW_WRITE_BLOCKED:
		return wait_for(x, WAIT_READER);
	case FLOW_READ_BLOCKED:
	case FLOW_BUSY:
	case FLOW_CUT:
	case FLOW_BAD:
	case FLOW_UNWRITABLE:
		break;
	}
	return EXCHANGE_BROKEN;
}

/* One direction of a tunnel; an end is passed on. */
static enum flow_result
run_direction(struct exchange *x, struct flow *f, struct io *from, struct io *to)
{
	struct fl_err err;
	struct block *none = NULL; /* such a flow has no end that bytes could follow */
	enum flow_result r = flow_pump(f, from, to, &x->w->blocks, x->w->in, WORKER_IN_BYTES, &none, &err);

	/* A shutdown(2) before the connection stands would cancel it. */
	if (r == FLOW_DONE && (to->flags & IO_CONNECTED) != 0)
		io_shut(to);
	return r;
}

static int
run_tunnel(struct exchange *x)
{
	struct io *client = &x->c->io, *backend = &x->u->io;
	enum flow_result up, down;

	if ((backend->flags & IO_CONNECTED) == 0 && (backend->flags & (IO_HUP | IO_BROKEN)) != 0)
		return lost(x);
	up = run_direction(x, &x->up, client, backend);
	if ((backend->flags & IO_CONNECTED) == 0)
		return (backend->flags & IO_BROKEN) != 0 ? lost(x) : wait_for(x, WAIT_CONNECT);
	down = run_direction(x, &x->down, backend, client);
	if (down == FLOW_CUT || down == FLOW_UNWRITABLE || up == FLOW_CUT)
		return EXCHANGE_BROKEN;
	if (down == FLOW_DONE && (up == FLOW_DONE || up == FLOW_UNWRITABLE))
		return EXCHANGE_LAST;
	if (up == FLOW_BUSY || down == FLOW_BUSY)
		return EXCHANGE_BUSY;
	if (up == FLOW_READ_BLOCKED && down == FLOW_READ_BLOCKED)
		return wait_for(x, WAIT_NOTHING);
	return wait_for(x, WAIT_MORE); /* half closed, or somebody does not read */
}

static int
run_state(struct exchange *x)
{
	switch (x->state) {
	case STATE_DIAL:
		return run_dial(x);
	case STATE_ASK:
		return run_ask(x);
	case STATE_ANSWER:
		return run_answer(x);
	case STATE_TUNNEL:
		return run_tunnel(x);
	case STATE_PAGE:
		return run_page(x);
	case STATE_BROKEN:
		break;
	}
	return EXCHANGE_BROKEN;
}

enum exchange_result
exchange_run(struct exchange *x)
{
	int step;

	do
		step = run_state(x);
	while (step == STEP_NEXT);
	return (enum exchange_result)step;
}

void
exchange_expire(struct exchange *x, int wait)
{
	switch ((enum client_wait)wait) {
	case WAIT_CONNECT:
		lost(x);
		return;
	case WAIT_BODY:
		fail(x, 408, "the request's body did not come in time");
		return;
	case WAIT_ANSWER:
		fail(x, 504, "the instance %s of %s did not answer within %d s", x->u->backend->name, x->service->name,
		    x->w->plane->answer_timeout_ms / 1000);
		return;
	case WAIT_NOTHING:
	case WAIT_HANDSHAKE:
	case WAIT_FIRST:
	case WAIT_IDLE:
	case WAIT_HEAD:
	case WAIT_MORE:
	case WAIT_READER:
	case WAIT_LINGER:
	case WAIT_MAX:
		break;
	}
	x->state = STATE_BROKEN;
}
