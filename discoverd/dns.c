#include "discoverd/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "discoverd/dns_packet.h"
#include "discoverd/dns_zone.h"
#include "discoverd/recursor.h"
#include "libflynn/args.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/list.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

#define RESOLV_CONF "/etc/resolv.conf"
enum {
	PACKETS_A_TURN = 64, /* then others get their turn of the loop */
	CLIENTS_MAX = 64,    /* TCP connections */
	CLIENT_IDLE_S = 10,
	QUERY_MAX = 4096,
	RECURSIONS_A_CLIENT_MAX = 64, /* so that one container cannot take all */
};

struct dns {
	struct event_base *base;
	const struct registry *registry;
	struct recursor *recursor;
	TAILQ_HEAD(, socket) sockets;
	TAILQ_HEAD(, client) clients;
	size_t n_clients;
	TAILQ_HEAD(, exchange) exchanges;
	uint64_t n_queries, n_recursions, n_failures, n_dropped;
};

/* One address that we listen on. */
struct socket {
	TAILQ_ENTRY(socket) entry;
	struct dns *dns;
	struct event *udp;
	struct evconnlistener *tcp;
};

/* A TCP connection, with at most one question under way. */
struct client {
	TAILQ_ENTRY(client) entry;
	struct dns *dns;
	struct bufferevent *bev;
	struct exchange *exchange;
	struct sockaddr_storage addr;
};

/* A question that the recursor works on. */
struct exchange {
	TAILQ_ENTRY(exchange) entry;
	struct dns *dns;
	struct recursion *recursion;
	struct client *client; /* TCP; else fd and addr say where the answer goes */
	int fd;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	struct dns_query q;
	uint8_t question[DNS_UDP_MIN]; /* header and question, for an answer of our own */
};

static bool
is_private_v4(uint32_t ip)
{
	return ip >> 24 == 127 || ip >> 24 == 10 || ip >> 20 == 0xac1 || ip >> 16 == 0xc0a8 || ip >> 16 == 0xa9fe ||
	    ip >> 22 == 0x64400000u >> 22;
}

static bool
is_private(const struct sockaddr_storage *ss)
{
	const void *sa = ss;
	const struct in6_addr *ip6;

	if (ss->ss_family == AF_INET)
		return is_private_v4(ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr));
	if (ss->ss_family != AF_INET6)
		return false;
	ip6 = &((const struct sockaddr_in6 *)sa)->sin6_addr;
	if (IN6_IS_ADDR_V4MAPPED(ip6)) {
		uint32_t ip4;

		memcpy(&ip4, &ip6->s6_addr[12], sizeof(ip4));
		return is_private_v4(ntohl(ip4));
	}
	return IN6_IS_ADDR_LOOPBACK(ip6) || IN6_IS_ADDR_LINKLOCAL(ip6) || (ip6->s6_addr[0] & 0xfe) == 0xfc;
}

static bool
same_ip(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const void *pa = a, *pb = b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)pa)->sin_addr.s_addr == ((const struct sockaddr_in *)pb)->sin_addr.s_addr;
	return memcmp(&((const struct sockaddr_in6 *)pa)->sin6_addr, &((const struct sockaddr_in6 *)pb)->sin6_addr, 16) == 0;
}

/* An answer without records. */
static size_t
answer_rcode(const uint8_t *query, const struct dns_query *q, enum dns_rcode rcode, uint8_t *out)
{
	struct dns_reply r;

	dns_reply_start(&r, out, DNS_UDP_MIN, query, q);
	return dns_reply_end(&r, rcode, false);
}

static void client_send(struct client *c, const uint8_t *answer, size_t len);

static void
exchange_free(struct exchange *x)
{
	if (x == NULL)
		return;
	recursion_cancel(x->recursion);
	if (x->client != NULL)
		x->client->exchange = NULL;
	TAILQ_REMOVE(&x->dns->exchanges, x, entry);
	free(x);
}

