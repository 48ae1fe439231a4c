#include "router/ring.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/xmalloc.h"
#include "router/record.h"

#define DATA_BYTES (RING_CHUNK_BYTES - 64)
/* Records begin at multiples of so many bytes. */
#define UNIT 8u

/*
 * Records grow from the front of data; where each begins, in units, is noted in 16 bits from its end
 * backwards.
 */
struct ring_chunk {
	TAILQ_ENTRY(ring_chunk) link;
	uint64_t first;	    /* number of its first record */
	_Atomic uint32_t n; /* readers look at so many records; they do not change any more */
	uint32_t used;	    /* bytes, the worker's own */
	unsigned n_refs;    /* the ring's, and one for each reader */
	bool is_listed;
	_Alignas(UNIT) char data[DATA_BYTES];
};

static_assert(sizeof(struct ring_chunk) <= RING_CHUNK_BYTES, "a chunk is no larger than it says");
static_assert(DATA_BYTES / UNIT <= UINT16_MAX, "16 bits say where a record begins");

static uint16_t *
slot(struct ring_chunk *c, uint32_t i)
{
	return (uint16_t *)(void *)(c->data + DATA_BYTES) - 1 - i;
}

static uint32_t
count_of(struct ring_chunk *c)
{
	return atomic_load_explicit(&c->n, memory_order_acquire);
}

static void
get(struct ring_chunk *c, uint32_t i, struct record *record)
{
	record_unpack(record, c->data + *slot(c, i) * UNIT);
}

void
ring_init(struct ring *r, size_t max_records)
{
	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
	TAILQ_INIT(&r->chunks);
	r->max_records = max_records;
	r->max_chunks = max_records * RING_RECORD_BYTES / RING_CHUNK_BYTES + 2;
}

void
ring_release(struct ring *r)
{
	struct ring_chunk *c;

	while ((c = TAILQ_FIRST(&r->chunks)) != NULL) {
		TAILQ_REMOVE(&r->chunks, c, link);
		free(c);
	}
	pthread_mutex_destroy(&r->lock);
}

/* With the lock held: take the oldest chunk out. NULL: a reader has it, and frees it. */
static struct ring_chunk *
take_oldest(struct ring *r)
{
	struct ring_chunk *c = TAILQ_FIRST(&r->chunks);

	TAILQ_REMOVE(&r->chunks, c, link);
	c->is_listed = false;
	r->n_chunks--;
	r->n_closed -= count_of(c);
	return --c->n_refs == 0 ? c : NULL;
}

/* With the lock held: whether there is enough without the oldest. */
static bool
is_full(const struct ring *r)
{
	struct ring_chunk *oldest = TAILQ_FIRST(&r->chunks);

	return r->n_chunks >= r->max_chunks || (r->n_chunks > 1 && r->n_closed - count_of(oldest) >= r->max_records);
}

/* An empty chunk behind the one that is full. */
static struct ring_chunk *
turn_over(struct ring *r)
{
	struct ring_chunk *full = r->open, *c = NULL;
	uint64_t first = 0;

	pthread_mutex_lock(&r->lock);
	if (full != NULL) {
		first = full->first + count_of(full);
		r->n_closed += count_of(full);
		if (is_full(r))
			c = take_oldest(r);
	}
	if (c == NULL)
		c = fl_xmalloc(sizeof(*c));
	c->first = first;
	c->used = 0;
	c->n_refs = 1;
	c->is_listed = true;
	atomic_store_explicit(&c->n, 0, memory_order_relaxed);
	TAILQ_INSERT_TAIL(&r->chunks, c, link);
	r->n_chunks++;
	pthread_mutex_unlock(&r->lock);
	return r->open = c;
}

