#include "router/flow.h"

#include <assert.h>
#include <string.h>

#include "libflynn/err.h"
#include "router/block.h"
#include "router/io.h"

/* How many reads one flow may make before others have their turn. */
#define READS_A_TURN 8
/* From so much on two calls for a pipe are cheaper than copying: what is left, and what one read may bring. */
#define SPLICE_MIN ((uint64_t)64 << 10)
#define BULK_MIN ((size_t)16 << 10)

void
flow_init(struct flow *f, enum flow_body body, uint64_t length)
{
	f->body = body;
	f->left = length;
	f->ended = body == FLOW_LENGTH && length == 0;
	if (body == FLOW_CHUNKED || body == FLOW_DECHUNK)
		fl_http_chunked_init(&f->chunked);
}

void
flow_release(struct flow *f, struct block_pool *pool)
{
	block_free(pool, f->held);
	pipe_free(&pool->pipes, f->pipe);
	block_free(pool, f->trailers);
	f->held = f->trailers = NULL;
	f->pipe = NULL;
}

static int
take_chunks(struct flow *f, char *data, size_t len, size_t *used, size_t *pass, struct fl_err *err)
{
	size_t bare = 0;

	*used = 0;
	while (!f->ended && *used < len) {
		struct fl_span payload;
		int64_t n = fl_http_chunked_feed(&f->chunked, data + *used, len - *used, &payload, &f->ended, err);

		if (n < 0)
			return -1;
		if (n == 0 && !f->ended)
			break;
		if (f->body == FLOW_DECHUNK && payload.len > 0) {
			memmove(data + bare, payload.p, payload.len);
			bare += payload.len;
		}
		*used += (size_t)n;
	}
	*pass = f->body == FLOW_DECHUNK ? bare : *used;
	return 0;
}

int
flow_take(struct flow *f, char *data, size_t len, size_t *used, size_t *pass, struct fl_err *err)
{
	switch (f->body) {
	case FLOW_LENGTH:
		*used = *pass = len < f->left ? len : (size_t)f->left;
		f->left -= *used;
		f->ended = f->left == 0;
		break;
	case FLOW_UNTIL_EOF:
		*used = *pass = len;
		break;
	case FLOW_CHUNKED:
	case FLOW_DECHUNK:
		if (take_chunks(f, data, len, used, pass, err) == -1)
			return -1;
		break;
	}
	f->n_bytes += *pass;
	return 0;
}

/* Results of io_write() in words of flows. FLOW_DONE: something was written. */
static enum flow_result
after_write(struct flow *f, ssize_t n)
{
	if (n == IO_AGAIN)
		return FLOW_WRITE_BLOCKED;
	if (n < 0)
		return FLOW_UNWRITABLE;
	f->moved = true;
	return FLOW_DONE;
}

static enum flow_result
flush_block(struct flow *f, struct io *to, struct block_pool *pool)
{
	struct iovec part = { block_bytes(f->held), f->held->len };
	ssize_t n = f->held->len > 0 ? io_write(to, &part, 1) : 0;
	enum flow_result r = after_write(f, n);

	if (r != FLOW_DONE)
		return r;
	block_drop(f->held, (size_t)n);
	if (f->held->len == 0) {
		block_free(pool, f->held);
		f->held = NULL;
	}
	return FLOW_DONE;
}

static enum flow_result
flush_pipe(struct flow *f, struct io *to, struct block_pool *pool)
{
	ssize_t n = io_splice_out(to, f->pipe->out, f->pipe->len);
	enum flow_result r = after_write(f, n);

	if (r != FLOW_DONE)
		return r;
	f->pipe->len -= (size_t)n;
	if (f->pipe->len == 0) {
		pipe_free(&pool->pipes, f->pipe);
		f->pipe = NULL;
	}
	return FLOW_DONE;
}

bool
flow_holds(const struct flow *f)
{
	return f->held != NULL || f->pipe != NULL;
}

enum flow_result
flow_flush(struct flow *f, struct io *to, struct block_pool *pool)
{
	enum flow_result r = FLOW_DONE;

	while (r == FLOW_DONE && flow_holds(f)) {
		if ((to->flags & (IO_WRITABLE | IO_BROKEN)) == 0)
			return FLOW_WRITE_BLOCKED;
		r = f->held != NULL ? flush_block(f, to, pool) : flush_pipe(f, to, pool);
	}
	return r;
}

