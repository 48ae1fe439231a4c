/*
 * utf8_tail - text that comes in pieces cut anywhere: keeps a character's first bytes until its last ones come.
 */
#ifndef CONTROLLER_UTF8_TAIL_H
#define CONTROLLER_UTF8_TAIL_H

#include <stddef.h>

struct fl_buf;

/* { 0 } is empty. */
struct utf8_tail {
	unsigned char bytes[3];
	size_t len;
};

/* Append what was kept and the piece to out, but for the begun character at its end, which is kept. */
void utf8_tail_join(struct utf8_tail *t, const void *piece, size_t len, struct fl_buf *out);

#endif
