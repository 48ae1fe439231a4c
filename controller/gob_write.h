/*
 * gob_write - values of Go's encoding/gob, as one side of a connection sends them: each type is described once, before
 * its first value.
 *
 * Values are given as JSON, and a table says which member is which field; what has Go's zero value is left out, and so
 * is what the table does not name.
 */
#ifndef CONTROLLER_GOB_WRITE_H
#define CONTROLLER_GOB_WRITE_H

#include <stddef.h>
#include <stdint.h>

struct fl_buf;
struct fl_json;

enum gob_kind {
	GOB_BOOL,
	GOB_INT,
	GOB_UINT,
	GOB_STRING,
	GOB_TIME, /* an RFC 3339 string in JSON */
	GOB_SLICE,
	GOB_MAP, /* by strings */
	GOB_STRUCT,
};

struct gob_field {
	const char *name;
	const char *key; /* of the JSON member */
	const struct gob_type *type;
};

/* A description that outlives all writers. */
struct gob_type {
	enum gob_kind kind;
	unsigned id; /* of times, slices, maps and structs: 65 to 127, each its own */
	const char *name;
	const struct gob_type *elem;	/* of slices and maps */
	const struct gob_field *fields; /* of structs */
	size_t n_fields;
};

extern const struct gob_type gob_bool, gob_int, gob_uint, gob_string;

/* What was described already: one for each connection, zero at first. */
struct gob_writer {
	uint64_t described;
};

/* Append v, of a struct type; NULL and null: all zero. */
void gob_write(struct gob_writer *w, struct fl_buf *out, const struct gob_type *type, const struct fl_json *v);

/*
 * The same by hand, for what is no JSON: begin, put each field that is not zero behind its delta (how many fields were
 * passed over, and one), and 0; then end, which appends the message and releases it.
 */
void gob_begin(struct gob_writer *w, struct fl_buf *out, const struct gob_type *type, struct fl_buf *message);
void gob_put_uint(struct fl_buf *b, uint64_t n);
void gob_put_int(struct fl_buf *b, int64_t n);
void gob_put_string(struct fl_buf *b, const char *s);
void gob_end(struct fl_buf *out, struct fl_buf *message);

#endif