bool
flow_send(struct flow *f, struct io *to, struct block_pool *pool, const char *head, size_t head_len,
    const char *data, size_t len)
{
	struct iovec parts[2] = { { (char *)head, head_len }, { (char *)data, len } };
	size_t skip = head_len == 0 ? 1 : 0, sent = 0;
	ssize_t n = IO_AGAIN;

	assert(!flow_holds(f));
	if (head_len + len == 0)
		return true;
	if ((to->flags & (IO_WRITABLE | IO_BROKEN)) != 0)
		n = io_write(to, parts + skip, len == 0 ? 1 : 2 - (int)skip);
	if (n == IO_ERROR)
		return false;
	if (n > 0) {
		sent = (size_t)n;
		f->moved = true;
	}
	if (sent == head_len + len)
		return true;
	f->held = block_new(pool, head_len + len - sent);
	if (sent < head_len) {
		block_add(f->held, head + sent, head_len - sent);
		sent = head_len;
	}
	block_add(f->held, data + (sent - head_len), len - (sent - head_len));
	return true;
}

/* The sender's end: proper for a body that lasts until then. */
static enum flow_result
at_eof(struct flow *f)
{
	if (f->body != FLOW_UNTIL_EOF)
		return FLOW_CUT;
	f->ended = true;
	return FLOW_DONE;
}

/*
 * Whether what comes next may go by a pipe: it need not be looked at, and is much. A body whose length is
 * told is much while enough of it is left; any other when it has filled a whole read.
 */
static bool
may_splice(const struct flow *f, const struct io *from, const struct io *to)
{
	if (f->body == FLOW_LENGTH)
		return f->left >= SPLICE_MIN && io_can_splice(from) && io_can_splice(to);
	return f->body == FLOW_UNTIL_EOF && f->is_bulk && io_can_splice(from) && io_can_splice(to);
}

/* Read into a pipe. FLOW_DONE: go on. */
static enum flow_result
read_pipe(struct flow *f, struct io *from, struct pipe *p, struct block_pool *pool)
{
	size_t len = f->body == FLOW_LENGTH && f->left < PIPE_BYTES ? (size_t)f->left : PIPE_BYTES;
	ssize_t n = io_splice_in(from, p->in, len);

	if (n <= 0) {
		pipe_free(&pool->pipes, p);
		return n == 0 ? at_eof(f) : n == IO_AGAIN ? FLOW_READ_BLOCKED : FLOW_CUT;
	}
	p->len = (size_t)n;
	f->pipe = p;
	f->n_bytes += (uint64_t)n;
	f->moved = true;
	f->is_bulk = (size_t)n >= BULK_MIN;
	if (f->body == FLOW_LENGTH) {
		f->left -= (uint64_t)n;
		f->ended = f->left == 0;
	}
	return FLOW_DONE;
}

/* Trailers are the last of what was used, and counted by the decoder. */
int
flow_receive(struct flow *f, struct block_pool *pool, char *data, size_t len, size_t *used, size_t *pass, struct fl_err *err)
{
	size_t before = f->chunked.trailer_len, n;

	if (flow_take(f, data, len, used, pass, err) == -1)
		return -1;
	n = f->chunked.trailer_len - before;
	if (f->keeps_trailers && n > 0)
		f->trailers = block_append(pool, f->trailers, data + *used - n, n);
	return 0;
}

/* Read into memory, look at it, and write it. FLOW_DONE: go on. */
static enum flow_result
read_bytes(struct flow *f, struct io *from, struct io *to, struct block_pool *pool, char *scratch, size_t scratch_len,
    struct block **excess, struct fl_err *err)
{
	ssize_t n = io_read(from, scratch, scratch_len);
	size_t used, pass;

	if (n <= 0)
		return n == 0 ? at_eof(f) : n == IO_AGAIN ? FLOW_READ_BLOCKED : FLOW_CUT;
	f->moved = true;
	f->is_bulk = (size_t)n == scratch_len;
	if (flow_receive(f, pool, scratch, (size_t)n, &used, &pass, err) == -1)
		return FLOW_BAD;
	if (used < (size_t)n)
		*excess = block_append(pool, *excess, scratch + used, (size_t)n - used);
	return flow_send(f, to, pool, NULL, 0, scratch, pass) ? FLOW_DONE : FLOW_UNWRITABLE;
}

enum flow_result
flow_pump(struct flow *f, struct io *from, struct io *to, struct block_pool *pool, char *scratch,
    size_t scratch_len, struct block **excess, struct fl_err *err)
{
	for (int reads = 0;; reads++) {
		enum flow_result r = flow_flush(f, to, pool);
		struct pipe *p = NULL;
		size_t max = scratch_len;

		if (r != FLOW_DONE || f->ended)
			return r;
		if ((from->flags & (IO_READABLE | IO_EOF | IO_BROKEN)) == 0)
			return FLOW_READ_BLOCKED;
		if (reads == READS_A_TURN)
			return FLOW_BUSY;
		if (block_is_short(pool) && max > BLOCK_SHORT_BYTES)
			max = BLOCK_SHORT_BYTES;
		else if (may_splice(f, from, to))
			p = pipe_new(&pool->pipes);
		r = p != NULL ? read_pipe(f, from, p, pool) : read_bytes(f, from, to, pool, scratch, max, excess, err);
		if (r != FLOW_DONE)
			return r;
	}
}
