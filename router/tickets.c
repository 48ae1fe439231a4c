#include "router/tickets.h"

#include <errno.h>
#include <event2/event.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/base64.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/log.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"
#include "router/plane.h"
#include "router/reclaim.h"

#define KEY_BYTES (TICKET_NAME_BYTES + TICKET_AES_BYTES + TICKET_MAC_BYTES)
/* Epochs that a key opens tickets for beyond its own. */
#define OPENS_LATER 1
/* Keys that are made ahead. */
#define MADE_AHEAD 1
/* A clock that is ahead of ours by more than this makes keys that we do not keep. */
#define AHEAD_MAX 2
/* How long until making a key is tried again. */
#define RETRY_MS 2000
/* The clock is looked at so often, as it may be set. */
#define TICK_MAX_MS 600000
/* So long, at random, routers wait for one another to make the next key. */
#define SPREAD_MS 60000

/* What workers see; never changed. */
struct ticket_ring {
	const EVP_CIPHER *cipher; /* borrowed */
	size_t n;
	struct ticket_key keys[]; /* the first seals */
};

struct tickets {
	struct event_base *base;
	struct plane *plane;
	struct fl_etcd *etcd; /* NULL: not shared yet */
	struct fl_etcd_mirror *mirror;
	EVP_CIPHER *cipher;
	struct event *tick;
	char *prefix;
	int rotation_s;
	bool is_synced, is_making, has_failed;
	bool is_turn; /* we have waited for other routers to make the next key */
	int64_t making; /* the epoch of the key under way */
	int64_t lease;	/* that it will have */
	struct ticket_keys keys;
};

/* ---- policy ---------------------------------------------------------------------------------- */

static void
remove_key(struct ticket_keys *k, struct ticket_key *key)
{
	*key = k->items[--k->n];
	explicit_bzero(&k->items[k->n], sizeof(k->items[k->n]));
}

void
ticket_keys_expire(struct ticket_keys *k, int64_t now)
{
	for (size_t i = k->n; i > 0; i--)
		if (k->items[i - 1].epoch < now - OPENS_LATER || k->items[i - 1].epoch > now + AHEAD_MAX)
			remove_key(k, &k->items[i - 1]);
}

static struct ticket_key *
find(struct ticket_keys *k, int64_t epoch, bool is_shared)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->items[i].epoch == epoch && k->items[i].is_shared == is_shared)
			return &k->items[i];
	return NULL;
}

struct ticket_key *
ticket_keys_shared(struct ticket_keys *k, int64_t epoch)
{
	return find(k, epoch, true);
}

const struct ticket_key *
ticket_keys_sealer(const struct ticket_keys *k, int64_t now)
{
	const struct ticket_key *key = find((struct ticket_keys *)k, now, true);

	return key != NULL ? key : find((struct ticket_keys *)k, now, false);
}

bool
ticket_keys_add(struct ticket_keys *k, const struct ticket_key *key, int64_t now)
{
	struct ticket_key *old = find(k, key->epoch, key->is_shared);

	if (key->epoch < now - OPENS_LATER || key->epoch > now + AHEAD_MAX || (old == NULL && k->n == TICKET_KEYS_MAX))
		return false;
	if (old == NULL)
		old = &k->items[k->n++];
	*old = *key;
	return true;
}

int64_t
ticket_keys_missing(struct ticket_keys *k, int64_t now)
{
	for (int64_t epoch = now; epoch <= now + MADE_AHEAD; epoch++)
		if (ticket_keys_shared(k, epoch) == NULL)
			return epoch;
	return -1;
}

static void
set_key(struct ticket_key *key, const unsigned char bytes[KEY_BYTES])
{
	memcpy(key->name, bytes, sizeof(key->name));
	memcpy(key->aes, bytes + TICKET_NAME_BYTES, sizeof(key->aes));
	memcpy(key->mac, bytes + TICKET_NAME_BYTES + TICKET_AES_BYTES, sizeof(key->mac));
}

int
ticket_key_parse(const char *text, size_t len, struct ticket_key *key)
{
	size_t n = 0;
	unsigned char *bytes = fl_base64_decode(text, len, &n, NULL);
	int ret = -1;

	if (bytes != NULL && n == KEY_BYTES) {
		set_key(key, bytes);
		ret = 0;
	}
	if (bytes != NULL)
		explicit_bzero(bytes, n);
	free(bytes);
	return ret;
}

/* ---- workers --------------------------------------------------------------------------------- */