static void
exchange_send(struct exchange *x, const uint8_t *answer, size_t len)
{
	struct client *c = x->client;
	struct dns_reply r;
	uint8_t cut[DNS_UDP_MIN];

	if (c != NULL) {
		exchange_free(x);
		client_send(c, answer, len);
		return;
	}
	if (len > DNS_UDP_MIN && !x->q.edns) { /* more than the client takes */
		dns_reply_start(&r, cut, sizeof(cut), x->question, &x->q);
		r.cut = true;
		len = dns_reply_end(&r, DNS_OK, false);
		answer = cut;
	}
	(void)sendto(x->fd, answer, len, 0, (struct sockaddr *)&x->addr, x->addr_len);
	exchange_free(x);
}

static void
on_recursed(const uint8_t *answer, size_t len, void *arg)
{
	struct exchange *x = arg;
	uint8_t failure[DNS_UDP_MIN];

	x->recursion = NULL; /* ends by itself */
	if (answer == NULL) {
		x->dns->n_failures++;
		len = answer_rcode(x->question, &x->q, DNS_SERVFAIL, failure);
		answer = failure;
	}
	exchange_send(x, answer, len);
}

static bool
takes_too_much(const struct dns *d, const struct sockaddr_storage *addr)
{
	const struct exchange *x;
	size_t n = 0;

	TAILQ_FOREACH(x, &d->exchanges, entry)
		n += same_ip(&x->addr, addr);
	return n >= RECURSIONS_A_CLIENT_MAX;
}

/*
 * Works out the answer to one packet. Returns its length; 0 when there is none to send, either ever or yet: then *later is set,
 * and the caller says there where the answer goes.
 */
static size_t
handle(struct dns *d, const uint8_t *query, size_t len, const struct sockaddr_storage *from, bool tcp, uint8_t *out,
    struct exchange **later)
{
	struct dns_query q;
	enum dns_rcode rcode = DNS_OK;
	struct exchange *x;

	*later = NULL;
	switch (dns_query_parse(query, len, &q, &rcode)) {
	case DNS_PARSE_DROP:
		d->n_dropped++;
		return 0;
	case DNS_PARSE_ERROR:
		return answer_rcode(query, &q, rcode, out);
	case DNS_PARSE_OK:
		break;
	}
	d->n_queries++;
	if (dns_zone_has(&q))
		return dns_zone_answer(d->registry, query, &q, out, tcp ? DNS_TCP_MAX : q.udp_size);
	if (!q.recursion_desired)
		return answer_rcode(query, &q, DNS_REFUSED, out);
	if (takes_too_much(d, from))
		return answer_rcode(query, &q, DNS_SERVFAIL, out);
	d->n_recursions++;
	x = fl_xcalloc(1, sizeof(*x));
	*x = (struct exchange){ .dns = d, .fd = -1, .addr = *from, .q = q };
	memcpy(x->question, query, q.question_end);
	x->recursion = recursor_ask(d->recursor, query, len, &x->q, tcp, on_recursed, x);
	if (x->recursion == NULL) {
		free(x);
		return answer_rcode(query, &q, DNS_SERVFAIL, out);
	}
	TAILQ_INSERT_TAIL(&d->exchanges, x, entry);
	*later = x;
	return 0;
}

/* UDP. */

static void
on_packet(evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct socket *s = arg;
	uint8_t query[QUERY_MAX], answer[DNS_UDP_MAX];
	struct sockaddr_storage from = { 0 };
	struct exchange *x;

	for (int i = 0; i < PACKETS_A_TURN; i++) {
		socklen_t from_len = sizeof(from);
		/* With MSG_TRUNC the length is the packet's, whatever fitted. */
		ssize_t len = recvfrom(fd, query, sizeof(query), MSG_TRUNC, (struct sockaddr *)&from, &from_len);
		size_t answer_len;

		if (len < 0)
			return;
		if (len > QUERY_MAX || !is_private(&from)) {
			s->dns->n_dropped++;
			continue;
		}
		answer_len = handle(s->dns, query, (size_t)len, &from, false, answer, &x);
		if (answer_len > 0)
			(void)sendto(fd, answer, answer_len, 0, (struct sockaddr *)&from, from_len);
		if (x != NULL) {
			x->fd = fd;
			x->addr_len = from_len;
		}
	}
}

