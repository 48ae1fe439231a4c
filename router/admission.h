/*
 * admission - how many connections of clients are let in: of all together, and of one client.
 *
 * A client is an IPv4 address, or an IPv6 network of 64 bits, as that is what one subscriber has. Any thread.
 */
#ifndef ROUTER_ADMISSION_H
#define ROUTER_ADMISSION_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct admission;

/* max: of all; max_per_client: 0 is any. */
struct admission *admission_new(size_t max, unsigned max_per_client);
void admission_free(struct admission *a);

/* One more connection. False: no, that is enough. What was let in leaves when it is closed. */
bool admission_enter(struct admission *a);
void admission_leave(struct admission *a);

/* Whether clients are counted at all; if not, the following are not to be called. */
bool admission_has_clients(const struct admission *a);
bool admission_enter_client(struct admission *a, const struct in6_addr *addr);
void admission_leave_client(struct admission *a, const struct in6_addr *addr);

/*
 * How many connections a process with so many descriptors may let in: each may need one more to an instance,
 * and some are for ourselves.
 */
size_t admission_default_max(size_t n_descriptors);

#endif
