/*
 * sse_fuzz - an event stream means the same in any pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENT_MAX_BYTES = 4096 };

static void
note(const char *event, const char *id, const char *data, size_t len, void *arg)
{
	if (len > EVENT_MAX_BYTES)
		abort();
	fl_buf_addf(arg, "%s|%s|", event, id);
	fl_buf_add(arg, data, len);
	fl_buf_addc(arg, ';');
}

static int
read_stream(const char *data, size_t len, size_t step, struct fl_buf *got)
{
	struct fl_sse *s = fl_sse_new(EVENT_MAX_BYTES, note, got);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < len; i += step)
		rc = fl_sse_feed(s, data + i, len - i < step ? len - i : step, NULL);
	fl_sse_free(s);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fl_buf whole = { 0 }, bytes = { 0 };
	int rc = read_stream((const char *)data, size, size, &whole);

	if (read_stream((const char *)data, size, 1, &bytes) != rc)
		abort();
	if (whole.len != bytes.len || memcmp(fl_buf_cstr(&whole), fl_buf_cstr(&bytes), whole.len) != 0)
		abort();
	fl_buf_release(&whole);
	fl_buf_release(&bytes);
	return 0;
}
