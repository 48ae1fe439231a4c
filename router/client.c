#include "router/client.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_parse.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "router/admission.h"
#include "router/block.h"
#include "router/exchange.h"
#include "router/forwarded.h"
#include "router/h2.h"
#include "router/listener.h"
#include "router/plane.h"
#include "router/starting.h"
#include "router/proxied.h"
#include "router/tls_io.h"
#include "router/unpolled.h"
#include "router/worker.h"

/* What one read for a request takes at most: so much a client can make us keep by sending requests early. */
#define READ_BYTES ((size_t)16 << 10)
/* Requests that were sent early which are answered in one turn. */
#define REQUESTS_A_TURN 16
/* What is thrown away at most while a client goes on sending after its last answer. */
#define LINGER_BYTES (1u << 20)

/* For a PROXY header and a TLS handshake together, unless a head has less. */
#define HANDSHAKE_MS 10000
/* How long a connection is kept for another request when a successor has taken over. */
#define DRAINED_MS 2000

static int
wait_ms(const struct client *c, enum client_wait wait)
{
	const struct plane *plane = c->w->plane;

	switch (wait) {
	case WAIT_HANDSHAKE:
		return plane->head_timeout_ms < HANDSHAKE_MS ? plane->head_timeout_ms : HANDSHAKE_MS;
	case WAIT_FIRST:
		return 30000;
	case WAIT_IDLE:
		return c->w->is_draining ? DRAINED_MS : plane->idle_timeout_ms;
	case WAIT_HEAD:
		return plane->head_timeout_ms;
	case WAIT_BODY:
		return plane->body_timeout_ms;
	case WAIT_CONNECT:
		return 3000;
	case WAIT_CHANGE:
		return STARTING_GRACE_MS;
	case WAIT_START:
		return plane->start_timeout_ms;
	case WAIT_ANSWER:
		return plane->answer_timeout_ms;
	case WAIT_MORE:
		return 3600000;
	case WAIT_READER:
		return c->x != NULL ? plane->send_timeout_ms / 2 : plane->send_timeout_ms; /* see pace.h */
	case WAIT_LINGER:
		return 2000;
	case WAIT_NOTHING:
	case WAIT_MAX:
		break;
	}
	return 0;
}

/* Nothing is expected from the client itself. */
static bool
is_for_instance(enum client_wait wait)
{
	return wait == WAIT_CONNECT || wait == WAIT_ANSWER || wait == WAIT_MORE;
}

void
client_poll(struct client *c)
{
	unpolled_remove(c);
	if (worker_poll(c->w, &c->io) == 0)
		return;
	c->io.flags |= IO_BROKEN;
	worker_again(c->w, c); /* which closes it */
}

void
client_wait(struct client *c, enum client_wait wait, bool moved)
{
	int ms = wait_ms(c, wait);

	if (c->is_unpolled && !is_for_instance(wait))
		client_poll(c);
	if (c->wait == wait && !moved)
		return;
	c->wait = (uint8_t)wait;
	if (ms == 0)
		timer_clear(&c->timer);
	else
		timer_set(&c->w->timers, &c->timer, c->w->now_ms + ms);
}

int64_t
client_waited_ms(const struct client *c)
{
	return c->w->now_ms - (c->timer.deadline_ms - wait_ms(c, c->wait));
}

void
client_stash(struct client *c, const void *data, size_t len)
{
	if (len > 0)
		c->in = block_append(&c->w->blocks, NULL, data, len);
}

bool
client_is_idle(const struct client *c)
{
	return c->x == NULL && c->in == NULL && (c->io.flags & IO_HANDSHAKE) == 0;
}

void
client_close(struct client *c, bool abort)
{
	struct worker *w = c->w;

	if (c->h2 != NULL && !c->is_stream)
		h2_free(c->h2);
	if (c->x != NULL)
		exchange_free(c->x);
	c->x = NULL;
	block_free(&w->blocks, c->in);
	c->in = NULL;
	timer_clear(&c->timer);
	worker_not_again(w, c);
	if (c->is_stream) {
		h2_stream_close(c, abort);
		return;
	}
	LIST_REMOVE(c, link);
	unpolled_remove(c);
	if (c->is_tls)
		worker_trim_later(w);
	if (c->is_counted)
		admission_leave_client(w->plane->admission, &c->peer);
	admission_leave(w->plane->admission);
	io_close(&c->io, abort);
	worker_bury(w, c);
	worker_count(w, COUNT_OPEN, -1);
	worker_check_drained(w);
}

