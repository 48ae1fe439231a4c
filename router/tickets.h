/*
 * tickets - the keys that seal TLS session tickets: one set for all routers of the cluster, renewed by the clock.
 *
 * Time is cut into epochs of rotation_s seconds since 1970, each with a key of its own in etcd below
 * TICKETS_PREFIX, which no API shows. Whichever router is first makes the key of this epoch and that of the
 * next, so that all know a key an epoch before anybody seals with it. A key seals for one epoch and opens for one
 * more: what it protects is lost at most three epochs after it was made, when its lease makes etcd forget it too.
 * Deleting the keys from etcd revokes them. While there is no shared key for the epoch, a random one of this
 * process stands in.
 *
 * Control thread, but for tickets_seal_or_open().
 */
#ifndef ROUTER_TICKETS_H
#define ROUTER_TICKETS_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct fl_etcd;
struct plane;
struct tickets;

#define TICKETS_PREFIX "/router-tls/tickets/"
/* What a key is in etcd, as base64: the name, the key of AES-256, that of HMAC-SHA256. */
#define TICKET_NAME_BYTES 16
#define TICKET_AES_BYTES 32
#define TICKET_MAC_BYTES 32
#define TICKET_KEYS_MAX 16

struct ticket_key {
	int64_t epoch;
	bool is_shared; /* with the other routers; else of this process alone */
	unsigned char name[TICKET_NAME_BYTES], aes[TICKET_AES_BYTES], mac[TICKET_MAC_BYTES];
};

/* The keys known. */
struct ticket_keys {
	struct ticket_key items[TICKET_KEYS_MAX];
	size_t n;
};

/* Policy, apart from clocks and etcd. */
/* Forget, and wipe, those that open nothing any more in epoch now. */
void ticket_keys_expire(struct ticket_keys *k, int64_t now);
/* The key to seal with in epoch now: the shared one, else our own; NULL when there is neither. */
const struct ticket_key *ticket_keys_sealer(const struct ticket_keys *k, int64_t now);
/* The shared key of an epoch, or NULL. */
struct ticket_key *ticket_keys_shared(struct ticket_keys *k, int64_t epoch);
/* Take a key in, in place of the one of its kind and epoch. False: there is no room, or it is of no use in epoch now. */
bool ticket_keys_add(struct ticket_keys *k, const struct ticket_key *key, int64_t now);
/* The epoch of the next shared key to make in epoch now, or -1: all are there. */
int64_t ticket_keys_missing(struct ticket_keys *k, int64_t now);
/* Read a key's text of etcd; -1: it is none. */
int ticket_key_parse(const char *text, size_t len, struct ticket_key *key);

/* With a key of this process to begin with: plane->tickets is set on return. */
struct tickets *tickets_new(struct event_base *base, struct plane *plane, int rotation_s);
/* Share keys from now on. etcd is borrowed. */
void tickets_share(struct tickets *t, struct fl_etcd *etcd);
/* Before its etcd; workers have ended. */
void tickets_free(struct tickets *t);

/* For SSL_CTX_set_tlsext_ticket_key_evp_cb(3): plane is the app data of the SSL's context. Any worker, within its turn. */
int tickets_seal_or_open(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
    int is_sealing);

#endif
