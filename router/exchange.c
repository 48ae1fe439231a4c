#include "router/exchange_internal.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "router/backend.h"
#include "router/block.h"
#include "router/h2.h"
#include "router/head.h"
#include "router/page.h"
#include "router/plane.h"
#include "router/put.h"
#include "router/table.h"
#include "router/upstream.h"
#include "router/worker.h"

static struct exchange *
exchange_new(struct client *c)
{
	struct worker *w = c->w;
	struct exchange *x = w->n_exchanges > 0 ? w->exchanges[--w->n_exchanges] : fl_xmalloc(sizeof(*x));

	memset(x, 0, sizeof(*x));
	x->c = c;
	x->w = w;
	x->up.ended = true;
	seen_begin(x, c->head_us);
	c->head_us = 0;
	return x;
}

void
exchange_free(struct exchange *x)
{
	struct worker *w = x->w;
	struct block_pool *pool = &w->blocks;

	seen_end(x);
	if (x->u != NULL)
		upstream_close(x->u);
	exchange_end_wait(x);
	exchange_forget_tried(x);
	if (x->service != NULL)
		service_unhold(x->service, x->w->index);
	block_free(pool, x->head);
	block_free(pool, x->answer);
	block_free(pool, x->excess);
	flow_release(&x->up, pool);
	flow_release(&x->down, pool);
	free(x->sticky);
	if (w->n_exchanges < fl_nitems(w->exchanges))
		w->exchanges[w->n_exchanges++] = x;
	else
		free(x);
}

void
exchange_count(struct exchange *x, int status)
{
	if (status >= 100 && status < 600)
		worker_count(x->w, COUNT_ANSWERS + (unsigned)status / 100 - 1, 1);
	x->seen.status = (uint16_t)status;
}

bool
exchange_is_read(const struct exchange *x)
{
	return x->up.ended && !x->up_lost;
}

int
exchange_page(struct exchange *x, struct page *page)
{
	struct block *b;

	if (x->u != NULL)
		upstream_close(x->u);
	x->u = NULL;
	flow_release(&x->up, &x->w->blocks);
	if (x->is_tcp) {
		x->state = STATE_BROKEN;
		return STEP_NEXT;
	}
	x->keep_client = x->keep_client && exchange_is_read(x) && !x->w->is_draining;
	page->is_json = x->is_json;
	page->is_head = x->is_head;
	page->keep_alive = x->keep_client;
	page->client_minor = x->minor;
	page->id = x->id;
	b = page_write(&x->w->blocks, page);
	seen_page(x, block_bytes(b), b->len);
	flow_init(&x->down, FLOW_LENGTH, 0);
	x->down.held = block_append(&x->w->blocks, x->down.held, block_bytes(b), b->len);
	block_free(&x->w->blocks, b);
	exchange_count(x, page->status);
	x->state = STATE_PAGE;
	return STEP_NEXT;
}

int
exchange_fail(struct exchange *x, int status, const char *fmt, ...)
{
	char why[512];
	struct page page = { .status = status, .why = why };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return exchange_page(x, &page);
}

struct exchange *
exchange_refuse(struct client *c, int status, const char *why)
{
	struct exchange *x = exchange_new(c);

	x->minor = 1;
	x->up.ended = false; /* where the request ends is not known */
	exchange_fail(x, status, "%s", why);
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

	/* What browsers say has no "j". */
	return accept != NULL && memchr(accept->value.p, 'j', accept->value.len) != NULL &&
	    memmem(accept->value.p, accept->value.len, json, sizeof(json) - 1) != NULL;
}

static void
write_peer(const struct client *c, char out[INET6_ADDRSTRLEN])
{
	if (IN6_IS_ADDR_V4MAPPED(&c->peer)) {
		const uint8_t *ip = &c->peer.s6_addr[12];

		for (size_t i = 0; i < 4; i++) {
			out = put_number(out, ip[i]);
			*out++ = i < 3 ? '.' : '\0';
		}
	} else
		inet_ntop(AF_INET6, &c->peer, out, INET6_ADDRSTRLEN);
}

