/*
 * router_flow_fuzz - bodies that the router passes on: they end at the same byte, and what is
 * passed on is the same, in whatever pieces they come.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/xmalloc.h"
#include "router/flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns where the body ended, SIZE_MAX when it is malformed, or size when it goes on. */
static size_t
take(enum flow_body body, const uint8_t *data, size_t size, size_t step, struct fl_buf *out, bool *ended)
{
	struct flow f = { 0 };
	size_t at = 0;

	flow_init(&f, body, 100);
	while (at < size && !f.ended) {
		size_t n = size - at < step ? size - at : step, used = 0, pass = 0;
		char *piece = fl_xmemdup(data + at, n); /* what is outside, the sanitizer sees */

		if (flow_take(&f, piece, n, &used, &pass, NULL) == -1) {
			free(piece);
			return SIZE_MAX;
		}
		if (used > n || pass > used || (used < n && !f.ended))
			abort();
		fl_buf_add(out, piece, pass);
		at += used;
		free(piece);
	}
	*ended = f.ended;
	return at;
}

static void
check(enum flow_body body, const uint8_t *data, size_t size)
{
	struct fl_buf whole = { 0 }, pieces = { 0 };
	bool ended = false, also = false;
	size_t end = take(body, data, size, size, &whole, &ended), step = 1 + data[0] % 7;

	if (take(body, data, size, step, &pieces, &also) != end)
		abort();
	if (end != SIZE_MAX && (ended != also || whole.len != pieces.len ||
				   (whole.len > 0 && memcmp(whole.data, pieces.data, whole.len) != 0)))
		abort();
	fl_buf_release(&whole);
	fl_buf_release(&pieces);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	check(FLOW_CHUNKED, data, size);
	check(FLOW_DECHUNK, data, size);
	check(FLOW_LENGTH, data, size);
	check(FLOW_UNTIL_EOF, data, size);
	return 0;
}
