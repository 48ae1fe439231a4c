#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitreceive/output.h"

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
	char *text;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len == -1)
		return;
	if (in_line)
		output_write("\n", 1);
	output_write(text, (size_t)len);
	output_write("\n", 1);
	free(text);
}
