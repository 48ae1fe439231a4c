/*
 * http_server - HTTP/1.1 for APIs: routes in a table, bodies whole or streamed, server-sent
 * events, and connections handed over. One thread, the loop's.
 *
 * Bounds: head 32 KiB, body max_body (1 MiB unless set), 30 s to send a head, 60 s idle; 1 MiB queued to a reader who does
 * not read, or 60 s (unless set) in which he takes nothing of it: then he is cut off, with a log line.
 * Every request gets an id (X-Request-Id, the client's when valid), a log line at debug and
 * is counted for GET /metrics. GET /ping answers 200 without a key. Unknown paths: 404;
 * known with another method: 405; without the right key: 401.
 */
#ifndef FL_HTTP_SERVER_H
#define FL_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/attr.h"

struct bufferevent;
struct event_base;
struct fl_buf;
struct fl_err;
struct fl_http;
struct fl_http_req;
struct fl_json;

/*
 * Answers req exactly once, now or later, with one of the fl_http_reply*, fl_http_stream_start,
 * fl_http_sse_start or fl_http_hijack functions. Until then req is valid even if the client has gone.
 */
typedef void (*fl_http_handler)(struct fl_http_req *req, void *arg);

enum fl_http_route_flags {
	FL_HTTP_OPEN = 1,	 /* no key needed */
	FL_HTTP_STREAM_BODY = 2, /* call the handler at the end of the head; it reads by fl_http_body_read() */
	FL_HTTP_SIGNED = 4,	 /* the key, or a ?sig= of libflynn/sign.h */
};

struct fl_http_route {
	const char *method; /* "*": any; HEAD is answered by GET's handler, its body left out */
	const char *path;   /* "/apps/:app/routes/:type/:id"; a last "*" segment takes the rest */
	fl_http_handler handler;
	unsigned flags;
};

/* key: what Basic passwords must equal; NULL: open to all. Copied. */
struct fl_http *fl_http_new(struct event_base *base, const char *key);
/* routes must outlive the server; the table is static const. More than one listen is fine. addr "ip:port", ":port". */
int fl_http_listen(struct fl_http *h, const char *addr, const struct fl_http_route *routes,
    size_t n_routes, void *arg, struct fl_err *err);
/* The port of the latest listen, for ":0". */
int fl_http_port(const struct fl_http *h);
void fl_http_set_max_body(struct fl_http *h, size_t max_bytes);
/* For connections from now on. */
void fl_http_set_read_timeout(struct fl_http *h, int seconds);
/*
 * Replaces the default answers for what the server itself refuses (unknown route, bad key,
 * too big, no JSON): the controller has shapes of its own. refuse must answer.
 */
void fl_http_set_refuse(struct fl_http *h, void (*refuse)(struct fl_http_req *req, const struct fl_err *err));
/* The key check, when Basic alone is not enough: instead of it, returns whether the request may pass; arg is listen's. Asked for unknown paths too. */
void fl_http_set_authorize(struct fl_http *h, bool (*authorize)(struct fl_http_req *req, void *arg));
/*
 * Let scripts of all origins ask (WHATWG Fetch, CORS protocol): every answer to one says so, and OPTIONS is answered
 * without a key. Right for servers whose clients send a key, which no browser adds by itself.
 */
void fl_http_set_cors(struct fl_http *h, bool on);
/* Appended to GET /metrics: OpenMetrics text without the final # EOF. */
void fl_http_set_metrics(struct fl_http *h, void (*metrics)(struct fl_buf *out, void *arg));
/*
 * Stop accepting, close idle connections, end event streams (their on_close runs); then cb, from the loop,
 * once the last request has ended and its answer was taken.
 */
void fl_http_drain(struct fl_http *h, void (*cb)(void *arg), void *arg);
/* Closes every connection as if its client had gone; not from a handler. Requests not answered yet stay valid until they are. */
void fl_http_free(struct fl_http *h);