static int
set_up(const struct ticket_ring *ring, const struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int is_sealing)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex2(cipher, ring->cipher, key->aes, iv, is_sealing, NULL) == 1 &&
	    EVP_MAC_CTX_set_params(mac, params) == 1;
}

int
tickets_seal_or_open(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
    int is_sealing)
{
	const struct plane *plane = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct ticket_ring *ring = atomic_load(&plane->tickets);

	if (is_sealing) {
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(ring->cipher)) != 1)
			return -1;
		memcpy(name, ring->keys[0].name, TICKET_NAME_BYTES);
		return set_up(ring, &ring->keys[0], iv, cipher, mac, is_sealing) ? 1 : -1;
	}
	for (size_t i = 0; i < ring->n; i++)
		if (memcmp(name, ring->keys[i].name, TICKET_NAME_BYTES) == 0)
			/* 2: and give a new ticket, sealed by the present key. */
			return !set_up(ring, &ring->keys[i], iv, cipher, mac, is_sealing) ? -1 : i == 0 ? 1 : 2;
	return 0; /* a full handshake */
}

/* ---- the ring -------------------------------------------------------------------------------- */

static void
ring_free(void *arg)
{
	struct ticket_ring *ring = arg;

	if (ring == NULL)
		return;
	explicit_bzero(ring->keys, ring->n * sizeof(ring->keys[0]));
	free(ring);
}

static int64_t
epoch_now(const struct tickets *t)
{
	return fl_clock_wall_us() / 1000000 / t->rotation_s;
}

static struct ticket_key
key_new(int64_t epoch)
{
	struct ticket_key key = { .epoch = epoch };
	unsigned char bytes[KEY_BYTES];

	fl_random_bytes(bytes, sizeof(bytes));
	set_key(&key, bytes);
	explicit_bzero(bytes, sizeof(bytes));
	return key;
}

/* Let workers go by the keys that are good now. */
static void
publish(struct tickets *t)
{
	int64_t now = epoch_now(t);
	const struct ticket_key *sealer;
	const struct ticket_ring *old;
	struct ticket_ring *ring;

	ticket_keys_expire(&t->keys, now);
	if (ticket_keys_sealer(&t->keys, now) == NULL) {
		struct ticket_key own = key_new(now);

		ticket_keys_add(&t->keys, &own, now);
		explicit_bzero(&own, sizeof(own));
	}
	sealer = ticket_keys_sealer(&t->keys, now);
	ring = fl_xcalloc(1, sizeof(*ring) + t->keys.n * sizeof(ring->keys[0]));
	ring->cipher = t->cipher;
	ring->keys[ring->n++] = *sealer;
	for (size_t i = 0; i < t->keys.n; i++)
		if (&t->keys.items[i] != sealer)
			ring->keys[ring->n++] = t->keys.items[i];
	old = atomic_exchange(&t->plane->tickets, ring);
	if (old != NULL)
		reclaim_retire(t->plane->reclaim, (void *)old, ring_free, NULL);
}

/* ---- etcd ------------------------------------------------------------------------------------ */

static void
tick_in_ms(struct tickets *t, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	evtimer_add(t->tick, &tv);
}

/* Until the next epoch begins. */
static int64_t
epoch_left_ms(const struct tickets *t)
{
	int64_t rotation_ms = (int64_t)t->rotation_s * 1000;

	return rotation_ms - fl_clock_wall_us() / 1000 % rotation_ms + 1;
}

static void
made(struct tickets *t, const struct fl_err *err)
{
	bool has_failed = err != NULL && err->kind != FL_ERR_CONFLICT; /* conflict: another router was first */
	int64_t pause_ms = RETRY_MS / 2 + fl_random_below(RETRY_MS), left_ms = epoch_left_ms(t);

	t->is_making = false;
	if (has_failed && !t->has_failed)
		fl_log_warn("session tickets cannot be shared between routers", fl_str("err", err->msg));
	t->has_failed = has_failed;
	/* Not beyond the epoch: the next one's key is to seal from its beginning. */
	tick_in_ms(t, pause_ms < left_ms ? pause_ms : left_ms);
}

static void
on_revoked(FL_UNUSED int64_t rev, FL_UNUSED const struct fl_err *err, FL_UNUSED void *arg)
{
}

static void
on_put(FL_UNUSED int64_t rev, const struct fl_err *err, void *arg)
{
	struct tickets *t = arg;

	if (err != NULL)
		fl_etcd_lease_revoke(t->etcd, t->lease, on_revoked, NULL); /* or it expires */
	else
		fl_log_info("key for session tickets made", fl_int("epoch", t->making));
	made(t, err);
}

