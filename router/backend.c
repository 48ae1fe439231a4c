#include "router/backend.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"
#include "router/reclaim.h"
#include "router/sticky.h"

/* How long an instance that fails is left alone: at first, and at the longest. */
#define DOWN_FIRST_MS 500
#define DOWN_LAST_MS 16000
/* How long one request tries it before another may. */
#define TRIAL_MS 1000
/* How long it is left to requests that can be sent again. */
#define SAFE_LEAD_MS 2000

/* Only its worker writes a counter of a slot: no locked instruction is needed. */
static void
add(_Atomic uint32_t *counter, int by)
{
	uint32_t n = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, n + (uint32_t)by, memory_order_release);
}

void
backend_hold(struct backend *b, size_t worker)
{
	add(&b->slots[worker].n_held, 1);
}

void
backend_unhold(struct backend *b, size_t worker)
{
	add(&b->slots[worker].n_held, -1);
}

void
backend_begin(struct backend *b, size_t worker)
{
	add(&b->slots[worker].n_active, 1);
}

void
backend_end(struct backend *b, size_t worker)
{
	add(&b->slots[worker].n_active, -1);
}

void
service_note_opener(struct service *s, enum service_opener opener)
{
	uint8_t was = atomic_load(&s->opener);

	if (opener == OPENER_INSTANCE && was != OPENER_INSTANCE)
		atomic_store(&s->opener, OPENER_INSTANCE);
	else if (was == OPENER_UNKNOWN)
		atomic_compare_exchange_strong(&s->opener, &was, (uint8_t)opener);
}

void
service_hold(struct service *s, size_t worker)
{
	add(&s->slots[worker].n_held, 1);
}

void
service_unhold(struct service *s, size_t worker)
{
	add(&s->slots[worker].n_held, -1);
}

void
backend_failed(struct backend *b, int64_t now_ms)
{
	int64_t failed_ms = atomic_exchange(&b->failed_ms, now_ms), pause_ms;
	uint32_t n = atomic_load(&b->n_failures);

	/* What was under way when it fell fails at once: that is one failure. */
	if (n == 0 || now_ms - failed_ms >= DOWN_FIRST_MS)
		atomic_store(&b->n_failures, ++n);
	pause_ms = n > 5 ? DOWN_LAST_MS : (int64_t)DOWN_FIRST_MS << (n - 1);
	atomic_store(&b->down_until_ms, now_ms + pause_ms);
}

void
backend_works(struct backend *b)
{
	/* Almost always: and then the line stays shared by all cores. */
	if (atomic_load_explicit(&b->n_failures, memory_order_relaxed) == 0)
		return;
	atomic_store(&b->n_failures, 0);
	atomic_store(&b->down_until_ms, 0);
}

static int
set_addr(struct backend *b, const char *host, int port)
{
	if (inet_pton(AF_INET, host, &b->addr.in.sin_addr) == 1) {
		b->addr.in.sin_family = AF_INET;
		b->addr.in.sin_port = htons((uint16_t)port);
		b->addr_len = sizeof(b->addr.in);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &b->addr.in6.sin6_addr) == 1) {
		b->addr.in6.sin6_family = AF_INET6;
		b->addr.in6.sin6_port = htons((uint16_t)port);
		b->addr_len = sizeof(b->addr.in6);
		return 0;
	}
	return -1;
}

static int
parse_addr(struct backend *b, const char *text, struct fl_err *err)
{
	char *host = NULL;
	int port = 0, ret = -1;

	if (strlen(text) >= sizeof(b->name) || fl_url_hostport(text, &host, &port, NULL) == -1 ||
	    port < 1 || port > 65535 || set_addr(b, host, port) == -1) {
		fl_err_set(err, FL_ERR_INVALID, "\"%s\" is no ip:port", text);
		goto out;
	}
	memcpy(b->name, text, strlen(text) + 1);
	ret = 0;
out:
	free(host);
	return ret;
}

