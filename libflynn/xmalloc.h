/*
 * xmalloc - allocation that cannot fail: out of memory ends the process.
 *
 * So anything whose size a peer chooses has a bound before it is allocated.
 */
#ifndef FL_XMALLOC_H
#define FL_XMALLOC_H

#include <stddef.h>

#include "libflynn/attr.h"

void *fl_xmalloc(size_t size);
void *fl_xcalloc(size_t n, size_t size);
/* Room for n items of size bytes; an overflowing product aborts. */
void *fl_xreallocarray(void *ptr, size_t n, size_t size);
char *fl_xstrdup(const char *s);
/* NULL stays NULL. */
char *fl_xstrdup_null(const char *s);
char *fl_xstrndup(const char *s, size_t n);
void *fl_xmemdup(const void *data, size_t len);
char *fl_xasprintf(const char *fmt, ...) FL_PRINTF(1, 2);

#endif