/* The request. Strings are borrowed until it is answered. */
const char *fl_http_method(const struct fl_http_req *req);
const char *fl_http_path(const struct fl_http_req *req);		     /* decoded, without query */
const char *fl_http_param(const struct fl_http_req *req, const char *name);  /* ":name" of the route, decoded; "*" for the rest */
const char *fl_http_query(struct fl_http_req *req, const char *name);	     /* NULL: not given */
const char *fl_http_header(const struct fl_http_req *req, const char *name); /* NULL: not given */
const char *fl_http_peer(const struct fl_http_req *req);		     /* the client's IP address */
bool fl_http_accepts(const struct fl_http_req *req, const char *media_type); /* Accept contains it */
/* The whole body (not for STREAM_BODY). */
const char *fl_http_body(const struct fl_http_req *req, size_t *len);
/* The body as JSON, parsed once and owned by the request; NULL with INVALID ("the body is not valid JSON: ..."). */
const struct fl_json *fl_http_json(struct fl_http_req *req, struct fl_err *err);
/* Whether the client has gone already; the answer will be dropped. */
bool fl_http_gone(const struct fl_http_req *req);
/*
 * Called if the client goes before the answer has ended (streams: the normal end). One per request; NULL to unset.
 * A client that closes its sending side only still gets its answer, unless that is a stream.
 */
void fl_http_on_close(struct fl_http_req *req, void (*cb)(struct fl_http_req *req, void *arg), void *arg);

/* Streamed body: on_data for each piece, then on_end once: err NULL at the end, else why it broke off. */
void fl_http_body_read(struct fl_http_req *req,
    void (*on_data)(struct fl_http_req *req, const char *data, size_t len, void *arg),
    void (*on_end)(struct fl_http_req *req, const struct fl_err *err, void *arg), void *arg);
/* -1: not known (chunked). */
int64_t fl_http_body_length(const struct fl_http_req *req);

/* Answers. Extra headers first. data NULL: empty. */
void fl_http_add_header(struct fl_http_req *req, const char *name, const char *value);
void fl_http_reply(struct fl_http_req *req, int status, const char *content_type, const void *data, size_t len);
/* application/json; charset=UTF-8; takes nothing, body stays the caller's. */
void fl_http_reply_json(struct fl_http_req *req, int status, const struct fl_buf *body);
/* {"code","message"} with the kind's status; SYSTEM is logged. */
void fl_http_reply_err(struct fl_http_req *req, const struct fl_err *err);
/*
 * Called instead of sending an answer by the functions above, all but the first; whoever is, sends it by fl_http_reply(), now or
 * later. data and content_type are borrowed for the call.
 */
void fl_http_on_reply(struct fl_http_req *req,
    void (*cb)(struct fl_http_req *req, int status, const char *content_type, const void *data, size_t len, void *arg), void *arg);
/* length bytes of fd from offset; owns and closes fd; HEAD sends none. */
void fl_http_reply_file(struct fl_http_req *req, int status, const char *content_type, int fd, int64_t offset, int64_t length);

/*
 * A body of unknown length. write returns false once the client is gone or was cut off, which he is when 1 MiB waits for
 * him beside what was written in one turn of the loop. req stays valid until stream_end, which must be called even then.
 */
void fl_http_stream_start(struct fl_http_req *req, int status, const char *content_type);
bool fl_http_stream_write(struct fl_http_req *req, const void *data, size_t len);
/* Bytes not yet taken by the client; on_drain (may be NULL) is called when they fall under 64 KiB again. */
size_t fl_http_stream_pending(const struct fl_http_req *req);
void fl_http_stream_on_drain(struct fl_http_req *req, void (*cb)(struct fl_http_req *req, void *arg), void *arg);
/* req is invalid afterwards. Also ends an event stream. */
void fl_http_stream_end(struct fl_http_req *req);

/*
 * Server-sent events, with a ":" line every 30 s. Valid until the on_close callback has run or
 * stream_end was called: set fl_http_on_close() first.
 */
void fl_http_sse_start(struct fl_http_req *req);
bool fl_http_sse_send(struct fl_http_req *req, const char *event, const char *id, const char *data);

/*
 * Hand the connection over: head (the full status line and headers, with the empty line) is sent
 * and the bufferevent is the caller's, with anything the client had sent behind its request in its
 * input; reading is off until the caller sets callbacks and enables it. req is invalid afterwards. NULL when the client is gone already (req is released too).
 */
struct bufferevent *fl_http_hijack(struct fl_http_req *req, const char *head);

#endif
