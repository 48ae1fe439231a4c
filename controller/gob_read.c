#include "controller/gob_read.h"

#include <string.h>

#include "libflynn/err.h"

#define FIRST_ID 64

/* Of the language's own types. */
enum { ID_UINT = 3, ID_STRING = 6 };

/* Fields of a wireType, counted from 1. */
enum { WIRE_STRUCT = 3, WIRE_GOB_ENCODER = 5, WIRE_MAX = 7 };

/* The rest of a message. */
struct cursor {
	const unsigned char *p, *end;
	bool bad; /* it was not what it has to be; from then on all is 0 */
};

static uint64_t
take_uint(struct cursor *c)
{
	uint64_t n = 0;
	size_t len;

	if (c->bad || c->p == c->end) {
		c->bad = true;
		return 0;
	}
	if (*c->p <= 127)
		return *c->p++;
	len = 256u - *c->p++;
	if (len > 8 || len > (size_t)(c->end - c->p)) {
		c->bad = true;
		return 0;
	}
	for (; len > 0; len--)
		n = n << 8 | *c->p++;
	return n;
}

static int64_t
take_int(struct cursor *c)
{
	uint64_t n = take_uint(c);

	return (int64_t)((n & 1) != 0 ? ~(n >> 1) : n >> 1);
}

static struct fl_span
take_string(struct cursor *c)
{
	uint64_t len = take_uint(c);
	struct fl_span s = { (const char *)c->p, (size_t)len };

	if (c->bad || len > (uint64_t)(c->end - c->p)) {
		c->bad = true;
		return (struct fl_span){ "", 0 };
	}
	c->p += len;
	return s;
}

/* The number of a struct's next field, counted from 1; 0: it has ended, or is bad. */
static unsigned
take_field(struct cursor *c, unsigned last, unsigned max)
{
	uint64_t delta = take_uint(c);

	if (delta > max - last)
		c->bad = true;
	return c->bad || delta == 0 ? 0 : last + (unsigned)delta;
}

/* ---- descriptions of types ---- */

/* fieldType, and CommonType, which is the same: a name and an id. */
static void
take_named(struct cursor *c, struct fl_span *name, int64_t *id)
{
	*name = (struct fl_span){ "", 0 };
	*id = 0;
	for (unsigned f = 0; (f = take_field(c, f, 2)) != 0;) {
		if (f == 1)
			*name = take_string(c);
		else
			*id = take_int(c);
	}
}

static void
take_struct_fields(struct cursor *c, struct gob_read_type *type)
{
	uint64_t n = take_uint(c);
	bool has_method = false, has_seq = false;

	for (uint64_t i = 0; i < n && !c->bad; i++) {
		struct fl_span name;
		int64_t id;

		take_named(c, &name, &id);
		if (fl_span_eq(name, "ServiceMethod") && id == ID_STRING)
			has_method = true;
		else if (fl_span_eq(name, "Seq") && id == ID_UINT)
			has_seq = true;
		type->seq_first = has_seq && !has_method ? true : type->seq_first;
	}
	if (n == 2 && has_method && has_seq)
		type->shape = GOB_SHAPE_HEADER;
}

static void
take_struct_type(struct cursor *c, struct gob_read_type *type)
{
	struct fl_span name;
	int64_t id;

	for (unsigned f = 0; (f = take_field(c, f, 2)) != 0;) {
		if (f == 1)
			take_named(c, &name, &id);
		else
			take_struct_fields(c, type);
	}
}

/* A wireType. Of what we need not know only the kind is read. */
static int
take_type(struct gob_reader *r, struct cursor *c, int64_t id, struct fl_err *err)
{
	struct gob_read_type *type = &r->types[r->n_types];
	unsigned kind = take_field(c, 0, WIRE_MAX);

	if (r->n_types == GOB_MAX_TYPES)
		return fl_err_set(err, FL_ERR_TOO_BIG, "more than %d types are described on one connection", GOB_MAX_TYPES);
	for (size_t i = 0; i < r->n_types; i++)
		if (r->types[i].id == id)
			return fl_err_set(err, FL_ERR_INVALID, "a type is described twice");
	*type = (struct gob_read_type){ .id = id };
	if (kind == WIRE_STRUCT)
		take_struct_type(c, type);
	else if (kind == WIRE_GOB_ENCODER)
		type->shape = GOB_SHAPE_ENCODED;
	if (kind == 0 || c->bad)
		return fl_err_set(err, FL_ERR_INVALID, "the description of a type is broken off");
	r->n_types++;
	return 0;
}

/* ---- values ---- */

static void
take_header(struct cursor *c, const struct gob_read_type *type, struct gob_value *v)
{
	v->method = (struct fl_span){ "", 0 };
	for (unsigned f = 0; (f = take_field(c, f, 2)) != 0;) {
		if ((f == 2) == type->seq_first)
			v->method = take_string(c);
		else
			v->seq = take_uint(c);
	}
}

static int
take_value(const struct gob_reader *r, struct cursor *c, int64_t id, struct gob_value *v, struct fl_err *err)
{
	static const struct gob_read_type own = { .shape = GOB_SHAPE_OTHER }; /* the language's */
	const struct gob_read_type *type = &own;

	for (size_t i = 0; i < r->n_types; i++)
		if (r->types[i].id == id)
			type = &r->types[i];
	if (type == &own && id >= FIRST_ID)
		return fl_err_set(err, FL_ERR_INVALID, "a value has a type that was not described");
	*v = (struct gob_value){ .shape = type->shape };
	if (v->shape == GOB_SHAPE_OTHER)
		return 0;
	if (v->shape == GOB_SHAPE_HEADER)
		take_header(c, type, v);
	else if (take_uint(c) != 0) /* which precedes what is no struct */
		c->bad = true;
	else
		v->encoded = take_string(c);
	if (c->bad || c->p != c->end)
		return fl_err_set(err, FL_ERR_INVALID, "a value is not what its type says");
	return 0;
}

/* 1: message is the next one; 0: its bytes are not all there; -1: TOO_BIG or INVALID. */
static int
next_message(const char *data, size_t len, struct cursor *message, struct fl_err *err)
{
	const unsigned char *p = (const unsigned char *)data;
	struct cursor c = { p, p + len, false };
	uint64_t n;

	if (len == 0)
		return 0;
	n = take_uint(&c);
	if (c.bad && (*p < 248 || len > 8))
		return fl_err_set(err, FL_ERR_INVALID, "a message has no length");
	if (c.bad)
		return 0;
	if (n == 0 || n > GOB_MAX_MESSAGE)
		return fl_err_set(err, FL_ERR_TOO_BIG, "a message is empty, or longer than %zu bytes", GOB_MAX_MESSAGE);
	if (n > (uint64_t)(c.end - c.p))
		return 0;
	*message = (struct cursor){ c.p, c.p + n, false };
	return 1;
}

int
gob_read(struct gob_reader *r, const char *data, size_t len, struct gob_value *v, size_t *used, struct fl_err *err)
{
	struct cursor c = { 0 };
	int rc;

	*used = 0;
	while ((rc = next_message(data + *used, len - *used, &c, err)) == 1) {
		int64_t id = take_int(&c);

		*used = (size_t)(c.end - (const unsigned char *)data);
		if (c.bad || (id < 0 && id > -FIRST_ID) || id == 0 || id == INT64_MIN)
			return fl_err_set(err, FL_ERR_INVALID, "a message has no type");
		if (id > 0)
			return take_value(r, &c, id, v, err) == -1 ? -1 : 1;
		if (take_type(r, &c, -id, err) == -1)
			return -1;
	}
	return rc;
}
