/*
 * http_parse - HTTP/1.1 heads and chunked bodies (RFC 9112), from bytes, without copying.
 *
 * Strict where leniency is how requests are smuggled: a bare CR, obs-fold, whitespace before
 * a colon, both lengths, repeated or odd Content-Length, unknown transfer codings, control
 * bytes, a missing or repeated Host are refused. A lone LF ends no line.
 */
#ifndef FL_HTTP_PARSE_H
#define FL_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fl_err;

#define FL_HTTP_MAX_HEADERS 128 /* and options of Connection */
#define FL_HTTP_MAX_HEAD (32u << 10)
#define FL_HTTP_MAX_LINE (8u << 10)

/* A piece of the parsed buffer. */
struct fl_span {
	const char *p;
	size_t len;
};

struct fl_http_header {
	struct fl_span name, value; /* value without surrounding whitespace */
};

struct fl_http_head {
	struct fl_span method, target; /* requests */
	int status;		       /* answers */
	struct fl_span reason;
	int minor; /* HTTP/1.minor, 0 or 1 */
	size_t n_headers;
	struct fl_http_header headers[FL_HTTP_MAX_HEADERS];
	size_t head_len; /* bytes up to and with the empty line */

	/* What the framing headers say. */
	bool chunked;
	int64_t content_length; /* -1: none */
	bool keep_alive;	/* by version and Connection */
	bool upgrade;		/* Connection has "upgrade" and Upgrade is there */
	bool expect_continue;	/* Expect has "100-continue", and it is HTTP/1.1 */
	bool expect_other;	/* Expect has something else */
	struct fl_span host; /* requests; len 0 only with HTTP/1.0. That of an absolute target goes before Host's. */
	bool in_first_line;  /* on error: that is where it is */
};

enum fl_http_parse_result {
	FL_HTTP_PARSE_ERROR = -1, /* err says why; suggested status: 400, 431 or in_first_line 414 (TOO_BIG), or 505 (UNAVAILABLE) */
	FL_HTTP_PARSE_MORE = 0,
	FL_HTTP_PARSE_DONE = 1,
};

/* Parse the head that starts at data; spans point into data. A few empty lines before a request line are skipped. */
enum fl_http_parse_result fl_http_parse_request(const char *data, size_t len, struct fl_http_head *head, struct fl_err *err);
enum fl_http_parse_result fl_http_parse_response(const char *data, size_t len, struct fl_http_head *head, struct fl_err *err);

/* The first header of that name (any case), or NULL. */
const struct fl_http_header *fl_http_head_find(const struct fl_http_head *head, const char *name);
/* Whether a comma list in any header of that name has the token (any case). */
bool fl_http_head_has_token(const struct fl_http_head *head, const char *name, const char *token);
bool fl_span_ieq(struct fl_span s, const char *text);
bool fl_span_eq(struct fl_span s, const char *text);

/*
 * Chunked decoding: a small machine that is fed bytes and points at the data in them. Refuses extensions
 * that are not by the grammar of RFC 9112 7.1.1, and trailers that RFC 9110 6.5.1 forbids (framing, routing,
 * authentication, and what a router says of a client).
 */
struct fl_http_chunked {
	int state;
	uint64_t left;	     /* of the current chunk */
	size_t line_len;     /* of the current size or trailer line */
	size_t trailer_len;  /* of all trailer lines */
	size_t name_len;     /* of the current trailer's name */
	uint32_t candidates; /* forbidden names that it may become */
};

void fl_http_chunked_init(struct fl_http_chunked *c);
/*
 * Consume from data[0..len): returns how many bytes were used, setting *out to the payload
 * among them (len 0: none). *done is set when the last chunk and its trailers have ended.
 * -1 with err when malformed. Call again until it uses nothing.
 */
int64_t fl_http_chunked_feed(struct fl_http_chunked *c, const char *data, size_t len,
    struct fl_span *out, bool *done, struct fl_err *err);

#endif
