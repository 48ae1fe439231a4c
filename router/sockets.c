#include "router/sockets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "router/listener.h"

void
sockets_add(struct sockets *s, enum socket_kind kind, int port, const int *fds, size_t n)
{
	struct socket_group *g = fl_xmalloc(sizeof(*g) + n * sizeof(g->fds[0]));

	*g = (struct socket_group){ .kind = kind, .port = port, .n = n };
	memcpy(g->fds, fds, n * sizeof(g->fds[0]));
	LIST_INSERT_HEAD(s, g, link);
}

struct socket_group *
sockets_remove(struct sockets *s, enum socket_kind kind, int port)
{
	struct socket_group *g;

	LIST_FOREACH(g, s, link) {
		if (g->kind != kind || g->port != port)
			continue;
		LIST_REMOVE(g, link);
		return g;
	}
	return NULL;
}

static void
close_group(const struct socket_group *g)
{
	for (size_t i = 0; i < g->n; i++)
		close(g->fds[i]);
}

void
sockets_release(struct sockets *s, bool is_ours)
{
	struct socket_group *g;

	while ((g = LIST_FIRST(s)) != NULL) {
		LIST_REMOVE(g, link);
		if (is_ours)
			close_group(g);
		free(g);
	}
}

/* Take over the group's sockets, those that are of use. */
static size_t
adopt(struct socket_group *g, const char *addr, int *fds)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		if (listener_adopt(g->fds[i], addr))
			fds[n++] = g->fds[i];
		else
			close(g->fds[i]);
	}
	free(g);
	return n;
}

int *
sockets_bind(struct sockets *s, enum socket_kind kind, const char *addr, size_t min, size_t *n, struct fl_err *err)
{
	struct socket_group *g = sockets_remove(s, kind, listener_port(addr));
	int *fds = fl_xcalloc(min + (g != NULL ? g->n : 0), sizeof(*fds));
	struct fl_err why = { 0 };

	*n = g != NULL ? adopt(g, addr, fds) : 0;
	while (*n < min && (fds[*n] = listener_bind(addr, &why)) != -1)
		(*n)++;
	if (*n >= min)
		return fds;
	if (*n > 0) { /* some workers stay without one */
		fl_log_warn("fewer listening sockets than threads", fl_str("addr", addr), fl_int("n", *n), fl_str("err", why.msg));
		return fds;
	}
	fl_err_set(err, why.kind, "%s", why.msg);
	free(fds);
	return NULL;
}

int
sockets_listen(const int *fds, size_t n, struct fl_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < n; i++)
		if (listener_listen(fds[i], err) == -1)
			ret = -1;
	return ret;
}

void
sockets_close(int *fds, size_t n)
{
	for (size_t i = 0; fds != NULL && i < n; i++)
		close(fds[i]);
	free(fds);
}