/* TCP. */

static void
client_free(struct client *c)
{
	exchange_free(c->exchange);
	TAILQ_REMOVE(&c->dns->clients, c, entry);
	c->dns->n_clients--;
	bufferevent_free(c->bev);
	free(c);
}

/* Answers the questions that have come, one after another. */
static void
on_client_readable(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	uint8_t head[2], query[QUERY_MAX], *answer;
	size_t len, answer_len;

	while (c->exchange == NULL && evbuffer_copyout(in, head, sizeof(head)) == (ssize_t)sizeof(head)) {
		len = (size_t)head[0] << 8 | head[1];
		if (len > QUERY_MAX) {
			client_free(c);
			return;
		}
		if (evbuffer_get_length(in) < sizeof(head) + len)
			return;
		evbuffer_drain(in, sizeof(head));
		evbuffer_remove(in, query, len);
		answer = fl_xmalloc(DNS_TCP_MAX);
		answer_len = handle(c->dns, query, len, &c->addr, true, answer, &c->exchange);
		if (c->exchange != NULL)
			c->exchange->client = c;
		else if (answer_len > 0)
			client_send(c, answer, answer_len);
		free(answer);
	}
	/* Input that stays over the mark would bring this callback again and again until the answer is there. */
	if (c->exchange != NULL)
		bufferevent_disable(bev, EV_READ);
}

static void
client_send(struct client *c, const uint8_t *answer, size_t len)
{
	uint8_t head[2] = { (uint8_t)(len >> 8), (uint8_t)len };

	bufferevent_write(c->bev, head, sizeof(head));
	bufferevent_write(c->bev, answer, len);
	bufferevent_enable(c->bev, EV_READ);
	bufferevent_trigger(c->bev, EV_READ, BEV_OPT_DEFER_CALLBACKS); /* the next question may be here already */
}

static void
on_client_event(FL_UNUSED struct bufferevent *bev, FL_UNUSED short what, void *arg)
{
	client_free(arg); /* its end, an error, or too long a silence */
}

static void
on_accept(FL_UNUSED struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr, int len, void *arg)
{
	static const struct timeval idle = { CLIENT_IDLE_S, 0 };
	struct socket *s = arg;
	struct client *c;
	struct sockaddr_storage from = { 0 };

	memcpy(&from, addr, (size_t)len);
	if (s->dns->n_clients >= CLIENTS_MAX || !is_private(&from)) {
		s->dns->n_dropped++;
		close(fd);
		return;
	}
	c = fl_xcalloc(1, sizeof(*c));
	*c = (struct client){ .dns = s->dns, .addr = from };
	c->bev = bufferevent_socket_new(s->dns->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(c->bev, on_client_readable, NULL, on_client_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, 2 * QUERY_MAX);
	bufferevent_set_timeouts(c->bev, &idle, &idle);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	TAILQ_INSERT_TAIL(&s->dns->clients, c, entry);
	s->dns->n_clients++;
}

/* Life cycle. */

/* A bound socket; the address may come later, with its bridge. */
static int
bind_socket(const struct sockaddr_storage *ss, int len, int type, const char *text, struct fl_err *err)
{
	static const int on = 1;
	int fd = socket(ss->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool v6 = ss->ss_family == AF_INET6;

	if (fd != -1 && setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, &on, sizeof(on)) == 0 &&
	    (type != SOCK_STREAM || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0) &&
	    bind(fd, (const struct sockaddr *)ss, (socklen_t)len) == 0)
		return fd;
	fl_err_sys(err, "listen for DNS on %s", text);
	if (fd != -1)
		close(fd);
	return -1;
}

static int
listen_on(struct dns *d, const char *text, struct fl_err *err)
{
	struct sockaddr_storage ss = { 0 };
	int len = sizeof(ss), udp, tcp;
	struct socket *s;

	if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&ss, &len) == -1)
		return fl_err_set(err, FL_ERR_INVALID, "DNS address %s is no ip:port", text);
	if ((udp = bind_socket(&ss, len, SOCK_DGRAM, text, err)) == -1)
		return -1;
	if ((tcp = bind_socket(&ss, len, SOCK_STREAM, text, err)) == -1) {
		close(udp);
		return -1;
	}
	s = fl_xcalloc(1, sizeof(*s));
	s->dns = d;
	s->udp = event_new(d->base, udp, EV_READ | EV_PERSIST, on_packet, s);
	event_add(s->udp, NULL);
	s->tcp = evconnlistener_new(d->base, on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, SOMAXCONN, tcp);
	TAILQ_INSERT_TAIL(&d->sockets, s, entry);
	if (s->tcp == NULL) {
		close(tcp);
		return fl_err_sys(err, "listen for DNS on %s", text);
	}
	return 0;
}

