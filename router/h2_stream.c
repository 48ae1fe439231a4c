#include "router/h2_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "router/block.h"
#include "router/exchange.h"
#include "router/worker.h"

/* Streams that a worker keeps for another use. */
#define FREE_MAX 256
/* A chunk's size line, and the line end behind it. */
#define CHUNK_OVERHEAD 20

static const char last_chunk[] = "0\r\n";

static struct h2_stream *
stream_of(struct client *c)
{
	return fl_container_of(c, struct h2_stream, c);
}

/* Its client has something to do: at the end of the turn, outside of nghttp2. */
static void
wake(struct h2_stream *s)
{
	worker_again(s->h2->w, &s->c);
}

static size_t
take_in(struct h2_stream *s, char *to, size_t max)
{
	size_t n = s->in->len < max ? s->in->len : max;

	memcpy(to, block_bytes(s->in), n);
	block_drop(s->in, n);
	if (s->in->len == 0) {
		block_free(&s->h2->w->blocks, s->in);
		s->in = NULL;
	}
	nghttp2_session_consume(s->h2->session, s->id, n);
	h2_wake(s->h2); /* maybe there is window to give back */
	return n;
}

/* A chunk of what has come. */
static size_t
read_chunk(struct h2_stream *s, char *to, size_t max)
{
	size_t n = s->in->len < max - CHUNK_OVERHEAD ? s->in->len : max - CHUNK_OVERHEAD;
	char *at = to + snprintf(to, CHUNK_OVERHEAD, "%zx\r\n", n);

	at += take_in(s, at, n);
	*at++ = '\r';
	*at++ = '\n';
	return (size_t)(at - to);
}

/* The last chunk, the trailers, and the empty line. */
static size_t
read_last_chunk(struct h2_stream *s, char *to, size_t max)
{
	struct block *t = s->trailers;
	char *at = mempcpy(to, last_chunk, sizeof(last_chunk) - 1);

	if (t != NULL && t->len + sizeof(last_chunk) + 2 <= max)
		at = mempcpy(at, block_bytes(t), t->len);
	*at++ = '\r';
	*at++ = '\n';
	s->is_chunked = false;
	return (size_t)(at - to);
}

static ssize_t
stream_read(struct io *io, void *data, size_t len)
{
	struct h2_stream *s = stream_of(fl_container_of(io, struct client, io));

	if (s->in != NULL)
		return (ssize_t)(s->is_chunked ? read_chunk(s, data, len) : take_in(s, data, len));
	if (s->is_ended && s->is_chunked)
		return (ssize_t)read_last_chunk(s, data, len);
	io->flags &= ~(unsigned)IO_READABLE;
	if (!s->is_ended)
		return IO_AGAIN;
	io->flags |= IO_EOF;
	return 0;
}

static void
wait_for_room(struct h2_stream *s)
{
	if (!s->wants_room)
		TAILQ_INSERT_TAIL(&s->h2->waiting, s, waiting_link);
	s->wants_room = s->h2->is_stalled = true;
}

/* It has its turn now, or it needs none. */
static void
wait_no_more(struct h2_stream *s)
{
	if (s->wants_room)
		TAILQ_REMOVE(&s->h2->waiting, s, waiting_link);
	if (s->is_told)
		s->h2->n_told--;
	s->wants_room = s->is_told = false;
}

static bool
is_alone(const struct h2_stream *s)
{
	const struct h2_stream *first = TAILQ_FIRST(&s->h2->waiting);

	return s->h2->n_told == 0 && (first == NULL || (first == s && TAILQ_NEXT(s, waiting_link) == NULL));
}

/* Make frames of what is offered, until it is taken, or there is no room or window, or others have their turn. */
static void
send_src(struct h2_stream *s)
{
	struct h2 *h2 = s->h2;

	do {
		wait_no_more(s);
		nghttp2_session_resume_data(h2->session, s->id);
		h2_produce(h2);
	} while (s->src_left > 0 && s->wants_room && is_alone(s) && !h2->is_broken && h2_write(h2));
}

static ssize_t
stream_write(struct io *io, const struct iovec *parts, int n)
{
	struct h2_stream *s = stream_of(fl_container_of(io, struct client, io));
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += parts[i].iov_len;
	s->src = parts;
	s->src_off = 0;
	s->src_left = len;
	send_src(s);
	len -= s->src_left;
	s->wants_window = s->src_left > 0;
	s->src = NULL;
	s->src_left = 0;
	if ((io->flags & IO_BROKEN) != 0 || s->h2->is_broken)
		return IO_ERROR;
	if (s->wants_window)
		io->flags &= ~(unsigned)IO_WRITABLE;
	return len > 0 ? (ssize_t)len : IO_AGAIN;
}

static const struct io_ops ops = { .read = stream_read, .write = stream_write };

