/*
 * router_proxy_fuzz - PROXY headers. One that is whole was not whole a byte before, and means the same
 * whatever follows it; one that is refused stays so.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/xmalloc.h"
#include "router/proxy_protocol.h"
#include "test/fuzz/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of memory of exactly that size, so that a byte beyond it is found. */
static enum proxy_result
parse(const uint8_t *data, size_t len, struct proxy_header *h)
{
	char *copy = fl_xmalloc(len + 1) /* not 0 */, *at = copy + 1;
	enum proxy_result r;

	if (len > 0)
		memcpy(at, data, len);
	r = proxy_parse(at, len, h, NULL);
	free(copy);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header h, part;
	enum proxy_result r = parse(data, size, &h);

	expect(r != PROXY_MORE || size < PROXY_PROTOCOL_MAX);
	if (r == PROXY_DONE) {
		expect(h.len > 0 && h.len <= size && h.len <= PROXY_PROTOCOL_MAX);
		expect(parse(data, h.len, &part) == PROXY_DONE && part.len == h.len && part.has_address == h.has_address &&
		    memcmp(&part.peer, &h.peer, sizeof(h.peer)) == 0 && part.port == h.port);
	}
	for (size_t n = 0; n < size && n < 600; n++) {
		enum proxy_result before = parse(data, n, &part);

		expect(before != PROXY_DONE || (r == PROXY_DONE && n >= h.len));
		expect(before != PROXY_ERROR || r == PROXY_ERROR);
		expect(before != PROXY_MORE || r != PROXY_DONE || n < h.len);
	}
	return 0;
}
