/*
 * xmalloc - see xmalloc.h.
 */
#include "libflynn/xmalloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nothing here may allocate, so the line goes out by write(2) alone. */
static void *
checked(void *ptr)
{
	static const char line[] = "lvl=error msg=\"out of memory\"\n";

	if (ptr == NULL) {
		ssize_t n FL_UNUSED = write(STDERR_FILENO, line, sizeof(line) - 1);
		abort();
	}
	return ptr;
}

void *
fl_xmalloc(size_t size)
{
	return checked(malloc(size > 0 ? size : 1));
}

void *
fl_xcalloc(size_t n, size_t size)
{
	return checked(calloc(n > 0 ? n : 1, size > 0 ? size : 1));
}

/* Never of size 0: there realloc(3) may free and answer NULL. */
void *
fl_xreallocarray(void *ptr, size_t n, size_t size)
{
	if (n == 0 || size == 0)
		n = size = 1;
	return checked(reallocarray(ptr, n, size));
}

char *
fl_xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *
fl_xstrdup_null(const char *s)
{
	return s != NULL ? fl_xstrdup(s) : NULL;
}

char *
fl_xstrndup(const char *s, size_t n)
{
	return checked(strndup(s, n));
}

void *
fl_xmemdup(const void *data, size_t len)
{
	void *copy = fl_xmalloc(len);

	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

char *
fl_xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) == -1)
		s = NULL; /* undefined after a failure */
	va_end(ap);
	return checked(s);
}
