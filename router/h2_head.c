#include "router/h2_head.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "router/block.h"
#include "router/head.h"

/* What each field counts in addition, RFC 9113 6.5.2. */
#define FIELD_OVERHEAD 32

static_assert(2 * H2_HEAD_LIST_MAX + 256 < BLOCK_MAX, "pseudo-header fields twice, and the rest of a head, fit a block");

static const char too_big[] = "the request's header fields exceed 32 KB";

void
h2_head_release(struct h2_head *h, struct block_pool *pool)
{
	block_free(pool, h->text);
	*h = (struct h2_head){ 0 };
}

static void
add(struct h2_head *h, struct block_pool *pool, const void *data, size_t len)
{
	h->text = block_append(pool, h->text, data, len);
}

static void
add_text(struct h2_head *h, struct block_pool *pool, const char *text)
{
	add(h, pool, text, strlen(text));
}

static void
add_piece(struct h2_head *h, struct block_pool *pool, struct h2_piece piece)
{
	char *to;

	if (piece.len == 0)
		return;
	assert(h->text != NULL); /* the piece is in it */
	/* The block may move as it grows, with what is being copied in it. */
	if (block_room(h->text) < piece.len) {
		struct block *bigger = block_new(pool, h->text->len + piece.len);

		block_add(bigger, block_bytes(h->text), h->text->len);
		block_free(pool, h->text);
		h->text = bigger;
	}
	to = block_bytes(h->text) + h->text->len;
	memcpy(to, block_bytes(h->text) + piece.off, piece.len);
	h->text->len += (uint32_t)piece.len;
}

static bool
is(struct fl_span s, const char *text, size_t len)
{
	return s.len == len && memcmp(s.p, text, len) == 0;
}
#define IS(s, text) is(s, text, sizeof(text) - 1)

static void
add_pseudo(struct h2_head *h, struct block_pool *pool, struct fl_span name, struct fl_span value)
{
	struct h2_piece piece = { h->text != NULL ? h->text->len : 0, value.len };

	if (IS(name, ":scheme")) {
		if (!fl_span_ieq(value, "http") && !fl_span_ieq(value, "https"))
			h->bad = ":scheme is neither http nor https";
		return;
	}
	if (IS(name, ":method"))
		h->method = piece;
	else if (IS(name, ":path"))
		h->path = piece;
	else if (IS(name, ":authority"))
		h->authority = piece;
	add(h, pool, value.p, value.len);
}

static void
begin_lines(struct h2_head *h, struct block_pool *pool)
{
	h->start = h->text != NULL ? h->text->len : 0;
	if (h->is_trailer)
		return;
	add_piece(h, pool, h->method);
	add_text(h, pool, " ");
	add_piece(h, pool, h->path);
	add_text(h, pool, " HTTP/1.1\r\n");
	if (h->authority.len > 0) {
		add_text(h, pool, "host: ");
		add_piece(h, pool, h->authority);
		add_text(h, pool, "\r\n");
	}
}

static bool
is_same_host(const struct h2_head *h, struct fl_span host)
{
	char *authority = block_bytes(h->text) + h->authority.off;

	return h->authority.len == host.len && strncasecmp(authority, host.p, host.len) == 0;
}

/* Another part of what must be one Cookie line, RFC 9113 8.2.3. */
static void
join_cookie(struct h2_head *h, struct block_pool *pool, struct fl_span value)
{
	size_t len = value.len + 2, tail;
	char *at;

	h->text = block_append(pool, h->text, value.p, value.len);
	add_text(h, pool, "; ");
	at = block_bytes(h->text) + h->cookie_end;
	tail = h->text->len - len - h->cookie_end;
	memmove(at + len, at, tail);
	at[0] = ';';
	at[1] = ' ';
	memcpy(at + 2, value.p, value.len);
	h->cookie_end += len;
}

static void
add_line(struct h2_head *h, struct block_pool *pool, struct fl_span name, struct fl_span value)
{
	add(h, pool, name.p, name.len);
	add(h, pool, ": ", 2);
	add(h, pool, value.p, value.len);
	if (IS(name, "cookie"))
		h->cookie_end = h->text->len;
	add(h, pool, "\r\n", 2);
}

