/*
 * sse_client - follow a stream of server-sent events, reconnecting for as long as it is wanted.
 */
#ifndef FL_SSE_CLIENT_H
#define FL_SSE_CLIENT_H

#include <stddef.h>

struct fl_err;
struct fl_http_client;
struct fl_sse_client;

struct fl_sse_client_ops {
	/* The URL to (re)connect to, asked before each try; the caller of the op frees it. NULL: not known now, try later. */
	char *(*url)(void *arg);
	/* A connection stands (2xx head and first byte came): what follows is a new beginning. May be NULL. */
	void (*on_open)(void *arg);
	void (*on_event)(const char *event, const char *id, const char *data, size_t len, void *arg);
	/* The stream broke or could not be opened; it will be tried again. May be NULL. */
	void (*on_error)(const struct fl_err *err, void *arg);
	const char *pin; /* https: as in http_client.h; borrowed */
};

/*
 * Back-off 100 ms to 5 s; a stream silent for 75 s is dropped and opened again; Last-Event-Id is sent when
 * an id was seen. Free it before c.
 */
struct fl_sse_client *fl_sse_client_start(struct fl_http_client *c, const struct fl_sse_client_ops *ops, void *arg);
/* Reconnect now (the URL changed). */
void fl_sse_client_restart(struct fl_sse_client *s);
void fl_sse_client_free(struct fl_sse_client *s);

#endif
