/*
 * json - see json.h. The tree; json_parse.c makes it of a text, and json_write.c writes it.
 *
 * It is compact, since the text may be a stranger's: values lie by value in their array. Recursion is bounded by the
 * depth that the parser allows.
 */
#include "libflynn/json.h"

#include <stdlib.h>
#include <string.h>

#include "libflynn/err.h"
#include "libflynn/json_tree.h"
#include "libflynn/xmalloc.h"

void
json_members_free(struct fl_json_members *m)
{
	for (size_t i = 0; i < m->n; i++)
		json_release(&m->items[i]);
	for (size_t i = 0; i < m->n_keys; i++)
		free(m->keys[i]);
	free(m->items);
	free(m->keys);
	free(m->index);
	free(m);
}

void
json_release(struct fl_json *v)
{
	if (v->type == FL_JSON_STRING || (v->type == FL_JSON_NUMBER && !v->is_int))
		free(v->str);
	else if (v->type == FL_JSON_ARRAY || v->type == FL_JSON_OBJECT)
		json_members_free(v->m);
}

void
fl_json_free(struct fl_json *root)
{
	if (root == NULL)
		return;
	json_release(root);
	free(root);
}

static struct fl_json
copy_of(const struct fl_json *v)
{
	struct fl_json copy = *v;

	if (v->type == FL_JSON_STRING || (v->type == FL_JSON_NUMBER && !v->is_int))
		copy.str = fl_xstrdup(v->str);
	if (v->type != FL_JSON_ARRAY && v->type != FL_JSON_OBJECT)
		return copy;
	copy.m = fl_xmemdup(v->m, sizeof(*v->m));
	copy.m->items = fl_xreallocarray(NULL, v->m->n, sizeof(*copy.m->items));
	for (size_t i = 0; i < v->m->n; i++)
		copy.m->items[i] = copy_of(&v->m->items[i]);
	if (v->m->n_keys > 0)
		copy.m->keys = fl_xreallocarray(NULL, v->m->n_keys, sizeof(*copy.m->keys));
	for (size_t i = 0; i < v->m->n_keys; i++)
		copy.m->keys[i] = fl_xstrdup(v->m->keys[i]);
	if (v->m->index != NULL)
		copy.m->index = fl_xmemdup(v->m->index, v->m->n * sizeof(*copy.m->index));
	return copy;
}

struct fl_json *
fl_json_dup(const struct fl_json *v)
{
	struct fl_json *copy = NULL;

	if (v == NULL)
		return NULL;
	copy = fl_xmalloc(sizeof(*copy));
	*copy = copy_of(v);
	return copy;
}

enum fl_json_type
fl_json_type(const struct fl_json *v)
{
	return v != NULL ? v->type : FL_JSON_NULL;
}

bool
fl_json_is_null(const struct fl_json *v)
{
	return fl_json_type(v) == FL_JSON_NULL;
}

int64_t
json_find(const struct fl_json_members *m, size_t n, const char *key)
{
	size_t low = 0, high = n;

	if (m->index == NULL) {
		for (size_t i = 0; i < n; i++)
			if (strcmp(m->keys[i], key) == 0)
				return (int64_t)i;
		return -1;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(key, m->keys[m->index[middle]]);

		if (order == 0)
			return m->index[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

const struct fl_json *
fl_json_get(const struct fl_json *obj, const char *key)
{
	int64_t i;

	if (fl_json_type(obj) != FL_JSON_OBJECT)
		return NULL;
	i = json_find(obj->m, obj->m->n, key);
	return i != -1 ? &obj->m->items[i] : NULL;
}

size_t
fl_json_len(const struct fl_json *v)
{
	enum fl_json_type type = fl_json_type(v);

	return type == FL_JSON_ARRAY || type == FL_JSON_OBJECT ? v->m->n : 0;
}

const struct fl_json *
fl_json_at(const struct fl_json *v, size_t i)
{
	return i < fl_json_len(v) ? &v->m->items[i] : NULL;
}

const char *
fl_json_key_at(const struct fl_json *obj, size_t i)
{
	return fl_json_type(obj) == FL_JSON_OBJECT && i < obj->m->n ? obj->m->keys[i] : NULL;
}

const char *
fl_json_str(const struct fl_json *v, const char *def)
{
	return fl_json_type(v) == FL_JSON_STRING ? v->str : def;
}

const char *
fl_json_text(const struct fl_json *obj, const char *key)
{
	return fl_json_str(fl_json_get(obj, key), "");
}

int64_t
fl_json_int(const struct fl_json *v, int64_t def)
{
	return fl_json_type(v) == FL_JSON_NUMBER && v->is_int ? v->i : def;
}

double
fl_json_double(const struct fl_json *v, double def)
{
	if (fl_json_type(v) != FL_JSON_NUMBER)
		return def;
	return v->is_int ? (double)v->i : strtod(v->str, NULL);
}

bool
fl_json_bool(const struct fl_json *v, bool def)
{
	return fl_json_type(v) == FL_JSON_BOOL ? v->b : def;
}

/* The member, or NULL when it is absent or null; -1 when it is of another type than what. */
static int
typed_member(const struct fl_json *obj, const char *key, enum fl_json_type type, const char *what,
    const struct fl_json **out, struct fl_err *err)
{
	const struct fl_json *v = fl_json_get(obj, key);

	*out = NULL;
	if (fl_json_is_null(v))
		return 0;
	if (v->type != type)
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" must be %s", key, what);
	*out = v;
	return 0;
}

int
fl_json_member_str(const struct fl_json *obj, const char *key, const char **out, struct fl_err *err)
{
	const struct fl_json *v = NULL;

	if (typed_member(obj, key, FL_JSON_STRING, "a string", &v, err) == -1)
		return -1;
	if (v != NULL)
		*out = v->str;
	return 0;
}

int
fl_json_member_int(const struct fl_json *obj, const char *key, int64_t min, int64_t max, int64_t *out, struct fl_err *err)
{
	const struct fl_json *v = NULL;

	if (typed_member(obj, key, FL_JSON_NUMBER, "a number", &v, err) == -1)
		return -1;
	if (v == NULL)
		return 0;
	if (!v->is_int || v->i < min || v->i > max)
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" must be a whole number from %lld to %lld",
		    key, (long long)min, (long long)max);
	*out = v->i;
	return 0;
}

int
fl_json_member_bool(const struct fl_json *obj, const char *key, bool *out, struct fl_err *err)
{
	const struct fl_json *v = NULL;

	if (typed_member(obj, key, FL_JSON_BOOL, "true or false", &v, err) == -1)
		return -1;
	if (v != NULL)
		*out = v->b;
	return 0;
}

int
fl_json_member_obj(const struct fl_json *obj, const char *key, const struct fl_json **out, struct fl_err *err)
{
	return typed_member(obj, key, FL_JSON_OBJECT, "an object", out, err);
}

int
fl_json_member_arr(const struct fl_json *obj, const char *key, const struct fl_json **out, struct fl_err *err)
{
	return typed_member(obj, key, FL_JSON_ARRAY, "an array", out, err);
}
