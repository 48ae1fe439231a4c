/*
 * stream - one connection to the engine whose bytes flow: an attached container, a followed log.
 *
 * What http_client cannot do for us: both directions at once after an upgrade, half-close, and back pressure.
 */
#ifndef HOST_STREAM_H
#define HOST_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "libflynn/frame.h"

struct engine;
struct event_base;
struct fl_err;
struct stream;

struct stream_opts {
	const char *method;
	const char *path; /* without API version */
	const char *body; /* JSON; NULL: none */
	bool upgrade;	  /* ask for both directions */
	bool multiplexed; /* the answer is (mux.h); else all of it is stdout */
	int open_timeout_ms;
};

struct stream_ops {
	/* The engine said yes. */
	void (*on_open)(struct stream *s, void *arg);
	void (*on_data)(struct stream *s, enum fl_frame_stream from, const char *data, size_t len, void *arg);
	/* The end, once: err NULL when the engine closed a stream that was open. */
	void (*on_end)(struct stream *s, const struct fl_err *err, void *arg);
	/* What was written has drained. May be NULL. */
	void (*on_drain)(struct stream *s, void *arg);
};

/* opts is used for the call only. Failures come by on_end, from the loop. */
struct stream *stream_start(struct event_base *base, const struct engine *e, const struct stream_opts *opts,
    const struct stream_ops *ops, void *arg);
/* May be called from its callbacks; none comes afterwards. */
void stream_free(struct stream *s);

/* To the container's stdin; kept until the engine takes it, so whoever writes much looks at stream_pending(). */
void stream_write(struct stream *s, const void *data, size_t len);
/* No more will be written: the container's stdin ends behind what was. */
void stream_shutdown(struct stream *s);
/* Bytes that the engine has yet to take. */
size_t stream_pending(const struct stream *s);
/* While it is paused on_data is not called, and the engine is not read from. */
void stream_pause(struct stream *s, bool paused);

#endif
