#include "discoverd/recursor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "discoverd/dns_packet.h"
#include "libflynn/args.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/list.h"
#include "libflynn/log.h"
#include "libflynn/random.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

enum { SERVERS_MAX = 8, TRIES_MIN = 2, RESOLV_LINE_MAX = 512 };

struct server {
	struct sockaddr_storage addr;
	socklen_t len;
};

struct recursor {
	struct event_base *base;
	const char *resolv_conf; /* NULL: the servers were given */
	struct stat resolv_stat; /* of what was read */
	const struct fl_args_list *avoid;
	struct server servers[SERVERS_MAX];
	size_t n_servers;
	TAILQ_HEAD(, recursion) under_way;
	size_t n_under_way;
};

struct recursion {
	TAILQ_ENTRY(recursion) entry;
	struct recursor *r;
	uint8_t *query;
	size_t len;
	const struct dns_query *q; /* the caller's, valid until cb or cancel */
	uint16_t client_id;
	bool tcp;
	size_t tries;
	struct event *deadline, *try_timer;
	struct event *readable;	 /* UDP */
	struct bufferevent *bev; /* TCP */
	void (*cb)(const uint8_t *answer, size_t len, void *arg);
	void *arg;
};

static void try_next(struct recursion *x);

/* "ip", "ip:port" or "[ip]:port"; no names. */
static int
server_parse(const char *text, struct server *out, struct fl_err *err)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM }, *found = NULL;
	char *host = NULL, port_text[8];
	int port = 0, rc = -1;

	if (getaddrinfo(text, "53", &hints, &found) != 0) {
		if (fl_url_hostport(text, &host, &port, NULL) == -1)
			goto out;
		snprintf(port_text, sizeof(port_text), "%d", port);
		if (getaddrinfo(host, port_text, &hints, &found) != 0)
			goto out;
	}
	memcpy(&out->addr, found->ai_addr, found->ai_addrlen);
	out->len = found->ai_addrlen;
	freeaddrinfo(found);
	rc = 0;
out:
	free(host);
	if (rc == -1)
		fl_err_set(err, FL_ERR_INVALID, "recursor %s is no ip or ip:port", text);
	return rc;
}

static bool
is_ours(const struct recursor *r, const struct server *s)
{
	struct server own;

	for (size_t i = 0; i < r->avoid->n; i++)
		if (server_parse(r->avoid->items[i], &own, NULL) == 0 && own.len == s->len && memcmp(&own.addr, &s->addr, s->len) == 0)
			return true;
	return false;
}

static int
server_add(struct recursor *r, const char *text, struct fl_err *err)
{
	struct server s = { 0 };

	if (server_parse(text, &s, err) == -1)
		return -1;
	if (r->n_servers < SERVERS_MAX && !is_ours(r, &s))
		r->servers[r->n_servers++] = s;
	return 0;
}

/* Reads the file again when it is another than last time. One that has gone leaves what was known. */
static void
resolv_refresh(struct recursor *r)
{
	const struct stat *old = &r->resolv_stat;
	struct stat now;
	char line[RESOLV_LINE_MAX], *at, *word;
	FILE *in;

	if (r->resolv_conf == NULL || stat(r->resolv_conf, &now) == -1)
		return;
	if (now.st_ino == old->st_ino && now.st_size == old->st_size && now.st_mtim.tv_sec == old->st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == old->st_mtim.tv_nsec)
		return;
	if ((in = fopen(r->resolv_conf, "re")) == NULL)
		return;
	r->resolv_stat = now;
	r->n_servers = 0;
	while (fgets(line, sizeof(line), in) != NULL) {
		word = strtok_r(line, " \t\n", &at);
		if (word != NULL && strcmp(word, "nameserver") == 0 && (word = strtok_r(NULL, " \t\n", &at)) != NULL)
			server_add(r, word, NULL);
	}
	fclose(in);
	fl_log_info("read name servers", fl_str("file", r->resolv_conf), fl_int("servers", r->n_servers));
}

struct recursor *
recursor_new(struct event_base *base, const struct fl_args_list *servers, const char *resolv_conf,
    const struct fl_args_list *avoid, struct fl_err *err)
{
	struct recursor *r = fl_xcalloc(1, sizeof(*r));

	*r = (struct recursor){ .base = base, .avoid = avoid };
	TAILQ_INIT(&r->under_way);
	for (size_t i = 0; i < servers->n; i++) {
		if (server_add(r, servers->items[i], err) == -1) {
			free(r);
			return NULL;
		}
	}
	if (servers->n == 0)
		r->resolv_conf = resolv_conf;
	resolv_refresh(r);
	return r;
}

/* Ends the try under way. */
static void
try_end(struct recursion *x)
{
	evtimer_del(x->try_timer);
	if (x->readable != NULL) {
		close(event_get_fd(x->readable));
		event_free(x->readable);
		x->readable = NULL;
	}
	if (x->bev != NULL)
		bufferevent_free(x->bev);
	x->bev = NULL;
}

static void
recursion_free(struct recursion *x)
{
	TAILQ_REMOVE(&x->r->under_way, x, entry);
	x->r->n_under_way--;
	try_end(x);
	event_free(x->deadline);
	event_free(x->try_timer);
	free(x->query);
	free(x);
}

void
recursion_cancel(struct recursion *x)
{
	if (x != NULL)
		recursion_free(x);
}

void
recursor_free(struct recursor *r)
{
	struct recursion *x, *next;

	if (r == NULL)
		return;
	TAILQ_FOREACH_SAFE(x, &r->under_way, entry, next)
		recursion_free(x);
	free(r);
}

