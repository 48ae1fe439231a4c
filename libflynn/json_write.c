/*
 * json_write - the writer of json.h: compact JSON text appended to a buf.
 */
#include "libflynn/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/json_tree.h"
#include "libflynn/utf8.h"

/* Whether the byte stands for itself in a string; beyond ASCII it takes a look at the whole character. */
static bool
is_verbatim(char c)
{
	return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

static void
add_escaped(struct fl_buf *b, char c)
{
	static const char special[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
	const char *at = c != '\0' ? strchr(special, c) : NULL;

	if (at != NULL)
		fl_buf_add(b, (char[]){ '\\', letters[at - special] }, 2);
	else
		fl_buf_addf(b, "\\u%04x", (unsigned)(unsigned char)c);
}

/* Whole runs of verbatim bytes at a time. */
static void
add_string(struct fl_buf *b, const char *s, size_t len)
{
	size_t i = 0;

	fl_buf_addc(b, '"');
	while (i < len) {
		size_t start = i, n;

		while (i < len && is_verbatim(s[i]))
			i++;
		fl_buf_add(b, s + start, i - start);
		if (i == len)
			break;
		if ((unsigned char)s[i] < 0x80) {
			add_escaped(b, s[i++]);
		} else if ((n = fl_utf8_len(s + i, len - i)) > 0) {
			fl_buf_add(b, s + i, n);
			i += n;
		} else {
			fl_buf_addstr(b, "\xef\xbf\xbd"); /* U+FFFD */
			i++;
		}
	}
	fl_buf_addc(b, '"');
}

/* What stands before a value: the comma, and in objects its key. */
static void
begin_value(struct fl_jsonw *w, const char *key)
{
	if (w->comma)
		fl_buf_addc(w->buf, ',');
	w->comma = true;
	if (key != NULL) {
		add_string(w->buf, key, strlen(key));
		fl_buf_addc(w->buf, ':');
	}
}

struct fl_jsonw
fl_jsonw(struct fl_buf *b)
{
	return (struct fl_jsonw){ .buf = b };
}

void
fl_jsonw_open(struct fl_jsonw *w, const char *key, char bracket)
{
	begin_value(w, key);
	fl_buf_addc(w->buf, bracket);
	w->comma = false;
}

void
fl_jsonw_close(struct fl_jsonw *w, char bracket)
{
	fl_buf_addc(w->buf, bracket);
	w->comma = true;
}

void
fl_jsonw_str(struct fl_jsonw *w, const char *key, const char *s)
{
	if (s == NULL)
		fl_jsonw_null(w, key);
	else
		fl_jsonw_strn(w, key, s, strlen(s));
}

void
fl_jsonw_strn(struct fl_jsonw *w, const char *key, const char *s, size_t len)
{
	begin_value(w, key);
	add_string(w->buf, s, len);
}

void
fl_jsonw_str_oe(struct fl_jsonw *w, const char *key, const char *s)
{
	if (s != NULL && *s != '\0')
		fl_jsonw_str(w, key, s);
}

void
fl_jsonw_int(struct fl_jsonw *w, const char *key, int64_t n)
{
	begin_value(w, key);
	fl_buf_addf(w->buf, "%" PRId64, n);
}

/* The shortest text that reads back as the same double; JSON has no word for infinity or NaN. */
void
fl_jsonw_double(struct fl_jsonw *w, const char *key, double n)
{
	char text[32];

	if (!isfinite(n)) {
		fl_jsonw_null(w, key);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, n);
		if (strtod(text, NULL) == n)
			break;
	}
	fl_jsonw_raw(w, key, text);
}

void
fl_jsonw_bool(struct fl_jsonw *w, const char *key, bool b)
{
	fl_jsonw_raw(w, key, b ? "true" : "false");
}

void
fl_jsonw_null(struct fl_jsonw *w, const char *key)
{
	fl_jsonw_raw(w, key, "null");
}

void
fl_jsonw_words(struct fl_jsonw *w, const char *key, char *const *words)
{
	if (words == NULL)
		return;
	fl_jsonw_open(w, key, '[');
	for (; *words != NULL; words++)
		fl_jsonw_str(w, NULL, *words);
	fl_jsonw_close(w, ']');
}

static void
write_members(struct fl_jsonw *w, const char *key, const struct fl_json *v)
{
	bool is_object = v->type == FL_JSON_OBJECT;

	fl_jsonw_open(w, key, is_object ? '{' : '[');
	for (size_t i = 0; i < v->m->n; i++)
		fl_jsonw_value(w, is_object ? v->m->keys[i] : NULL, &v->m->items[i]);
	fl_jsonw_close(w, is_object ? '}' : ']');
}

void
fl_jsonw_value(struct fl_jsonw *w, const char *key, const struct fl_json *v)
{
	switch (fl_json_type(v)) {
	case FL_JSON_NULL:
		fl_jsonw_null(w, key);
		break;
	case FL_JSON_BOOL:
		fl_jsonw_bool(w, key, v->b);
		break;
	case FL_JSON_NUMBER:
		if (v->is_int)
			fl_jsonw_int(w, key, v->i);
		else
			fl_jsonw_raw(w, key, v->str);
		break;
	case FL_JSON_STRING:
		fl_jsonw_str(w, key, v->str);
		break;
	case FL_JSON_ARRAY:
	case FL_JSON_OBJECT:
		write_members(w, key, v);
		break;
	}
}

void
fl_jsonw_raw(struct fl_jsonw *w, const char *key, const char *json)
{
	begin_value(w, key);
	fl_buf_addstr(w->buf, json);
}
