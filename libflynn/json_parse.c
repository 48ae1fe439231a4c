/*
 * json_parse - see json.h: a text becomes a tree.
 *
 * The text may be a stranger's, so a large object is given an index sorted by key, by which neither looking up nor
 * finding a duplicate takes quadratic time, and depth is bounded by FL_JSON_MAX_DEPTH.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "libflynn/err.h"
#include "libflynn/json_tree.h"
#include "libflynn/utf8.h"
#include "libflynn/xmalloc.h"

/* Objects with more members than this get an index. */
enum { INDEX_MIN = 8 };

#define FIRST_ROOM 8

/* Containers under construction; the innermost is open[depth - 1]. */
struct builder {
	struct fl_json_members *open[FL_JSON_MAX_DEPTH];
	enum fl_json_type types[FL_JSON_MAX_DEPTH];
	size_t depth;
	struct fl_json root;
	struct fl_err *err;
};

/* Room is for FIRST_ROOM, then for the next power of two. */
static bool
is_full(size_t n)
{
	return n == 0 || (n >= FIRST_ROOM && (n & (n - 1)) == 0);
}

/* Add v to the innermost container, or make it the root. */
static void
add_value(struct builder *b, struct fl_json v)
{
	struct fl_json_members *m = NULL;

	if (b->depth == 0) {
		b->root = v;
		return;
	}
	m = b->open[b->depth - 1];
	if (is_full(m->n))
		m->items = fl_xreallocarray(m->items, m->n > 0 ? 2 * m->n : FIRST_ROOM, sizeof(*m->items));
	m->items[m->n++] = v;
}

static int
on_null(void *ctx)
{
	add_value(ctx, (struct fl_json){ .type = FL_JSON_NULL });
	return 1;
}

static int
on_bool(void *ctx, int value)
{
	add_value(ctx, (struct fl_json){ .type = FL_JSON_BOOL, .b = value != 0 });
	return 1;
}

/* 1e3 and 2.0 are whole as well; beyond 2^53 a double no longer says which integer was meant. */
static bool
to_int(const char *text, int64_t *out)
{
	const double exact = 9007199254740992.0;
	double d;

	errno = 0;
	if (text[strcspn(text, ".eE")] == '\0') {
		*out = strtoll(text, NULL, 10);
		return errno == 0;
	}
	d = strtod(text, NULL);
	if (!(d >= -exact && d <= exact) || d != (double)(int64_t)d)
		return false;
	*out = (int64_t)d;
	return true;
}

static int
on_number(void *ctx, const char *text, size_t len)
{
	struct fl_json v = { .type = FL_JSON_NUMBER };
	char *copy = fl_xstrndup(text, len);

	if (to_int(copy, &v.i)) {
		v.is_int = true;
		free(copy);
	} else {
		v.str = copy;
	}
	add_value(ctx, v);
	return 1;
}

static int
on_string(void *ctx, const unsigned char *text, size_t len)
{
	add_value(ctx, (struct fl_json){ .type = FL_JSON_STRING, .str = fl_xstrndup((const char *)text, len) });
	return 1;
}

static int
open_container(struct builder *b, enum fl_json_type type)
{
	if (b->depth == FL_JSON_MAX_DEPTH) {
		fl_err_set(b->err, FL_ERR_INVALID, "nested deeper than %d levels", FL_JSON_MAX_DEPTH);
		return 0;
	}
	b->types[b->depth] = type;
	b->open[b->depth++] = fl_xcalloc(1, sizeof(struct fl_json_members));
	return 1;
}

static int
on_object(void *ctx)
{
	return open_container(ctx, FL_JSON_OBJECT);
}

static int
on_array(void *ctx)
{
	return open_container(ctx, FL_JSON_ARRAY);
}

static int
on_key(void *ctx, const unsigned char *text, size_t len)
{
	struct builder *b = ctx;
	struct fl_json_members *m = b->open[b->depth - 1];

	if (is_full(m->n_keys))
		m->keys = fl_xreallocarray(m->keys, m->n_keys > 0 ? 2 * m->n_keys : FIRST_ROOM, sizeof(*m->keys));
	m->keys[m->n_keys++] = fl_xstrndup((const char *)text, len);
	return 1;
}

static int
close_container(struct builder *b)
{
	struct fl_json v = { .type = b->types[b->depth - 1], .m = b->open[b->depth - 1] };

	b->depth--;
	add_value(b, v);
	return 1;
}

static int
by_key(const void *a, const void *b, void *keys)
{
	char *const *names = keys;

	return strcmp(names[*(const uint32_t *)a], names[*(const uint32_t *)b]);
}

static void
build_index(struct fl_json_members *m)
{
	m->index = fl_xreallocarray(NULL, m->n, sizeof(*m->index));
	for (size_t i = 0; i < m->n; i++)
		m->index[i] = (uint32_t)i;
	qsort_r(m->index, m->n, sizeof(*m->index), by_key, m->keys);
}

static const char *
duplicate_of(const struct fl_json_members *m)
{
	for (size_t i = 1; i < m->n; i++) {
		if (m->index != NULL && by_key(&m->index[i - 1], &m->index[i], m->keys) == 0)
			return m->keys[m->index[i]];
		if (m->index == NULL && json_find(m, i, m->keys[i]) != -1)
			return m->keys[i];
	}
	return NULL;
}

