#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gitreceive/listener.h"
#include "gitreceive/places.h"
#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/list.h"
#include "libflynn/log.h"
#include "libflynn/proc.h"
#include "libflynn/xmalloc.h"

#define BACKLOG 128

struct session {
	TAILQ_ENTRY(session) link;
	struct listener *listener;
	struct fl_proc *proc;
	struct event *login; /* it has, or has ended; NULL: no more */
	char peer[INET6_ADDRSTRLEN];
	int64_t started;
	bool is_turned_out;
};

struct listener {
	struct event_base *base;
	const struct places *places;
	struct event *accept;
	int fd, max;
	size_t n, n_turned_out;
	TAILQ_HEAD(, session) sessions; /* oldest first */
	void (*on_drained)(void *arg);
	void *arg;
};

/* Its login is waited for no more. */
static void
login_release(struct session *s)
{
	if (s->login == NULL)
		return;
	close(event_get_fd(s->login));
	event_free(s->login);
	s->login = NULL;
}

static void
session_free(struct session *s)
{
	TAILQ_REMOVE(&s->listener->sessions, s, link);
	login_release(s);
	free(s);
}

static void
on_ended(int status, void *arg)
{
	struct session *s = arg;
	struct listener *l = s->listener;

	fl_log_info("session ended", fl_str("peer", s->peer), fl_int("status", status),
	    fl_int("ms", fl_clock_ms() - s->started));
	l->n--;
	l->n_turned_out -= s->is_turned_out;
	session_free(s);
	if (l->n == 0 && l->on_drained != NULL)
		l->on_drained(l->arg);
}

static void
on_login(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	login_release(arg);
}

/*
 * The socket is the child's standard input; what it logs goes where ours goes. Its standard output is a pipe that
 * it lets go of when its client has logged in.
 */
static void
session_start(struct listener *l, int fd, const char *peer)
{
	static const char *const argv[] = { "/proc/self/exe", "session", NULL };
	char **env = places_env(l->places);
	int login[2] = { -1, -1 };
	struct session *s = fl_xcalloc(1, sizeof(*s));
	struct fl_err err;

	*s = (struct session){ .listener = l, .started = fl_clock_ms() };
	snprintf(s->peer, sizeof(s->peer), "%s", peer);
	if (pipe2(login, O_CLOEXEC) == -1)
		fl_err_sys(&err, "make a pipe");
	else
		s->proc = fl_proc_start(l->base,
		    &(struct fl_proc_opts){ .argv = argv, .env = (const char *const *)env, .stdio = { fd, login[1], -1 } }, on_ended, s, &err);
	if (s->proc == NULL) {
		fl_log_error("cannot start a session", fl_str("peer", peer), fl_str("err", err.msg));
		free(s);
		if (login[0] != -1)
			close(login[0]);
	} else {
		s->login = event_new(l->base, login[0], EV_READ, on_login, s);
		event_add(s->login, NULL);
		TAILQ_INSERT_TAIL(&l->sessions, s, link);
		l->n++;
	}
	if (login[1] != -1)
		close(login[1]);
	places_env_free(env);
}

/*
 * Room for one more: when there is none, who has waited longest without logging in leaves. Clients cannot be told apart by
 * address, for they come through the router, and nobody is to keep others out by saying nothing.
 */
static bool
make_room(struct listener *l)
{
	struct session *s;

	if (l->n - l->n_turned_out < (size_t)l->max)
		return true;
	TAILQ_FOREACH(s, &l->sessions, link)
		if (s->login != NULL && !s->is_turned_out)
			break;
	if (s == NULL)
		return false;
	fl_log_warn("too many sessions: one that has not logged in makes room", fl_str("peer", s->peer), fl_int("sessions", l->n),
	    fl_int("ms", fl_clock_ms() - s->started));
	s->is_turned_out = true;
	l->n_turned_out++;
	fl_proc_kill(s->proc, SIGKILL);
	return true;
}

/* A client whose machine has gone is noticed within two minutes: he holds the lock of an app. */
static void
set_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 60 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 15 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 4 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 120000 },
	};

	for (size_t i = 0; i < fl_nitems(options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(options[i].value));
}

static void
on_accept(evutil_socket_t listen_fd, FL_UNUSED short what, void *arg)
{
	struct listener *l = arg;
	struct sockaddr_in6 sin6 = { 0 };
	socklen_t len = sizeof(sin6);
	char peer[INET6_ADDRSTRLEN] = "";
	int fd = accept4(listen_fd, (struct sockaddr *)&sin6, &len, SOCK_CLOEXEC);

	if (fd == -1)
		return; /* the client left, or no descriptor is free: the next event tries again */
	inet_ntop(AF_INET6, &sin6.sin6_addr, peer, sizeof(peer));
	if (!make_room(l)) {
		fl_log_warn("too many sessions: connection refused", fl_str("peer", peer), fl_int("sessions", l->n));
	} else {
		set_options(fd);
		session_start(l, fd, peer);
	}
	close(fd);
}

static int
listen_all(int port, struct fl_err *err)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = IN6ADDR_ANY_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, zero = 0;

	if (fd == -1)
		return fl_err_sys(err, "make a socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == -1 || listen(fd, BACKLOG) == -1) {
		fl_err_sys(err, "listen on port %d", port);
		close(fd);
		return -1;
	}
	return fd;
}

struct listener *
listener_start(struct event_base *base, int port, int max_sessions, const struct places *places, struct fl_err *err)
{
	int fd = listen_all(port, err);
	struct listener *l;

	if (fd == -1)
		return NULL;
	l = fl_xcalloc(1, sizeof(*l));
	*l = (struct listener){ .base = base, .places = places, .fd = fd, .max = max_sessions };
	TAILQ_INIT(&l->sessions);
	l->accept = event_new(base, fd, EV_READ | EV_PERSIST, on_accept, l);
	event_add(l->accept, NULL);
	return l;
}

size_t
listener_sessions(const struct listener *l)
{
	return l->n;
}

void
listener_drain(struct listener *l, void (*cb)(void *arg), void *arg)
{
	event_del(l->accept);
	l->on_drained = cb;
	l->arg = arg;
	if (l->n == 0)
		cb(arg);
}

void
listener_free(struct listener *l)
{
	struct session *s;

	if (l == NULL)
		return;
	while ((s = TAILQ_FIRST(&l->sessions)) != NULL) {
		fl_proc_free(s->proc);
		session_free(s);
	}
	event_free(l->accept);
	close(l->fd);
	free(l);
}