static struct backend *
backend_new(const struct service *s, const char *addr, struct fl_err *err)
{
	size_t size = sizeof(struct backend) + s->n_slots * sizeof(struct backend_slot);
	struct backend *b = aligned_alloc(_Alignof(struct backend), size);

	if (b == NULL)
		abort();
	memset(b, 0, size);
	b->n_slots = s->n_slots;
	if (parse_addr(b, addr, err) == -1) {
		free(b);
		return NULL;
	}
	if (s->sticky_key != NULL)
		b->sticky_id = sticky_instance_id(s->sticky_key, b->name);
	return b;
}

static bool
backend_is_busy(const void *ptr)
{
	const struct backend *b = ptr;

	for (size_t i = 0; i < b->n_slots; i++)
		if (atomic_load(&b->slots[i].n_held) > 0)
			return true;
	return false;
}

static bool
service_is_busy(const void *ptr)
{
	const struct service *s = ptr;

	for (size_t i = 0; i < s->n_slots; i++)
		if (atomic_load(&s->slots[i].n_held) > 0)
			return true;
	return false;
}

static struct backend_set *
set_new(size_t room)
{
	struct backend_set *set = fl_xmalloc(sizeof(*set) + room * sizeof(struct backend *));

	set->n = 0;
	set->leader = NULL;
	return set;
}

struct service *
service_new(const char *name, size_t n_workers)
{
	size_t size = sizeof(struct service) + n_workers * sizeof(struct service_slot);
	struct service *s = aligned_alloc(_Alignof(struct service), size);

	if (s == NULL)
		abort();
	memset(s, 0, size);
	s->name = fl_xstrdup(name);
	s->n_slots = n_workers;
	atomic_init(&s->set, set_new(0));
	return s;
}

static void
set_release(struct backend *b, const char *release)
{
	size_t len = strlen(release);

	b->release_len = (uint8_t)(len < sizeof(b->release) ? len : sizeof(b->release) - 1);
	memcpy(b->release, release, b->release_len);
}

/* The one that by_addr has, which is taken out of it; or a new one, as for another release at the same address. */
static struct backend *
find(const struct service *s, struct fl_map *by_addr, const char *addr, const char *release)
{
	struct backend *b = fl_map_get(by_addr, addr), *made;
	struct fl_err err = { 0 };

	if (b != NULL && strncmp(b->release, release, sizeof(b->release) - 1) == 0) {
		fl_map_remove(by_addr, addr);
		return b;
	}
	if ((made = backend_new(s, addr, &err)) == NULL)
		fl_log_warn("instance ignored", fl_str("err", err.msg));
	else
		set_release(made, release);
	return made;
}

bool
service_update(struct service *s, const char *const *addrs, const char *const *releases, size_t n, const char *leader,
    struct reclaim *r)
{
	struct backend_set *old = atomic_load(&s->set), *set = set_new(n);
	struct fl_map *left = fl_map_new(), *seen = fl_map_new();
	bool some_left = false;

	for (size_t i = 0; i < old->n; i++)
		fl_map_set(left, old->items[i]->name, old->items[i]);
	for (size_t i = 0; i < n; i++) {
		const char *release = releases != NULL ? releases[i] : NULL;
		struct backend *b;

		if (fl_map_get(seen, addrs[i]) != NULL || (b = find(s, left, addrs[i], release != NULL ? release : "")) == NULL)
			continue;
		fl_map_set(seen, addrs[i], b);
		set->items[set->n++] = b;
		if (leader != NULL && strcmp(addrs[i], leader) == 0)
			set->leader = b;
	}
	atomic_store(&s->set, set);
	atomic_fetch_add(&s->n_updates, 1);
	reclaim_retire(r, old, free, NULL);
	FL_MAP_EACH(left, e) {
		struct backend *b = fl_map_value(e);

		atomic_store(&b->is_retired, true);
		reclaim_retire(r, b, free, backend_is_busy);
		some_left = true;
	}
	fl_map_free(left);
	fl_map_free(seen);
	return some_left;
}

static void
service_release(void *ptr)
{
	struct service *s = ptr;

	service_update(s, NULL, NULL, 0, NULL, s->reclaim); /* its instances go now: nobody can choose them any more */
	free(atomic_load(&s->set));
	free(s->name);
	free(s);
}

