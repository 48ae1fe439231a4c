#include "router/spare.h"

#include <errno.h>

#include "router/client.h"
#include "router/h2.h"
#include "router/plane.h"
#include "router/upstream.h"
#include "router/worker.h"

/* Those that have idled for so long may go, at most so many at once: looking for them takes a while. */
#define IDLE_MS 1000
#define CLIENTS_MAX 64

bool
spare_is_short(int why)
{
	return why == EMFILE || why == ENFILE || why == ENOBUFS || why == ENOMEM || why == ENOSPC;
}

bool
spare_upstream(struct worker *w)
{
	struct upstream *u = TAILQ_FIRST(&w->idle);

	if (u == NULL)
		return false;
	upstream_close(u);
	return true;
}

static bool
has_idled(const struct client *c)
{
	if ((c->wait != WAIT_IDLE && c->wait != WAIT_FIRST) || !client_is_idle(c))
		return false;
	return client_waited_ms(c) >= IDLE_MS;
}

bool
spare_clients(struct worker *w)
{
	struct client *c, *next;
	int n = 0;

	LIST_FOREACH_SAFE(c, &w->clients, link, next) {
		if (!has_idled(c))
			continue;
		if (c->h2 != NULL)
			h2_drain(c->h2);
		else
			client_close(c, false);
		if (++n == CLIENTS_MAX)
			break;
	}
	return n > 0;
}
