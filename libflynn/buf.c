/*
 * buf - see buf.h.
 */
#include "libflynn/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/xmalloc.h"

/* Make room for more bytes and the NUL behind them. Doubling keeps appending linear. */
static void
reserve(struct fl_buf *b, size_t more)
{
	size_t cap = b->cap > 0 ? b->cap : 64;

	if (more >= SIZE_MAX / 2 - b->len)
		abort();
	if (b->len + more < b->cap)
		return;
	while (cap <= b->len + more)
		cap *= 2;
	b->data = fl_xreallocarray(b->data, cap, 1);
	b->cap = cap;
}

void
fl_buf_add(struct fl_buf *b, const void *data, size_t len)
{
	reserve(b, len);
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
fl_buf_addstr(struct fl_buf *b, const char *s)
{
	fl_buf_add(b, s, strlen(s));
}

void
fl_buf_addc(struct fl_buf *b, char c)
{
	fl_buf_add(b, &c, 1);
}

void
fl_buf_addf(struct fl_buf *b, const char *fmt, ...)
{
	va_list ap;
	int len;

	reserve(b, 63);
	va_start(ap, fmt);
	len = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
	va_end(ap);
	assert(len >= 0);
	if ((size_t)len >= b->cap - b->len) {
		reserve(b, (size_t)len);
		va_start(ap, fmt);
		vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)len;
}

const char *
fl_buf_cstr(const struct fl_buf *b)
{
	return b->data != NULL ? b->data : "";
}

char *
fl_buf_detach(struct fl_buf *b)
{
	char *s = b->data != NULL ? b->data : fl_xstrdup("");

	*b = (struct fl_buf){ 0 };
	return s;
}

void
fl_buf_clear(struct fl_buf *b)
{
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void
fl_buf_release(struct fl_buf *b)
{
	free(b->data);
	*b = (struct fl_buf){ 0 };
}
