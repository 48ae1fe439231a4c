/*
 * h2_internal - what the parts of h2 share: h2.c is the connection, h2_stream.c its streams.
 */
#ifndef ROUTER_H2_INTERNAL_H
#define ROUTER_H2_INTERNAL_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/list.h"
#include "router/client.h"
#include "router/h2.h"
#include "router/h2_head.h"

struct block;
struct worker;

/* Requests that a client may have under way. */
#define H2_STREAMS_MAX 100
/* Bytes of a request's body that we keep while its instance takes none, and of all of a connection. */
#define H2_WINDOW ((64u << 10) - 1)
#define H2_CONNECTION_WINDOW (1u << 20)
/*
 * What waits to be written at most before neither bodies nor heads are added, nor frames read that want an answer; and when
 * memory is short.
 */
#define H2_OUT_MAX ((size_t)64 << 10)
#define H2_OUT_SHORT ((size_t)8 << 10)
/* What a stream adds to the output before others that wait for room in it have their turn. */
#define H2_SHARE ((size_t)16 << 10)
/* Less room is not worth a frame, and nobody who waits is told of it: he would only wait again. */
#define H2_ROOM_MIN ((size_t)1 << 10)

struct h2_pool {
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	nghttp2_mem mem;
	LIST_HEAD(h2_streams, h2_stream) free; /* streams for another use */
	unsigned n_free;
};

/* Something that a client may do so often, and then so often a second. */
struct h2_budget {
	int32_t spent;
	int64_t since_ms;
};

struct h2 {
	struct client *c;
	struct worker *w;
	nghttp2_session *session;
	TAILQ_ENTRY(h2) unsent_link;
	struct h2_streams streams;
	unsigned n_streams;
	TAILQ_HEAD(, h2_stream) waiting; /* for room in the output, the longest first */
	unsigned n_told; /* of those that waited: they have room now, and have not used it yet */
	uint32_t n_begun; /* of all time */
	struct block *out;   /* frames that wait to be written */
	struct h2_head head; /* coming in */
	int32_t head_stream; /* whose it is; 0: none is coming in */
	struct h2_budget frames, bytes, resets;
	bool is_unsent;	    /* in the worker's queue */
	bool is_greeted;    /* the client's SETTINGS have come */
	bool is_active;	    /* requests began since the idle time did */
	bool has_written;   /* since the time for it began */
	bool is_stalled;    /* somebody waits for room in the output */
	bool is_eof;	    /* the client has ended its side */
	bool has_reset;	    /* a stream, ever */
	bool is_calmed;	    /* was told to calm down */
	bool is_broken;	    /* frames can be neither read nor made any more */
	bool is_draining, is_last_told; /* GOAWAY: that there will be an end, and with which stream */
};

struct h2_stream {
	struct client c; /* first: they are one for who has it as a client */
	struct h2 *h2;
	LIST_ENTRY(h2_stream) link;
	int32_t id;
	struct block *in;	/* of its body, received and not read */
	struct block *trailers; /* lines */
	struct block *last;	/* trailers of the answer, lines; NULL: there are none */
	const struct iovec *src; /* what is being sent: only while it is */
	size_t src_off, src_left; /* bytes of *src that were sent, of all that are not */
	int64_t left;		/* bytes of the answer's body to come, -1: unknown */
	bool is_chunked;	/* its body is read as chunks */
	bool is_ended;		/* all of the request has come */
	bool is_answered;	/* the final answer's head was sent */
	bool is_shut;		/* what is sent now is the last */
	bool is_end_sent;
	bool is_over;		/* nghttp2 knows it no more */
	TAILQ_ENTRY(h2_stream) waiting_link;
	size_t taken;		/* of the output, since it last waited for room */
	bool wants_room;	/* waits for room in the output */
	bool is_told;		/* that there is */
	bool wants_window;	/* could not send all */
};

/* Turn what nghttp2 has to send into output. */
void h2_produce(struct h2 *h2);
/* The same at the turn's end, and write it. */
void h2_wake(struct h2 *h2);
/* Write the output. False: some of it, or an error, is left. */
bool h2_write(struct h2 *h2);
/* How many bytes of output may be added. */
size_t h2_room(const struct h2 *h2);
void h2_add(struct h2 *h2, const void *data, size_t len);

/* A stream whose request's head begins. */
struct h2_stream *h2_stream_new(struct h2 *h2, int32_t id);
/* Its head is complete, in h2->head. */
void h2_stream_begin(struct h2_stream *s);
void h2_stream_received(struct h2_stream *s, const uint8_t *data, size_t len);
/* The request has come to its end. */
void h2_stream_ended(struct h2_stream *s);
/* nghttp2 has closed it. */
void h2_stream_closed(struct h2_stream *s);
/* The connection breaks off, or there is room in its output. */
void h2_stream_cut(struct h2_stream *s);
void h2_stream_room(struct h2_stream *s);
/* Add the next len bytes of what is being sent to the output. */
void h2_stream_send(struct h2_stream *s, size_t len);

#endif
