#include "router/tally.h"

#include <stdlib.h>

#include "libflynn/attr.h"
#include "libflynn/xmalloc.h"
#include "router/record.h"

const uint32_t tally_bounds_us[TALLY_BUCKETS - 1] = { 5000, 25000, 100000, 250000, 500000, 1000000, 2500000, 10000000 };

/* Only its worker writes a slot: no locked instruction is needed. */
static void
add(_Atomic uint64_t *counter, int64_t by)
{
	uint64_t n = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, n + (uint64_t)by, memory_order_relaxed);
}

static uint64_t
load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

struct tally *
tally_new(uint32_t number, size_t n_workers)
{
	struct tally *t = fl_xcalloc(1, sizeof(*t) + n_workers * sizeof(t->slots[0]));

	t->number = number;
	t->n_slots = n_workers;
	return t;
}

void
tally_free(void *tally)
{
	struct tally *t = tally;

	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n_slots; i++)
		free(atomic_load(&t->slots[i]));
	free(t);
}

static struct tally_slot *
slot_of(const struct tally *t, size_t i)
{
	return atomic_load_explicit(&t->slots[i], memory_order_acquire);
}

bool
tally_is_busy(const void *tally)
{
	const struct tally *t = tally;

	for (size_t i = 0; i < t->n_slots; i++) {
		const struct tally_slot *slot = slot_of(t, i);

		if (slot != NULL && atomic_load(&slot->n_open) > 0)
			return true;
	}
	return false;
}

bool
tally_sum(const struct tally *t, struct tally_sums *sums)
{
	bool is_used = false;

	for (size_t w = 0; w < t->n_slots; w++) {
		const struct tally_slot *slot = slot_of(t, w);

		if (slot == NULL)
			continue;
		is_used = true;
		for (size_t i = 0; i < TALLY_CLASSES; i++)
			sums->classes[i] += load(&slot->classes[i]);
		for (size_t i = 0; i < TALLY_BUCKETS; i++)
			sums->buckets[i] += load(&slot->buckets[i]);
		sums->sum_us += load(&slot->sum_us);
		sums->retries += load(&slot->retries);
		sums->n_open += load(&slot->n_open);
	}
	return is_used;
}

struct tally_slot *
tally_begin(struct tally *t, size_t worker)
{
	struct tally_slot *slot = slot_of(t, worker);

	if (slot == NULL) {
		slot = fl_xcalloc(1, sizeof(*slot));
		atomic_store_explicit(&t->slots[worker], slot, memory_order_release);
	}
	add(&slot->n_open, 1);
	return slot;
}

static size_t
bucket_of(float us)
{
	size_t i = 0;

	while (i < TALLY_BUCKETS - 1 && us > (float)tally_bounds_us[i])
		i++;
	return i;
}

void
tally_end(struct tally_slot *slot, const struct record *r)
{
	size_t class = r->status / 100;

	add(&slot->classes[class < TALLY_CLASSES ? class : 0], 1);
	if ((r->flags & (RECORD_TCP | RECORD_TUNNEL)) == 0) {
		add(&slot->buckets[bucket_of(r->total_us)], 1);
		add(&slot->sum_us, (int64_t)r->total_us);
	}
	if (r->retries > 0)
		add(&slot->retries, r->retries);
	/* Last, and after all of the above: the tally may be freed from then on. */
	atomic_store_explicit(&slot->n_open, load(&slot->n_open) - 1, memory_order_release);
}
