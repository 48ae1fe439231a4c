/*
 * listener - a socket that clients connect to; each worker has its own for each address.
 */
#ifndef ROUTER_LISTENER_H
#define ROUTER_LISTENER_H

#include <stdbool.h>

#include "libflynn/list.h"
#include "router/io.h"
#include "router/timer.h"

struct fl_err;
struct worker;

struct listener {
	struct io io;
	struct worker *w;
	LIST_ENTRY(listener) link;
	struct timer timer; /* while no descriptor is free */
	int port;
	bool is_tls, is_tcp;
};

/*
 * Control thread: a listening socket on addr ("ip:port"; ":port" is every address, IPv4 and IPv6).
 * Several may listen on one address: the kernel spreads connections over them. -1 with err.
 */
int listener_open(const char *addr, struct fl_err *err);
/* The same in two steps: until it listens the kernel gives it no connection. Listening again is fine. */
int listener_bind(const char *addr, struct fl_err *err);
int listener_listen(int fd, struct fl_err *err);

/* The port of "ip:port"; 0: it has none. */
int listener_port(const char *addr);
/* Whether a listening socket that another process made is bound to addr: then it is set up as ours are. */
bool listener_adopt(int fd, const char *addr);

/* The worker: takes fd. */
void listener_start(struct worker *w, int fd, int port, bool is_tls, bool is_tcp);
/* Accept all that wait, as closing the socket would reset them. */
void listener_accept_all(struct listener *l);
void listener_stop(struct listener *l);

#endif
