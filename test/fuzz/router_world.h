/*
 * router_world - for fuzzers of what connections do: a worker, a route of the host "a", and its one instance.
 */
#ifndef TEST_FUZZ_ROUTER_WORLD_H
#define TEST_FUZZ_ROUTER_WORLD_H

#include <event2/event.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "router/admission.h"
#include "router/backend.h"
#include "router/journal.h"
#include "router/plane.h"
#include "router/reclaim.h"
#include "router/seen.h"
#include "router/table.h"
#include "router/tally.h"
#include "router/worker.h"
#include "test/fuzz/expect.h"

struct router_world {
	struct plane plane; /* timeouts and bounds are set before it is opened */
	struct worker *w;
	struct service *service;
	struct tally *tally; /* of the one route */
	int listen_fd;	     /* where the instance accepts; does not block */
};

/* At a socket without a name in any file system. */
static inline void
router_world_listen(struct router_world *world)
{
	static const char *const addrs[] = { "127.0.0.1:1" };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct backend *b;
	int n = snprintf(addr.sun_path + 1, 20, "fuzz%d", (int)getpid());
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);

	world->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	expect(bind(world->listen_fd, (struct sockaddr *)&addr, len) == 0 && listen(world->listen_fd, 1024) == 0);
	service_update(world->service, addrs, NULL, 1, NULL, world->plane.reclaim);
	b = atomic_load(&world->service->set)->items[0];
	expect(len <= sizeof(b->addr));
	memcpy(&b->addr, &addr, len);
	b->addr_len = len;
}

/* Once, and for as long as the process lives. */
static inline void
router_world_open(struct router_world *world)
{
	struct table *table = table_new(1, 7);

	signal(SIGPIPE, SIG_IGN);
	world->plane.n_workers = 1;
	world->plane.reclaim = reclaim_new(event_base_new(), 1);
	world->plane.seen = SEEN_JOURNAL | SEEN_TALLY;
	world->plane.journal = journal_new(1, 1000);
	world->tally = tally_new(1, 1);
	world->service = service_new("a-web", 1);
	table_add(table, target_new(&(struct target_spec){ .key = "a", .service = world->service, .tally = world->tally }));
	atomic_store(&world->plane.table, table);
	atomic_store(&world->plane.is_synced, true);
	world->w = worker_new(&world->plane, 0, NULL);
	expect(world->w != NULL);
	router_world_listen(world);
}

/* The least that a socket can have under way: what an input is answered with fills that, and our buffers behind it. */
static inline void
router_world_narrow(int fd)
{
	static const int least = 1;

	expect(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) == 0);
}

#endif
