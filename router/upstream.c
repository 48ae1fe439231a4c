#include "router/upstream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/xmalloc.h"
#include "router/backend.h"
#include "router/client.h"
#include "router/plane.h"
#include "router/spare.h"
#include "router/worker.h"

/* An idle connection is kept for so long; and at most so many by each worker to each backend. */
#define IDLE_MS 30000
#define IDLE_MAX 128

static void
leave_pool(struct upstream *u)
{
	LIST_REMOVE(u, slot_link);
	TAILQ_REMOVE(&u->w->idle, u, idle_link);
	u->backend->slots[u->w->index].n_idle--;
}

/* The kernel finds out, in two minutes, that the other machine has gone. */
static void
watch_peer(struct upstream *u)
{
	static const int on = 1, idle_s = 60, interval_s = 15, count = 4;

	setsockopt(u->io.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(u->io.fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(u->io.fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(u->io.fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	u->is_watched = true;
}

/* Idle for too long; or at work for a long time, which most are not: only then the calls above are worth it. */
static void
on_due(struct timer *t)
{
	struct upstream *u = fl_container_of(t, struct upstream, timer);

	if (u->client == NULL)
		upstream_close(u);
	else if (!u->is_watched)
		watch_peer(u);
}

/*
 * Whether the backend has nothing more to say, and means to stay. Bytes that nobody asked for would be
 * taken for the answer to the next request.
 */
static bool
is_quiet(struct upstream *u)
{
	char byte;

	if ((u->io.flags & (IO_HUP | IO_EOF | IO_BROKEN | IO_SHUT | IO_UNWRITABLE)) != 0)
		return false;
	if ((u->io.flags & IO_READABLE) == 0)
		return true;
	if (recv(u->io.fd, &byte, 1, MSG_PEEK) != -1 || errno != EAGAIN)
		return false;
	u->io.flags &= ~(unsigned)IO_READABLE;
	return true;
}

static void
on_ready(struct io *io, FL_UNUSED uint32_t events)
{
	struct upstream *u = fl_container_of(io, struct upstream, io);

	if (u->client != NULL)
		client_run(u->client);
	else if (!is_quiet(u))
		upstream_close(u);
}

struct upstream *
upstream_reuse(struct worker *w, struct backend *b, struct client *c, int64_t max_idle_ms)
{
	struct upstream *u;

	while ((u = LIST_FIRST(&b->slots[w->index].idle)) != NULL && !is_quiet(u))
		upstream_close(u);
	if (u == NULL || w->now_ms - u->idle_since_ms > max_idle_ms)
		return NULL;
	leave_pool(u);
	u->client = c;
	backend_begin(b, w->index);
	return u;
}

/* If no descriptor is free, one that idles gives its own. */
static int
new_socket(struct worker *w, int family)
{
	int fd;

	do
		fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	while (fd == -1 && (errno == EMFILE || errno == ENFILE) && spare_upstream(w));
	return fd;
}

static int
connect_socket(struct worker *w, const struct backend *b, bool is_opener)
{
	static const int off = 0;
	int fd = new_socket(w, b->addr.sa.sa_family);
	const char *congestion = w->plane->congestion;

	if (fd == -1)
		return -1;
	if (congestion != NULL)
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion));
	/* An acknowledgement that may be late goes with the first bytes, also that of the handshake: a segment less, tcp(7). */
	if (is_opener)
		setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
	if (connect(fd, &b->addr.sa, b->addr_len) == -1 && errno != EINPROGRESS) {
		int why = errno;

		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

struct upstream *
upstream_dial(struct worker *w, struct backend *b, struct client *c, bool is_opener)
{
	struct upstream *u;
	int fd = connect_socket(w, b, is_opener);

	worker_count(w, COUNT_DIALS, 1);
	if (fd == -1)
		return NULL;
	u = fl_xcalloc(1, sizeof(*u));
	/* Over loopback it is connected already: the first write is tried at once. */
	u->io = (struct io){ .fd = fd, .flags = IO_WRITABLE | IO_NAGLE, .on_ready = on_ready };
	u->timer.on_due = on_due;
	u->w = w;
	u->backend = b;
	u->client = c;
	backend_hold(b, w->index);
	backend_begin(b, w->index);
	timer_set(&w->timers, &u->timer, w->now_ms + IDLE_MS);
	if (worker_poll(w, &u->io) == -1) {
		int why = errno;

		upstream_close(u);
		errno = why;
		return NULL;
	}
	return u;
}

void
upstream_park(struct upstream *u)
{
	struct backend_slot *slot = &u->backend->slots[u->w->index];

	if (slot->n_idle >= IDLE_MAX || atomic_load(&u->backend->is_retired) || u->w->is_draining || !is_quiet(u)) {
		upstream_close(u);
		return;
	}
	backend_end(u->backend, u->w->index);
	u->client = NULL;
	u->is_used = true;
	u->idle_since_ms = u->w->now_ms;
	slot->n_idle++;
	LIST_INSERT_HEAD(&slot->idle, u, slot_link);
	TAILQ_INSERT_TAIL(&u->w->idle, u, idle_link);
	timer_set(&u->w->timers, &u->timer, u->w->now_ms + IDLE_MS);
}

void
upstream_close(struct upstream *u)
{
	if (u->client != NULL)
		backend_end(u->backend, u->w->index);
	else
		leave_pool(u);
	u->client = NULL;
	timer_clear(&u->timer);
	io_close(&u->io, false);
	backend_unhold(u->backend, u->w->index);
	worker_bury(u->w, u);
}