static void
write_head(struct exchange *x, const struct fl_http_head *h)
{
	char peer[INET6_ADDRSTRLEN];
	struct head_origin from = { .peer = peer, .is_tls = x->c->is_tls, .trust = x->c->trust, .port = x->c->port, .start_ms = x->w->wall_ms,
		.is_h2 = x->c->is_stream };

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

/* Our own answer to a method that is nothing to a route. */
static void
answer_method(struct exchange *x, int status, const char *why)
{
	struct page page = { .status = status, .why = why, .plain = *why == '\0' ? why : NULL,
		.allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE" };

	exchange_page(x, &page);
}

struct exchange *
exchange_begin(struct client *c, const struct fl_http_head *h, char *rest, size_t len)
{
	struct exchange *x = exchange_new(c);
	const struct fl_span none = { NULL, 0 };
	struct fl_err err;

	x->minor = h->minor;
	x->is_head = fl_span_eq(h->method, "HEAD");
	x->is_json = accepts_json(h);
	x->is_expecting = h->expect_continue;
	x->keep_client = h->keep_alive;
	x->is_last = !h->keep_alive;
	x->is_safe = !h->chunked && h->content_length <= 0 && is_idempotent(h->method);
	if (take_rest(x, h, rest, len, &err) == -1) {
		seen_request(x, NULL, h->method, none, h->target);
		exchange_fail(x, 400, "%s", err.msg);
		return x;
	}
	if (fl_span_eq(h->method, "CONNECT")) {
		x->keep_client = false;
		seen_request(x, NULL, h->method, none, h->target);
		answer_method(x, 405, "CONNECT is not served here");
		return x;
	}
	if (head_is_for_us(h)) {
		bool is_asked = fl_span_eq(h->method, "OPTIONS");

		seen_request(x, NULL, h->method, none, h->target);
		answer_method(x, is_asked ? 200 : 405, is_asked ? "" : "TRACE is served by instances only, and Max-Forwards is 0");
		return x;
	}
	if (block_is_exhausted(&c->w->blocks)) {
		x->keep_client = false;
		seen_request(x, NULL, h->method, none, h->target);
		exchange_fail(x, 503, "the router is short of memory: it holds too much for slow clients");
		return x;
	}
	write_head(x, h);
	exchange_route(x, h);
	return x;
}

struct exchange *
exchange_begin_tcp(struct client *c)
{
	struct exchange *x = exchange_new(c);
	const struct target *target;
	const struct fl_span none = { NULL, 0 };
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
	seen_request(x, target, none, (struct fl_span){ key, (size_t)len }, none);
	x->service = target->service;
	x->is_leader_only = target->leader;
	service_hold(x->service, x->w->index);
	worker_count(x->w, COUNT_TUNNELS, 1);
	return x;
}

int
exchange_wait(struct exchange *x, enum client_wait wait)
{
	bool moved = x->up.moved || x->down.moved;

	x->up.moved = x->down.moved = false;
	pace_wait(x, wait, moved);
	return EXCHANGE_WAITS;
}

int
exchange_finish(struct exchange *x)
{
	bool is_whole = exchange_is_read(x) && !flow_holds(&x->up);

	x->seen.flags |= RECORD_WHOLE;
	if (x->u != NULL && x->keep_upstream && is_whole && x->excess == NULL)
		upstream_park(x->u);
	else if (x->u != NULL)
		upstream_close(x->u);
	x->u = NULL;
	if (x->keep_client)
		return EXCHANGE_DONE;
	if (is_whole && x->is_last && x->c->in == NULL && (x->c->io.flags & IO_READABLE) == 0)
		return EXCHANGE_LAST;
	return EXCHANGE_UNREAD;
}

/* The head of the page that is held goes as such to a stream. False: not now. */
static bool
tell_stream(struct exchange *x)
{
	struct h2_answer to = { .has_body = !x->is_head };
	struct fl_http_head h;

	if (h2_stream_is_answered(x->c))
		return true;
	if (!h2_stream_has_room(x->c))
		return false;
	if (fl_http_parse_response(block_bytes(x->down.held), x->down.held->len, &h, NULL) == FL_HTTP_PARSE_DONE) {
		h2_stream_answer(x->c, &h, &to, NULL, 0);
		block_drop(x->down.held, h.head_len);
	}
	return true;
}

static int
run_page(struct exchange *x)
{
	if (x->c->is_stream && !tell_stream(x))
		return exchange_wait(x, WAIT_READER);
	switch (flow_flush(&x->down, &x->c->io, &x->w->blocks)) {
	case FLOW_DONE:
		return exchange_finish(x);
	case FLOW_WRITE_BLOCKED:
		return exchange_wait(x, WAIT_READER);
	case FLOW_READ_BLOCKED:
	case FLOW_BUSY:
	case FLOW_CUT:
	case FLOW_BAD:
	case FLOW_UNWRITABLE:
		break;
	}
	return EXCHANGE_BROKEN;
}

static int
run_state(struct exchange *x)
{
	switch (x->state) {
	case STATE_DIAL:
		return exchange_dial(x);
	case STATE_AWAIT:
		return exchange_await(x);
	case STATE_ASK:
		return exchange_ask(x);
	case STATE_ANSWER:
		return exchange_answer(x);
	case STATE_TUNNEL:
		return exchange_tunnel(x);
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
	if (pace_is_kept(x, (enum client_wait)wait))
		return;
	switch ((enum client_wait)wait) {
	case WAIT_CONNECT:
		exchange_lost(x);
		return;
	case WAIT_START:
		exchange_end_wait(x);
		exchange_fail(x, 503, "no instance of %s came up within %d s, though one is starting", x->service->name,
		    x->w->plane->start_timeout_ms / 1000);
		return;
	case WAIT_CHANGE:
		exchange_end_wait(x);
		exchange_no_instance(x);
		return;
	case WAIT_BODY:
		exchange_fail(x, 408, "the request's body did not come in time, or too slowly");
		return;
	case WAIT_ANSWER:
		backend_failed(x->u->backend, x->w->now_ms);
		exchange_fail(x, 504, "the instance %s of %s did not answer within %d s", x->u->backend->name, x->service->name,
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
