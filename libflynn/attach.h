/*
 * attach - the client's end of an attached job: upgrade a connection, then exchange frames (frame.h).
 *
 * Used against host (POST /attach) and, with TLS, against the controller (POST /apps/:app/jobs).
 */
#ifndef FL_ATTACH_H
#define FL_ATTACH_H

#include <stddef.h>
#include <stdint.h>

struct bufferevent;
struct event_base;
struct fl_attach;
struct fl_err;
struct fl_frame;

/* The bits of "flags" in the body that host gets: which streams, what was written before, what comes from now on. */
enum fl_attach_flags {
	FL_ATTACH_STDOUT = 1,
	FL_ATTACH_STDERR = 2,
	FL_ATTACH_STDIN = 4,
	FL_ATTACH_LOGS = 8,
	FL_ATTACH_STREAM = 16,
};

struct fl_attach_opts {
	const char *url;  /* http or https */
	const char *key;  /* Basic password */
	const char *pin;  /* https: certificate pin; NULL: normal verification */
	const char *body; /* JSON of the POST */
	int state_byte;	  /* the stream starts with state bytes (host); else with frames (controller) */
	int connect_timeout_ms; /* 0: 5 s; also bounds the wait for the upgrade's answer, unless the job is waited for */
};

struct fl_attach_ops {
	/* Attached: frames may be sent. May be NULL. */
	void (*on_open)(struct fl_attach *a, void *arg);
	void (*on_frame)(struct fl_attach *a, const struct fl_frame *f, void *arg);
	/* The end, once: err NULL after an exit frame or a clean end of stream, else why. a is still valid; free it here or later. */
	void (*on_end)(struct fl_attach *a, const struct fl_err *err, void *arg);
	/* What was sent has drained under 64 KiB. May be NULL. */
	void (*on_drain)(struct fl_attach *a, void *arg);
	/* The host waits for the job (state byte 1): add it now, and none of its output is lost. Before on_open. May be NULL. */
	void (*on_waiting)(struct fl_attach *a, void *arg);
};

struct fl_attach *fl_attach_start(struct event_base *base, const struct fl_attach_opts *opts,
    const struct fl_attach_ops *ops, void *arg);
void fl_attach_send(struct fl_attach *a, const void *data, size_t len); /* stdin, split into frames */
void fl_attach_send_eof(struct fl_attach *a);
void fl_attach_signal(struct fl_attach *a, uint32_t sig);
void fl_attach_resize(struct fl_attach *a, uint16_t rows, uint16_t cols);
/* Bytes not yet taken by the peer: stop producing over 256 KiB, go on at on_drain. */
size_t fl_attach_pending(const struct fl_attach *a);
/* Stop or go on reading frames (back pressure from whoever gets the output). */
void fl_attach_pause(struct fl_attach *a, int paused);
/* Hand over the raw connection after on_open (the controller relays bytes unchanged); a is freed. */
struct bufferevent *fl_attach_detach(struct fl_attach *a);
void fl_attach_free(struct fl_attach *a);

#endif