/*
 * The last answer was given. A client that still sends would get a RST at close(2), which could
 * overtake the answer (RFC 9112 9.6): so end our side, and read on for a while.
 */
void
client_linger(struct client *c)
{
	c->is_lingering = true;
	io_shut(&c->io);
	while ((c->io.flags & IO_READABLE) != 0 && c->n_lingered < LINGER_BYTES) {
		ssize_t n = io_read(&c->io, c->w->in, WORKER_IN_BYTES);

		if (n == IO_AGAIN)
			break;
		if (n <= 0) {
			client_close(c, false);
			return;
		}
		c->n_lingered += (uint32_t)n;
	}
	if (c->n_lingered >= LINGER_BYTES)
		client_close(c, false);
	else
		client_wait(c, WAIT_LINGER, false);
}

/* No request can be made of what came, and no more can be understood. */
static void
refuse(struct client *c, const struct fl_err *err, bool in_first_line)
{
	int status = 400;

	if (err->kind == FL_ERR_TOO_BIG)
		status = in_first_line ? 414 : 431;
	else if (err->kind == FL_ERR_UNAVAILABLE)
		status = 505;
	c->is_partial = false;
	c->x = exchange_refuse(c, status, err->msg);
}

/* Bring what was kept into the worker's memory. */
static size_t
unstash(struct client *c)
{
	size_t len = 0;

	if (c->in != NULL) {
		len = c->in->len;
		memcpy(c->w->in, block_bytes(c->in), len);
		block_free(&c->w->blocks, c->in);
		c->in = NULL;
	}
	return len;
}

/* Keep part of a head, and see that the rest comes in time. */
static void
wait_for_head(struct client *c, size_t len)
{
	client_stash(c, c->w->in, len);
	if (c->head_us == 0 && c->w->plane->seen != 0)
		c->head_us = worker_clock_us(c->w);
	c->is_partial = true;
	client_wait(c, WAIT_HEAD, false);
}

/* Add to the len bytes there are. False: nothing came, and the client may be gone. */
static bool
read_more(struct client *c, size_t *len)
{
	ssize_t n = IO_AGAIN;

	if ((c->io.flags & (IO_READABLE | IO_EOF | IO_BROKEN)) != 0)
		n = io_read(&c->io, c->w->in + *len, READ_BYTES);
	if (n > 0) {
		*len += (size_t)n;
		return true;
	}
	if (n != IO_AGAIN)
		client_close(c, false);
	else if (*len > 0)
		wait_for_head(c, *len);
	else if (c->wait == WAIT_NOTHING || c->wait == WAIT_HANDSHAKE)
		client_wait(c, WAIT_FIRST, false);
	else if (c->wait != WAIT_FIRST)
		client_wait(c, WAIT_IDLE, false);
	return false;
}

/* Parse the len bytes there are; the first parsed of them were found to be no whole head before. */
static enum fl_http_parse_result
parse(const struct client *c, size_t len, size_t parsed, struct fl_http_head *head, struct fl_err *err)
{
	/* A head that comes byte by byte is looked at once a line. */
	if (memchr(c->w->in + parsed, '\n', len - parsed) == NULL && len <= FL_HTTP_MAX_LINE)
		return FL_HTTP_PARSE_MORE;
	return fl_http_parse_request(c->w->in, len, head, err);
}

/*
 * What is no request may be the preface of HTTP/2, which a client may send first if it knows that we understand
 * it; over TLS, ALPN says so (RFC 9113 3). A part of it needs more.
 */
static bool
is_h2(const struct client *c, size_t len, enum fl_http_parse_result *r)
{
	int is = c->had_request || c->is_tls ? -1 : h2_preface(c->w->in, len);

	if (is == 0)
		*r = FL_HTTP_PARSE_MORE;
	return is == 1;
}

