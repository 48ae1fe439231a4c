#include "router/h2_internal.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/xmalloc.h"
#include "router/block.h"
#include "router/worker.h"

/* What one read takes at most, and reads in one turn. */
#define READ_BYTES ((size_t)32 << 10)
#define READS_A_TURN 8
/*
 * Frames that bring nothing (they cost us, and flood others: CVE-2019-9512 to 9518), and requests that are
 * given up (CVE-2023-44487): so many at once, so many a second.
 */
#define FRAMES_BURST 2000
#define FRAMES_A_SECOND 200
#define RESETS_BURST 500
#define RESETS_A_SECOND 50
/* And bytes of frames of which nghttp2 says nothing: unknown ones, and a window full of what we have stopped. */
#define BYTES_BURST (4 << 20)
#define BYTES_A_SECOND (256 << 10)
/* How much may be had in advance by what is of use. */
#define FRAMES_CREDIT (1 << 20)
#define BYTES_CREDIT (256 << 20)
/* The most bytes that a frame of use comes with. */
#define BYTES_A_FRAME (48 << 10)
/* What a DATA frame of ours is answered with at most: two WINDOW_UPDATEs, each maybe in halves. */
#define FRAMES_A_DATA 4
/* And one frame for so many bytes: a window that comes back in pieces makes us send crumbs, each of which is answered, too. */
#define BYTES_A_CRUMB 512
/* A frame that could have been longer, and is shorter than this, brings nothing. */
#define CRUMB 256

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

int
h2_preface(const char *data, size_t len)
{
	size_t all = sizeof(preface) - 1;

	if (memcmp(data, preface, len < all ? len : all) != 0)
		return -1;
	return len >= all ? 1 : 0;
}

/* False: the budget is exceeded. */
static bool
spend(const struct h2 *h2, struct h2_budget *b, int32_t n, int burst, int a_second)
{
	int64_t now = h2->w->now_ms, back;

	b->spent += n;
	if (b->spent <= burst)
		return true;
	back = (now - b->since_ms) * a_second / 1000;
	b->since_ms = now;
	b->spent = back >= b->spent ? 0 : b->spent - (int32_t)back;
	return b->spent <= burst;
}

/* Something of use came, or was sent. What is due for that may come much later: it is kept as credit. */
static void
earn(struct h2 *h2, int32_t n_frames)
{
	struct h2_budget *f = &h2->frames, *b = &h2->bytes;

	if (f->spent > -FRAMES_CREDIT)
		f->spent -= n_frames;
	if (b->spent > -BYTES_CREDIT)
		b->spent -= BYTES_A_FRAME;
}

static void
count_flood(struct h2 *h2)
{
	if (!h2->is_calmed)
		worker_count(h2->w, COUNT_H2_FLOODS, 1);
	h2->is_calmed = true;
}

static int
calm_down(struct h2 *h2)
{
	count_flood(h2);
	nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
	return 0;
}

static struct h2_stream *
find_stream(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/*
 * HEADERS of a stream that was ended by both sides, or by the client. nghttp2 has forgotten it, and would ignore them, as it
 * does DATA, of which it says nothing. Once we have reset a stream, what the client sent before it knew is on its way.
 */
static bool
is_behind_end(const struct h2 *h2, const nghttp2_frame_hd *hd)
{
	return hd->type == NGHTTP2_HEADERS && !h2->has_reset && hd->stream_id % 2 == 1 &&
	    hd->stream_id <= nghttp2_session_get_last_proc_stream_id(h2->session) &&
	    nghttp2_session_find_stream(h2->session, hd->stream_id) == NULL;
}

/* RFC 9113 5.1: a stream of that number has been, if none was left out; and 5.1.1: or is left out for ever. */
static uint32_t
closed_error(const struct h2 *h2)
{
	int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);

	return h2->n_begun == ((uint32_t)last + 1) / 2 ? NGHTTP2_STREAM_CLOSED : NGHTTP2_PROTOCOL_ERROR;
}

static int
on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct h2 *h2 = arg;

	/* As we said that priorities are nothing to us, nghttp2 does not look at them. */
	if (hd->type == NGHTTP2_PRIORITY && hd->stream_id == 0)
		nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
	else if (is_behind_end(h2, hd))
		nghttp2_session_terminate_session(session, closed_error(h2));
	return spend(h2, &h2->frames, 1, FRAMES_BURST, FRAMES_A_SECOND) ? 0 : calm_down(h2);
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h2 = arg;

	h2_head_release(&h2->head, &h2->w->blocks);
	h2->head_stream = frame->hd.stream_id;
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
		h2->head.is_trailer = true;
		return 0;
	}
	h2->n_begun++;
	nghttp2_session_set_stream_user_data(session, h2->head_stream, h2_stream_new(h2, h2->head_stream));
	return 0;
}

