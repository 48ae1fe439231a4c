/*
 * h2 - an HTTP/2 connection of a client (RFC 9113), by ALPN or by prior knowledge.
 *
 * The connection's struct client keeps the real io; each of its streams is a struct client of its own,
 * whose io ends here, so that exchanges need not know what carries them. nghttp2 does frames, HPACK and
 * flow control; what it makes is gathered over a turn and written at the turn's end. A stream has no
 * buffer for what it sends: io_write() puts frames into the connection's output as far as there is room
 * and window. What it receives is bounded by the window, which is given back as bytes are taken.
 * A connection without streams holds no buffer.
 */
#ifndef ROUTER_H2_H
#define ROUTER_H2_H

#include <stdbool.h>
#include <stddef.h>

#include "libflynn/http_parse.h"

struct block;
struct client;
struct h2;
struct h2_pool;
struct worker;

/* What the connections of one worker share: after the last has gone; NULL is fine. */
void h2_pool_free(struct h2_pool *pool);

/* The first bytes of a plain connection: 1 is HTTP/2's preface (RFC 9113 3.4), 0 may become it, -1 is not. */
int h2_preface(const char *data, size_t len);

/* c speaks HTTP/2; these bytes of it were read already. c may be gone on return. */
void h2_begin(struct client *c, const char *data, size_t len);
/* Do all that can be done now. The client may be gone afterwards. */
void h2_run(struct h2 *h2);
/* What the connection waited for (enum client_wait) did not come. The client may be gone afterwards. */
void h2_expire(struct h2 *h2, int wait);
/* Let the client send no new request, and end when all are answered. The client may be gone afterwards. */
void h2_drain(struct h2 *h2);
/* The turn's end: write what the streams have made in it. Clients may be gone afterwards. */
void h2_flush(struct worker *w);
/* Close all streams; the client's io is left alone. */
void h2_free(struct h2 *h2);

/* For a client that is a stream. */

/*
 * Whether an answer's head can be sent now. If not, the stream is run again when it can: the client does not
 * read what it has been sent.
 */
bool h2_stream_has_room(struct client *c);
/* Send a head that is none yet of a final answer (1xx, but 101). */
void h2_stream_interim(struct client *c, const struct fl_http_head *h);
struct h2_answer {
	bool has_body;	   /* as far as the framing goes: not to HEAD, with 204 or 304 */
	bool is_last;	   /* data is all that there will be */
	struct fl_span id; /* the request's, told unless the answer has one; may be empty */
};
/*
 * Send the head of the final answer, and what there is of its body. Returns how many bytes of data were taken.
 * h's spans are used during the call only.
 */
size_t h2_stream_answer(struct client *c, const struct fl_http_head *h, const struct h2_answer *to, const char *data, size_t len);
/* A final answer's head was sent. */
bool h2_stream_is_answered(const struct client *c);
/* The trailers that a chunked answer ends with, as lines: *lines is taken. */
void h2_stream_end_with(struct client *c, struct block **lines);
/* All was said: end the stream. The client may be gone afterwards. */
void h2_stream_finish(struct client *c);
/* A part of client_close(): frees the client. abort: by RST_STREAM that says that something went wrong. */
void h2_stream_close(struct client *c, bool abort);

#endif
