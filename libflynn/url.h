/*
 * url - http URLs and query strings (RFC 3986), parsed strictly.
 */
#ifndef FL_URL_H
#define FL_URL_H

#include <stddef.h>
#include <stdint.h>

struct fl_buf;
struct fl_err;

struct fl_url {
	char *scheme; /* lower case */
	char *user;   /* NULL: none */
	char *host;   /* IPv6 without brackets */
	int port;     /* of the URL or the scheme's default; 0: none known */
	char *path;   /* "/" at least, still encoded, with query */
};

int fl_url_parse(const char *text, struct fl_url *url, struct fl_err *err);
void fl_url_release(struct fl_url *url);

/* "host:port", "[::1]:port", ":port" (host ""); -1 with INVALID. The caller frees host. */
int fl_url_hostport(const char *text, char **host, int *port, struct fl_err *err);

/* Percent-decode len bytes; "+" is a space when form is set. NULL when malformed or with a NUL. Caller frees. */
char *fl_url_decode(const char *text, size_t len, int form);
/* Percent-encode all but unreserved characters. Caller frees. */
char *fl_url_encode(const char *text);
/* Append "&name=value", the value encoded; nothing when it is NULL. */
void fl_url_add_query(struct fl_buf *b, const char *name, const char *value);
/* The decoded first value of name in a query string ("a=1&b=2"), or NULL. Caller frees. */
char *fl_url_query(const char *query, const char *name);

#endif
