#include "router/flow.h"

#include <assert.h>
#include <string.h>

#include "libflynn/err.h"
#include "router/block.h"
#include "router/io.h"

/* How many reads one flow may make before others have their turn. */
#define READS_A_TURN 8

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
	f->held = NULL;
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
		return take_chunks(f, data, len, used, pass, err);
	}
	return 0;
}

enum flow_result
flow_flush(struct flow *f, struct io *to, struct block_pool *pool)
{
	while (f->held != NULL) {
		struct iovec part = { block_bytes(f->held), f->held->len };
		ssize_t n = 0;

		if (f->held->len > 0) {
			if ((to->flags & (IO_WRITABLE | IO_BROKEN)) == 0)
				return FLOW_WRITE_BLOCKED;
			n = io_write(to, &part, 1);
		}
		if (n == IO_AGAIN)
			return FLOW_WRITE_BLOCKED;
		if (n < 0)
			return FLOW_UNWRITABLE;
		f->moved = true;
		block_drop(f->held, (size_t)n);
		if (f->held->len == 0) {
			block_free(pool, f->held);
			f->held = NULL;
		}
	}
	return FLOW_DONE;
}

bool
flow_send(struct flow *f, struct io *to, struct block_pool *pool, const char *head, size_t head_len,
    const char *data, size_t len)
{
	struct iovec parts[2] = { { (char *)head, head_len }, { (char *)data, len } };
	size_t skip = head_len == 0 ? 1 : 0, sent = 0;
	ssize_t n = IO_AGAIN;

	assert(f->held == NULL);
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

enum flow_result
flow_pump(struct flow *f, struct io *from, struct io *to, struct block_pool *pool, char *scratch,
    size_t scratch_len, struct block **excess, struct fl_err *err)
{
	for (int reads = 0;; reads++) {
		enum flow_result flushed = flow_flush(f, to, pool);
		size_t used, pass;
		ssize_t n;

		if (flushed != FLOW_DONE || f->ended)
			return flushed;
		if ((from->flags & (IO_READABLE | IO_EOF | IO_BROKEN)) == 0)
			return FLOW_READ_BLOCKED;
		if (reads == READS_A_TURN)
			return FLOW_BUSY;
		n = io_read(from, scratch, scratch_len);
		if (n == IO_AGAIN)
			return FLOW_READ_BLOCKED;
		if (n == IO_ERROR)
			return FLOW_CUT;
		if (n == 0)
			return at_eof(f);
		f->moved = true;
		if (flow_take(f, scratch, (size_t)n, &used, &pass, err) == -1)
			return FLOW_BAD;
		if (used < (size_t)n)
			*excess = block_append(pool, *excess, scratch + used, (size_t)n - used);
		if (!flow_send(f, to, pool, NULL, 0, scratch, pass))
			return FLOW_UNWRITABLE;
	}
}
