#include "router/block.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/xmalloc.h"

/* Of each size: how big, header included, and how many free ones a pool keeps. */
static const struct {
	uint32_t bytes;
	unsigned keep;
} classes[BLOCK_CLASSES] = {
	{ 2u << 10, 64 },
	{ 16u << 10, 8 },
	{ 72u << 10, 2 },
	{ 144u << 10, 1 },
};

static_assert(sizeof(struct block) <= 32, "BLOCK_MAX leaves 32 bytes for the header");

struct block *
block_new(struct block_pool *pool, size_t room)
{
	uint32_t class = 0;
	struct block *b;

	while (classes[class].bytes - sizeof(*b) < room) {
		class++;
		assert(class < BLOCK_CLASSES);
	}
	if ((b = pool->free[class]) != NULL) {
		pool->free[class] = b->next;
		pool->n_free[class]--;
	} else {
		b = fl_xmalloc(classes[class].bytes);
	}
	pool->held += classes[class].bytes;
	b->next = NULL;
	b->off = b->len = 0;
	b->cap = classes[class].bytes - (uint32_t)sizeof(*b);
	b->class = class;
	return b;
}

void
block_free(struct block_pool *pool, struct block *b)
{
	if (b == NULL)
		return;
	pool->held -= classes[b->class].bytes;
	if (pool->n_free[b->class] == classes[b->class].keep) {
		free(b);
		return;
	}
	b->next = pool->free[b->class];
	pool->free[b->class] = b;
	pool->n_free[b->class]++;
}

void
block_pool_release(struct block_pool *pool)
{
	for (size_t i = 0; i < BLOCK_CLASSES; i++) {
		while (pool->free[i] != NULL) {
			struct block *b = pool->free[i];

			pool->free[i] = b->next;
			free(b);
		}
		pool->n_free[i] = 0;
	}
	pipe_pool_release(&pool->pipes);
}

size_t
block_room(const struct block *b)
{
	return b->cap - b->off - b->len;
}

void
block_add(struct block *b, const void *data, size_t len)
{
	assert(len <= block_room(b));
	memcpy(b->data + b->off + b->len, data, len);
	b->len += (uint32_t)len;
}

void
block_drop(struct block *b, size_t len)
{
	assert(len <= b->len);
	b->off += (uint32_t)len;
	b->len -= (uint32_t)len;
}

struct block *
block_append(struct block_pool *pool, struct block *b, const void *data, size_t len)
{
	struct block *bigger;

	if (b != NULL && len <= block_room(b)) {
		block_add(b, data, len);
		return b;
	}
	bigger = block_new(pool, len + (b != NULL ? b->len : 0));
	if (b != NULL)
		block_add(bigger, block_bytes(b), b->len);
	block_add(bigger, data, len);
	block_free(pool, b);
	return bigger;
}