void
h2_head_add(struct h2_head *h, struct block_pool *pool, struct fl_span name, struct fl_span value)
{
	h->list_size += name.len + value.len + FIELD_OVERHEAD;
	if (h->list_size > H2_HEAD_LIST_MAX)
		h->bad = too_big;
	/* nghttp2 lets none of these through; here they would end a line. */
	else if (memchr(value.p, '\r', value.len) != NULL || memchr(value.p, '\n', value.len) != NULL)
		h->bad = "a header field has a line end in it";
	if (h->bad != NULL)
		return;
	if (name.len > 0 && name.p[0] == ':') {
		add_pseudo(h, pool, name, value);
		return;
	}
	if (h->start == 0)
		begin_lines(h, pool);
	if (IS(name, "host") && h->authority.len > 0) {
		if (!is_same_host(h, value))
			h->bad = "Host and :authority differ";
		return;
	}
	h->has_length |= IS(name, "content-length");
	if (h->cookie_end > 0 && IS(name, "cookie"))
		join_cookie(h, pool, value);
	else
		add_line(h, pool, name, value);
}

int
h2_head_parse(struct h2_head *h, struct block_pool *pool, bool has_body, struct fl_http_head *head, struct fl_err *err)
{
	enum fl_http_parse_result r;

	if (h->bad != NULL)
		return fl_err_set(err, h->bad == too_big ? FL_ERR_TOO_BIG : FL_ERR_INVALID, "%s", h->bad);
	if (h->method.len == 0 || h->path.len == 0)
		return fl_err_set(err, FL_ERR_INVALID, "the request has no :method or no :path");
	if (h->start == 0)
		begin_lines(h, pool);
	add_text(h, pool, has_body && !h->has_length ? "transfer-encoding: chunked\r\n\r\n" : "\r\n");
	r = fl_http_parse_request(block_bytes(h->text) + h->start, h->text->len - h->start, head, err);
	if (r == FL_HTTP_PARSE_ERROR)
		return -1;
	if (r == FL_HTTP_PARSE_MORE)
		return fl_err_set(err, FL_ERR_TOO_BIG, "%s", too_big);
	if (head->head_len != h->text->len - h->start)
		return fl_err_set(err, FL_ERR_INVALID, "the request's header fields are no head");
	return 0;
}

struct block *
h2_head_take_trailers(struct h2_head *h)
{
	struct block *b = h->text;

	if (h->bad != NULL)
		return NULL;
	h->text = NULL;
	return b;
}

static nghttp2_nv
nv_of(const char *name, size_t name_len, struct fl_span value, uint8_t flags)
{
	return (nghttp2_nv){ .name = (uint8_t *)name, .namelen = name_len, .value = (uint8_t *)value.p, .valuelen = value.len,
		.flags = (uint8_t)(flags | NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE) };
}

static char *
put_lower(char *at, struct fl_span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		*at++ = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
	return at;
}

size_t
h2_head_answer(const struct fl_http_head *h, struct fl_span id, struct fl_span date, char *names, nghttp2_nv nv[H2_HEAD_NV_MAX])
{
	const struct fl_http_header *picked[FL_HTTP_MAX_HEADERS];
	size_t n_picked, n = 0;
	struct head_has has = { 0 };
	char *at = names;

	*at++ = (char)('0' + h->status / 100 % 10);
	*at++ = (char)('0' + h->status / 10 % 10);
	*at++ = (char)('0' + h->status % 10);
	nv[n++] = nv_of(":status", sizeof(":status") - 1, (struct fl_span){ names, 3 }, 0);
	n_picked = head_pick_answer(h, picked, &has);
	for (size_t i = 0; i < n_picked; i++) {
		char *name = at;

		at = put_lower(at, picked[i]->name);
		nv[n++] = nv_of(name, picked[i]->name.len, picked[i]->value, 0);
	}
	if (!has.id && id.len > 0)
		nv[n++] = nv_of("x-request-id", sizeof("x-request-id") - 1, id, NGHTTP2_NV_FLAG_NO_INDEX);
	if (!has.date && date.len > 0)
		nv[n++] = nv_of("date", sizeof("date") - 1, date, 0);
	return n;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

size_t
h2_head_trailers(const char *lines, size_t len, nghttp2_nv nv[H2_HEAD_TRAILERS_MAX])
{
	const char *at = lines, *end = lines + len, *stop;
	size_t n = 0;

	for (; n < H2_HEAD_TRAILERS_MAX && (stop = memchr(at, '\r', (size_t)(end - at))) != NULL && stop > at; at = stop + 2) {
		const char *colon = memchr(at, ':', (size_t)(stop - at)), *value, *value_end = stop;

		assert(colon != NULL); /* else the decoder would have refused it */
		for (value = colon + 1; value < value_end && is_blank(*value);)
			value++;
		while (value_end > value && is_blank(value_end[-1]))
			value_end--;
		nv[n++] = (nghttp2_nv){ .name = (uint8_t *)at, .namelen = (size_t)(colon - at), .value = (uint8_t *)value,
			.valuelen = (size_t)(value_end - value), .flags = NGHTTP2_NV_FLAG_NONE };
	}
	return n;
}
