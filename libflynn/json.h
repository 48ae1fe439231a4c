/*
 * json - JSON values read with bounds, and JSON text written.
 *
 * Parsing is yajl's SAX parser building our own tree: strict RFC 8259, no comments, no
 * duplicate keys, valid UTF-8, no \u0000 in strings, one value and nothing behind it,
 * at most depth 64 and 16 MiB (or the caller's bound).
 */
#ifndef FL_JSON_H
#define FL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fl_buf;
struct fl_err;
struct fl_json;

enum fl_json_type {
	FL_JSON_NULL,
	FL_JSON_BOOL,
	FL_JSON_NUMBER,
	FL_JSON_STRING,
	FL_JSON_ARRAY,
	FL_JSON_OBJECT,
};

#define FL_JSON_MAX_BYTES (16u << 20)
#define FL_JSON_MAX_DEPTH 64

/* The root owns the tree. NULL with INVALID or TOO_BIG. */
struct fl_json *fl_json_parse(const char *text, size_t len, struct fl_err *err);
/* The same with another bound than FL_JSON_MAX_BYTES, for what somebody trusted says at length. */
struct fl_json *fl_json_parse_max(const char *text, size_t len, size_t max_bytes, struct fl_err *err);
void fl_json_free(struct fl_json *root);
struct fl_json *fl_json_dup(const struct fl_json *v);

/* All readers take NULL (absent) and answer as for JSON null. */
enum fl_json_type fl_json_type(const struct fl_json *v);
bool fl_json_is_null(const struct fl_json *v);
/* The member of an object, or NULL. */
const struct fl_json *fl_json_get(const struct fl_json *obj, const char *key);
/* Members of an object or items of an array; 0 for others. */
size_t fl_json_len(const struct fl_json *v);
const struct fl_json *fl_json_at(const struct fl_json *v, size_t i);
const char *fl_json_key_at(const struct fl_json *obj, size_t i);
/* The value when it has the type, else the default. Strings are borrowed. */
const char *fl_json_str(const struct fl_json *v, const char *def);
/* The string that is a member of an object, borrowed; "" when there is none. */
const char *fl_json_text(const struct fl_json *obj, const char *key);
int64_t fl_json_int(const struct fl_json *v, int64_t def);
double fl_json_double(const struct fl_json *v, double def); /* any number, whole or not */
bool fl_json_bool(const struct fl_json *v, bool def);

/*
 * Strict members: absent or null leaves *out alone and returns 0; a wrong type returns
 * -1 with INVALID and a sentence that names the member. int: no fraction, within min..max.
 */
int fl_json_member_str(const struct fl_json *obj, const char *key, const char **out, struct fl_err *err);
int fl_json_member_int(const struct fl_json *obj, const char *key, int64_t min, int64_t max, int64_t *out, struct fl_err *err);
int fl_json_member_bool(const struct fl_json *obj, const char *key, bool *out, struct fl_err *err);
/* The member when it is an object / array (NULL when absent or null). */
int fl_json_member_obj(const struct fl_json *obj, const char *key, const struct fl_json **out, struct fl_err *err);
int fl_json_member_arr(const struct fl_json *obj, const char *key, const struct fl_json **out, struct fl_err *err);

/*
 * Writing: compact text appended to a buf. Commas and colons are the writer's; keys
 * come with the value inside objects and are NULL inside arrays and at the top.
 *
 *	struct fl_jsonw w = fl_jsonw(&b);
 *	fl_jsonw_open(&w, NULL, '{');
 *	fl_jsonw_str(&w, "id", id);
 *	fl_jsonw_close(&w, '}');
 */
struct fl_jsonw {
	struct fl_buf *buf;
	bool comma;
};

struct fl_jsonw fl_jsonw(struct fl_buf *b);
void fl_jsonw_open(struct fl_jsonw *w, const char *key, char bracket);
void fl_jsonw_close(struct fl_jsonw *w, char bracket);
/* s NULL writes null. Invalid UTF-8 is written as U+FFFD. */
void fl_jsonw_str(struct fl_jsonw *w, const char *key, const char *s);
void fl_jsonw_strn(struct fl_jsonw *w, const char *key, const char *s, size_t len);
/* As str, but nothing at all for NULL and "". */
void fl_jsonw_str_oe(struct fl_jsonw *w, const char *key, const char *s);
void fl_jsonw_int(struct fl_jsonw *w, const char *key, int64_t n);
void fl_jsonw_double(struct fl_jsonw *w, const char *key, double n);
void fl_jsonw_bool(struct fl_jsonw *w, const char *key, bool b);
void fl_jsonw_null(struct fl_jsonw *w, const char *key);
/* An array of strings, the last of which is followed by NULL; nothing at all for NULL. */
void fl_jsonw_words(struct fl_jsonw *w, const char *key, char *const *words);
/* A parsed value again; text that is JSON already. */
void fl_jsonw_value(struct fl_jsonw *w, const char *key, const struct fl_json *v);
void fl_jsonw_raw(struct fl_jsonw *w, const char *key, const char *json);

#endif
