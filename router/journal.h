/*
 * journal - the last requests of all workers, and a bell for each of those who follow them.
 */
#ifndef ROUTER_JOURNAL_H
#define ROUTER_JOURNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "router/ring.h"

struct fl_err;
struct record;

/* Who follows. */
enum journal_bell { JOURNAL_LOG, JOURNAL_API, JOURNAL_BELLS };

struct bell {
	_Atomic bool is_wanted;
	_Atomic bool is_rung; /* since it was last answered */
	int fd;		      /* eventfd, blocking; -1: nobody wanted it yet */
};

struct journal {
	struct bell bells[JOURNAL_BELLS];
	size_t n;
	struct ring rings[];
};

/* max_records: of all workers together. */
struct journal *journal_new(size_t n_workers, size_t max_records);
/* NULL is fine. Nobody uses it any more. */
void journal_free(struct journal *j);

/* The worker with that index. */
void journal_add(struct journal *j, size_t worker, const struct record *record);

/*
 * Be rung for from now on: the bell's fd becomes readable once after records were added. One that is added at
 * this very moment may not ring: look again a little later.
 */
int journal_want(struct journal *j, enum journal_bell bell, struct fl_err *err);
void journal_unwant(struct journal *j, enum journal_bell bell);
/* Before looking at the rings: the next record rings again. */
void journal_answer(struct journal *j, enum journal_bell bell);

#endif
