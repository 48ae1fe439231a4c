#include "controller/utf8_tail.h"

#include <string.h>

#include "libflynn/buf.h"

/* How many bytes a character has that starts with c; 1 for bytes that start none. */
static size_t
char_len(unsigned char c)
{
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	if (c >= 0xf0 && c <= 0xf4)
		return 4;
	return 1;
}

/* How many bytes at the end of s begin a character and do not end it. */
static size_t
begun_len(const unsigned char *s, size_t len)
{
	for (size_t n = 1; n <= 3 && n <= len; n++) {
		unsigned char c = s[len - n];

		if ((c & 0xc0) != 0x80)
			return char_len(c) > n ? n : 0;
	}
	return 0;
}

void
utf8_tail_join(struct utf8_tail *t, const void *piece, size_t len, struct fl_buf *out)
{
	size_t n;

	fl_buf_add(out, t->bytes, t->len);
	fl_buf_add(out, piece, len);
	if (out->len == 0)
		return;
	n = begun_len((const unsigned char *)fl_buf_cstr(out), out->len);
	memcpy(t->bytes, fl_buf_cstr(out) + out->len - n, n);
	t->len = n;
	out->len -= n;
	out->data[out->len] = '\0';
}
