#include "router/journal.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

struct journal *
journal_new(size_t n_workers, size_t max_records)
{
	struct journal *j = fl_xcalloc(1, sizeof(*j) + n_workers * sizeof(struct ring));

	j->n = n_workers;
	for (size_t i = 0; i < n_workers; i++)
		ring_init(&j->rings[i], (max_records + n_workers - 1) / n_workers);
	for (size_t i = 0; i < JOURNAL_BELLS; i++)
		j->bells[i].fd = -1;
	return j;
}

void
journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	for (size_t i = 0; i < j->n; i++)
		ring_release(&j->rings[i]);
	for (size_t i = 0; i < JOURNAL_BELLS; i++)
		if (j->bells[i].fd != -1)
			close(j->bells[i].fd);
	free(j);
}

static void
ring(struct bell *b)
{
	uint64_t one = 1;

	if (!atomic_exchange(&b->is_rung, true) && write(b->fd, &one, sizeof(one)) == -1)
		fl_log_error("cannot tell of requests", fl_str("err", strerror(errno)));
}

void
journal_add(struct journal *j, size_t worker, const struct record *record)
{
	ring_add(&j->rings[worker], record);
	for (size_t i = 0; i < JOURNAL_BELLS; i++)
		if (atomic_load_explicit(&j->bells[i].is_wanted, memory_order_acquire))
			ring(&j->bells[i]);
}

int
journal_want(struct journal *j, enum journal_bell bell, struct fl_err *err)
{
	struct bell *b = &j->bells[bell];

	if (b->fd == -1 && (b->fd = eventfd(0, EFD_CLOEXEC)) == -1)
		return fl_err_sys(err, "make an eventfd");
	atomic_store(&b->is_wanted, true);
	return 0;
}

void
journal_unwant(struct journal *j, enum journal_bell bell)
{
	atomic_store(&j->bells[bell].is_wanted, false);
}

void
journal_answer(struct journal *j, enum journal_bell bell)
{
	/* What was added by who found it rung is seen by who reads from here on. */
	atomic_exchange(&j->bells[bell].is_rung, false);
}
