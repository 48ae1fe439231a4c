/*
 * tally - what is counted of one route: requests by class of status, their times, what is open, what was
 * tried again.
 *
 * The control thread makes it with the route and keeps it through the route's changes. Each worker has a slot in it, made
 * at the first request that it has for the route, which it alone writes and anybody may read.
 */
#ifndef ROUTER_TALLY_H
#define ROUTER_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct record;

/* Upper bounds of the times that are told apart, in microseconds; the last is none. */
#define TALLY_BUCKETS 9
extern const uint32_t tally_bounds_us[TALLY_BUCKETS - 1];
/* By status: none, 1xx, ... 5xx. */
#define TALLY_CLASSES 6

struct tally_slot {
	_Atomic uint64_t classes[TALLY_CLASSES];
	_Atomic uint64_t buckets[TALLY_BUCKETS]; /* not cumulative; without tunnels and TCP */
	_Atomic uint64_t sum_us;		 /* of the times in buckets */
	_Atomic uint64_t retries;
	_Atomic uint64_t n_open; /* exchanges under way, which hold the tally */
};

struct tally {
	uint32_t number; /* never 0, never that of another */
	size_t n_routes; /* that have it: the same route, before and after a change; the control thread's */
	size_t n_slots;
	_Atomic(struct tally_slot *) slots[]; /* by worker; NULL: nothing yet */
};

/* The sums of all slots at one moment. */
struct tally_sums {
	uint64_t classes[TALLY_CLASSES], buckets[TALLY_BUCKETS], sum_us, retries, n_open;
};

/* Control thread. */
struct tally *tally_new(uint32_t number, size_t n_workers);
/* For reclaim_retire(). */
void tally_free(void *tally);
bool tally_is_busy(const void *tally);
/* Add what was counted to sums. False: there was no request yet. */
bool tally_sum(const struct tally *t, struct tally_sums *sums);

/* The worker: an exchange begins. The slot stays valid until it ends. */
struct tally_slot *tally_begin(struct tally *t, size_t worker);
void tally_end(struct tally_slot *slot, const struct record *r);

#endif
