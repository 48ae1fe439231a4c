#include "controller/gob_write.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "controller/gob_time.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/json.h"

#define FIRST_ID 64

/* The ids of the language's own types. */
enum { ID_BOOL = 1, ID_INT = 2, ID_UINT = 3, ID_STRING = 6 };

/* Fields of a wireType, counted from 1, which is what a first field's delta is. */
enum { WIRE_SLICE = 2, WIRE_STRUCT = 3, WIRE_MAP = 4, WIRE_GOB_ENCODER = 5 };

const struct gob_type gob_bool = { .kind = GOB_BOOL, .id = ID_BOOL };
const struct gob_type gob_int = { .kind = GOB_INT, .id = ID_INT };
const struct gob_type gob_uint = { .kind = GOB_UINT, .id = ID_UINT };
const struct gob_type gob_string = { .kind = GOB_STRING, .id = ID_STRING };

/* Up to 127 a byte; above, how many bytes follow, negated, and those. */
void
gob_put_uint(struct fl_buf *b, uint64_t n)
{
	unsigned char bytes[9];
	size_t len = 0;

	if (n <= 127) {
		fl_buf_addc(b, (char)n);
		return;
	}
	for (int shift = 56; shift >= 0; shift -= 8)
		if (len > 0 || (n >> shift) != 0)
			bytes[++len] = (unsigned char)(n >> shift);
	bytes[0] = (unsigned char)(256 - len);
	fl_buf_add(b, bytes, len + 1);
}

/* The sign in the lowest bit, so that small ones of either sign are short. */
void
gob_put_int(struct fl_buf *b, int64_t n)
{
	gob_put_uint(b, n < 0 ? ~(uint64_t)n << 1 | 1 : (uint64_t)n << 1);
}

static void
put_bytes(struct fl_buf *b, const void *data, size_t len)
{
	gob_put_uint(b, len);
	fl_buf_add(b, data, len);
}

void
gob_put_string(struct fl_buf *b, const char *s)
{
	put_bytes(b, s, strlen(s));
}

void
gob_end(struct fl_buf *out, struct fl_buf *message)
{
	put_bytes(out, fl_buf_cstr(message), message->len);
	fl_buf_release(message);
}

/* ---- descriptions ---- */

static bool
is_described(struct gob_writer *w, const struct gob_type *type)
{
	uint64_t bit = UINT64_C(1) << (type->id % FIRST_ID);
	bool is = type->id < FIRST_ID || (w->described & bit) != 0;

	assert(type->id < 2 * FIRST_ID);
	if (type->id >= FIRST_ID)
		w->described |= bit;
	return is;
}

/* CommonType: the name and the id. */
static void
put_common(struct fl_buf *b, const struct gob_type *type)
{
	bool is_named = *type->name != '\0';

	gob_put_uint(b, 1);
	if (is_named) {
		gob_put_uint(b, 1);
		gob_put_string(b, type->name);
	}
	gob_put_uint(b, is_named ? 1 : 2);
	gob_put_int(b, type->id);
	gob_put_uint(b, 0);
}

static void
put_fields(struct fl_buf *b, const struct gob_type *type)
{
	if (type->n_fields == 0)
		return;
	gob_put_uint(b, 1);
	gob_put_uint(b, type->n_fields);
	for (size_t i = 0; i < type->n_fields; i++) {
		gob_put_uint(b, 1);
		gob_put_string(b, type->fields[i].name);
		gob_put_uint(b, 1);
		gob_put_int(b, type->fields[i].type->id);
		gob_put_uint(b, 0);
	}
}

/* A wireType: which of its fields is there says what kind of type it is. */
static void
put_wire_type(struct fl_buf *b, const struct gob_type *type)
{
	switch (type->kind) {
	case GOB_BOOL:
	case GOB_INT:
	case GOB_UINT:
	case GOB_STRING:
		return;
	case GOB_TIME:
		gob_put_uint(b, WIRE_GOB_ENCODER);
		put_common(b, type);
		break;
	case GOB_SLICE:
		gob_put_uint(b, WIRE_SLICE);
		put_common(b, type);
		gob_put_uint(b, 1);
		gob_put_int(b, type->elem->id);
		break;
	case GOB_MAP:
		gob_put_uint(b, WIRE_MAP);
		put_common(b, type);
		gob_put_uint(b, 1);
		gob_put_int(b, ID_STRING);
		gob_put_uint(b, 1);
		gob_put_int(b, type->elem->id);
		break;
	case GOB_STRUCT:
		gob_put_uint(b, WIRE_STRUCT);
		put_common(b, type);
		put_fields(b, type);
		break;
	}
	gob_put_uint(b, 0);
	gob_put_uint(b, 0);
}