void
service_retire(struct service *s, struct reclaim *r)
{
	struct backend_set *set = atomic_load(&s->set);

	for (size_t i = 0; i < set->n; i++)
		atomic_store(&set->items[i]->is_retired, true); /* no connection to it is kept */
	s->reclaim = r;
	reclaim_retire(r, s, service_release, service_is_busy);
}

static bool
is_tried(const struct backend *b, const struct backend *const tried[], size_t n_tried)
{
	for (size_t i = 0; i < n_tried; i++)
		if (tried[i] == b)
			return true;
	return false;
}

static uint32_t
load_of(const struct backend *b)
{
	uint32_t n = 0;

	for (size_t i = 0; i < b->n_slots; i++)
		n += atomic_load_explicit(&b->slots[i].n_active, memory_order_relaxed);
	return n;
}

static bool
is_down(const struct backend *b, int64_t now_ms)
{
	return atomic_load_explicit(&b->n_failures, memory_order_relaxed) > 0 &&
	    atomic_load_explicit(&b->down_until_ms, memory_order_relaxed) > now_ms;
}

/* The first from position at on that may be used; skip_down: and is not known to be down. */
static struct backend *
first_from(const struct backend_set *set, size_t at, int64_t now_ms, bool skip_down,
    const struct backend *const tried[], size_t n_tried)
{
	for (size_t i = 0; i < set->n; i++) {
		struct backend *b = set->items[(at + i) % set->n];

		if (!(skip_down && is_down(b, now_ms)) && !is_tried(b, tried, n_tried))
			return b;
	}
	return NULL;
}

static struct backend *
better_of_two(const struct backend_set *set, int64_t now_ms, uint64_t random, bool skip_down,
    const struct backend *const tried[], size_t n_tried)
{
	size_t at = (random & UINT32_MAX) % set->n, step;
	struct backend *a = first_from(set, at, now_ms, skip_down, tried, n_tried), *b;

	if (a == NULL || set->n == 1)
		return a;
	step = 1 + (random >> 32) % (set->n - 1);
	b = first_from(set, at + step, now_ms, skip_down, tried, n_tried);
	return load_of(a) <= load_of(b) ? a : b;
}

/* Its time is up: this request tries it, others wait for what comes of that. */
static void
begin_trial(struct backend *b, int64_t now_ms)
{
	int64_t until = atomic_load(&b->down_until_ms);

	if (until <= now_ms)
		atomic_compare_exchange_strong(&b->down_until_ms, &until, now_ms + TRIAL_MS);
}

struct backend *
service_pick(const struct service *s, int64_t now_ms, bool is_safe, uint64_t random, const struct backend *const tried[],
    size_t n_tried)
{
	const struct backend_set *set = atomic_load(&s->set);
	struct backend *b;

	if (set->n == 0)
		return NULL;
	b = better_of_two(set, is_safe ? now_ms : now_ms - SAFE_LEAD_MS, random, true, tried, n_tried);
	if (b == NULL)
		return better_of_two(set, now_ms, random, false, tried, n_tried);
	if (atomic_load_explicit(&b->n_failures, memory_order_relaxed) > 0)
		begin_trial(b, now_ms);
	return b;
}

struct backend *
service_find_sticky(const struct service *s, int64_t now_ms, uint64_t sticky_id, const struct backend *const tried[], size_t n_tried)
{
	const struct backend_set *set = atomic_load(&s->set);

	for (size_t i = 0; i < set->n && sticky_id != 0; i++) {
		struct backend *b = set->items[i];

		if (b->sticky_id == sticky_id)
			return !is_down(b, now_ms) && !is_tried(b, tried, n_tried) ? b : NULL;
	}
	return NULL;
}

struct backend *
service_leader(const struct service *s, const struct backend *const tried[], size_t n_tried)
{
	struct backend *leader = atomic_load(&s->set)->leader;

	return leader != NULL && !is_tried(leader, tried, n_tried) ? leader : NULL;
}
