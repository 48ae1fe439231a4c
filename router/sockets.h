/*
 * sockets - listening sockets by what they are for: several for each port, as each worker has its own.
 *
 * The router keeps one set of those that its workers listen on, so that it can hand them to a successor,
 * and while it starts one of those that a predecessor has handed to it. Control thread only.
 */
#ifndef ROUTER_SOCKETS_H
#define ROUTER_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "libflynn/list.h"

struct fl_err;

enum socket_kind {
	SOCKET_HTTP,
	SOCKET_HTTPS,
	SOCKET_TCP,	 /* of a TCP route */
	SOCKET_HANDOVER, /* where successors ask; it has no port */
	SOCKET_MAX
};

struct socket_group {
	LIST_ENTRY(socket_group) link;
	enum socket_kind kind;
	int port;
	size_t n;
	int fds[];
};

LIST_HEAD(sockets, socket_group);

/* Only the numbers of fds are kept: whose they are is the caller's matter. */
void sockets_add(struct sockets *s, enum socket_kind kind, int port, const int *fds, size_t n);
/* Out of the set, the caller's to free(3); NULL: there is none. */
struct socket_group *sockets_remove(struct sockets *s, enum socket_kind kind, int port);
/* Forget all; with is_ours close them, too. */
void sockets_release(struct sockets *s, bool is_ours);

/*
 * At least min sockets bound to addr ("ip:port"): those of that kind and port in s, if they are bound there, and
 * more where they are too few, which do not listen yet. Sets *n; the caller frees the array and owns what is
 * in it. NULL with err when not even one can be had.
 */
int *sockets_bind(struct sockets *s, enum socket_kind kind, const char *addr, size_t min, size_t *n, struct fl_err *err);
/* Close them all and free the array, which may be NULL. */
void sockets_close(int *fds, size_t n);
/* Let all listen. -1 with err when some cannot. */
int sockets_listen(const int *fds, size_t n, struct fl_err *err);

#endif
