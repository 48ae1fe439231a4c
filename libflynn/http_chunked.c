/*
 * http_chunked - the chunked coding of http_parse.h (RFC 9112 7.1).
 *
 * Extensions and trailers are checked, and are no payload. Both are bounded: they carry
 * nothing that we use, so much of them is an attack. Extensions are held to their grammar:
 * where one ends a quoted string and the other the line, they see different bodies.
 */
#include "libflynn/http_parse.h"

#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"

enum {
	SIZE_LINE_MAX = 256,
	SIZE_DIGITS_MAX = 15, /* of hex: fits 64 bits with room to spare */
	TRAILER_MAX = 8 << 10,
};

enum state {
	SIZE_START,  /* the first digit of a size */
	SIZE,	     /* its other digits */
	SIZE_SPACE,  /* whitespace before another extension */
	EXT_START,   /* behind its semicolon */
	EXT_NAME,
	EXT_NAMED,   /* whitespace behind its name */
	EXT_EQUALS,  /* behind its equals sign */
	EXT_TOKEN,
	EXT_QUOTED,
	EXT_ESCAPE,  /* behind a backslash in a quoted string */
	EXT_END,     /* behind a quoted string */
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

/* RFC 9110 5.6.2 */
static bool
is_token(char c)
{
	return c > ' ' && c < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Trailers that a message may not have, RFC 9110 6.5.1: they would change what its head has said of
 * framing, route or sender for whoever merges the two. A name that ends with a dash stands for all that
 * begin so.
 */
static const char *const forbidden[] = { "transfer-encoding", "content-length", "content-encoding", "content-type",
	"content-range", "host", "connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate",
	"upgrade", "te", "trailer", "expect", "max-forwards", "range", "authorization", "cookie", "set-cookie",
	"x-forwarded-", "x-request-id", "x-request-start", "forwarded" };

#define ALL_FORBIDDEN ((UINT32_C(1) << fl_nitems(forbidden)) - 1)

/* Another byte of a trailer's name: which of the forbidden names it can still be. */
static void
compare_name(struct fl_http_chunked *c, char byte)
{
	char low = byte == '_' ? '-' : byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;

	for (size_t i = 0; c->candidates >> i != 0; i++) {
		const char *name = forbidden[i];
		size_t len = strlen(name);
		bool is_prefix = name[len - 1] == '-';

		if (c->name_len < len ? name[c->name_len] != low : !is_prefix)
			c->candidates &= ~(UINT32_C(1) << i);
	}
	c->name_len++;
}

static bool
is_forbidden(const struct fl_http_chunked *c)
{
	for (size_t i = 0; c->candidates >> i != 0; i++)
		if ((c->candidates >> i & 1) != 0 && strlen(forbidden[i]) <= c->name_len)
			return true;
	return false;
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
		return EXT_START;
	return is_space(byte) ? SIZE_SPACE : -1;
}

/* Behind an extension: another one, or the line's end. */
static int
after_extension(char byte)
{
	if (is_space(byte))
		return SIZE_SPACE;
	return byte == ';' ? EXT_START : byte == '\r' ? SIZE_LF : -1;
}

/* RFC 9112 7.1.1: *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) */
static int
step_ext_name(enum state state, char byte)
{
	if (state == EXT_START)
		return is_token(byte) ? EXT_NAME : is_space(byte) ? EXT_START : -1;
	if (byte == '=')
		return EXT_EQUALS;
	if (is_space(byte))
		return EXT_NAMED;
	if (state == EXT_NAMED)
		return byte == ';' ? EXT_START : -1;
	return is_token(byte) ? EXT_NAME : after_extension(byte);
}

static int
step_ext_value(enum state state, char byte)
{
	if (state == EXT_QUOTED && byte == '"')
		return EXT_END;
	if (state == EXT_QUOTED && byte == '\\')
		return EXT_ESCAPE;
	if (state == EXT_QUOTED || state == EXT_ESCAPE)
		return is_text(byte) ? EXT_QUOTED : -1;
	if (state != EXT_EQUALS)
		return state == EXT_TOKEN && is_token(byte) ? EXT_TOKEN : after_extension(byte);
	return byte == '"' ? EXT_QUOTED : is_token(byte) ? EXT_TOKEN : is_space(byte) ? EXT_EQUALS : -1;
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
		return byte == ';' ? EXT_START : is_space(byte) ? SIZE_SPACE : -1;
	case EXT_START:
	case EXT_NAME:
	case EXT_NAMED:
		return step_ext_name((enum state)c->state, byte);
	case EXT_EQUALS:
	case EXT_TOKEN:
	case EXT_QUOTED:
	case EXT_ESCAPE:
	case EXT_END:
		return step_ext_value((enum state)c->state, byte);
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
step_trailer_name(struct fl_http_chunked *c, char byte)
{
	if (byte == ':' && c->state == TRAILER_NAME)
		return is_forbidden(c) ? -1 : TRAILER_VALUE;
	if (!is_token(byte))
		return -1;
	if (c->state == TRAILER_START) {
		c->candidates = ALL_FORBIDDEN;
		c->name_len = 0;
	}
	compare_name(c, byte);
	return TRAILER_NAME;
}

static int
step_trailer(struct fl_http_chunked *c, char byte)
{
	if (++c->trailer_len > TRAILER_MAX)
		return -1;
	switch ((enum state)c->state) {
	case TRAILER_START:
		return byte == '\r' ? LAST_LF : step_trailer_name(c, byte);
	case TRAILER_NAME:
		return step_trailer_name(c, byte);
	case TRAILER_VALUE:
		return byte == '\r' ? TRAILER_LF : is_text(byte) ? TRAILER_VALUE : -1;
	case TRAILER_LF:
		return byte == '\n' ? TRAILER_START : -1;
	case LAST_LF:
		return byte == '\n' ? DONE : -1;
	case SIZE_START:
	case SIZE:
	case SIZE_SPACE:
	case EXT_START:
	case EXT_NAME:
	case EXT_NAMED:
	case EXT_EQUALS:
	case EXT_TOKEN:
	case EXT_QUOTED:
	case EXT_ESCAPE:
	case EXT_END:
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
