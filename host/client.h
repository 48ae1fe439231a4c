/*
 * client - the connection of somebody who is attached: frames both ways (libflynn/frame.h), with back pressure, and an end
 * that is noticed.
 */
#ifndef HOST_CLIENT_H
#define HOST_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "libflynn/frame.h"

struct client;
struct evbuffer;
struct event_base;
struct fl_http_req;

/* More is not to be given to it until it has drained; and to whoever takes what it sends. */
#define CLIENT_HIGH_WATER (256u << 10)
#define CLIENT_LOW_WATER (64u << 10)

struct client_ops {
	void (*on_frame)(const struct fl_frame *f, void *arg);
	/* What was written to it has drained. */
	void (*on_drain)(void *arg);
	/* It has gone, or was dropped because it sent what is no frame, or client_close() is done. Once: free it. */
	void (*on_gone)(void *arg);
};

/* Answer req by taking its connection over; name is for the log, copied. NULL: it has gone already. Nothing is read at first. */
struct client *client_take(struct event_base *base, const char *name, const struct client_ops *ops, void *arg,
    struct fl_http_req *req);
void client_free(struct client *c);

/* Where to write frames. */
struct evbuffer *client_out(const struct client *c);
size_t client_pending(const struct client *c);
void client_send_state(struct client *c, enum fl_frame_state state);
/* Tell it why not, instead of frames, and close. */
void client_refuse(struct client *c, const char *why);
/* Both streams have ended, and with status -1 that is all; else the exit status. Then close. */
void client_finish(struct client *c, int status);
/* Close once all is sent, or the client has not taken anything for a while. */
void client_close(struct client *c);
bool client_is_closing(const struct client *c);

/* Go on or stop reading its frames. While nothing is read its end is looked for. */
void client_read(struct client *c, bool on);
bool client_is_reading(const struct client *c);
/* One that sends no more while nothing is read has not gone: what it sent is still delivered. */
void client_may_half_close(struct client *c, bool may);

#endif
