/*
 * forwarded - what an instance is told of the way that a request has come: X-Forwarded-For, -Proto, -Port,
 * Forwarded (RFC 7239) and X-Request-Start.
 */
#ifndef ROUTER_FORWARDED_H
#define ROUTER_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>

#include "libflynn/http_parse.h"

struct head_origin;

/* What is done with those headers when a client sends them. */
enum forwarded_trust {
	FORWARDED_APPEND,  /* lists are kept, and our entry is their last; what is no list is ours */
	FORWARDED_REPLACE, /* only ours */
	FORWARDED_KEEP	   /* a trusted proxy's: lists as above, and the rest is kept where it is valid */
};

/* What forwarded_write() adds at most, beside twice the peer's length and what the client's head has of these headers. */
#define FORWARDED_MAX 256

/*
 * Write them, and return the end. is_told: the client sent some of them, as h has it; when false h is
 * not looked at.
 */
char *forwarded_write(char *at, const struct fl_http_head *h, const struct head_origin *from, bool is_told);

/*
 * Whether it is a list as RFC 7239 4 has it. One that is not could make what follows it unreadable, our
 * own entry that is, by a quote that it opens.
 */
bool forwarded_is_valid(struct fl_span list);

/* Whether the client came by HTTPS, to us or to the proxy that is trusted. */
bool forwarded_is_https(const struct fl_http_head *h, bool is_tls, enum forwarded_trust trust);

#endif
