/* output - what the person who pushed reads. */
#include "slugbuilder/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libflynn/xmalloc.h"

#define TO_COLUMN_1 "\033[1G"
#define TITLE "-----> "
#define INDENT "       "
#define PROBLEM " !     "

/* Longer ones are cut into lines of this length: nobody waits for an end that may not come. */
#define LINE_MAX_BYTES 4096

/* A reader that is gone is no reason to stop: whoever wants the build stopped signals us. */
static void
write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n == -1 && errno != EINTR)
			return;
		if (n > 0) {
			data += n;
			len -= n;
		}
	}
}

static void
write_line(const struct output *out, const char *prefix, const char *text, size_t len)
{
	struct fl_buf b = { 0 };

	fl_buf_addstr(&b, TO_COLUMN_1);
	fl_buf_addstr(&b, prefix);
	fl_buf_add(&b, text, len);
	fl_buf_addc(&b, '\n');
	write_all(out->fd, b.data, b.len);
	fl_buf_release(&b);
}

static void FL_PRINTF(3, 0)
write_format(const struct output *out, const char *prefix, const char *fmt, va_list ap)
{
	char text[LINE_MAX_BYTES];
	int len = vsnprintf(text, sizeof(text), fmt, ap);

	if (len < 0)
		return;
	write_line(out, prefix, text, strnlen(text, sizeof(text)));
}

void
output_title(const struct output *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_format(out, TITLE, fmt, ap);
	va_end(ap);
}

void
output_text(const struct output *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_format(out, INDENT, fmt, ap);
	va_end(ap);
}

void
output_problem(const struct output *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_format(out, PROBLEM, fmt, ap);
	va_end(ap);
}

static bool
has_prefix(const char *line, size_t len, const char *prefix)
{
	return len >= strlen(prefix) && memcmp(line, prefix, strlen(prefix)) == 0;
}

static void
relay_line(const struct output *out, const char *line, size_t len)
{
	const char *cr;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	if ((cr = memrchr(line, '\r', len)) != NULL) {
		len -= cr + 1 - line;
		line = cr + 1;
	}
	write_line(out, has_prefix(line, len, "--") || has_prefix(line, len, PROBLEM) ? "" : INDENT, line, len);
}

static void
flush_partial(struct output_lines *lines)
{
	relay_line(lines->out, fl_buf_cstr(&lines->partial), lines->partial.len);
	fl_buf_clear(&lines->partial);
}

void
output_lines_add(struct output_lines *lines, const char *data, size_t len)
{
	while (len > 0) {
		const char *nl = memchr(data, '\n', len);
		size_t room = LINE_MAX_BYTES - lines->partial.len;
		size_t n = nl != NULL ? (size_t)(nl - data) : len;

		if (n > room) {
			fl_buf_add(&lines->partial, data, room);
			flush_partial(lines);
			data += room;
			len -= room;
			continue;
		}
		fl_buf_add(&lines->partial, data, n);
		if (nl == NULL)
			return;
		flush_partial(lines);
		data += n + 1;
		len -= n + 1;
	}
}

void
output_lines_end(struct output_lines *lines)
{
	if (lines->partial.len > 0)
		flush_partial(lines);
	fl_buf_release(&lines->partial);
}
