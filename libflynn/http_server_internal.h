/*
 * http_server_internal - what the files of the HTTP server share: the server, its connections, a request.
 *
 * http_server.c listens, routes and drains; http_server_conn.c reads requests off connections and closes
 * them; http_server_req.c is what handlers ask a request; http_server_reply.c what they answer.
 */
#ifndef FL_HTTP_SERVER_INTERNAL_H
#define FL_HTTP_SERVER_INTERNAL_H

#include <event2/event_struct.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_parse.h"
#include "libflynn/http_server.h"
#include "libflynn/list.h"

#define HTTP_MAX_PARAMS 8
#define HTTP_ID_MAX 64
#define HTTP_HIGH_WATER ((size_t)1 << 20)  /* queued to a reader beside a burst: then he is cut off */
#define HTTP_LOW_WATER ((size_t)64 << 10)  /* queued: below it writers go on */
#define HTTP_READ_AHEAD ((size_t)64 << 10) /* received and not yet consumed: then reading stops */
#define HTTP_HEAD_S 30
#define HTTP_IDLE_S 60
#define HTTP_LINGER_S 5
#define HTTP_KEEP_ALIVE_S 30

struct evconnlistener;
struct http_conn;

struct http_listener {
	TAILQ_ENTRY(http_listener) link;
	struct fl_http *http;
	struct evconnlistener *listener;
	struct event *again; /* accepts again after the process was out of descriptors */
	const struct fl_http_route *routes;
	size_t n_routes;
	void *arg;
};

struct fl_http {
	struct event_base *base;
	char *key;
	size_t max_body;
	int read_timeout_s;
	int port;
	void (*refuse)(struct fl_http_req *req, const struct fl_err *err);
	bool (*authorize)(struct fl_http_req *req, void *arg);
	void (*metrics)(struct fl_buf *out, void *arg);
	TAILQ_HEAD(, http_listener) listeners;
	TAILQ_HEAD(, http_conn) conns;
	TAILQ_HEAD(, fl_http_req) reqs;
	size_t n_events;       /* event streams */
	struct event *tick;    /* keeps event streams alive; pending only while there are any */
	struct event *drained; /* calls on_drained from the loop */
	bool cors;
	bool draining;
	void (*on_drained)(void *arg);
	void *drained_arg;
	uint64_t answered[6]; /* by status class */
};

enum http_conn_state {
	HTTP_CONN_HEAD,	   /* waits for a request's head */
	HTTP_CONN_BODY,	   /* collects a whole body, then runs the handler */
	HTTP_CONN_ACTIVE,  /* a handler has the request */
	HTTP_CONN_DISCARD, /* answered; skips the rest of the body */
	HTTP_CONN_FLUSH,   /* sends what is queued, then closes */
	HTTP_CONN_LINGER,  /* our side is closed; waits for the client's, so that a reset destroys no answer */
	HTTP_CONN_DEAD,	   /* to be freed by its resume event */
	HTTP_CONN_MAX
};

/* Where the request's body stands in the input. */
struct http_body {
	bool chunked, done;
	int64_t length; /* -1: not known */
	uint64_t left;	/* of a known length */
	struct fl_http_chunked chunks;
};

struct http_conn {
	TAILQ_ENTRY(http_conn) link;
	struct fl_http *http;
	struct http_listener *listener;
	struct bufferevent *bev;
	struct fl_http_req *req; /* the one being read or answered */
	struct event resume;	 /* goes on from the loop instead of from inside a caller */
	struct event timer;	 /* the deadline of the state */
	enum http_conn_state state;
	bool head_begun; /* its deadline runs */
	bool processing; /* process() is on the stack */
	bool reading;	 /* else the input is full */
	bool eof;	 /* the client sends no more */
	bool close;	 /* after this answer */
	struct http_body body;
	struct in6_addr peer;
};

enum http_answer { HTTP_ANSWER_NONE, HTTP_ANSWER_STREAM, HTTP_ANSWER_EVENTS };

struct http_header {
	const char *name, *value; /* in the request's head */
};

struct http_param {
	struct fl_span name; /* in the route's path */
	char *value;
};

