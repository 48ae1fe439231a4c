/*
 * h2_head - header lists of HTTP/2 to and from heads of HTTP/1.1 (RFC 9113 8).
 *
 * A request is written as an HTTP/1.1 head, and parsed by the parser that judges every other request.
 */
#ifndef ROUTER_H2_HEAD_H
#define ROUTER_H2_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nghttp2/nghttp2.h>

#include "libflynn/http_parse.h"

struct block;
struct block_pool;
struct fl_err;

/* SETTINGS_MAX_HEADER_LIST_SIZE: names and values, and 32 bytes more for each field. */
#define H2_HEAD_LIST_MAX (32u << 10)

/* A header list that is coming in. All zero is an empty one. */
struct h2_head {
	struct block *text;	/* the pseudo-header fields' values, and then the head */
	size_t list_size;
	size_t start;		/* where the head begins in text; 0: it has not begun */
	size_t cookie_end;	/* where the Cookie line ends that others are joined to; 0: there is none */
	struct h2_piece {
		size_t off, len;
	} method, path, authority; /* in text; len 0: not there */
	bool has_length;
	bool is_trailer;
	const char *bad; /* why it is no good request */
};

void h2_head_release(struct h2_head *h, struct block_pool *pool);
/* The next field, which nghttp2 found valid by itself. What exceeds the bounds is remembered as bad, and dropped. */
void h2_head_add(struct h2_head *h, struct block_pool *pool, struct fl_span name, struct fl_span value);
/*
 * The list is complete: parse it as a request. has_body: the stream goes on. -1 with err: INVALID, or TOO_BIG.
 * head points into h.
 */
int h2_head_parse(struct h2_head *h, struct block_pool *pool, bool has_body, struct fl_http_head *head, struct fl_err *err);
/* The same for trailers: the lines as they end a chunked body, without the empty one, for the caller. NULL: there are none. */
struct block *h2_head_take_trailers(struct h2_head *h);

/* The most fields that an answer can have: :status, X-Request-Id and Date are ours. */
#define H2_HEAD_NV_MAX (FL_HTTP_MAX_HEADERS + 3)
/*
 * The fields of an answer for HTTP/2, hop-by-hop ones left out. Names, in lower case, are written to names, which
 * has room for FL_HTTP_MAX_HEAD bytes and 16 more; values stay where they are. id and date,
 * which are told unless the instance says them, may be empty. Returns how many.
 */
size_t h2_head_answer(const struct fl_http_head *h, struct fl_span id, struct fl_span date, char *names, nghttp2_nv nv[H2_HEAD_NV_MAX]);

/* More trailers than so many are left out. */
#define H2_HEAD_TRAILERS_MAX 64
/*
 * The trailers of a chunked body, lines that its decoder has let through. nghttp2 is to copy them, and to make names lower
 * case. Returns how many.
 */
size_t h2_head_trailers(const char *lines, size_t len, nghttp2_nv nv[H2_HEAD_TRAILERS_MAX]);

#endif