static int
on_header(FL_UNUSED nghttp2_session *session, FL_UNUSED const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
    const uint8_t *value, size_t value_len, FL_UNUSED uint8_t flags, void *arg)
{
	struct h2 *h2 = arg;

	h2_head_add(&h2->head, &h2->w->blocks, (struct fl_span){ (const char *)name, name_len },
	    (struct fl_span){ (const char *)value, value_len });
	return 0;
}

static void
on_headers(struct h2 *h2, struct h2_stream *s, const nghttp2_frame *frame)
{
	bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	if (s != NULL && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		earn(h2, 1);
		h2->is_active = true;
		s->is_ended = is_end;
		h2_stream_begin(s);
	} else if (s != NULL) {
		s->trailers = h2_head_take_trailers(&h2->head);
		h2_stream_ended(s);
	}
	h2_head_release(&h2->head, &h2->w->blocks);
	h2->head_stream = 0;
}

/* The client has got to know that an end is near: any request that it has sent before that has come. */
static void
tell_last(struct h2 *h2)
{
	if (!h2->is_last_told)
		nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2->session),
		    NGHTTP2_NO_ERROR, NULL, 0);
	h2->is_last_told = true;
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_stream *s;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		on_headers(h2, find_stream(session, frame->hd.stream_id), frame);
		break;
	case NGHTTP2_DATA:
		if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
		    (s = find_stream(session, frame->hd.stream_id)) != NULL)
			h2_stream_ended(s);
		break;
	case NGHTTP2_SETTINGS:
		h2->is_greeted = true;
		break;
	case NGHTTP2_PING:
		if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && h2->is_draining)
			tell_last(h2);
		break;
	}
	return 0;
}

static int
on_data(nghttp2_session *session, FL_UNUSED uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_stream *s = find_stream(session, id);

	earn(h2, 1);
	if (s != NULL)
		h2_stream_received(s, data, len);
	else
		nghttp2_session_consume_connection(session, len);
	return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_stream *s = find_stream(session, id);

	if (h2->head_stream == id) {
		h2_head_release(&h2->head, &h2->w->blocks);
		h2->head_stream = 0;
	}
	if (s == NULL)
		return 0;
	h2_stream_closed(s);
	if (code == NGHTTP2_NO_ERROR)
		return 0;
	/* The client gave it up, or made us do so (CVE-2025-8671). */
	worker_count(h2->w, COUNT_H2_RESETS, 1);
	if (!spend(h2, &h2->resets, 1, RESETS_BURST, RESETS_A_SECOND))
		calm_down(h2);
	return 0;
}

static int
on_sent(FL_UNUSED nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2 *h2 = arg;

	h2->has_reset |= frame->hd.type == NGHTTP2_RST_STREAM;
	return 0;
}

static int
on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t len,
    FL_UNUSED nghttp2_data_source *source, void *arg)
{
	struct h2 *h2 = arg;
	struct h2_stream *s = find_stream(session, frame->hd.stream_id);

	/* Not for crumbs that its windows are made for (CVE-2019-9511). */
	if (len >= CRUMB || len == s->src_left)
		earn(h2, FRAMES_A_DATA + (int32_t)(len / BYTES_A_CRUMB));
	h2_add(h2, head, 9);
	h2_stream_send(s, len);
	return 0;
}

/* As everywhere: without memory the program ends. What a client can make nghttp2 keep is bounded. */
static void *
mem_malloc(size_t size, FL_UNUSED void *arg)
{
	return fl_xmalloc(size);
}

static void *
mem_calloc(size_t n, size_t size, FL_UNUSED void *arg)
{
	return fl_xcalloc(n, size);
}

static void *
mem_realloc(void *p, size_t size, FL_UNUSED void *arg)
{
	return fl_xreallocarray(p, 1, size);
}

static void
mem_free(void *p, FL_UNUSED void *arg)
{
	free(p);
}

