/*
 * dns_zone - what names under "discoverd" mean: the registry's picture as DNS answers.
 *
 *	<service>.discoverd			all instances
 *	_<service>._<proto>.discoverd		those of a protocol (RFC 2782)
 *	leader.<service>.discoverd		the leader
 *	<id>.<service>._i.discoverd		one instance; what SRV records point at
 */
#ifndef DISCOVERD_DNS_ZONE_H
#define DISCOVERD_DNS_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dns_query;
struct registry;

/* Whether the question is about us. */
bool dns_zone_has(const struct dns_query *q);
/*
 * Write the answer to such a question, at most max bytes (DNS_UDP_MIN at least) at out; returns its length. Records come
 * in random order. Until the registry is known the answer is SERVFAIL: nobody must remember that a name is not there.
 */
size_t dns_zone_answer(const struct registry *r, const uint8_t *query, const struct dns_query *q, uint8_t *out, size_t max);

#endif