struct h2_stream *
h2_stream_new(struct h2 *h2, int32_t id)
{
	struct h2_pool *pool = h2->w->h2;
	struct h2_stream *s = LIST_FIRST(&pool->free);

	if (s != NULL) {
		LIST_REMOVE(s, link);
		pool->n_free--;
		memset(s, 0, sizeof(*s));
	} else {
		s = fl_xcalloc(1, sizeof(*s));
	}
	client_init_stream(&s->c, h2->c, &ops);
	s->h2 = h2;
	s->id = id;
	s->left = -1;
	LIST_INSERT_HEAD(&h2->streams, s, link);
	h2->n_streams++;
	return s;
}

static void
refuse(struct h2_stream *s, const struct fl_err *err, bool in_first_line)
{
	int status = err->kind != FL_ERR_TOO_BIG ? 400 : in_first_line ? 414 : 431;

	s->c.x = exchange_refuse(&s->c, status, err->msg);
}

void
h2_stream_begin(struct h2_stream *s)
{
	struct h2 *h2 = s->h2;
	struct fl_http_head head;
	struct fl_err err = { 0 };
	char none[1];

	head.in_first_line = false;

	if (h2_head_parse(&h2->head, &h2->w->blocks, !s->is_ended, &head, &err) == -1) {
		refuse(s, &err, head.in_first_line);
	} else {
		s->is_chunked = head.chunked;
		s->c.x = exchange_begin(&s->c, &head, none, 0);
	}
	if (s->is_ended)
		s->c.io.flags |= IO_READABLE;
	wake(s);
}

void
h2_stream_received(struct h2_stream *s, const uint8_t *data, size_t len)
{
	struct h2 *h2 = s->h2;

	if (s->c.x == NULL) {
		nghttp2_session_consume_connection(h2->session, len); /* the answer came before */
		return;
	}
	s->in = block_append(&h2->w->blocks, s->in, data, len);
	s->c.io.flags |= IO_READABLE;
	if (block_is_exhausted(&h2->w->blocks))
		h2_stream_cut(s); /* memory is needed for those who do something with it */
	else
		wake(s);
}

void
h2_stream_ended(struct h2_stream *s)
{
	s->is_ended = true;
	s->c.io.flags |= IO_READABLE;
	wake(s);
}

void
h2_stream_cut(struct h2_stream *s)
{
	s->c.io.flags |= IO_BROKEN;
	wake(s);
}

void
h2_stream_closed(struct h2_stream *s)
{
	s->is_over = true;
	if (!s->is_end_sent || !s->is_ended)
		s->c.io.flags |= IO_BROKEN;
	/* Most often it is just running, and notices by itself. */
	if (!s->is_end_sent || s->c.x == NULL)
		wake(s);
}

void
h2_stream_room(struct h2_stream *s)
{
	wait_no_more(s);
	s->is_told = true;
	s->h2->n_told++;
	s->taken = 0;
	s->c.io.flags |= IO_WRITABLE;
	wake(s);
}

void
h2_stream_send(struct h2_stream *s, size_t len)
{
	size_t off = s->src_off;

	s->taken += len;
	s->src_off += len;
	s->src_left -= len;
	for (const struct iovec *part = s->src; len > 0; part++) {
		size_t n;

		if (off >= part->iov_len) {
			off -= part->iov_len;
			continue;
		}
		n = part->iov_len - off < len ? part->iov_len - off : len;
		h2_add(s->h2, (const char *)part->iov_base + off, n);
		off = 0;
		len -= n;
	}
}

bool
h2_stream_has_room(struct client *c)
{
	struct h2_stream *s = stream_of(c);

	if (h2_room(s->h2) > 0 || s->h2->is_broken) {
		wait_no_more(s);
		return true;
	}
	wait_for_room(s);
	return false;
}

void
h2_stream_interim(struct client *c, const struct fl_http_head *h)
{
	struct h2_stream *s = stream_of(c);
	nghttp2_nv nv[H2_HEAD_NV_MAX];
	size_t n = h2_head_answer(h, (struct fl_span){ 0 }, (struct fl_span){ 0 }, c->w->out, nv);

	if (s->h2->is_broken)
		return;
	nghttp2_submit_headers(s->h2->session, NGHTTP2_FLAG_NONE, s->id, NULL, nv, n, NULL);
	h2_produce(s->h2); /* at once: names and values are borrowed */
}

/* False: there is none among them. */
static bool
send_trailers(struct h2_stream *s)
{
	nghttp2_nv nv[H2_HEAD_TRAILERS_MAX];
	size_t n = h2_head_trailers(block_bytes(s->last), s->last->len, nv);

	return n > 0 && nghttp2_submit_trailer(s->h2->session, s->id, nv, n) == 0;
}

