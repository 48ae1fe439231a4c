#include "router/pipe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "libflynn/xmalloc.h"

/* Free ones that a pool keeps. One is in use beyond a turn only while its receiver does not read. */
#define KEEP 8

static void
destroy(struct pipe *p)
{
	close(p->in);
	close(p->out);
	free(p);
}

struct pipe *
pipe_new(struct pipe_pool *pool)
{
	struct pipe *p = pool->free;
	int fds[2];

	if (p != NULL) {
		pool->free = p->next;
		pool->n_free--;
		pool->n_used++;
		return p;
	}
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) == -1)
		return NULL;
	/* Users other than root have a limit of such memory, pipe(7); the default size does as well. */
	(void)fcntl(fds[1], F_SETPIPE_SZ, (int)PIPE_BYTES);
	p = fl_xcalloc(1, sizeof(*p));
	p->out = fds[0];
	p->in = fds[1];
	pool->n_used++;
	return p;
}

void
pipe_free(struct pipe_pool *pool, struct pipe *p)
{
	if (p == NULL)
		return;
	pool->n_used--;
	if (p->len > 0 || pool->n_free == KEEP) {
		destroy(p);
		return;
	}
	p->next = pool->free;
	pool->free = p;
	pool->n_free++;
}

void
pipe_pool_release(struct pipe_pool *pool)
{
	struct pipe *p;

	while ((p = pool->free) != NULL) {
		pool->free = p->next;
		destroy(p);
	}
	pool->n_free = 0;
}