size_t
recursor_count(const struct recursor *r)
{
	return r->n_under_way;
}

/* Each server once, but never only one try. */
static size_t
tries_max(const struct recursion *x)
{
	return x->r->n_servers > TRIES_MIN ? x->r->n_servers : TRIES_MIN;
}

static void
recursion_end(struct recursion *x, const uint8_t *answer, size_t len)
{
	x->cb(answer, len, x->arg);
	recursion_free(x);
}

/* Takes what came for an answer, or goes on waiting, or to the next server. */
static void
answered(struct recursion *x, uint8_t *answer, size_t len)
{
	enum dns_rcode rcode = DNS_OK;
	bool cut;

	if (!dns_is_answer_to(answer, len, x->query, x->q, &rcode, &cut)) {
		if (x->tcp) /* by TCP nobody else can have sent it */
			try_next(x);
		return;
	}
	if ((rcode == DNS_SERVFAIL || rcode == DNS_REFUSED || rcode == DNS_NOTIMP) && x->tries < tries_max(x)) {
		try_next(x);
		return;
	}
	dns_set_id(answer, x->client_id);
	recursion_end(x, answer, len);
}

static void
on_udp_readable(evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	uint8_t answer[DNS_TCP_MAX];
	ssize_t len = recv(fd, answer, sizeof(answer), 0);

	if (len >= 0)
		answered(arg, answer, (size_t)len);
	else if (errno != EAGAIN && errno != EINTR)
		try_next(arg); /* nobody listens there */
}

static int
try_udp(struct recursion *x, const struct server *s)
{
	int fd = socket(s->addr.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* Connected, so that the kernel drops what others send. */
	if (fd == -1 || connect(fd, (const struct sockaddr *)&s->addr, s->len) == -1 ||
	    send(fd, x->query, x->len, 0) != (ssize_t)x->len) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	x->readable = event_new(x->r->base, fd, EV_READ | EV_PERSIST, on_udp_readable, x);
	event_add(x->readable, NULL);
	return 0;
}

static void
on_tcp_readable(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	uint8_t head[2], *answer;
	size_t len;

	if (evbuffer_copyout(in, head, sizeof(head)) < (ssize_t)sizeof(head))
		return;
	len = (size_t)head[0] << 8 | head[1];
	if (evbuffer_get_length(in) < sizeof(head) + len)
		return;
	answer = fl_xmalloc(len + 1);
	evbuffer_drain(in, sizeof(head));
	evbuffer_remove(in, answer, len);
	answered(arg, answer, len);
	free(answer);
}

static void
on_tcp_event(FL_UNUSED struct bufferevent *bev, short what, void *arg)
{
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		try_next(arg);
}

static int
try_tcp(struct recursion *x, const struct server *s)
{
	uint8_t head[2] = { (uint8_t)(x->len >> 8), (uint8_t)x->len };
	int fd = socket(s->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	x->bev = bufferevent_socket_new(x->r->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	bufferevent_setcb(x->bev, on_tcp_readable, NULL, on_tcp_event, x);
	bufferevent_setwatermark(x->bev, EV_READ, 0, DNS_TCP_MAX + sizeof(head));
	bufferevent_enable(x->bev, EV_READ | EV_WRITE);
	bufferevent_write(x->bev, head, sizeof(head));
	bufferevent_write(x->bev, x->query, x->len);
	return bufferevent_socket_connect(x->bev, (const struct sockaddr *)&s->addr, (int)s->len);
}

static void
on_try_timeout(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	try_next(arg);
}

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	recursion_end(arg, NULL, 0);
}

static void
end_soon(struct recursion *x)
{
	static const struct timeval now;

	evtimer_add(x->deadline, &now);
}

/* Asks the next server; one that cannot even be sent to costs no time. */
static void
try_next(struct recursion *x)
{
	size_t n = tries_max(x);
	int64_t wait_ms = RECURSION_MS / (int64_t)n;
	struct timeval wait = { wait_ms / 1000, wait_ms % 1000 * 1000 };

	try_end(x);
	while (x->r->n_servers > 0 && x->tries < n) {
		const struct server *s = &x->r->servers[x->tries++ % x->r->n_servers];
		uint16_t id;

		fl_random_bytes(&id, sizeof(id));
		dns_set_id(x->query, id);
		if ((x->tcp ? try_tcp(x, s) : try_udp(x, s)) == 0) {
			evtimer_add(x->try_timer, &wait);
			return;
		}
		try_end(x);
	}
	end_soon(x);
}

struct recursion *
recursor_ask(struct recursor *r, const uint8_t *query, size_t len, const struct dns_query *q, bool tcp,
    void (*cb)(const uint8_t *answer, size_t len, void *arg), void *arg)
{
	static const struct timeval wait = { RECURSION_MS / 1000, RECURSION_MS % 1000 * 1000 };
	struct recursion *x;

	if (r->n_under_way >= RECURSIONS_MAX)
		return NULL;
	resolv_refresh(r);
	x = fl_xcalloc(1, sizeof(*x));
	*x = (struct recursion){ .r = r, .q = q, .len = len, .tcp = tcp, .client_id = q->id, .cb = cb, .arg = arg };
	x->query = fl_xmemdup(query, len);
	x->deadline = evtimer_new(r->base, on_deadline, x);
	x->try_timer = evtimer_new(r->base, on_try_timeout, x);
	evtimer_add(x->deadline, &wait);
	TAILQ_INSERT_TAIL(&r->under_way, x, entry);
	r->n_under_way++;
	try_next(x);
	return x;
}