struct dns *
dns_new(struct event_base *base, const struct fl_args_list *addrs, const struct fl_args_list *recursors,
    const struct registry *registry, struct fl_err *err)
{
	struct dns *d = fl_xcalloc(1, sizeof(*d));

	*d = (struct dns){ .base = base, .registry = registry };
	TAILQ_INIT(&d->sockets);
	TAILQ_INIT(&d->clients);
	TAILQ_INIT(&d->exchanges);
	if ((d->recursor = recursor_new(base, recursors, RESOLV_CONF, addrs, err)) == NULL)
		goto failed;
	for (size_t i = 0; i < addrs->n; i++) {
		if (listen_on(d, addrs->items[i], err) == -1)
			goto failed;
		fl_log_info("answering DNS", fl_str("addr", addrs->items[i]));
	}
	return d;
failed:
	dns_free(d);
	return NULL;
}

static void
socket_free(struct socket *s)
{
	TAILQ_REMOVE(&s->dns->sockets, s, entry);
	close(event_get_fd(s->udp));
	event_free(s->udp);
	if (s->tcp != NULL)
		evconnlistener_free(s->tcp);
	free(s);
}

void
dns_free(struct dns *d)
{
	struct client *c, *next_client;
	struct exchange *x, *next_exchange;
	struct socket *s, *next_socket;

	if (d == NULL)
		return;
	TAILQ_FOREACH_SAFE(c, &d->clients, entry, next_client)
		client_free(c);
	TAILQ_FOREACH_SAFE(x, &d->exchanges, entry, next_exchange)
		exchange_free(x);
	TAILQ_FOREACH_SAFE(s, &d->sockets, entry, next_socket)
		socket_free(s);
	recursor_free(d->recursor);
	free(d);
}

void
dns_metrics(const struct dns *d, struct fl_buf *out)
{
	static const char line[] = "# TYPE discoverd_dns_%s counter\ndiscoverd_dns_%s_total %llu\n";

	fl_buf_addf(out, line, "queries", "queries", (unsigned long long)d->n_queries);
	fl_buf_addf(out, line, "recursions", "recursions", (unsigned long long)d->n_recursions);
	fl_buf_addf(out, line, "recursion_failures", "recursion_failures", (unsigned long long)d->n_failures);
	fl_buf_addf(out, line, "dropped", "dropped", (unsigned long long)d->n_dropped);
	fl_buf_addf(out, "# TYPE discoverd_dns_under_way gauge\ndiscoverd_dns_under_way %zu\n", recursor_count(d->recursor));
}
