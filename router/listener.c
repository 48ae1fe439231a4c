#include "router/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"
#include "router/admission.h"
#include "router/client.h"
#include "router/plane.h"
#include "router/spare.h"
#include "router/worker.h"

#define BACKLOG 4096
/* Connections taken in one turn: others have work, too. */
#define ACCEPTS_A_TURN 64
/* How long to wait when no descriptor is free. */
#define PAUSE_MS 100

/* What accepted sockets inherit is set once, here. */
static int
set_options(int fd)
{
	static const int on = 1, keep_idle_s = 60, keep_interval_s = 15, keep_count = 4;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keep_idle_s, sizeof(keep_idle_s)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &keep_interval_s, sizeof(keep_interval_s)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &keep_count, sizeof(keep_count)) == -1)
		return -1;
	return 0;
}

static int
set_address_options(int fd, int family)
{
	static const int on = 1, off = 0;

	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1)
		return -1;
	return 0;
}

static int
open_at(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (set_address_options(fd, at->ai_family) == -1 || set_options(fd) == -1 || bind(fd, at->ai_addr, at->ai_addrlen) == -1) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* The addresses that addr means, the one to try first before the other: NULL with err. */
static struct addrinfo *
resolve(const char *addr, struct fl_err *err)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char service[16], *host = NULL;
	int port = 0, why;

	if (fl_url_hostport(addr, &host, &port, err) == -1)
		return NULL;
	snprintf(service, sizeof(service), "%d", port);
	why = getaddrinfo(*host != '\0' ? host : "::", service, &hints, &found);
	if (why != 0)
		fl_err_set(err, FL_ERR_INVALID, "listen on %s: %s", addr, gai_strerror(why));
	else if (*host == '\0') /* where there is no IPv6 */
		(void)getaddrinfo("0.0.0.0", service, &hints, &found->ai_next);
	free(host);
	return why == 0 ? found : NULL;
}

int
listener_listen(int fd, struct fl_err *err)
{
	return listen(fd, BACKLOG) == 0 ? 0 : fl_err_sys(err, "listen");
}

int
listener_open(const char *addr, struct fl_err *err)
{
	struct fl_err why = { 0 };
	int fd = listener_bind(addr, err);

	if (fd == -1 || listener_listen(fd, &why) == 0)
		return fd;
	close(fd);
	return fl_err_set(err, FL_ERR_CONFLICT, "port %d is used by another program on this machine: %s", listener_port(addr), why.msg);
}

int
listener_bind(const char *addr, struct fl_err *err)
{
	struct addrinfo *found = resolve(addr, err);
	int fd;

	if (found == NULL)
		return -1;
	fd = open_at(found);
	if (fd == -1 && errno == EAFNOSUPPORT && found->ai_next != NULL)
		fd = open_at(found->ai_next);
	if (fd == -1 && errno == EADDRINUSE)
		fl_err_set(err, FL_ERR_CONFLICT, "port %d is used by another program on this machine", listener_port(addr));
	else if (fd == -1)
		fl_err_sys(err, "listen on %s", addr);
	freeaddrinfo(found);
	return fd;
}

int
listener_port(const char *addr)
{
	char *host = NULL;
	int port = 0;

	if (fl_url_hostport(addr, &host, &port, NULL) == -1)
		port = 0;
	free(host);
	return port;
}

static bool
is_bound_to(int fd, const char *addr)
{
	struct addrinfo *found = resolve(addr, NULL);
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	bool is_same = false;

	if (getsockname(fd, (struct sockaddr *)&bound, &len) == 0)
		for (const struct addrinfo *at = found; at != NULL && !is_same; at = at->ai_next)
			is_same = at->ai_addrlen == len && memcmp(at->ai_addr, &bound, len) == 0;
	if (found != NULL)
		freeaddrinfo(found);
	return is_same;
}

bool
listener_adopt(int fd, const char *addr)
{
	int is_listening = 0;
	socklen_t len = sizeof(is_listening);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) == -1 || !is_listening || !is_bound_to(fd, addr))
		return false;
	return set_options(fd) == 0;
}