static int
on_object_end(void *ctx)
{
	struct builder *b = ctx;
	struct fl_json_members *m = b->open[b->depth - 1];
	const char *duplicate = NULL;

	if (m->n > INDEX_MIN)
		build_index(m);
	if ((duplicate = duplicate_of(m)) != NULL) {
		fl_err_set(b->err, FL_ERR_INVALID, "member \"%.64s\" is there twice", duplicate);
		return 0;
	}
	return close_container(b);
}

static int
on_array_end(void *ctx)
{
	return close_container(ctx);
}

/* The code unit of "\uXXXX" at s, or -1 when it is none (yajl will say so). */
static int
escaped_unit(const char *s, size_t len)
{
	int unit = 0;

	if (len < 6 || s[0] != '\\' || s[1] != 'u')
		return -1;
	for (size_t i = 2; i < 6; i++) {
		int digit = s[i] >= '0' && s[i] <= '9' ? s[i] - '0' : (s[i] | 0x20) - 'a' + 10;

		if (digit < 0 || digit > 15 || (digit > 9 && (s[i] | 0x20) < 'a'))
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* The length of the escape at s: what names no character is refused, as is NUL, where C strings would end. */
static size_t
check_escape(const char *s, size_t len, struct fl_err *err)
{
	int unit = escaped_unit(s, len), low;

	if (unit == 0) {
		fl_err_set(err, FL_ERR_INVALID, "a string holds \\u0000");
		return 0;
	}
	if (unit < 0xd800 || unit > 0xdfff)
		return 2;
	low = unit < 0xdc00 ? escaped_unit(s + 6, len - 6) : -1;
	if (low < 0xdc00 || low > 0xdfff) {
		fl_err_set(err, FL_ERR_INVALID, "a string holds half a surrogate pair");
		return 0;
	}
	return 12;
}

/* What yajl is lenient about: overlong UTF-8, surrogates, NUL. */
static int
check_text(const char *text, size_t len, struct fl_err *err)
{
	bool in_string = false;

	for (size_t i = 0, step; i < len; i += step) {
		step = 1;
		if (text[i] == '"') {
			in_string = !in_string;
		} else if (in_string && text[i] == '\\') {
			if ((step = check_escape(text + i, len - i, err)) == 0)
				return -1;
		} else if ((unsigned char)text[i] >= 0x80) {
			if ((step = fl_utf8_len(text + i, len - i)) == 0)
				return fl_err_set(err, FL_ERR_INVALID, "at byte %zu: not UTF-8", i);
		}
	}
	return 0;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_object_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_array_end,
};

static void *
yajl_xmalloc(void *ctx, size_t size)
{
	(void)ctx;
	return fl_xmalloc(size);
}

static void *
yajl_xrealloc(void *ctx, void *ptr, size_t size)
{
	(void)ctx;
	return fl_xreallocarray(ptr, 1, size);
}

static void
yajl_xfree(void *ctx, void *ptr)
{
	(void)ctx;
	free(ptr);
}

/* yajl's own words, without its "parse error: " and newline. It knows where, unless it was at the end. */
static void
set_yajl_error(yajl_handle h, bool at_end, struct fl_err *err)
{
	unsigned char *text = yajl_get_error(h, 0, NULL, 0);
	const char *why = strstr((const char *)text, "error: ");
	size_t where = at_end ? 0 : yajl_get_bytes_consumed(h);

	why = why != NULL ? why + strlen("error: ") : (const char *)text;
	fl_err_set(err, FL_ERR_INVALID, "%.*s", (int)strcspn(why, "\n"), why);
	if (where > 0)
		fl_err_wrap(err, "at byte %zu", where);
	yajl_free_error(h, text);
}

static void
builder_release(struct builder *b)
{
	while (b->depth > 0)
		json_members_free(b->open[--b->depth]);
	json_release(&b->root);
}

struct fl_json *
fl_json_parse(const char *text, size_t len, struct fl_err *err)
{
	return fl_json_parse_max(text, len, FL_JSON_MAX_BYTES, err);
}

struct fl_json *
fl_json_parse_max(const char *text, size_t len, size_t max_bytes, struct fl_err *err)
{
	yajl_alloc_funcs alloc = { .malloc = yajl_xmalloc, .realloc = yajl_xrealloc, .free = yajl_xfree };
	struct builder b = { .err = err, .root.type = FL_JSON_NULL };
	struct fl_json *root = NULL;
	yajl_handle h = NULL;
	yajl_status status;
	bool at_end = false;

	if (len > max_bytes) {
		fl_err_set(err, FL_ERR_TOO_BIG, "%zu bytes of JSON, more than %zu", len, max_bytes);
		return NULL;
	}
	if (check_text(text, len, err) == -1)
		return NULL;
	h = yajl_alloc(&callbacks, &alloc, &b);
	status = yajl_parse(h, (const unsigned char *)text, len);
	if (status == yajl_status_ok) {
		at_end = true;
		status = yajl_complete_parse(h);
	}
	if (status == yajl_status_error)
		set_yajl_error(h, at_end, err);
	if (status != yajl_status_ok)
		goto out;
	root = fl_xmalloc(sizeof(*root));
	*root = b.root;
	b.root.type = FL_JSON_NULL; /* root's now */
out:
	builder_release(&b);
	yajl_free(h);
	return root;
}
