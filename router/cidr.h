/*
 * cidr - networks that an option names, as "10.0.0.0/8,2001:db8::/32,192.0.2.7".
 */
#ifndef ROUTER_CIDR_H
#define ROUTER_CIDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct fl_err;

struct cidr {
	struct in6_addr net; /* IPv4 mapped */
	unsigned bits;	     /* of 128 */
};

struct cidr_list {
	size_t n;
	struct cidr items[];
};

/* "none" is a list of none. An address without "/" is itself alone. Free it with free(3). NULL with err (INVALID). */
struct cidr_list *cidr_list_parse(const char *text, struct fl_err *err);
/* Whether addr (IPv4 mapped) is in one of them. */
bool cidr_list_has(const struct cidr_list *l, const struct in6_addr *addr);

#endif
