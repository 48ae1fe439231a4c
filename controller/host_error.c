#include "controller/host_error.h"

#include <string.h>

#include "libflynn/buf.h"

#define ESC '\x1b'
#define BELL '\a'

/* Behind what ends a string that is for the terminal itself, as its title; or the whole rest. */
static const char *
skip_string(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == BELL)
			return s + 1;
		if (s[0] == ESC && s[1] == '\\')
			return s + 2;
	}
	return s;
}

/* Behind the sequence that starts at s, an ESC. */
static const char *
skip_sequence(const char *s)
{
	if (s[1] == ']')
		return skip_string(s + 2);
	if (s[1] != '[')
		return s + 1;
	for (s += 2; *s >= ' ' && *s <= '?'; s++)
		;
	return *s >= '@' && *s <= '~' ? s + 1 : s;
}

static int
is_plain(char c)
{
	return ((unsigned char)c >= ' ' && c != '\x7f') || c == '\t' || c == '\r' || c == '\n';
}

/* The first of b's bytes that make whole characters. */
static void
cut(struct fl_buf *b, size_t max)
{
	if (b->len <= max)
		return;
	while (max > 0 && ((unsigned char)b->data[max] & 0xc0) == 0x80)
		max--;
	b->len = max;
	b->data[max] = '\0';
}

char *
host_error_plain(const char *text, size_t max)
{
	struct fl_buf b = { 0 };

	if (text == NULL)
		return NULL;
	while (*text != '\0') {
		if (*text == ESC) {
			text = skip_sequence(text);
			continue;
		}
		if (is_plain(*text))
			fl_buf_addc(&b, *text);
		text++;
	}
	cut(&b, max);
	return fl_buf_detach(&b);
}
