/*
 * http_chunked - the chunked coding of http_parse.h (RFC 9112 7.1).
 *
 * Extensions and trailers are checked and dropped. Both are bounded: they carry nothing
 * that we use, so much of them is an attack.
 */
#include "libflynn/http_parse.h"

#include "libflynn/err.h"

enum {
	SIZE_LINE_MAX = 256,
	SIZE_DIGITS_MAX = 15, /* of hex: fits 64 bits with room to spare */
	TRAILER_MAX = 8 << 10,
};

enum state {
	SIZE_START,  /* the first digit of a size */
	SIZE,	     /* its other digits */
	SIZE_SPACE,  /* whitespace before an extension */
	EXTENSION,   /* until the line's end */
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_START, /* a trailer's name or the empty line */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	DONE,
};

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

static bool
is_text(char c)
{
	return c == '\t' || ((unsigned char)c >= ' ' && (unsigned char)c != 0x7f);
}

static bool
is_name(char c)
{
	return is_text(c) && (unsigned char)c < 0x80 && c != ' ' && c != '\t' && c != '"' && c != ',' && c != '/';
}

/* What a state of the size line makes of a byte: the next state, or -1. */
static int
after_size_byte(struct fl_http_chunked *c, char byte)
{
	int digit = hex_value(byte);

	if (digit != -1) {
		if (c->line_len > SIZE_DIGITS_MAX)
			return -1;
		c->left = c->left << 4 | (uint64_t)digit;
		return SIZE;
	}
	if (c->state == SIZE_START)
		return -1;
	if (byte == '\r')
		return SIZE_LF;
	if (byte == ';')
		return EXTENSION;
	return byte == ' ' || byte == '\t' ? SIZE_SPACE : -1;
}

static int
step_size(struct fl_http_chunked *c, char byte)
{
	if (++c->line_len > SIZE_LINE_MAX)
		return -1;
	switch ((enum state)c->state) {
	case SIZE_START:
	case SIZE:
		return after_size_byte(c, byte);
	case SIZE_SPACE:
		return byte == ';' ? EXTENSION : byte == ' ' || byte == '\t' ? SIZE_SPACE : -1;
	case EXTENSION:
		return byte == '\r' ? SIZE_LF : is_text(byte) ? EXTENSION : -1;
	case SIZE_LF:
		return byte != '\n' ? -1 : c->left > 0 ? DATA : TRAILER_START;
	case DATA_CR:
		return byte == '\r' ? DATA_LF : -1;
	case DATA_LF:
		c->left = 0;
		c->line_len = 0;
		return byte == '\n' ? SIZE_START : -1;
	case DATA:
	case TRAILER_START:
	case TRAILER_NAME:
	case TRAILER_VALUE:
	case TRAILER_LF:
	case LAST_LF:
	case DONE:
		break;
	}
	return -1;
}

static int
step_trailer(struct fl_http_chunked *c, char byte)
{
	if (++c->trailer_len > TRAILER_MAX)
		return -1;
	switch ((enum state)c->state) {
	case TRAILER_START:
		return byte == '\r' ? LAST_LF : is_name(byte) && byte != ':' ? TRAILER_NAME : -1;
	case TRAILER_NAME:
		return byte == ':' ? TRAILER_VALUE : is_name(byte) ? TRAILER_NAME : -1;
	case TRAILER_VALUE:
		return byte == '\r' ? TRAILER_LF : is_text(byte) ? TRAILER_VALUE : -1;
	case TRAILER_LF:
		return byte == '\n' ? TRAILER_START : -1;
	case LAST_LF:
		return byte == '\n' ? DONE : -1;
	case SIZE_START:
	case SIZE:
	case SIZE_SPACE:
	case EXTENSION:
	case SIZE_LF:
	case DATA:
	case DATA_CR:
	case DATA_LF:
	case DONE:
		break;
	}
	return -1;
}

void
fl_http_chunked_init(struct fl_http_chunked *c)
{
	*c = (struct fl_http_chunked){ .state = SIZE_START };
}

int64_t
fl_http_chunked_feed(struct fl_http_chunked *c, const char *data, size_t len,
    struct fl_span *out, bool *done, struct fl_err *err)
{
	size_t i = 0;

	*out = (struct fl_span){ data, 0 };
	while (i < len && c->state != DONE && c->state != DATA) {
		int next = c->state < TRAILER_START ? step_size(c, data[i]) : step_trailer(c, data[i]);

		if (next == -1)
			return fl_err_set(err, FL_ERR_INVALID, "malformed chunked body");
		c->state = next;
		i++;
	}
	if (c->state == DATA && i < len) {
		*out = (struct fl_span){ data + i, len - i < c->left ? len - i : (size_t)c->left };
		c->left -= out->len;
		i += out->len;
		if (c->left == 0)
			c->state = DATA_CR;
	}
	*done = c->state == DONE;
	return (int64_t)i;
}
