#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "output.h"

#define TO_LINE_START "\033[1G\033[K"

static bool in_line;

void
output_write(const char *data, size_t len)
{
	while (len > 0) {
		const char *newline = memchr(data, '\n', len);
		size_t n = newline != NULL ? (size_t)(newline + 1 - data) : len;

		if (!in_line)
			fputs(TO_LINE_START, stdout);
		fwrite(data, 1, n, stdout);
		in_line = newline == NULL;
		data += n;
		len -= n;
	}
	fflush(stdout);
}

void
output_line(const char *fmt, ...)
{
	va_list ap;

	if (in_line)
		fputc('\n', stdout);
	in_line = false;
	fputs(TO_LINE_START, stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fputc('\n', stdout);
	fflush(stdout);
}
