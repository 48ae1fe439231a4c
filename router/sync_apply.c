#include "router/sync_internal.h"

#include <event2/event.h>
#include <stdlib.h>

#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"
#include "router/plane.h"
#include "router/reclaim.h"
#include "router/route.h"
#include "router/sockets.h"
#include "router/table.h"
#include "router/worker.h"

/* How long until a port that could not be listened on is tried again. */
#define LISTEN_AGAIN_S 2

/* Let workers listen on a TCP route's port. */
static int
listen_all(struct sync *s, int port, struct fl_err *err)
{
	char *addr = fl_xasprintf("%s:%d", s->cfg.tcp_ip, port);
	size_t n = 0;
	int *fds = sockets_bind(s->cfg.inherited, SOCKET_TCP, addr, s->cfg.n_workers, &n, err);

	free(addr);
	if (fds == NULL)
		return -1;
	if (sockets_listen(fds, n, err) == -1) {
		sockets_close(fds, n);
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		worker_listen(s->cfg.workers[i % s->cfg.n_workers], fds[i], port, false, true);
	sockets_add(s->cfg.listening, SOCKET_TCP, port, fds, n);
	free(fds);
	return 0;
}

static void
unlisten_all(struct sync *s, int port)
{
	free(sockets_remove(s->cfg.listening, SOCKET_TCP, port));
	for (size_t i = 0; i < s->cfg.n_workers; i++)
		worker_unlisten(s->cfg.workers[i], port);
}

void
sync_open_ports(struct sync *s)
{
	struct timeval again = { .tv_sec = LISTEN_AGAIN_S };
	struct live *l, *next;

	TAILQ_FOREACH_SAFE(l, &s->closed, closed_link, next) {
		struct fl_err err = { 0 };

		/* Until discoverd has said where they lead, connections could only be closed. */
		if (!sync_is_live_known(l))
			continue;
		if (listen_all(s, l->route->port, &err) == 0) {
			l->is_listening = true;
			l->is_closed = false;
			TAILQ_REMOVE(&s->closed, l, closed_link);
			continue;
		}
		fl_log_warn("a TCP route waits for its port", fl_str("route", l->route->id), fl_str("err", err.msg));
		evtimer_add(s->publish, &again);
	}
}

static void
free_dropped(struct sync *s)
{
	struct live *l;

	while ((l = TAILQ_FIRST(&s->dropped)) != NULL) {
		TAILQ_REMOVE(&s->dropped, l, link);
		if (l->is_listening)
			unlisten_all(s, l->route->port);
		sync_live_free(s, l);
	}
}

/*
 * Most often a route or two have come: then the table there is is copied and added to, which touches next to nothing
 * of ten thousand routes. NULL: another is needed.
 */
static struct table *
add_to_table(struct sync *s, const struct table *old)
{
	struct table *table;
	struct live *l;

	if (!TAILQ_EMPTY(&s->dropped) || old->seed != s->seed || (table = table_copy(old, s->n_new)) == NULL)
		return NULL;
	TAILQ_FOREACH(l, &s->routes, link) {
		if (s->n_new == 0)
			break;
		if (l->is_new)
			table_add(table, l->target);
		s->n_new -= l->is_new;
		l->is_new = false;
	}
	return table;
}

static struct table *
make_table(struct sync *s)
{
	struct table *table = table_new(fl_map_count(s->by_id), s->seed);
	struct live *l;

	TAILQ_FOREACH(l, &s->routes, link) {
		table_add(table, l->stand_in != NULL ? l->stand_in->target : l->target);
		l->is_new = false;
	}
	s->n_new = 0;
	return table;
}

void
sync_renew_table(struct sync *s)
{
	struct plane *plane = s->cfg.plane;
	const struct table *old = atomic_load(&plane->table);
	struct table *table;

	if (s->n_new == 0 && TAILQ_EMPTY(&s->dropped))
		return;
	if ((table = add_to_table(s, old)) == NULL)
		table = make_table(s);
	atomic_store(&plane->table, table);
	reclaim_retire(plane->reclaim, (void *)old, table_free, NULL);
	free_dropped(s);
}
