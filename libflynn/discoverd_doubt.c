/*
 * discoverd_doubt - instances that a discoverd which has come back does not know any more.
 *
 * One that lost its data knows none, or only those that have registered again so far; they all do within seconds, as
 * their sessions are kept alive. So when much is missing at once it is kept for a while. An instance whose address
 * another one has by now is not: requests would go to a stranger.
 */
#include <event2/event.h>
#include <string.h>

#include "libflynn/discoverd_internal.h"
#include "libflynn/log.h"
#include "libflynn/map.h"

/* More than half of all instances, and so many at least, do not end while nobody looks. */
#define MISSING_MIN 2
/* A heartbeat notices the loss after 4 s at most; registering again is tried each second. */
#define DOUBT_MS 15000

static bool
has(const struct picture *p, const char *id)
{
	for (size_t i = 0; p != NULL && i < p->n; i++)
		if (strcmp(p->instances[i]->id, id) == 0)
			return true;
	return false;
}

/* The addresses of all instances, each with itself as value. */
static struct fl_map *
addresses(const struct fl_map *pictures)
{
	struct fl_map *addrs = fl_map_new();

	FL_MAP_EACH(pictures, e) {
		const struct picture *p = fl_map_value(e);

		for (size_t i = 0; i < p->n; i++)
			fl_map_set(addrs, p->instances[i]->addr, p->instances[i]);
	}
	return addrs;
}

static bool
is_loss(const struct share *share)
{
	size_t n = 0, missing = 0;

	FL_MAP_EACH(share->shown, e) {
		const struct picture *p = fl_map_value(e), *new = fl_map_get(share->drawn, fl_map_key(e));

		for (size_t i = 0; i < p->n; i++) {
			n++;
			missing += !has(new, p->instances[i]->id);
		}
	}
	return missing >= MISSING_MIN && missing > n / 2;
}

/* Move what the new picture of a service lacks into it. Returns how many that are. */
static size_t
carry(struct fl_map *drawn, const char *name, struct picture *shown, const struct fl_map *taken)
{
	size_t n = 0;

	for (size_t i = 0; i < shown->n; i++) {
		struct fl_instance *instance = shown->instances[i];

		if (has(fl_map_get(drawn, name), instance->id) || fl_map_get(taken, instance->addr) != NULL)
			continue;
		instance->is_doubtful = true;
		picture_put(share_picture(drawn, name), instance);
		shown->instances[i] = NULL;
		n++;
	}
	return n;
}

void
doubt_carry(struct fl_discoverd *d)
{
	struct share *share = &d->share;
	bool is_pending = evtimer_pending(share->doubt, NULL);
	struct timeval wait = { .tv_sec = DOUBT_MS / 1000 };
	struct fl_map *taken;
	size_t n = 0;

	if (!is_pending && !is_loss(share))
		return;
	taken = addresses(share->drawn);
	FL_MAP_EACH(share->shown, e)
		n += carry(share->drawn, fl_map_key(e), fl_map_value(e), taken);
	fl_map_free(taken);
	if (is_pending)
		return;
	fl_log_warn("discoverd has come back without most of what it knew: keeping it for a while", fl_int("instances", n));
	evtimer_add(share->doubt, &wait);
}

void
doubt_end(struct fl_discoverd *d)
{
	FL_MAP_EACH(d->share.shown, e) {
		struct picture *p = fl_map_value(e);
		size_t before = p->n;

		for (size_t i = p->n; i > 0; i--)
			if (p->instances[i - 1]->is_doubtful)
				picture_remove(p, p->instances[i - 1]->id);
		if (p->n < before)
			share_announce(d, fl_map_key(e));
	}
}
