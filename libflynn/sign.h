/*
 * sign - keys compared in constant time, and URLs that carry a right of their own.
 *
 * A signed URL lets its holder read or write one path of shelf without the cluster key:
 * ?sig=r<64 hex> or ?sig=w<64 hex>, HMAC-SHA-256 under the cluster key of the letter and the
 * path. "w" may PUT, GET and HEAD; "r" may GET and HEAD.
 */
#ifndef FL_SIGN_H
#define FL_SIGN_H

#include <stdbool.h>
#include <stddef.h>

enum fl_sign_right { FL_SIGN_READ = 'r', FL_SIGN_WRITE = 'w' };

/* base is "http://host:port", path starts with "/". The caller frees. */
char *fl_sign_url(const char *key, const char *base, const char *path, enum fl_sign_right right);
/* Whether sig (the query's value) grants method on path. */
bool fl_sign_allows(const char *key, const char *method, const char *path, const char *sig);

/* Constant-time for equal lengths; NULL equals nothing. */
bool fl_sign_key_eq(const char *a, const char *b);
/* The value of an Authorization header that sends key: "Basic base64(:key)". Caller frees. */
char *fl_sign_basic(const char *key);
/* Whether an Authorization header's value carries key as Basic password, whatever the user. */
bool fl_sign_basic_ok(const char *authorization, const char *key);

#endif
