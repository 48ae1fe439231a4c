/*
 * attach_internal - a connection to where a job can be attached, with TLS where the URL wants it.
 */
#ifndef FL_ATTACH_INTERNAL_H
#define FL_ATTACH_INTERNAL_H

struct attach_dial;
struct bufferevent;
struct event_base;
struct fl_err;

struct fl_attach_target {
	char *path, *authority; /* as a request names them */
};

/* Exactly once, from the loop. bev is the caller's, its TLS handshake may be under way; or NULL with err. */
typedef void (*attach_dial_cb)(struct bufferevent *bev, const struct fl_attach_target *target, const struct fl_err *err, void *arg);

/* Names are resolved before this returns. Without limit of time: the caller's. */
struct attach_dial *attach_dial_start(struct event_base *base, const char *url, const char *pin, attach_dial_cb cb, void *arg);
/* Also after cb has run; before the connection that it made. NULL is fine. */
void attach_dial_free(struct attach_dial *d);

/* Why a connection broke, from its bufferevent and the event. */
int attach_broken(struct bufferevent *bev, short what, struct fl_err *err);

#endif
