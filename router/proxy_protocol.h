/*
 * proxy_protocol - the header by which a proxy says, before all else, whose connection it passes on: the
 * PROXY protocol, versions 1 and 2 (haproxy.org/download/2.6/doc/proxy-protocol.txt).
 *
 * Strict: what is not exactly as the text has it is refused at the first byte that shows it.
 */
#ifndef ROUTER_PROXY_PROTOCOL_H
#define ROUTER_PROXY_PROTOCOL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fl_err;

/* The longest header that is taken: version 1 has at most 107 bytes, the TLVs of version 2 some hundred. */
#define PROXY_PROTOCOL_MAX 4096

struct proxy_header {
	size_t len;	  /* of the header: what follows it is the client's */
	bool has_address; /* else it is the proxy's own connection (LOCAL), or it does not know whose (UNKNOWN, UNSPEC) */
	struct in6_addr peer; /* the client's, IPv4 mapped */
	uint16_t port;	      /* that the client connected to */
};

enum proxy_result {
	PROXY_ERROR = -1, /* err (INVALID) says why */
	PROXY_MORE = 0,	  /* so far it is right; never so at PROXY_PROTOCOL_MAX bytes */
	PROXY_DONE = 1
};

/* Whether data begins with a header. */
enum proxy_result proxy_parse(const char *data, size_t len, struct proxy_header *h, struct fl_err *err);

#endif
