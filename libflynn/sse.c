/*
 * sse - see sse.h.
 */
#include "libflynn/sse.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

struct fl_sse {
	size_t max_bytes;
	fl_sse_cb cb;
	void *arg;
	struct fl_buf line, event, id, data;
	bool has_data;	  /* of the event being read: its data may be one empty line */
	bool after_cr;	  /* a LF now ends no second line */
	bool after_start; /* a byte order mark can no longer come */
};

struct fl_sse *
fl_sse_new(size_t max_bytes, fl_sse_cb cb, void *arg)
{
	struct fl_sse *s = fl_xcalloc(1, sizeof(*s));

	s->max_bytes = max_bytes;
	s->cb = cb;
	s->arg = arg;
	return s;
}

void
fl_sse_free(struct fl_sse *s)
{
	if (s == NULL)
		return;
	fl_buf_release(&s->line);
	fl_buf_release(&s->event);
	fl_buf_release(&s->id);
	fl_buf_release(&s->data);
	free(s);
}

static void
set(struct fl_buf *b, const char *value, size_t len)
{
	fl_buf_clear(b);
	fl_buf_add(b, value, len);
}

/* An empty line: the event is complete, if there is one: without data it is none (WHATWG HTML 9.2.6). */
static void
dispatch(struct fl_sse *s)
{
	if (s->has_data) {
		s->data.data[--s->data.len] = '\0'; /* the newline behind the last data line */
		s->cb(fl_buf_cstr(&s->event), fl_buf_cstr(&s->id), fl_buf_cstr(&s->data), s->data.len, s->arg);
	}
	fl_buf_clear(&s->event);
	fl_buf_clear(&s->id);
	fl_buf_clear(&s->data);
	s->has_data = false;
}

static void
take_field(struct fl_sse *s, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name_len = colon != NULL ? (size_t)(colon - line) : len;
	const char *value = colon != NULL ? colon + 1 : line + len;
	size_t value_len = (size_t)(line + len - value);

	if (value_len > 0 && *value == ' ') {
		value++;
		value_len--;
	}
	if (name_len == 4 && memcmp(line, "data", 4) == 0) {
		fl_buf_add(&s->data, value, value_len);
		fl_buf_addc(&s->data, '\n');
		s->has_data = true;
	} else if (name_len == 5 && memcmp(line, "event", 5) == 0) {
		set(&s->event, value, value_len);
	} else if (name_len == 2 && memcmp(line, "id", 2) == 0 && memchr(value, '\0', value_len) == NULL) {
		set(&s->id, value, value_len);
	} /* "retry", comments and the unknown say nothing to us */
}

static void
take_line(struct fl_sse *s)
{
	static const char mark[] = "\xef\xbb\xbf";
	const char *line = fl_buf_cstr(&s->line);
	size_t len = s->line.len;

	if (!s->after_start && len >= 3 && memcmp(line, mark, 3) == 0) {
		line += 3;
		len -= 3;
	}
	s->after_start = true;
	if (len == 0)
		dispatch(s);
	else
		take_field(s, line, len);
	fl_buf_clear(&s->line);
}

/* The bytes before the next CR or LF. */
static size_t
line_part(const char *data, size_t len)
{
	const char *lf = memchr(data, '\n', len);
	size_t n = lf != NULL ? (size_t)(lf - data) : len;
	const char *cr = memchr(data, '\r', n);

	return cr != NULL ? (size_t)(cr - data) : n;
}

int
fl_sse_feed(struct fl_sse *s, const char *data, size_t len, struct fl_err *err)
{
	while (len > 0) {
		size_t n;

		if (s->after_cr && *data == '\n') {
			data++;
			len--;
		}
		s->after_cr = false;
		n = line_part(data, len);
		if (s->line.len + s->data.len + n > s->max_bytes)
			return fl_err_set(err, FL_ERR_TOO_BIG, "an event of more than %zu bytes", s->max_bytes);
		fl_buf_add(&s->line, data, n);
		if (n == len)
			break;
		s->after_cr = data[n] == '\r';
		take_line(s);
		data += n + 1;
		len -= n + 1;
	}
	return 0;
}

/* A newline in these would start a field of the writer's choosing. */
static void
write_field(struct fl_buf *b, const char *name, const char *value)
{
	if (value == NULL)
		return;
	fl_buf_addf(b, "%s: ", name);
	fl_buf_add(b, value, strcspn(value, "\r\n"));
	fl_buf_addc(b, '\n');
}

void
fl_sse_write(struct fl_buf *b, const char *event, const char *id, const char *data)
{
	write_field(b, "event", event);
	write_field(b, "id", id);
	for (;;) {
		size_t len = strcspn(data, "\r\n");

		fl_buf_addstr(b, "data: ");
		fl_buf_add(b, data, len);
		fl_buf_addc(b, '\n');
		data += len;
		if (*data == '\0')
			break;
		data += data[0] == '\r' && data[1] == '\n' ? 2 : 1;
	}
	fl_buf_addc(b, '\n');
}
