/*
 * sticky - the cookie that keeps a client with the instance it came to first.
 *
 * _backend=<hex of: when it ends, the instance's opaque id, a MAC>. The MAC is HMAC-SHA-256 (first half) over the route's
 * host and path and what stands before it, under a key that all routers of a cluster derive from its key: nobody else
 * can make one, and one route's is no use for another. An instance's id is made of its address under that key, too.
 */
#ifndef ROUTER_STICKY_H
#define ROUTER_STICKY_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fl_http_head;
struct target;

#define STICKY_KEY_LEN 32
/* Since a cookie was given. One past the half of it is renewed. */
#define STICKY_TTL_S 86400
/* What sticky_write() writes at most. */
#define STICKY_VALUE_MAX 1024

/* A request of a sticky route. */
struct sticky {
	uint64_t instance; /* that its cookie names; 0: it has no valid one */
	bool is_young;	   /* the cookie need not be renewed */
	bool is_secure;	   /* the client came by HTTPS */
	char route[];	   /* the host, NUL, the path, NUL */
};

void sticky_derive_key(unsigned char key[STICKY_KEY_LEN], const char *cluster_key);
/* The id of an instance by its "ip:port"; never 0. Control thread. */
uint64_t sticky_instance_id(const unsigned char key[STICKY_KEY_LEN], const char *addr);

/* What computes MACs, for one thread. Free with EVP_MAC_CTX_free(3). */
EVP_MAC_CTX *sticky_mac_new(const unsigned char key[STICKY_KEY_LEN]);
/* now_s: since the epoch. Free with free(3). */
struct sticky *sticky_read(EVP_MAC_CTX *mac, const struct target *t, const struct fl_http_head *h, bool is_secure, int64_t now_s);
/* The value of the Set-Cookie that tells the client to stay with that instance, or nothing if its cookie does. Its length. */
size_t sticky_write(EVP_MAC_CTX *mac, const struct sticky *s, uint64_t instance, int64_t now_s, char out[STICKY_VALUE_MAX]);

#endif
