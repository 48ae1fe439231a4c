/*
 * body - what a request's JSON body may be; each answers 400 itself when it is not.
 */
#ifndef CONTROLLER_BODY_H
#define CONTROLLER_BODY_H

#include <stddef.h>

#include "libflynn/uuid.h"

struct fl_err;
struct fl_http_req;
struct fl_json;

#define BODY_MAX ((size_t)1 << 20)
#define BODY_MAX_RELEASE ((size_t)4 << 20)

/* The body, an object of at most max_bytes; NULL: answered. */
const struct fl_json *body_object(struct fl_http_req *req, size_t max_bytes);
/*
 * The same for the routes that insist on a Content-Type of JSON and answer in another shape, as in 2014. An empty body is
 * an empty object there: that is NULL, which readers of JSON take. -1: answered.
 */
int body_bind(struct fl_http_req *req, const struct fl_json **out);
/* An optional id: out is "" without one. -1: answered. */
int body_id(struct fl_http_req *req, const struct fl_json *obj, const char *key, char out[FL_UUID_LEN + 1]);
/* An optional string without control characters, of at most max bytes; *out is untouched without one. -1: answered. */
int body_str(struct fl_http_req *req, const struct fl_json *obj, const char *key, size_t max, const char **out);

/* Whether v is null or an object whose values are strings; the sentence calls it what. */
int body_check_strings(const struct fl_json *v, const char *what, struct fl_err *err);
/* Whether v is null or an array of strings. */
int body_check_words(const struct fl_json *v, const char *what, struct fl_err *err);
/* v as text, def when it is null; the caller frees. */
char *body_text(const struct fl_json *v, const char *def);

#endif