/* How much it may add to the output now. */
static size_t
room_of(const struct h2_stream *s)
{
	size_t room = h2_room(s->h2), share = s->taken < H2_SHARE ? H2_SHARE - s->taken : 0;

	return is_alone(s) || share > room ? room : share;
}

/* What nghttp2 may send next of a body, at most max bytes. */
static ssize_t
offer(struct h2_stream *s, size_t max, uint32_t *flags)
{
	size_t room = room_of(s), n = s->src_left < max ? s->src_left : max;

	if ((n > room || s->last != NULL) && room < H2_ROOM_MIN) {
		wait_for_room(s);
		return NGHTTP2_ERR_DEFERRED;
	}
	n = n < room ? n : room;
	if (s->left >= 0 && n > (uint64_t)s->left)
		n = (size_t)s->left;
	if (s->left >= 0)
		s->left -= (int64_t)n;
	if (s->left == 0 || (s->is_shut && n == s->src_left && s->left < 0)) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		if (s->last != NULL && send_trailers(s))
			*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		s->is_end_sent = true;
		return (ssize_t)n;
	}
	if (n > 0)
		return (ssize_t)n;
	if (s->wants_window) {
		s->wants_window = false;
		s->c.io.flags |= IO_WRITABLE;
		wake(s);
	}
	return NGHTTP2_ERR_DEFERRED;
}

static ssize_t
on_offer(nghttp2_session *session, int32_t id, FL_UNUSED uint8_t *buf, size_t max, uint32_t *flags,
    FL_UNUSED nghttp2_data_source *source, FL_UNUSED void *arg)
{
	struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);

	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	return s != NULL ? offer(s, max, flags) : NGHTTP2_ERR_DEFERRED;
}

size_t
h2_stream_answer(struct client *c, const struct fl_http_head *h, const struct h2_answer *to, const char *data, size_t len)
{
	struct h2_stream *s = stream_of(c);
	struct iovec part = { (char *)data, len };
	nghttp2_data_provider source = { .read_callback = on_offer };
	nghttp2_nv nv[H2_HEAD_NV_MAX];
	size_t n = h2_head_answer(h, to->id, worker_date(c->w), c->w->out, nv);
	bool has_body = to->has_body && h->content_length != 0 && !(to->is_last && len == 0);

	if (s->h2->is_broken)
		return 0;
	s->is_answered = true;
	s->is_end_sent = !has_body;
	s->is_shut = to->is_last;
	s->left = h->content_length > 0 && has_body ? h->content_length : -1;
	s->src = &part;
	s->src_off = 0;
	s->src_left = len;
	nghttp2_submit_response(s->h2->session, s->id, nv, n, has_body ? &source : NULL);
	h2_produce(s->h2); /* at once: names and values are borrowed */
	len -= s->src_left;
	s->src = NULL;
	s->src_left = 0;
	if (len < part.iov_len)
		s->is_shut = false; /* the rest is sent by io_write() */
	return len;
}

bool
h2_stream_is_answered(const struct client *c)
{
	return stream_of((struct client *)c)->is_answered;
}

void
h2_stream_end_with(struct client *c, struct block **lines)
{
	struct h2_stream *s = stream_of(c);

	s->last = *lines;
	*lines = NULL;
}

void
h2_stream_finish(struct client *c)
{
	struct h2_stream *s = stream_of(c);

	s->is_shut = true;
	if (!s->is_answered || s->left > 0) {
		client_close(c, true);
		return;
	}
	if (!s->is_end_sent && !s->is_over)
		send_src(s);
	if (s->is_end_sent || s->is_over) {
		client_close(c, false);
		return;
	}
	s->wants_window = true;
	client_wait(c, WAIT_READER, true);
}

void
h2_stream_close(struct client *c, bool abort)
{
	struct h2_stream *s = stream_of(c);
	struct h2 *h2 = s->h2;
	struct h2_pool *pool = h2->w->h2;

	/* What nobody read has had its part of the connection's window, whoever ended the stream. */
	if (s->in != NULL && !h2->is_broken)
		nghttp2_session_consume_connection(h2->session, s->in->len);
	if (!s->is_over && !h2->is_broken) {
		nghttp2_session_set_stream_user_data(h2->session, s->id, NULL);
		if (abort && !s->is_end_sent)
			nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_INTERNAL_ERROR);
		else if (!s->is_ended) /* what else it sends is of no use: RFC 9113 8.1 */
			nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
	}
	block_free(&h2->w->blocks, s->in);
	block_free(&h2->w->blocks, s->trailers);
	block_free(&h2->w->blocks, s->last);
	wait_no_more(s);
	LIST_REMOVE(s, link);
	h2->n_streams--;
	h2_wake(h2);
	if (pool->n_free == FREE_MAX) {
		worker_bury(h2->w, s);
		return;
	}
	LIST_INSERT_HEAD(&pool->free, s, link);
	pool->n_free++;
}
