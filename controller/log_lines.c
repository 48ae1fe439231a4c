#include "controller/log_lines.h"

#include <ctype.h>
#include <string.h>

#define PIECE ((size_t)16 << 10) /* what the engine cuts long lines into */

/* How many bytes of a time and its blank p begins with; 0: none. "2014-08-16T21:16:12.123456789Z " */
static size_t
stamp_len(const char *p, size_t len)
{
	static const char form[] = "0000-00-00T00:00:00";
	size_t n = sizeof(form) - 1;

	if (len < n + 2 || len == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (form[i] == '0' ? !isdigit((unsigned char)p[i]) : p[i] != form[i])
			return 0;
	if (p[n] == '.')
		for (n++; n < len && n < LOG_STAMP_LEN - 2 && isdigit((unsigned char)p[n]);)
			n++;
	return n + 1 < len && p[n] == 'Z' && p[n + 1] == ' ' ? n + 2 : 0;
}

/* Close the gaps that the times of further pieces leave. Returns the text's new length. */
static size_t
join_pieces(char *text, size_t len)
{
	size_t at = PIECE;

	while (at < len) {
		size_t n = stamp_len(text + at, len - at);

		if (n == 0)
			break;
		memmove(text + at, text + at + n, len - at - n);
		len -= n;
		at += PIECE;
	}
	return len;
}

/* A whole line, without its end; it is changed. */
static void
give(char *line, size_t len, log_line_cb cb, void *arg)
{
	size_t n = stamp_len(line, len);
	char stamp[LOG_STAMP_LEN] = "";

	if (n > 0)
		memcpy(stamp, line, n - 1); /* all but its blank; the rest is NUL */
	len = n + join_pieces(line + n, len - n);
	if (len > n && line[len - 1] == '\r')
		len--;
	cb(stamp, line + n, len - n, arg);
}

/* How long the line may get before it is given, cut between two pieces of the engine; 0: too early to tell. */
static size_t
limit(const struct log_lines *l)
{
	if (l->partial.len < LOG_STAMP_LEN)
		return 0;
	return LOG_LINE_PIECES * (PIECE + stamp_len(l->partial.data, l->partial.len));
}

void
log_lines_feed(struct log_lines *l, const char *data, size_t len, log_line_cb cb, void *arg)
{
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end != NULL ? (size_t)(end - data) : len, max = limit(l);
		size_t room = (max > 0 ? max : LOG_STAMP_LEN) - l->partial.len;
		size_t taken = n < room ? n : room;

		fl_buf_add(&l->partial, data, taken);
		data += taken;
		len -= taken;
		if (taken == n && end != NULL) {
			data++;
			len--;
		} else if (max == 0 || l->partial.len < max) {
			continue;
		}
		give(l->partial.data != NULL ? l->partial.data : (char[]){ "" }, l->partial.len, cb, arg);
		fl_buf_clear(&l->partial);
	}
}

void
log_lines_end(struct log_lines *l, log_line_cb cb, void *arg)
{
	if (l->partial.len > 0)
		give(l->partial.data, l->partial.len, cb, arg);
	fl_buf_clear(&l->partial);
}

void
log_lines_release(struct log_lines *l)
{
	fl_buf_release(&l->partial);
}
