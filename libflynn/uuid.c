/*
 * uuid - see uuid.h.
 */
#include "libflynn/uuid.h"

#include <string.h>

#include "libflynn/random.h"

void
fl_uuid_new(char out[FL_UUID_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char id[FL_UUID_LEN / 2];

	fl_random_bytes(id, sizeof(id));
	id[6] = (unsigned char)((id[6] & 0x0f) | 0x40); /* version 4 */
	id[8] = (unsigned char)((id[8] & 0x3f) | 0x80); /* the variant of RFC 9562 */
	for (size_t i = 0; i < sizeof(id); i++) {
		out[2 * i] = hex[id[i] >> 4];
		out[2 * i + 1] = hex[id[i] & 15];
	}
	out[FL_UUID_LEN] = '\0';
}

/* The lower-case form of a hex digit, or NUL. */
static char
hex_digit(char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))
		return c;
	return c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : '\0';
}

bool
fl_uuid_parse(const char *text, char out[FL_UUID_LEN + 1])
{
	bool hyphens = strlen(text) == FL_UUID_LEN + 4;
	size_t n = 0;

	for (; *text != '\0' && n < FL_UUID_LEN; text++) {
		if (hyphens && (n == 8 || n == 12 || n == 16 || n == 20) && *text++ != '-')
			return false;
		if ((out[n++] = hex_digit(*text)) == '\0')
			return false;
	}
	out[n] = '\0';
	return n == FL_UUID_LEN && *text == '\0';
}
