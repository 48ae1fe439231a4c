/*
 * table - which target a host name or a TCP port leads to: made by the control thread, never
 * changed once workers can see it.
 */
#ifndef ROUTER_TABLE_H
#define ROUTER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service;
struct tls_cert;

/* The longest host name, RFC 1035. */
#define TABLE_MAX_KEY 255

/* What a route says, for workers. */
struct target {
	struct service *service;
	struct tls_cert *cert; /* NULL: no HTTPS */
	char key[];	       /* "www.example.com", "*.example.com", ":2222" */
};

struct table_slot {
	uint64_t hash;
	const struct target *target; /* NULL: empty */
};

struct table {
	uint64_t seed;
	size_t n;
	size_t mask;
	bool has_wildcards;
	struct table_slot slots[];
};

/* key in lower case. The service is borrowed, cert is the target's. */
struct target *target_new(const char *key, struct service *service, struct tls_cert *cert);
void target_free(void *target);

/*
 * An empty table with room for n targets. Free it with free(3). seed: a random number, so that
 * strangers cannot choose names that collide.
 */
struct table *table_new(size_t n, uint64_t seed);
/* Keys must differ. The target is borrowed. */
void table_add(struct table *t, const struct target *target);
/* The target with exactly that key, or NULL. */
const struct target *table_find(const struct table *t, const char *key, size_t len);
/* The target of a host: exact, else the wildcard with the most labels ("*.example.com" for a.b.example.com too). */
const struct target *table_find_host(const struct table *t, const char *host, size_t len);

/*
 * Make a host comparable: port off, one trailing dot off, lower case. Returns the length, or 0 when
 * it is empty, too long or has a byte that no host name or address has.
 */
size_t table_normalise_host(const char *host, size_t len, char out[TABLE_MAX_KEY + 1]);

#endif
