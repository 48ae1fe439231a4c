/*
 * block - memory for bytes in flight, from a worker's own pool, held only while there are such bytes.
 *
 * Blocks come in a few sizes; freed ones wait in the pool, a bounded number of each size. Not
 * thread-safe: a pool belongs to one worker.
 */
#ifndef ROUTER_BLOCK_H
#define ROUTER_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "router/pipe.h"

#define BLOCK_CLASSES 4
/* The most bytes that one block can hold. */
#define BLOCK_MAX ((144u << 10) - 32u)

struct block {
	struct block *next;
	uint32_t off, len; /* the bytes are data[off .. off + len) */
	uint32_t cap;
	uint32_t class;
	char data[];
};

struct block_pool {
	struct block *free[BLOCK_CLASSES];
	unsigned n_free[BLOCK_CLASSES];
	struct pipe_pool pipes; /* for bytes that need not be looked at */
};

/* An empty block with room for at least that many bytes, at most BLOCK_MAX. */
struct block *block_new(struct block_pool *pool, size_t room);
/* NULL is fine. */
void block_free(struct block_pool *pool, struct block *b);
void block_pool_release(struct block_pool *pool);

/* How many bytes can still be added. */
size_t block_room(const struct block *b);
/* There must be room. */
void block_add(struct block *b, const void *data, size_t len);
/* Drop bytes from the front. */
void block_drop(struct block *b, size_t len);
/* A block that holds what b (may be NULL; consumed) held and then data: together at most BLOCK_MAX. */
struct block *block_append(struct block_pool *pool, struct block *b, const void *data, size_t len);

static inline char *
block_bytes(struct block *b)
{
	return b->data + b->off;
}

#endif
