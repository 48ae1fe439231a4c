/*
 * ring - the last requests of one worker, in memory: it adds, and other threads read at the same time.
 *
 * Memory comes in chunks as it fills, and the oldest chunk is used again once there are enough. A
 * chunk's records never change while somebody may read them: a reader holds the chunk, and the worker
 * takes another. The worker takes the lock once a chunk, for the few instructions that a reader
 * needs to take hold of one; a reader never does anything else under it.
 */
#ifndef ROUTER_RING_H
#define ROUTER_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/list.h"

#define RING_CHUNK_BYTES (32u << 10)
/* What a record takes at most, on the average: records * RING_RECORD_BYTES bound the memory. */
#define RING_RECORD_BYTES 256u

struct record;
struct ring_chunk;

struct ring {
	pthread_mutex_t lock; /* guards the list, and the chunks' n_refs and is_listed */
	TAILQ_HEAD(ring_chunks, ring_chunk) chunks; /* the oldest first; the last one is open */
	size_t n_chunks, max_chunks;
	uint64_t n_closed; /* records in all chunks but the open one */
	uint64_t max_records;
	struct ring_chunk *open; /* the worker's */
};

/* Keeps the last max_records at least, unless they are long. No reader may be left at release. */
void ring_init(struct ring *r, size_t max_records);
void ring_release(struct ring *r);

/* The worker. */
void ring_add(struct ring *r, const struct record *record);

/* How many records were ever added, and the number of the oldest that is still here (numbers begin at 0). */
uint64_t ring_count(struct ring *r);
uint64_t ring_oldest(struct ring *r);

/*
 * Call each for the records from number *next on, which becomes the number of the one to go on with; each
 * returns false when it wants no more (it has taken that one). Returns how many were lost: overwritten
 * before they were read.
 */
uint64_t ring_read(struct ring *r, uint64_t *next, bool (*each)(const struct record *record, void *arg), void *arg);

/* From a record backwards. */
struct ring_cursor {
	struct ring *ring;
	struct ring_chunk *chunk; /* held; NULL: at the end */
	uint32_t i;
};

/* Before number end: ring_count() for the newest. */
void ring_cursor_init(struct ring_cursor *c, struct ring *r, uint64_t end);
/* The next older record, its texts borrowed until the next call; false: there is none. */
bool ring_cursor_next(struct ring_cursor *c, struct record *record);
void ring_cursor_release(struct ring_cursor *c);

#endif