struct fl_http_req {
	TAILQ_ENTRY(fl_http_req) link;
	struct fl_http *http;	/* NULL: the server was freed */
	struct http_conn *conn; /* NULL: the client has gone */
	struct event_base *base;
	void *arg; /* the handler's */

	char *head; /* a copy of the bytes, cut into strings */
	struct http_header *headers;
	size_t n_headers;
	const char *method;
	char *path;	      /* decoded */
	char *raw_path;	      /* as it was sent, without query */
	char *query;	      /* NULL: none */
	char **values;	      /* what fl_http_query() gave out */
	size_t n_values;
	struct http_param params[HTTP_MAX_PARAMS];
	size_t n_params;
	char id[HTTP_ID_MAX + 1];
	char peer[INET6_ADDRSTRLEN];
	bool http_1_0, keep_alive, expects_continue, is_head;
	int64_t started_us;

	const struct fl_http_route *route;
	fl_http_handler handler;
	bool handed; /* somebody is to answer it */
	struct fl_buf body;
	struct fl_json *json;
	void (*on_data)(struct fl_http_req *req, const char *data, size_t len, void *arg);
	void (*on_end)(struct fl_http_req *req, const struct fl_err *err, void *arg);
	void *body_arg;
	struct event *late; /* tells who asks for a body that the client has gone */

	enum http_answer answer;
	int status;
	bool chunked_out;
	bool above;   /* the queue rose over the low water mark */
	struct timeval burst_at; /* the turn of the loop in which it did, or will */
	size_t burst;	/* queued in that turn, so no sign of a slow reader */
	bool closing; /* on_close is on the stack: ended by it means freed by its caller */
	bool ended;
	struct fl_buf extra; /* header lines */
	void (*on_close)(struct fl_http_req *req, void *arg);
	void *close_arg;
	void (*on_drain)(struct fl_http_req *req, void *arg);
	void *drain_arg;
	void (*on_reply)(struct fl_http_req *req, int status, const char *content_type, const void *data, size_t len, void *arg);
	void *reply_arg;
};

/* http_server.c */
/* Find the request's route and check who asks; returns -1 when it is answered already, most likely refused. */
int http_route(struct fl_http_req *req, const struct http_listener *l);
/* Answer for the server itself: by the refuse hook, or in the default shape. */
void http_refuse(struct fl_http_req *req, int status, const struct fl_err *err);
/* Something ended: a drain may be over. */
void http_check_drained(struct fl_http *h);
/* http_server_metrics.c */
void http_metrics(struct fl_http_req *req, void *arg);

/* http_server_conn.c */
void http_conn_new(struct http_listener *l, int fd, const struct in6_addr *peer);
/* Go on reading, from the loop. */
void http_conn_resume(struct http_conn *c);
/* Close without an answer, from the loop; the request's owner is told then. */
void http_conn_kill(struct http_conn *c);
/* Send what is queued, then close. */
void http_conn_finish(struct http_conn *c);
/* As kill, at once; not from inside a callback of the connection. */
void http_conn_free(struct http_conn *c);
/* Decide, before the head of an answer is written, whether the connection can live on behind it. */
void http_conn_settle(struct http_conn *c);
/* The request was answered and is gone: the next one, or the end. */
void http_conn_answered(struct http_conn *c);
/* Send "100 Continue" to a client that waits for it. */
void http_conn_invite_body(struct http_conn *c);
/* Give the bufferevent away and free the rest, from the loop. */
struct bufferevent *http_conn_detach(struct http_conn *c);

/* http_server_req.c */
struct fl_http_req *http_req_new(struct http_conn *c);
/* Take what is needed from a parsed head. -1 with INVALID for a bad target. */
int http_req_parse(struct fl_http_req *req, const struct fl_http_head *head, const char *data, struct fl_err *err);
void http_req_free(struct fl_http_req *req);
/* Tell the reader of a streamed body, if there is one still, that it has ended. */
void http_req_end_body(struct fl_http_req *req, const struct fl_err *err);
/* Whether the path matches the route's, filling params. */
bool http_req_match(struct fl_http_req *req, const char *pattern);

/* http_server_reply.c */
/* The connection is dying: tell the owner of its request. */
void http_req_abandon(struct fl_http_req *req);
/* ":" to an event stream. */
void http_req_keep_alive(struct fl_http_req *req);

#endif
