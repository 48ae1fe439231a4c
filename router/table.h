/*
 * table - which target a host name or a TCP port leads to: made by the control thread, never
 * changed once workers can see it.
 */
#ifndef ROUTER_TABLE_H
#define ROUTER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/http_parse.h"

struct service;
struct tally;
struct tls_cert;

/* The longest host name, RFC 1035. */
#define TABLE_MAX_KEY 255

/* What a route says, for workers. Never changed. */
struct target {
	struct service *service;
	struct tls_cert *cert; /* NULL: no HTTPS */
	const char *path;      /* "/api": of requests at and below it; "": of all */
	char *maintenance;     /* NULL: in service; else a sentence for those who come */
	struct tally *tally;   /* of the route; borrowed */
	uint16_t path_len;
	bool sticky;	     /* clients stay with an instance */
	bool leader;	     /* to the service's leader only */
	bool redirect_https; /* what comes without TLS is sent there */
	char key[];	     /* "www.example.com", "*.example.com", ":2222"; the path is behind it */
};

/* What a target is made of; all is copied but service and tally, which are borrowed, and cert, which becomes the target's. */
struct target_spec {
	const char *key;  /* in lower case */
	const char *path; /* NULL: "" */
	const char *maintenance;
	struct service *service;
	struct tls_cert *cert;
	struct tally *tally;
	bool sticky, leader, redirect_https;
};

/* The targets of one host that differ by path. */
struct table_paths {
	size_t n;
	const struct target *targets[]; /* the longest path first */
};

struct table_slot {
	uint64_t hash;
	const void *entry; /* NULL: empty. A target; or, a byte behind its start, a table_paths, which is the block's */
};

/* A part of the slots that the copies of a table share until one of them adds to it. */
#define TABLE_BLOCK 256
struct table_block {
	struct table_slot slots[TABLE_BLOCK]; /* first: none of them is in two cache lines */
	size_t n_tables;		      /* that have it; the control thread's */
};

struct table {
	uint64_t seed;
	size_t n;
	size_t mask; /* slots less one */
	bool has_wildcards;
	struct table_block *blocks[];
};

struct target *target_new(const struct target_spec *spec);
void target_free(void *target);

/* An empty table with room for n targets. seed: a random number, so that strangers cannot choose names that collide. */
struct table *table_new(size_t n, uint64_t seed);
/* The same once more, with room for n_more targets; NULL: it is too full for that. */
struct table *table_copy(const struct table *t, size_t n_more);
/* The table, not the targets. */
void table_free(void *table);
/* Before the table is shared. Keys with their paths must differ. The target is borrowed. */
void table_add(struct table *t, const struct target *target);
/* The target with exactly that key, which has none with a path, or NULL. */
const struct target *table_find(const struct table *t, const char *key, size_t len);
/*
 * The target of a request: that with the longest path it is below, of the host itself; when it has none, of the wildcard
 * with the most labels that has one ("*.example.com" for a.b.example.com too). NULL: there is none; or, with *is_ambiguous
 * set, the path can be read as that of another route (path.h).
 */
const struct target *table_find_route(const struct table *t, const char *host, size_t len, struct fl_span path, bool *is_ambiguous);
/* The certificate for a host: of its route without a path if that has one, else of another, else of the nearest wildcard. */
struct tls_cert *table_find_cert(const struct table *t, const char *host, size_t len);

/*
 * Make a host comparable: port off, one trailing dot off, lower case. Returns the length, or 0 when
 * it is empty, too long or has a byte that no host name or address has.
 */
size_t table_normalise_host(const char *host, size_t len, char out[TABLE_MAX_KEY + 1]);

#endif