/* Begin with the next request. False: there is none yet, and the client may be gone. */
static bool
next_request(struct client *c)
{
	size_t len = unstash(c), parsed = c->is_partial ? len : 0;

	for (;;) {
		enum fl_http_parse_result r;
		struct fl_http_head head;
		struct fl_err err;

		if (len == parsed && !read_more(c, &len))
			return false;
		r = parse(c, len, parsed, &head, &err);
		if (r == FL_HTTP_PARSE_ERROR && is_h2(c, len, &r)) {
			h2_begin(c, c->w->in, len);
			return false;
		}
		if (r == FL_HTTP_PARSE_DONE) {
			c->is_partial = false;
			c->had_request = true;
			c->x = exchange_begin(c, &head, c->w->in + head.head_len, len - head.head_len);
			return true;
		}
		if (r == FL_HTTP_PARSE_MORE && block_is_exhausted(&c->w->blocks)) {
			c->is_partial = false;
			c->x = exchange_refuse(c, 503, "the router is short of memory: it holds too much for slow clients");
			return true;
		}
		if (r == FL_HTTP_PARSE_ERROR) {
			refuse(c, &err, head.in_first_line);
			return true;
		}
		parsed = len;
	}
}

static void
run_http(struct client *c)
{
	for (int n = 0; n < REQUESTS_A_TURN; n++) {
		if (c->x == NULL && !next_request(c))
			return;
		switch (exchange_run(c->x)) {
		case EXCHANGE_WAITS:
			return;
		case EXCHANGE_BUSY:
			worker_again(c->w, c);
			return;
		case EXCHANGE_DONE:
			exchange_free(c->x);
			c->x = NULL;
			c->wait = WAIT_MAX; /* whatever it waits for next, the time starts anew */
			if (c->in == NULL && c->w->is_draining && !c->w->is_gentle) {
				client_close(c, false);
				return;
			}
			break;
		case EXCHANGE_LAST:
			exchange_free(c->x);
			c->x = NULL;
			client_close(c, false);
			return;
		case EXCHANGE_UNREAD:
			exchange_free(c->x);
			c->x = NULL;
			client_linger(c);
			return;
		case EXCHANGE_BROKEN:
			client_close(c, true);
			return;
		}
	}
	worker_again(c->w, c);
}

static void
run_stream(struct client *c)
{
	switch (c->x != NULL ? exchange_run(c->x) : EXCHANGE_LAST) {
	case EXCHANGE_WAITS:
		return;
	case EXCHANGE_BUSY:
		worker_again(c->w, c);
		return;
	case EXCHANGE_DONE:
	case EXCHANGE_LAST:
	case EXCHANGE_UNREAD:
		if (c->x != NULL)
			exchange_free(c->x);
		c->x = NULL;
		h2_stream_finish(c);
		return;
	case EXCHANGE_BROKEN:
		client_close(c, true);
		return;
	}
}

/* An ACME server has seen what it came for, RFC 8737 section 3: this is no connection for requests. */
static bool
was_challenge(const struct client *c)
{
	const struct plane *plane = c->w->plane;

	return plane->challenge_tls != NULL && SSL_get_SSL_CTX(c->io.ssl) == plane->challenge_tls;
}

static bool
chose_h2(const struct client *c)
{
	const unsigned char *chosen;
	unsigned int len;

	SSL_get0_alpn_selected(c->io.ssl, &chosen, &len);
	return len == 2 && memcmp(chosen, "h2", 2) == 0;
}

/* False: its client has as many connections as it may. The trusted pass on those of many. */
static bool
enter(struct client *c)
{
	struct worker *w = c->w;
	char peer[INET6_ADDRSTRLEN];
	uint64_t muted;

	if (!admission_has_clients(w->plane->admission) || c->trust == FORWARDED_KEEP)
		return true;
	c->is_counted = admission_enter_client(w->plane->admission, &c->peer);
	if (c->is_counted)
		return true;
	worker_count(w, COUNT_REFUSED, 1);
	if (complaint_due(&w->complaints[COMPLAINT_CLIENT], w->now_ms, &muted))
		fl_log_warn("connection refused: its client has -max-connections-per-client",
		    fl_str("peer", inet_ntop(AF_INET6, &c->peer, peer, sizeof(peer))), fl_int("more", muted));
	return false;
}