/* It, and then what it is made of. */
static void
describe(struct gob_writer *w, struct fl_buf *out, const struct gob_type *type)
{
	struct fl_buf message = { 0 };

	if (is_described(w, type))
		return;
	gob_put_int(&message, -(int64_t)type->id);
	put_wire_type(&message, type);
	gob_end(out, &message);
	for (size_t i = 0; i < type->n_fields; i++)
		describe(w, out, type->fields[i].type);
	if (type->elem != NULL)
		describe(w, out, type->elem);
}

/* ---- values ---- */

static bool
is_zero(const struct gob_type *type, const struct fl_json *v)
{
	int64_t us = 0;

	switch (type->kind) {
	case GOB_BOOL:
		return !fl_json_bool(v, false);
	case GOB_INT:
	case GOB_UINT:
		return fl_json_int(v, 0) == 0;
	case GOB_STRING:
		return *fl_json_str(v, "") == '\0';
	case GOB_TIME:
		return fl_clock_parse(fl_json_str(v, ""), &us) == -1 || us <= GOB_TIME_ZERO_US;
	case GOB_SLICE:
	case GOB_MAP:
		return fl_json_len(v) == 0;
	case GOB_STRUCT:
		return fl_json_is_null(v);
	}
	return true;
}

static void
put_time(struct fl_buf *b, const char *text)
{
	unsigned char bytes[GOB_TIME_LEN];
	int64_t us = GOB_TIME_ZERO_US;

	(void)fl_clock_parse(text, &us);
	gob_time_write(us > GOB_TIME_ZERO_US ? us : GOB_TIME_ZERO_US, bytes);
	put_bytes(b, bytes, sizeof(bytes));
}

/* NOLINTBEGIN(misc-no-recursion): as deep as the types are, not the values */
static void put_value(struct fl_buf *b, const struct gob_type *type, const struct fl_json *v);

/* Each field says how many were passed over, and one more; 0 ends it. */
static void
put_struct(struct fl_buf *b, const struct gob_type *type, const struct fl_json *v)
{
	size_t last = 0;

	for (size_t i = 0; i < type->n_fields; i++) {
		const struct gob_field *f = &type->fields[i];
		const struct fl_json *member = fl_json_get(v, f->key);

		if (is_zero(f->type, member))
			continue;
		gob_put_uint(b, i + 1 - last);
		last = i + 1;
		put_value(b, f->type, member);
	}
	gob_put_uint(b, 0);
}

static void
put_value(struct fl_buf *b, const struct gob_type *type, const struct fl_json *v)
{
	switch (type->kind) {
	case GOB_BOOL:
		gob_put_uint(b, fl_json_bool(v, false));
		break;
	case GOB_INT:
		gob_put_int(b, fl_json_int(v, 0));
		break;
	case GOB_UINT:
		gob_put_uint(b, (uint64_t)fl_json_int(v, 0));
		break;
	case GOB_STRING:
		gob_put_string(b, fl_json_str(v, ""));
		break;
	case GOB_TIME:
		put_time(b, fl_json_str(v, ""));
		break;
	case GOB_SLICE:
	case GOB_MAP:
		gob_put_uint(b, fl_json_len(v));
		for (size_t i = 0; i < fl_json_len(v); i++) {
			if (type->kind == GOB_MAP)
				gob_put_string(b, fl_json_key_at(v, i));
			put_value(b, type->elem, fl_json_at(v, i));
		}
		break;
	case GOB_STRUCT:
		put_struct(b, type, v);
		break;
	}
}
/* NOLINTEND(misc-no-recursion) */

void
gob_begin(struct gob_writer *w, struct fl_buf *out, const struct gob_type *type, struct fl_buf *message)
{
	describe(w, out, type);
	gob_put_int(message, type->id);
}

void
gob_write(struct gob_writer *w, struct fl_buf *out, const struct gob_type *type, const struct fl_json *v)
{
	struct fl_buf message = { 0 };

	gob_begin(w, out, type, &message);
	put_struct(&message, type, v);
	gob_end(out, &message);
}
