/*
 * buf - a growing byte string, always NUL-terminated behind its length.
 *
 * { 0 } is a valid empty buf. For socket I/O use libevent's evbuffer instead.
 */
#ifndef FL_BUF_H
#define FL_BUF_H

#include <stddef.h>

#include "libflynn/attr.h"

struct fl_buf {
	char *data; /* NULL while empty; see fl_buf_cstr() */
	size_t len, cap;
};

void fl_buf_add(struct fl_buf *b, const void *data, size_t len);
void fl_buf_addstr(struct fl_buf *b, const char *s);
void fl_buf_addc(struct fl_buf *b, char c);
void fl_buf_addf(struct fl_buf *b, const char *fmt, ...) FL_PRINTF(2, 3);
/* The bytes as a C string, "" when empty; borrowed until the next change. */
const char *fl_buf_cstr(const struct fl_buf *b);
/* Hand the string over to the caller (free(3) it), leaving b empty. Never NULL. */
char *fl_buf_detach(struct fl_buf *b);
void fl_buf_clear(struct fl_buf *b);
void fl_buf_release(struct fl_buf *b);

#endif