static struct h2_pool *
pool_new(void)
{
	struct h2_pool *p = fl_xcalloc(1, sizeof(*p));

	p->mem = (nghttp2_mem){ .malloc = mem_malloc, .free = mem_free, .calloc = mem_calloc, .realloc = mem_realloc };
	LIST_INIT(&p->free);
	nghttp2_session_callbacks_new(&p->callbacks);
	nghttp2_session_callbacks_set_on_begin_frame_callback(p->callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(p->callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(p->callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(p->callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(p->callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(p->callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(p->callbacks, on_sent);
	nghttp2_session_callbacks_set_send_data_callback(p->callbacks, on_send_data);
	nghttp2_option_new(&p->option);
	nghttp2_option_set_no_auto_window_update(p->option, 1);
	nghttp2_option_set_no_closed_streams(p->option, 1);
	/* Ours counts what the client makes us reset, too. */
	nghttp2_option_set_stream_reset_rate_limit(p->option, UINT32_MAX, UINT32_MAX);
	return p;
}

void
h2_pool_free(struct h2_pool *p)
{
	struct h2_stream *s, *next;

	if (p == NULL)
		return;
	LIST_FOREACH_SAFE(s, &p->free, link, next)
		free(s);
	nghttp2_session_callbacks_del(p->callbacks);
	nghttp2_option_del(p->option);
	free(p);
}

static void
break_off(struct h2 *h2)
{
	h2->is_broken = true;
	h2_wake(h2);
}

void
h2_add(struct h2 *h2, const void *data, size_t len)
{
	/* Far above what can be: bodies and heads stop long before, and so does the reading of what wants an answer. */
	if (h2->out != NULL && h2->out->len + len > BLOCK_MAX)
		break_off(h2);
	else
		h2->out = block_append(&h2->w->blocks, h2->out, data, len);
}

size_t
h2_room(const struct h2 *h2)
{
	size_t used = h2->out != NULL ? h2->out->len : 0, max = block_is_short(&h2->w->blocks) ? H2_OUT_SHORT : H2_OUT_MAX;

	return used < max ? max - used : 0;
}

void
h2_wake(struct h2 *h2)
{
	if (!h2->is_unsent)
		TAILQ_INSERT_TAIL(&h2->w->unsent, h2, unsent_link);
	h2->is_unsent = true;
}

void
h2_produce(struct h2 *h2)
{
	const uint8_t *data;
	ssize_t n;

	while (!h2->is_broken && (n = nghttp2_session_mem_send(h2->session, &data)) != 0) {
		if (n < 0)
			break_off(h2);
		else
			h2_add(h2, data, (size_t)n);
	}
	h2_wake(h2);
}

bool
h2_write(struct h2 *h2)
{
	struct io *io = &h2->c->io;

	while (h2->out != NULL) {
		struct iovec part = { block_bytes(h2->out), h2->out->len };
		ssize_t n;

		if ((io->flags & (IO_WRITABLE | IO_BROKEN)) == 0)
			return false;
		n = io_write(io, &part, 1);
		if (n == IO_AGAIN)
			return false;
		if (n < 0) {
			break_off(h2);
			return false;
		}
		h2->has_written = true;
		block_drop(h2->out, (size_t)n);
		if (h2->out->len == 0) {
			block_free(&h2->w->blocks, h2->out);
			h2->out = NULL;
		}
	}
	return true;
}

/* Those that found the output full: as many as it has room for now. */
static void
tell_room(struct h2 *h2)
{
	size_t room = h2_room(h2), told = 0;
	struct h2_stream *s;

	for (; told < room && (s = TAILQ_FIRST(&h2->waiting)) != NULL; told += H2_SHARE)
		h2_stream_room(s);
	h2->is_stalled = !TAILQ_EMPTY(&h2->waiting);
	if (h2->is_stalled || ((h2->c->io.flags & (IO_READABLE | IO_EOF)) != 0 && !h2->is_eof))
		worker_again(h2->w, h2->c); /* it reads on, and looks for more room */
}

static void
wait_on(struct h2 *h2)
{
	if (!h2->is_greeted)
		client_wait(h2->c, WAIT_FIRST, false);
	else if (h2->out != NULL)
		client_wait(h2->c, WAIT_READER, h2->has_written);
	else if (h2->head_stream != 0)
		client_wait(h2->c, WAIT_HEAD, false);
	else if (h2->is_draining && !h2->is_last_told)
		client_wait(h2->c, WAIT_LINGER, false);
	else if (h2->n_streams > 0)
		client_wait(h2->c, WAIT_NOTHING, false); /* each has a time of its own */
	else
		client_wait(h2->c, WAIT_IDLE, h2->is_active);
	h2->is_active = h2->has_written = false;
}

/* Nothing more will be said. */
static bool
is_over(struct h2 *h2)
{
	if (h2->is_eof && h2->n_streams == 0)
		return true;
	return nghttp2_session_want_read(h2->session) == 0 && nghttp2_session_want_write(h2->session) == 0;
}

static void
end(struct h2 *h2)
{
	struct client *c = h2->c;
	bool is_eof = h2->is_eof;

	h2_free(h2);
	if (is_eof)
		client_close(c, false);
	else
		client_linger(c);
}

static void
flush(struct h2 *h2)
{
	struct client *c = h2->c;

	if (!h2->is_broken) {
		h2_produce(h2);
		h2_write(h2);
	}
	if (h2->is_unsent)
		TAILQ_REMOVE(&h2->w->unsent, h2, unsent_link);
	h2->is_unsent = false;
	if (h2->is_broken) {
		client_close(c, true);
	} else if (h2->out == NULL && is_over(h2)) {
		end(h2);
	} else {
		if (h2->is_stalled && h2_room(h2) >= H2_ROOM_MIN)
			tell_room(h2);
		wait_on(h2);
	}
}

void
h2_flush(struct worker *w)
{
	struct h2 *h2;

	while ((h2 = TAILQ_FIRST(&w->unsent)) != NULL)
		flush(h2);
}

static void
feed(struct h2 *h2, const char *data, size_t len)
{
	ssize_t n = nghttp2_session_mem_recv(h2->session, (const uint8_t *)data, len);

	if (n == NGHTTP2_ERR_FLOODED)
		count_flood(h2); /* of what has to be answered it has a bound of its own, without a word to the client */
	if (n < 0)
		break_off(h2);
	else if (!spend(h2, &h2->bytes, (int32_t)len, BYTES_BURST, BYTES_A_SECOND))
		calm_down(h2);
	h2_wake(h2);
}

/* The client has ended its side: what it has not sent yet will not come. */
static void
at_eof(struct h2 *h2)
{
	struct h2_stream *s;

	h2->is_eof = true;
	LIST_FOREACH(s, &h2->streams, link) {
		if (!s->is_ended)
			h2_stream_cut(s);
	}
	h2_wake(h2);
}

void
h2_run(struct h2 *h2)
{
	struct io *io = &h2->c->io;

	h2_wake(h2);
	for (int reads = 0; (io->flags & (IO_READABLE | IO_EOF | IO_BROKEN)) != 0 && !h2->is_eof && !h2->is_broken; reads++) {
		ssize_t n;

		if (h2_room(h2) == 0) {
			h2->is_stalled = true; /* it is read on when what it asked for is written */
			return;
		}
		if (reads == READS_A_TURN) {
			worker_again(h2->w, h2->c);
			return;
		}
		n = io_read(io, h2->w->in, READ_BYTES);
		if (n == IO_AGAIN)
			return;
		if (n == 0)
			at_eof(h2);
		else if (n < 0)
			break_off(h2);
		else
			feed(h2, h2->w->in, (size_t)n);
		h2_produce(h2);
	}
}

void
h2_begin(struct client *c, const char *data, size_t len)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_HEAD_LIST_MAX },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};
	struct worker *w = c->w;
	struct h2 *h2 = fl_xcalloc(1, sizeof(*h2));

	if (w->h2 == NULL)
		w->h2 = pool_new();
	h2->c = c;
	h2->w = w;
	h2->frames.since_ms = h2->bytes.since_ms = h2->resets.since_ms = w->now_ms;
	LIST_INIT(&h2->streams);
	TAILQ_INIT(&h2->waiting);
	c->h2 = h2;
	worker_count(w, COUNT_H2, 1);
	nghttp2_session_server_new3(&h2->session, w->h2->callbacks, h2, w->h2->option, &w->h2->mem);
	nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, fl_nitems(settings));
	nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW);
	client_wait(c, WAIT_FIRST, false);
	if (len > 0)
		feed(h2, data, len);
	if (w->is_draining)
		h2_drain(h2);
	h2_run(h2);
}

void
h2_drain(struct h2 *h2)
{
	if (h2->is_draining)
		return;
	h2->is_draining = true;
	nghttp2_submit_shutdown_notice(h2->session);
	nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
	h2_wake(h2);
}

void
h2_expire(struct h2 *h2, int wait)
{
	switch ((enum client_wait)wait) {
	case WAIT_LINGER:
		tell_last(h2);
		break;
	case WAIT_IDLE:
		nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR);
		break;
	case WAIT_HEAD:
		nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
		break;
	case WAIT_NOTHING:
	case WAIT_HANDSHAKE:
	case WAIT_FIRST:
	case WAIT_BODY:
	case WAIT_CONNECT:
	case WAIT_ANSWER:
	case WAIT_MORE:
	case WAIT_READER:
	case WAIT_START:
	case WAIT_CHANGE:
	case WAIT_MAX:
		h2->is_broken = true;
		break;
	}
	h2_wake(h2);
}

void
h2_free(struct h2 *h2)
{
	struct h2_stream *s, *next;

	h2->is_broken = true; /* nothing is sent for them any more */
	LIST_FOREACH_SAFE(s, &h2->streams, link, next)
		client_close(&s->c, true);
	if (h2->is_unsent)
		TAILQ_REMOVE(&h2->w->unsent, h2, unsent_link);
	nghttp2_session_del(h2->session);
	block_free(&h2->w->blocks, h2->out);
	h2_head_release(&h2->head, &h2->w->blocks);
	h2->c->h2 = NULL;
	free(h2);
}
