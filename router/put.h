/*
 * put - texts written one behind the other into memory that is known to have room; each returns where the next goes.
 *
 * Inline, as the router writes two heads for every request from a score of such pieces.
 */
#ifndef ROUTER_PUT_H
#define ROUTER_PUT_H

#include <stdint.h>
#include <string.h>

#include "libflynn/http_parse.h"

/* Of a literal the compiler knows the length: it becomes a few moves. */
static inline __attribute__((always_inline)) char *
put(char *at, const char *text)
{
	return (char *)mempcpy(at, text, strlen(text));
}

static inline char *
put_span(char *at, struct fl_span s)
{
	/* A missing one is NULL, which memcpy(3) does not take. */
	return s.len > 0 ? (char *)mempcpy(at, s.p, s.len) : at;
}

/* Not negative, in decimal. */
static inline char *
put_number(char *at, int64_t number)
{
	char digits[20], *p = digits + sizeof(digits);
	uint64_t n = (uint64_t)number;

	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return (char *)mempcpy(at, p, (size_t)(digits + sizeof(digits) - p));
}

#endif
