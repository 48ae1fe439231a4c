/*
 * http_client - HTTP calls from the event loop: libcurl's multi interface on libevent.
 *
 * Connections are kept and shared between calls of one client. Environment proxies are not used.
 */
#ifndef FL_HTTP_CLIENT_H
#define FL_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct fl_err;
struct fl_http_call;
struct fl_http_client;
struct fl_json;

/* The answer; borrowed for the callback. body is NUL-terminated, "" when streamed or empty. */
struct fl_http_result {
	int status;
	const char *body;
	size_t len;
	const char *content_type; /* "" when none */
	void *handle; /* for fl_http_result_header(); NULL: none */
};

/* The value of a header of the answer, the first if it is repeated; NULL when it has none. Borrowed until the next call. */
const char *fl_http_result_header(const struct fl_http_result *res, const char *name);

/*
 * Exactly one call, from the loop, never inside start; none after a cancel. err is NULL when an
 * answer came, whatever its status; use fl_http_result_check() to make an error of a bad status.
 */
typedef void (*fl_http_client_cb)(const struct fl_http_result *res, const struct fl_err *err, void *arg);

struct fl_http_call_opts {
	const char *method; /* NULL: GET */
	const char *url;
	const char *key;		/* sent as Basic password; NULL: the client's */
	const char *const *headers;	/* "Name: value" ..., NULL; NULL: none */
	const char *content_type;	/* NULL: application/json when there is a body */
	const void *body;		/* copied */
	size_t body_len;
	int body_fd;			/* > 0: the body is body_len bytes of this descriptor from its offset on; stays the caller's */
	const char *unix_socket;	/* connect to this path instead */
	const char *ca_file;		/* https: PEM of the authorities to trust; NULL: the system's */
	bool http2;			/* and nothing else, on a connection of its own: what gRPC wants */
	const char *pin;		/* https: the certificate's pin (tls_pin.h), and nothing else decides */
	int timeout_ms;			/* whole call; 0: 30 s; -1: none (streams) */
	int connect_timeout_ms;		/* 0: 5 s */
	int idle_timeout_ms;		/* streams: fail when no byte came for so long; 0: none */
	size_t max_body;		/* of a buffered answer; 0: 16 MiB; more is TOO_BIG */
	/* Streamed answer: called for each piece of a 2xx body instead of buffering. Return -1 to end the call. */
	int (*on_data)(const char *data, size_t len, void *arg);
};

/* key may be NULL. */
struct fl_http_client *fl_http_client_new(struct event_base *base, const char *key);
/* Cancels what is under way, without callbacks. */
void fl_http_client_free(struct fl_http_client *c);
struct event_base *fl_http_client_base(const struct fl_http_client *c);

/* Everything in opts is copied. The handle is borrowed until cb has run. Never NULL: failures come by cb. */
struct fl_http_call *fl_http_client_start(struct fl_http_client *c, const struct fl_http_call_opts *opts,
    fl_http_client_cb cb, void *arg);
void fl_http_call_cancel(struct fl_http_call *call);

/*
 * A status outside 200..299 becomes an error: kind by status, the sentence from the body's "message" if it
 * has one, else "what: status N". Returns 0 or -1.
 */
int fl_http_result_check(const struct fl_http_result *res, const char *what, struct fl_err *err);

/*
 * For programs without a loop (the CLI, hooks, one-shot tools): do one call and wait. *status is the answer's;
 * returns its body (caller frees), or NULL with err when none came. on_data gets arg.
 */
char *fl_http_fetch(const struct fl_http_call_opts *opts, void *arg, int *status, size_t *len, struct fl_err *err);
/* As fetch, checked and parsed: NULL with err for a bad status too. An empty 2xx body gives JSON null. */
struct fl_json *fl_http_fetch_json(const struct fl_http_call_opts *opts, const char *what, struct fl_err *err);

#endif
