/*
 * http_parse_fuzz - heads and chunked bodies. A head that is complete is refused or taken
 * whatever else is in the buffer, and a body decodes the same in any pieces.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum fl_http_parse_result (*parse_fn)(const char *, size_t, struct fl_http_head *, struct fl_err *);

static void
check_span(struct fl_span s, const char *data, size_t len)
{
	if (s.len > 0 && (s.p < data || s.p + s.len > data + len))
		abort();
}

static void
check_head(parse_fn parse, const char *data, size_t len)
{
	static struct fl_http_head head, shorter;
	struct fl_err err = { 0 };
	enum fl_http_parse_result r = parse(data, len, &head, &err);

	if ((r == FL_HTTP_PARSE_ERROR) != (err.kind != FL_ERR_NONE))
		abort();
	if (r != FL_HTTP_PARSE_DONE)
		return;
	if (head.head_len > len || (head.chunked && head.content_length != -1))
		abort();
	for (size_t i = 0; i < head.n_headers; i++) {
		check_span(head.headers[i].name, data, head.head_len);
		check_span(head.headers[i].value, data, head.head_len);
	}
	check_span(head.host, data, head.head_len);
	fl_http_head_has_token(&head, "connection", "close");
	/* Exactly the head is enough, and one byte less is not. */
	if (parse(data, head.head_len, &shorter, NULL) != FL_HTTP_PARSE_DONE || shorter.head_len != head.head_len)
		abort();
	if (parse(data, head.head_len - 1, &shorter, NULL) != FL_HTTP_PARSE_MORE)
		abort();
}

/* The payload of data fed in pieces of step bytes; -1 when malformed. */
static int
decode(const char *data, size_t len, size_t step, struct fl_buf *body, size_t *used)
{
	struct fl_http_chunked c;
	bool done = false;

	fl_http_chunked_init(&c);
	*used = 0;
	while (*used < len && !done) {
		size_t n = len - *used < step ? len - *used : step;
		struct fl_span out;
		int64_t took = fl_http_chunked_feed(&c, data + *used, n, &out, &done, NULL);

		if (took == -1)
			return -1;
		if (took == 0 || (size_t)took > n)
			abort();
		check_span(out, data + *used, n);
		fl_buf_add(body, out.p, out.len);
		*used += (size_t)took;
	}
	return 0;
}

static void
check_chunked(const char *data, size_t len)
{
	struct fl_buf whole = { 0 }, bytes = { 0 };
	size_t used_whole, used_bytes;
	int rc_whole = decode(data, len, len, &whole, &used_whole);
	int rc_bytes = decode(data, len, 1, &bytes, &used_bytes);

	if (rc_whole != rc_bytes)
		abort();
	if (rc_whole == 0 && (used_whole != used_bytes || strcmp(fl_buf_cstr(&whole), fl_buf_cstr(&bytes)) != 0))
		abort();
	fl_buf_release(&whole);
	fl_buf_release(&bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	check_head(fl_http_parse_request, text, size);
	check_head(fl_http_parse_response, text, size);
	check_chunked(text, size);
	return 0;
}
