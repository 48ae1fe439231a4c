#include "host/retain.h"

#include <stdlib.h>
#include <string.h>

#include "host/job.h"
#include "host/state.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

static bool
same_type(const struct retain_item *a, const struct retain_item *b)
{
	return strcmp(a->app, b->app) == 0 && strcmp(a->type, b->type) == 0;
}

/* Whether a is gone before b, when one must go. Equal times: the one that is listed first. */
static bool
is_newer(const struct retain_item *a, const struct retain_item *b)
{
	return a->ended_at > b->ended_at || (a->ended_at == b->ended_at && a > b);
}

void
retain_choose(struct retain_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t newer = 0;

		for (size_t k = 0; k < n; k++)
			newer += k != i && same_type(&items[k], &items[i]) && is_newer(&items[k], &items[i]);
		items[i].keep = newer < RETAIN_PER_TYPE;
	}
	/* Each only looks at those still kept, so that older ones do not push each other out: oldest last. */
	for (size_t i = 0; i < n; i++) {
		size_t newer = 0;

		for (size_t k = 0; k < n; k++)
			newer += k != i && items[k].keep && is_newer(&items[k], &items[i]);
		if (newer >= RETAIN_IN_ALL)
			items[i].keep = false;
	}
}

static const char *
meta(const struct job *j, const char *key)
{
	const char *value = fl_map_get(job_spec(j)->metadata, key);

	return value != NULL ? value : "";
}

void
retain_mark(struct host *h)
{
	struct retain_item *items = fl_xcalloc(h->n_jobs + 1, sizeof(*items));
	struct job *j;
	size_t n = 0;

	TAILQ_FOREACH(j, &h->jobs, link)
		if (j->state == JOB_ENDED)
			items[n++] = (struct retain_item){
				meta(j, FL_JOB_META_APP), meta(j, FL_JOB_META_TYPE), j->active->ended_at, false
			};
	if (!state_is_crowded(h->state))
		retain_choose(items, n);
	n = 0;
	TAILQ_FOREACH(j, &h->jobs, link)
		if (j->state == JOB_ENDED)
			j->retained = items[n++].keep;
	free(items);
}
