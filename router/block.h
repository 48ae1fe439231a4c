/*
 * block - memory for bytes in flight, from a worker's own pool, held only while there are such bytes.
 *
 * Blocks come in a few sizes; freed ones wait in the pool, a bounded number of each size. Not
 * thread-safe: a pool belongs to one worker.
 */
#ifndef ROUTER_BLOCK_H
#define ROUTER_BLOCK_H

#include <stdbool.h>
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
	size_t held; /* bytes of the blocks that are in use */
	size_t max;  /* that they and the pipes should have; 0: any */
};

/* What a flow may hold when memory is short. */
#define BLOCK_SHORT_BYTES ((2u << 10) - 32u)

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

/* Bytes in use, those of the kernel's pipes among them. */
static inline size_t
block_held(const struct block_pool *pool)
{
	return pool->held + pool->pipes.n_used * PIPE_BYTES;
}

/* More is in use than should be: hold little. */
static inline bool
block_is_short(const struct block_pool *pool)
{
	return pool->max != 0 && block_held(pool) > pool->max;
}

/* Little is still too much: take nothing on. */
static inline bool
block_is_exhausted(const struct block_pool *pool)
{
	return pool->max != 0 && block_held(pool) > 2 * pool->max;
}

static inline char *
block_bytes(struct block *b)
{
	return b->data + b->off;
}

#endif