static void
on_lease(int64_t lease, const struct fl_err *err, void *arg)
{
	struct tickets *t = arg;
	unsigned char bytes[KEY_BYTES];
	char *key, *text;

	if (err != NULL) {
		made(t, err);
		return;
	}
	t->lease = lease;
	fl_random_bytes(bytes, sizeof(bytes));
	key = fl_xasprintf("%s%lld", t->prefix, (long long)t->making);
	text = fl_base64_encode(bytes, sizeof(bytes));
	fl_etcd_put(t->etcd, key, text, lease, FL_ETCD_ABSENT, on_put, t);
	explicit_bzero(bytes, sizeof(bytes));
	explicit_bzero(text, strlen(text));
	free(text);
	free(key);
}

/* Make the key of an epoch, unless another router does. etcd forgets it when it opens nothing any more. */
static void
make(struct tickets *t, int64_t epoch)
{
	int64_t left_s = (epoch + 1 + OPENS_LATER) * t->rotation_s - fl_clock_wall_us() / 1000000;

	t->is_making = true;
	t->making = epoch;
	fl_etcd_lease_grant(t->etcd, (int)left_s, on_lease, t);
}

static void
on_tick(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct tickets *t = arg;
	int64_t now = epoch_now(t), missing, left_ms = epoch_left_ms(t);

	publish(t);
	tick_in_ms(t, left_ms < TICK_MAX_MS ? left_ms : TICK_MAX_MS);
	if (!t->is_synced || t->is_making || (missing = ticket_keys_missing(&t->keys, now)) == -1)
		return;
	if (missing > now && !t->is_turn) {
		t->is_turn = true;
		tick_in_ms(t, fl_random_below((uint32_t)(left_ms / 4 < SPREAD_MS ? left_ms / 4 + 1 : SPREAD_MS)));
		return;
	}
	t->is_turn = false;
	make(t, missing);
}

/* The epoch that a key in etcd is of, or -1. */
static int64_t
epoch_of(const struct tickets *t, const char *key)
{
	const char *text = key + strlen(t->prefix);
	char *end;
	long long epoch;

	errno = 0;
	epoch = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && epoch >= 0 ? epoch : -1;
}

static void
on_key(const struct fl_etcd_kv *kv, void *arg)
{
	struct tickets *t = arg;
	struct ticket_key key = { .epoch = epoch_of(t, kv->key), .is_shared = true };

	if (key.epoch == -1 || ticket_key_parse(kv->value, kv->value_len, &key) == -1)
		fl_log_warn("key for session tickets in etcd ignored", fl_str("key", kv->key), fl_str("err", "it is malformed"));
	else if (ticket_keys_add(&t->keys, &key, epoch_now(t)))
		publish(t);
	explicit_bzero(&key, sizeof(key));
}

static void
on_delete(const char *name, void *arg)
{
	struct tickets *t = arg;
	struct ticket_key *key = ticket_keys_shared(&t->keys, epoch_of(t, name));

	if (key == NULL)
		return;
	remove_key(&t->keys, key);
	publish(t);
	tick_in_ms(t, fl_random_below(RETRY_MS));
}

static void
on_synced(void *arg)
{
	struct tickets *t = arg;

	t->is_synced = true;
	tick_in_ms(t, 0);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct tickets *
tickets_new(struct event_base *base, struct plane *plane, int rotation_s)
{
	struct tickets *t = fl_xcalloc(1, sizeof(*t));

	t->base = base;
	t->plane = plane;
	t->rotation_s = rotation_s;
	t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	t->tick = evtimer_new(base, on_tick, t);
	/* Routers that rotate at another pace have keys of their own. */
	t->prefix = fl_xasprintf("%s%d/", TICKETS_PREFIX, rotation_s);
	on_tick(-1, EV_TIMEOUT, t);
	return t;
}

void
tickets_share(struct tickets *t, struct fl_etcd *etcd)
{
	static const struct fl_etcd_mirror_ops ops = { on_key, on_delete, on_synced };

	t->etcd = etcd;
	t->mirror = fl_etcd_mirror_start(etcd, t->prefix, &ops, t);
}

void
tickets_free(struct tickets *t)
{
	if (t == NULL)
		return;
	fl_etcd_mirror_free(t->mirror);
	ring_free((void *)atomic_load(&t->plane->tickets));
	atomic_store(&t->plane->tickets, NULL);
	event_free(t->tick);
	EVP_CIPHER_free(t->cipher);
	explicit_bzero(&t->keys, sizeof(t->keys));
	free(t->prefix);
	free(t);
}
