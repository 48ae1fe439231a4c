/*
 * path - the path of a request, as routes with a path prefix match it.
 *
 * What is forwarded is the path as it came, and servers read one path in different ways. Whoever could make us read one
 * route's path where the instance reads another's would slip past that other route. So there are several readings, and
 * table.c serves only what leads to the same route in all of them.
 */
#ifndef ROUTER_PATH_H
#define ROUTER_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "libflynn/http_parse.h"

/* The longest that is read: of a request, and of a route. */
#define PATH_MAX_READ FL_HTTP_MAX_LINE
#define PATH_MAX_ROUTE 255

enum path_reading {
	PATH_DECODED,  /* percent-encoding taken off, but for that of a slash */
	PATH_RESOLVED, /* and "." and ".." resolved: RFC 3986 6.2.2 */
	PATH_LOOSE,    /* decoded as servers are known to do: twice, "\" and "%2F" are slashes, "//" is one, ";x" is no part of
			  a segment, a NUL ends it */
	PATH_LOOSE_RESOLVED,
	PATH_READINGS
};

/* The path of a request target, without its query; "/" for "*" and for an authority alone. */
struct fl_span path_of(const struct fl_http_head *h);
/* Whether all readings of it are the path itself. */
bool path_is_plain(struct fl_span path);
/* Write that reading of it, never longer than path, which begins with "/" and has at most PATH_MAX_READ bytes. Its length. */
size_t path_read(char *out, struct fl_span path, enum path_reading reading);
/* Whether it is prefix or below it; "" is above all. */
bool path_is_below(struct fl_span path, const char *prefix, size_t prefix_len);

/*
 * Whether a route may have it: "/a/b", decoded, UTF-8 or not, no empty, "." or ".." segment, none of the bytes that have a
 * meaning elsewhere in a URL, no slash at its end, at most PATH_MAX_ROUTE bytes. Its plain reading is then its only one.
 */
bool path_is_routable(const char *path);

#endif