/*
 * No more can be accepted now: the poller would tell us of the same connection for ever. It waits in the
 * kernel's queue meanwhile.
 */
static void
pause_accepting(struct listener *l, const char *why)
{
	struct epoll_event none = { .events = 0, .data.ptr = &l->io };
	struct worker *w = l->w;
	uint64_t muted;

	worker_count(w, COUNT_PAUSES, 1);
	if (complaint_due(&w->complaints[COMPLAINT_ACCEPT], w->now_ms, &muted))
		fl_log_warn("connections wait to be accepted", fl_int("port", l->port), fl_str("err", why), fl_int("more", muted));
	epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, l->io.fd, &none);
	timer_set(&w->timers, &l->timer, w->now_ms + PAUSE_MS);
}

static void
on_due(struct timer *t)
{
	struct listener *l = fl_container_of(t, struct listener, timer);
	struct epoll_event in = { .events = EPOLLIN, .data.ptr = &l->io };

	epoll_ctl(l->w->epoll_fd, EPOLL_CTL_MOD, l->io.fd, &in);
}

/* Accept one connection: 1; 0: none is left, or none can be accepted now; IO_AGAIN: try again. */
static int
accept_one(struct listener *l)
{
	struct worker *w = l->w;
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int fd, why;

	if (!admission_enter(w->plane->admission)) {
		if (spare_clients(w))
			return IO_AGAIN;
		worker_spare_others(w);
		pause_accepting(l, "-max-connections are open");
		return 0;
	}
	fd = accept4(l->io.fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1) {
		client_accept(w, l, fd, &addr);
		return 1;
	}
	why = errno;
	admission_leave(w->plane->admission);
	if (why == ECONNABORTED || why == EINTR || (spare_is_short(why) && (spare_upstream(w) || spare_clients(w))))
		return IO_AGAIN;
	if (spare_is_short(why))
		pause_accepting(l, strerror(why));
	return 0;
}

/* Accept at most max connections. */
static void
accept_some(struct listener *l, int max)
{
	while (max-- > 0 && accept_one(l) != 0)
		;
}

static void
on_ready(struct io *io, FL_UNUSED uint32_t events)
{
	accept_some(fl_container_of(io, struct listener, io), ACCEPTS_A_TURN);
}

void
listener_accept_all(struct listener *l)
{
	accept_some(l, BACKLOG);
}

/*
 * Clients that speak first, as all do but those of TCP routes, are handed over with their first bytes: a waking, a read and a
 * registration less. Who says nothing comes after a second or two all the same, and has its time from then on. tcp(7)
 */
static void
defer_accept(int fd)
{
	static const int seconds = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
}

void
listener_start(struct worker *w, int fd, int port, bool is_tls, bool is_tcp)
{
	struct listener *l = fl_xcalloc(1, sizeof(*l));
	struct epoll_event in = { .events = EPOLLIN, .data.ptr = &l->io };

	*l = (struct listener){ .w = w, .port = port, .is_tls = is_tls, .is_tcp = is_tcp };
	l->io = (struct io){ .fd = fd, .on_ready = on_ready };
	l->timer.on_due = on_due;
	if (!is_tcp)
		defer_accept(fd);
	LIST_INSERT_HEAD(&w->listeners, l, link);
	/* Level-triggered: what one turn does not accept, the next will. */
	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &in) == -1)
		fl_log_error("cannot watch a listening socket", fl_int("port", port), fl_str("err", strerror(errno)));
}

void
listener_stop(struct listener *l)
{
	LIST_REMOVE(l, link);
	timer_clear(&l->timer);
	/* A successor may have it too: then closing it does not take it out of our poller, epoll(7) Q6. */
	epoll_ctl(l->w->epoll_fd, EPOLL_CTL_DEL, l->io.fd, NULL);
	io_close(&l->io, false);
	worker_bury(l->w, l);
}
