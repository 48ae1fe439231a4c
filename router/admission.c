#include "router/admission.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/list.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"

/* Descriptors for listeners, pollers, pipes, etcd, discoverd and the API. */
#define OURS 128
#define MAX_MIN 16

/* So many threads seldom meet; each shard has buckets of its own. */
#define SHARDS 64
#define BUCKETS 1024

struct visitor {
	SLIST_ENTRY(visitor) link;
	uint64_t key[2];
	unsigned n; /* never 0 */
};

SLIST_HEAD(bucket, visitor);

struct shard {
	pthread_mutex_t lock;
	struct bucket buckets[BUCKETS];
};

struct admission {
	_Alignas(64) atomic_size_t n;
	_Alignas(64) size_t max;
	unsigned max_per_client;
	uint64_t seed[2]; /* so that strangers cannot choose addresses that collide */
	struct shard *shards; /* NULL: clients are not counted */
};

size_t
admission_default_max(size_t n_descriptors)
{
	size_t n = n_descriptors > OURS ? (n_descriptors - OURS) / 2 : 0;

	return n > MAX_MIN ? n : MAX_MIN;
}

struct admission *
admission_new(size_t max, unsigned max_per_client)
{
	struct admission *a = aligned_alloc(_Alignof(struct admission), sizeof(*a));

	if (a == NULL)
		abort(); /* as all allocation does */
	memset(a, 0, sizeof(*a));
	a->max = max;
	a->max_per_client = max_per_client;
	fl_random_bytes(a->seed, sizeof(a->seed));
	if (max_per_client == 0)
		return a;
	a->shards = fl_xcalloc(SHARDS, sizeof(*a->shards));
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&a->shards[i].lock, NULL);
	return a;
}

static void
shard_release(struct shard *s)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct visitor *v;

		while ((v = SLIST_FIRST(&s->buckets[i])) != NULL) {
			SLIST_REMOVE_HEAD(&s->buckets[i], link);
			free(v);
		}
	}
	pthread_mutex_destroy(&s->lock);
}

void
admission_free(struct admission *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; a->shards != NULL && i < SHARDS; i++)
		shard_release(&a->shards[i]);
	free(a->shards);
	free(a);
}

bool
admission_enter(struct admission *a)
{
	if (atomic_fetch_add_explicit(&a->n, 1, memory_order_relaxed) < a->max)
		return true;
	admission_leave(a);
	return false;
}

void
admission_leave(struct admission *a)
{
	atomic_fetch_sub_explicit(&a->n, 1, memory_order_relaxed);
}

bool
admission_has_clients(const struct admission *a)
{
	return a->shards != NULL;
}

static void
make_key(const struct in6_addr *addr, uint64_t key[2])
{
	memcpy(key, addr, sizeof(*addr));
	if (!IN6_IS_ADDR_V4MAPPED(addr))
		key[1] = 0;
}

/* Keyed: what falls into one bucket cannot be told from outside. */
static uint64_t
mix(uint64_t x, uint64_t seed)
{
	x = (x ^ seed) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 31 ^ seed) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 32;
}

static struct bucket *
find_bucket(struct admission *a, const uint64_t key[2], struct shard **shard)
{
	uint64_t hash = mix(key[1] ^ mix(key[0], a->seed[0]), a->seed[1]);

	*shard = &a->shards[hash % SHARDS];
	return &(*shard)->buckets[hash / SHARDS % BUCKETS];
}

static struct visitor *
find_visitor(const struct bucket *b, const uint64_t key[2])
{
	struct visitor *v;

	SLIST_FOREACH(v, b, link) {
		if (v->key[0] == key[0] && v->key[1] == key[1])
			return v;
	}
	return NULL;
}

bool
admission_enter_client(struct admission *a, const struct in6_addr *addr)
{
	struct shard *shard;
	struct bucket *b;
	struct visitor *v;
	uint64_t key[2];
	bool may;

	make_key(addr, key);
	b = find_bucket(a, key, &shard);
	pthread_mutex_lock(&shard->lock);
	if ((v = find_visitor(b, key)) == NULL) {
		v = fl_xcalloc(1, sizeof(*v));
		memcpy(v->key, key, sizeof(key));
		SLIST_INSERT_HEAD(b, v, link);
	}
	may = v->n < a->max_per_client;
	v->n += may;
	pthread_mutex_unlock(&shard->lock);
	return may;
}

void
admission_leave_client(struct admission *a, const struct in6_addr *addr)
{
	struct shard *shard;
	struct bucket *b;
	struct visitor *v;
	uint64_t key[2];

	make_key(addr, key);
	b = find_bucket(a, key, &shard);
	pthread_mutex_lock(&shard->lock);
	v = find_visitor(b, key);
	assert(v != NULL);
	if (--v->n == 0) {
		SLIST_REMOVE(b, v, visitor, link);
		free(v);
	}
	pthread_mutex_unlock(&shard->lock);
}
