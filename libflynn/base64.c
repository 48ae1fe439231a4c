/*
 * base64 - see base64.h.
 */
#include "libflynn/base64.h"

#include <stdint.h>
#include <stdlib.h>

#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *
fl_base64_encode(const void *data, size_t len)
{
	const unsigned char *in = data;
	char *text = fl_xreallocarray(NULL, len / 3 + 2, 4); /* one group more than needed: for the NUL */
	char *out = text;

	for (; len >= 3; len -= 3, in += 3) {
		*out++ = digits[in[0] >> 2];
		*out++ = digits[(in[0] & 3) << 4 | in[1] >> 4];
		*out++ = digits[(in[1] & 15) << 2 | in[2] >> 6];
		*out++ = digits[in[2] & 63];
	}
	if (len > 0) {
		unsigned second = len == 2 ? in[1] : 0;

		*out++ = digits[in[0] >> 2];
		*out++ = digits[(in[0] & 3) << 4 | second >> 4];
		*out++ = len == 2 ? digits[(second & 15) << 2] : '=';
		*out++ = '=';
	}
	*out = '\0';
	return text;
}

char *
fl_hex_encode(const void *data, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *in = data;
	char *text = fl_xreallocarray(NULL, len + 1, 2);

	for (size_t i = 0; i < len; i++) {
		text[2 * i] = hex[in[i] >> 4];
		text[2 * i + 1] = hex[in[i] & 15];
	}
	text[2 * len] = '\0';
	return text;
}

static int
digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void *
fl_base64_decode(const char *text, size_t text_len, size_t *len, struct fl_err *err)
{
	size_t n_digits = text_len;
	unsigned char *data = NULL, *out = NULL;
	uint32_t bits = 0;

	/* At most two "=": a third is no digit and so refused below. */
	while (n_digits > 0 && text_len - n_digits < 2 && text[n_digits - 1] == '=')
		n_digits--;
	if (text_len % 4 != 0) {
		fl_err_set(err, FL_ERR_INVALID, "base64 text is not padded to a multiple of 4");
		return NULL;
	}
	data = out = fl_xmalloc(text_len / 4 * 3 + 1);
	for (size_t i = 0; i < n_digits; i++) {
		int value = digit_value(text[i]);

		if (value == -1)
			goto bad;
		bits = bits << 6 | (uint32_t)value;
		/* Each digit but the first of four completes a byte. */
		if (i % 4 != 0)
			*out++ = (unsigned char)(bits >> (6 - 2 * (i % 4)));
	}
	/* What the last digit holds beyond the last byte is zero, or one value had two texts. */
	if ((n_digits % 4 == 2 && (bits & 15) != 0) || (n_digits % 4 == 3 && (bits & 3) != 0))
		goto bad;
	*out = '\0';
	*len = (size_t)(out - data);
	return data;
bad:
	free(data);
	fl_err_set(err, FL_ERR_INVALID, "not base64 text");
	return NULL;
}
