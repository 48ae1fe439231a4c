/*
 * pipe - a way for bytes from one socket to another through the kernel alone, by splice(2).
 *
 * A pipe is taken while bytes are in it and given back empty; a few wait in the pool of a worker. Not
 * thread-safe.
 */
#ifndef ROUTER_PIPE_H
#define ROUTER_PIPE_H

#include <stddef.h>

struct pipe {
	struct pipe *next;
	int in, out; /* where bytes are put, and taken */
	size_t len;  /* of what is in it */
};

struct pipe_pool {
	struct pipe *free;
	unsigned n_free;
	size_t n_used; /* taken and not given back */
};

/* How many bytes one is made for; the kernel may grant less. */
#define PIPE_BYTES ((size_t)256 << 10)

/* An empty one, or NULL: no descriptor is free. */
struct pipe *pipe_new(struct pipe_pool *pool);
/* NULL is fine; what is still in it is lost. */
void pipe_free(struct pipe_pool *pool, struct pipe *p);
void pipe_pool_release(struct pipe_pool *pool);

#endif