void
client_run(struct client *c)
{
	if ((c->io.flags & IO_BROKEN) != 0) {
		client_close(c, true);
		return;
	}
	if (c->is_announced) {
		int ret = proxied_read(c);

		if (ret == IO_AGAIN)
			client_wait(c, WAIT_HANDSHAKE, false);
		else if (ret != 1)
			client_close(c, true);
		if (ret != 1)
			return;
		c->is_announced = false;
		if (!enter(c)) {
			client_close(c, true);
			return;
		}
	}
	if ((c->io.flags & IO_HANDSHAKE) != 0) {
		int ret = io_handshake(&c->io);

		if (ret == IO_AGAIN) {
			client_wait(c, WAIT_HANDSHAKE, false);
			return;
		}
		worker_trim_later(c->w);
		worker_count(c->w, ret == 1 ? COUNT_HANDSHAKES : COUNT_HANDSHAKE_FAILURES, 1);
		if (ret != 1 || was_challenge(c)) {
			client_close(c, false);
			return;
		}
		if (SSL_session_reused(c->io.ssl))
			worker_count(c->w, COUNT_RESUMED, 1);
		if (chose_h2(c)) {
			h2_begin(c, NULL, 0);
			return;
		}
	}
	if (c->is_stream)
		run_stream(c);
	else if (c->h2 != NULL)
		h2_run(c->h2);
	else if (c->is_lingering)
		client_linger(c);
	else
		run_http(c);
}

static void
on_ready(struct io *io, uint32_t events)
{
	if ((events & EPOLLERR) != 0)
		io->flags |= IO_BROKEN; /* nothing that we say arrives any more */
	client_run(fl_container_of(io, struct client, io));
}

static void
on_due(struct timer *t)
{
	struct client *c = fl_container_of(t, struct client, timer);
	enum client_wait wait = c->wait;
	static const struct fl_err late = { FL_ERR_TIMEOUT, "the request's head did not come in time" };

	if (c->again != 0) { /* it has something to do: what it waited for has come */
		timer_set(&c->w->timers, t, c->w->now_ms);
		return;
	}
	if (c->h2 != NULL && !c->is_stream) {
		c->wait = WAIT_NOTHING;
		h2_expire(c->h2, wait);
		return;
	}
	if (c->x != NULL) {
		exchange_expire(c->x, wait);
	} else if (c->wait == WAIT_HEAD) {
		c->x = exchange_refuse(c, 408, late.msg);
	} else {
		client_close(c, wait == WAIT_LINGER || c->is_stream);
		return;
	}
	c->wait = WAIT_NOTHING;
	client_run(c);
}

void
client_init_stream(struct client *c, const struct client *connection, const struct io_ops *ops)
{
	c->io = (struct io){ .fd = -1, .ops = ops, .flags = IO_WRITABLE | IO_CONNECTED };
	c->w = connection->w;
	c->h2 = connection->h2;
	c->timer.on_due = on_due;
	c->peer = connection->peer;
	c->port = connection->port;
	c->trust = connection->trust;
	c->is_tls = connection->is_tls;
	c->is_stream = true;
}

static void
set_peer(struct client *c, const struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET6) {
		c->peer = ((const struct sockaddr_in6 *)addr)->sin6_addr;
	} else {
		c->peer.s6_addr[10] = c->peer.s6_addr[11] = 0xff;
		memcpy(&c->peer.s6_addr[12], &((const struct sockaddr_in *)addr)->sin_addr, 4);
	}
}

void
client_accept(struct worker *w, const struct listener *l, int fd, const struct sockaddr_storage *addr)
{
	struct client *c = fl_xcalloc(1, sizeof(*c));

	c->io = (struct io){ .fd = fd, .flags = IO_READABLE | IO_WRITABLE | IO_CONNECTED, .on_ready = on_ready };
	c->w = w;
	c->timer.on_due = on_due;
	c->port = (uint16_t)l->port;
	c->is_tls = l->is_tls;
	c->is_tcp = l->is_tcp;
	set_peer(c, addr);
	c->is_announced = proxied_expects(c);
	proxied_set_trust(c);
	LIST_INSERT_HEAD(&w->clients, c, link);
	worker_count(w, COUNT_CLIENTS, 1);
	worker_count(w, COUNT_OPEN, 1);
	if (!c->is_announced && !enter(c)) {
		client_close(c, true);
		return;
	}
	if (l->is_tls && tls_io_begin(&c->io, w->plane->tls) == -1) {
		client_close(c, true);
		return;
	}
	if (l->is_tcp)
		c->x = exchange_begin_tcp(c);
	unpolled_add(c);
	client_run(c);
	if (c->is_unpolled && (c->x == NULL || !is_for_instance(c->wait)))
		client_poll(c);
}
