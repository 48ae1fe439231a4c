/*
 * flow - the bytes of one message body on their way from one connection to another.
 *
 * Checks the framing and passes it on as it came. Nothing more is read while something read before
 * waits to be written: that is the back pressure, and the bound on memory.
 */
#ifndef ROUTER_FLOW_H
#define ROUTER_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/http_parse.h"

struct block;
struct block_pool;
struct fl_err;
struct io;
struct pipe;

enum flow_body {
	FLOW_LENGTH,   /* left bytes */
	FLOW_CHUNKED,  /* passed on chunked */
	FLOW_DECHUNK,  /* comes chunked, passed on bare */
	FLOW_UNTIL_EOF /* all until the sender ends its side */
};

struct flow {
	enum flow_body body;
	bool ended; /* the body's last byte was read */
	bool moved; /* bytes were read or written since this was last cleared */
	uint64_t left;
	uint64_t n_bytes; /* of the body, taken to be passed on */
	struct fl_http_chunked chunked;
	bool keeps_trailers;	/* with FLOW_DECHUNK, for who tells them otherwise */
	struct block *trailers; /* as they came: lines, and an empty one */
	struct block *held; /* read and not yet written */
	struct pipe *pipe;  /* the same, behind held, where nobody need look at it; NULL: none */
	bool is_bulk;	    /* much comes at once: not worth copying */
};

/*
 * f is all zero at first. length counts with FLOW_LENGTH only; 0 ends the flow at
 * once. What is held already goes first.
 */
void flow_init(struct flow *f, enum flow_body body, uint64_t length);
void flow_release(struct flow *f, struct block_pool *pool);

/*
 * Judge bytes that were read: *used of them belong to the body, and *pass bytes at data are to be
 * passed on (moved to its front when chunks are taken off). What follows data[*used] is not the
 * body's. -1 with INVALID when the framing is broken.
 */
int flow_take(struct flow *f, char *data, size_t len, size_t *used, size_t *pass, struct fl_err *err);
/* The same, and keep the trailers among them if they are wanted. */
int flow_receive(struct flow *f, struct block_pool *pool, char *data, size_t len, size_t *used, size_t *pass, struct fl_err *err);

enum flow_result {
	FLOW_READ_BLOCKED,  /* nothing more to read now */
	FLOW_WRITE_BLOCKED, /* something is held, the receiver takes no more now */
	FLOW_BUSY,	    /* has had its share of this turn; there is more to do */
	FLOW_DONE,	    /* all read and written */
	FLOW_CUT,	    /* the sender ended or broke before the body did */
	FLOW_BAD,	    /* the sender's framing is broken: err says how */
	FLOW_UNWRITABLE	    /* the receiver has gone */
};

/*
 * Move what can be moved. scratch is where bytes are read to. Bytes read beyond the body's end are
 * appended to *excess.
 */
enum flow_result flow_pump(struct flow *f, struct io *from, struct io *to, struct block_pool *pool,
    char *scratch, size_t scratch_len, struct block **excess, struct fl_err *err);

/* Write parts (at most two) now as far as possible, holding the rest. Nothing may be held. False: the receiver has gone. */
bool flow_send(struct flow *f, struct io *to, struct block_pool *pool, const char *head, size_t head_len,
    const char *data, size_t len);
/* Whether something was read and not yet written. */
bool flow_holds(const struct flow *f);
/* Write what is held: FLOW_DONE when nothing is any more, FLOW_WRITE_BLOCKED or FLOW_UNWRITABLE. */
enum flow_result flow_flush(struct flow *f, struct io *to, struct block_pool *pool);

#endif
