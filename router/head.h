/*
 * head - message heads as they are passed on: hop-by-hop headers off (RFC 9110 7.6.1), ours on.
 *
 * Each is one pass over a parsed head into memory whose size was asked for first.
 */
#ifndef ROUTER_HEAD_H
#define ROUTER_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/http_parse.h"
#include "router/forwarded.h"

#define HEAD_ID_LEN 32

/* What we tell the backend of where a request came from. */
struct head_origin {
	const char *peer; /* the client's address */
	bool is_tls, is_h2;
	enum forwarded_trust trust;
	int port;	  /* that it connected to */
	int64_t start_ms; /* when the request came, since the epoch */
	char new_id[HEAD_ID_LEN + 1]; /* the request's id unless it brought a valid one */
};

/*
 * Whether the request has come as far as it wants to, by its Max-Forwards (RFC 9110 7.6.2): it is not to be passed on,
 * and ours to answer.
 */
bool head_is_for_us(const struct fl_http_head *h);
/* How many bytes head_write_request() may write. */
size_t head_request_room(const struct fl_http_head *h, const struct head_origin *from);
/*
 * Write the request for a backend: origin-form target, HTTP/1.1, Via, the headers of forwarded.h,
 * X-Request-Id. Not for CONNECT. id is set to the request's id within out. Returns the number of bytes.
 */
size_t head_write_request(char *out, const struct fl_http_head *h, const struct head_origin *from, struct fl_span *id);
/* Whether it asks for another protocol that we let through (not h2c, which would hide requests from us). */
bool head_wants_upgrade(const struct fl_http_head *h);

struct head_answer {
	int client_minor; /* the client speaks HTTP/1.minor */
	bool keep_alive;  /* its connection stays open for another request */
	bool has_body;	  /* framing headers are followed by what they promise (not HEAD) */
	struct fl_span id;
	struct fl_span date; /* told unless the instance says one, RFC 9110 6.6.1; may be empty */
};

/* How many bytes head_write_answer() and head_write_interim() may write: what they are given has that room (worker.h). */
size_t head_answer_room(const struct fl_http_head *h);
/* Write the answer for a client, its framing and Connection by what to says. Returns the number of bytes. */
size_t head_write_answer(char *out, const struct fl_http_head *h, const struct head_answer *to);
/* As above for 1xx, 101 among them. */
size_t head_write_interim(char *out, const struct fl_http_head *h);
/*
 * For a client that is told the length otherwise, by HTTP/2: the headers of an answer that are passed on. Returns
 * how many. has says what is among them.
 */
struct head_has {
	bool id, date; /* X-Request-Id, Date */
};
size_t head_pick_answer(const struct fl_http_head *h, const struct fl_http_header *picked[FL_HTTP_MAX_HEADERS], struct head_has *has);

#endif
