/*
 * gob_read - what clients of a Go service send by encoding/gob: headers of requests, times, and values that are not looked into.
 *
 * https://pkg.go.dev/encoding/gob has the format. What comes is hostile: nothing is allocated, and a message has a bound.
 */
#ifndef CONTROLLER_GOB_READ_H
#define CONTROLLER_GOB_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/http_parse.h" /* struct fl_span */

struct fl_err;

#define GOB_MAX_MESSAGE ((size_t)16 << 10)
/* Types that one connection may describe. */
#define GOB_MAX_TYPES 64

enum gob_shape {
	GOB_SHAPE_OTHER,
	GOB_SHAPE_HEADER, /* a struct of ServiceMethod, a string, and Seq, a uint */
	GOB_SHAPE_ENCODED, /* a type that encodes itself, as times do */
};

/* What a connection's types are: zero at first. */
struct gob_reader {
	size_t n_types;
	struct gob_read_type {
		int64_t id;
		enum gob_shape shape;
		bool seq_first; /* of a header */
	} types[GOB_MAX_TYPES];
};

struct gob_value {
	enum gob_shape shape;
	struct fl_span method; /* of a header; points into data */
	uint64_t seq;
	struct fl_span encoded; /* what it says of itself; points into data */
};

/*
 * Take the next value off data. 1: v is it, and used bytes are done with. 0: more bytes are wanted, and used bytes are
 * done with already. -1: INVALID or TOO_BIG, and what follows cannot be read either.
 */
int gob_read(struct gob_reader *r, const char *data, size_t len, struct gob_value *v, size_t *used, struct fl_err *err);

#endif