void
ring_add(struct ring *r, const struct record *record)
{
	struct ring_chunk *c = r->open;
	uint32_t n = c != NULL ? atomic_load_explicit(&c->n, memory_order_relaxed) : 0;

	if (c == NULL || c->used + RECORD_MAX + (n + 1) * sizeof(uint16_t) > DATA_BYTES) {
		c = turn_over(r);
		n = 0;
	}
	*slot(c, n) = (uint16_t)(c->used / UNIT);
	c->used += (uint32_t)(record_pack(record, c->data + c->used) + UNIT - 1) & ~(UNIT - 1);
	atomic_store_explicit(&c->n, n + 1, memory_order_release);
}

/* Let go of a chunk. */
static void
let_go(struct ring *r, struct ring_chunk *c)
{
	bool is_last;

	pthread_mutex_lock(&r->lock);
	is_last = --c->n_refs == 0;
	pthread_mutex_unlock(&r->lock);
	if (is_last)
		free(c);
}

/* Take hold of the chunk that has record number, or the next one after it. NULL: there is none. */
static struct ring_chunk *
hold_at(struct ring *r, uint64_t number)
{
	struct ring_chunk *c, *found = NULL;

	pthread_mutex_lock(&r->lock);
	/* Who follows is near the end. */
	TAILQ_FOREACH_REVERSE(c, &r->chunks, ring_chunks, link) {
		if (c->first + count_of(c) <= number)
			break;
		found = c;
	}
	if (found != NULL)
		found->n_refs++;
	pthread_mutex_unlock(&r->lock);
	return found;
}

uint64_t
ring_count(struct ring *r)
{
	struct ring_chunk *c;
	uint64_t n;

	pthread_mutex_lock(&r->lock);
	c = TAILQ_LAST(&r->chunks, ring_chunks);
	n = c != NULL ? c->first + count_of(c) : 0;
	pthread_mutex_unlock(&r->lock);
	return n;
}

uint64_t
ring_oldest(struct ring *r)
{
	struct ring_chunk *c;
	uint64_t first;

	pthread_mutex_lock(&r->lock);
	c = TAILQ_FIRST(&r->chunks);
	first = c != NULL ? c->first : 0;
	pthread_mutex_unlock(&r->lock);
	return first;
}

uint64_t
ring_read(struct ring *r, uint64_t *next, bool (*each)(const struct record *record, void *arg), void *arg)
{
	struct ring_chunk *c;
	struct record record;
	uint64_t lost = 0;
	bool more = true;

	while (more && (c = hold_at(r, *next)) != NULL) {
		uint32_t n = count_of(c);

		if (c->first > *next) {
			lost += c->first - *next;
			*next = c->first;
		}
		for (uint32_t i = (uint32_t)(*next - c->first); more && i < n; i++) {
			get(c, i, &record);
			++*next;
			more = each(&record, arg);
		}
		let_go(r, c);
	}
	return lost;
}

void
ring_cursor_init(struct ring_cursor *c, struct ring *r, uint64_t end)
{
	*c = (struct ring_cursor){ .ring = r };
	if (end == 0 || (c->chunk = hold_at(r, end - 1)) == NULL)
		return;
	c->i = c->chunk->first < end ? (uint32_t)(end - c->chunk->first) : 0;
}

/* Go to the chunk before, if it is still there. */
static void
step_back(struct ring_cursor *c)
{
	struct ring_chunk *old = c->chunk, *prev = NULL;

	pthread_mutex_lock(&c->ring->lock);
	if (old->is_listed && (prev = TAILQ_PREV(old, ring_chunks, link)) != NULL)
		prev->n_refs++;
	pthread_mutex_unlock(&c->ring->lock);
	let_go(c->ring, old);
	c->chunk = prev;
	c->i = prev != NULL ? count_of(prev) : 0;
}

bool
ring_cursor_next(struct ring_cursor *c, struct record *record)
{
	while (c->chunk != NULL && c->i == 0)
		step_back(c);
	if (c->chunk == NULL)
		return false;
	get(c->chunk, --c->i, record);
	return true;
}

void
ring_cursor_release(struct ring_cursor *c)
{
	if (c->chunk != NULL)
		let_go(c->ring, c->chunk);
	c->chunk = NULL;
}
