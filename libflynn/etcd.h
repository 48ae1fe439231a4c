/*
 * etcd - keys, leases and a mirrored prefix over etcd's v3 JSON gateway.
 *
 * Authenticates as root with the cluster key, and turns etcd's authentication on with it when it is off
 * (the first daemon to reach a new etcd does so). Tokens are renewed when etcd forgets them.
 */
#ifndef FL_ETCD_H
#define FL_ETCD_H

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct fl_err;
struct fl_etcd;
struct fl_etcd_mirror;

/* urls: comma list, the next is tried when one fails. */
struct fl_etcd *fl_etcd_new(struct event_base *base, const char *urls, const char *key);
void fl_etcd_free(struct fl_etcd *e);

struct fl_etcd_kv {
	const char *key, *value; /* NUL-terminated, borrowed */
	size_t value_len;
	int64_t create_rev, mod_rev, lease;
};

/* err NULL: done. rev: the store's revision then. */
typedef void (*fl_etcd_cb)(int64_t rev, const struct fl_err *err, void *arg);
typedef void (*fl_etcd_get_cb)(const struct fl_etcd_kv *kvs, size_t n, int64_t rev, const struct fl_err *err, void *arg);

/* All keys that start with prefix, by create revision. */
void fl_etcd_get(struct fl_etcd *e, const char *prefix, fl_etcd_get_cb cb, void *arg);

/* mod_rev to compare before a change. */
#define FL_ETCD_ANY ((int64_t)-1)
#define FL_ETCD_ABSENT ((int64_t)0)
/* Put if the key's mod revision is as expected (else CONFLICT). lease 0: none. */
void fl_etcd_put(struct fl_etcd *e, const char *key, const char *value, int64_t lease, int64_t expected_mod_rev, fl_etcd_cb cb, void *arg);
/* Delete one key; NOT_FOUND when it was not there. */
void fl_etcd_delete(struct fl_etcd *e, const char *key, fl_etcd_cb cb, void *arg);
/* Delete one key if its mod revision is still as expected (else CONFLICT). */
void fl_etcd_delete_at(struct fl_etcd *e, const char *key, int64_t expected_mod_rev, fl_etcd_cb cb, void *arg);
void fl_etcd_delete_prefix(struct fl_etcd *e, const char *prefix, fl_etcd_cb cb, void *arg);

/* Leases; cb's rev is the lease id for grant, the TTL left for keepalive (NOT_FOUND: expired). */
void fl_etcd_lease_grant(struct fl_etcd *e, int ttl_s, fl_etcd_cb cb, void *arg);
void fl_etcd_lease_keepalive(struct fl_etcd *e, int64_t lease, fl_etcd_cb cb, void *arg);
void fl_etcd_lease_revoke(struct fl_etcd *e, int64_t lease, fl_etcd_cb cb, void *arg);

/*
 * mirror - keep knowing everything under a prefix: a full read, then a watch from there, again in full after
 * compaction or a lost connection. After each full read, keys that vanished meanwhile are reported as deleted, then
 * on_synced. While etcd is away nothing is reported: what was known stays known.
 */
struct fl_etcd_mirror_ops {
	void (*on_put)(const struct fl_etcd_kv *kv, void *arg); /* new or changed */
	void (*on_delete)(const char *key, void *arg);
	void (*on_synced)(void *arg); /* may be NULL */
};

struct fl_etcd_mirror *fl_etcd_mirror_start(struct fl_etcd *e, const char *prefix, const struct fl_etcd_mirror_ops *ops, void *arg);
/* Before its etcd. */
void fl_etcd_mirror_free(struct fl_etcd_mirror *m);

#endif
